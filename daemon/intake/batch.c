#include "intake/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define BATCH_BYTES ((size_t)2 << 20)

int batch_init(batch_t *b, const source_t *from)
{
    memset(b, 0, sizeof(*b));
    b->items = calloc(from->max, sizeof(*b->items));
    return b->items == NULL ? WERR_NOMEM : WERR_OK;
}

void batch_clear(batch_t *b)
{
    for (size_t i = 0; i < b->n; i++) {
        item_free(&b->items[i]);
    }
    spool_batch_free(&b->raw);
    memset(&b->raw, 0, sizeof(b->raw));
    b->n = 0;
    atomic_store(&b->next, 0);
    atomic_store(&b->quarantined, 0);
}

void batch_free(batch_t *b)
{
    batch_clear(b);
    free(b->items);
    b->items = NULL;
}

/*
 * A record that cannot be read goes to the spool's quarantine before the
 * position passes it: then a crash between the two loses nothing.
 */
static int quarantine(batch_t *b, const source_t *from, const item_t *item)
{
    int rc = spool_quarantine(from->spool, item->seq, item->reason);

    if (rc != SPOOL_OK && rc != SPOOL_EMPTY) {
        log_error("intake", "msg=\"cannot quarantine\" seq=%llu error=%s",
                  (unsigned long long)item->seq, log_str(spool_strerror(rc)));
        return WERR_IO;
    }
    atomic_fetch_add(&b->quarantined, 1);
    log_warn("intake", "msg=\"record quarantined\" seq=%llu reason=%s",
             (unsigned long long)item->seq, log_str(item->reason));
    return WERR_OK;
}

int batch_prepare(batch_t *b, const source_t *from)
{
    int rc = WERR_OK;
    size_t i;

    while (rc == WERR_OK && (i = atomic_fetch_add(&b->next, 1)) < b->n) {
        const spool_item_t *raw = &b->raw.items[i];
        item_t *item = &b->items[i];
        /* The batch's memory is ours alone. */
        char *data = (char *)(uintptr_t)raw->data.data;

        rc = item_prepare(item, from->accounts, from->naccounts, raw->seq, data,
                          raw->data.len);
        if (rc == WERR_OK && item->dead != NULL &&
            strcmp(item->dead, DEAD_RECORD) == 0) {
            rc = quarantine(b, from, item);
        }
    }
    return rc;
}

int batch_take(batch_t *b, const source_t *from, uint64_t after)
{
    int rc;

    batch_clear(b);
    rc = spool_read(from->spool, after, from->max, BATCH_BYTES, &b->raw);
    if (rc == SPOOL_EMPTY) {
        return WERR_NOTFOUND;
    }
    if (rc != SPOOL_OK) {
        log_error("intake", "msg=\"cannot read the spool\" error=%s",
                  log_str(spool_strerror(rc)));
        return rc == SPOOL_NOMEM ? WERR_NOMEM : WERR_IO;
    }
    b->n = b->raw.n;
    memset(b->items, 0, b->n * sizeof(*b->items));
    return WERR_OK;
}

int batch_read(batch_t *b, const source_t *from, uint64_t after)
{
    int rc = batch_take(b, from, after);

    return rc == WERR_OK ? batch_prepare(b, from) : rc;
}
