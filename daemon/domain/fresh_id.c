#include "domain/fresh_id.h"

#include <stdio.h>

DB_QUERY(fresh_id_keep,
         "INSERT INTO counters (name, value) VALUES ($1, $2) "
         "ON CONFLICT (name) DO UPDATE SET value = excluded.value "
         "WHERE excluded.value > counters.value");

int fresh_id_gone(tx_t *tx, const char *table, int64_t id)
{
    db_stmt_t *s = db_stmt(tx->db, &fresh_id_keep);
    char name[40];

    (void)snprintf(name, sizeof(name), "%s_gone", table);
    db_bind_text(s, 1, name);
    db_bind_i64(s, 2, id);
    return db_exec(s);
}
