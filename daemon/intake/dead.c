#include "intake/dead.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/intake.h"

DB_QUERY(dead_insert,
         "INSERT INTO dead_letters (spool_id, seq, source, received_at, code, "
         "reason, record, created_at, updated_at) "
         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) "
         "ON CONFLICT (spool_id, seq) DO NOTHING");
DB_QUERY(dead_newest,
         "SELECT id, source, received_at, code, reason, state "
         "FROM dead_letters WHERE id > 0 ORDER BY id DESC LIMIT $1");
DB_QUERY(dead_one, "SELECT record, reason FROM dead_letters WHERE id = $1");
DB_QUERY(dead_state,
         "UPDATE dead_letters SET state = $2, updated_at = $3 WHERE id = $1");

int dead_keep(tx_t *tx, const char *spool, const item_t *item)
{
    db_stmt_t *s = db_stmt(tx->db, &dead_insert);

    db_bind_text(s, 1, spool);
    db_bind_i64(s, 2, (int64_t)item->seq);
    db_bind_textn(s, 3, item->source.data, item->source.len);
    db_bind_i64(s, 4, item->received);
    db_bind_text(s, 5, item->dead);
    db_bind_text(s, 6, item->reason);
    db_bind_blob(s, 7, item->data.data, item->data.len);
    db_bind_i64(s, 8, tx->now);
    return db_exec(s);
}

int dead_list(db_t *db, int limit, dead_cb cb, void *ctx)
{
    db_stmt_t *s = db_stmt(db, &dead_newest);
    int rc;

    db_bind_i64(s, 1, limit);
    while ((rc = db_step(s)) == DB_ROW) {
        if (cb(ctx, db_i64(s, 0), db_text(s, 1), db_i64(s, 2), db_text(s, 3),
               db_text(s, 4), db_text(s, 5)) != 0) {
            db_done(s);
            return WERR_OK;
        }
    }
    return rc;
}

int dead_get(db_t *db, int64_t id, void **record, size_t *len, char *reason,
             size_t size)
{
    db_stmt_t *s = db_stmt(db, &dead_one);
    const void *blob;
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    blob = db_blob(s, 0, len);
    snprintf(reason, size, "%s", db_text(s, 1));
    *record = malloc(*len + 1);
    if (*record != NULL && *len > 0) {
        memcpy(*record, blob, *len);
    }
    db_done(s);
    return *record == NULL ? WERR_NOMEM : WERR_OK;
}

int dead_set_state(tx_t *tx, int64_t id, const char *state)
{
    db_stmt_t *s = db_stmt(tx->db, &dead_state);
    int rc;

    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, state);
    db_bind_i64(s, 3, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK && db_changes(tx->db) == 0 ? WERR_NOTFOUND : rc;
}
