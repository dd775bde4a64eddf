/*
 * ngx_wacrm_batch.c - a batch of events: its memory, and its time on the
 * thread.
 */

#include "ngx_wacrm_batch.h"


/*
 * Idle batches that are kept, and the arena that one may keep.  In one turn of
 * the event loop several may come back, and as many be asked for.
 */
#define NGX_WACRM_BATCH_SPARE  4
#define NGX_WACRM_BATCH_ARENA  (512 * 1024)


typedef struct {
    ngx_uint_t             max;         /* events in a batch */
    ngx_event_handler_pt   complete;
    ngx_event_handler_pt   timeout;
    ngx_log_t             *log;

    ngx_queue_t            spare;
    ngx_uint_t             nspare;
} ngx_wacrm_batches_t;


static ngx_wacrm_batch_t *ngx_wacrm_batch_create(void);


static ngx_wacrm_batches_t  ngx_wacrm_batches;


void
ngx_wacrm_batch_init(ngx_uint_t max, ngx_event_handler_pt complete,
    ngx_event_handler_pt timeout, ngx_log_t *log)
{
    ngx_wacrm_batches.max = max;
    ngx_wacrm_batches.complete = complete;
    ngx_wacrm_batches.timeout = timeout;
    ngx_wacrm_batches.log = log;

    ngx_queue_init(&ngx_wacrm_batches.spare);
    ngx_wacrm_batches.nspare = 0;
}


void
ngx_wacrm_batch_exit(void)
{
    ngx_queue_t        *q;
    ngx_wacrm_batch_t  *batch;

    while (!ngx_queue_empty(&ngx_wacrm_batches.spare)) {
        q = ngx_queue_head(&ngx_wacrm_batches.spare);
        ngx_queue_remove(q);
        batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);
        ngx_wacrm_batch_free(batch);
    }
}


ngx_wacrm_batch_t *
ngx_wacrm_batch_get(void)
{
    ngx_queue_t  *q;

    if (ngx_queue_empty(&ngx_wacrm_batches.spare)) {
        return ngx_wacrm_batch_create();
    }

    q = ngx_queue_head(&ngx_wacrm_batches.spare);
    ngx_queue_remove(q);
    ngx_wacrm_batches.nspare--;

    return ngx_queue_data(q, ngx_wacrm_batch_t, queue);
}


static ngx_wacrm_batch_t *
ngx_wacrm_batch_create(void)
{
    ngx_log_t          *log;
    ngx_uint_t          max;
    ngx_wacrm_batch_t  *batch;

    log = ngx_wacrm_batches.log;
    max = ngx_wacrm_batches.max;

    /* malloc'ed: it outlives every request, and every pool but the cycle's */

    batch = ngx_calloc(sizeof(ngx_wacrm_batch_t), log);
    if (batch == NULL) {
        return NULL;
    }

    batch->entries = ngx_calloc(max * sizeof(ngx_wacrm_entry_t), log);
    batch->records = ngx_calloc(max * sizeof(spool_str_t), log);

    if (batch->entries == NULL || batch->records == NULL) {
        ngx_wacrm_batch_free(batch);
        return NULL;
    }

    batch->task.ctx = batch;
    batch->task.handler = ngx_wacrm_batch_thread;
    batch->task.event.data = batch;
    batch->task.event.handler = ngx_wacrm_batches.complete;
    batch->task.event.log = log;

    batch->timer.data = batch;
    batch->timer.handler = ngx_wacrm_batches.timeout;
    batch->timer.log = log;

    return batch;
}


void
ngx_wacrm_batch_put(ngx_wacrm_batch_t *batch)
{
    if (batch->timer.timer_set) {
        ngx_del_timer(&batch->timer);
    }

    if (ngx_wacrm_batches.nspare == NGX_WACRM_BATCH_SPARE) {
        ngx_wacrm_batch_free(batch);
        return;
    }

    if (batch->size > NGX_WACRM_BATCH_ARENA) {
        ngx_free(batch->data);
        batch->data = NULL;
        batch->size = 0;
    }

    batch->n = 0;
    batch->used = 0;
    batch->posted = 0;
    batch->late = 0;

    ngx_queue_insert_head(&ngx_wacrm_batches.spare, &batch->queue);
    ngx_wacrm_batches.nspare++;
}


void
ngx_wacrm_batch_free(ngx_wacrm_batch_t *batch)
{
    if (batch->entries) {
        ngx_free(batch->entries);
    }

    if (batch->records) {
        ngx_free(batch->records);
    }

    if (batch->data) {
        ngx_free(batch->data);
    }

    ngx_free(batch);
}


ngx_int_t
ngx_wacrm_batch_grow(ngx_wacrm_batch_t *batch, size_t size)
{
    size_t   want;
    u_char  *data;

    if (size > NGX_MAX_SIZE_T_VALUE / 4 - batch->used) {
        return NGX_ERROR;
    }

    want = ngx_max(batch->size * 2, 32 * 1024);
    want = ngx_max(want, batch->used + size);

    data = realloc(batch->data, want);
    if (data == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_wacrm_batches.log, ngx_errno,
                      "wacrm commit: realloc(%uz) failed", want);
        return NGX_ERROR;
    }

    batch->data = data;
    batch->size = want;

    return NGX_OK;
}


/* Runs on a thread: the batch is all that it may touch. */

void
ngx_wacrm_batch_thread(void *data, ngx_log_t *log)
{
    ngx_wacrm_batch_t *batch = data;

    uint64_t         first;
    struct timespec  begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);

    batch->rc = spool_append(batch->spool, batch->records, batch->n, &first);

    clock_gettime(CLOCK_MONOTONIC, &end);

    batch->usec = (end.tv_sec - begin.tv_sec) * 1000000
                  + (end.tv_nsec - begin.tv_nsec) / 1000;

    __atomic_store_n(&batch->finished, 1, __ATOMIC_RELEASE);
}
