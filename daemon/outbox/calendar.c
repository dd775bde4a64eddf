/*
 * calendar.c - due times are of the calendar, which may be set: what waits for
 * a time that has gone far ahead waits no longer than it ever should.
 */
#include "base/clock.h"
#include "base/log.h"
#include "outbox/internal.h"

#define STEP_MS    INT64_C(2000)   /* less is what NTP does all the time */
#define LONGEST_MS INT64_C(900000) /* of all waits for a next try */

DB_QUERY(calendar_queued, "UPDATE outbox SET not_before = $2 "
                          "WHERE state = 0 AND not_before > $1");
DB_QUERY(calendar_unknown, "UPDATE outbox SET deadline = $2 "
                           "WHERE state = 2 AND deadline > $1");
DB_QUERY(calendar_fetches, "UPDATE message_media SET fetch_at = $2 "
                           "WHERE fetch_state = 1 AND fetch_at > $1");

typedef struct {
    int64_t longest; /* ms: who waits longer, waits no more */
    int64_t hold;    /* ms, of the unknown ones */
    int64_t n;
} recall_t;

static int recall_of(tx_t *tx, recall_t *r, const db_query_t *query,
                     int64_t beyond, int64_t to)
{
    db_stmt_t *s = db_stmt(tx->db, query);
    int rc;

    db_bind_i64(s, 1, beyond);
    db_bind_i64(s, 2, to);
    rc = db_exec(s);
    r->n += rc == WERR_OK ? db_changes(tx->db) : 0;
    return rc;
}

static int recall(tx_t *tx, void *arg)
{
    recall_t *r = arg;
    int64_t beyond = tx->now + r->longest, held = tx->now + r->hold;
    int rc;

    r->n = 0;
    rc = recall_of(tx, r, &calendar_queued, beyond, tx->now);
    if (rc == WERR_OK) {
        rc = recall_of(tx, r, &calendar_unknown, held, held);
    }
    if (rc == WERR_OK) {
        rc = recall_of(tx, r, &calendar_fetches, beyond, tx->now);
    }
    return rc;
}

static int recall_now(outbox_t *o, int64_t longest)
{
    recall_t r = {.longest = longest,
                  .hold = (int64_t)o->options.unknown_hold_s * 1000};
    int64_t most = 0;
    int rc;

    for (size_t i = 0; i < o->options.nbackoff; i++) {
        if (o->options.backoff_s[i] > most) {
            most = o->options.backoff_s[i];
        }
    }
    if (longest > 0) {
        r.longest += 2 * most * 1000;
    }
    rc = domain_write(o->domain, recall, &r);
    if (rc == WERR_OK && r.n > 0) {
        log_warn("outbox",
                 "msg=\"the clock has gone back: what waited for its old time "
                 "goes on\" count=%lld",
                 (long long)r.n);
    }
    return rc;
}

int calendar_begin(outbox_t *o)
{
    o->ahead = clock_now_ms() - clock_mono_ms();
    return recall_now(o, LONGEST_MS);
}

int calendar_watch(outbox_t *o)
{
    int64_t ahead = clock_now_ms() - clock_mono_ms();
    int rc = WERR_OK;

    if (ahead < o->ahead - STEP_MS) {
        rc = recall_now(o, 0);
    }
    if (rc == WERR_OK) {
        o->ahead = ahead;
    }
    return rc;
}
