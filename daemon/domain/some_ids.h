/*
 * some_ids.h - rows by their ids, up to SOME at once: "WHERE id " SOME_IDS.
 * What is not bound is null and matches nothing.
 */
#ifndef WACRM_DOMAIN_SOME_IDS_H
#define WACRM_DOMAIN_SOME_IDS_H

#include "db/db.h"

#define SOME 50
#define SOME_IDS                                                        \
    "IN ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "           \
    "$13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, " \
    "$26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, " \
    "$39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50)"

static inline void bind_some_ids(db_stmt_t *s, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n && i < SOME; i++) {
        db_bind_i64(s, (int)i + 1, ids[i]);
    }
}

#endif
