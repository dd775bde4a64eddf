#include "http/routes/session.h"

#include <stdio.h>

bool route_session_found(request_t *r, session_row_t *out)
{
    const route_param_t *p = &r->match.params[0];
    char wire[SESSION_WIRE_MAX];
    int64_t id = 0;
    int rc = WERR_NOTFOUND;
    if (p->len < sizeof(wire) && query_decode(p->text, p->len, false, wire)) {
        rc = session_find_visible(r->db, &r->visible, wire, &id);
    }
    if (rc == WERR_OK) {
        rc = session_get(r->db, id, out);
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
    return rc == WERR_OK;
}

bool route_session_managed(request_t *r, const session_row_t *s)
{
    if (r->user.role != ROLE_CS || s->owner == r->user.id) {
        return true;
    }
    response_message(&r->response, 403, "Forbidden.");
    return false;
}

bool route_webhook_url(request_t *r, const gateway_account_t *account,
                       char out[WEBHOOK_URL_MAX])
{
    int n = -1;
    if (r->options->public_url != NULL && account->webhook_path != NULL) {
        n = snprintf(out, WEBHOOK_URL_MAX, "%s%s", r->options->public_url,
                     account->webhook_path);
    }
    if (n < 0 || n >= WEBHOOK_URL_MAX) {
        response_bad(&r->response,
                     "public_url is not set in wacrmd.conf: the gateway cannot "
                     "be told where to send messages.");
        return false;
    }
    return true;
}

void route_check_name(invalid_t *invalid, const char *name)
{
    size_t n = 0;
    for (; name != NULL && *name != '\0'; name++) {
        n += ((unsigned char)*name & 0xc0) != 0x80;
    }
    if (n > SESSION_NAME_MAX) {
        invalid_add(invalid, "name",
                    "The name field must not be greater than %d characters.",
                    SESSION_NAME_MAX);
    }
}

void route_session_answer(request_t *r, bool success, const buf_t *data,
                          const char *message)
{
    buf_t *b = &r->response.body;
    if (data != NULL && data->failed) {
        response_error(&r->response, WERR_NOMEM);
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", success);
    if (data != NULL && data->len > 0) {
        jw_raw(b, "data", data->data, data->len);
    } else {
        jw_null(b, "data");
    }
    jw_str(b, "message", message);
    jw_close_object(b);
}

void route_session_show(request_t *r, int64_t id, const char *message)
{
    buf_t *b = &r->response.body;
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = session_write(r->db, id, "data", b);
    jw_str(b, "message", message);
    jw_close_object(b);
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}
