/*
 * alarm_state.c - is there anything that needs a person?
 */
#include "alarm_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "domain/delivery.h"

#define FAULT_LASTS_MS 60000
#define FAILING_MS     600000
#define FAILING_LEAST  5
#define NAMES_TOLD     5
#define SPOOL_PARTS    2 /* full by one of so many: half */

DB_QUERY(alarm_dead, "SELECT count(*), max(id) FROM dead_letters "
                     "WHERE state = 'open'");
DB_QUERY_SCAN(alarm_down,
              "SELECT session_id FROM sessions WHERE wanted = 1 AND "
              "down_since < $1 ORDER BY id",
              "a small table: one row per WhatsApp number");

static const char *const names[ALARM_END] = {
    [ALARM_DEAD_LETTERS] = "dead_letters",
    [ALARM_SESSION_DOWN] = "session_down",
    [ALARM_SPOOL] = "spool_half_full",
    [ALARM_OUTBOX_OLD] = "outbox_old",
    [ALARM_OUTBOX_FAILING] = "outbox_failing",
    [ALARM_DATABASE] = "database_fault",
    [ALARM_DISK] = "disk_low",
    [ALARM_BACKUP] = "backup_failed",
    [ALARM_BACKUP_OLD] = "backup_old",
};

const char *alarm_name(alarm_kind_t kind)
{
    return names[kind];
}

static void say(alarm_state_t *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(alarm_state_t *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(s->text, sizeof(s->text), format, ap);
    va_end(ap);
}

static void set(alarm_state_t *s, bool firing, int64_t value)
{
    s->firing = firing;
    s->new = true;
    s->value = value;
}

/* ---- of the database ---- */

/* Those that were told of may wait for somebody to look at them. */
static int read_dead(db_t *db, int64_t told, alarm_state_t *out)
{
    db_stmt_t *s = db_stmt(db, &alarm_dead);
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    set(out, db_i64(s, 0) > 0, db_i64(s, 0));
    out->mark = db_is_null(s, 1) ? told : db_i64(s, 1);
    out->new = out->mark > told;
    db_done(s);
    say(out,
        "Events that could not be applied: %" PRId64
        ". See wacrmctl dead list.",
        out->value);
    return WERR_OK;
}

static int read_sessions(const alarm_options_t *o, db_t *db, alarm_state_t *out)
{
    db_stmt_t *s = db_stmt(db, &alarm_down);
    char list[200] = "";
    size_t len = 0;
    int64_t n = 0;
    int rc;

    db_bind_i64(s, 1, clock_now_ms() - (int64_t)o->session_down_s * 1000);
    while ((rc = db_step(s)) == DB_ROW) {
        if (n++ < NAMES_TOLD && len < sizeof(list)) {
            int more = snprintf(list + len, sizeof(list) - len, "%s%.40s",
                                len > 0 ? ", " : "", db_text(s, 0));

            len += more > 0 ? (size_t)more : 0;
        }
    }
    set(out, n > 0, n);
    say(out,
        "WhatsApp numbers that are not connected: %" PRId64
        " (%s). Look at the phone; scan the QR code anew.",
        n, list);
    return rc;
}

static int read_outbox(const alarm_options_t *o, db_t *db, alarm_state_t *out)
{
    delivery_stat_t st;
    int64_t age;
    int rc = delivery_stat(db, &st);

    if (rc != WERR_OK) {
        return rc;
    }
    age = st.oldest > 0 ? (clock_now_ms() - st.oldest) / 1000 : 0;
    set(out, age >= o->outbox_age_s, age);
    say(out,
        "The oldest message to a donor has waited for %" PRId64 " s; %" PRId64
        " wait in all. Is the gateway there?",
        age, st.queued);
    return WERR_OK;
}

/* ---- of the rest ---- */

static void read_failing(const outbox_t *outbox, alarm_memory_t *m,
                         alarm_state_t *out)
{
    const outbox_counters_t *c = outbox_counters(outbox);
    int64_t failed = c->failed + c->unknown, now = clock_mono_ms();

    if (m->window_ms == 0 || now - m->window_ms >= FAILING_MS) {
        m->failing = m->window_ms == 0 ? 0 : failed - m->failed;
        m->failed = m->window_ms == 0 ? 0 : failed;
        m->window_ms = now;
    }
    if (failed - m->failed > m->failing) {
        m->failing = failed - m->failed;
    }
    set(out, m->failing >= FAILING_LEAST, m->failing);
    say(out,
        "Messages that were not sent, or may not have been, within ten "
        "minutes: %" PRId64 ". The desk and the log say why.",
        m->failing);
}

static void read_database(const store_stat_t *st, alarm_memory_t *m,
                          alarm_state_t *out)
{
    int64_t now = clock_mono_ms();

    if (st->faults > m->faults) {
        m->fault_ms = now;
    }
    m->faults = st->faults;
    set(out, m->fault_ms != 0 && now - m->fault_ms < FAULT_LASTS_MS,
        st->faults);
    say(out,
        "The database cannot be written; events wait in the spool. See the "
        "log of wacrmd and the disk.");
}

/* Where there was none, it is counted since there are to be some. */
static void read_backups(const alarm_options_t *o, const store_stat_t *st,
                         alarm_state_t *failed, alarm_state_t *old)
{
    int64_t since = st->backup_at > 0 ? st->backup_at : st->backup_since;
    int64_t age = (clock_now_ms() - since) / 1000;

    set(failed, st->backup_is_bad, st->backups_failed);
    say(failed, "The last backup has failed. See the log of wacrmd.");
    set(old, o->backup_age_s > 0 && age >= o->backup_age_s, age);
    say(old,
        "There was no good backup for %" PRId64 " hours. Is the timer on? "
        "systemctl enable --now wacrm-backup.timer",
        age / 3600);
}

static void read_spool(spool_t *spool, alarm_state_t *out)
{
    spool_stat_t st;
    int rc = spool_stat(spool, &st);
    int64_t percent;

    if (rc != SPOOL_OK) {
        set(out, true, 0);
        say(out, "The spool cannot be read: %s.", spool_strerror(rc));
        return;
    }
    percent = st.limit > 0 ? (int64_t)(100 * st.bytes / st.limit) : 100;
    set(out, st.bytes > st.limit / SPOOL_PARTS, percent);
    say(out,
        "The spool is full by %" PRId64 " %%: %" PRIu64
        " events wait. At 100 %% gateways are refused.",
        percent, st.records);
}

static void read_disk(const alarm_options_t *o, alarm_state_t *out)
{
    struct statvfs fs;
    int64_t left;

    if (statvfs(o->state_dir, &fs) != 0) {
        return;
    }
    left = (int64_t)(fs.f_bavail * fs.f_frsize);
    set(out, left < o->disk_free, left >> 20);
    say(out, "The disk of %.100s has %" PRId64 " MB left.", o->state_dir,
        left >> 20);
}

int alarm_read(const alarm_options_t *o, domain_t *d, db_t *db, spool_t *spool,
               const outbox_t *outbox, alarm_memory_t *memory,
               const int64_t *told, alarm_state_t *out)
{
    store_stat_t st;
    int rc;

    memset(out, 0, ALARM_END * sizeof(*out));
    store_stat(d->store, &st);
    read_spool(spool, &out[ALARM_SPOOL]);
    read_disk(o, &out[ALARM_DISK]);
    read_failing(outbox, memory, &out[ALARM_OUTBOX_FAILING]);
    read_database(&st, memory, &out[ALARM_DATABASE]);
    read_backups(o, &st, &out[ALARM_BACKUP], &out[ALARM_BACKUP_OLD]);
    rc = read_dead(db, told[ALARM_DEAD_LETTERS], &out[ALARM_DEAD_LETTERS]);
    if (rc == WERR_OK) {
        rc = read_sessions(o, db, &out[ALARM_SESSION_DOWN]);
    }
    if (rc == WERR_OK) {
        rc = read_outbox(o, db, &out[ALARM_OUTBOX_OLD]);
    }
    return rc;
}
