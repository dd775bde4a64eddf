/*
 * client.h - the HTTP client of all gateway calls: one curl multi on one
 * thread, connections kept alive.
 *
 * Limits: http and https only, no redirects, answers up to 1 MiB, connect
 * 10 s, total the account's time-out. A 401 makes one new login (if the
 * account has one), then the call once more. Tokens obtained by login are
 * kept through the token callbacks.
 */
#ifndef WACRM_GATEWAY_CLIENT_H
#define WACRM_GATEWAY_CLIENT_H

#include "gateway/gateway.h"

typedef struct gw_client_s gw_client_t;

typedef struct {
    const gateway_account_t *accounts;
    size_t naccounts;
    /* Loads and stores an account's bearer (24 h); called on the client's
     * thread. load fills "" if there is none. */
    void (*token_load)(void *arg, const char *account, char *token,
                       size_t size);
    void (*token_store)(void *arg, const char *account, const char *token,
                        int64_t expires_ms);
    /* Called on the client's thread whenever it is woken or *timeout_ms has
     * passed, to start calls; sets when it wants to be called next. */
    void (*tick)(void *arg, gw_client_t *client, int64_t *timeout_ms);
    void *arg;
    /* To one host at once, 0: 16. A call beyond them waits for one of them,
     * which counts as its time to connect. */
    int connections;
} gw_client_options_t;

int gw_client_start(gw_client_t **out,
                    const gw_client_options_t *o) WACRM_CHECKED;
/* Any thread: tick soon. */
void gw_client_wake(gw_client_t *c);
/* Waits up to timeout_ms for calls in flight, then ends the thread. */
void gw_client_stop(gw_client_t **c, int64_t timeout_ms);

/* How a call ended. */
typedef struct {
    int http_status; /* 0: no answer */
    const char *body;
    size_t len;
    int retry_after_s; /* of Retry-After, 0: none */
    bool timed_out;
    bool too_big;       /* more than the limit */
    bool refused;       /* may_connect() wanted none of its addresses */
    bool no_connection; /* none that carries a request (no TCP, no TLS), or
                         * none to sign in: the gateway is away */
    bool stopped;       /* the client has ended first */
    bool no_memory;     /* for want of memory here */
    bool bytes_sent;    /* false: certainly nothing reached the gateway */
    char error[256];    /* transport's words */
} gw_result_t;

typedef void (*gw_done)(void *arg, const gw_result_t *result);

/*
 * Client's thread only (from tick or a done callback): starts a call; request
 * is taken over, also on failure. done runs on the client's thread, once.
 */
int gw_call(gw_client_t *c, const gateway_account_t *account,
            gw_request_t *request, gw_done done, void *arg) WACRM_CHECKED;

/*
 * The same from any thread: the call is handed to the client's thread, which
 * runs done. account NULL: to no gateway of ours, without a bearer, within
 * 15 s. timeout_ms 0: the account's; else the shorter of the two.
 * WERR_STOPPING once the client stops. After any error request is freed and
 * done is not run; a call that was taken ends by done, at the latest when the
 * client has stopped.
 */
int gw_submit(gw_client_t *c, const gateway_account_t *account,
              gw_request_t *request, int64_t timeout_ms, gw_done done,
              void *arg) WACRM_CHECKED;

/* Any thread: the account's bearer is loaded again before its next call. */
void gw_client_reload(gw_client_t *c, const char *account);

/* Calls in flight. */
size_t gw_client_active(const gw_client_t *c);

#endif
