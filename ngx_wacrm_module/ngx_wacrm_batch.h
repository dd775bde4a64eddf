/*
 * ngx_wacrm_batch.h - events that go into the spool in one transaction.
 *
 * For ngx_wacrm_commit.c, which says when a batch is sent and what became of
 * it. ngx_wacrm_batch.c: its memory, and its time on the thread;
 * ngx_wacrm_batch_answer.c: the requests that wait for it. Event loop only,
 * but for the thread's handler.
 */

#ifndef _NGX_WACRM_BATCH_H_INCLUDED_
#define _NGX_WACRM_BATCH_H_INCLUDED_


#include "ngx_wacrm_commit.h"

#include <ngx_thread_pool.h>


struct ngx_wacrm_entry_s {
    ngx_http_request_t     *request;    /* NULL: gone or answered */
    ngx_wacrm_commit_pt     done;
    ngx_uint_t              source;
    size_t                  offset;
    size_t                  len;
    unsigned                answered:1;
};


typedef struct {
    ngx_queue_t             queue;
    ngx_thread_task_t       task;
    ngx_event_t             timer;

    u_char                 *data;
    size_t                  size;
    size_t                  used;

    ngx_wacrm_entry_t      *entries;
    spool_str_t            *records;
    ngx_uint_t              n;

    /* for and from the thread */
    spool_t                *spool;
    ngx_uint_t              usec;
    int                     rc;

    ngx_atomic_t            finished;   /* the thread's last word */
    unsigned                posted:1;
    unsigned                late:1;     /* its requests have been answered */
} ngx_wacrm_batch_t;


/* ngx_wacrm_batch.c */

/*
 * Every batch is for max events, its task tells complete, its timer timeout;
 * both find the batch in ev->data.
 */
void ngx_wacrm_batch_init(ngx_uint_t max, ngx_event_handler_pt complete,
    ngx_event_handler_pt timeout, ngx_log_t *log);
/* Frees those that are kept. */
void ngx_wacrm_batch_exit(void);

/* An empty one that is in no queue; NULL without memory. */
ngx_wacrm_batch_t *ngx_wacrm_batch_get(void);
/* Stops its timer; it is kept for the next get, or freed. In no queue. */
void ngx_wacrm_batch_put(ngx_wacrm_batch_t *batch);
void ngx_wacrm_batch_free(ngx_wacrm_batch_t *batch);

/* For ngx_wacrm_batch_reserve(): a larger arena; the old one may be gone. */
ngx_int_t ngx_wacrm_batch_grow(ngx_wacrm_batch_t *batch, size_t size);

/* Runs on a thread: appends the records, and sets rc, usec and finished. */
void ngx_wacrm_batch_thread(void *data, ngx_log_t *log);


/* Room for size bytes more at data + used, which may move. */

static ngx_inline ngx_int_t
ngx_wacrm_batch_reserve(ngx_wacrm_batch_t *batch, size_t size)
{
    if (size <= batch->size - batch->used) {
        return NGX_OK;
    }

    return ngx_wacrm_batch_grow(batch, size);
}


/* ngx_wacrm_batch_answer.c */

/* Counts and answers the requests that have not been answered yet. */
void ngx_wacrm_batch_answer(ngx_wacrm_batch_t *batch,
    ngx_wacrm_event_e result);


#endif /* _NGX_WACRM_BATCH_H_INCLUDED_ */
