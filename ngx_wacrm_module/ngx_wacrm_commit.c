/*
 * ngx_wacrm_commit.c - group commit of events into the spool.
 */

#include "ngx_wacrm_batch.h"


/* how long a request waits for its commit */
#define NGX_WACRM_COMMIT_WAIT   5000
/* how often one that hangs is looked at after that */
#define NGX_WACRM_COMMIT_LOOK   1000


typedef struct {
    ngx_wacrm_commit_conf_t  conf;
    ngx_log_t               *log;

    ngx_wacrm_batch_t       *flying;
    ngx_queue_t              waiting;
    ngx_uint_t               nwaiting;   /* events */
    size_t                   bytes;      /* of events that wait */

    ngx_event_t              start;
} ngx_wacrm_commit_t;


static ngx_uint_t ngx_wacrm_commit_full(size_t size);
static ngx_wacrm_batch_t *ngx_wacrm_commit_batch(size_t size);
static ngx_uint_t ngx_wacrm_commit_worth(void);
static ngx_uint_t ngx_wacrm_commit_finished(void);
static void ngx_wacrm_commit_ahead(void);
static void ngx_wacrm_commit_start(ngx_event_t *ev);
static void ngx_wacrm_commit_next(void);
static ngx_int_t ngx_wacrm_commit_post(ngx_wacrm_batch_t *batch);
static void ngx_wacrm_commit_complete(ngx_event_t *ev);
static void ngx_wacrm_commit_timeout(ngx_event_t *ev);
static ngx_uint_t ngx_wacrm_commit_runs(ngx_wacrm_batch_t *batch);
static void ngx_wacrm_commit_abandon(ngx_log_t *log);
static void ngx_wacrm_commit_unwait(ngx_wacrm_batch_t *batch);


static ngx_wacrm_commit_t  ngx_wacrm_commit;


ngx_int_t
ngx_wacrm_commit_init(ngx_wacrm_commit_conf_t *conf, ngx_log_t *log)
{
    ngx_memzero(&ngx_wacrm_commit, sizeof(ngx_wacrm_commit_t));

    ngx_wacrm_commit.conf = *conf;
    ngx_wacrm_commit.log = log;

    ngx_queue_init(&ngx_wacrm_commit.waiting);

    ngx_wacrm_batch_init(conf->max, ngx_wacrm_commit_complete,
                         ngx_wacrm_commit_timeout, log);

    ngx_wacrm_commit.start.handler = ngx_wacrm_commit_start;
    ngx_wacrm_commit.start.log = log;

    return NGX_OK;
}


void
ngx_wacrm_commit_exit(void)
{
    ngx_queue_t        *q;
    ngx_wacrm_batch_t  *batch;

    if (ngx_wacrm_commit.log == NULL) {
        return;
    }

    /*
     * The threads have ended, so that nothing is in flight, whatever was not
     * told; unless their queue was full, then nginx has not waited for them.
     */

    batch = ngx_wacrm_commit.flying;

    if (batch) {

        if (ngx_wacrm_commit_runs(batch)) {
            ngx_wacrm_commit_abandon(ngx_cycle->log);
        }

        ngx_wacrm_batch_free(batch);
        ngx_wacrm_commit.flying = NULL;
    }

    while (!ngx_queue_empty(&ngx_wacrm_commit.waiting)) {
        q = ngx_queue_head(&ngx_wacrm_commit.waiting);
        ngx_queue_remove(q);
        batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);
        ngx_wacrm_batch_free(batch);
    }

    ngx_wacrm_batch_exit();
}


ngx_uint_t
ngx_wacrm_commit_busy(void)
{
    return ngx_wacrm_commit.flying != NULL;
}


ngx_wacrm_event_e
ngx_wacrm_commit_add(ngx_http_request_t *r, spool_record_t *record,
    ngx_uint_t source, ngx_wacrm_commit_pt done, ngx_wacrm_entry_t **entry)
{
    size_t              size, len;
    ngx_wacrm_batch_t  *batch;
    ngx_wacrm_entry_t  *e;

    size = spool_record_bound(record);

    if (ngx_wacrm_commit_full(size)) {
        return NGX_WACRM_EVENT_QUEUE_FULL;
    }

    batch = ngx_wacrm_commit_batch(size);
    if (batch == NULL) {
        return NGX_WACRM_EVENT_FAULT;
    }

    len = spool_record_encode(record, batch->data + batch->used, size);
    if (len == 0) {
        return NGX_WACRM_EVENT_FAULT;
    }

    e = &batch->entries[batch->n++];

    e->request = r;
    e->done = done;
    e->source = source;
    e->offset = batch->used;
    e->len = len;
    e->answered = 0;

    batch->used += len;
    ngx_wacrm_commit.nwaiting++;
    ngx_wacrm_commit.bytes += len;

    /*
     * A lone event waits only for those that came in the same poll.  Under
     * load the thread is done long before this loop comes to hear of it:
     * then the disk gets its next batch at once.
     */

    if (ngx_wacrm_commit.flying == NULL) {
        ngx_post_event(&ngx_wacrm_commit.start, &ngx_posted_events);

    } else if (ngx_wacrm_commit_worth() && ngx_wacrm_commit_finished()) {
        ngx_wacrm_commit_ahead();
    }

    *entry = e;

    return NGX_WACRM_EVENT_STORED;
}


void
ngx_wacrm_commit_detach(ngx_wacrm_entry_t *entry)
{
    entry->request = NULL;
}


/* An event larger than "bytes" passes when it waits alone. */

static ngx_uint_t
ngx_wacrm_commit_full(size_t size)
{
    ngx_wacrm_commit_conf_t  *conf;

    conf = &ngx_wacrm_commit.conf;

    if (ngx_wacrm_commit.nwaiting >= conf->queue) {
        return 1;
    }

    return ngx_wacrm_commit.nwaiting
           && (size > conf->bytes
               || ngx_wacrm_commit.bytes > conf->bytes - size);
}


/* The batch that gathers, with room for one more event. */

static ngx_wacrm_batch_t *
ngx_wacrm_commit_batch(size_t size)
{
    ngx_uint_t          created;
    ngx_queue_t        *q;
    ngx_wacrm_batch_t  *batch;

    batch = NULL;
    created = 0;

    if (!ngx_queue_empty(&ngx_wacrm_commit.waiting)) {
        q = ngx_queue_last(&ngx_wacrm_commit.waiting);
        batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);

        if (batch->n == ngx_wacrm_commit.conf.max) {
            batch = NULL;
        }
    }

    if (batch == NULL) {
        created = 1;

        batch = ngx_wacrm_batch_get();
        if (batch == NULL) {
            return NULL;
        }
    }

    if (ngx_wacrm_batch_reserve(batch, size) != NGX_OK) {

        if (created) {
            ngx_wacrm_batch_put(batch);
        }

        return NULL;
    }

    if (created) {
        ngx_queue_insert_tail(&ngx_wacrm_commit.waiting, &batch->queue);

        /* not cancelable: a worker that shuts down waits for its commits */
        ngx_add_timer(&batch->timer, NGX_WACRM_COMMIT_WAIT);
    }

    return batch;
}


/*
 * Whether what waits need not wait for the rest of the poll.  A commit costs
 * the processor as much as some hundred events in it, so that half a batch is
 * the least that goes before.
 */

static ngx_uint_t
ngx_wacrm_commit_worth(void)
{
    return ngx_wacrm_commit.nwaiting >= ngx_wacrm_commit.conf.max / 2;
}


/*
 * Whether the batch in flight is committed, only not told yet.  After a
 * failure the spool may have to be closed, so nothing may follow it.
 */

static ngx_uint_t
ngx_wacrm_commit_finished(void)
{
    ngx_wacrm_batch_t  *batch;

    batch = ngx_wacrm_commit.flying;

    return !ngx_wacrm_commit_runs(batch)
           && batch->rc == SPOOL_OK
           && ngx_process != NGX_PROCESS_SINGLE;
}


/*
 * Sends the oldest batch to the thread while the one before waits to be told.
 * Called with a request at hand: whatever fails here is answered later.
 */

static void
ngx_wacrm_commit_ahead(void)
{
    ngx_queue_t        *q;
    ngx_wacrm_batch_t  *batch;

    q = ngx_queue_head(&ngx_wacrm_commit.waiting);
    batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);

    ngx_wacrm_commit.flying = NULL;
    batch->spool = ngx_wacrm_spool();

    if (batch->spool == NULL || ngx_wacrm_commit_post(batch) != NGX_OK) {
        ngx_post_event(&ngx_wacrm_commit.start, &ngx_posted_events);
        return;
    }

    ngx_wacrm_commit_unwait(batch);
}


static void
ngx_wacrm_commit_start(ngx_event_t *ev)
{
    ngx_wacrm_commit_next();
}


/* Sends the oldest batch that waits to the thread, if none is there. */

static void
ngx_wacrm_commit_next(void)
{
    ngx_queue_t        *q;
    ngx_wacrm_event_e   why;
    ngx_wacrm_batch_t  *batch;

    while (ngx_wacrm_commit.flying == NULL
           && !ngx_queue_empty(&ngx_wacrm_commit.waiting))
    {
        q = ngx_queue_head(&ngx_wacrm_commit.waiting);
        batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);

        ngx_wacrm_commit_unwait(batch);

        batch->spool = ngx_wacrm_spool();

        if (batch->spool == NULL) {
            why = NGX_WACRM_EVENT_SPOOL_ERROR;

        } else if (ngx_wacrm_commit_post(batch) != NGX_OK) {
            why = NGX_WACRM_EVENT_QUEUE_FULL;

        } else {
            return;
        }

        ngx_wacrm_batch_answer(batch, why);
        ngx_wacrm_batch_put(batch);
    }
}


static ngx_int_t
ngx_wacrm_commit_post(ngx_wacrm_batch_t *batch)
{
    ngx_uint_t  i;

    for (i = 0; i < batch->n; i++) {
        batch->records[i].data = (char *) batch->data
                                 + batch->entries[i].offset;
        batch->records[i].len = batch->entries[i].len;
    }

    batch->finished = 0;
    batch->posted = 1;
    ngx_wacrm_commit.flying = batch;

    if (ngx_process == NGX_PROCESS_SINGLE) {

        /* no thread pool, see ngx_wacrm_webhook_postconf() */

        ngx_wacrm_batch_thread(batch, ngx_wacrm_commit.log);
        ngx_post_event(&batch->task.event, &ngx_posted_events);

        return NGX_OK;
    }

    if (ngx_thread_task_post(ngx_wacrm_commit.conf.pool, &batch->task)
        != NGX_OK)
    {
        batch->posted = 0;
        ngx_wacrm_commit.flying = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_wacrm_commit_complete(ngx_event_t *ev)
{
    ngx_wacrm_event_e   result;
    ngx_wacrm_batch_t  *batch;

    batch = ev->data;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, ev->log, 0,
                   "wacrm commit: %ui events, rc %d, %ui us",
                   batch->n, batch->rc, batch->usec);

    /* the next one may be on its way already */

    if (ngx_wacrm_commit.flying == batch) {
        ngx_wacrm_commit.flying = NULL;
    }

    if (batch->timer.timer_set) {
        ngx_del_timer(&batch->timer);
    }

    switch (batch->rc) {

    case SPOOL_OK:
        ngx_wacrm_count_commit(batch->n, batch->used, batch->usec);
        ngx_wacrm_spool_notify();
        result = NGX_WACRM_EVENT_STORED;
        break;

    case SPOOL_FULL:
        result = NGX_WACRM_EVENT_SPOOL_FULL;
        break;

    default:
        ngx_log_error(NGX_LOG_ERR, ev->log, 0,
                      "wacrm spool: append failed, events=%ui reason=\"%s\"",
                      batch->n, spool_strerror(batch->rc));

        if (batch->rc == SPOOL_IO || batch->rc == SPOOL_CORRUPT) {
            ngx_wacrm_spool_failed();
        }

        result = NGX_WACRM_EVENT_SPOOL_ERROR;
    }

    /* the disk works on the next batch while this one is answered */

    if (ngx_wacrm_commit_worth()) {
        ngx_wacrm_commit_next();

    } else if (ngx_wacrm_commit.nwaiting) {
        ngx_post_event(&ngx_wacrm_commit.start, &ngx_posted_events);
    }

    ngx_wacrm_batch_answer(batch, result);
    ngx_wacrm_batch_put(batch);
}


static void
ngx_wacrm_commit_timeout(ngx_event_t *ev)
{
    ngx_wacrm_batch_t  *batch;

    batch = ev->data;

    if (!batch->posted) {
        ngx_wacrm_commit_unwait(batch);
        ngx_wacrm_batch_answer(batch, NGX_WACRM_EVENT_TIMEOUT);
        ngx_wacrm_batch_put(batch);
        return;
    }

    if (!batch->late) {
        batch->late = 1;
        ngx_wacrm_batch_answer(batch, NGX_WACRM_EVENT_TIMEOUT);

    } else if (ngx_exiting
               && ngx_event_no_timers_left() == NGX_OK
               && ngx_wacrm_commit_runs(batch))
    {
        ngx_wacrm_commit_abandon(ev->log);
    }

    /* not cancelable: a worker that shuts down comes here, not to its end */

    ngx_add_timer(ev, NGX_WACRM_COMMIT_LOOK);
}


/* Whether the thread may still touch it. */

static ngx_uint_t
ngx_wacrm_commit_runs(ngx_wacrm_batch_t *batch)
{
    return !__atomic_load_n(&batch->finished, __ATOMIC_ACQUIRE);
}


/*
 * The end of a worker whose commit waits for a lock or a disk that does not
 * come: all its requests are answered, this batch with 503.  The pool's end
 * would have the event loop spin until the thread is back, and nothing may be
 * freed under it.  The spool outlives it as it outlives a kill.
 */

static void
ngx_wacrm_commit_abandon(ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_ALERT, log, 0,
                  "wacrm spool: a commit hangs, the worker ends without it");

    _exit(0);
}


static void
ngx_wacrm_commit_unwait(ngx_wacrm_batch_t *batch)
{
    ngx_queue_remove(&batch->queue);

    ngx_wacrm_commit.nwaiting -= batch->n;
    ngx_wacrm_commit.bytes -= batch->used;
}
