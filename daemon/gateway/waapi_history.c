/*
 * waapi_history.c - what the seed's gateway remembers: its list of chats
 * (S15) and the messages of one (S17), with the names of either of its texts.
 */
#include "gateway/waapi.h"

#include <string.h>
#include <strings.h>

#include "base/jsonr.h"

#define JID       "remote_jid|remoteJid|key.remoteJid|chat_id|chatId|chat_jid"
#define OTHER_JID "key.remoteJidAlt|remote_jid_alt|remoteJidAlt"
#define NUMBER    "phone_number|phoneNumber|phone"

/* ---- requests ---- */

/* The first page is asked for as the contract has it; it knows no others. */
static void add_page(gw_request_t *r, int page, int size)
{
    buf_addf(&r->url, "limit=%d", size);
    if (page > 1) {
        buf_addf(&r->url, "&page=%d", page);
    }
}

static void session_url(const gateway_account_t *a, const char *session,
                        const char *path, gw_request_t *r)
{
    buf_adds(&r->url, a->base_url);
    buf_adds(&r->url, "/sessions/");
    gw_url_add(&r->url, session);
    buf_adds(&r->url, path);
    r->authorised = true;
}

int waapi_list_chats(const gateway_account_t *a, const char *session, int page,
                     int size, gw_request_t *r)
{
    session_url(a, session, "/chats?", r);
    add_page(r, page, size);
    return gw_request_error(r);
}

int waapi_list_messages(const gateway_account_t *a, const char *session,
                        const char *chat, int page, int size, gw_request_t *r)
{
    session_url(a, session, "/messages?chatId=", r);
    gw_url_add(&r->url, chat);
    buf_addc(&r->url, '&');
    add_page(r, page, size);
    return gw_request_error(r);
}

/* ---- answers ---- */

/* The list of a good answer: the whole, data[], or data's member of that
 * name. */
static const json_t *list_of(const json_t *root, const char *name)
{
    const json_t *data = json_object_get(root, "data");
    const json_t *list = NULL;
    bool success;

    if (jsonr_bool(root, "success", &success) && !success) {
        return NULL;
    }
    if (json_is_array(root)) {
        list = root;
    } else if (json_is_array(data)) {
        list = data;
    } else if (json_is_array(json_object_get(data, name))) {
        list = json_object_get(data, name);
    } else if (json_is_array(json_object_get(root, name))) {
        list = json_object_get(root, name);
    }
    return list;
}

static void copy_whole(char *out, size_t size, const char *text)
{
    if (text && strlen(text) < size) {
        memcpy(out, text, strlen(text) + 1);
    }
}

/* phone or alias from an id; an id that is neither makes it no chat of ours. */
static void take_chat_id(gw_chat_t *c, const char *id)
{
    char out[ALIAS_MAX];

    switch (id ? phone_from_jid(id, strlen(id), out) : JID_INVALID) {
    case JID_PHONE:
        if (!c->phone[0]) {
            copy_whole(c->phone, sizeof(c->phone), out);
        }
        break;
    case JID_ALIAS:
        if (!c->alias[0]) {
            copy_whole(c->alias, sizeof(c->alias), out);
        }
        break;
    case JID_GROUP:
    case JID_BROADCAST:
        c->group = true;
        break;
    case JID_INVALID:
        break;
    }
}

static void read_chat(const json_t *line, gw_chat_t *c)
{
    const char *id = gw_first_str(line, "id|id._serialized|" JID);
    const char *name = gw_first_str(line, "name|push_name|pushName");

    memset(c, 0, sizeof(*c));
    copy_whole(c->id, sizeof(c->id), id);
    take_chat_id(c, id);
    if (waapi_truth(line, "is_group|isGroup")) {
        c->group = true;
    }
    /* of an id that is a LID, "phone" may be its digits: no number */
    if (!c->alias[0]) {
        take_chat_id(c, gw_first_str(line, NUMBER));
    }
    if (name) {
        gw_copy(c->name, sizeof(c->name), name);
    }
    (void)gw_first_time(
        line,
        "lastMessage.timestamp|last_message.timestamp|timestamp|"
        "last_message_at|lastMessageAt|conversationTimestamp|updated_at",
        &c->ts);
}

bool waapi_chats_reply(int http_status, const char *body, size_t len,
                       void (*each)(void *arg, const gw_chat_t *c), void *arg,
                       size_t *n)
{
    char reason[128];
    json_t *root;
    const json_t *list, *line;
    gw_chat_t chat;
    size_t i;

    *n = 0;
    if (http_status != 200) {
        return false;
    }
    root = jsonr_parse(body, len, reason, sizeof(reason));
    list = list_of(root, "chats");
    json_array_foreach(list, i, line)
    {
        read_chat(line, &chat);
        each(arg, &chat);
    }
    *n = json_array_size(list);
    i = json_is_array(list);
    json_decref(root);
    return i != 0;
}

static bool is_from_me(const json_t *line)
{
    const char *direction = jsonr_str(line, "direction");

    return waapi_truth(line, "from_me|fromMe|key.fromMe|is_from_me") ||
           (direction && strncasecmp(direction, "out", 3) == 0);
}

static int take_people(waapi_reading_t *r)
{
    const char *jid = gw_first_str(r->data, JID);
    const char *other = gw_first_str(r->data, OTHER_JID);
    int rc = WERR_OK;
    jid_kind_t kind = JID_INVALID;

    if (jid) {
        kind = waapi_take_jid(r, jid, &rc);
    }
    r->ev->chat = jid;
    r->ev->group = kind == JID_GROUP || kind == JID_BROADCAST;
    if (rc == WERR_OK && other && !r->ev->group) {
        (void)waapi_take_jid(r, other, &rc);
    }
    return rc;
}

static void take_words(waapi_reading_t *r, const waapi_raw_t *raw)
{
    const char *told =
        gw_first_str(r->data, "type|message_type|messageType|message.type");
    gw_event_t *ev = r->ev;

    ev->text = gw_first_str(
        r->data, "content|content.text|text|body|message.content|caption|"
                 "message");
    if (!ev->text) {
        ev->text = raw->text ? raw->text : "";
    }
    ev->type = told ? waapi_type(told) : NULL;
    if (raw->type && (!ev->type || strcmp(ev->type, "text") == 0)) {
        ev->type = raw->type;
    }
    if (!ev->type) {
        ev->type = *ev->text ? "text" : "unsupported";
    }
    ev->reply_to = gw_first_str(r->data, "reply_to|replyTo|quoted_message_id|"
                                         "quotedMessageId|quoted.id");
    if (!ev->reply_to) {
        ev->reply_to = raw->reply_to;
    }
    if (strcmp(ev->type, "text") == 0) {
        return;
    }
    ev->media_url = gw_first_str(r->data, "media_url|mediaUrl|media.url");
    ev->media_mime = gw_first_str(r->data, "mime_type|mimeType|mimetype|"
                                           "media.mime|media.mimetype");
    ev->media_name = gw_first_str(r->data, "file_name|fileName|filename");
    if (!ev->media_mime) {
        ev->media_mime = raw->mime;
    }
    if (!ev->media_name) {
        ev->media_name = raw->name;
    }
    ev->media_size = raw->size;
}

static int read_message(waapi_reading_t *r)
{
    gw_event_t *ev = r->ev;
    const json_t *message = json_object_get(r->data, "message");
    waapi_raw_t raw;
    int rc;

    ev->kind = GW_OTHER;
    ev->name = r->name;
    rc = take_people(r);
    waapi_raw_read(json_is_object(message) ? message
                                           : gw_first(r->data, "raw.message"),
                   &raw);
    if (rc != WERR_OK || ev->group || raw.about || raw.silent) {
        return rc;
    }
    ev->from_me = is_from_me(r->data);
    ev->wa_id = waapi_bare_id(
        r,
        gw_first_str(r->data, "wa_message_id|waMessageId|message_id|messageId|"
                              "key.id|message.message_id|id"),
        &rc);
    (void)gw_first_time(r->data,
                        "timestamp|messageTimestamp|message_timestamp|"
                        "timestampISO|created_at|createdAt",
                        &ev->ts);
    ev->push_name = ev->from_me ? NULL
                                : gw_first_str(r->data, "push_name|pushName|"
                                                        "metadata.push_name");
    ev->status = gw_first_str(r->data, "status|ack");
    take_words(r, &raw);
    if (ev->wa_id && waapi_is_wa_id(ev->wa_id) && ev->ts > 0) {
        ev->kind = GW_MESSAGE;
    }
    return rc;
}

int waapi_messages_reply(int http_status, const char *body, size_t len,
                         gw_events_t *out)
{
    char reason[128];
    waapi_reading_t r = {.name = "history",
                         .out = out,
                         .reason = reason,
                         .size = sizeof(reason)};
    const json_t *list;
    json_t *root;
    int rc;

    memset(out, 0, sizeof(*out));
    if (http_status != 200) {
        return WERR_INVALID;
    }
    root = jsonr_parse(body, len, reason, sizeof(reason));
    list = list_of(root, "messages");
    if (!list) {
        json_decref(root);
        return WERR_INVALID;
    }
    r.root = root;
    rc = gw_events_init(out, root, json_array_size(list));
    for (size_t i = 0; rc == WERR_OK && i < out->n; i++) {
        r.data = json_array_get(list, i);
        r.ev = &out->items[i];
        rc = read_message(&r);
    }
    return gw_events_end(out, rc);
}
