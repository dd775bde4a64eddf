#include "domain/message_row.h"

#include "domain/chat_changes.h"
#include "domain/donor.h"
#include "domain/event.h"

#define ROW                                                                \
    "SELECT m.id, m.session_id, m.chat_id, c.contact_id, m.direction, "    \
    "CASE WHEN m.wa_id IS NULL THEN 0 ELSE 1 END, m.status, "              \
    "coalesce(m.edited_at, 0), coalesce(m.deleted_at, 0) FROM messages m " \
    "JOIN chats c ON c.id = m.chat_id "

DB_QUERY(message_row_by_id, ROW "WHERE m.id = $1");
DB_QUERY(message_row_by_wa,
         ROW "WHERE m.session_id = $1 AND m.direction = $2 AND m.wa_id = $3");
DB_QUERY(message_row_by_former, ROW "JOIN former_ids f ON f.message_id = m.id "
                                    "WHERE f.session_id = $1 AND f.wa_id = $2");
DB_QUERY(message_status_set,
         "UPDATE messages SET status = $2, error_code = $3, error_title = $4 "
         "WHERE id = $1");
DB_QUERY(message_proven,
         "UPDATE outbox SET state = 4, deadline = NULL, updated_at = $2 "
         "WHERE message_id = $1 AND state IN (0, 2, 5, 6)");

/* An id comes with the proof that a message has left. An id without one: it
 * was retried since. */
static int read_row(db_stmt_t *s, message_row_t *m)
{
    int rc = db_first(s);
    bool has_id;

    if (rc != DB_ROW) {
        return rc;
    }
    m->id = db_i64(s, 0);
    m->session = db_i64(s, 1);
    m->chat = db_i64(s, 2);
    m->contact = db_i64(s, 3);
    m->outgoing = db_i64(s, 4) != 0;
    has_id = db_i64(s, 5) != 0;
    m->status = (status_t)db_i64(s, 6);
    m->former = has_id && m->outgoing && m->status <= STATUS_UNKNOWN;
    m->bound = has_id && !m->former;
    m->edited_at = db_i64(s, 7);
    m->deleted_at = db_i64(s, 8);
    db_done(s);
    return WERR_OK;
}

int message_row_get(db_t *db, int64_t id, message_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &message_row_by_id);

    db_bind_i64(s, 1, id);
    return read_row(s, out);
}

int message_row_find(db_t *db, int64_t session, bool outgoing,
                     const char *wa_id, message_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &message_row_by_wa);

    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, outgoing);
    db_bind_text(s, 3, wa_id);
    return read_row(s, out);
}

int message_row_find_former(db_t *db, int64_t session, const char *wa_id,
                            message_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &message_row_by_former);

    db_bind_i64(s, 1, session);
    db_bind_text(s, 2, wa_id);
    return read_row(s, out);
}

/* What the inbox's filter "failed" counts. */
static int is_failed(status_t s)
{
    return s == STATUS_FAILED || s == STATUS_UNKNOWN;
}

/* It has reached the gateway: whatever the outbox thought of it is over. */
static int close_outbox(tx_t *tx, int64_t message)
{
    db_stmt_t *s = db_stmt(tx->db, &message_proven);
    int rc;

    db_bind_i64(s, 1, message);
    db_bind_i64(s, 2, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) > 0) {
        tx->queued = true; /* its lane goes on */
    }
    return rc;
}

int message_set_status(tx_t *tx, message_row_t *m, status_t to,
                       const char *code, const char *title)
{
    status_t from = m->status;
    db_stmt_t *s = db_stmt(tx->db, &message_status_set);
    int rc;

    db_bind_i64(s, 1, m->id);
    db_bind_i64(s, 2, to);
    if (to == STATUS_FAILED) {
        db_bind_text(s, 3, code);
        db_bind_text(s, 4, title);
    }
    rc = db_exec(s);
    if (rc == WERR_OK && is_failed(from) != is_failed(to)) {
        rc = chat_add_failed(tx, m->chat, is_failed(to) - is_failed(from));
    }
    if (rc == WERR_OK && to >= STATUS_SENT && to <= STATUS_PLAYED &&
        (from < STATUS_SENT || from >= STATUS_FAILED)) {
        rc = close_outbox(tx, m->id);
        if (rc == WERR_OK) {
            rc = chat_set_live(tx, m->session, m->chat);
        }
    }
    if (rc == WERR_OK && to >= STATUS_READ && to <= STATUS_PLAYED &&
        (from < STATUS_READ || from >= STATUS_FAILED)) {
        rc = donor_talk(tx, m->contact, TALK_READ, tx->now);
    }
    if (rc == WERR_OK) {
        m->status = to;
        rc = event_raise(tx, EVENT_MESSAGE_STATUS, m->session, m->chat, m->id);
    }
    return rc;
}

int message_move(tx_t *tx, message_row_t *m, status_t to, const char *code,
                 const char *title)
{
    bool withdrawn;
    int rc;

    if (!status_may_move(m->status, to)) {
        return WERR_OK;
    }
    withdrawn = m->status == STATUS_CANCELLED;
    rc = message_set_status(tx, m, to, code, title);
    return rc == WERR_OK && withdrawn ? chat_settle_last(tx, m->chat) : rc;
}
