/*
 * unmerge.h - the parts of taking a merge back, by the ledger that
 * merge_ledger.c kept. Private to domain/.
 */
#ifndef WACRM_DOMAIN_UNMERGE_H
#define WACRM_DOMAIN_UNMERGE_H

#include "domain/domain.h"

typedef struct {
    int64_t merge;
    int64_t into;
    int64_t was;  /* id of the one that went, then */
    int64_t from; /* and now */
} unmerge_t;

/* The one that stays loses what only the other one had; that one is there
 * again, as u->from. WERR_CONFLICT if its number is somebody else's. */
int unmerge_contacts(tx_t *tx, unmerge_t *u) WACRM_CHECKED;
/* Its chats and their messages, as the ledger has them. WERR_CONFLICT if the
 * chat that took them is not the other one's any more. */
int unmerge_chats(tx_t *tx, const unmerge_t *u) WACRM_CHECKED;

/* Executes q with the n values for $1, $2 ... */
int unmerge_run(tx_t *tx, const db_query_t *q, size_t n,
                const int64_t *v) WACRM_CHECKED;
#define UNMERGE_RUN(tx, q, ...)                                            \
    unmerge_run(tx, q, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
                (const int64_t[]){__VA_ARGS__})

/* Asks q with $1 = a and $2 = b, of which 0 is none: WERR_OK with the first
 * column, WERR_NOTFOUND, or a fault. */
int unmerge_ask(tx_t *tx, const db_query_t *q, int64_t a, int64_t b,
                int64_t *out) WACRM_CHECKED;
/* WERR_CONFLICT if there is such a row. */
int unmerge_none(tx_t *tx, const db_query_t *q, int64_t a,
                 int64_t b) WACRM_CHECKED;
/* The old id, or, where `there` finds somebody else under it, that of
 * `fresh`. */
int unmerge_free_id(tx_t *tx, const db_query_t *there, const db_query_t *fresh,
                    int64_t old, int64_t *out) WACRM_CHECKED;

#endif
