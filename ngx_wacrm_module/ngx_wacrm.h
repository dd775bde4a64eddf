/*
 * ngx_wacrm.h - what the nginx modules of ngx_wacrm_module.so share.
 *
 * Five nginx modules in one .so: ngx_wacrm_module (spool, metrics, health),
 * ngx_wacrm_webhook_module (intake), ngx_wacrm_jwt_module (access, identity),
 * ngx_wacrm_rate_module (rate limits) and ngx_wacrm_log_module (what the error
 * log tells of a request).
 */

#ifndef _NGX_WACRM_H_INCLUDED_
#define _NGX_WACRM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "spool/spool.h"


/* What became of one webhook event; label "result" of the metrics. */

typedef enum {
    NGX_WACRM_EVENT_STORED = 0,
    NGX_WACRM_EVENT_SIG_MISSING,
    NGX_WACRM_EVENT_SIG_MISMATCH,
    NGX_WACRM_EVENT_SIG_STALE,
    NGX_WACRM_EVENT_NOT_JSON,
    NGX_WACRM_EVENT_METHOD,
    NGX_WACRM_EVENT_TOO_LARGE,
    NGX_WACRM_EVENT_TYPE,
    NGX_WACRM_EVENT_RATE,
    NGX_WACRM_EVENT_SPOOL_FULL,
    NGX_WACRM_EVENT_SPOOL_ERROR,
    NGX_WACRM_EVENT_QUEUE_FULL,
    NGX_WACRM_EVENT_TIMEOUT,
    NGX_WACRM_EVENT_FAULT,
    NGX_WACRM_EVENT_NGINX,          /* refused by another module, or nginx */
    NGX_WACRM_EVENT_RESULTS
} ngx_wacrm_event_e;


/* What became of one token; the first ones are those of jwt_gate_result_t. */

typedef enum {
    NGX_WACRM_JWT_OK = 0,
    NGX_WACRM_JWT_MALFORMED,
    NGX_WACRM_JWT_ALG,
    NGX_WACRM_JWT_KEY,
    NGX_WACRM_JWT_SIGNATURE,
    NGX_WACRM_JWT_EXPIRED,
    NGX_WACRM_JWT_EARLY,
    NGX_WACRM_JWT_ISSUER,
    NGX_WACRM_JWT_AUDIENCE,
    NGX_WACRM_JWT_CLAIM,
    NGX_WACRM_JWT_FAULT,
    NGX_WACRM_JWT_MISSING,
    NGX_WACRM_JWT_REVOKED,
    NGX_WACRM_JWT_REQUIRE,
    NGX_WACRM_JWT_RESULTS
} ngx_wacrm_jwt_e;


/* What a rate limit said; also the values of $wacrm_rate_status. */

typedef enum {
    NGX_WACRM_RATE_PASSED = 0,
    NGX_WACRM_RATE_REJECTED,
    NGX_WACRM_RATE_REJECTED_DRY_RUN,
    NGX_WACRM_RATE_RESULTS
} ngx_wacrm_rate_e;


/* ngx_wacrm_spool.c */

/*
 * The spool of this process; NULL as long as an opening lasts, after a failed
 * one (tried again every second) and where no wacrm_spool is configured.
 */
spool_t *ngx_wacrm_spool(void);

/* 1 if there is a wacrm_spool that tells which tokens are revoked. */
ngx_uint_t ngx_wacrm_spool_revocations(ngx_http_request_t *r);

/*
 * A commit, or a look at its health, found the spool unusable (SPOOL_IO,
 * SPOOL_CORRUPT, or moved): it is closed and, unless the process ends, opened
 * again, after a second or, when another lies at its path, at once, for which
 * the event loop waits 0.2 s at most. Event loop only, no batch in flight.
 */
void ngx_wacrm_spool_failed(void);

/* Tells wacrmd that there is work; never blocks, never fails. */
void ngx_wacrm_spool_notify(void);


/* ngx_wacrm_answer.c */

/* Sends status with a JSON body; the result is for ngx_http_finalize_request */
ngx_int_t ngx_wacrm_send_json(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body);

/* Adds a response header; name and value must outlive the request. */
ngx_int_t ngx_wacrm_add_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value);


/* ngx_wacrm_file.c */

/*
 * All bytes of a regular file of at most max bytes, which may be none; name
 * is terminated. A failure has been logged with the directive's place.
 */
ngx_int_t ngx_wacrm_read_file(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_str_t *name, size_t max, ngx_str_t *text);


/* ngx_wacrm_refuse.c */

/*
 * Refuses r in a phase handler: by the error_page of that status where there
 * is one, else with the JSON body. What the handler is to return.
 */
ngx_int_t ngx_wacrm_refuse(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body);


/* ngx_wacrm_metrics.c: counters in shared memory, kept on reload */

/* Claims the zone; to be called by every module that counts, at config time */
ngx_int_t ngx_wacrm_metrics_add(ngx_conf_t *cf);

/* A slot for a source or a rate zone by name; ready at config time. */
ngx_uint_t ngx_wacrm_metrics_source(ngx_conf_t *cf, ngx_str_t *name);
ngx_uint_t ngx_wacrm_metrics_zone(ngx_conf_t *cf, ngx_str_t *name);

void ngx_wacrm_count_event(ngx_uint_t source, ngx_wacrm_event_e result);
void ngx_wacrm_count_events(ngx_uint_t source, ngx_wacrm_event_e result,
    ngx_uint_t events);
void ngx_wacrm_count_commit(ngx_uint_t records, ngx_uint_t bytes,
    ngx_uint_t usec);
void ngx_wacrm_count_jwt(ngx_wacrm_jwt_e result);
void ngx_wacrm_count_jwt_cache(ngx_uint_t hit);
void ngx_wacrm_count_rate(ngx_uint_t zone, ngx_wacrm_rate_e result);


/* ngx_wacrm_webhook_module.c */

/* 1 if a webhook is served there: its rate limits count refused requests. */
ngx_uint_t ngx_wacrm_is_webhook(ngx_http_request_t *r);


/* ngx_wacrm_rate_module.c */

/*
 * Counts this request against the limits of its location, and adds the
 * headers. NGX_OK, or NGX_HTTP_TOO_MANY_REQUESTS with *message (the text of
 * the JSON body) set, or NGX_ERROR.
 */
ngx_int_t ngx_wacrm_rate_take(ngx_http_request_t *r, ngx_str_t **message);


#endif /* _NGX_WACRM_H_INCLUDED_ */
