/*
 * ngx_wacrm_jwt_variables.c - $wacrm_jwt_sub and $wacrm_jwt_claim_NAME.
 *
 * The token is verified when a variable is asked for, so that a rate limit,
 * which comes before the access phase, may count by them.
 */

#include "ngx_wacrm_jwt.h"


static json_t *ngx_wacrm_jwt_claim(ngx_http_request_t *r, const char *name);
static ngx_int_t ngx_wacrm_jwt_sub_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_wacrm_jwt_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_wacrm_jwt_value(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, json_t *claim);


static ngx_http_variable_t  ngx_wacrm_jwt_vars[] = {

    { ngx_string("wacrm_jwt_sub"), NULL, ngx_wacrm_jwt_sub_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wacrm_jwt_claim_"), NULL, ngx_wacrm_jwt_claim_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


/* The claim of a good token; borrowed. */

static json_t *
ngx_wacrm_jwt_claim(ngx_http_request_t *r, const char *name)
{
    ngx_wacrm_jwt_ctx_t       *ctx;
    ngx_wacrm_jwt_loc_conf_t  *jlcf;

    jlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_jwt_module);

    if (!jlcf->enabled) {
        return NULL;
    }

    ctx = ngx_wacrm_jwt_verify(r, jlcf);

    if (ctx == NULL || ctx->result != NGX_WACRM_JWT_OK) {
        return NULL;
    }

    return json_object_get(ctx->gate.claims, name);
}


static ngx_int_t
ngx_wacrm_jwt_sub_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_wacrm_jwt_value(r, v, ngx_wacrm_jwt_claim(r, "sub"));
}


static ngx_int_t
ngx_wacrm_jwt_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    u_char  *p;
    size_t   len;

    len = name->len - (sizeof("wacrm_jwt_claim_") - 1);

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn(p, name->data + sizeof("wacrm_jwt_claim_") - 1, len + 1);

    return ngx_wacrm_jwt_value(r, v, ngx_wacrm_jwt_claim(r, (char *) p));
}


static ngx_int_t
ngx_wacrm_jwt_value(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    json_t *claim)
{
    char    *text;
    u_char  *p;
    size_t   i, len;

    v->not_found = 1;
    text = NULL;

    if (claim == NULL || json_is_null(claim)) {
        return NGX_OK;
    }

    if (json_is_string(claim)) {
        p = (u_char *) json_string_value(claim);
        len = json_string_length(claim);

    } else {
        text = json_dumps(claim, JSON_ENCODE_ANY|JSON_COMPACT);
        if (text == NULL) {
            return NGX_ERROR;
        }

        p = (u_char *) text;
        len = ngx_strlen(text);
    }

    v->data = ngx_pnalloc(r->pool, len ? len : 1);
    if (v->data == NULL) {
        free(text);
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, p, len);
    free(text);

    /* a variable may become a header */

    for (i = 0; i < len; i++) {
        if (v->data[i] < 0x20 || v->data[i] == 0x7f) {
            return NGX_OK;
        }
    }

    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_wacrm_jwt_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_wacrm_jwt_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
