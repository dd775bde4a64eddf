/*
 * waapi_parse.c - what the seed's gateway delivers, in five shapes: the seed
 * document's, the API document's, the code's (two forms), and its successor's
 * with and without an envelope. docs/gateways.md shows them.
 */
#include "gateway/waapi.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/jsonr.h"
#include "base/phone.h"

/* Other names of the person a message is exchanged with. Those of the sender
 * are our own in a message of ours. */
#define OTHER_SIDE                                                   \
    "phone_number|raw.key.remoteJidAlt|remote_jid_alt|remoteJidAlt|" \
    "message.metadata.remote_jid_alt"
#define SENDER                                                  \
    "raw.key.senderPn|raw.key.participantPn|raw.key.senderLid|" \
    "message.metadata.sender_pn|message.metadata.sender_lid|"   \
    "key.senderPn|senderPn|sender_pn|sender_lid"

typedef enum { SEED, V1_DOCUMENT, V1_CODE, V1_FLAT, V2 } shape_t;

/* Where each shape of a message keeps what. */
static const struct {
    const char *id, *chat, *text, *type, *time, *name, *from_me, *raw;
} shapes[] = {
    [SEED] = {"id", "from", "message", "type", "timestamp",
              "pushName|push_name", "from_me|fromMe", "raw.message"},
    [V1_DOCUMENT] = {"message_id|id", "from", "content|message", "type",
                     "timestamp", "pushName|push_name", "from_me|fromMe",
                     "raw.message"},
    [V1_CODE] = {"message.message_id|raw.key.id", "message.remote_jid",
                 "message.content|message.content.text", "message.type",
                 "message.timestamp|raw.messageTimestamp",
                 "message.metadata.push_name|raw.pushName",
                 "message.from_me|raw.key.fromMe", "raw.message"},
    [V1_FLAT] = {"message_id|key.id", "remote_jid|key.remoteJid|from",
                 "content", "message_type|type", "timestamp|messageTimestamp",
                 "pushName|push_name", "from_me|fromMe|key.fromMe", "message"},
    [V2] = {"wa_message_id|id", "chat_jid|from", "content", "message_type|type",
            "timestamp", "contact_name|push_name", "from_me", "raw.message"},
};

typedef struct {
    const json_t *root, *data;
    const char *name; /* of the event */
    gw_events_t *out;
    gw_event_t *ev;
    char *reason;
    size_t size;
} reading_t;

static int refuse(reading_t *r, const char *why)
{
    if (r->size > 0)
        (void)snprintf(r->reason, r->size, "%s: %s",
                       r->name ? r->name : "event", why);
    return WERR_INVALID;
}

static const char *keep(reading_t *r, const char *s, size_t len, int *rc)
{
    const char *copy = gw_events_dup(r->out, s, len);

    if (!copy)
        *rc = WERR_NOMEM;
    return copy;
}

/* ---- who ---- */

/* Fills phone or alias from one JID, where they are not known yet. */
static jid_kind_t take_jid(reading_t *r, const char *jid, int *rc)
{
    char out[ALIAS_MAX];
    jid_kind_t kind = phone_from_jid(jid, strlen(jid), out);

    if (kind == JID_PHONE && !r->ev->phone)
        r->ev->phone = keep(r, out, strlen(out), rc);
    else if (kind == JID_ALIAS && !r->ev->alias)
        r->ev->alias = keep(r, out, strlen(out), rc);
    return kind;
}

static void take_others(reading_t *r, const char *const paths[], size_t n,
                        int *rc)
{
    for (size_t i = 0; i < n; i++) {
        const char *p = paths[i];

        while (*p) {
            char path[96];
            size_t len = strcspn(p, "|");
            const char *jid;

            (void)snprintf(path, sizeof(path), "%.*s", (int)len, p);
            jid = jsonr_str(r->data, path);
            if (jid)
                (void)take_jid(r, jid, rc);
            p += len + (p[len] == '|');
        }
    }
}

/* The chat and who is on its other side; a group makes the event OTHER. */
static int take_chat(reading_t *r, const char *jid)
{
    static const char *const others[] = {OTHER_SIDE, SENDER};
    jid_kind_t kind;
    int rc = WERR_OK;

    if (!jid)
        return refuse(r, "no chat is told");
    r->ev->chat = jid;
    kind = take_jid(r, jid, &rc);
    if (kind == JID_GROUP || kind == JID_BROADCAST) {
        r->ev->group = true;
        r->ev->kind = GW_OTHER;
        return rc;
    }
    take_others(r, others, r->ev->from_me ? 1 : 2, &rc);
    if (rc == WERR_OK && !r->ev->phone && !r->ev->alias)
        return refuse(r, "chat is neither a phone, a LID nor a group");
    return rc;
}

/* "true_62..@c.us_3EB0..": the third field; else all of it. */
static const char *bare_id(reading_t *r, const char *id, int *rc)
{
    const char *second, *third;
    size_t len;

    if (!id || !strchr(id, '@'))
        return id;
    second = strchr(id, '_');
    third = second ? strchr(second + 1, '_') : NULL;
    if (!third || third[1] == '\0')
        return id;
    len = strcspn(third + 1, "_");
    return third[1 + len] == '\0' ? third + 1 : keep(r, third + 1, len, rc);
}

static bool truth(const json_t *j, const char *paths)
{
    return json_is_true(gw_first(j, paths));
}

static int64_t time_of(const reading_t *r, const char *paths)
{
    int64_t ms;

    if (gw_first_time(r->data, paths, &ms) ||
        jsonr_time(r->root, "timestamp", &ms))
        return ms;
    return 0;
}

/* ---- messages ---- */

static shape_t shape_of(const reading_t *r)
{
    const json_t *message = json_object_get(r->data, "message");

    if (r->data == r->root || jsonr_str(r->data, "wa_message_id") ||
        jsonr_str(r->data, "chat_jid") ||
        json_object_get(r->root, "organization_id"))
        return V2;
    if (json_is_object(message))
        return jsonr_str(message, "remote_jid") ? V1_CODE : V1_FLAT;
    if (json_object_get(r->root, "sessionId") ||
        jsonr_str(r->data, "message_id"))
        return V1_DOCUMENT;
    return SEED;
}

static void take_media(gw_event_t *ev, const json_t *data,
                       const waapi_raw_t *raw)
{
    static const char mime[] =
        "mime_type|mimetype|message.mime_type|message.metadata.mimetype";
    static const char name[] = "file_name|filename|fileName|message.file_name|"
                               "message.metadata.file_name";
    const json_t *size = gw_first(data, "file_size|fileSize|message.file_size");

    if (strcmp(ev->type, "text") == 0)
        return;
    ev->media_url = gw_first_str(data, "media_url|mediaUrl|message.media_url|"
                                       "message.metadata.media_url");
    ev->media_mime = gw_first_str(data, mime);
    ev->media_name = gw_first_str(data, name);
    if (!ev->media_mime)
        ev->media_mime = raw->mime;
    if (!ev->media_name)
        ev->media_name = raw->name;
    ev->media_size = raw->size;
    if (json_is_integer(size) && json_integer_value(size) >= 0)
        ev->media_size = json_integer_value(size);
}

/* A type that the gateway told gives way to a more telling one of the raw
 * message: unread texts and captions are all called "text" by it. */
static const char *choose_type(const char *told, const waapi_raw_t *raw,
                               const char *text)
{
    const char *type = told ? waapi_type(told) : "text";

    if (raw->type && (!type || strcmp(type, "text") == 0))
        return raw->type;
    if (type)
        return type;
    return *text ? "text" : "unsupported";
}

static void take_content(reading_t *r, shape_t shape, const waapi_raw_t *raw)
{
    gw_event_t *ev = r->ev;

    ev->text = gw_first_str(r->data, shapes[shape].text);
    if (!ev->text)
        ev->text = raw->text;
    if (!ev->text)
        ev->text = "";
    ev->type =
        choose_type(gw_first_str(r->data, shapes[shape].type), raw, ev->text);
    ev->reply_to = gw_first_str(
        r->data, "reply_to|quoted_message_id|message.metadata.quoted_id|"
                 "message.quoted_message_id");
    if (!ev->reply_to)
        ev->reply_to = raw->reply_to;
    take_media(ev, r->data, raw);
}

/* Reactions, edits and deletes come as messages about messages. */
static void take_about(gw_event_t *ev, const waapi_raw_t *raw)
{
    ev->kind = raw->kind;
    ev->wa_id = raw->about;
    if (raw->kind == GW_REACTION)
        ev->emoji = raw->text ? raw->text : "";
    else if (raw->kind == GW_EDIT)
        ev->text = raw->text;
}

static int read_message(reading_t *r)
{
    shape_t shape = shape_of(r);
    const json_t *message = gw_first(r->data, shapes[shape].raw);
    const char *direction = jsonr_str(r->data, "direction"), *to;
    gw_event_t *ev = r->ev;
    waapi_raw_t raw;
    int rc;

    ev->kind = GW_MESSAGE;
    ev->from_me = truth(r->data, shapes[shape].from_me) ||
                  (direction && strcasecmp(direction, "OUTGOING") == 0) ||
                  strcmp(r->name, "message.sent") == 0;
    to = ev->from_me ? gw_first_str(r->data, "to") : NULL;
    rc = take_chat(r, to ? to : gw_first_str(r->data, shapes[shape].chat));
    if (rc != WERR_OK || ev->kind == GW_OTHER)
        return rc;
    ev->ts = time_of(r, shapes[shape].time);
    ev->push_name =
        ev->from_me ? NULL : gw_first_str(r->data, shapes[shape].name);
    waapi_raw_read(message, &raw);
    if (raw.kind != GW_MESSAGE && (raw.about || raw.silent)) {
        take_about(ev, &raw);
        return WERR_OK;
    }
    ev->wa_id = bare_id(r, gw_first_str(r->data, shapes[shape].id), &rc);
    ev->client_id = gw_first_str(r->data, "client_id|client_message_id");
    take_content(r, shape, &raw);
    return rc;
}

/* ---- status ---- */

static const char *const ack_words[] = {"failed",    "pending", "sent",
                                        "delivered", "read",    "played"};

/* A word, or Baileys' number for it; else the event's own last word. */
static const char *status_word(const reading_t *r)
{
    const json_t *v = gw_first(r->data, "status|ack|update.status");
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;

    if (strcmp(r->name, "message.status") != 0)
        return strrchr(r->name, '.') + 1;
    if (json_is_string(v) && *json_string_value(v))
        return json_string_value(v);
    return n >= 0 && n < (json_int_t)(sizeof(ack_words) / sizeof(*ack_words))
               ? ack_words[n]
               : NULL;
}

static int read_status(reading_t *r)
{
    gw_event_t *ev = r->ev;
    const char *id =
        gw_first_str(r->data, "wa_message_id|message_id|messageId|key.id|id");
    const char *chat = gw_first_str(r->data, "chat_jid|to|from|remote_jid");
    int rc = WERR_OK;

    ev->kind = GW_STATUS;
    ev->from_me = true;
    ev->status = status_word(r);
    ev->wa_id = bare_id(r, id, &rc);
    if (!id)
        return refuse(r, "no message id");
    if (!ev->status)
        return refuse(r, "no status");
    ev->ts = time_of(r, "timestamp");
    ev->error_code = gw_first_str(r->data, "error_code|errorCode|error.code");
    ev->error_title = gw_first_str(
        r->data, "error_message|errorMessage|error.message|error|reason");
    ev->client_id = gw_first_str(r->data, "client_id|client_message_id");
    if (chat) {
        jid_kind_t kind = take_jid(r, chat, &rc);

        ev->chat = chat;
        if (kind == JID_GROUP || kind == JID_BROADCAST) {
            ev->kind = GW_OTHER;
            ev->group = true;
        }
    }
    return rc;
}

/* A whole message of ours (successor), or only its id and fate (code). */
static int read_sent(reading_t *r)
{
    bool whole = jsonr_str(r->data, "chat_jid") ||
                 json_is_object(json_object_get(r->data, "message"));

    return whole ? read_message(r) : read_status(r);
}

/* message.reaction, message.edited, message.deleted */
static int read_about(reading_t *r)
{
    gw_event_t *ev = r->ev;
    const char *id = gw_first_str(
        r->data, "wa_message_id|target_message_id|message_id|messageId|id");
    const char *chat =
        gw_first_str(r->data, "chat_jid|remote_jid|from|jid|sender_jid");
    const json_t *emoji = gw_first(r->data, "emoji|reaction|text");
    int rc;

    if (!id)
        return refuse(r, "no message id");
    ev->from_me = truth(r->data, "from_me|fromMe");
    rc = take_chat(r, chat);
    if (rc != WERR_OK || ev->group)
        return rc;
    ev->wa_id = bare_id(r, id, &rc);
    ev->ts = time_of(r, "timestamp");
    if (strcmp(r->name, "message.reaction") == 0) {
        ev->kind = GW_REACTION;
        ev->emoji = json_is_string(emoji) ? json_string_value(emoji) : "";
    } else if (strcmp(r->name, "message.edited") == 0) {
        ev->text = gw_first_str(r->data, "content|text|message|new_content");
        ev->kind = ev->text ? GW_EDIT : GW_OTHER;
    } else {
        ev->kind = GW_DELETE;
    }
    return rc;
}

/* ---- the rest ---- */

static int read_session(reading_t *r)
{
    const char *phone = gw_first_str(r->data, "phone_number|phone|jid|me.id");
    const char *last = strrchr(r->name, '.') + 1;
    gw_event_t *ev = r->ev;
    char out[ALIAS_MAX];
    int rc = WERR_OK;

    ev->kind = GW_SESSION;
    ev->status = gw_first_str(r->data, "status|state|connection");
    if (!ev->status && strcmp(last, "status") != 0 &&
        strcmp(last, "update") != 0)
        ev->status = last;
    if (!ev->status)
        return refuse(r, "no status");
    ev->ts = time_of(r, "timestamp");
    ev->error_title = gw_first_str(r->data, "reason");
    if (phone && phone_from_jid(phone, strlen(phone), out) == JID_PHONE)
        ev->session_phone = keep(r, out, strlen(out), &rc);
    return rc;
}

/* The code itself is not handed over: whoever has it has the session. */
static int read_qr(reading_t *r)
{
    r->ev->kind = GW_QR;
    r->ev->status = "qr";
    r->ev->ts = time_of(r, "timestamp");
    return WERR_OK;
}

static int read_typing(reading_t *r)
{
    const char *who = gw_first_str(r->data, "from|jid|chat_jid|id");
    const char *presence = gw_first_str(r->data, "presence|state");
    int rc = WERR_OK;

    r->ev->kind = GW_TYPING;
    r->ev->typing = truth(r->data, "isTyping|is_typing") ||
                    (presence && (strcmp(presence, "composing") == 0 ||
                                  strcmp(presence, "recording") == 0));
    if (!who || take_jid(r, who, &rc) > JID_ALIAS)
        r->ev->kind = GW_OTHER;
    r->ev->chat = who;
    return rc;
}

static int read_alias(reading_t *r)
{
    const char *lid = gw_first_str(r->data, "lid_jid|lid");
    const char *phone = gw_first_str(r->data, "phone_number|phone|pn|pn_jid");
    int rc = WERR_OK;

    r->ev->kind = GW_ALIAS;
    if (!lid || !phone || take_jid(r, lid, &rc) != JID_ALIAS ||
        take_jid(r, phone, &rc) != JID_PHONE)
        return refuse(r, "no pair of LID and phone");
    return rc;
}

static int read_nothing(reading_t *r)
{
    r->ev->kind = GW_OTHER;
    return WERR_OK;
}

/* A name that ends in a dot stands for all that begin with it. */
static const struct {
    const char *name;
    int (*read)(reading_t *r);
} readers[] = {
    {"message.received", read_message},
    {"message.sent", read_sent},
    {"message.status", read_status},
    {"message.delivered", read_status},
    {"message.read", read_status},
    {"message.played", read_status},
    {"message.failed", read_status},
    {"message.reaction", read_about},
    {"message.edited", read_about},
    {"message.deleted", read_about},
    {"message.revoked", read_about},
    {"qr.generated", read_qr},
    {"pairing.code_generated", read_qr},
    {"connection.qr_update", read_qr},
    {"session.", read_session},
    {"connection.", read_session},
    {"typing", read_typing},
    {"presence.update", read_typing},
    {"lid.mapping.resolved", read_alias},
};

static int dispatch(reading_t *r)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        const char *name = readers[i].name;
        size_t len = strlen(name);
        bool all = name[len - 1] == '.';

        if (all ? strncmp(r->name, name, len) != 0 : strcmp(r->name, name) != 0)
            continue;
        if (!json_is_object(r->data))
            return refuse(r, "data is not an object");
        return readers[i].read(r);
    }
    return read_nothing(r);
}

/* ---- envelope ---- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Value of session= in a query string, decoded into out. */
static bool query_session(spool_str_t q, char *out, size_t size)
{
    static const char key[] = "session=";
    size_t at = 0, n = 0;

    while (at < q.len && (q.len - at < sizeof(key) - 1 ||
                          memcmp(q.data + at, key, sizeof(key) - 1) != 0)) {
        const char *amp = memchr(q.data + at, '&', q.len - at);

        if (!amp)
            return false;
        at = (size_t)(amp - q.data) + 1;
    }
    for (at += sizeof(key) - 1; at < q.len && q.data[at] != '&'; at++) {
        char c = q.data[at] == '+' ? ' ' : q.data[at];

        if (c == '%' && q.len - at > 2 && hex_of(q.data[at + 1]) >= 0 &&
            hex_of(q.data[at + 2]) >= 0) {
            c = (char)(hex_of(q.data[at + 1]) * 16 + hex_of(q.data[at + 2]));
            at += 2;
        }
        if (c == '\0' || n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return n > 0;
}

static int take_session(reading_t *r, const spool_record_t *rec)
{
    char name[200];
    int rc = WERR_OK;

    r->ev->session = gw_first_str(r->data, "sessionId");
    if (!r->ev->session)
        r->ev->session =
            gw_first_str(r->root, "sessionId|session_id|instance_id");
    if (!r->ev->session && query_session(rec->query, name, sizeof(name)))
        r->ev->session = keep(r, name, strlen(name), &rc);
    return rc;
}

/* The event's name and data; without an envelope the header names it. */
static int open_envelope(reading_t *r, const spool_record_t *rec)
{
    spool_str_t header = spool_record_header(rec, "x-webhook-event");
    int rc = WERR_OK;

    if (!json_is_object(r->root))
        return refuse(r, "not an object");
    r->name = jsonr_str(r->root, "event");
    r->data = json_object_get(r->root, "data");
    if (!r->name && header.data && header.len > 0 && header.len < 128) {
        r->name = keep(r, header.data, header.len, &rc);
        if (!json_is_object(r->data))
            r->data = r->root;
    }
    if (rc == WERR_OK && !r->name)
        return refuse(r, "no event name");
    r->ev->name = r->name;
    return rc;
}

int waapi_parse(const spool_record_t *rec, gw_events_t *out, char *reason,
                size_t size)
{
    reading_t r = {.out = out, .reason = reason, .size = size};
    json_t *root;
    int rc;

    memset(out, 0, sizeof(*out));
    root = jsonr_parse(rec->body.data, rec->body.len, reason, size);
    if (!root)
        return WERR_INVALID;
    r.root = root;
    rc = gw_events_init(out, root, 1);
    if (rc != WERR_OK)
        return rc;
    r.ev = out->items;
    rc = open_envelope(&r, rec);
    if (rc == WERR_OK)
        rc = take_session(&r, rec);
    if (rc == WERR_OK)
        rc = dispatch(&r);
    if (rc != WERR_OK)
        gw_events_free(out);
    return rc;
}
