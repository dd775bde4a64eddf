/*
 * top.c - what wacrmctl top and wacrmctl selftest ask: one object each.
 */
#include "base/clock.h"
#include "base/jsonr.h"
#include "base/process.h"
#include "control/command.h"
#include "control/control.h"
#include "domain/delivery.h"
#include "domain/event.h"
#include "intake/intake.h"

DB_QUERY(top_dead, "SELECT count(*) FROM dead_letters WHERE state = 'open'");
DB_QUERY_SCAN(top_sessions,
              "SELECT count(*), count(*) FILTER (WHERE status = 'connected'), "
              "count(*) FILTER (WHERE wanted = 1 AND down_since IS NOT NULL) "
              "FROM sessions",
              "a small table: one row per WhatsApp number");
DB_QUERY(top_latest, "SELECT coalesce(max(seq), 0) FROM events");
DB_QUERY(top_probe, "SELECT seq FROM events WHERE seq > $1 AND kind = $2 AND "
                    "ref = $3 ORDER BY seq LIMIT 1");

static void add_spool(const command_t *c, buf_t *b)
{
    spool_stat_t st;
    spool_batch_t first;
    spool_record_t rec;
    int64_t lag = 0;

    if (spool_stat(c->spool, &st) != SPOOL_OK) {
        return;
    }
    jw_i64(b, "spool_records", (int64_t)st.records);
    jw_i64(b, "spool_bytes", (int64_t)st.bytes);
    jw_i64(b, "spool_limit", (int64_t)st.limit);
    if (st.records > 0 && spool_read(c->spool, 0, 1, 1, &first) == SPOOL_OK) {
        if (spool_record_decode(first.items[0].data.data,
                                first.items[0].data.len, &rec) == SPOOL_OK) {
            lag = clock_now_ms() - (int64_t)(rec.received_us / 1000);
        }
        spool_batch_free(&first);
    }
    jw_i64(b, "lag_ms", lag > 0 ? lag : 0);
}

static void add_intake(const command_t *c, buf_t *b)
{
    const intake_counters_t *n = intake_counters(c->parts->intake);

    jw_i64(b, "events", n->events);
    jw_i64(b, "duplicates", n->duplicates);
    jw_i64(b, "dead", n->dead);
    jw_i64(b, "intake_faults", n->faults);
    jw_i64(b, "apply_us", n->apply_us);
}

static void add_outbox(const command_t *c, buf_t *b)
{
    const outbox_counters_t *n = outbox_counters(c->parts->outbox);
    delivery_stat_t st;

    jw_i64(b, "sent", n->sent);
    jw_i64(b, "retried", n->retried);
    jw_i64(b, "failed_total", n->failed);
    if (delivery_stat(c->db, &st) == WERR_OK) {
        jw_i64(b, "queued", st.queued);
        jw_i64(b, "inflight", st.inflight);
        jw_i64(b, "unknown", st.unknown);
        jw_i64(b, "failed", st.failed);
        jw_i64(b, "scheduled", st.scheduled);
        jw_i64(b, "oldest_ms", st.oldest > 0 ? clock_now_ms() - st.oldest : 0);
    }
}

static void add_rows(const command_t *c, buf_t *b)
{
    db_stmt_t *s = db_stmt(c->db, &top_dead);

    if (db_first(s) == DB_ROW) {
        jw_i64(b, "dead_open", db_i64(s, 0));
        db_done(s);
    }
    s = db_stmt(c->db, &top_sessions);
    if (db_first(s) == DB_ROW) {
        jw_i64(b, "sessions", db_i64(s, 0));
        jw_i64(b, "sessions_connected", db_i64(s, 1));
        jw_i64(b, "sessions_down", db_i64(s, 2));
        db_done(s);
    }
}

static void add_rest(const command_t *c, buf_t *b)
{
    const realtime_counters_t *n = realtime_counters(c->parts->realtime);
    store_stat_t st;
    int64_t lag;

    jw_i64(b, "sockets", n->connections);
    jw_i64(b, "frames", n->messages_out);
    jw_i64(b, "realtime_behind", atomic_load(&c->domain->last_seq) - n->seq);
    jw_i64(b, "realtime_faults", n->faults);
    store_stat(c->domain->store, &st);
    jw_i64(b, "commits", st.commits);
    jw_i64(b, "commit_us", st.commit_us);
    jw_i64(b, "database_faults", st.faults);
    jw_i64(b, "database_bytes", st.db_bytes);
    jw_i64(b, "wal_bytes", st.wal_bytes);
    jw_i64(b, "alarms", c->parts->alarms->firing);
    if (search_lag(c->search, c->db, &lag) == WERR_OK) {
        jw_i64(b, "search_lag", lag);
    }
}

/* Counters since the start, and figures of now; the asker makes rates. */
bool command_top(command_t *c, const json_t *request)
{
    buf_t b;

    (void)request;
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_i64(&b, "at_ms", clock_mono_ms());
    jw_i64(&b, "uptime_ms", clock_now_ms() - c->parts->started_ms);
    jw_i64(&b, "memory", process_memory());
    jw_i64(&b, "files", process_files());
    add_intake(c, &b);
    add_spool(c, &b);
    add_outbox(c, &b);
    add_rows(c, &b);
    add_rest(c, &b);
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
    return true;
}

/* Where a self-test has got to. Without a number: where its events begin. */
bool command_probe(command_t *c, const json_t *request)
{
    int64_t number = 0, since = 0, seq = 0;
    intake_probe_t p;
    spool_stat_t st;
    db_stmt_t *s;
    buf_t b;

    (void)jsonr_i64(request, "probe", &number);
    (void)jsonr_i64(request, "since", &since);
    s = db_stmt(c->db, number > 0 ? &top_probe : &top_latest);
    if (number > 0) {
        db_bind_i64(s, 1, since);
        db_bind_i64(s, 2, EVENT_PROBE);
        db_bind_i64(s, 3, number);
    }
    if (db_first(s) == DB_ROW) {
        seq = db_i64(s, 0);
        db_done(s);
    }
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_i64(&b, "seq", seq);
    jw_i64(&b, "told", realtime_counters(c->parts->realtime)->seq);
    intake_probe(c->parts->intake, &p);
    if (number > 0 && p.probe == number) {
        jw_i64(&b, "received_us", p.received_us);
        jw_i64(&b, "taken_us", p.taken_us);
        jw_i64(&b, "committed_us", p.committed_us);
        jw_i64(&b, "told_us", realtime_counters(c->parts->realtime)->probe_us);
    }
    if (spool_stat(c->spool, &st) == SPOOL_OK) {
        jw_i64(&b, "waiting", (int64_t)st.records);
    }
    jw_close_object(&b);
    command_emit(c, &b);
    buf_free(&b);
    return true;
}
