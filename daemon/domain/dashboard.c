#include "domain/dashboard.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define HOUR_MS INT64_C(3600000)

/*
 * Chats that moved today, from the day before on, so that a run of messages
 * that began then is known. The last column: said by a machine. CROSS JOIN:
 * in this order, not all messages in theirs.
 */
DB_QUERY_SCAN(dashboard_messages,
              "SELECT s.id, m.chat_id, m.ts, m.direction, "
              "m.source IN ('auto', 'campaign', 'api') "
              "FROM sessions s CROSS JOIN chats c ON c.session_id = s.id "
              "AND c.last_ts >= $1 CROSS JOIN messages m ON m.chat_id = c.id "
              "AND m.ts >= $2 AND m.status < 7 ORDER BY m.chat_id, m.ts, m.id",
              "a small table, and by index of what moved today");
/* last_ts >= 0, which all are: the planner takes chats_failed, and not all
 * chats of the session. */
DB_QUERY_SCAN(dashboard_chats,
              "SELECT s.id, (SELECT count(*) FROM chats c "
              "WHERE c.session_id = s.id AND c.last_ts >= $1 "
              "AND c.last_direction = 0), (SELECT min(o.last_ts) FROM chats o "
              "WHERE o.session_id = s.id AND o.last_ts >= $1 "
              "AND o.last_direction = 0), (SELECT count(*) FROM outbox q "
              "WHERE q.session_id = s.id AND q.state < 4), "
              "(SELECT coalesce(sum(f.failed), 0) FROM chats f "
              "WHERE f.session_id = s.id AND f.failed > 0 AND f.last_ts >= 0) "
              "FROM sessions s",
              "a small table: one row per WhatsApp number");

typedef struct {
    int64_t *items;
    size_t n, cap;
} times_t;

static int add_time(times_t *t, int64_t v)
{
    if (t->n == t->cap) {
        size_t cap = t->cap != 0 ? t->cap * 2 : 64;
        int64_t *more = realloc(t->items, cap * sizeof(*more));
        if (more == NULL) {
            return WERR_NOMEM;
        }
        t->items = more;
        t->cap = cap;
    }
    t->items[t->n++] = v;
    return WERR_OK;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Nearest rank. */
static int64_t percentile(const times_t *t, size_t percent)
{
    if (t->n == 0) {
        return -1;
    }
    size_t rank = (t->n * percent + 99) / 100;
    return t->items[rank - 1] / 1000;
}

/* One chat's run of messages. */
typedef struct {
    int64_t chat;
    int64_t waiting; /* since, ms; 0: nobody waits */
} run_t;

static int take_message(dashboard_t *out, run_t *run, times_t *times,
                        int64_t today, db_stmt_t *s)
{
    int64_t chat = db_i64(s, 1), ts = db_i64(s, 2);
    bool outgoing = db_i64(s, 3) != 0;
    bool machine = !db_is_null(s, 4) && db_i64(s, 4) != 0;
    int rc = WERR_OK;
    if (chat != run->chat) {
        *run = (run_t){.chat = chat};
    }
    if (ts >= today && ts < today + DAY_MS) {
        int64_t *hours = outgoing ? out->out : out->in;
        hours[(ts - today) / HOUR_MS]++;
    }
    if (!outgoing && run->waiting == 0) {
        run->waiting = ts;
    } else if (outgoing && !machine && run->waiting != 0) {
        if (run->waiting >= today) {
            rc = add_time(times, ts - run->waiting);
        }
        run->waiting = 0;
    }
    return rc;
}

static int read_messages(db_t *db, const session_set_t *visible, int64_t today,
                         dashboard_t *out)
{
    run_t run = {0};
    times_t times = {0};
    db_stmt_t *s = db_stmt(db, &dashboard_messages);
    int rc;
    db_bind_i64(s, 1, today);
    db_bind_i64(s, 2, today - DAY_MS);
    while ((rc = db_step(s)) == DB_ROW) {
        if (session_set_has(visible, db_i64(s, 0))) {
            rc = take_message(out, &run, &times, today, s);
            if (rc != WERR_OK) {
                db_done(s);
                break;
            }
        }
    }
    if (times.n > 1) {
        qsort(times.items, times.n, sizeof(times.items[0]), compare);
    }
    out->responses = (int64_t)times.n;
    out->median_s = percentile(&times, 50);
    out->p90_s = percentile(&times, 90);
    free(times.items);
    return rc;
}

static int read_chats(db_t *db, const session_set_t *visible, int64_t since,
                      dashboard_t *out)
{
    db_stmt_t *s = db_stmt(db, &dashboard_chats);
    int rc;
    db_bind_i64(s, 1, since);
    while ((rc = db_step(s)) == DB_ROW) {
        if (!session_set_has(visible, db_i64(s, 0))) {
            continue;
        }
        out->unanswered += db_i64(s, 1);
        if (!db_is_null(s, 2) &&
            (out->oldest == 0 || db_i64(s, 2) < out->oldest)) {
            out->oldest = db_i64(s, 2);
        }
        out->queued += db_i64(s, 3);
        out->failed += db_i64(s, 4);
    }
    return rc;
}

int dashboard_read(db_t *db, const domain_settings_t *settings,
                   const session_set_t *visible, int64_t now, dashboard_t *out)
{
    int64_t day = clock_day_of(now, settings->utc_offset_s);
    int64_t today = clock_day_start(day, settings->utc_offset_s);
    memset(out, 0, sizeof(*out));
    int rc = read_messages(db, visible, today, out);
    if (rc == WERR_OK) {
        rc = read_chats(db, visible, now - DASHBOARD_UNANSWERED_DAYS * DAY_MS,
                        out);
    }
    return rc;
}
