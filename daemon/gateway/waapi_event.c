/*
 * waapi_event.c - what is not a message: statuses, reactions, sessions,
 * typing, aliases.
 */
#include "gateway/waapi.h"

#include <string.h>

#include "base/jsonr.h"

static const char *const ack_words[] = {"failed",    "pending", "sent",
                                        "delivered", "read",    "played"};

/* A word, or Baileys' number for it; else the event's own last word. */
static const char *status_word(const waapi_reading_t *r)
{
    const json_t *v = gw_first(r->data, "status|ack|update.status");
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : -1;

    if (strcmp(r->name, "message.status") != 0) {
        return strrchr(r->name, '.') + 1;
    }
    if (json_is_string(v) && *json_string_value(v)) {
        return json_string_value(v);
    }
    return n >= 0 && n < (json_int_t)(sizeof(ack_words) / sizeof(*ack_words))
               ? ack_words[n]
               : NULL;
}

int waapi_status(waapi_reading_t *r)
{
    gw_event_t *ev = r->ev;
    const char *id =
        gw_first_str(r->data, "wa_message_id|message_id|messageId|key.id|id");
    const char *chat = gw_first_str(r->data, "chat_jid|to|from|remote_jid");
    int rc = WERR_OK;

    ev->kind = GW_STATUS;
    ev->from_me = true;
    ev->status = status_word(r);
    ev->wa_id = waapi_bare_id(r, id, &rc);
    if (!id) {
        return waapi_refuse(r, "no message id");
    }
    if (!ev->status) {
        return waapi_refuse(r, "no status");
    }
    ev->ts = waapi_time(r, "timestamp");
    ev->error_code = gw_first_str(r->data, "error_code|errorCode|error.code");
    ev->error_title = gw_first_str(
        r->data, "error_message|errorMessage|error.message|error|reason");
    ev->client_id = gw_first_str(r->data, "client_id|client_message_id");
    if (chat) {
        jid_kind_t kind = waapi_take_jid(r, chat, &rc);

        ev->chat = chat;
        if (kind == JID_GROUP || kind == JID_BROADCAST) {
            ev->kind = GW_OTHER;
            ev->group = true;
        }
    }
    return rc;
}

/* A whole message of ours (successor), or only its id and fate (code). */
int waapi_sent(waapi_reading_t *r)
{
    bool whole = jsonr_str(r->data, "chat_jid") ||
                 json_is_object(json_object_get(r->data, "message"));

    return whole ? waapi_message(r) : waapi_status(r);
}

/* message.reaction, message.edited, message.deleted */
int waapi_about(waapi_reading_t *r)
{
    gw_event_t *ev = r->ev;
    const char *id = gw_first_str(
        r->data, "wa_message_id|target_message_id|message_id|messageId|id");
    const char *chat =
        gw_first_str(r->data, "chat_jid|remote_jid|from|jid|sender_jid");
    const json_t *emoji = gw_first(r->data, "emoji|reaction|text");
    int rc;

    if (!id) {
        return waapi_refuse(r, "no message id");
    }
    ev->from_me = waapi_truth(r->data, "from_me|fromMe");
    rc = waapi_take_chat(r, chat);
    if (rc != WERR_OK || ev->group) {
        return rc;
    }
    ev->wa_id = waapi_bare_id(r, id, &rc);
    ev->ts = waapi_time(r, "timestamp");
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

int waapi_session(waapi_reading_t *r)
{
    const char *phone = gw_first_str(r->data, "phone_number|phone|jid|me.id");
    const char *last = strrchr(r->name, '.') + 1;
    gw_event_t *ev = r->ev;
    char out[ALIAS_MAX];
    int rc = WERR_OK;

    ev->kind = GW_SESSION;
    ev->status = gw_first_str(r->data, "status|state|connection");
    if (!ev->status && strcmp(last, "status") != 0 &&
        strcmp(last, "update") != 0) {
        ev->status = last;
    }
    if (!ev->status) {
        return waapi_refuse(r, "no status");
    }
    ev->ts = waapi_time(r, "timestamp");
    ev->error_title = gw_first_str(r->data, "reason");
    if (phone && phone_from_jid(phone, strlen(phone), out) == JID_PHONE) {
        ev->session_phone = waapi_keep(r, out, strlen(out), &rc);
    }
    return rc;
}

/* The code itself is not handed over: whoever has it has the session. */
int waapi_qr(waapi_reading_t *r)
{
    r->ev->kind = GW_QR;
    r->ev->status = "qr";
    r->ev->ts = waapi_time(r, "timestamp");
    return WERR_OK;
}

int waapi_typing(waapi_reading_t *r)
{
    const char *who = gw_first_str(r->data, "from|jid|chat_jid|id");
    const char *presence = gw_first_str(r->data, "presence|state");
    int rc = WERR_OK;

    r->ev->kind = GW_TYPING;
    r->ev->typing = waapi_truth(r->data, "isTyping|is_typing") ||
                    (presence && (strcmp(presence, "composing") == 0 ||
                                  strcmp(presence, "recording") == 0));
    if (!who || waapi_take_jid(r, who, &rc) > JID_ALIAS) {
        r->ev->kind = GW_OTHER;
    }
    r->ev->chat = who;
    return rc;
}

int waapi_alias(waapi_reading_t *r)
{
    const char *lid = gw_first_str(r->data, "lid_jid|lid");
    const char *phone = gw_first_str(r->data, "phone_number|phone|pn|pn_jid");
    int rc = WERR_OK;

    r->ev->kind = GW_ALIAS;
    if (!lid || !phone || waapi_take_jid(r, lid, &rc) != JID_ALIAS ||
        waapi_take_jid(r, phone, &rc) != JID_PHONE) {
        return waapi_refuse(r, "no pair of LID and phone");
    }
    return rc;
}
