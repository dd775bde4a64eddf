#include "intake/share.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "intake/dead.h"
#include "intake/position.h"
#include "intake/raw.h"

#define CONTENDED 256 /* records, while somebody waits for the writer */
#define LONGEST   50  /* ms */

typedef struct {
    worker_t *w;
    item_t *items;
    size_t n, done;
    bool careful; /* a savepoint around each record */
} share_t;

/* Applies a good record, or keeps a bad one as a dead letter. */
static int apply_one(worker_t *w, tx_t *tx, int64_t spool, item_t *item)
{
    int rc;

    if (item->dead != NULL) {
        w->apply.dead++;
        return dead_keep(tx, w->spool, item);
    }
    rc = apply_item(&w->apply, tx, item);
    if (rc == WERR_OK && item->probe == 0 &&
        tx->domain->settings.raw_retention_days > 0) {
        rc = raw_keep(tx, spool, item);
    }
    return rc;
}

/* What the record itself is to blame for buries it. */
static int bury(worker_t *w, tx_t *tx, int64_t spool, item_t *item, int why)
{
    const char *reason =
        w->apply.reason[0] != '\0' ? w->apply.reason : werr_text(why);
    int rc;

    w->apply.nsessions = 0; /* one may have been made, and undone */
    item->dead = why == WERR_INVALID ? DEAD_PARSE : DEAD_CONSTRAINT;
    snprintf(item->reason, sizeof(item->reason), "%s", reason);
    rc = apply_one(w, tx, spool, item);
    item->dead = NULL; /* should all of this be done again */
    return rc;
}

static int apply_careful(worker_t *w, tx_t *tx, int64_t spool, item_t *item)
{
    welcome_pace_t pace = w->pace;
    int64_t newest = w->apply.newest, mark;
    int undone, rc = domain_savepoint(tx, &mark);

    if (rc != WERR_OK) {
        return rc;
    }
    rc = apply_one(w, tx, spool, item);
    if (rc == WERR_OK) {
        rc = domain_release(tx);
    }
    if (rc == WERR_OK || werr_is_fault(rc)) {
        return rc;
    }
    undone = domain_rollback(tx, mark);
    w->pace = pace;
    w->apply.newest = newest;
    return undone != WERR_OK ? undone : bury(w, tx, spool, item, rc);
}

static bool enough(const share_t *s, int64_t started)
{
    if (s->done % 16 != 0 || s->done == 0) {
        return false;
    }
    return clock_mono_ms() - started >= LONGEST ||
           (s->done >= CONTENDED && store_contended(s->w->domain->store));
}

static int apply_share(tx_t *tx, void *arg)
{
    share_t *s = arg;
    int64_t started = clock_mono_ms(), spool, position;
    int rc = position_ensure(tx, s->w->spool, &spool, &position);

    apply_begin(&s->w->apply, true, &s->w->pace);
    s->done = 0;
    while (rc == WERR_OK && s->done < s->n && !enough(s, started)) {
        item_t *item = &s->items[s->done++];

        if (item->dead != NULL && strcmp(item->dead, DEAD_RECORD) == 0) {
            continue; /* in quarantine */
        }
        rc = s->careful ? apply_careful(s->w, tx, spool, item)
                        : apply_one(s->w, tx, spool, item);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    return position_set(tx, spool, (int64_t)s->items[s->done - 1].seq);
}

/*
 * First without savepoints, which cost copies of pages. Should a record not
 * fit, the share is done again with one around each.
 */
int share_apply(worker_t *w, item_t *items, size_t n, size_t *done)
{
    share_t s = {.w = w, .items = items, .n = n};
    welcome_pace_t pace = w->pace;
    int64_t newest = w->apply.newest;
    int rc = domain_write(w->domain, apply_share, &s);

    if (rc != WERR_OK && !werr_is_fault(rc)) {
        w->pace = pace; /* nobody has been greeted */
        w->apply.newest = newest;
        s.careful = true;
        rc = domain_write(w->domain, apply_share, &s);
    }
    if (rc != WERR_OK) {
        w->pace = pace;
        w->apply.newest = newest;
    }
    *done = s.done;
    return rc;
}
