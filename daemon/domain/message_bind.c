/* The id that the gateway has told of a message of ours. */
#include "domain/message_row.h"

#include "domain/chat_changes.h"
#include "domain/event.h"
#include "domain/media.h"
#include "domain/parked.h"

DB_QUERY(message_set_wa, "UPDATE messages SET wa_id = $2 WHERE id = $1");
DB_QUERY(message_keep_former,
         "INSERT INTO former_ids (session_id, wa_id, message_id) "
         "SELECT session_id, wa_id, id FROM messages WHERE id = $1 "
         "AND wa_id <> $2 ON CONFLICT (session_id, wa_id) "
         "DO UPDATE SET message_id = excluded.message_id");
DB_QUERY(message_twin_reactions,
         "UPDATE reactions SET message_id = $2 WHERE message_id = $1");
DB_QUERY(message_twin_last, "UPDATE chats SET last_message_id = $2, "
                            "last_ts = (SELECT ts FROM messages WHERE id = $2) "
                            "WHERE id = $3 AND last_message_id = $1");
DB_QUERY(message_twin_delete, "DELETE FROM messages WHERE id = $1");
DB_QUERY(message_twin_ours,
         "SELECT 1 FROM messages m WHERE m.id = $1 AND (m.source IS NOT NULL "
         "OR EXISTS (SELECT 1 FROM outbox WHERE message_id = m.id))");
/* What was unknown until that echo: only such a row has a reason. */
DB_QUERY(message_twin_unproven,
         "UPDATE outbox SET state = 6, updated_at = $2 WHERE message_id = $1 "
         "AND state = 4 AND reason IS NOT NULL");

static int run_twin(tx_t *tx, const db_query_t *q, int64_t twin, int64_t m,
                    int64_t chat)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, twin);
    if (m != 0) {
        db_bind_i64(s, 2, m);
    }
    if (chat != 0) {
        db_bind_i64(s, 3, chat);
    }
    return db_exec(s);
}

/* It may be told once more. */
static int keep_former(tx_t *tx, const message_row_t *m, const char *wa_id)
{
    db_stmt_t *s = db_stmt(tx->db, &message_keep_former);

    db_bind_i64(s, 1, m->id);
    db_bind_text(s, 2, wa_id != NULL ? wa_id : "");
    return db_exec(s);
}

static int set_wa_id(tx_t *tx, message_row_t *m, const char *wa_id)
{
    int rc = WERR_OK;
    db_stmt_t *s;

    if (m->former) {
        rc = keep_former(tx, m, wa_id);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &message_set_wa);
    db_bind_i64(s, 1, m->id);
    db_bind_text(s, 2, wa_id);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        m->bound = wa_id != NULL;
        m->former = false;
    }
    return rc;
}

/*
 * An echo came before the gateway's answer and was taken for a message sent
 * on the phone (its text differed): what it told goes to our row.
 */
static int absorb_twin(tx_t *tx, message_row_t *m, const message_row_t *twin)
{
    int rc = chat_flush(tx);

    chat_forget(tx);
    if (rc == WERR_OK) {
        rc = run_twin(tx, &message_twin_reactions, twin->id, m->id, 0);
    }
    if (rc == WERR_OK) {
        rc = media_detach(tx, twin->id);
    }
    if (rc == WERR_OK) {
        rc = run_twin(tx, &message_twin_last, twin->id, m->id, twin->chat);
    }
    if (rc == WERR_OK) {
        rc = run_twin(tx, &message_twin_delete, twin->id, 0, 0);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_MESSAGE_CHANGED, twin->session, twin->chat,
                         twin->id);
    }
    if (rc == WERR_OK) {
        rc = message_move(tx, m, twin->status, NULL, NULL);
    }
    return rc;
}

static int set_unproven(tx_t *tx, const message_row_t *m, bool *was)
{
    db_stmt_t *s = db_stmt(tx->db, &message_twin_unproven);
    int rc;

    db_bind_i64(s, 1, m->id);
    db_bind_i64(s, 2, tx->now);
    rc = db_exec(s);
    *was = rc == WERR_OK && db_changes(tx->db) > 0;
    return rc;
}

/* An echo was bound to another message of ours, with the same words: the answer
 * knows better whose it is. The other one is what it was before that echo; one
 * that has been retried since, or withdrawn, is what it is. */
static int take_from(tx_t *tx, message_row_t *m, message_row_t *twin)
{
    status_t told = twin->status;
    bool bound = !twin->former && told < STATUS_UNSAID, unproven = false;
    int rc = run_twin(tx, &message_twin_reactions, twin->id, m->id, 0);

    if (rc == WERR_OK) {
        twin->former = false; /* it was never its own */
        rc = set_wa_id(tx, twin, NULL);
    }
    if (rc != WERR_OK || !bound) {
        return rc;
    }
    rc = set_unproven(tx, twin, &unproven);
    if (rc == WERR_OK) {
        rc = message_set_status(
            tx, twin, unproven ? STATUS_UNKNOWN : STATUS_SENT, NULL, NULL);
    }
    return rc == WERR_OK ? message_move(tx, m, told, NULL, NULL) : rc;
}

/* Whoever has the id already. */
static int free_id(tx_t *tx, message_row_t *m, const char *wa_id)
{
    message_row_t twin;
    bool ours;
    db_stmt_t *s;
    int rc = message_row_find(tx->db, m->session, true, wa_id, &twin);

    if (rc == WERR_NOTFOUND || (rc == WERR_OK && twin.id == m->id)) {
        return WERR_OK;
    }
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &message_twin_ours);
    db_bind_i64(s, 1, twin.id);
    rc = db_exists(s, &ours);
    if (rc != WERR_OK) {
        return rc;
    }
    return ours ? take_from(tx, m, &twin) : absorb_twin(tx, m, &twin);
}

int message_bind(tx_t *tx, message_row_t *m, const char *wa_id)
{
    int rc;

    if (wa_id == NULL) {
        return m->former ? set_wa_id(tx, m, NULL) : WERR_OK;
    }
    rc = free_id(tx, m, wa_id);
    if (rc == WERR_OK) {
        /* What it has by now is its first attempt's, which has proved it sent
         * while a retry was on its way, or an echo's: the phone may have said
         * the same. The answer is of this very message. */
        m->former = m->former || m->bound;
        rc = set_wa_id(tx, m, wa_id);
    }
    return rc == WERR_OK ? parked_apply(tx, m, wa_id) : rc;
}
