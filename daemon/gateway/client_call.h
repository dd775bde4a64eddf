/*
 * client_call.h - inside the HTTP client: one call, and the state of an
 * account's login.
 */
#ifndef WACRM_GATEWAY_CLIENT_CALL_H
#define WACRM_GATEWAY_CLIENT_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>

#include "gateway/client.h"

#define GW_TOKEN_MAX 4096

typedef struct {
    const gateway_account_t *account;
    const gw_driver_t *driver;
    char token[GW_TOKEN_MAX]; /* "": none */
    unsigned generation;      /* of the token */
    bool loaded;
    _Atomic bool reload; /* set by any thread */
    bool running;        /* a login is under way */
    bool away;           /* the last one could not even connect */
    int64_t not_before;  /* of the next one, monotonic ms */
} gw_login_t;

typedef enum {
    GW_CALL_FINE,
    GW_CALL_BROKEN, /* cannot be performed */
    GW_CALL_UNAUTHORISED
} gw_verdict_t;

typedef struct gw_call_s {
    struct gw_call_s *prev, *next;
    gw_client_t *client;
    gw_login_t *login;
    gw_request_t request;
    gw_done done;
    void *arg;
    CURL *easy;
    struct curl_slist *headers;
    buf_t body;          /* of the answer */
    int64_t uploaded;    /* bytes of the request's body */
    int64_t sunk;        /* bytes of it in the sink */
    unsigned generation; /* of the token it carries */
    bool too_big;
    bool refused;   /* by may_connect() */
    bool running;   /* in the multi */
    bool waiting;   /* for a login */
    bool signed_in; /* has had its new login */
    bool renewed;   /* has run again with a newer token */
    bool is_login;
    int64_t deadline;     /* monotonic ms, 0: only the account's time-out */
    gw_verdict_t verdict; /* not fine: the loop ends it */
    char error[CURL_ERROR_SIZE];
} gw_call_t;

struct gw_client_s {
    gw_client_options_t o;
    gw_login_t *logins; /* one for each account */
    gw_login_t guest;   /* of calls to somebody else; carries nothing */
    CURLM *multi;
    pthread_t thread;
    gw_call_t *calls;
    pthread_mutex_t lock;
    gw_call_t *submitted; /* guarded by lock, newest first */
    bool closed;          /* guarded by lock: nothing more is taken */
    bool completed;       /* a call has ended since the last tick */
    bool stopped;         /* what is left ends without an answer */
    int64_t next_tick;
    _Atomic size_t active;
    _Atomic bool woken, stopping;
    _Atomic int64_t stop_at;
};

/* Takes request over, also on failure (NULL). */
gw_call_t *gw_call_new(gw_client_t *c, gw_login_t *login,
                       gw_request_t *request);
void gw_call_free(gw_call_t *call);
/* Makes the easy handle ready; also for a second time. */
int gw_call_prepare(gw_call_t *call) WACRM_CHECKED;
/* How it ended; body lives as long as the call. */
void gw_call_result(gw_call_t *call, CURLcode code, gw_result_t *out);

/* On the client's thread. A new call among those in flight, done still NULL;
 * takes request over, also on failure (NULL). */
gw_call_t *gw_call_begin(gw_client_t *c, gw_login_t *login,
                         gw_request_t *request);
/* Runs it. What cannot be run gets its verdict: never ended from in here. */
void gw_call_perform(gw_call_t *call);

/* ---- client_login.c, on the client's thread ---- */

/* The bearer that is kept, or that of the configuration, if there is none yet
 * or it has to be looked for again. */
void gw_login_load(gw_client_t *c, gw_login_t *login);
/* Whether the account can sign in, and not so soon after a failure. */
bool gw_login_can(const gw_login_t *login);
/* Begins a sign-in, if none is under way. */
int gw_login_start(gw_client_t *c, gw_login_t *login) WACRM_CHECKED;
/* How one ended: the calls that waited for it go on, or get their verdict. */
void gw_login_done(gw_call_t *call, const gw_result_t *r);
/* After a 401: true if the call waits, or runs once more. */
bool gw_login_again(gw_call_t *call);

#endif
