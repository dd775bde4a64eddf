/*
 * ngx_wacrm_answer.c - the answers that all wacrm modules give.
 */

#include "ngx_wacrm_conf.h"


static ngx_str_t  ngx_wacrm_type_json = ngx_string("application/json");


ngx_int_t
ngx_wacrm_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *type,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = body->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = body->len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_wacrm_send_json(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *body)
{
    return ngx_wacrm_send(r, status, &ngx_wacrm_type_json, body);
}


ngx_int_t
ngx_wacrm_add_header(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_wacrm_refuse_method(ngx_http_request_t *r)
{
    static ngx_str_t  allow = ngx_string("GET, HEAD");
    static ngx_str_t  body = ngx_string("{\"message\":\"Method Not Allowed\"}");

    if (ngx_wacrm_add_header(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wacrm_send_json(r, NGX_HTTP_NOT_ALLOWED, &body);
}
