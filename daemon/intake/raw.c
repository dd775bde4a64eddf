#include "intake/raw.h"

DB_QUERY(raw_insert, "INSERT INTO raw_events (spool, seq, received_at, record) "
                     "VALUES ($1, $2, $3, $4)");

int raw_keep(tx_t *tx, int64_t spool, const item_t *item)
{
    db_stmt_t *s = db_stmt(tx->db, &raw_insert);

    db_bind_i64(s, 1, spool);
    db_bind_i64(s, 2, (int64_t)item->seq);
    db_bind_i64(s, 3, item->received);
    db_bind_blob(s, 4, item->data.data, item->data.len);
    return db_exec(s);
}
