/*
 * ngx_wacrm_jwt_identity.c - the request headers X-Wacrm-*, by which whoever
 * stands behind nginx learns who is calling. Only this file writes them.
 */

#include "ngx_wacrm_jwt.h"


#define NGX_WACRM_HEADERS_ALLOC  20


static ngx_uint_t ngx_wacrm_jwt_is_identity(ngx_table_elt_t *h);
static ngx_int_t ngx_wacrm_jwt_strip(ngx_http_request_t *r);
static ngx_int_t ngx_wacrm_jwt_append(ngx_http_request_t *r,
    ngx_list_part_t **last, ngx_table_elt_t *h, ngx_uint_t n);
static ngx_int_t ngx_wacrm_jwt_add(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *lowcase, ngx_str_t *value);


static ngx_str_t  ngx_wacrm_jwt_prefix = ngx_string("x-wacrm-");

static ngx_str_t  ngx_wacrm_jwt_user = ngx_string("X-Wacrm-User");
static ngx_str_t  ngx_wacrm_jwt_user_lc = ngx_string("x-wacrm-user");
static ngx_str_t  ngx_wacrm_jwt_id = ngx_string("X-Wacrm-Token-Id");
static ngx_str_t  ngx_wacrm_jwt_id_lc = ngx_string("x-wacrm-token-id");
static ngx_str_t  ngx_wacrm_jwt_exp = ngx_string("X-Wacrm-Token-Exp");
static ngx_str_t  ngx_wacrm_jwt_exp_lc = ngx_string("x-wacrm-token-exp");


ngx_int_t
ngx_wacrm_jwt_post_read_handler(ngx_http_request_t *r)
{
    return ngx_wacrm_jwt_strip(r) == NGX_OK ? NGX_DECLINED : NGX_ERROR;
}


/*
 * An internal redirect may come from a location with another idea of who is
 * calling, or from an error before the post-read phase.
 */

ngx_int_t
ngx_wacrm_jwt_preaccess_handler(ngx_http_request_t *r)
{
    if (!r->internal || r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_wacrm_jwt_strip(r) == NGX_OK ? NGX_DECLINED : NGX_ERROR;
}


ngx_int_t
ngx_wacrm_jwt_set_identity(ngx_http_request_t *r, ngx_wacrm_jwt_ctx_t *ctx)
{
    if (ngx_wacrm_jwt_strip(r) != NGX_OK
        || ngx_wacrm_jwt_add(r, &ngx_wacrm_jwt_user, &ngx_wacrm_jwt_user_lc,
                             &ctx->sub)
           != NGX_OK
        || ngx_wacrm_jwt_add(r, &ngx_wacrm_jwt_id, &ngx_wacrm_jwt_id_lc,
                             &ctx->jti)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_wacrm_jwt_add(r, &ngx_wacrm_jwt_exp, &ngx_wacrm_jwt_exp_lc,
                             &ctx->exp);
}


/* CGI and its heirs read "_" and "-" as the same */

static ngx_uint_t
ngx_wacrm_jwt_is_identity(ngx_table_elt_t *h)
{
    u_char      ch;
    ngx_uint_t  i;

    if (h->key.len < ngx_wacrm_jwt_prefix.len) {
        return 0;
    }

    for (i = 0; i < ngx_wacrm_jwt_prefix.len; i++) {
        ch = ngx_tolower(h->key.data[i]);

        if (ch == '_') {
            ch = '-';
        }

        if (ch != ngx_wacrm_jwt_prefix.data[i]) {
            return 0;
        }
    }

    return 1;
}


/*
 * Upstream modules send every element of the list, whatever its hash; and
 * headers_in points to elements, so that none may move. Hence the elements
 * stay where they are, and the list gets a part for each run that is kept.
 * There must be no empty part but the first.
 */

static ngx_int_t
ngx_wacrm_jwt_strip(ngx_http_request_t *r)
{
    ngx_list_t       *headers;
    ngx_uint_t        i, start, found;
    ngx_list_part_t  *part, *last, old;
    ngx_table_elt_t  *h;

    headers = &r->headers_in.headers;
    found = 0;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            found |= ngx_wacrm_jwt_is_identity(&h[i]);
        }
    }

    if (!found) {
        return NGX_OK;
    }

    old = headers->part;
    last = NULL;

    for (part = &old; part; part = part->next) {
        h = part->elts;
        start = 0;

        for (i = 0; i <= part->nelts; i++) {

            if (i < part->nelts && !ngx_wacrm_jwt_is_identity(&h[i])) {
                continue;
            }

            if (i > start
                && ngx_wacrm_jwt_append(r, &last, &h[start], i - start)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }

            start = i + 1;
        }
    }

    if (last == NULL) {
        return ngx_list_init(headers, r->pool, NGX_WACRM_HEADERS_ALLOC,
                             sizeof(ngx_table_elt_t));
    }

    /* the last part counts as full: what is pushed next gets a part */

    headers->last = last;
    headers->nalloc = last->nelts;

    return NGX_OK;
}


static ngx_int_t
ngx_wacrm_jwt_append(ngx_http_request_t *r, ngx_list_part_t **last,
    ngx_table_elt_t *h, ngx_uint_t n)
{
    ngx_list_part_t  *part;

    if (*last == NULL) {
        part = &r->headers_in.headers.part;

    } else {
        part = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
        if (part == NULL) {
            return NGX_ERROR;
        }

        (*last)->next = part;
    }

    part->elts = h;
    part->nelts = n;
    part->next = NULL;

    *last = part;

    return NGX_OK;
}


static ngx_int_t
ngx_wacrm_jwt_add(ngx_http_request_t *r, ngx_str_t *name, ngx_str_t *lowcase,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    if (value->data == NULL) {
        return NGX_OK;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = ngx_hash_key(lowcase->data, lowcase->len);
    h->key = *name;
    h->lowcase_key = lowcase->data;
    h->value = *value;

    return NGX_OK;
}
