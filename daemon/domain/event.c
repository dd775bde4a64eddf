#include "domain/event.h"

#include "domain/event_number.h"

DB_QUERY(event_counter, "SELECT value FROM counters WHERE name = 'event_seq'");
DB_QUERY(event_count,
         "UPDATE counters SET value = $1 WHERE name = 'event_seq'");
DB_QUERY(event_insert,
         "INSERT INTO events (seq, kind, session_id, chat_id, ref, created_at) "
         "VALUES ($1, $2, $3, $4, $5, $6)");

int event_number_read(db_t *db, int64_t *seq)
{
    db_stmt_t *s = db_stmt(db, &event_counter);
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    *seq = db_i64(s, 0);
    db_done(s);
    return WERR_OK;
}

int event_number_write(tx_t *tx)
{
    db_stmt_t *s;

    if (tx->last_seq == 0) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &event_count);
    db_bind_i64(s, 1, tx->last_seq);
    return db_exec(s);
}

int event_raise(tx_t *tx, event_kind_t kind, int64_t session, int64_t chat,
                int64_t ref)
{
    db_stmt_t *s;
    int rc;

    if (tx->last_seq == 0) {
        rc = event_number_read(tx->db, &tx->last_seq);
        if (rc != WERR_OK) {
            return rc;
        }
        tx->first_seq = tx->last_seq + 1;
    }
    s = db_stmt(tx->db, &event_insert);
    db_bind_i64(s, 1, tx->last_seq + 1);
    db_bind_i64(s, 2, kind);
    db_bind_i64(s, 3, session);
    if (chat != 0) {
        db_bind_i64(s, 4, chat);
    }
    if (ref != 0) {
        db_bind_i64(s, 5, ref);
    }
    db_bind_i64(s, 6, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        tx->last_seq++;
    }
    return rc;
}
