#include "domain/contact_info.h"

#include "base/clock.h"

#define SWEEP 20 /* old ones that go with each new one */

DB_QUERY(contact_info_find,
         "SELECT value FROM contact_info WHERE session_id = $1 "
         "AND phone = $2 AND kind = $3 AND fetched_at > $4");
DB_QUERY(contact_info_set,
         "INSERT INTO contact_info (session_id, phone, kind, value, "
         "fetched_at) VALUES ($1, $2, $3, $4, $5) "
         "ON CONFLICT (session_id, phone, kind) DO UPDATE SET "
         "value = excluded.value, fetched_at = excluded.fetched_at");
DB_QUERY(contact_info_sweep,
         "DELETE FROM contact_info WHERE (session_id, phone, kind) IN "
         "(SELECT session_id, phone, kind FROM contact_info "
         "WHERE fetched_at <= $1 ORDER BY fetched_at LIMIT $2)");

static void bind_key(db_stmt_t *s, const contact_info_t *key)
{
    db_bind_i64(s, 1, key->session);
    db_bind_text(s, 2, key->phone);
    db_bind_text(s, 3, key->kind);
}

int contact_info_get(db_t *db, const contact_info_t *key, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &contact_info_find);
    int rc;

    bind_key(s, key);
    db_bind_i64(s, 4, clock_now_ms() - DAY_MS);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    buf_add(out, db_text(s, 0), db_text_len(s, 0));
    db_done(s);
    return WERR_OK;
}

int contact_info_put(tx_t *tx, const contact_info_t *key, const char *json,
                     size_t len, int64_t keep_ms)
{
    db_stmt_t *s = db_stmt(tx->db, &contact_info_sweep);
    int rc;

    db_bind_i64(s, 1, tx->now - DAY_MS);
    db_bind_i64(s, 2, SWEEP);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &contact_info_set);
    bind_key(s, key);
    db_bind_textn(s, 4, json, len);
    db_bind_i64(s, 5, tx->now - DAY_MS + keep_ms);
    return db_exec(s);
}
