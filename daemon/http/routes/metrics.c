#include "base/clock.h"
#include "base/process.h"
#include "base/version.h"
#include "domain/delivery.h"
#include "http/routes/routes.h"
#include "http/server.h"

DB_QUERY(metrics_backfills,
         "SELECT state, count(*) FROM backfills GROUP BY state");
DB_QUERY(metrics_dead,
         "SELECT count(*) FROM dead_letters WHERE state = 'open'");
DB_QUERY(metrics_sessions,
         "SELECT status, count(*) FROM sessions GROUP BY status");

DB_QUERY_SCAN(metrics_down,
              "SELECT session_id, down_since FROM sessions WHERE wanted = 1",
              "a small table: one row per WhatsApp number");

static void head(buf_t *b, const char *name, const char *type, const char *help)
{
    buf_addf(b, "# HELP wacrm_%s %s\n# TYPE wacrm_%s %s\n", name, help, name,
             type);
}

static void line(buf_t *b, const char *name, const char *type, const char *help,
                 int64_t value)
{
    head(b, name, type, help);
    buf_addf(b, "wacrm_%s %lld\n", name, (long long)value);
}

/* Microseconds, told as seconds. */
static void line_us(buf_t *b, const char *name, const char *help, int64_t us)
{
    head(b, name, "counter", help);
    buf_addf(b, "wacrm_%s %.6f\n", name, (double)us / 1e6);
}

static void write_process(const request_t *r, buf_t *b)
{
    int64_t memory = process_memory(), files = process_files();
    head(b, "build_info", "gauge", "The version of wacrmd.");
    buf_adds(b, "wacrm_build_info{version=\"" WACRM_VERSION "\"} 1\n");
    line(b, "start_time_seconds", "gauge", "When wacrmd was started.",
         r->options->started_ms / 1000);
    if (memory >= 0) {
        line(b, "memory_bytes", "gauge", "Anonymous and shared memory in RAM.",
             memory);
    }
    if (files >= 0) {
        line(b, "open_files", "gauge", "Descriptors that are open.", files);
    }
    if (r->options->alarms != NULL) {
        const alarm_counters_t *c = r->options->alarms;
        line(b, "alarms", "gauge", "Alarms that need a person now.", c->firing);
        line(b, "alarm_calls_total", "counter",
             "Alarms that the web hook has taken.", c->sent);
        line(b, "alarm_failures_total", "counter",
             "Alarms that it has not taken, each try.", c->failed);
    }
}

static void write_dead(const request_t *r, buf_t *b)
{
    int64_t n;
    if (db_first_i64(db_stmt(r->db, &metrics_dead), &n) == WERR_OK) {
        line(b, "dead_letters", "gauge",
             "Events that could not be applied and wait for a person.", n);
    }
}

static void write_intake(const request_t *r, buf_t *b)
{
    if (r->options->intake == NULL) {
        return;
    }
    const intake_counters_t *c = intake_counters(r->options->intake);
    line(b, "intake_events_total", "counter", "Events applied to the database.",
         c->events);
    line(b, "intake_batches_total", "counter",
         "Transactions that applied them.", c->batches);
    line(b, "intake_duplicates_total", "counter",
         "Messages that were there already.", c->duplicates);
    line(b, "intake_dead_total", "counter", "Events that could not be applied.",
         c->dead);
    line(b, "intake_ignored_total", "counter",
         "Events of which nothing is kept.", c->ignored);
    line(b, "intake_faults_total", "counter",
         "Batches put back, to be tried again.", c->faults);
    line(b, "intake_position", "gauge", "Sequence of the last event applied.",
         c->position);
    line_us(b, "intake_apply_seconds_total", "Time that applying them took.",
            c->apply_us);
}

static void write_outbox(const request_t *r, buf_t *b)
{
    delivery_stat_t st;
    if (r->options->outbox != NULL) {
        const outbox_counters_t *c = outbox_counters(r->options->outbox);
        line(b, "outbox_sent_total", "counter",
             "Messages that the gateway has taken.", c->sent);
        line(b, "outbox_retried_total", "counter",
             "Attempts that will be made again.", c->retried);
        line(b, "outbox_failed_total", "counter", "Messages given up.",
             c->failed);
        line(b, "outbox_unknown_total", "counter",
             "Messages that may or may not have been sent.", c->unknown);
        line(b, "outbox_deferred_total", "counter",
             "Messages put off by the pacing.", c->deferred);
        line(b, "backfill_calls_total", "counter",
             "Calls for the gateways' history.", c->history_calls);
        line(b, "backfill_failed_total", "counter",
             "Of these, those that failed.", c->history_failed);
    }
    if (delivery_stat(r->db, &st) != WERR_OK) {
        return;
    }
    head(b, "outbox_rows", "gauge", "Messages of the outbox by state.");
    buf_addf(b,
             "wacrm_outbox_rows{state=\"queued\"} %lld\n"
             "wacrm_outbox_rows{state=\"inflight\"} %lld\n"
             "wacrm_outbox_rows{state=\"unknown\"} %lld\n"
             "wacrm_outbox_rows{state=\"failed\"} %lld\n"
             "wacrm_outbox_rows{state=\"scheduled\"} %lld\n",
             (long long)st.queued, (long long)st.inflight,
             (long long)st.unknown, (long long)st.failed,
             (long long)st.scheduled);
    int64_t age = st.oldest > 0 ? clock_now_ms() - st.oldest : 0;
    line(b, "outbox_oldest_seconds", "gauge",
         "How long the oldest queued message has waited.", age / 1000);
}

static void write_store(const request_t *r, buf_t *b)
{
    store_stat_t st;
    store_stat(r->options->domain->store, &st);
    line(b, "database_wal_bytes", "gauge", "Size of the write-ahead log.",
         st.wal_bytes);
    line(b, "database_bytes", "gauge", "Size of the database file.",
         st.db_bytes);
    line(b, "database_checkpoints_total", "counter", "Checkpoints of the log.",
         st.checkpoints);
    line(b, "database_commits_total", "counter", "Transactions committed.",
         st.commits);
    line_us(b, "database_commit_seconds_total", "Time that these commits took.",
            st.commit_us);
    line(b, "database_faults_total", "counter",
         "Transactions undone by a fault of the machine.", st.faults);
    head(b, "backups_total", "counter", "Backups since the start.");
    buf_addf(b,
             "wacrm_backups_total{result=\"ok\"} %lld\n"
             "wacrm_backups_total{result=\"failed\"} %lld\n",
             (long long)st.backups, (long long)st.backups_failed);
    line(b, "backup_time_seconds", "gauge",
         "When the last good backup was made; 0: none of this database.",
         st.backup_at / 1000);
    line(b, "database_time_seconds", "gauge",
         "Since when it is to have backups: it was made, restored, or first "
         "opened by a wacrmd that counts them.",
         st.backup_since / 1000);
}

static void write_spool(const request_t *r, buf_t *b)
{
    spool_t *spool = r->options->spool;
    spool_stat_t st;
    if (spool == NULL) {
        return;
    }
    int aside = spool_aside_walk(spool_path(spool), NULL, NULL);
    if (aside >= 0) {
        line(b, "spool_aside", "gauge", "Damaged spools that lie aside.",
             aside);
    }
    if (spool_stat(spool, &st) != SPOOL_OK) {
        return;
    }
    line(b, "spool_records", "gauge", "Events that wait.", (int64_t)st.records);
    line(b, "spool_bytes", "gauge", "Fill of the spool.", (int64_t)st.bytes);
    line(b, "spool_limit_bytes", "gauge", "Fill at which it takes no more.",
         (int64_t)st.limit);
    line(b, "spool_quarantine_records", "gauge", "Damaged records put aside.",
         (int64_t)st.quarantine);
}

/* A gauge with a label: rows of its value and the number. */
static void write_counts(const request_t *r, buf_t *b, const db_query_t *q,
                         const char *name, const char *label, const char *help)
{
    db_stmt_t *s = db_stmt(r->db, q);
    head(b, name, "gauge", help);
    while (db_step(s) == DB_ROW) {
        buf_addf(b, "wacrm_%s{%s=\"%s\"} %lld\n", name, label, db_text(s, 0),
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
    line(b, "search_indexed_total", "counter",
         "Messages put into the search index.", st.indexed);
    line(b, "search_rebuilds_total", "counter",
         "Times the index was made anew.", st.rebuilds);
    line(b, "search_faults_total", "counter", "Faults of the index.",
         st.faults);
    if (search_lag(r->options->search, r->db, &lag) == WERR_OK) {
        line(b, "search_lag_messages", "gauge",
             "Messages that the index lacks yet.", lag);
    }
}

static void write_realtime(const request_t *r, buf_t *b)
{
    if (r->options->realtime == NULL) {
        return;
    }
    const realtime_counters_t *c = realtime_counters(r->options->realtime);
    line(b, "realtime_connections", "gauge", "Open sockets.", c->connections);
    line(b, "realtime_subscriptions", "gauge", "Their subscriptions.",
         c->subscriptions);
    line(b, "realtime_channels", "gauge",
         "Channels that somebody has subscribed to.", c->channels);
    line(b, "realtime_connects_total", "counter", "Sockets opened.",
         c->connects);
    line(b, "realtime_refused_total", "counter", "Sockets closed at once.",
         c->refused);
    line(b, "realtime_denied_total", "counter", "Subscriptions denied.",
         c->denied);
    line(b, "realtime_revoked_total", "counter",
         "Sockets closed as their token ended.", c->revoked);
    line(b, "realtime_slow_total", "counter", "Clients that could not follow.",
         c->slow);
    line(b, "realtime_silent_total", "counter",
         "Clients closed for their silence.", c->silent);
    line(b, "realtime_messages_in_total", "counter", "Messages of clients.",
         c->messages_in);
    line(b, "realtime_messages_out_total", "counter", "Messages to clients.",
         c->messages_out);
    line(b, "realtime_bytes_out_total", "counter", "Bytes of these.",
         c->bytes_out);
    line(b, "realtime_events_total", "counter", "Events told.", c->events);
    line(b, "realtime_faults_total", "counter",
         "Faults: no memory, no database.", c->faults);
    line(b, "realtime_fanouts_total", "counter",
         "Times that events were told to all.", c->fanouts);
    line_us(b, "realtime_fanout_seconds_total",
            "Time from the commit to the last write.", c->fanout_us);
    line(b, "realtime_behind_events", "gauge",
         "Events committed but not told yet.",
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
    head(b, "session_down_seconds", "gauge",
         "How long a number that should be connected is not.");
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
    size_t views, bytes;
    stats_write(&r->server->stats, b);
    line(b, "http_queue", "gauge",
         "Requests that wait for a worker, or are with one.",
         (int64_t)jobs_count(r->server->jobs));
    cache_stat(r->server->cache, &st);
    line(b, "inbox_cache_hits_total", "counter",
         "Inboxes answered from the cache.", st.hits);
    line(b, "inbox_cache_renders_total", "counter",
         "Inboxes read from the database.", st.renders);
    line(b, "inbox_cache_waits_total", "counter",
         "Requests that waited for another one's reading, in a worker.",
         st.waits);
    line(b, "inbox_cache_followed_total", "counter",
         "Requests that waited for another one's reading, without a worker.",
         r->server->stats.followed);
    line(b, "inbox_cache_at_once_total", "counter",
         "Inboxes answered without a worker.", r->server->stats.at_once);
    line(b, "inbox_cache_evictions_total", "counter", "Views that had to go.",
         st.evictions);
    line(b, "inbox_cache_entries", "gauge", "Views kept.", (int64_t)st.entries);
    line(b, "inbox_cache_bytes", "gauge", "Their size.", (int64_t)st.bytes);
    views_size(r->server->views, &views, &bytes);
    line(b, "inbox_views", "gauge", "Requests whose view is known.",
         (int64_t)views);
    line(b, "inbox_views_bytes", "gauge", "Their size.", (int64_t)bytes);
}

void route_metrics(request_t *r)
{
    buf_t *b = &r->response.body;
    r->response.type = "text/plain; version=0.0.4; charset=utf-8";
    write_process(r, b);
    write_intake(r, b);
    write_dead(r, b);
    write_outbox(r, b);
    write_store(r, b);
    write_spool(r, b);
    write_search(r, b);
    write_realtime(r, b);
    write_counts(r, b, &metrics_sessions, "sessions", "status",
                 "WhatsApp numbers by status.");
    write_counts(r, b, &metrics_backfills, "backfills", "state",
                 "Sessions by the state of their history.");
    write_down(r, b);
    write_http(r, b);
}
