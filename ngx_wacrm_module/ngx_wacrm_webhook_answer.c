/*
 * ngx_wacrm_webhook_answer.c - the answers of a webhook.
 */

#include "ngx_wacrm_webhook.h"


typedef struct {
    ngx_uint_t               status;
    char                    *reason;
    ngx_str_t                body;
} ngx_wacrm_answer_t;


#define ngx_wacrm_unauthenticated                                             \
    ngx_string("{\"message\":\"Unauthenticated.\"}")

#define ngx_wacrm_unavailable                                                 \
    ngx_string("{\"message\":\"Event cannot be stored now, try again.\"}")


static ngx_wacrm_answer_t  ngx_wacrm_webhook_answers[] = {

    { NGX_HTTP_OK, "stored", ngx_string("{\"success\":true}") },

    { NGX_HTTP_UNAUTHORIZED, "signature_missing", ngx_wacrm_unauthenticated },
    { NGX_HTTP_UNAUTHORIZED, "signature_mismatch", ngx_wacrm_unauthenticated },
    { NGX_HTTP_UNAUTHORIZED, "signature_stale", ngx_wacrm_unauthenticated },

    { NGX_HTTP_BAD_REQUEST, "not_json",
      ngx_string("{\"success\":false,\"data\":null,"
                 "\"message\":\"Body is not JSON\"}") },

    { NGX_HTTP_NOT_ALLOWED, "method",
      ngx_string("{\"message\":\"Method Not Allowed\"}") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "too_large",
      ngx_string("{\"message\":\"Body is too large\"}") },

    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "content_type",
      ngx_string("{\"message\":\"Content type is not accepted\"}") },

    { NGX_HTTP_TOO_MANY_REQUESTS, "rate",
      ngx_string("{\"message\":\"Too many requests. Please wait.\"}") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, "spool_full", ngx_wacrm_unavailable },
    { NGX_HTTP_SERVICE_UNAVAILABLE, "spool_error", ngx_wacrm_unavailable },
    { NGX_HTTP_SERVICE_UNAVAILABLE, "queue_full", ngx_wacrm_unavailable },
    { NGX_HTTP_SERVICE_UNAVAILABLE, "timeout", ngx_wacrm_unavailable },
    { NGX_HTTP_SERVICE_UNAVAILABLE, "fault", ngx_wacrm_unavailable }
};


ngx_int_t
ngx_wacrm_webhook_not_signed(ngx_http_request_t *r, sig_result_t result)
{
    ngx_int_t                      rc;
    ngx_str_t                     *message;
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    if (result == SIG_FAULT) {
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_FAULT);
    }

    rc = ngx_wacrm_rate_take(r, &message);

    if (rc == NGX_HTTP_TOO_MANY_REQUESTS) {
        wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);

        ngx_wacrm_count_event(wlcf->slot, NGX_WACRM_EVENT_RATE);

        return ngx_wacrm_webhook_answer(r, NGX_WACRM_EVENT_RATE, message);
    }

    if (rc != NGX_OK) {
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_FAULT);
    }

    switch (result) {

    case SIG_MISSING:
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_SIG_MISSING);

    case SIG_STALE:
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_SIG_STALE);

    default:
        return ngx_wacrm_webhook_refuse(r, NGX_WACRM_EVENT_SIG_MISMATCH);
    }
}


ngx_int_t
ngx_wacrm_webhook_refuse(ngx_http_request_t *r, ngx_wacrm_event_e result)
{
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);

    ngx_wacrm_count_event(wlcf->slot, result);

    return ngx_wacrm_webhook_answer(r, result, NULL);
}


ngx_int_t
ngx_wacrm_webhook_answer(ngx_http_request_t *r, ngx_wacrm_event_e result,
    ngx_str_t *body)
{
    ngx_wacrm_answer_t            *answer;
    ngx_wacrm_webhook_ctx_t       *ctx;
    ngx_wacrm_webhook_loc_conf_t  *wlcf;

    static ngx_str_t  retry = ngx_string("1");

    answer = &ngx_wacrm_webhook_answers[result];

    ctx = ngx_http_get_module_ctx(r, ngx_wacrm_webhook_module);
    ctx->own = 1;

    if (result != NGX_WACRM_EVENT_STORED) {
        wlcf = ngx_http_get_module_loc_conf(r, ngx_wacrm_webhook_module);
        ngx_wacrm_webhook_log(r, wlcf, answer->status, answer->reason);
    }

    if (answer->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_wacrm_add_header(r, "Retry-After", &retry) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_wacrm_send_json(r, answer->status,
                               body ? body : &answer->body);
}


void
ngx_wacrm_webhook_log(ngx_http_request_t *r,
    ngx_wacrm_webhook_loc_conf_t *wlcf, ngx_uint_t status, char *reason)
{
    ngx_uint_t  level;

    level = (status < NGX_HTTP_INTERNAL_SERVER_ERROR) ? NGX_LOG_WARN
                                                      : NGX_LOG_ERR;

    ngx_log_error(level, r->connection->log, 0,
                  "wacrm webhook refused source=%V status=%ui reason=%s",
                  &wlcf->source, status, reason);
}
