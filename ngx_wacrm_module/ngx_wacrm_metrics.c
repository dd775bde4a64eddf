/*
 * ngx_wacrm_metrics.c - counters in shared memory.
 *
 * The counters live as long as the zone, that is over reloads. Slots are
 * found by name, so a configuration may name its sources in any order; a
 * slot whose name is no longer configured is given away when none is free.
 */

#include "ngx_wacrm_metrics.h"


#define NGX_WACRM_METRICS_SIZE  (128 * 1024)


static ngx_uint_t ngx_wacrm_metrics_name(ngx_conf_t *cf, ngx_array_t *names,
    ngx_str_t *name);
static ngx_int_t ngx_wacrm_metrics_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_wacrm_metrics_slots(ngx_wacrm_metrics_t *metrics,
    ngx_log_t *log);
static ngx_int_t ngx_wacrm_metrics_assign(ngx_array_t *names, u_char *slots,
    size_t size, ngx_log_t *log);
static ngx_uint_t ngx_wacrm_metrics_slot(ngx_array_t *names, ngx_str_t *name,
    u_char *slots, size_t size);
static ngx_uint_t ngx_wacrm_metrics_named(ngx_wacrm_source_counters_t *s,
    ngx_str_t *name);
static ngx_uint_t ngx_wacrm_metrics_configured(ngx_array_t *names,
    ngx_wacrm_source_counters_t *s);
static void ngx_wacrm_histogram_add(ngx_wacrm_histogram_t *h,
    ngx_wacrm_bucket_t *bounds, ngx_uint_t value);


ngx_wacrm_bucket_t  ngx_wacrm_batch_bounds[] = {
    { 1, "1" }, { 2, "2" }, { 4, "4" }, { 8, "8" }, { 16, "16" },
    { 32, "32" }, { 64, "64" }, { 128, "128" }, { 256, "256" },
    { 512, "512" }, { 1024, "1024" }, { 4096, "4096" }
};

/* microseconds, told in seconds */

ngx_wacrm_bucket_t  ngx_wacrm_commit_bounds[] = {
    { 500, "0.0005" }, { 1000, "0.001" }, { 2500, "0.0025" },
    { 5000, "0.005" }, { 10000, "0.01" }, { 25000, "0.025" },
    { 50000, "0.05" }, { 100000, "0.1" }, { 250000, "0.25" },
    { 500000, "0.5" }, { 1000000, "1" }, { 2500000, "2.5" }
};


ngx_int_t
ngx_wacrm_metrics_init(ngx_conf_t *cf, ngx_wacrm_metrics_t *metrics)
{
    if (ngx_array_init(&metrics->sources, cf->pool, 4,
                       sizeof(ngx_wacrm_name_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_array_init(&metrics->zones, cf->pool, 4,
                          sizeof(ngx_wacrm_name_t));
}


ngx_int_t
ngx_wacrm_metrics_add(ngx_conf_t *cf)
{
    ngx_wacrm_main_conf_t  *mcf;

    static ngx_str_t  name = ngx_string("wacrm_metrics");

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_module);

    if (mcf->metrics.zone) {
        return NGX_OK;
    }

    mcf->metrics.zone = ngx_shared_memory_add(cf, &name,
                                              NGX_WACRM_METRICS_SIZE,
                                              &ngx_wacrm_module);
    if (mcf->metrics.zone == NULL) {
        return NGX_ERROR;
    }

    mcf->metrics.zone->init = ngx_wacrm_metrics_init_zone;
    mcf->metrics.zone->data = &mcf->metrics;

    return NGX_OK;
}


ngx_uint_t
ngx_wacrm_metrics_source(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_module);

    return ngx_wacrm_metrics_name(cf, &mcf->metrics.sources, name);
}


ngx_uint_t
ngx_wacrm_metrics_zone(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_module);

    return ngx_wacrm_metrics_name(cf, &mcf->metrics.zones, name);
}


static ngx_uint_t
ngx_wacrm_metrics_name(ngx_conf_t *cf, ngx_array_t *names, ngx_str_t *name)
{
    ngx_uint_t         i;
    ngx_wacrm_name_t  *n;

    if (ngx_wacrm_metrics_add(cf) != NGX_OK) {
        return NGX_WACRM_METRICS_NAMES;
    }

    n = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (n[i].name.len == name->len
            && ngx_strncmp(n[i].name.data, name->data, name->len) == 0)
        {
            return i;
        }
    }

    n = ngx_array_push(names);
    if (n == NULL) {
        return NGX_WACRM_METRICS_NAMES;
    }

    n->name.data = name->data;
    n->name.len = ngx_min(name->len, NGX_WACRM_METRICS_NAME);
    n->slot = NGX_WACRM_METRICS_NAMES;

    return i;
}


static ngx_int_t
ngx_wacrm_metrics_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_wacrm_metrics_t *old = data;

    ngx_slab_pool_t      *shpool;
    ngx_wacrm_metrics_t  *metrics;

    metrics = shm_zone->data;

    if (old) {
        metrics->counters = old->counters;
        return ngx_wacrm_metrics_slots(metrics, shm_zone->shm.log);
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        metrics->counters = shpool->data;
        return ngx_wacrm_metrics_slots(metrics, shm_zone->shm.log);
    }

    metrics->counters = ngx_slab_calloc(shpool, sizeof(ngx_wacrm_counters_t));
    if (metrics->counters == NULL) {
        return NGX_ERROR;
    }

    shpool->data = metrics->counters;

    return ngx_wacrm_metrics_slots(metrics, shm_zone->shm.log);
}


/*
 * The two kinds of slots begin with the same two members and differ in size,
 * so one walk serves both.
 */

static ngx_int_t
ngx_wacrm_metrics_assign(ngx_array_t *names, u_char *slots, size_t size,
    ngx_log_t *log)
{
    ngx_uint_t                    i, j;
    ngx_wacrm_name_t             *n;
    ngx_wacrm_source_counters_t  *s;

    n = names->elts;

    for (i = 0; i < names->nelts; i++) {
        j = ngx_wacrm_metrics_slot(names, &n[i].name, slots, size);

        if (j == NGX_WACRM_METRICS_NAMES) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "wacrm metrics: more than %d names",
                          NGX_WACRM_METRICS_NAMES);
            return NGX_ERROR;
        }

        s = (ngx_wacrm_source_counters_t *) (slots + j * size);

        if (!ngx_wacrm_metrics_named(s, &n[i].name)) {
            ngx_memzero(s, size);
            ngx_memcpy(s->name, n[i].name.data, n[i].name.len);
            s->len = n[i].name.len;
        }

        n[i].slot = j;
    }

    return NGX_OK;
}


/* The slot of that name, else a free one, else one that is not configured. */

static ngx_uint_t
ngx_wacrm_metrics_slot(ngx_array_t *names, ngx_str_t *name, u_char *slots,
    size_t size)
{
    ngx_uint_t                    i, unused, foreign;
    ngx_wacrm_source_counters_t  *s;

    unused = NGX_WACRM_METRICS_NAMES;
    foreign = NGX_WACRM_METRICS_NAMES;

    for (i = 0; i < NGX_WACRM_METRICS_NAMES; i++) {
        s = (ngx_wacrm_source_counters_t *) (slots + i * size);

        if (ngx_wacrm_metrics_named(s, name)) {
            return i;
        }

        if (s->len == 0) {
            unused = ngx_min(unused, i);

        } else if (!ngx_wacrm_metrics_configured(names, s)) {
            foreign = ngx_min(foreign, i);
        }
    }

    return unused < NGX_WACRM_METRICS_NAMES ? unused : foreign;
}


static ngx_uint_t
ngx_wacrm_metrics_named(ngx_wacrm_source_counters_t *s, ngx_str_t *name)
{
    return s->len == name->len
           && ngx_memcmp(s->name, name->data, s->len) == 0;
}


static ngx_uint_t
ngx_wacrm_metrics_configured(ngx_array_t *names,
    ngx_wacrm_source_counters_t *s)
{
    ngx_uint_t         i;
    ngx_wacrm_name_t  *n;

    n = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (ngx_wacrm_metrics_named(s, &n[i].name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_wacrm_metrics_slots(ngx_wacrm_metrics_t *metrics, ngx_log_t *log)
{
    ngx_wacrm_counters_t  *sh;

    sh = metrics->counters;

    if (ngx_wacrm_metrics_assign(&metrics->sources, (u_char *) sh->sources,
                                 sizeof(ngx_wacrm_source_counters_t), log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_wacrm_metrics_assign(&metrics->zones, (u_char *) sh->zones,
                                    sizeof(ngx_wacrm_zone_counters_t), log);
}


ngx_wacrm_metrics_t *
ngx_wacrm_metrics_get(void)
{
    ngx_wacrm_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_wacrm_module);

    return (mcf && mcf->metrics.counters) ? &mcf->metrics : NULL;
}


void
ngx_wacrm_count_event(ngx_uint_t source, ngx_wacrm_event_e result)
{
    ngx_wacrm_count_events(source, result, 1);
}


void
ngx_wacrm_count_events(ngx_uint_t source, ngx_wacrm_event_e result,
    ngx_uint_t events)
{
    ngx_wacrm_name_t     *n;
    ngx_wacrm_metrics_t  *metrics;

    metrics = ngx_wacrm_metrics_get();

    if (metrics == NULL || source >= metrics->sources.nelts) {
        return;
    }

    n = metrics->sources.elts;

    (void) ngx_atomic_fetch_add(
               &metrics->counters->sources[n[source].slot].count[result],
               events);
}


void
ngx_wacrm_count_rate(ngx_uint_t zone, ngx_wacrm_rate_e result)
{
    ngx_wacrm_name_t     *n;
    ngx_wacrm_metrics_t  *metrics;

    metrics = ngx_wacrm_metrics_get();

    if (metrics == NULL || zone >= metrics->zones.nelts) {
        return;
    }

    n = metrics->zones.elts;

    (void) ngx_atomic_fetch_add(
               &metrics->counters->zones[n[zone].slot].count[result], 1);
}


void
ngx_wacrm_count_jwt(ngx_wacrm_jwt_e result)
{
    ngx_wacrm_metrics_t  *metrics;

    metrics = ngx_wacrm_metrics_get();

    if (metrics) {
        (void) ngx_atomic_fetch_add(&metrics->counters->jwt[result], 1);
    }
}


void
ngx_wacrm_count_jwt_cache(ngx_uint_t hit)
{
    ngx_wacrm_metrics_t  *metrics;

    metrics = ngx_wacrm_metrics_get();

    if (metrics) {
        (void) ngx_atomic_fetch_add(&metrics->counters->jwt_cache[hit], 1);
    }
}


void
ngx_wacrm_count_commit(ngx_uint_t records, ngx_uint_t bytes, ngx_uint_t usec)
{
    ngx_wacrm_metrics_t  *metrics;

    metrics = ngx_wacrm_metrics_get();

    if (metrics == NULL) {
        return;
    }

    ngx_wacrm_histogram_add(&metrics->counters->batch, ngx_wacrm_batch_bounds,
                            records);
    ngx_wacrm_histogram_add(&metrics->counters->commit,
                            ngx_wacrm_commit_bounds, usec);

    (void) ngx_atomic_fetch_add(&metrics->counters->bytes, bytes);
}


static void
ngx_wacrm_histogram_add(ngx_wacrm_histogram_t *h, ngx_wacrm_bucket_t *bounds,
    ngx_uint_t value)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_WACRM_METRICS_BUCKETS; i++) {
        if (value <= bounds[i].limit) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&h->bucket[i], 1);
    (void) ngx_atomic_fetch_add(&h->sum, value);
}
