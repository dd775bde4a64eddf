/*
 * held.c - what a crash has left: messages that may have gone out or not.
 */
#include "outbox/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define HELD_MAX     256
#define FIRST_MS     2000 /* a call of the one that crashed may still run */
#define FIRST_GAP_MS 50

/* Takes over h->d. */
static int watch(outbox_t *o, held_t *h, size_t i)
{
    attempt_t *a = calloc(1, sizeof(*a));

    if (!a) {
        delivery_free(&h->d, 1);
        return WERR_NOMEM;
    }
    a->o = o;
    a->d = h->d;
    a->d.attempts--; /* this one is counted already */
    (void)snprintf(a->id, sizeof(a->id), "%s", h->attempt);
    a->account = gateway_account(o->accounts, o->naccounts, a->d.account_name);
    a->driver = a->account ? gw_driver(a->account->driver) : NULL;
    a->started = h->said;
    a->until = h->deadline;
    a->watched = true;
    if (!a->driver || !a->driver->lookup) {
        attempt_free(a);
        return WERR_OK;
    }
    a->lookup_at = clock_mono_ms() + FIRST_MS + (int64_t)i * FIRST_GAP_MS;
    a->next = o->lookups;
    o->lookups = a;
    return WERR_OK;
}

int held_watch(outbox_t *o)
{
    held_t *held = calloc(HELD_MAX, sizeof(*held));
    size_t n = 0;
    int rc = held ? delivery_held(o->db, held, HELD_MAX, &n) : WERR_NOMEM;

    for (size_t i = 0; i < n; i++) {
        int failed = watch(o, &held[i], i);

        if (failed != WERR_OK) {
            rc = failed;
        }
    }
    free(held);
    return rc;
}
