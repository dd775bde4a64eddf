/*
 * ngx_wacrm_jwt_verify.c - the token of a request: where it stands, whether
 * it is good, and for whom it speaks.
 */

#include "ngx_wacrm_jwt.h"

#include "edge/jwt_signature.h"


static ngx_wacrm_jwt_e ngx_wacrm_jwt_token(ngx_http_request_t *r,
    ngx_wacrm_jwt_loc_conf_t *conf, ngx_str_t *token);
static ngx_wacrm_jwt_e ngx_wacrm_jwt_bearer(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_uint_t ngx_wacrm_jwt_same(ngx_wacrm_jwt_ctx_t *ctx,
    ngx_wacrm_jwt_loc_conf_t *conf, ngx_str_t *token);
static ngx_wacrm_jwt_e ngx_wacrm_jwt_check(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);
static ngx_wacrm_jwt_e ngx_wacrm_jwt_check_signature(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);
static ngx_wacrm_jwt_e ngx_wacrm_jwt_check_keys(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);
static ngx_wacrm_jwt_e ngx_wacrm_jwt_names(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);
static ngx_int_t ngx_wacrm_jwt_name(json_t *claims, const char *claim,
    ngx_str_t *name);
static ngx_wacrm_jwt_e ngx_wacrm_jwt_revoked(ngx_http_request_t *r,
    ngx_wacrm_jwt_ctx_t *ctx);
static void ngx_wacrm_jwt_cleanup(void *data);


ngx_wacrm_jwt_ctx_t *
ngx_wacrm_jwt_verify(ngx_http_request_t *r, ngx_wacrm_jwt_loc_conf_t *conf)
{
    ngx_str_t             token;
    ngx_wacrm_jwt_e       result;
    ngx_pool_cleanup_t   *cln;
    ngx_wacrm_jwt_ctx_t  *ctx;

    result = ngx_wacrm_jwt_token(r, conf, &token);

    /* not in r->ctx: that one is lost by an internal redirect */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_wacrm_jwt_cleanup
            && ngx_wacrm_jwt_same(cln->data, conf, &token))
        {
            return cln->data;
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_wacrm_jwt_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_wacrm_jwt_ctx_t));
    cln->handler = ngx_wacrm_jwt_cleanup;

    ctx->conf = conf;
    ctx->token = token;
    ctx->result = result == NGX_WACRM_JWT_OK ? ngx_wacrm_jwt_check(r, ctx)
                                             : result;

    if (ctx->result != NGX_WACRM_JWT_OK) {
        jwt_gate_close(&ctx->gate);
        ngx_memzero(&ctx->gate, sizeof(jwt_gate_token_t));
    }

    ngx_wacrm_count_jwt(ctx->result);

    return ctx;
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_token(ngx_http_request_t *r, ngx_wacrm_jwt_loc_conf_t *conf,
    ngx_str_t *token)
{
    ngx_http_variable_value_t  *v;

    ngx_str_null(token);

    if (conf->token == NGX_ERROR) {
        return ngx_wacrm_jwt_bearer(r, token);
    }

    v = ngx_http_get_flushed_variable(r, conf->token);

    if (v == NULL || v->not_found || v->len == 0) {
        return NGX_WACRM_JWT_MISSING;
    }

    token->len = v->len;
    token->data = v->data;

    return NGX_WACRM_JWT_OK;
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_bearer(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char           *p, *last;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *found;

    n = 0;
    found = NULL;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("Authorization") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "Authorization",
                                   sizeof("Authorization") - 1)
                   == 0)
            {
                found = &h[i];
                n++;
            }
        }
    }

    if (n == 0) {
        return NGX_WACRM_JWT_MISSING;
    }

    p = found->value.data;
    last = p + found->value.len;

    if (n > 1) {
        /* whose word would count? */
        *token = found->value;
        return NGX_WACRM_JWT_MALFORMED;
    }

    if (found->value.len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(p, (u_char *) "Bearer ", sizeof("Bearer ") - 1)
           != 0)
    {
        return NGX_WACRM_JWT_MISSING;
    }

    p += sizeof("Bearer ") - 1;

    while (p < last && *p == ' ') {
        p++;
    }

    if (p == last) {
        return NGX_WACRM_JWT_MISSING;
    }

    token->data = p;
    token->len = last - p;

    return NGX_WACRM_JWT_OK;
}


static ngx_uint_t
ngx_wacrm_jwt_same(ngx_wacrm_jwt_ctx_t *ctx, ngx_wacrm_jwt_loc_conf_t *conf,
    ngx_str_t *token)
{
    return ctx->conf->keys == conf->keys
           && ctx->conf->token == conf->token
           && ctx->conf->issuer.data == conf->issuer.data
           && ctx->conf->audience.data == conf->audience.data
           && ctx->conf->leeway == conf->leeway
           && ctx->token.len == token->len
           && (token->len == 0
               || ngx_memcmp(ctx->token.data, token->data, token->len) == 0);
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_check(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    ngx_int_t          known;
    ngx_wacrm_jwt_e    result;
    jwt_gate_rules_t   rules;
    jwt_gate_result_t  rc;

    known = ngx_wacrm_jwt_recall(r, ctx);

    if (known != NGX_OK) {
        result = ngx_wacrm_jwt_check_signature(r, ctx);
        if (result != NGX_WACRM_JWT_OK) {
            return result;
        }
    }

    rules.now = ngx_time();
    rules.leeway = ctx->conf->leeway;
    rules.issuer = ctx->conf->issuer.len ? (char *) ctx->conf->issuer.data
                                         : NULL;
    rules.audience = ctx->conf->audience.len
                     ? (char *) ctx->conf->audience.data : NULL;

    rc = jwt_gate_claims(&ctx->gate, &rules);
    if (rc != JWT_GATE_OK) {
        return (ngx_wacrm_jwt_e) rc;
    }

    result = ngx_wacrm_jwt_names(r, ctx);
    if (result != NGX_WACRM_JWT_OK) {
        return result;
    }

    result = ngx_wacrm_jwt_revoked(r, ctx);

    if (result == NGX_WACRM_JWT_OK && known != NGX_OK) {
        ngx_wacrm_jwt_remember(r, ctx);
    }

    return result;
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_check_signature(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    jwt_gate_result_t  rc;

    /* the results of the gate are the first ones of ngx_wacrm_jwt_e */

    rc = jwt_gate_open(ctx->conf->keys, (char *) ctx->token.data,
                       ctx->token.len, &ctx->gate);
    if (rc != JWT_GATE_OK) {
        ngx_memzero(&ctx->gate, sizeof(jwt_gate_token_t));
        return (ngx_wacrm_jwt_e) rc;
    }

    return ngx_wacrm_jwt_check_keys(r, ctx);
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_check_keys(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    int               rc;
    char             *token;
    ngx_uint_t        i;
    const jwt_key_t  *key;

    token = ngx_pnalloc(r->pool, ctx->token.len + 1);
    if (token == NULL) {
        return NGX_WACRM_JWT_FAULT;
    }

    *ngx_cpymem(token, ctx->token.data, ctx->token.len) = '\0';

    for (i = 0; i < ctx->gate.nkeys; i++) {
        key = ctx->gate.keys[i];

        rc = jwt_signature_good(token, jwt_gate_alg_name(key->alg), key->data,
                                key->len);
        if (rc == 1) {
            return NGX_WACRM_JWT_OK;
        }

        if (rc < 0) {
            return NGX_WACRM_JWT_FAULT;
        }
    }

    return NGX_WACRM_JWT_SIGNATURE;
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_names(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    json_t  *claims;

    claims = ctx->gate.claims;

    if (ngx_wacrm_jwt_name(claims, "sub", &ctx->sub) != NGX_OK
        || ngx_wacrm_jwt_name(claims, "jti", &ctx->jti) != NGX_OK)
    {
        return NGX_WACRM_JWT_CLAIM;
    }

    ctx->exp.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (ctx->exp.data == NULL) {
        return NGX_WACRM_JWT_FAULT;
    }

    ctx->exp.len = ngx_snprintf(ctx->exp.data, NGX_INT64_LEN, "%L",
                                (int64_t) json_integer_value(
                                              json_object_get(claims, "exp")))
                   - ctx->exp.data;

    return NGX_WACRM_JWT_OK;
}


/* Becomes a header's value, from which a reader takes spaces off the ends. */

static ngx_int_t
ngx_wacrm_jwt_name(json_t *claims, const char *claim, ngx_str_t *name)
{
    json_t  *value;

    value = json_object_get(claims, claim);
    if (value == NULL) {
        return NGX_OK;
    }

    name->data = (u_char *) json_string_value(value);
    name->len = json_string_length(value);

    if (name->len == 0 || name->data[0] == ' '
        || name->data[name->len - 1] == ' ')
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_wacrm_jwt_e
ngx_wacrm_jwt_revoked(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    int           rc;
    spool_t      *spool;
    int64_t       iat;
    spool_str_t   jti, sub;

    if (!ngx_wacrm_spool_revocations(r)) {
        return NGX_WACRM_JWT_OK;
    }

    spool = ngx_wacrm_spool();
    if (spool == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "wacrm_jwt: revocation unknown, the spool is not open");
        return NGX_WACRM_JWT_FAULT;
    }

    jti.data = (char *) ctx->jti.data;
    jti.len = ctx->jti.len;
    sub.data = (char *) ctx->sub.data;
    sub.len = ctx->sub.len;

    /* without iat a token is older than any other */

    iat = json_integer_value(json_object_get(ctx->gate.claims, "iat"));

    rc = spool_revoked(spool, jti, sub, iat);

    if (rc < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "wacrm_jwt: revocation unknown, %s", spool_strerror(rc));
        return NGX_WACRM_JWT_FAULT;
    }

    return rc ? NGX_WACRM_JWT_REVOKED : NGX_WACRM_JWT_OK;
}


static void
ngx_wacrm_jwt_cleanup(void *data)
{
    ngx_wacrm_jwt_ctx_t *ctx = data;

    jwt_gate_close(&ctx->gate);
}
