/* One record by itself, again: what a dead letter or a raw event holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/apply.h"
#include "intake/intake.h"

int intake_replay(tx_t *tx, const gateway_account_t *accounts, size_t n,
                  const void *record, size_t len, char *reason, size_t size)
{
    apply_t *a = calloc(1, sizeof(*a));
    char *copy = malloc(len + 1);
    item_t item = {0};
    int rc = WERR_NOMEM;

    if (a == NULL || copy == NULL) {
        goto out;
    }
    memcpy(copy, record, len);
    rc = item_prepare(&item, accounts, n, 0, copy, len);
    if (rc != WERR_OK) {
        goto out;
    }
    if (item.dead != NULL) {
        snprintf(reason, size, "%s: %s", item.dead, item.reason);
        rc = WERR_INVALID;
        goto out;
    }
    apply_begin(a, false, NULL);
    rc = apply_item(a, tx, &item);
    if (rc != WERR_OK && !werr_is_fault(rc)) {
        snprintf(reason, size, "%s", a->reason);
        rc = WERR_INVALID;
    }
out:
    item_free(&item);
    free(copy);
    free(a);
    return rc;
}
