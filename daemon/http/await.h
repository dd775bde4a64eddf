/*
 * await.h - a route that needs an answer of the gateway.
 *
 * The route builds the request, calls request_await() as its last act and
 * returns: the worker is free, the client's request stays suspended. When the
 * gateway has answered (or the time is over) the request goes back into the
 * queue and `then` runs on some worker, with the same r->db, r->user and
 * r->visible as a route has; it fills the response.
 */
#ifndef WACRM_HTTP_AWAIT_H
#define WACRM_HTTP_AWAIT_H

#include "gateway/gateway.h"
#include "http/request.h"

/* What came back; lives as long as `then` runs. */
typedef struct {
    int http_status; /* 0: no answer */
    const char *body;
    size_t len;
    bool timed_out;
    bool not_sent;     /* certainly: no byte has left */
    const char *error; /* of the transport, "" if there is an answer */
} await_result_t;

typedef void (*await_fn)(request_t *r, const await_result_t *result,
                         void *state);
/* Undoes what was done for a call that is not made. The response is 503
 * already; another begins with response_reset(). */
typedef void (*await_refused_fn)(request_t *r, void *state);

/*
 * Takes request over, also on failure. state is given to `then` and freed
 * (free(3)) after it. timeout_ms 0: the account's; else the shorter of the
 * two. When the server stops, `then` runs at once and is told of no answer; it
 * may await again (state is freed: give a new one). If the call cannot be
 * started, `then` is not called and the response is 503. Not for heavy routes.
 */
void request_await(request_t *r, const gateway_account_t *account,
                   gw_request_t *request, int64_t timeout_ms, await_fn then,
                   void *state);

/* The same; in the place of `then`, refused (NULL: nothing) is called, and
 * state freed after it. It must not await. */
void request_await_or(request_t *r, const gateway_account_t *account,
                      gw_request_t *request, int64_t timeout_ms, await_fn then,
                      await_refused_fn refused, void *state);

/* The account of a session, its driver and its remote id (size 200).
 * WERR_NOTFOUND if the configuration has no such account any more. */
int request_account(const request_t *r, int64_t session,
                    const gateway_account_t **account, char *remote,
                    size_t size) WACRM_CHECKED;

#endif
