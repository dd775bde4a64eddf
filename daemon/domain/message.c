#include "domain/message.h"

#include <string.h>

#include "base/clock.h"
#include "domain/chat_changes.h"
#include "domain/consent.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "domain/message_row.h"
#include "domain/parked.h"

#define REPLY_MS (2 * DAY_MS)

DB_QUERY(message_find, "SELECT id, chat_id FROM messages WHERE session_id = $1 "
                       "AND direction = $2 AND wa_id = $3");
DB_QUERY(message_insert,
         "INSERT INTO messages (session_id, chat_id, direction, wa_id, ts, "
         "type, body, status, reply_to, created_at) "
         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
         "ON CONFLICT DO NOTHING");
DB_QUERY(message_media_insert,
         "INSERT INTO message_media (message_id, remote_url, mime, filename, "
         "size, fetch_state, fetch_at) VALUES ($1, $2, $3, $4, $5, $6, $7)");
/*
 * Ours that this may be the echo of: said at that time, or tried at that time
 * (a retry is later than the message). What has never been tried cannot have
 * an echo; an id of what is not sent is of an attempt before. A gateway may
 * tell a file's name for the text of a file. What is unknown and has been left
 * by its lane comes last: another one is on its way.
 */
DB_QUERY_SCAN(
    message_echo_of,
    "SELECT m.id FROM messages m JOIN outbox o ON o.message_id = m.id "
    "WHERE m.chat_id = $1 AND m.ts >= $2 AND m.ts <= $3 + 60000 "
    "AND m.direction = 1 AND (m.status < 2 OR m.status = 2 "
    "AND m.wa_id IS NULL) "
    "AND o.attempts > 0 AND (m.body = $4 OR (m.type = $5 "
    "AND m.type IN ('image', 'document'))) "
    "AND (m.ts >= $3 - 60000 OR o.updated_at >= $3 - 60000) "
    "ORDER BY o.state = 6, m.ts, m.id LIMIT 1",
    "no scan: it sorts those of one chat and day which have no id yet");
DB_QUERY(message_in_second,
         "SELECT max(ts) FROM messages WHERE chat_id = $1 AND ts >= $2 "
         "AND ts < $3 AND status < 7");
DB_QUERY(message_place_of,
         "SELECT session_id, chat_id FROM messages WHERE id = $1");

static int read_ref(db_stmt_t *s, message_ref_t *out)
{
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    *out = (message_ref_t){.id = db_i64(s, 0), .chat = db_i64(s, 1)};
    db_done(s);
    return WERR_OK;
}

int message_known(db_t *db, int64_t session, bool from_me, const char *wa_id,
                  message_ref_t *out)
{
    db_stmt_t *s = db_stmt(db, &message_find);
    message_row_t m;
    int rc;

    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, from_me);
    db_bind_text(s, 3, wa_id);
    rc = read_ref(s, out);
    if (rc != WERR_NOTFOUND || !from_me) {
        return rc;
    }
    rc = message_row_find_former(db, session, wa_id, &m);
    if (rc == WERR_OK) {
        *out = (message_ref_t){.id = m.id, .chat = m.chat};
    }
    return rc;
}

int message_place(db_t *db, int64_t id, int64_t *session, int64_t *chat)
{
    db_stmt_t *s = db_stmt(db, &message_place_of);
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *session = db_i64(s, 0);
    *chat = db_i64(s, 1);
    db_done(s);
    return WERR_OK;
}

static int echo_of(tx_t *tx, int64_t chat, const message_in_t *in, int64_t *id)
{
    db_stmt_t *s = db_stmt(tx->db, &message_echo_of);

    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, in->ts - DAY_MS);
    db_bind_i64(s, 3, in->ts);
    db_bind_text(s, 4, in->text);
    db_bind_text(s, 5, in->type);
    return db_first_i64(s, id);
}

/* WERR_NOTFOUND: said on the phone, a message of its own. */
static int bind_echo(tx_t *tx, const message_in_t *in, message_ref_t *out)
{
    message_row_t m;
    int rc = echo_of(tx, out->chat, in, &out->id);

    if (rc != WERR_OK) {
        return rc;
    }
    rc = message_row_get(tx->db, out->id, &m);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = message_move(tx, &m, STATUS_SENT, NULL, NULL);
    return rc == WERR_OK ? message_bind(tx, &m, in->wa_id) : rc;
}

/* 0: none, or one that we do not have. */
static int quoted(tx_t *tx, const message_in_t *in, int64_t *id)
{
    message_ref_t ref = {.id = 0};
    int rc = WERR_NOTFOUND;

    if (in->reply_to != NULL) {
        rc = message_known(tx->db, in->session, true, in->reply_to, &ref);
    }
    if (rc == WERR_NOTFOUND && in->reply_to != NULL) {
        rc = message_known(tx->db, in->session, false, in->reply_to, &ref);
    }
    *id = rc == WERR_OK ? ref.id : 0;
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

/*
 * Gateways tell whole seconds, and so do we: within one second of a chat,
 * messages stand as they came, or an answer would be told as said before what
 * it answers.
 */
static int settle_second(tx_t *tx, const chat_entry_t *chat, message_in_t *in)
{
    int64_t second = in->ts - in->ts % 1000;
    db_stmt_t *s;
    int rc;

    if (in->history || chat->last_message == 0 || in->ts >= chat->last_ts) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &message_in_second);
    db_bind_i64(s, 1, chat->id);
    db_bind_i64(s, 2, in->ts);
    db_bind_i64(s, 3, second + 1000);
    rc = db_first(s);
    if (rc == DB_ROW && !db_is_null(s, 0)) {
        in->ts = db_i64(s, 0);
    }
    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}

static int insert(tx_t *tx, const message_in_t *in, message_ref_t *out)
{
    int64_t reply_to;
    db_stmt_t *s;
    int rc = quoted(tx, in, &reply_to);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &message_insert);
    db_bind_i64(s, 1, in->session);
    db_bind_i64(s, 2, out->chat);
    db_bind_i64(s, 3, in->from_me);
    db_bind_text(s, 4, in->wa_id);
    db_bind_i64(s, 5, in->ts);
    db_bind_text(s, 6, in->type);
    db_bind_text(s, 7, in->text);
    db_bind_i64(s, 8, in->from_me ? STATUS_SENT : STATUS_DELIVERED);
    if (reply_to != 0) {
        db_bind_i64(s, 9, reply_to);
    }
    db_bind_i64(s, 10, tx->now);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    out->created = db_changes(tx->db) > 0;
    if (out->created) {
        out->id = db_last_id(tx->db);
    }
    return WERR_OK;
}

static int insert_media(tx_t *tx, int64_t message, const media_t *media)
{
    db_stmt_t *s;

    if (media == NULL) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &message_media_insert);
    db_bind_i64(s, 1, message);
    db_bind_text(s, 2, media->remote_url);
    db_bind_text(s, 3, media->mime);
    db_bind_text(s, 4, media->filename);
    if (media->size >= 0) {
        db_bind_i64(s, 5, media->size);
    }
    db_bind_i64(s, 6, media->remote_url != NULL);
    db_bind_i64(s, 7, tx->now);
    tx->queued = tx->queued || media->remote_url != NULL;
    return db_exec(s);
}

/* What a stored message brings with it. */
static int follow_up(tx_t *tx, int64_t contact, const message_in_t *in,
                     const message_ref_t *out, bool reply)
{
    message_row_t m = {
        .id = out->id,
        .session = in->session,
        .chat = out->chat,
        .contact = contact,
        .outgoing = in->from_me,
        .bound = true,
        .status = in->from_me ? STATUS_SENT : STATUS_DELIVERED,
    };
    event_kind_t kind = !in->live     ? EVENT_CHAT
                        : in->from_me ? EVENT_MESSAGE_SENT
                                      : EVENT_MESSAGE_RECEIVED;
    int rc = insert_media(tx, out->id, in->media);

    /* of history one event for many is enough: whoever applies it raises it */
    if (rc == WERR_OK && !in->history) {
        rc = event_raise(tx, kind, in->session, out->chat, out->id);
    }
    if (rc == WERR_OK && !in->from_me) {
        rc = donor_talk(tx, contact, TALK_MESSAGE, in->ts);
    }
    if (rc == WERR_OK && reply) {
        rc = donor_talk(tx, contact, TALK_REPLY, in->ts);
    }
    if (rc == WERR_OK && !in->from_me && strcmp(in->type, "text") == 0) {
        rc = consent_hear(tx, contact, out->id, in->text, in->ts);
    }
    return rc == WERR_OK ? parked_apply(tx, &m, in->wa_id) : rc;
}

int message_receive(tx_t *tx, int64_t contact, const message_in_t *told,
                    message_ref_t *out)
{
    message_in_t placed = *told, *in = &placed;
    chat_entry_t *chat;
    bool made, reply;
    int rc;

    *out = (message_ref_t){0};
    rc = chat_touch_live(tx, in->session, contact, in->ts, &chat, &out->first);
    if (rc != WERR_OK) {
        return rc;
    }
    out->chat = chat->id;
    if (in->from_me) {
        rc = message_known(tx->db, in->session, true, in->wa_id, out);
        if (rc != WERR_NOTFOUND) {
            return rc;
        }
        rc = bind_echo(tx, in, out);
        if (rc != WERR_NOTFOUND) {
            return rc;
        }
    }
    /* The look-ups above may have moved the entry. */
    rc = chat_touch(tx, in->session, contact, in->ts, &chat, &made);
    if (rc == WERR_OK) {
        rc = settle_second(tx, chat, in);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    rc = insert(tx, in, out);
    if (rc != WERR_OK) {
        return rc;
    }
    if (!out->created) {
        return message_known(tx->db, in->session, in->from_me, in->wa_id, out);
    }
    rc = chat_touch(tx, in->session, contact, in->ts, &chat, &made);
    if (rc != WERR_OK) {
        return rc;
    }
    reply = !in->from_me && chat->last_message != 0 && chat->last_outgoing &&
            in->ts >= chat->last_ts && in->ts - chat->last_ts <= REPLY_MS;
    chat_note_message(chat, out->id, in->ts, in->from_me,
                      !in->from_me && !in->history);
    chat_note_live(chat); /* sent on the phone: it has left */
    return follow_up(tx, contact, in, out, reply);
}
