#include "domain/chat.h"

#include "domain/chat_changes.h"
#include "domain/event.h"

DB_QUERY(chat_place, "SELECT session_id FROM chats WHERE id = $1");
DB_QUERY(chat_unread_get, "SELECT session_id, unread FROM chats WHERE id = $1");
DB_QUERY(chat_unread_clear, "UPDATE chats SET unread = 0 WHERE id = $1");
DB_QUERY(chat_star, "UPDATE chats SET starred = 1 - starred WHERE id = $1 "
                    "RETURNING starred, session_id");
DB_QUERY(chat_receipt_open,
         "SELECT id FROM outbox WHERE session_id = $1 AND chat_id = $2 "
         "AND state < 4 AND state = 0 AND kind = 'read' LIMIT 1");
DB_QUERY(chat_receipt,
         "INSERT INTO outbox (kind, session_id, chat_id, state, not_before, "
         "created_at, updated_at) VALUES ('read', $1, $2, 0, $3, $3, $3)");

int chat_session(db_t *db, int64_t chat, int64_t *session)
{
    db_stmt_t *s = db_stmt(db, &chat_place);

    db_bind_i64(s, 1, chat);
    return db_first_i64(s, session);
}

/* One receipt covers all that was unread: a waiting one is enough. */
static int queue_receipt(tx_t *tx, int64_t session, int64_t chat)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_receipt_open);
    int rc;

    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, chat);
    rc = db_first(s);
    if (rc != WERR_NOTFOUND) {
        db_done(s);
        return rc == DB_ROW ? WERR_OK : rc;
    }
    s = db_stmt(tx->db, &chat_receipt);
    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, chat);
    db_bind_i64(s, 3, tx->now);
    tx->queued = true;
    return db_exec(s);
}

int chat_mark_read(tx_t *tx, int64_t chat, bool receipt)
{
    db_stmt_t *s;
    int64_t session, unread;
    int rc = chat_flush(tx);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &chat_unread_get);
    db_bind_i64(s, 1, chat);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    session = db_i64(s, 0);
    unread = db_i64(s, 1);
    db_done(s);
    if (unread == 0) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &chat_unread_clear);
    db_bind_i64(s, 1, chat);
    rc = db_exec(s);
    if (rc == WERR_OK && receipt) {
        rc = queue_receipt(tx, session, chat);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CHAT_READ, session, chat, 0);
    }
    return rc;
}

int chat_toggle_star(tx_t *tx, int64_t chat, bool *starred)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_star);
    int64_t session;
    int rc;

    db_bind_i64(s, 1, chat);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *starred = db_i64(s, 0) != 0;
    session = db_i64(s, 1);
    db_done(s);
    return event_raise(tx, EVENT_CHAT, session, chat, 0);
}
