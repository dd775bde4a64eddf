/*
 * waapi_session.c - the sessions of the seed's gateway (S10-S14), and what it
 * knows of a number (S23-S25).
 */
#include "gateway/waapi.h"

#include <string.h>

#include "base/jsonr.h"

static void sessions_url(const gateway_account_t *a, gw_request_t *r)
{
    buf_adds(&r->url, a->base_url);
    buf_adds(&r->url, "/sessions");
    r->authorised = true;
}

/* An empty name would make another URL of it. */
static int session_call(const gateway_account_t *a, const char *session,
                        const char *method, const char *rest, gw_request_t *r)
{
    if (!session || !*session) {
        return WERR_INVALID;
    }
    r->method = method;
    sessions_url(a, r);
    buf_adds(&r->url, "/");
    gw_url_add(&r->url, session);
    buf_adds(&r->url, rest);
    return gw_request_error(r);
}

int waapi_session_create(const gateway_account_t *a, const char *session,
                         const char *webhook_url, gw_request_t *r)
{
    if (!session || !*session || !webhook_url) {
        return WERR_INVALID;
    }
    r->method = "POST";
    sessions_url(a, r);
    jw_open_object(&r->body, NULL);
    jw_str(&r->body, "session_id", session);
    jw_str(&r->body, "webhook_url", webhook_url);
    jw_close_object(&r->body);
    return gw_request_error(r);
}

int waapi_session_list(const gateway_account_t *a, gw_request_t *r)
{
    sessions_url(a, r);
    return gw_request_error(r);
}

int waapi_session_qr(const gateway_account_t *a, const char *session,
                     gw_request_t *r)
{
    return session_call(a, session, "GET", "/qr", r);
}

int waapi_session_status(const gateway_account_t *a, const char *session,
                         gw_request_t *r)
{
    return session_call(a, session, "GET", "/status", r);
}

int waapi_session_delete(const gateway_account_t *a, const char *session,
                         gw_request_t *r)
{
    return session_call(a, session, "DELETE", "", r);
}

int waapi_session_reconnect(const gateway_account_t *a, const char *session,
                            gw_request_t *r)
{
    return session_call(a, session, "POST", "/reconnect", r);
}

int waapi_contact(const gateway_account_t *a, const char *session,
                  const char *phone, gw_contact_ask_t ask, gw_request_t *r)
{
    static const char *const rest[] = {
        [GW_CONTACT_INFO] = "",
        [GW_CONTACT_CHECK] = "/check",
        [GW_CONTACT_PICTURE] = "/picture",
    };
    int rc;

    if (!phone || !*phone) {
        return WERR_INVALID;
    }
    rc = session_call(a, session, "GET", "/contacts/", r);
    if (rc != WERR_OK) {
        return rc;
    }
    gw_url_add(&r->url, phone);
    buf_adds(&r->url, rest[ask]);
    return gw_request_error(r);
}

/* ---- answers ---- */

/* The body of a success, the caller's to json_decref(); NULL with why. */
static json_t *success(int http_status, const char *body, size_t len,
                       gw_answer_t *out)
{
    char reason[128];
    json_t *root = jsonr_parse(body, len, reason, sizeof(reason));
    const char *text = gw_first_str(root, "error.message|message|error");
    bool said = true;

    memset(out, 0, sizeof(*out));
    if (http_status >= 200 && http_status < 300 && json_is_object(root) &&
        !(jsonr_bool(root, "success", &said) && !said)) {
        out->ok = true;
        gw_copy(out->message, sizeof(out->message), text ? text : "Success");
        return root;
    }
    if (http_status >= 200 && http_status < 300 && json_is_array(root)) {
        out->ok = true;
        gw_copy(out->message, sizeof(out->message), "Success");
        return root;
    }
    gw_copy(out->message, sizeof(out->message),
            text               ? text
            : http_status == 0 ? "The gateway gives no answer."
                               : "The gateway refused.");
    json_decref(root);
    return NULL;
}

/* What is in "data", else the whole. */
static const json_t *data_of(const json_t *root)
{
    const json_t *data = json_object_get(root, "data");

    return data && !json_is_null(data) ? data : root;
}

void waapi_answer(int http_status, const char *body, size_t len,
                  gw_answer_t *out)
{
    json_decref(success(http_status, body, len, out));
}

static void take_session(const json_t *j, gw_session_t *out)
{
    const char *id = gw_first_str(j, "session_id|sessionId|name|id");
    const char *status = gw_first_str(j, "status|state|data.status");
    const char *phone = gw_first_str(j, "phone_number|phone|phoneNumber");

    memset(out, 0, sizeof(*out));
    gw_copy(out->id, sizeof(out->id), id ? id : "");
    gw_copy(out->status, sizeof(out->status), status ? status : "");
    gw_copy(out->phone, sizeof(out->phone), phone ? phone : "");
}

void waapi_status_reply(int http_status, const char *body, size_t len,
                        gw_answer_t *answer, gw_session_t *out)
{
    json_t *root = success(http_status, body, len, answer);

    take_session(data_of(root), out);
    if (answer->ok && out->status[0] == '\0') {
        answer->ok = false;
        gw_copy(answer->message, sizeof(answer->message),
                "The gateway told no status.");
    }
    json_decref(root);
}

bool waapi_list_reply(int http_status, const char *body, size_t len,
                      void (*each)(void *arg, const gw_session_t *s), void *arg)
{
    gw_answer_t answer;
    gw_session_t session;
    json_t *root = success(http_status, body, len, &answer);
    const json_t *list = data_of(root), *j;
    bool ok;
    size_t i;

    if (json_is_object(list)) {
        list = json_object_get(list, "sessions");
    }
    ok = json_is_array(list);
    json_array_foreach(list, i, j)
    {
        take_session(j, &session);
        if (session.id[0] != '\0' && session.status[0] != '\0') {
            each(arg, &session);
        }
    }
    json_decref(root);
    return ok;
}

/* A picture, or the text that a picture would show. */
static bool is_picture(const char *qr)
{
    return strncmp(qr, "data:image/", 11) == 0;
}

void waapi_qr_reply(int http_status, const char *body, size_t len,
                    gw_answer_t *answer, buf_t *out)
{
    json_t *root = success(http_status, body, len, answer);
    const json_t *data = data_of(root);
    const char *qr = gw_first_str(
        data, "qr_code|qrCode|qr.image|qr_image|image|base64|qr|code");
    const char *raw = gw_first_str(data, "qr_raw|raw|qr|qrString|qr_string");
    int64_t expires;

    if (json_is_string(data)) {
        qr = json_string_value(data);
    }
    if (answer->ok) {
        jw_open_object(out, NULL);
        jw_str(out, "qr_code", qr && is_picture(qr) ? qr : NULL);
        jw_str(out, "qr",
               raw && !is_picture(raw) ? raw
               : qr && !is_picture(qr) ? qr
                                       : NULL);
        jw_str(out, "pairing_code",
               gw_first_str(data, "pairing_code|pairingCode"));
        if (gw_first_time(data, "expires_at|expiresAt|expires", &expires)) {
            jw_time(out, "expires_at", expires);
        } else {
            jw_null(out, "expires_at");
        }
        jw_close_object(out);
    }
    json_decref(root);
}

void waapi_contact_reply(int http_status, const char *body, size_t len,
                         gw_answer_t *answer, gw_contact_t *out)
{
    json_t *root = success(http_status, body, len, answer);
    const json_t *data = data_of(root);
    const char *name =
        gw_first_str(data, "name|push_name|pushName|notify|verified_name");
    const char *about = gw_first_str(data, "about|status");
    const char *picture = gw_first_str(
        data, "picture_url|pictureUrl|profile_picture|imgUrl|url|picture");
    const char *jid = gw_first_str(data, "jid|id|whatsapp_id");
    bool flag = false;

    memset(out, 0, sizeof(*out));
    gw_copy(out->name, sizeof(out->name), name ? name : "");
    gw_copy(out->about, sizeof(out->about), about ? about : "");
    gw_copy(out->jid, sizeof(out->jid), jid ? jid : "");
    /* a cut URL leads nowhere; another scheme is not for a browser */
    if (picture && strlen(picture) < sizeof(out->picture) &&
        strncmp(picture, "https://", 8) == 0) {
        gw_copy(out->picture, sizeof(out->picture), picture);
    }
    out->told = jsonr_bool(data, "registered", &flag) ||
                jsonr_bool(data, "exists", &flag) ||
                jsonr_bool(data, "is_registered", &flag) ||
                jsonr_bool(data, "numberExists", &flag) ||
                jsonr_bool(data, "on_whatsapp", &flag);
    out->registered = flag;
    out->business = jsonr_bool(data, "is_business", &flag) && flag;
    json_decref(root);
}
