/*
 * ngx_wacrm_webhook_filter.c - what nginx itself refuses in a webhook
 * location is answered in JSON too.
 *
 * A body over client_max_body_size is refused before any handler runs, a
 * chunked one or a malformed chunk while it is read: then nginx sends a page
 * of HTML. This puts our body in its place.
 */

#include "ngx_wacrm_webhook.h"


typedef struct {
    ngx_uint_t               status;
    ngx_str_t                body;
} ngx_wacrm_error_t;


static ngx_str_t *ngx_wacrm_webhook_error(ngx_uint_t status);
static ngx_int_t ngx_wacrm_webhook_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_wacrm_webhook_replace(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_wacrm_webhook_ctx_t *ctx);
static ngx_int_t ngx_wacrm_webhook_too_large(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);
static ngx_int_t ngx_wacrm_webhook_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_wacrm_error_t  ngx_wacrm_webhook_errors[] = {

    { NGX_HTTP_BAD_REQUEST,
      ngx_string("{\"success\":false,\"data\":null,"
                 "\"message\":\"Bad Request\"}") },

    { NGX_HTTP_UNAUTHORIZED,
      ngx_string("{\"message\":\"Unauthenticated.\"}") },

    { NGX_HTTP_FORBIDDEN, ngx_string("{\"message\":\"Forbidden.\"}") },

    { NGX_HTTP_NOT_FOUND,
      ngx_string("{\"success\":false,\"message\":\"Not Found\"}") },

    { NGX_HTTP_NOT_ALLOWED,
      ngx_string("{\"message\":\"Method Not Allowed\"}") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
      ngx_string("{\"message\":\"Body is too large\"}") },

    { NGX_HTTP_TOO_MANY_REQUESTS,
      ngx_string("{\"message\":\"Too many requests. Please wait.\"}") },

    { NGX_HTTP_SERVICE_UNAVAILABLE,
      ngx_string("{\"message\":\"Event cannot be stored now, "
                 "try again.\"}") },

    /* any other */

    { 0, ngx_string("{\"message\":\"Request cannot be served\"}") }
};


static ngx_str_t  ngx_wacrm_webhook_server_error =
    ngx_string("{\"message\":\"Server Error\"}");


void
ngx_wacrm_webhook_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_wacrm_webhook_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_wacrm_webhook_body_filter;
}


static ngx_str_t *
ngx_wacrm_webhook_error(ngx_uint_t status)
{
    ngx_wacrm_error_t  *e;

    for (e = ngx_wacrm_webhook_errors; e->status; e++) {
        if (e->status == status) {
            return &e->body;
        }
    }

    return status >= NGX_HTTP_INTERNAL_SERVER_ERROR
           ? &ngx_wacrm_webhook_server_error : &e->body;
}


static ngx_int_t
ngx_wacrm_webhook_header_filter(ngx_http_request_t *r)
{
    ngx_wacrm_webhook_ctx_t       *ctx;
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    if (r->headers_out.status < NGX_HTTP_BAD_REQUEST || r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);

    if (wlcf->source.len == 0) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_wacrm_webhook_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        ngx_http_set_ctx(r, ctx, ngx_wacrm_webhook_module);
    }

    if (!ctx->own && ngx_wacrm_webhook_replace(r, wlcf, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/* Counts nginx's refusal, and makes its header that of our body. */

static ngx_int_t
ngx_wacrm_webhook_replace(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_wacrm_webhook_ctx_t *ctx)
{
    static ngx_str_t  type = ngx_string("application/json");
    static ngx_str_t  retry = ngx_string("1");

    /* refused before the preaccess phase: the access log is still to come */

    ngx_wacrm_webhook_mask(r, wlcf);

    if (r->headers_out.status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {

        if (ngx_wacrm_webhook_too_large(r, wlcf) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
        ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_NGINX);
        ngx_wacrm_webhook_log(r, wlcf, r->headers_out.status, "nginx");
    }

    if (r->headers_out.status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_wacrm_add_header(r, "Retry-After", &retry) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->body = ngx_wacrm_webhook_error(r->headers_out.status);

    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = ctx->body->len;

    return NGX_OK;
}


/* nginx looks at the length first, but a wrong method comes before it. */

static ngx_int_t
ngx_wacrm_webhook_too_large(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    ngx_uint_t  status;

    status = ngx_wacrm_webhook_method_status(r, wlcf);

    if (status == NGX_HTTP_OK) {
        ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_TOO_LARGE);
        ngx_wacrm_webhook_log(r, wlcf, r->headers_out.status, "too_large");
        return NGX_OK;
    }

    ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_METHOD);
    ngx_wacrm_webhook_log(r, wlcf, status, "method");

    /* that of the access log, too */
    r->err_status = status;
    r->headers_out.status = status;

    return status == NGX_HTTP_NOT_ALLOWED ? ngx_wacrm_webhook_allow(r, wlcf)
                                          : NGX_OK;
}


static ngx_int_t
ngx_wacrm_webhook_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                *b;
    ngx_str_t                *body;
    ngx_chain_t              *cl, out;
    ngx_wacrm_webhook_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);

    if (ctx == NULL || ctx->body == NULL || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    body = ctx->body;

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (ctx->replaced) {
        return NGX_OK;
    }

    ctx->replaced = 1;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}
