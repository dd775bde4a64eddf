#include "intake/position.h"

DB_QUERY(position_get,
         "SELECT id, position FROM spool_positions WHERE spool_id = $1");
DB_QUERY(position_insert,
         "INSERT INTO spool_positions (spool_id, position, updated_at) "
         "VALUES ($1, 0, $2)");
DB_QUERY(position_update,
         "UPDATE spool_positions SET position = $2, updated_at = $3 "
         "WHERE id = $1");

int position_ensure(tx_t *tx, const char *spool, int64_t *id, int64_t *position)
{
    db_stmt_t *s = db_stmt(tx->db, &position_get);
    int rc;

    db_bind_text(s, 1, spool);
    rc = db_first(s);
    if (rc == DB_ROW) {
        *id = db_i64(s, 0);
        *position = db_i64(s, 1);
        db_done(s);
        return WERR_OK;
    }
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    s = db_stmt(tx->db, &position_insert);
    db_bind_text(s, 1, spool);
    db_bind_i64(s, 2, tx->now);
    rc = db_exec(s);
    *position = 0;
    *id = rc == WERR_OK ? db_last_id(tx->db) : 0;
    return rc;
}

int position_set(tx_t *tx, int64_t id, int64_t position)
{
    db_stmt_t *s = db_stmt(tx->db, &position_update);

    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, position);
    db_bind_i64(s, 3, tx->now);
    return db_exec(s);
}
