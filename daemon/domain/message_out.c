/* Messages of ours on their way out: the row, and its place in the outbox. */
#include "domain/message.h"

#include <string.h>

#include "domain/chat_changes.h"
#include "domain/contact.h"
#include "domain/delivery.h"
#include "domain/event.h"
#include "domain/media.h"
#include "domain/message_row.h"

DB_QUERY(message_out_insert,
         "INSERT INTO messages (session_id, chat_id, direction, ts, type, "
         "body, status, source, cs_id, reply_to, created_at, scheduled_at) "
         "VALUES ($1, $2, 1, $3, $4, $5, $9, $6, $7, $8, $10, $11)");
DB_QUERY(message_out_queue,
         "INSERT INTO outbox (kind, message_id, session_id, chat_id, state, "
         "not_before, first, created_at, updated_at) "
         "VALUES ('message', $1, $2, $3, $6, $7, $5, $4, $4)");
DB_QUERY(message_out_template,
         "INSERT INTO message_template_sends (message_id, gateway_name, "
         "language, variables) VALUES ($1, $2, $3, $4)");
DB_QUERY(message_out_again,
         "UPDATE outbox SET state = 0, attempts = 0, attempt_id = NULL, "
         "deadline = NULL, reason = NULL, not_before = $2, updated_at = $2, "
         "created_at = $2, chat_id = $3 WHERE message_id = $1");
DB_QUERY(message_out_fetch_again,
         "UPDATE message_media SET fetch_state = 1, fetch_tries = 0, "
         "fetch_at = $2, fetch_error = NULL WHERE message_id = $1 "
         "AND fetch_state = 2");

/* Behind what the chat ends with, whose gateway's clock may be ahead of ours:
 * by so much it is let through (intake/apply.c). */
#define SKEW_MS INT64_C(300000)

static int64_t behind(const tx_t *tx, const chat_entry_t *chat)
{
    return chat->last_message != 0 && chat->last_ts > tx->now &&
                   chat->last_ts - tx->now <= SKEW_MS
               ? chat->last_ts
               : tx->now;
}

static int insert(tx_t *tx, const message_out_t *o, int64_t chat, int64_t ts,
                  int64_t *id)
{
    db_stmt_t *s = db_stmt(tx->db, &message_out_insert);
    int rc;

    db_bind_i64(s, 1, o->session);
    db_bind_i64(s, 2, chat);
    db_bind_i64(s, 3, o->scheduled_at != 0 ? o->scheduled_at : ts);
    db_bind_text(s, 4, o->type);
    db_bind_text(s, 5, o->text);
    db_bind_text(s, 6, o->source);
    if (o->cs_id != 0) {
        db_bind_i64(s, 7, o->cs_id);
    }
    if (o->reply_to != 0) {
        db_bind_i64(s, 8, o->reply_to);
    }
    db_bind_i64(s, 9, o->scheduled_at != 0 ? STATUS_SCHEDULED : STATUS_QUEUED);
    db_bind_i64(s, 10, tx->now);
    if (o->scheduled_at != 0) {
        db_bind_i64(s, 11, o->scheduled_at);
    }
    rc = db_exec(s);
    if (rc == WERR_OK) {
        *id = db_last_id(tx->db);
    }
    return rc;
}

static int insert_template(tx_t *tx, int64_t message,
                           const message_template_t *t)
{
    db_stmt_t *s = db_stmt(tx->db, &message_out_template);

    db_bind_i64(s, 1, message);
    db_bind_text(s, 2, t->name);
    db_bind_text(s, 3, t->language);
    db_bind_text(s, 4, t->variables);
    return db_exec(s);
}

/* at: ms, 0: at once. */
static int queue(tx_t *tx, int64_t message, int64_t session, int64_t chat,
                 bool first, int64_t at)
{
    db_stmt_t *s = db_stmt(tx->db, &message_out_queue);

    db_bind_i64(s, 1, message);
    db_bind_i64(s, 2, session);
    db_bind_i64(s, 3, chat);
    db_bind_i64(s, 4, tx->now);
    db_bind_i64(s, 5, first);
    db_bind_i64(s, 6, at != 0 ? DELIVERY_SCHEDULED : DELIVERY_QUEUED);
    db_bind_i64(s, 7, at != 0 ? at : tx->now);
    tx->queued = true;
    return db_exec(s);
}

int message_queue(tx_t *tx, const message_out_t *out, int64_t *id)
{
    contact_hint_t hint = {.typed = out->typed};
    contact_ref_t contact;
    chat_entry_t *chat;
    int64_t chat_id, ts;
    bool created, first;
    int rc;

    if (strspn(out->phone, "0123456789") == strlen(out->phone)) {
        hint.phone = out->phone;
    } else {
        hint.alias = out->phone;
    }
    rc = contact_ensure(tx, &hint, &contact);
    if (rc == WERR_OK) {
        rc = chat_touch(tx, out->session, contact.id, tx->now, &chat, &created);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    chat_id = chat->id;
    first = chat->last_message == 0;
    ts = behind(tx, chat);
    rc = insert(tx, out, chat_id, ts, id);
    if (rc != WERR_OK) {
        return rc;
    }
    if (out->scheduled_at == 0) {
        chat_note_message(chat, *id, ts, true, false);
    }
    if (out->media != 0) {
        rc = media_attach(tx, *id, out->media);
    } else if (out->url != NULL) {
        rc = media_expect(tx, *id, out->url, out->type_told);
    }
    if (rc == WERR_OK && out->template != NULL) {
        rc = insert_template(tx, *id, out->template);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    rc = queue(tx, *id, out->session, chat_id, first, out->scheduled_at);
    if (rc != WERR_OK) {
        return rc;
    }
    return event_raise(
        tx, out->scheduled_at != 0 ? EVENT_MESSAGE_CHANGED : EVENT_MESSAGE_SENT,
        out->session, chat_id, *id);
}

int message_retry(tx_t *tx, int64_t id)
{
    message_row_t m;
    db_stmt_t *s;
    int rc = message_row_get(tx->db, id, &m);

    if (rc != WERR_OK) {
        return rc;
    }
    if (!m.outgoing || m.deleted_at != 0 ||
        (m.status != STATUS_FAILED && m.status != STATUS_UNKNOWN)) {
        return WERR_CONFLICT;
    }
    s = db_stmt(tx->db, &message_out_again);
    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, tx->now);
    db_bind_i64(s, 3, m.chat); /* a merge moves only rows that are open */
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) == 0) {
        rc = queue(tx, id, m.session, m.chat, false, 0);
    }
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &message_out_fetch_again);
        db_bind_i64(s, 1, id);
        db_bind_i64(s, 2, tx->now);
        rc = db_exec(s);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    tx->queued = true;
    return message_set_status(tx, &m, STATUS_QUEUED, NULL, NULL);
}
