/*
 * ngx_wacrm_jwt_access.c - the access phase: a good token, and what it has to
 * say, or a refusal.
 */

#include "ngx_wacrm_jwt.h"


static ngx_int_t ngx_wacrm_jwt_unauthorized(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx, ngx_wacrm_jwt_loc_conf_t *conf);
static ngx_int_t ngx_wacrm_jwt_unavailable(ngx_http_request_t *r);
static ngx_int_t ngx_wacrm_jwt_check_require(ngx_http_request_t *r,
    ngx_wacrm_jwt_loc_conf_t *conf);
static const char *ngx_wacrm_jwt_reason(ngx_wacrm_jwt_e result);


static ngx_str_t  ngx_wacrm_jwt_unauthenticated =
    ngx_string("{\"message\":\"Unauthenticated.\"}");

static ngx_str_t  ngx_wacrm_jwt_forbidden =
    ngx_string("{\"message\":\"Forbidden.\"}");

static ngx_str_t  ngx_wacrm_jwt_service_unavailable =
    ngx_string("{\"message\":\"Service Unavailable\"}");

static ngx_str_t  ngx_wacrm_jwt_retry_after = ngx_string("1");


ngx_int_t
ngx_wacrm_jwt_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_wacrm_jwt_ctx_t       *ctx;
    ngx_wacrm_jwt_loc_conf_t  *jlcf;

    jlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_jwt_module);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "wacrm jwt access: %i", jlcf->enabled);

    if (!jlcf->enabled) {
        return NGX_DECLINED;
    }

    ctx = ngx_wacrm_jwt_verify(r, jlcf);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->result == NGX_WACRM_JWT_FAULT) {
        return ngx_wacrm_jwt_unavailable(r);
    }

    if (ctx->result != NGX_WACRM_JWT_OK) {
        return ngx_wacrm_jwt_unauthorized(r, ctx, jlcf);
    }

    rc = ngx_wacrm_jwt_check_require(r, jlcf);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_wacrm_count_jwt(NGX_WACRM_JWT_REQUIRE);
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "wacrm_jwt: status=403 reason=require");

        return ngx_wacrm_refuse(r, NGX_HTTP_FORBIDDEN,
                                &ngx_wacrm_jwt_forbidden);
    }

    if (ngx_wacrm_jwt_set_identity(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wacrm_jwt_unauthorized(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx,
    ngx_wacrm_jwt_loc_conf_t *conf)
{
    u_char           *p;
    size_t            len;
    ngx_str_t         error;
    ngx_table_elt_t  *h;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "wacrm_jwt: status=401 reason=%s",
                  ngx_wacrm_jwt_reason(ctx->result));

    ngx_str_null(&error);

    if (ctx->token.len) {
        ngx_str_set(&error, ", error=\"invalid_token\"");
    }

    len = sizeof("Bearer realm=\"\"") - 1 + conf->realm.len + error.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_out.www_authenticate) {
        r->headers_out.www_authenticate->hash = 0;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "WWW-Authenticate");
    h->value.data = p;
    h->value.len = ngx_snprintf(p, len, "Bearer realm=\"%V\"%V", &conf->realm,
                                &error)
                   - p;

    /* "satisfy any" takes it back when another module lets r pass */
    r->headers_out.www_authenticate = h;

    return ngx_wacrm_refuse(r, NGX_HTTP_UNAUTHORIZED,
                            &ngx_wacrm_jwt_unauthenticated);
}


/* Whether the token counts could not be found out: that is our fault. */

static ngx_int_t
ngx_wacrm_jwt_unavailable(ngx_http_request_t *r)
{
    if (ngx_wacrm_add_header(r, "Retry-After", &ngx_wacrm_jwt_retry_after)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wacrm_refuse(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                            &ngx_wacrm_jwt_service_unavailable);
}


static ngx_int_t
ngx_wacrm_jwt_check_require(ngx_http_request_t *r,
    ngx_wacrm_jwt_loc_conf_t *conf)
{
    ngx_int_t                  *index;
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *v;

    if (conf->require == NULL) {
        return NGX_OK;
    }

    index = conf->require->elts;

    for (i = 0; i < conf->require->nelts; i++) {
        v = ngx_http_get_flushed_variable(r, index[i]);
        if (v == NULL) {
            return NGX_ERROR;
        }

        if (v->not_found || v->len == 0 || (v->len == 1 && *v->data == '0')) {
            return NGX_DECLINED;
        }

        /* what a claim that is false reads as */

        if (v->len == 5 && ngx_strncmp(v->data, "false", 5) == 0) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static const char *
ngx_wacrm_jwt_reason(ngx_wacrm_jwt_e result)
{
    switch (result) {

    case NGX_WACRM_JWT_MISSING:
        return "missing";

    case NGX_WACRM_JWT_REVOKED:
        return "revoked";

    default:
        return jwt_gate_result_name((jwt_gate_result_t) result);
    }
}
