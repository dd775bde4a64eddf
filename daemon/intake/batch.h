/*
 * batch.h - records taken from the spool and made ready, outside any
 * transaction. Private to intake/.
 */
#ifndef WACRM_INTAKE_BATCH_H
#define WACRM_INTAKE_BATCH_H

#include <stdatomic.h>

#include "intake/item.h"

/* Where batches come from; constant. */
typedef struct {
    spool_t *spool;
    const gateway_account_t *accounts;
    size_t naccounts;
    size_t max; /* records of one batch */
} source_t;

typedef struct {
    spool_batch_t raw;
    item_t *items; /* source max of them */
    size_t n;
    _Atomic size_t next; /* item that nobody has begun */
    _Atomic size_t quarantined;
} batch_t;

int batch_init(batch_t *b, const source_t *from) WACRM_CHECKED;
/* Empties it, keeps the room for items. */
void batch_clear(batch_t *b);
void batch_free(batch_t *b);

/* Takes what waits after `after`. WERR_NOTFOUND: nothing; or a fault. */
int batch_take(batch_t *b, const source_t *from, uint64_t after) WACRM_CHECKED;

/*
 * Decodes and parses what was taken; several threads may share the work. What
 * is no record goes to the spool's quarantine. WERR_OK, or a fault.
 */
int batch_prepare(batch_t *b, const source_t *from) WACRM_CHECKED;

/* Both. */
int batch_read(batch_t *b, const source_t *from, uint64_t after) WACRM_CHECKED;

#endif
