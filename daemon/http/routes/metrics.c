#include "base/clock.h"
#include "domain/delivery.h"
#include "http/routes/routes.h"
#include "http/server.h"

DB_QUERY(metrics_backfills,
         "SELECT state, count(*) FROM backfills GROUP BY state");
DB_QUERY(metrics_sessions,
         "SELECT status, count(*) FROM sessions GROUP BY status");

DB_QUERY_SCAN(metrics_down,
              "SELECT session_id, down_since FROM sessions WHERE wanted = 1",
              "a small table: one row per WhatsApp number");

static void line(buf_t *b, const char *name, const char *type, int64_t value)
{
    buf_addf(b, "# TYPE wacrm_%s %s\nwacrm_%s %lld\n", name, type, name,
             (long long)value);
}

static void write_intake(const request_t *r, buf_t *b)
{
    if (r->options->intake == NULL) {
        return;
    }
    const intake_counters_t *c = intake_counters(r->options->intake);
    line(b, "intake_events_total", "counter", c->events);
    line(b, "intake_batches_total", "counter", c->batches);
    line(b, "intake_duplicates_total", "counter", c->duplicates);
    line(b, "intake_dead_total", "counter", c->dead);
    line(b, "intake_ignored_total", "counter", c->ignored);
    line(b, "intake_faults_total", "counter", c->faults);
    line(b, "intake_position", "gauge", c->position);
    buf_addf(b,
             "# TYPE wacrm_intake_apply_seconds_total counter\n"
             "wacrm_intake_apply_seconds_total %.6f\n",
             (double)c->apply_us / 1e6);
}

static void write_outbox(const request_t *r, buf_t *b)
{
    delivery_stat_t st;
    if (r->options->outbox != NULL) {
        const outbox_counters_t *c = outbox_counters(r->options->outbox);
        line(b, "outbox_sent_total", "counter", c->sent);
        line(b, "outbox_retried_total", "counter", c->retried);
        line(b, "outbox_failed_total", "counter", c->failed);
        line(b, "outbox_unknown_total", "counter", c->unknown);
        line(b, "outbox_deferred_total", "counter", c->deferred);
        line(b, "backfill_calls_total", "counter", c->history_calls);
        line(b, "backfill_failed_total", "counter", c->history_failed);
    }
    if (delivery_stat(r->db, &st) != WERR_OK) {
        return;
    }
    buf_addf(b,
             "# TYPE wacrm_outbox_rows gauge\n"
             "wacrm_outbox_rows{state=\"queued\"} %lld\n"
             "wacrm_outbox_rows{state=\"inflight\"} %lld\n"
             "wacrm_outbox_rows{state=\"unknown\"} %lld\n"
             "wacrm_outbox_rows{state=\"failed\"} %lld\n"
             "wacrm_outbox_rows{state=\"scheduled\"} %lld\n",
             (long long)st.queued, (long long)st.inflight,
             (long long)st.unknown, (long long)st.failed,
             (long long)st.scheduled);
    int64_t age = st.oldest > 0 ? clock_now_ms() - st.oldest : 0;
    line(b, "outbox_oldest_seconds", "gauge", age / 1000);
}

static void write_store(const request_t *r, buf_t *b)
{
    store_stat_t st;
    store_stat(r->options->domain->store, &st);
    line(b, "database_wal_bytes", "gauge", st.wal_bytes);
    line(b, "database_bytes", "gauge", st.db_bytes);
    line(b, "database_checkpoints_total", "counter", st.checkpoints);
    line(b, "database_commits_total", "counter", st.commits);
    buf_addf(b,
             "# TYPE wacrm_database_commit_seconds_total counter\n"
             "wacrm_database_commit_seconds_total %.6f\n",
             (double)st.commit_us / 1e6);
}

static void write_spool(const request_t *r, buf_t *b)
{
    spool_stat_t st;
    if (r->options->spool == NULL ||
        spool_stat(r->options->spool, &st) != SPOOL_OK) {
        return;
    }
    line(b, "spool_records", "gauge", (int64_t)st.records);
    line(b, "spool_bytes", "gauge", (int64_t)st.bytes);
    line(b, "spool_limit_bytes", "gauge", (int64_t)st.limit);
    line(b, "spool_quarantine_records", "gauge", (int64_t)st.quarantine);
}

static void write_backfills(const request_t *r, buf_t *b)
{
    db_stmt_t *s = db_stmt(r->db, &metrics_backfills);
    buf_adds(b, "# TYPE wacrm_backfills gauge\n");
    while (db_step(s) == DB_ROW) {
        buf_addf(b, "wacrm_backfills{state=\"%s\"} %lld\n", db_text(s, 0),
                 (long long)db_i64(s, 1));
    }
}

static void write_sessions(const request_t *r, buf_t *b)
{
    db_stmt_t *s = db_stmt(r->db, &metrics_sessions);
    buf_adds(b, "# TYPE wacrm_sessions gauge\n");
    while (db_step(s) == DB_ROW) {
        buf_addf(b, "wacrm_sessions{status=\"%s\"} %lld\n", db_text(s, 0),
                 (long long)db_i64(s, 1));
    }
}

static void write_search(const request_t *r, buf_t *b)
{
    search_stat_t st;
    int64_t lag;
    if (r->options->search == NULL) {
        return;
    }
    search_stat(r->options->search, &st);
    line(b, "search_indexed_total", "counter", st.indexed);
    line(b, "search_rebuilds_total", "counter", st.rebuilds);
    line(b, "search_faults_total", "counter", st.faults);
    if (search_lag(r->options->search, r->db, &lag) == WERR_OK) {
        line(b, "search_lag_messages", "gauge", lag);
    }
}

static void write_realtime(const request_t *r, buf_t *b)
{
    if (r->options->realtime == NULL) {
        return;
    }
    const realtime_counters_t *c = realtime_counters(r->options->realtime);
    line(b, "realtime_connections", "gauge", c->connections);
    line(b, "realtime_subscriptions", "gauge", c->subscriptions);
    line(b, "realtime_channels", "gauge", c->channels);
    line(b, "realtime_connects_total", "counter", c->connects);
    line(b, "realtime_refused_total", "counter", c->refused);
    line(b, "realtime_denied_total", "counter", c->denied);
    line(b, "realtime_revoked_total", "counter", c->revoked);
    line(b, "realtime_slow_total", "counter", c->slow);
    line(b, "realtime_silent_total", "counter", c->silent);
    line(b, "realtime_messages_in_total", "counter", c->messages_in);
    line(b, "realtime_messages_out_total", "counter", c->messages_out);
    line(b, "realtime_bytes_out_total", "counter", c->bytes_out);
    line(b, "realtime_events_total", "counter", c->events);
    line(b, "realtime_faults_total", "counter", c->faults);
    line(b, "realtime_fanouts_total", "counter", c->fanouts);
    buf_addf(b,
             "# TYPE wacrm_realtime_fanout_seconds_total counter\n"
             "wacrm_realtime_fanout_seconds_total %.6f\n",
             (double)c->fanout_us / 1e6);
    line(b, "realtime_behind_events", "gauge",
         atomic_load(&r->options->domain->last_seq) - c->seq);
}

/* A name as a label's value. */
static void write_label(buf_t *b, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buf_adds(b, "\\n");
            continue;
        }
        if (*text == '"' || *text == '\\') {
            buf_addc(b, '\\');
        }
        buf_addc(b, *text);
    }
}

static void write_down(const request_t *r, buf_t *b)
{
    db_stmt_t *s = db_stmt(r->db, &metrics_down);
    int64_t now = clock_now_ms();
    buf_adds(b, "# TYPE wacrm_session_down_seconds gauge\n");
    while (db_step(s) == DB_ROW) {
        int64_t since = db_is_null(s, 1) ? now : db_i64(s, 1);
        buf_adds(b, "wacrm_session_down_seconds{session=\"");
        write_label(b, db_text(s, 0));
        buf_addf(b, "\"} %lld\n",
                 (long long)(since < now ? (now - since) / 1000 : 0));
    }
}

static void write_http(const request_t *r, buf_t *b)
{
    cache_stat_t st;
    stats_write(&r->server->stats, b);
    line(b, "http_queue", "gauge", (int64_t)jobs_count(r->server->jobs));
    cache_stat(r->server->cache, &st);
    line(b, "inbox_cache_hits_total", "counter", st.hits);
    line(b, "inbox_cache_renders_total", "counter", st.renders);
    line(b, "inbox_cache_waits_total", "counter", st.waits);
    line(b, "inbox_cache_evictions_total", "counter", st.evictions);
    line(b, "inbox_cache_entries", "gauge", (int64_t)st.entries);
    line(b, "inbox_cache_bytes", "gauge", (int64_t)st.bytes);
}

void route_metrics(request_t *r)
{
    buf_t *b = &r->response.body;
    r->response.type = "text/plain; version=0.0.4; charset=utf-8";
    write_intake(r, b);
    write_outbox(r, b);
    write_store(r, b);
    write_spool(r, b);
    write_search(r, b);
    write_realtime(r, b);
    write_sessions(r, b);
    write_backfills(r, b);
    write_down(r, b);
    write_http(r, b);
}
