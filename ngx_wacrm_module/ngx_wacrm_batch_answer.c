/*
 * ngx_wacrm_batch_answer.c - the requests that wait for a batch.
 */

#include "ngx_wacrm_batch.h"


static void ngx_wacrm_batch_count(ngx_wacrm_batch_t *batch,
    ngx_wacrm_event_e result);
static void ngx_wacrm_batch_prefetch(ngx_wacrm_batch_t *batch, ngx_uint_t i);


void
ngx_wacrm_batch_answer(ngx_wacrm_batch_t *batch, ngx_wacrm_event_e result)
{
    ngx_uint_t           i;
    ngx_connection_t    *c;
    ngx_wacrm_entry_t   *e;
    ngx_http_request_t  *r;

    ngx_wacrm_batch_count(batch, result);

    for (i = 0; i < batch->n; i++) {
        ngx_wacrm_batch_prefetch(batch, i);

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
ngx_wacrm_batch_count(ngx_wacrm_batch_t *batch, ngx_wacrm_event_e result)
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
ngx_wacrm_batch_prefetch(ngx_wacrm_batch_t *batch, ngx_uint_t i)
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
