/*
 * ngx_wacrm_rate_module.c - rate limits in the preaccess phase, by GCRA in a
 * table that all workers share.
 */

#include "ngx_wacrm.h"

#include "edge/gcra.h"


/* What a zone keeps in shared memory beside its table. */

typedef struct {
    void                       *memory;
    size_t                      size;
} ngx_wacrm_rate_shctx_t;


typedef struct {
    gcra_table_t               *table;
    gcra_rate_t                 rate;
    ngx_str_t                   name;
    ngx_http_complex_value_t    key;
    ngx_uint_t                  metric;
} ngx_wacrm_rate_zone_t;


typedef struct {
    ngx_shm_zone_t             *shm_zone;
    ngx_str_t                   body;       /* of the 429 */
    ngx_uint_t                  dry_run;    /* unsigned  dry_run:1 */
} ngx_wacrm_rate_limit_t;


/* One limit for one request. */

typedef struct {
    ngx_wacrm_rate_limit_t     *limit;
    ngx_wacrm_rate_zone_t      *zone;
    ngx_str_t                   key;
    gcra_result_t               result;
} ngx_wacrm_rate_take_t;


/* Of a request; counted is 0 where no limit had a key. */

typedef struct {
    ngx_wacrm_rate_e            status;
    ngx_uint_t                  counted;    /* unsigned  counted:1 */
} ngx_wacrm_rate_ctx_t;


typedef struct {
    ngx_shm_zone_t             *shm_zone;
    u_char                     *file;
    ngx_uint_t                  line;
} ngx_wacrm_rate_use_t;


typedef struct {
    ngx_array_t                 uses;       /* ngx_wacrm_rate_use_t */
} ngx_wacrm_rate_main_conf_t;


typedef struct {
    ngx_array_t                *limits;     /* ngx_wacrm_rate_limit_t */
} ngx_wacrm_rate_loc_conf_t;


static ngx_int_t ngx_wacrm_rate_handler(ngx_http_request_t *r);
static ngx_wacrm_rate_ctx_t *ngx_wacrm_rate_get_ctx(ngx_http_request_t *r);
static ngx_wacrm_rate_ctx_t *ngx_wacrm_rate_create_ctx(ngx_http_request_t *r);
static void ngx_wacrm_rate_cleanup(void *data);
static ngx_int_t ngx_wacrm_rate_keys(ngx_http_request_t *r,
    ngx_array_t *limits, ngx_array_t *takes);
static ngx_wacrm_rate_take_t *ngx_wacrm_rate_ask(ngx_array_t *takes,
    ngx_uint_t commit);
static ngx_wacrm_rate_e ngx_wacrm_rate_account(ngx_http_request_t *r,
    ngx_array_t *takes, ngx_wacrm_rate_take_t *denied);
static ngx_int_t ngx_wacrm_rate_headers(ngx_http_request_t *r,
    ngx_array_t *takes, ngx_wacrm_rate_take_t *denied);
static ngx_int_t ngx_wacrm_rate_list(ngx_http_request_t *r,
    ngx_array_t *takes);
static ngx_int_t ngx_wacrm_rate_number(ngx_http_request_t *r, char *name,
    uint64_t n);
static ngx_int_t ngx_wacrm_rate_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_wacrm_rate_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_wacrm_rate_add_variables(ngx_conf_t *cf);
static void *ngx_wacrm_rate_create_main_conf(ngx_conf_t *cf);
static void *ngx_wacrm_rate_create_loc_conf(ngx_conf_t *cf);
static char *ngx_wacrm_rate_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_wacrm_rate_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_wacrm_rate_zone_options(ngx_conf_t *cf,
    ngx_wacrm_rate_zone_t *zone, ssize_t *size);
static char *ngx_wacrm_rate_zone_name(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size);
static ngx_int_t ngx_wacrm_rate_check_size(ngx_conf_t *cf, ngx_str_t *name,
    ssize_t size);
static char *ngx_wacrm_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_wacrm_rate_message(ngx_conf_t *cf, ngx_str_t *message,
    ngx_str_t *body);
static ngx_int_t ngx_wacrm_rate_init(ngx_conf_t *cf);


static ngx_command_t  ngx_wacrm_rate_commands[] = {

    { ngx_string("wacrm_rate_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE3|NGX_CONF_TAKE4,
      ngx_wacrm_rate_zone,
      0,
      0,
      NULL },

    { ngx_string("wacrm_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_wacrm_rate,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_wacrm_rate_module_ctx = {
    ngx_wacrm_rate_add_variables,          /* preconfiguration */
    ngx_wacrm_rate_init,                   /* postconfiguration */

    ngx_wacrm_rate_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_wacrm_rate_create_loc_conf,        /* create location configuration */
    ngx_wacrm_rate_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_wacrm_rate_module = {
    NGX_MODULE_V1,
    &ngx_wacrm_rate_module_ctx,            /* module context */
    ngx_wacrm_rate_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_wacrm_rate_status_name = ngx_string("wacrm_rate_status");

static ngx_str_t  ngx_wacrm_rate_default_message =
    ngx_string("Too many messages. Please wait.");


/* by ngx_wacrm_rate_e */

static ngx_str_t  ngx_wacrm_rate_statuses[] = {
    ngx_string("PASSED"),
    ngx_string("REJECTED"),
    ngx_string("REJECTED_DRY_RUN")
};


static ngx_int_t
ngx_wacrm_rate_handler(ngx_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_str_t  *body;

    if (ngx_wacrm_is_webhook(r)) {
        return NGX_DECLINED;
    }

    body = NULL;
    rc = ngx_wacrm_rate_take(r, &body);

    if (rc == NGX_OK) {
        return NGX_DECLINED;
    }

    if (rc == NGX_HTTP_TOO_MANY_REQUESTS) {
        return ngx_wacrm_refuse(r, rc, body);
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * All limits are asked before any is charged: what one refuses costs nothing
 * at the others.
 */

ngx_int_t
ngx_wacrm_rate_take(ngx_http_request_t *r, ngx_str_t **message)
{
    ngx_array_t                takes;
    ngx_wacrm_rate_ctx_t      *ctx;
    ngx_wacrm_rate_take_t     *denied;
    ngx_wacrm_rate_loc_conf_t *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_rate_module);

    /* once for a request, whatever it is redirected to */

    if (rlcf->limits == NULL || r != r->main || ngx_wacrm_rate_get_ctx(r)) {
        return NGX_OK;
    }

    ctx = ngx_wacrm_rate_create_ctx(r);
    if (ctx == NULL
        || ngx_array_init(&takes, r->pool, rlcf->limits->nelts,
                          sizeof(ngx_wacrm_rate_take_t))
           != NGX_OK
        || ngx_wacrm_rate_keys(r, rlcf->limits, &takes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (takes.nelts == 0) {
        return NGX_OK;
    }

    denied = NULL;

    if (takes.nelts > 1) {
        denied = ngx_wacrm_rate_ask(&takes, 0);
    }

    if (denied == NULL) {
        denied = ngx_wacrm_rate_ask(&takes, 1);
    }

    ctx->counted = 1;
    ctx->status = ngx_wacrm_rate_account(r, &takes, denied);

    if (ngx_wacrm_rate_headers(r, &takes, denied) != NGX_OK) {
        return NGX_ERROR;
    }

    if (denied) {
        *message = &denied->limit->body;
        return NGX_HTTP_TOO_MANY_REQUESTS;
    }

    return NGX_OK;
}


/* r->ctx is lost by an internal redirect, the pool stays */

static ngx_wacrm_rate_ctx_t *
ngx_wacrm_rate_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_wacrm_rate_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_wacrm_rate_ctx_t *
ngx_wacrm_rate_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_wacrm_rate_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_wacrm_rate_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_wacrm_rate_ctx_t));
    cln->handler = ngx_wacrm_rate_cleanup;

    return ctx;
}


static void
ngx_wacrm_rate_cleanup(void *data)
{
    /* void: the handler marks the datum */
}


static ngx_int_t
ngx_wacrm_rate_keys(ngx_http_request_t *r, ngx_array_t *limits,
    ngx_array_t *takes)
{
    ngx_str_t                key;
    ngx_uint_t               i;
    ngx_wacrm_rate_zone_t   *zone;
    ngx_wacrm_rate_take_t   *take;
    ngx_wacrm_rate_limit_t  *limit;

    limit = limits->elts;

    for (i = 0; i < limits->nelts; i++) {
        zone = limit[i].shm_zone->data;

        if (ngx_http_complex_value(r, &zone->key, &key) != NGX_OK) {
            return NGX_ERROR;
        }

        if (key.len == 0) {
            continue;
        }

        take = ngx_array_push(takes);
        if (take == NULL) {
            return NGX_ERROR;
        }

        take->limit = &limit[i];
        take->zone = zone;
        take->key = key;
    }

    return NGX_OK;
}


/* The refusal to wait longest for, or NULL. */

static ngx_wacrm_rate_take_t *
ngx_wacrm_rate_ask(ngx_array_t *takes, ngx_uint_t commit)
{
    uint64_t                now;
    ngx_uint_t              i;
    struct timespec         ts;
    ngx_wacrm_rate_take_t  *take, *denied;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;

    take = takes->elts;
    denied = NULL;

    for (i = 0; i < takes->nelts; i++) {
        take[i].result = gcra_table_take(take[i].zone->table,
                                         &take[i].zone->rate,
                                         take[i].key.data, take[i].key.len,
                                         now, commit);

        if (take[i].result.allowed || take[i].limit->dry_run) {
            continue;
        }

        if (denied == NULL
            || take[i].result.retry_after > denied->result.retry_after)
        {
            denied = &take[i];
        }
    }

    return denied;
}


static ngx_wacrm_rate_e
ngx_wacrm_rate_account(ngx_http_request_t *r, ngx_array_t *takes,
    ngx_wacrm_rate_take_t *denied)
{
    ngx_uint_t              i;
    ngx_wacrm_rate_e        status, all;
    ngx_wacrm_rate_take_t  *take;

    take = takes->elts;
    all = NGX_WACRM_RATE_PASSED;

    for (i = 0; i < takes->nelts; i++) {

        if (!take[i].result.allowed) {
            status = take[i].limit->dry_run ? NGX_WACRM_RATE_REJECTED_DRY_RUN
                                            : NGX_WACRM_RATE_REJECTED;
            all = status;

            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "wacrm_rate: %s zone=%V retry_after=%uD",
                          take[i].limit->dry_run ? "dry_run" : "status=429",
                          &take[i].zone->name, take[i].result.retry_after);

        } else if (denied) {
            continue;

        } else {
            status = NGX_WACRM_RATE_PASSED;
        }

        ngx_wacrm_count_rate(take[i].zone->metric, status);
    }

    return denied ? NGX_WACRM_RATE_REJECTED : all;
}


/* Those without a structure speak of the limit that is nearest. */

static ngx_int_t
ngx_wacrm_rate_headers(ngx_http_request_t *r, ngx_array_t *takes,
    ngx_wacrm_rate_take_t *denied)
{
    ngx_uint_t              i;
    ngx_wacrm_rate_take_t  *take, *near;

    take = takes->elts;
    near = denied;

    for (i = 0; i < takes->nelts && denied == NULL; i++) {

        if (!take[i].limit->dry_run
            && (near == NULL
                || take[i].result.remaining < near->result.remaining))
        {
            near = &take[i];
        }
    }

    if (near == NULL) {
        return NGX_OK;
    }

    if (ngx_wacrm_rate_number(r, "X-RateLimit-Limit", near->result.limit)
        != NGX_OK
        || ngx_wacrm_rate_number(r, "X-RateLimit-Remaining",
                                 near->result.remaining)
           != NGX_OK
        || ngx_wacrm_rate_list(r, takes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (denied == NULL) {
        return NGX_OK;
    }

    if (ngx_wacrm_rate_number(r, "Retry-After", denied->result.retry_after)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_wacrm_rate_number(r, "X-RateLimit-Reset",
                                 ngx_time() + denied->result.retry_after);
}


/* RateLimit-Policy and RateLimit: lists of structured fields (RFC 8941). */

static ngx_int_t
ngx_wacrm_rate_list(ngx_http_request_t *r, ngx_array_t *takes)
{
    u_char                 *p, *q, *last_p, *last_q;
    size_t                  len;
    ngx_str_t              *policy, *state;
    ngx_uint_t              i;
    ngx_wacrm_rate_take_t  *take;

    take = takes->elts;
    len = 0;

    for (i = 0; i < takes->nelts; i++) {
        len += sizeof("\"\";q=;w=, ") - 1 + take[i].zone->name.len
               + 2 * NGX_INT32_LEN;
    }

    policy = ngx_pcalloc(r->pool, 2 * sizeof(ngx_str_t));
    p = ngx_pnalloc(r->pool, len);
    q = ngx_pnalloc(r->pool, len);

    if (policy == NULL || p == NULL || q == NULL) {
        return NGX_ERROR;
    }

    state = policy + 1;
    policy->data = p;
    state->data = q;
    last_p = p + len;
    last_q = q + len;

    for (i = 0; i < takes->nelts; i++) {

        if (take[i].limit->dry_run) {
            continue;
        }

        p = ngx_slprintf(p, last_p, "%s\"%V\";q=%uD;w=%uD",
                         p == policy->data ? "" : ", ", &take[i].zone->name,
                         take[i].zone->rate.quota,
                         take[i].zone->rate.window_s);

        q = ngx_slprintf(q, last_q, "%s\"%V\";r=%uD;t=%uD",
                         q == state->data ? "" : ", ", &take[i].zone->name,
                         take[i].result.remaining, take[i].result.reset);
    }

    policy->len = p - policy->data;
    state->len = q - state->data;

    if (ngx_wacrm_add_header(r, "RateLimit-Policy", policy) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_wacrm_add_header(r, "RateLimit", state);
}


static ngx_int_t
ngx_wacrm_rate_number(ngx_http_request_t *r, char *name, uint64_t n)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_snprintf(value.data, NGX_INT64_LEN, "%uL", n)
                - value.data;

    return ngx_wacrm_add_header(r, name, &value);
}


static ngx_int_t
ngx_wacrm_rate_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_wacrm_rate_ctx_t  *ctx;

    ctx = ngx_wacrm_rate_get_ctx(r);

    if (ctx == NULL || !ctx->counted) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = ngx_wacrm_rate_statuses[ctx->status].len;
    v->data = ngx_wacrm_rate_statuses[ctx->status].data;

    return NGX_OK;
}


static ngx_int_t
ngx_wacrm_rate_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_wacrm_rate_zone_t *ozone = data;

    size_t                   len;
    ngx_slab_pool_t         *shpool;
    ngx_wacrm_rate_zone_t   *zone;
    ngx_wacrm_rate_shctx_t  *sh;

    zone = shm_zone->data;

    if (ozone) {
        if (zone->key.value.len != ozone->key.value.len
            || ngx_strncmp(zone->key.value.data, ozone->key.value.data,
                           zone->key.value.len)
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "wacrm_rate_zone \"%V\" uses the \"%V\" key "
                          "while previously it used the \"%V\" key",
                          &shm_zone->shm.name, &zone->key.value,
                          &ozone->key.value);
            return NGX_ERROR;
        }

        zone->table = ozone->table;

        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        sh = shpool->data;
        zone->table = gcra_table_attach(sh->memory, sh->size);

        return zone->table ? NGX_OK : NGX_ERROR;
    }

    sh = ngx_slab_calloc(shpool, sizeof(ngx_wacrm_rate_shctx_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    shpool->data = sh;

    len = sizeof(" in wacrm_rate_zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in wacrm_rate_zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* all the rest; new memory is zeroed, writing to it would only fill it */

    sh->size = shpool->pfree * ngx_pagesize;
    sh->memory = ngx_slab_alloc(shpool, sh->size);
    if (sh->memory == NULL) {
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(sh->memory, sh->size);
#endif

    zone->table = gcra_table_init(sh->memory, sh->size);

    return zone->table ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_wacrm_rate_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_wacrm_rate_status_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_wacrm_rate_status_variable;

    return NGX_OK;
}


static void *
ngx_wacrm_rate_create_main_conf(ngx_conf_t *cf)
{
    ngx_wacrm_rate_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_rate_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->uses, cf->pool, 4, sizeof(ngx_wacrm_rate_use_t))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_wacrm_rate_create_loc_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->limits = NULL;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_rate_loc_conf_t));
}


static char *
ngx_wacrm_rate_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_wacrm_rate_loc_conf_t *prev = parent;
    ngx_wacrm_rate_loc_conf_t *conf = child;

    if (conf->limits == NULL) {
        conf->limits = prev->limits;
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                            size;
    ngx_str_t                         *value;
    ngx_shm_zone_t                    *shm_zone;
    ngx_wacrm_rate_zone_t             *zone;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_wacrm_rate_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = &zone->key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    size = 0;

    if (ngx_wacrm_rate_zone_options(cf, zone, &size) != NGX_CONF_OK
        || ngx_wacrm_rate_check_size(cf, &zone->name, size) != NGX_OK
        || ngx_wacrm_metrics_add(cf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    zone->metric = ngx_wacrm_metrics_zone(cf, &zone->name);

    shm_zone = ngx_shared_memory_add(cf, &zone->name, size,
                                     &ngx_wacrm_rate_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wacrm_rate_zone \"%V\" is duplicate",
                           &zone->name);
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_wacrm_rate_init_zone;
    shm_zone->data = zone;

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate_zone_options(ngx_conf_t *cf, ngx_wacrm_rate_zone_t *zone,
    ssize_t *size)
{
    ngx_int_t    burst;
    ngx_str_t   *value, *rate;
    ngx_uint_t   i;

    value = cf->args->elts;
    burst = 0;
    rate = NULL;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0 && *size == 0) {

            if (ngx_wacrm_rate_zone_name(cf, &value[i], &zone->name, size)
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0 && rate == NULL) {
            rate = &value[i];
            continue;
        }

        if (ngx_strncmp(value[i].data, "burst=", 6) == 0 && burst == 0) {
            burst = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (burst > 0 && burst <= NGX_MAX_INT32_VALUE) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (*size == 0 || rate == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have \"zone\" and \"rate\" parameters",
                           &value[0]);
        return NGX_CONF_ERROR;
    }

    if (!gcra_rate_parse((char *) rate->data + 5, rate->len - 5, burst,
                         &zone->rate))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid rate \"%V\"", rate);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_wacrm_rate_zone_name(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *name,
    ssize_t *size)
{
    u_char      *p;
    ngx_str_t    s;
    ngx_uint_t   i;

    name->data = value->data + 5;

    p = (u_char *) ngx_strchr(name->data, ':');

    if (p == NULL || p == name->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    name->len = p - name->data;

    /* stands in quotes in the headers */

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= 0x20 || name->data[i] >= 0x7f
            || name->data[i] == '"' || name->data[i] == '\\')
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone name \"%V\"", name);
            return NGX_CONF_ERROR;
        }
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    *size = ngx_parse_size(&s);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* nginx would start with an empty zone: all budgets would be forgotten */

static ngx_int_t
ngx_wacrm_rate_check_size(ngx_conf_t *cf, ngx_str_t *name, ssize_t size)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    for (part = &cf->cycle->old_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (zone[i].tag != &ngx_wacrm_rate_module
                || zone[i].shm.name.len != name->len
                || ngx_strncmp(zone[i].shm.name.data, name->data, name->len)
                   != 0
                || zone[i].shm.size == (size_t) size)
            {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the size %z of wacrm_rate_zone \"%V\" "
                               "conflicts with the present size %uz, "
                               "which takes a restart to change",
                               size, name, zone[i].shm.size);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static char *
ngx_wacrm_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_wacrm_rate_loc_conf_t *rlcf = conf;

    ngx_str_t                   *value, name, message;
    ngx_uint_t                   i, dry_run;
    ngx_shm_zone_t              *shm_zone;
    ngx_wacrm_rate_use_t        *use;
    ngx_wacrm_rate_limit_t      *limit;
    ngx_wacrm_rate_main_conf_t  *rmcf;

    value = cf->args->elts;

    ngx_str_null(&name);
    ngx_str_null(&message);
    dry_run = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0 && value[i].len > 5
            && name.data == NULL)
        {
            name.data = value[i].data + 5;
            name.len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "message=", 8) == 0
            && value[i].len > 8 && message.data == NULL)
        {
            message.data = value[i].data + 8;
            message.len = value[i].len - 8;
            continue;
        }

        if (ngx_strcmp(value[i].data, "dry_run") == 0 && !dry_run) {
            dry_run = 1;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    if (name.data == NULL) {
        return "must have a \"zone\" parameter";
    }

    shm_zone = ngx_shared_memory_add(cf, &name, 0, &ngx_wacrm_rate_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (rlcf->limits == NULL) {
        rlcf->limits = ngx_array_create(cf->pool, 2,
                                        sizeof(ngx_wacrm_rate_limit_t));
        if (rlcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limit = rlcf->limits->elts;

    for (i = 0; i < rlcf->limits->nelts; i++) {
        if (limit[i].shm_zone == shm_zone) {
            return "is duplicate";
        }
    }

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_rate_module);

    limit = ngx_array_push(rlcf->limits);
    use = ngx_array_push(&rmcf->uses);

    if (limit == NULL || use == NULL) {
        return NGX_CONF_ERROR;
    }

    limit->shm_zone = shm_zone;
    limit->dry_run = dry_run;

    use->shm_zone = shm_zone;
    use->file = cf->conf_file->file.name.data;
    use->line = cf->conf_file->line;

    return ngx_wacrm_rate_message(cf, message.data ? &message
                                             : &ngx_wacrm_rate_default_message,
                                  &limit->body);
}


static char *
ngx_wacrm_rate_message(ngx_conf_t *cf, ngx_str_t *message, ngx_str_t *body)
{
    u_char     *p;
    uintptr_t   escape;

    if (ngx_utf8_length(message->data, message->len) > message->len) {
        return "has a message that is not UTF-8";
    }

    escape = ngx_escape_json(NULL, message->data, message->len);

    p = ngx_pnalloc(cf->pool, sizeof("{\"message\":\"\"}") - 1 + message->len
                              + escape);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    body->data = p;

    p = ngx_cpymem(p, "{\"message\":\"", sizeof("{\"message\":\"") - 1);
    p = (u_char *) ngx_escape_json(p, message->data, message->len);
    p = ngx_cpymem(p, "\"}", 2);

    body->len = p - body->data;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_wacrm_rate_init(ngx_conf_t *cf)
{
    ngx_uint_t                   i;
    ngx_http_handler_pt         *h;
    ngx_wacrm_rate_use_t        *use;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_wacrm_rate_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_wacrm_rate_module);

    use = rmcf->uses.elts;

    for (i = 0; i < rmcf->uses.nelts; i++) {

        if (use[i].shm_zone->data == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown wacrm_rate_zone \"%V\" in %s:%ui",
                          &use[i].shm_zone->shm.name, use[i].file,
                          use[i].line);
            return NGX_ERROR;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_wacrm_rate_handler;

    return NGX_OK;
}
