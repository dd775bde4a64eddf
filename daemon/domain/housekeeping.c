#include "domain/housekeeping.h"

#include "base/clock.h"
#include "domain/media.h"

#define BATCH    500
#define BATCHES  200 /* of one kind, at one call */
#define HOURS_24 DAY_MS
#define DAYS_7   (7 * DAY_MS)
#define DAYS_30  (30 * DAY_MS)
#define DAYS_90  (90 * DAY_MS)

/* Old rows lie at the low end of the key: no index on the time is needed. */
DB_QUERY(old_raw_events,
         "DELETE FROM raw_events WHERE id < "
         "(SELECT min(id) FROM raw_events) + $2 AND received_at < $1");
/* The newest stays: when it was is when somebody who has seen it looked. */
DB_QUERY(old_events, "DELETE FROM events WHERE seq < "
                     "(SELECT min(seq) FROM events) + $2 AND created_at < $1 "
                     "AND seq < (SELECT max(seq) FROM events)");
DB_QUERY(old_idempotency,
         "DELETE FROM idempotency WHERE (user_id, key) IN "
         "(SELECT user_id, key FROM idempotency WHERE created_at < $1 "
         "ORDER BY created_at LIMIT $2)");
DB_QUERY(old_parked, "DELETE FROM parked WHERE id IN (SELECT id FROM parked "
                     "WHERE created_at < $1 ORDER BY created_at LIMIT $2)");
DB_QUERY(old_outbox_sent,
         "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox "
         "WHERE state = 4 AND updated_at < $1 ORDER BY updated_at LIMIT $2)");
DB_QUERY(old_outbox_failed,
         "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox "
         "WHERE state = 5 AND updated_at < $1 ORDER BY updated_at LIMIT $2)");
DB_QUERY(old_dead_replayed,
         "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters "
         "WHERE state = 'replayed' AND updated_at < $1 ORDER BY id "
         "LIMIT $2)");
DB_QUERY(old_dead_dropped,
         "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters "
         "WHERE state = 'dropped' AND updated_at < $1 ORDER BY id LIMIT $2)");

typedef struct {
    const db_query_t *query;
    int64_t before;
} sweep_t;

static int sweep_batch(tx_t *tx, void *arg)
{
    const sweep_t *w = arg;
    db_stmt_t *s = db_stmt(tx->db, w->query);
    int rc;

    db_bind_i64(s, 1, w->before);
    db_bind_i64(s, 2, BATCH);
    rc = db_exec(s);
    return rc == WERR_OK ? (int)db_changes(tx->db) : rc;
}

static int sweep(domain_t *d, const db_query_t *query, int64_t age)
{
    sweep_t w = {.query = query, .before = clock_now_ms() - age};
    int total = 0;

    for (int i = 0; i < BATCHES; i++) {
        int n = domain_write(d, sweep_batch, &w);

        if (n < 0) {
            return n;
        }
        total += n;
        if (n < BATCH) {
            break;
        }
    }
    return total;
}

int domain_housekeep(domain_t *d)
{
    const struct {
        const db_query_t *query;
        int64_t age;
    } kinds[] = {
        {&old_raw_events, d->settings.raw_retention_days * DAY_MS},
        {&old_events, DAYS_30},
        {&old_idempotency, HOURS_24},
        {&old_parked, DAYS_7},
        {&old_outbox_sent, DAYS_30},
        {&old_outbox_failed, DAYS_30},
        {&old_dead_replayed, DAYS_90},
        {&old_dead_dropped, DAYS_90},
    };
    int total = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int n = sweep(d, kinds[i].query, kinds[i].age);

        if (n < 0) {
            return n;
        }
        total += n;
    }
    {
        int n = media_housekeep(d);

        return n < 0 ? n : total + n;
    }
}
