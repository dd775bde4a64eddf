/*
 * ngx_wacrm_webhook_body.c - the body of a webhook request that is not in one
 * buffer.
 */

#include "ngx_wacrm_webhook.h"


ngx_int_t
ngx_wacrm_webhook_copy_body(ngx_http_request_t *r, sig_verify_t *verify,
    ngx_str_t *body)
{
    off_t         size;
    size_t        len;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    p = ngx_pnalloc(r->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = size;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        len = ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            ngx_memcpy(p, b->pos, len);

        } else if (len
                   && ngx_read_file(b->file, p, len, b->file_pos)
                      != (ssize_t) len)
        {
            return NGX_ERROR;
        }

        sig_verify_update(verify, p, len);
        p += len;
    }

    return NGX_OK;
}
