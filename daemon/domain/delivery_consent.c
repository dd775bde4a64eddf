/* What the outbox holds for somebody who does not want it any more. */
#include "domain/delivery.h"

#include "domain/consent.h"
#include "domain/media.h"
#include "domain/message_row.h"
#include "domain/schedule.h"

DB_QUERY(delivery_asked,
         "SELECT k.opted_out, k.id, o.chat_id, o.created_at, "
         "coalesce(m.source, '') IN ('auto', 'template', 'campaign') "
         "FROM outbox o JOIN messages m ON m.id = o.message_id "
         "JOIN chats c ON c.id = o.chat_id "
         "JOIN contacts k ON k.id = c.contact_id WHERE o.id = $1");
DB_QUERY(delivery_waiting,
         "SELECT o.message_id FROM chats c CROSS JOIN outbox o ON "
         "o.session_id = c.session_id AND o.chat_id = c.id AND o.state < 4 "
         "WHERE c.contact_id = $1 AND o.state = 0 AND o.kind = 'message' "
         "LIMIT 1");
DB_QUERY(delivery_later,
         "SELECT o.message_id FROM chats c CROSS JOIN outbox o ON "
         "o.session_id = c.session_id AND o.chat_id = c.id AND o.state = 7 "
         "WHERE c.contact_id = $1 LIMIT 1");
DB_QUERY(delivery_stopped,
         "UPDATE outbox SET state = 5, deadline = NULL, reason = $3, "
         "updated_at = $2 WHERE message_id = $1 AND state IN (0, 7)");

int delivery_consented(tx_t *tx, int64_t id, bool *may)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_asked);
    int64_t contact, chat, queued;
    bool opted_out, unasked;
    int rc;

    *may = true;
    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc == WERR_NOTFOUND ? WERR_OK : rc; /* a read receipt */
    }
    opted_out = db_i64(s, 0) != 0;
    contact = db_i64(s, 1);
    chat = db_i64(s, 2);
    queued = db_i64(s, 3);
    unasked = db_i64(s, 4) != 0;
    db_done(s);
    if (!opted_out) {
        return WERR_OK;
    }
    *may = false;
    return unasked ? WERR_OK
                   : consent_may_reply(tx, contact, chat, queued, may);
}

int delivery_stop(tx_t *tx, int64_t message, const char *code,
                  const char *title)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_stopped);
    message_row_t m;
    int rc;

    db_bind_i64(s, 1, message);
    db_bind_i64(s, 2, tx->now);
    db_bind_text(s, 3, code);
    rc = db_exec(s);
    if (rc != WERR_OK || db_changes(tx->db) == 0) {
        return rc;
    }
    tx->queued = true; /* its lane goes on */
    rc = media_fetch_stop(tx, message);
    if (rc == WERR_OK) {
        rc = message_row_get(tx->db, message, &m);
    }
    if (rc == WERR_OK && m.status == STATUS_SCHEDULED) {
        rc = schedule_surface(tx, &m, 0);
    }
    return rc == WERR_OK ? message_move(tx, &m, STATUS_FAILED, code, title)
                         : rc;
}

static int refuse_all(tx_t *tx, const db_query_t *q, int64_t contact)
{
    for (;;) {
        db_stmt_t *s = db_stmt(tx->db, q);
        int64_t message;
        int rc;

        db_bind_i64(s, 1, contact);
        rc = db_first(s);
        if (rc != DB_ROW) {
            return rc == WERR_NOTFOUND ? WERR_OK : rc;
        }
        message = db_i64(s, 0);
        db_done(s);
        rc = delivery_stop(tx, message, DELIVERY_OPTED_OUT,
                           DELIVERY_OPTED_OUT_TEXT);
        if (rc != WERR_OK) {
            return rc;
        }
    }
}

int delivery_refuse(tx_t *tx, int64_t contact)
{
    int rc = refuse_all(tx, &delivery_waiting, contact);

    return rc == WERR_OK ? refuse_all(tx, &delivery_later, contact) : rc;
}
