/*
 * waapi_message.c - messages, in each of the shapes of docs/gateways.md.
 */
#include "gateway/waapi.h"

#include <string.h>
#include <strings.h>

#include "base/jsonr.h"

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

static shape_t shape_of(const waapi_reading_t *r)
{
    const json_t *message = json_object_get(r->data, "message");

    if (r->data == r->root || jsonr_str(r->data, "wa_message_id") ||
        jsonr_str(r->data, "chat_jid") ||
        json_object_get(r->root, "organization_id")) {
        return V2;
    }
    if (json_is_object(message)) {
        return jsonr_str(message, "remote_jid") ? V1_CODE : V1_FLAT;
    }
    if (json_object_get(r->root, "sessionId") ||
        jsonr_str(r->data, "message_id")) {
        return V1_DOCUMENT;
    }
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

    if (strcmp(ev->type, "text") == 0) {
        return;
    }
    ev->media_url = gw_first_str(data, "media_url|mediaUrl|message.media_url|"
                                       "message.metadata.media_url");
    ev->media_mime = gw_first_str(data, mime);
    ev->media_name = gw_first_str(data, name);
    if (!ev->media_mime) {
        ev->media_mime = raw->mime;
    }
    if (!ev->media_name) {
        ev->media_name = raw->name;
    }
    ev->media_size = raw->size;
    if (json_is_integer(size) && json_integer_value(size) >= 0) {
        ev->media_size = json_integer_value(size);
    }
}

/* A type that the gateway told gives way to a more telling one of the raw
 * message: unread texts and captions are all called "text" by it. */
static const char *choose_type(const char *told, const waapi_raw_t *raw,
                               const char *text)
{
    const char *type = told ? waapi_type(told) : "text";

    if (raw->type && (!type || strcmp(type, "text") == 0)) {
        return raw->type;
    }
    if (type) {
        return type;
    }
    return *text ? "text" : "unsupported";
}

static void take_content(waapi_reading_t *r, shape_t shape,
                         const waapi_raw_t *raw)
{
    gw_event_t *ev = r->ev;

    ev->text = gw_first_str(r->data, shapes[shape].text);
    if (!ev->text) {
        ev->text = raw->text;
    }
    if (!ev->text) {
        ev->text = "";
    }
    ev->type =
        choose_type(gw_first_str(r->data, shapes[shape].type), raw, ev->text);
    ev->reply_to = gw_first_str(
        r->data, "reply_to|quoted_message_id|message.metadata.quoted_id|"
                 "message.quoted_message_id");
    if (!ev->reply_to) {
        ev->reply_to = raw->reply_to;
    }
    take_media(ev, r->data, raw);
}

/* Reactions, edits and deletes come as messages about messages. */
static void take_about(gw_event_t *ev, const waapi_raw_t *raw)
{
    ev->kind = raw->kind;
    ev->wa_id = raw->about;
    if (raw->kind == GW_REACTION) {
        ev->emoji = raw->text ? raw->text : "";
    } else if (raw->kind == GW_EDIT) {
        ev->text = raw->text;
    }
}

int waapi_message(waapi_reading_t *r)
{
    shape_t shape = shape_of(r);
    const json_t *message = gw_first(r->data, shapes[shape].raw);
    const char *direction = jsonr_str(r->data, "direction"), *to;
    gw_event_t *ev = r->ev;
    waapi_raw_t raw;
    int rc;

    ev->kind = GW_MESSAGE;
    ev->from_me = waapi_truth(r->data, shapes[shape].from_me) ||
                  (direction && strcasecmp(direction, "OUTGOING") == 0) ||
                  strcmp(r->name, "message.sent") == 0;
    to = ev->from_me ? gw_first_str(r->data, "to") : NULL;
    rc =
        waapi_take_chat(r, to ? to : gw_first_str(r->data, shapes[shape].chat));
    if (rc != WERR_OK || ev->kind == GW_OTHER) {
        return rc;
    }
    ev->ts = waapi_time(r, shapes[shape].time);
    ev->push_name =
        ev->from_me ? NULL : gw_first_str(r->data, shapes[shape].name);
    waapi_raw_read(message, &raw);
    if (raw.kind != GW_MESSAGE && (raw.about || raw.silent)) {
        take_about(ev, &raw);
        return WERR_OK;
    }
    ev->wa_id = waapi_bare_id(r, gw_first_str(r->data, shapes[shape].id), &rc);
    ev->client_id = gw_first_str(r->data, "client_id|client_message_id");
    take_content(r, shape, &raw);
    return rc;
}
