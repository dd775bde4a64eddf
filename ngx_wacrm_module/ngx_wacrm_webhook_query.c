/*
 * ngx_wacrm_webhook_query.c - secrets in the query of a webhook, and the
 * handshake of the WhatsApp Cloud API, which has one there.
 */

#include "ngx_wacrm_webhook.h"
#include "ngx_wacrm_conf.h"

#include <openssl/crypto.h>


#define NGX_WACRM_CHALLENGE_MAX  256


static ngx_int_t ngx_wacrm_webhook_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
static ngx_uint_t ngx_wacrm_webhook_same(ngx_str_t *one, ngx_str_t *two);
static ngx_str_t *ngx_wacrm_webhook_token_name(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf);
static void ngx_wacrm_webhook_mask_name(ngx_http_request_t *r,
    ngx_str_t *name);
static void ngx_wacrm_webhook_mask_line(ngx_str_t *line, ngx_str_t *name);


static ngx_str_t  ngx_wacrm_webhook_verify_token =
    ngx_string("hub.verify_token");


/*
 * Preaccess: whoever refuses the request from then on writes a line of the log
 * with the request in it.
 */

ngx_int_t
ngx_wacrm_webhook_preaccess_handler(ngx_http_request_t *r)
{
    ngx_str_t                     *name;
    ngx_wacrm_webhook_ctx_t       *ctx;
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);
    name = ngx_wacrm_webhook_token_name(r, wlcf);

    if (name == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_wacrm_webhook_create_ctx(r);
    if (ctx == NULL
        || ngx_wacrm_webhook_arg(r, (char *) name->data, &ctx->token)
           == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_wacrm_webhook_mask(r, wlcf);

    return NGX_DECLINED;
}


/* Of the parameter with the secret of this request, NULL if there is none. */

static ngx_str_t *
ngx_wacrm_webhook_token_name(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    if (wlcf->source.len == 0) {
        return NULL;
    }

    if (r->method == NGX_HTTP_GET && wlcf->verify_token.len) {
        return &ngx_wacrm_webhook_verify_token;
    }

    return wlcf->token_query.len ? &wlcf->token_query : NULL;
}


ngx_int_t
ngx_wacrm_webhook_challenge(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    u_char                    ch;
    ngx_str_t                 mode, challenge, *message;
    ngx_uint_t                i;
    ngx_wacrm_webhook_ctx_t  *ctx;

    static ngx_str_t  type = ngx_string("text/plain");
    static ngx_str_t  subscribe = ngx_string("subscribe");
    static ngx_str_t  forbidden =
                          ngx_string("{\"message\":\"Forbidden.\"}");

    if (ngx_wacrm_webhook_arg(r, "hub.mode", &mode) == NGX_ERROR
        || ngx_wacrm_webhook_arg(r, "hub.challenge", &challenge) == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* it is sent back as it came, so it may not be a page or a script */

    for (i = 0; i < challenge.len; i++) {
        ch = challenge.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '_' || ch == '.'))
        {
            break;
        }
    }

    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);

    if (i > 0 && i == challenge.len && i <= NGX_WACRM_CHALLENGE_MAX
        && ngx_wacrm_webhook_same(&mode, &subscribe)
        && ngx_wacrm_webhook_same(&ctx->token, &wlcf->verify_token))
    {
        ctx->own = 1;

        return ngx_wacrm_send(r, NGX_HTTP_OK, &type, &challenge);
    }

    if (ngx_wacrm_rate_take(r, &message) == NGX_HTTP_TOO_MANY_REQUESTS) {
        ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_RATE);
        return ngx_wacrm_webhook_answer(r, NGX_WACRM_EVENT_RATE, message);
    }

    ctx->own = 1;

    ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_SIG_MISMATCH);
    ngx_wacrm_webhook_log(r, wlcf, NGX_HTTP_FORBIDDEN, "verify_token");

    return ngx_wacrm_send_json(r, NGX_HTTP_FORBIDDEN, &forbidden);
}


static ngx_uint_t
ngx_wacrm_webhook_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && CRYPTO_memcmp(one->data, two->data, one->len) == 0;
}


/* The decoded value, copied; NGX_DECLINED if there is no such parameter. */

static ngx_int_t
ngx_wacrm_webhook_arg(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    u_char     *dst, *src;
    ngx_str_t   raw;

    ngx_str_null(value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* never empty: a parameter without value is not an absent one */

    value->data = ngx_pnalloc(r->pool, raw.len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    dst = value->data;
    src = raw.data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


void
ngx_wacrm_webhook_mask(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    if (wlcf->token_query.len) {
        ngx_wacrm_webhook_mask_name(r, &wlcf->token_query);
    }

    if (wlcf->verify_token.len) {
        ngx_wacrm_webhook_mask_name(r, &ngx_wacrm_webhook_verify_token);
    }
}


static void
ngx_wacrm_webhook_mask_name(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_wacrm_webhook_mask_line(&r->args, name);
    ngx_wacrm_webhook_mask_line(&r->unparsed_uri, name);
    ngx_wacrm_webhook_mask_line(&r->request_line, name);
}


static void
ngx_wacrm_webhook_mask_line(ngx_str_t *line, ngx_str_t *name)
{
    u_char  *p, *last;

    if (line->len == 0) {
        return;
    }

    p = line->data;
    last = line->data + line->len;

    while (p + name->len < last) {

        if ((p == line->data || p[-1] == '&' || p[-1] == '?')
            && p[name->len] == '='
            && ngx_strncasecmp(p, name->data, name->len) == 0)
        {
            for (p += name->len + 1; p < last; p++) {
                if (*p == '&' || *p == ' ' || *p == '#') {
                    break;
                }

                *p = '*';
            }

            continue;
        }

        p++;
    }
}
