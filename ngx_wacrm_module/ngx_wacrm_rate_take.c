/*
 * ngx_wacrm_rate_take.c - one request against the limits of its location.
 */

#include "ngx_wacrm_rate.h"


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


static ngx_str_t  ngx_wacrm_rate_status_name = ngx_string("wacrm_rate_status");


/* by ngx_wacrm_rate_e */

static ngx_str_t  ngx_wacrm_rate_statuses[] = {
    ngx_string("PASSED"),
    ngx_string("REJECTED"),
    ngx_string("REJECTED_DRY_RUN")
};


ngx_int_t
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


ngx_int_t
ngx_wacrm_rate_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_wacrm_rate_status_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_wacrm_rate_status_variable;

    return ngx_wacrm_rate_add_client(cf);
}
