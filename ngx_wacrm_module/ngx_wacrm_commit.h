/*
 * ngx_wacrm_commit.h - group commit of events into the spool.
 *
 * One batch of a worker is on the thread at a time, which sees nothing but the
 * batch; meanwhile the next events gather. Once a batch is committed the next
 * may follow before the event loop has heard of it, never after a failure. The
 * requests wait, 5 s at most; one that dies detaches itself. A worker that is
 * to end while a commit hangs ends without it, by _exit(). All functions are
 * for the event loop.
 */

#ifndef _NGX_WACRM_COMMIT_H_INCLUDED_
#define _NGX_WACRM_COMMIT_H_INCLUDED_


#include "ngx_wacrm.h"


typedef struct ngx_wacrm_entry_s  ngx_wacrm_entry_t;


/*
 * Called once for an entry that is still attached, with STORED, SPOOL_FULL,
 * SPOOL_ERROR, QUEUE_FULL or TIMEOUT: to finalize the request.
 */
typedef void (*ngx_wacrm_commit_pt)(ngx_http_request_t *r,
    ngx_wacrm_event_e result);


typedef struct {
    ngx_uint_t            max;      /* events in a transaction */
    size_t                bytes;    /* that may wait */
    ngx_uint_t            queue;    /* events that may wait */
    ngx_thread_pool_t    *pool;
} ngx_wacrm_commit_conf_t;


ngx_int_t ngx_wacrm_commit_init(ngx_wacrm_commit_conf_t *conf,
    ngx_log_t *log);
void ngx_wacrm_commit_exit(void);

/*
 * Copies the record, of which nothing is needed afterwards.
 * NGX_WACRM_EVENT_STORED means that *entry is set and done will be called;
 * anything else is the refusal.
 */
ngx_wacrm_event_e ngx_wacrm_commit_add(ngx_http_request_t *r,
    spool_record_t *record, ngx_uint_t source, ngx_wacrm_commit_pt done,
    ngx_wacrm_entry_t **entry);

/* The request is going away: done will not be called. */
void ngx_wacrm_commit_detach(ngx_wacrm_entry_t *entry);

/* 1 while a batch is in flight. */
ngx_uint_t ngx_wacrm_commit_busy(void);


#endif /* _NGX_WACRM_COMMIT_H_INCLUDED_ */
