/*
 * ngx_wacrm_webhook_handler.c - one webhook request: body, signature, JSON,
 * spool.
 */

#include "ngx_wacrm_webhook.h"

#include "edge/json_check.h"


static void ngx_wacrm_webhook_cleanup(void *data);
static ngx_uint_t ngx_wacrm_webhook_type(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);
static sig_result_t ngx_wacrm_webhook_begin(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_wacrm_webhook_ctx_t *ctx);
static sig_str_t ngx_wacrm_webhook_header(void *data, const char *name,
    bool *more);
static sig_str_t ngx_wacrm_webhook_query(void *data, const char *name);
static void ngx_wacrm_webhook_body(ngx_http_request_t *r);
static ngx_int_t ngx_wacrm_webhook_event(ngx_http_request_t *r);
static ngx_int_t ngx_wacrm_webhook_collect(ngx_http_request_t *r,
    sig_verify_t *verify, ngx_str_t *body, void **copy);
static ngx_int_t ngx_wacrm_webhook_store(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_wacrm_webhook_ctx_t *ctx,
    ngx_str_t *body);
static void ngx_wacrm_webhook_record(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, spool_record_t *record);
static void ngx_wacrm_webhook_done(ngx_http_request_t *r,
    ngx_wacrm_event_e result);


ngx_int_t
ngx_wacrm_webhook_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    sig_result_t                   result;
    ngx_wacrm_webhook_ctx_t       *ctx;
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);

    /* there already if the query has a secret */

    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);

    if (ctx == NULL) {
        ctx = ngx_wacrm_webhook_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_wacrm_webhook_method(r, wlcf);
    }

    if (wlcf->types && !ngx_wacrm_webhook_type(r, wlcf)) {
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_TYPE);
    }

    result = ngx_wacrm_webhook_begin(r, wlcf, ctx);

    if (result != SIG_OK) {
        return ngx_wacrm_webhook_not_signed(r, result);
    }

    rc = ngx_http_read_client_request_body(r, ngx_wacrm_webhook_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_wacrm_webhook_ctx_t *
ngx_wacrm_webhook_create_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t       *cln;
    ngx_wacrm_webhook_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_wacrm_webhook_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_wacrm_webhook_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ngx_http_set_ctx(r, ctx, ngx_wacrm_webhook_module);

    return ctx;
}


static void
ngx_wacrm_webhook_cleanup(void *data)
{
    ngx_wacrm_webhook_ctx_t  *ctx = data;

    if (ctx->verify) {
        sig_verify_abort(&ctx->verify);
    }

    if (ctx->entry) {
        ngx_wacrm_commit_detach(ctx->entry);
        ctx->entry = NULL;
    }
}


static ngx_uint_t
ngx_wacrm_webhook_type(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    size_t      len;
    ngx_str_t  *type, *value;
    ngx_uint_t  i;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    value = &r->headers_in.content_type->value;

    for (len = 0; len < value->len; len++) {
        if (value->data[len] == ';' || value->data[len] == ' '
            || value->data[len] == '\t')
        {
            break;
        }
    }

    type = wlcf->types->elts;

    for (i = 0; i < wlcf->types->nelts; i++) {
        if (type[i].len == len
            && ngx_strncasecmp(type[i].data, value->data, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static sig_result_t
ngx_wacrm_webhook_begin(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_wacrm_webhook_ctx_t *ctx)
{
    sig_request_t  request;

    request.ctx = ctx;
    request.header = ngx_wacrm_webhook_header;
    request.query = ngx_wacrm_webhook_query;
    request.now = ngx_time();

    return sig_verify_begin(&ctx->verify, wlcf->scheme, &request);
}


static sig_str_t
ngx_wacrm_webhook_header(void *data, const char *name, bool *more)
{
    ngx_wacrm_webhook_ctx_t *ctx = data;

    size_t            len;
    sig_str_t         value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

    len = ngx_strlen(name);

    value.data = NULL;
    value.len = 0;
    *more = false;

    part = &ctx->request->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        if (header[i].key.len != len
            || ngx_memcmp(header[i].lowcase_key, name, len) != 0)
        {
            continue;
        }

        if (value.data) {
            *more = true;
            break;
        }

        value.data = (char *) header[i].value.data;
        value.len = header[i].value.len;
    }

    return value;
}


static sig_str_t
ngx_wacrm_webhook_query(void *data, const char *name)
{
    ngx_wacrm_webhook_ctx_t *ctx = data;

    sig_str_t  value;

    /* the scheme asks for its token only, and that has been taken away */

    value.data = (char *) ctx->token.data;
    value.len = ctx->token.len;

    return value;
}


static void
ngx_wacrm_webhook_body(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_wacrm_webhook_event(r);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/* NGX_AGAIN if the event waits for its commit, else what to finalize with */

static ngx_int_t
ngx_wacrm_webhook_event(ngx_http_request_t *r)
{
    void                          *copy;
    ngx_int_t                      rc;
    ngx_str_t                      body;
    sig_result_t                   result;
    ngx_wacrm_webhook_ctx_t       *ctx;
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);
    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);

    if (ngx_wacrm_webhook_collect(r, ctx->verify, &body, &copy) != NGX_OK) {
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_FAULT);
    }

    result = sig_verify_final(&ctx->verify);

    if (result != SIG_OK) {
        return ngx_wacrm_webhook_not_signed(r, result);
    }

    if (!json_check(body.data, body.len)) {
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_NOT_JSON);
    }

    if (ngx_wacrm_spool() == NULL) {
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_SPOOL_ERROR);
    }

    rc = ngx_wacrm_webhook_store(r, wlcf, ctx, &body);

    if (copy) {

        /* perhaps megabytes, which the wait for the commit needs no more */

        (void) ngx_pfree(r->pool, copy);
    }

    return rc;
}


/*
 * The body in one piece, and through the signature. Usually it is one buffer
 * and *copy is NULL; of several buffers or a temporary file it is the copy.
 */

static ngx_int_t
ngx_wacrm_webhook_collect(ngx_http_request_t *r, sig_verify_t *verify,
    ngx_str_t *body, void **copy)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    body->data = (u_char *) "";
    body->len = 0;
    *copy = NULL;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;
    b = cl->buf;

    if (cl->next == NULL && !b->in_file) {
        body->data = b->pos;
        body->len = b->last - b->pos;

        sig_verify_update(verify, body->data, body->len);

        return NGX_OK;
    }

    if (ngx_wacrm_webhook_copy_body(r, verify, body) != NGX_OK) {
        return NGX_ERROR;
    }

    *copy = body->data;

    return NGX_OK;
}


static ngx_int_t
ngx_wacrm_webhook_store(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_wacrm_webhook_ctx_t *ctx,
    ngx_str_t *body)
{
    spool_record_t     record;
    ngx_wacrm_event_e  result;

    ngx_wacrm_webhook_record(r, wlcf, &record);

    record.body.data = (char *) body->data;
    record.body.len = body->len;

    result = ngx_wacrm_commit_add(r, &record, wlcf->slot,
                                  ngx_wacrm_webhook_done, &ctx->entry);

    if (result != NGX_WACRM_EVENT_STORED) {
        return ngx_wacrm_webhook_refuse(r, result);
    }

    return NGX_AGAIN;
}


static void
ngx_wacrm_webhook_record(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, spool_record_t *record)
{
    bool              more;
    u_char           *p;
    sig_str_t         value;
    ngx_uint_t        i;
    struct timespec   ts;
    ngx_table_elt_t  *type;

    clock_gettime(CLOCK_REALTIME, &ts);

    record->version = SPOOL_RECORD_VERSION;
    record->received_us = (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;

    record->source.data = (char *) wlcf->source.data;
    record->source.len = wlcf->source.len;

    record->remote.data = (char *) r->connection->addr_text.data;
    record->remote.len = r->connection->addr_text.len;

    record->signature = wlcf->scheme_name;

    record->method.data = (char *) r->method_name.data;
    record->method.len = r->method_name.len;

    p = ngx_strlchr(r->unparsed_uri.data,
                    r->unparsed_uri.data + r->unparsed_uri.len, '?');

    record->path.data = (char *) r->unparsed_uri.data;
    record->path.len = p ? (size_t) (p - r->unparsed_uri.data)
                         : r->unparsed_uri.len;

    record->query.data = r->args.len ? (char *) r->args.data : "";
    record->query.len = r->args.len;

    type = r->headers_in.content_type;

    record->content_type.data = type ? (char *) type->value.data : "";
    record->content_type.len = type ? type->value.len : 0;

    record->nheaders = 0;

    for (i = 0; i < wlcf->nkeep; i++) {
        value = ngx_wacrm_webhook_header(
                    ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module),
                    wlcf->keep[i].data, &more);

        if (value.data == NULL) {
            continue;
        }

        record->headers[record->nheaders].name = wlcf->keep[i];
        record->headers[record->nheaders].value.data = value.data;
        record->headers[record->nheaders].value.len = value.len;
        record->nheaders++;
    }
}


/* The commit is done, or will not be; it has been counted. */

static void
ngx_wacrm_webhook_done(ngx_http_request_t *r, ngx_wacrm_event_e result)
{
    ngx_wacrm_webhook_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);
    ctx->entry = NULL;

    ngx_http_finalize_request(r, ngx_wacrm_webhook_answer(r, result, NULL));
}
