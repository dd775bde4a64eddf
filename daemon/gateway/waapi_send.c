/*
 * waapi_send.c - what the seed's gateway takes (S8, S17, S18, S22), and what
 * its answers mean.
 */
#include "gateway/waapi.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonr.h"

#define LOOKUP_LIMIT 50
#define WA_ID_MAX    sizeof(((gw_reply_t *)0)->wa_id)

static void session_url(const gateway_account_t *a, const char *session,
                        gw_request_t *r)
{
    buf_adds(&r->url, a->base_url);
    buf_adds(&r->url, "/sessions/");
    gw_url_add(&r->url, session);
    r->authorised = true;
}

/* A chat's id at the gateway is a JID. */
static void add_jid(buf_t *url, const char *phone)
{
    gw_url_add(url, phone);
    if (!strchr(phone, '@')) {
        gw_url_add(url, "@s.whatsapp.net");
    }
}

/* S21; its template knows its language. */
static int send_template(const gateway_account_t *a, const gw_send_t *s,
                         gw_request_t *r)
{
    session_url(a, s->session, r);
    buf_adds(&r->url, "/messages/template");
    r->method = "POST";
    jw_open_object(&r->body, NULL);
    jw_str(&r->body, "phone", s->phone);
    jw_str(&r->body, "template_id", s->template_name);
    jw_raw(&r->body, "variables", s->template_variables,
           strlen(s->template_variables));
    jw_close_object(&r->body);
    return gw_request_error(r);
}

/* S18, S19, S20; a document's caption is an addition that its later releases
 * read. */
int waapi_send(const gateway_account_t *a, const gw_send_t *s, gw_request_t *r)
{
    static const char *const types[] = {"text", "image", "document"};
    size_t t = 0;

    if (!s->session || !s->phone || !s->text || !*s->session || !*s->phone ||
        !s->type) {
        return WERR_INVALID;
    }
    while (t < 3 && strcmp(s->type, types[t]) != 0) {
        t++;
    }
    if (t == 3 || (t == 0 ? !*s->text : !s->media || !*s->media)) {
        return WERR_INVALID;
    }
    if (s->template_name) {
        return send_template(a, s, r);
    }
    session_url(a, s->session, r);
    buf_adds(&r->url, "/messages/");
    buf_adds(&r->url, types[t]);
    r->method = "POST";
    jw_open_object(&r->body, NULL);
    jw_str(&r->body, "phone", s->phone);
    if (t == 0) {
        jw_str(&r->body, "message", s->text);
    } else {
        gw_body_str(r, types[t], s->media, s->file);
    }
    if (t == 1) {
        jw_str(&r->body, "caption", s->text);
    } else if (t == 2) {
        jw_str(&r->body, "filename",
               s->filename && *s->filename ? s->filename : "file");
    }
    if (t == 2 && *s->text) {
        jw_str(&r->body, "caption", s->text);
    }
    jw_close_object(&r->body);
    return gw_request_error(r);
}

int waapi_lookup(const gateway_account_t *a, const gw_send_t *s,
                 gw_request_t *r)
{
    session_url(a, s->session, r);
    buf_adds(&r->url, "/messages?chatId=");
    add_jid(&r->url, s->phone);
    buf_addf(&r->url, "&limit=%d", LOOKUP_LIMIT);
    return gw_request_error(r);
}

int waapi_mark_read(const gateway_account_t *a, const char *session,
                    const char *chat_phone, gw_request_t *r)
{
    if (!session || !chat_phone || !*session || !*chat_phone) {
        return WERR_INVALID;
    }
    session_url(a, session, r);
    buf_adds(&r->url, "/chats/");
    add_jid(&r->url, chat_phone);
    buf_adds(&r->url, "/read");
    r->method = "POST";
    return gw_request_error(r);
}

int waapi_login(const gateway_account_t *a, gw_request_t *r)
{
    if (!a->email || !a->password) {
        return WERR_INVALID;
    }
    buf_adds(&r->url, a->base_url);
    buf_adds(&r->url, "/auth/login");
    r->method = "POST";
    jw_open_object(&r->body, NULL);
    jw_str(&r->body, "email", a->email);
    jw_str(&r->body, "password", a->password);
    jw_close_object(&r->body);
    return gw_request_error(r);
}

void waapi_login_reply(const char *body, size_t len, char *token, size_t size)
{
    char reason[128];
    json_t *root = jsonr_parse(body, len, reason, sizeof(reason));
    const char *t = gw_first_str(root, "data.token|token|data.access_token");

    token[0] = '\0';
    /* a cut token would be refused for ever; one with a line end would
     * forge headers */
    if (t && strlen(t) < size && !strpbrk(t, "\r\n")) {
        memcpy(token, t, strlen(t) + 1);
    }
    json_decref(root);
}

/* ---- answers to a send ---- */

/* A row number or UUID of the gateway's database is no id of WhatsApp's. */
bool waapi_is_wa_id(const char *id)
{
    size_t len = strlen(id);
    bool uuid = len == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-';

    return len >= 8 && len < WA_ID_MAX && !uuid &&
           strspn(id, "0123456789.:=_-abcdefghijklmnopqrstuvwxyz"
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
}

/* The id within "true_62..@c.us_3EB0..", or all of it; false: none. */
static bool bare_id(const char *id, char out[WA_ID_MAX])
{
    const char *at = id ? strchr(id, '@') : NULL;
    const char *from = at ? strchr(at, '_') : id;
    size_t len;

    if (!from) {
        return false;
    }
    from += at ? 1 : 0;
    len = at ? strcspn(from, "_") : strlen(from);
    if (len >= WA_ID_MAX) {
        return false;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    return waapi_is_wa_id(out);
}

static void take_id(const json_t *root, gw_reply_t *out)
{
    static const char *const paths[] = {
        "data.wa_message_id", "data.messageId",      "data.message_id",
        "data.key.id",        "data.message.key.id", "data.id",
        "messageId",          "message_id",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (bare_id(jsonr_str(root, paths[i]), out->wa_id)) {
            return;
        }
        out->wa_id[0] = '\0';
    }
}

static void take_error(const json_t *root, int http_status, gw_reply_t *out)
{
    const char *code = gw_first_str(root, "error.code|code|errorCode");
    const char *text = gw_first_str(root, "error.message|message|error");
    int64_t after = 0;

    if (code) {
        gw_copy(out->code, sizeof(out->code), code);
    } else {
        (void)snprintf(out->code, sizeof(out->code), "%d", http_status);
    }
    if (text) {
        gw_copy(out->reason, sizeof(out->reason), text);
    } else {
        (void)snprintf(out->reason, sizeof(out->reason),
                       "the gateway answered %d", http_status);
    }
    if (jsonr_i64(root, "retryAfter", &after) && after > 0) {
        out->retry_after_s = after > 86400 ? 86400 : (int)after;
    }
}

void waapi_send_reply(int http_status, const char *body, size_t len,
                      gw_reply_t *out)
{
    char reason[128];
    json_t *root = jsonr_parse(body, len, reason, sizeof(reason));
    bool success;

    memset(out, 0, sizeof(*out));
    out->outcome = gw_outcome_of(http_status);
    if (out->outcome != GW_ACCEPTED) {
        take_error(root, http_status, out);
    } else if (!json_is_object(root)) {
        /* a page of some proxy: nobody knows whether it went out */
        out->outcome = GW_UNKNOWN;
        gw_copy(out->code, sizeof(out->code), "answer");
        gw_copy(out->reason, sizeof(out->reason),
                "the gateway's answer cannot be read");
    } else if (jsonr_bool(root, "success", &success) && !success) {
        out->outcome = GW_REFUSED;
        take_error(root, http_status, out);
    } else {
        take_id(root, out);
    }
    json_decref(root);
}

/* ---- was it sent? ---- */

/* The list of the answer: data[], data.messages[] or the whole. */
static const json_t *list_of(const json_t *root)
{
    const json_t *data = json_object_get(root, "data");

    if (json_is_array(root)) {
        return root;
    }
    if (json_is_array(data)) {
        return data;
    }
    return jsonr_path(data, "messages");
}

typedef struct {
    bool readable; /* every line could be read */
    bool reaches;  /* something older than what is looked for is listed */
    bool found;
    bool failed; /* nobody could say whose an id is */
} scan_t;

/* Is it certainly another message of ours? */
static bool is_known(const gw_lookup_t *l, const char *id, scan_t *s)
{
    bool known = false;

    if (l->known && l->known(l->arg, id, &known) != WERR_OK) {
        s->failed = true;
    }
    return known && !s->failed;
}

static bool id_of(const json_t *m, char id[WA_ID_MAX])
{
    return bare_id(
        gw_first_str(m, "wa_message_id|message_id|messageId|key.id|id"), id);
}

static void scan_line(const json_t *m, const gw_lookup_t *l, scan_t *s,
                      char *wa_id, size_t size)
{
    const char *text = gw_first_str(
        m, "content|message.content|text|body|message.conversation|message");
    char id[WA_ID_MAX];
    const json_t *mine = gw_first(m, "from_me|fromMe|key.fromMe");
    const char *direction = jsonr_str(m, "direction");
    int64_t ts = 0;

    if (!gw_first_time(m, "timestamp|messageTimestamp|created_at", &ts) ||
        (!json_is_boolean(mine) && !direction)) {
        s->readable = false;
        return;
    }
    if (ts < l->since) {
        s->reaches = true;
        return;
    }
    if (!json_is_true(mine) &&
        !(direction && strcmp(direction, "OUTGOING") == 0)) {
        return;
    }
    if (l->type && strcmp(l->type, "text") != 0) {
        const char *type = gw_first_str(m, "type|message_type|message.type");

        /* a file's text may be its name, or nothing: no proof either way */
        if (!type || strcmp(type, "text") != 0) {
            s->readable = s->readable && id_of(m, id) && is_known(l, id, s);
        }
        return;
    }
    if (!text || strcmp(text, l->text) != 0) {
        return;
    }
    if (!id_of(m, id)) {
        s->readable = false; /* this one, or the same words said before? */
        return;
    }
    if (!is_known(l, id, s) && !s->failed) {
        s->found = true;
        gw_copy(wa_id, size, id);
    }
}

gw_found_t waapi_lookup_reply(int http_status, const char *body, size_t len,
                              const gw_lookup_t *l, char *wa_id, size_t size)
{
    scan_t s = {.readable = true};
    gw_found_t found = GW_NOT_TOLD;
    char reason[128];
    const json_t *list, *m;
    json_t *root;
    size_t i;

    wa_id[0] = '\0';
    if (http_status != 200) {
        return GW_NOT_TOLD;
    }
    root = jsonr_parse(body, len, reason, sizeof(reason));
    list = list_of(root);
    if (!json_is_array(list)) {
        goto out;
    }
    json_array_foreach(list, i, m)
    {
        scan_line(m, l, &s, wa_id, size);
        if (s.found || s.failed) {
            break;
        }
    }
    /* No absence is shown by a full page that does not reach back far enough,
     * nor by an empty one: the chat may go by another id (LID) there. */
    if (s.found) {
        found = GW_FOUND;
    } else if (s.readable && !s.failed &&
               (s.reaches || (i > 0 && i < LOOKUP_LIMIT))) {
        found = GW_ABSENT;
    }
out:
    json_decref(root);
    return found;
}
