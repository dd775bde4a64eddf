/*
 * fresh_id.h - numbers of rows that are deleted are not given to others. What
 * names a contact, a chat, a session, a merge or a template by its number
 * outlives it: an open page, the audit, the ledger of a merge. SQLite gives
 * the highest number anew once its row is gone.
 */
#ifndef WACRM_DOMAIN_FRESH_ID_H
#define WACRM_DOMAIN_FRESH_ID_H

#include "domain/domain.h"

/* For INSERT: the number of the new row. */
#define FRESH_ID(table)                                          \
    "(SELECT coalesce(max(v), 0) + 1 FROM (SELECT max(id) AS v " \
    "FROM " table " UNION ALL SELECT value FROM counters "       \
    "WHERE name = '" table "_gone') AS ids)"

/* A statement: before many rows go, the highest number of all. */
#define FRESH_ID_KEEP(table)                                       \
    "INSERT INTO counters (name, value) SELECT '" table "_gone', " \
    "coalesce(max(id), 0) FROM " table " WHERE id > 0 "            \
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value "     \
    "WHERE excluded.value > counters.value"

/* Before the row is deleted. */
int fresh_id_gone(tx_t *tx, const char *table, int64_t id) WACRM_CHECKED;

#endif
