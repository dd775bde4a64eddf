/*
 * ngx_wacrm_commit.c - group commit of events into the spool.
 */

#include "ngx_wacrm_commit.h"

#include <ngx_thread_pool.h>


/* how long a request waits for its commit */
#define NGX_WACRM_COMMIT_WAIT   5000

/*
 * Idle batches that are kept, and the arena that one may keep.  In one turn of
 * the event loop several may come back, and as many be asked for.
 */
#define NGX_WACRM_COMMIT_SPARE  4
#define NGX_WACRM_COMMIT_ARENA  (512 * 1024)


typedef struct ngx_wacrm_batch_s  ngx_wacrm_batch_t;


struct ngx_wacrm_entry_s {
    ngx_http_request_t     *request;    /* NULL: gone or answered */
    ngx_wacrm_commit_pt     done;
    ngx_uint_t              source;
    size_t                  offset;
    size_t                  len;
    unsigned                answered:1;
};


struct ngx_wacrm_batch_s {
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
};


typedef struct {
    ngx_wacrm_commit_conf_t  conf;
    ngx_log_t               *log;

    ngx_wacrm_batch_t       *flying;
    ngx_queue_t              waiting;
    ngx_queue_t              spare;
    ngx_uint_t               nspare;
    ngx_uint_t               nwaiting;   /* events */
    size_t                   bytes;      /* of events that wait */

    ngx_event_t              start;
} ngx_wacrm_commit_t;


static ngx_wacrm_batch_t *ngx_wacrm_commit_batch(size_t size);
static ngx_wacrm_batch_t *ngx_wacrm_commit_create_batch(void);
static ngx_int_t ngx_wacrm_commit_reserve(ngx_wacrm_batch_t *batch,
    size_t size);
static ngx_uint_t ngx_wacrm_commit_worth(void);
static ngx_uint_t ngx_wacrm_commit_finished(void);
static void ngx_wacrm_commit_ahead(void);
static void ngx_wacrm_commit_start(ngx_event_t *ev);
static void ngx_wacrm_commit_next(void);
static ngx_int_t ngx_wacrm_commit_post(ngx_wacrm_batch_t *batch);
static void ngx_wacrm_commit_thread(void *data, ngx_log_t *log);
static void ngx_wacrm_commit_complete(ngx_event_t *ev);
static void ngx_wacrm_commit_timeout(ngx_event_t *ev);
static void ngx_wacrm_commit_answer(ngx_wacrm_batch_t *batch,
    ngx_wacrm_event_e result);
static void ngx_wacrm_commit_count(ngx_wacrm_batch_t *batch,
    ngx_wacrm_event_e result);
static void ngx_wacrm_commit_prefetch(ngx_wacrm_batch_t *batch, ngx_uint_t i);
static void ngx_wacrm_commit_unwait(ngx_wacrm_batch_t *batch);
static void ngx_wacrm_commit_recycle(ngx_wacrm_batch_t *batch);
static void ngx_wacrm_commit_free_batch(ngx_wacrm_batch_t *batch);


static ngx_wacrm_commit_t  ngx_wacrm_commit;


ngx_int_t
ngx_wacrm_commit_init(ngx_wacrm_commit_conf_t *conf, ngx_log_t *log)
{
    ngx_memzero(&ngx_wacrm_commit, sizeof(ngx_wacrm_commit_t));

    ngx_wacrm_commit.conf = *conf;
    ngx_wacrm_commit.log = log;

    ngx_queue_init(&ngx_wacrm_commit.waiting);
    ngx_queue_init(&ngx_wacrm_commit.spare);

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

    /* the threads have ended: nothing is in flight, whatever was not told */

    if (ngx_wacrm_commit.flying) {
        ngx_wacrm_commit_free_batch(ngx_wacrm_commit.flying);
        ngx_wacrm_commit.flying = NULL;
    }

    while (!ngx_queue_empty(&ngx_wacrm_commit.waiting)) {
        q = ngx_queue_head(&ngx_wacrm_commit.waiting);
        ngx_queue_remove(q);
        batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);
        ngx_wacrm_commit_free_batch(batch);
    }

    while (!ngx_queue_empty(&ngx_wacrm_commit.spare)) {
        q = ngx_queue_head(&ngx_wacrm_commit.spare);
        ngx_queue_remove(q);
        batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);
        ngx_wacrm_commit_free_batch(batch);
    }
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
    size_t                    size, len;
    ngx_wacrm_batch_t        *batch;
    ngx_wacrm_entry_t        *e;
    ngx_wacrm_commit_conf_t  *conf;

    conf = &ngx_wacrm_commit.conf;

    size = spool_record_bound(record);

    /* an event larger than "bytes" passes when it waits alone */

    if (ngx_wacrm_commit.nwaiting >= conf->queue
        || (ngx_wacrm_commit.nwaiting
            && (size > conf->bytes
                || ngx_wacrm_commit.bytes > conf->bytes - size)))
    {
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

        if (!ngx_queue_empty(&ngx_wacrm_commit.spare)) {
            q = ngx_queue_head(&ngx_wacrm_commit.spare);
            ngx_queue_remove(q);
            ngx_wacrm_commit.nspare--;
            batch = ngx_queue_data(q, ngx_wacrm_batch_t, queue);

        } else {
            batch = ngx_wacrm_commit_create_batch();
            if (batch == NULL) {
                return NULL;
            }
        }
    }

    if (ngx_wacrm_commit_reserve(batch, size) != NGX_OK) {

        if (created) {
            ngx_wacrm_commit_recycle(batch);
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


static ngx_wacrm_batch_t *
ngx_wacrm_commit_create_batch(void)
{
    ngx_log_t          *log;
    ngx_uint_t          max;
    ngx_wacrm_batch_t  *batch;

    log = ngx_wacrm_commit.log;
    max = ngx_wacrm_commit.conf.max;

    /* malloc'ed: it outlives every request, and every pool but the cycle's */

    batch = ngx_calloc(sizeof(ngx_wacrm_batch_t), log);
    if (batch == NULL) {
        return NULL;
    }

    batch->entries = ngx_calloc(max * sizeof(ngx_wacrm_entry_t), log);
    batch->records = ngx_calloc(max * sizeof(spool_str_t), log);

    if (batch->entries == NULL || batch->records == NULL) {
        ngx_wacrm_commit_free_batch(batch);
        return NULL;
    }

    batch->task.ctx = batch;
    batch->task.handler = ngx_wacrm_commit_thread;
    batch->task.event.data = batch;
    batch->task.event.handler = ngx_wacrm_commit_complete;
    batch->task.event.log = log;

    batch->timer.data = batch;
    batch->timer.handler = ngx_wacrm_commit_timeout;
    batch->timer.log = log;

    return batch;
}


static ngx_int_t
ngx_wacrm_commit_reserve(ngx_wacrm_batch_t *batch, size_t size)
{
    size_t   want;
    u_char  *data;

    if (size <= batch->size - batch->used) {
        return NGX_OK;
    }

    if (size > NGX_MAX_SIZE_T_VALUE / 4 - batch->used) {
        return NGX_ERROR;
    }

    want = ngx_max(batch->size * 2, 32 * 1024);
    want = ngx_max(want, batch->used + size);

    data = realloc(batch->data, want);
    if (data == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_wacrm_commit.log, ngx_errno,
                      "wacrm commit: realloc(%uz) failed", want);
        return NGX_ERROR;
    }

    batch->data = data;
    batch->size = want;

    return NGX_OK;
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

    return __atomic_load_n(&batch->finished, __ATOMIC_ACQUIRE)
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

        ngx_wacrm_commit_answer(batch, why);
        ngx_wacrm_commit_recycle(batch);
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

        ngx_wacrm_commit_thread(batch, ngx_wacrm_commit.log);
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


/* Runs on a thread: the batch is all that it may touch. */

static void
ngx_wacrm_commit_thread(void *data, ngx_log_t *log)
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

    ngx_wacrm_commit_answer(batch, result);
    ngx_wacrm_commit_recycle(batch);
}


static void
ngx_wacrm_commit_timeout(ngx_event_t *ev)
{
    ngx_wacrm_batch_t  *batch;

    batch = ev->data;

    if (batch->posted) {
        ngx_wacrm_commit_answer(batch, NGX_WACRM_EVENT_TIMEOUT);
        return;
    }

    ngx_wacrm_commit_unwait(batch);
    ngx_wacrm_commit_answer(batch, NGX_WACRM_EVENT_TIMEOUT);
    ngx_wacrm_commit_recycle(batch);
}


static void
ngx_wacrm_commit_answer(ngx_wacrm_batch_t *batch, ngx_wacrm_event_e result)
{
    ngx_uint_t           i;
    ngx_connection_t    *c;
    ngx_wacrm_entry_t   *e;
    ngx_http_request_t  *r;

    ngx_wacrm_commit_count(batch, result);

    for (i = 0; i < batch->n; i++) {
        ngx_wacrm_commit_prefetch(batch, i);

        e = &batch->entries[i];

        if (e->answered) {
            continue;
        }

        e->answered = 1;

        r = e->request;

        if (r == NULL) {
            continue;
        }

        e->request = NULL;
        c = r->connection;

        ngx_http_set_log_request(c->log, r);

        e->done(r, result);

        ngx_http_run_posted_requests(c);
    }
}


/*
 * Counts those that are to be answered, before any of them is: who has an
 * answer finds it counted.  The counters are shared by all workers, so they
 * are touched once for each run of events of one source.
 */

static void
ngx_wacrm_commit_count(ngx_wacrm_batch_t *batch, ngx_wacrm_event_e result)
{
    ngx_uint_t          i, n;
    ngx_wacrm_entry_t  *e;

    e = batch->entries;

    for (i = 0, n = 0; i < batch->n; i++) {

        if (!e[i].answered) {
            n++;
        }

        if (n && (i + 1 == batch->n || e[i + 1].source != e[i].source)) {
            ngx_wacrm_count_events(e[i].source, result, n);
            n = 0;
        }
    }
}


/*
 * While some hundred requests waited, one after the other has left the
 * processor's cache: the next ones are called back while this one is answered.
 */

static void
ngx_wacrm_commit_prefetch(ngx_wacrm_batch_t *batch, ngx_uint_t i)
{
    ngx_http_request_t  *r;

    if (i + 4 < batch->n) {
        r = batch->entries[i + 4].request;

        if (r) {
            __builtin_prefetch(&r->connection);
            __builtin_prefetch(&r->pool);
            __builtin_prefetch(&r->headers_out);
            __builtin_prefetch(&r->main);
        }
    }

    if (i + 2 < batch->n) {
        r = batch->entries[i + 2].request;

        if (r) {
            __builtin_prefetch(r->connection);
            __builtin_prefetch(r->ctx);
            __builtin_prefetch(r->pool);
        }
    }
}


static void
ngx_wacrm_commit_unwait(ngx_wacrm_batch_t *batch)
{
    ngx_queue_remove(&batch->queue);

    ngx_wacrm_commit.nwaiting -= batch->n;
    ngx_wacrm_commit.bytes -= batch->used;
}


static void
ngx_wacrm_commit_recycle(ngx_wacrm_batch_t *batch)
{
    if (batch->timer.timer_set) {
        ngx_del_timer(&batch->timer);
    }

    if (ngx_wacrm_commit.nspare == NGX_WACRM_COMMIT_SPARE) {
        ngx_wacrm_commit_free_batch(batch);
        return;
    }

    if (batch->size > NGX_WACRM_COMMIT_ARENA) {
        ngx_free(batch->data);
        batch->data = NULL;
        batch->size = 0;
    }

    batch->n = 0;
    batch->used = 0;
    batch->posted = 0;

    ngx_queue_insert_head(&ngx_wacrm_commit.spare, &batch->queue);
    ngx_wacrm_commit.nspare++;
}


static void
ngx_wacrm_commit_free_batch(ngx_wacrm_batch_t *batch)
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
