/*
 * donor_import_batch.h - rows of an import that are stored in one transaction,
 * or only looked at. Private to domain/.
 */
#ifndef WACRM_DOMAIN_DONOR_IMPORT_BATCH_H
#define WACRM_DOMAIN_DONOR_IMPORT_BATCH_H

#include "domain/donor_import.h"
#include "domain/donor_import_row.h"

#define IMPORT_BATCH_MAX 500

typedef struct {
    domain_t *domain;
    donor_import_t *result; /* of what is stored */
    donor_import_t after;   /* when this batch is, too */
    import_row_t *rows; /* room for IMPORT_BATCH_MAX; the caller fills them */
    size_t nrows;
    db_t *db;   /* dry run: a read connection; else NULL */
    void *seen; /* dry run: tree of what would be there, "p..." and "r..." */
} import_batch_t;

/* WERR_NOMEM, or why there is no read connection; nothing is open then. */
int import_batch_open(import_batch_t *b, domain_t *d, bool dry_run,
                      donor_import_t *result) WACRM_CHECKED;
/*
 * Stores the nrows rows, or counts what they would do. A bad row leaves no
 * trace but its `refused`. A fault: nothing is stored of any.
 */
int import_batch_write(import_batch_t *b) WACRM_CHECKED;
void import_batch_close(import_batch_t *b);

#endif
