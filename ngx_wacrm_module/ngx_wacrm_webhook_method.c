/*
 * ngx_wacrm_webhook_method.c - webhook requests that are no POST.
 */

#include "ngx_wacrm_webhook.h"


ngx_int_t
ngx_wacrm_webhook_method(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    ngx_wacrm_webhook_ctx_t  *ctx;

    static ngx_str_t  not_found =
                          ngx_string("{\"success\":false,"
                                     "\"message\":\"Not Found\"}");

    switch (ngx_wacrm_webhook_method_status(r, wlcf)) {

    case NGX_HTTP_OK:
        return ngx_wacrm_webhook_challenge(r, wlcf);

    case NGX_HTTP_NOT_FOUND:
        ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);
        ctx->own = 1;

        ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_METHOD);
        ngx_wacrm_webhook_log(r, wlcf, NGX_HTTP_NOT_FOUND, "method");

        return ngx_wacrm_send_json(r, NGX_HTTP_NOT_FOUND, &not_found);

    default:
        if (ngx_wacrm_webhook_allow(r, wlcf) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_METHOD);
    }
}


ngx_uint_t
ngx_wacrm_webhook_method_status(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    if (r->method == NGX_HTTP_POST) {
        return NGX_HTTP_OK;
    }

    if (r->method == NGX_HTTP_GET) {
        return wlcf->verify_token.len ? NGX_HTTP_OK : NGX_HTTP_NOT_FOUND;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


ngx_int_t
ngx_wacrm_webhook_allow(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf)
{
    static ngx_str_t  post = ngx_string("POST");
    static ngx_str_t  both = ngx_string("GET, POST");

    return ngx_wacrm_add_header(r, "Allow",
                                wlcf->verify_token.len ? &both : &post);
}
