#include "domain/housekeeping.h"

#include "base/clock.h"
#include "domain/media.h"

#define BATCH    500
#define HOUR_MS  (DAY_MS / 24)
#define HOURS_24 DAY_MS
#define DAYS_7   (7 * DAY_MS)
#define DAYS_30  (30 * DAY_MS)
#define DAYS_90  (90 * DAY_MS)

/* Old rows lie at the low end of the key: no index on the time is needed. */
DB_QUERY(old_raw_events,
         "DELETE FROM raw_events WHERE id IN (SELECT id FROM raw_events "
         "WHERE id > 0 ORDER BY id LIMIT $2) AND received_at < $1");
/* The newest stays: when it was is when somebody who has seen it looked. */
DB_QUERY(old_events, "DELETE FROM events WHERE seq IN (SELECT seq FROM events "
                     "WHERE seq > 0 ORDER BY seq LIMIT $2) "
                     "AND created_at < $1 "
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

void housekeeping_begin(housekeeping_t *h)
{
    *h = (housekeeping_t){.began = clock_now_ms()};
}

/* A piece of the kind whose turn it is, which is done when there is nothing
 * more of it. */
static int piece(domain_t *d, housekeeping_t *h, bool *left)
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
    const unsigned rows = sizeof(kinds) / sizeof(kinds[0]);
    int n;

    *left = true;
    if (h->kind < rows) {
        sweep_t w = {.query = kinds[h->kind].query,
                     .before = h->began - kinds[h->kind].age};

        n = domain_write(d, sweep_batch, &w);
        h->kind += n == 0;
        return n;
    }
    if (h->kind == rows) {
        n = media_housekeep(d);
        h->kind += n == 0;
        return n;
    }
    n = media_sweep(d, h->began / HOUR_MS, h->kind - rows - 1);
    h->kind++;
    *left = h->kind - rows - 1 < MEDIA_SWEEPS;
    return n;
}

int housekeeping_step(domain_t *d, housekeeping_t *h, bool *left)
{
    int n = piece(d, h, left);

    h->deleted += n > 0 ? n : 0;
    return n < 0 ? n : WERR_OK;
}
