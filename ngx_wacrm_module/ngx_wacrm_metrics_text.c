/*
 * ngx_wacrm_metrics_text.c - the content handler of wacrm_metrics: Prometheus
 * text.
 */

#include "ngx_wacrm_metrics.h"


#define NGX_WACRM_METRICS_LINE  256


static u_char *ngx_wacrm_metrics_text(u_char *p, u_char *last);
static u_char *ngx_wacrm_metrics_events(u_char *p, u_char *last,
    ngx_wacrm_counters_t *sh);
static u_char *ngx_wacrm_metrics_access(u_char *p, u_char *last,
    ngx_wacrm_counters_t *sh);
static u_char *ngx_wacrm_metrics_histogram(u_char *p, u_char *last,
    char *name, ngx_wacrm_histogram_t *h, ngx_wacrm_bucket_t *bounds,
    ngx_uint_t scale);
static u_char *ngx_wacrm_metrics_spool(u_char *p, u_char *last);


static char  *ngx_wacrm_event_names[] = {
    "stored", "signature_missing", "signature_mismatch", "signature_stale",
    "not_json", "method", "too_large", "content_type", "rate", "spool_full",
    "spool_error", "queue_full", "timeout", "fault", "nginx"
};

static char  *ngx_wacrm_jwt_names[] = {
    "ok", "malformed", "alg", "key", "signature", "expired", "early",
    "issuer", "audience", "claim", "fault", "missing", "revoked", "require"
};

static char  *ngx_wacrm_rate_names[] = {
    "passed", "rejected", "rejected_dry_run"
};


ngx_int_t
ngx_wacrm_metrics_handler(ngx_http_request_t *r)
{
    size_t                size;
    ngx_str_t             text;
    ngx_uint_t            i;
    ngx_wacrm_metrics_t  *metrics;

    static ngx_str_t  type = ngx_string("text/plain; version=0.0.4");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_wacrm_refuse_method(r);
    }

    metrics = ngx_wacrm_metrics_get();
    if (metrics == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the fixed part, and every name with all of its results */

    size = 100 * NGX_WACRM_METRICS_LINE;

    for (i = 0; i < NGX_WACRM_METRICS_NAMES; i++) {
        if (metrics->counters->sources[i].len) {
            size += NGX_WACRM_EVENT_RESULTS * NGX_WACRM_METRICS_LINE;
        }

        if (metrics->counters->zones[i].len) {
            size += NGX_WACRM_RATE_RESULTS * NGX_WACRM_METRICS_LINE;
        }
    }

    text.data = ngx_pnalloc(r->pool, size);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.len = ngx_wacrm_metrics_text(text.data, text.data + size)
               - text.data;

    return ngx_wacrm_send(r, NGX_HTTP_OK, &type, &text);
}


static u_char *
ngx_wacrm_metrics_text(u_char *p, u_char *last)
{
    ngx_wacrm_counters_t  *sh;

    sh = ngx_wacrm_metrics_get()->counters;

    p = ngx_wacrm_metrics_events(p, last, sh);

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_spool_batch_records "
                     "Events in one commit.\n"
                     "# TYPE wacrm_spool_batch_records histogram\n");
    p = ngx_wacrm_metrics_histogram(p, last, "wacrm_spool_batch_records",
                                    &sh->batch, ngx_wacrm_batch_bounds, 1);

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_spool_commit_seconds "
                     "Duration of a synced commit.\n"
                     "# TYPE wacrm_spool_commit_seconds histogram\n");
    p = ngx_wacrm_metrics_histogram(p, last, "wacrm_spool_commit_seconds",
                                    &sh->commit, ngx_wacrm_commit_bounds,
                                    1000000);

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_spool_written_bytes_total "
                     "Bytes of the records committed.\n"
                     "# TYPE wacrm_spool_written_bytes_total counter\n"
                     "wacrm_spool_written_bytes_total %uA\n", sh->bytes);

    p = ngx_wacrm_metrics_spool(p, last);

    return ngx_wacrm_metrics_access(p, last, sh);
}


static u_char *
ngx_wacrm_metrics_events(u_char *p, u_char *last, ngx_wacrm_counters_t *sh)
{
    ngx_str_t                     name;
    ngx_uint_t                    i, j;
    ngx_wacrm_source_counters_t  *s;

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_events_total "
                     "Webhook events by source and result.\n"
                     "# TYPE wacrm_events_total counter\n");

    for (i = 0; i < NGX_WACRM_METRICS_NAMES; i++) {
        s = &sh->sources[i];

        if (s->len == 0) {
            continue;
        }

        name.len = s->len;
        name.data = s->name;

        for (j = 0; j < NGX_WACRM_EVENT_RESULTS; j++) {
            p = ngx_slprintf(p, last, "wacrm_events_total{source=\"%V\","
                             "result=\"%s\"} %uA\n",
                             &name, ngx_wacrm_event_names[j], s->count[j]);
        }
    }

    return p;
}


static u_char *
ngx_wacrm_metrics_access(u_char *p, u_char *last, ngx_wacrm_counters_t *sh)
{
    ngx_str_t                   name;
    ngx_uint_t                  i, j;
    ngx_wacrm_zone_counters_t  *z;

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_jwt_total Tokens by result.\n"
                     "# TYPE wacrm_jwt_total counter\n");

    for (j = 0; j < NGX_WACRM_JWT_RESULTS; j++) {
        p = ngx_slprintf(p, last, "wacrm_jwt_total{result=\"%s\"} %uA\n",
                         ngx_wacrm_jwt_names[j], sh->jwt[j]);
    }

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_jwt_cache_total Tokens looked up among "
                     "the verified ones.\n"
                     "# TYPE wacrm_jwt_cache_total counter\n"
                     "wacrm_jwt_cache_total{result=\"hit\"} %uA\n"
                     "wacrm_jwt_cache_total{result=\"miss\"} %uA\n",
                     sh->jwt_cache[1], sh->jwt_cache[0]);

    p = ngx_slprintf(p, last,
                     "# HELP wacrm_rate_total "
                     "Rate limited requests by zone and result.\n"
                     "# TYPE wacrm_rate_total counter\n");

    for (i = 0; i < NGX_WACRM_METRICS_NAMES; i++) {
        z = &sh->zones[i];

        if (z->len == 0) {
            continue;
        }

        name.len = z->len;
        name.data = z->name;

        for (j = 0; j < NGX_WACRM_RATE_RESULTS; j++) {
            p = ngx_slprintf(p, last, "wacrm_rate_total{zone=\"%V\","
                             "result=\"%s\"} %uA\n",
                             &name, ngx_wacrm_rate_names[j], z->count[j]);
        }
    }

    return p;
}


static u_char *
ngx_wacrm_metrics_histogram(u_char *p, u_char *last, char *name,
    ngx_wacrm_histogram_t *h, ngx_wacrm_bucket_t *bounds, ngx_uint_t scale)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  count, sum;

    count = 0;

    for (i = 0; i < NGX_WACRM_METRICS_BUCKETS; i++) {
        count += h->bucket[i];
        p = ngx_slprintf(p, last, "%s_bucket{le=\"%s\"} %uA\n",
                         name, bounds[i].label, count);
    }

    count += h->bucket[i];
    sum = h->sum;

    p = ngx_slprintf(p, last, "%s_bucket{le=\"+Inf\"} %uA\n", name, count);

    if (scale == 1) {
        p = ngx_slprintf(p, last, "%s_sum %uA\n", name, sum);

    } else {
        p = ngx_slprintf(p, last, "%s_sum %uA.%06uA\n",
                         name, sum / scale, sum % scale);
    }

    return ngx_slprintf(p, last, "%s_count %uA\n", name, count);
}


static u_char *
ngx_wacrm_metrics_spool(u_char *p, u_char *last)
{
    spool_t       *spool;
    spool_stat_t   st;

    spool = ngx_wacrm_spool();

    if (spool == NULL || spool_stat(spool, &st) != SPOOL_OK) {
        return ngx_slprintf(p, last,
                            "# HELP wacrm_spool_up "
                            "Whether the spool can be used.\n"
                            "# TYPE wacrm_spool_up gauge\n"
                            "wacrm_spool_up 0\n");
    }

    return ngx_slprintf(p, last,
                        "# HELP wacrm_spool_up "
                        "Whether the spool can be used.\n"
                        "# TYPE wacrm_spool_up gauge\n"
                        "wacrm_spool_up 1\n"
                        "# HELP wacrm_spool_records Events that wait.\n"
                        "# TYPE wacrm_spool_records gauge\n"
                        "wacrm_spool_records %uL\n"
                        "# HELP wacrm_spool_bytes Fill of the spool.\n"
                        "# TYPE wacrm_spool_bytes gauge\n"
                        "wacrm_spool_bytes %uL\n"
                        "# HELP wacrm_spool_limit_bytes "
                        "Fill from which on events are refused.\n"
                        "# TYPE wacrm_spool_limit_bytes gauge\n"
                        "wacrm_spool_limit_bytes %uL\n"
                        "# HELP wacrm_spool_quarantine_records "
                        "Events in quarantine.\n"
                        "# TYPE wacrm_spool_quarantine_records gauge\n"
                        "wacrm_spool_quarantine_records %uL\n",
                        st.records, st.bytes, st.limit, st.quarantine);
}
