/*
 * timers.c - upkeep of the spool, of tokens, of donors' figures, of old rows.
 */
#include "timers.h"

#include "base/clock.h"
#include "base/log.h"
#include "domain/donor.h"
#include "domain/reminder.h"
#include "domain/token.h"
#include "domain/token_revoke.h"

#define SOON_MS       INT64_C(5000)
#define MINUTE_MS     INT64_C(60000)
#define REFRESH_BATCH 500
#define HOUR_MS       (60 * MINUTE_MS)

void timers_init(timers_t *t, domain_t *domain, spool_t *spool,
                 const char *spool_path, http_server_t *http)
{
    *t = (timers_t){.domain = domain,
                    .spool = spool,
                    .spool_path = spool_path,
                    .http = http};
    t->soon = t->minute = t->hour = clock_mono_ms();
}

static void tell(const char *what, int rc)
{
    if (rc < 0) {
        log_error("main", "msg=\"upkeep failed\" of=%s error=%s", what,
                  log_str(werr_text(rc)));
    }
}

static void tell_spool(const char *what, int rc)
{
    if (rc < 0 && rc != SPOOL_EMPTY) {
        log_error("main", "msg=\"upkeep failed\" of=%s error=%s", what,
                  log_str(spool_strerror(rc)));
    }
}

static int expire_tokens(tx_t *tx, void *arg)
{
    (void)arg;
    return token_expire(tx);
}

static void each_minute(timers_t *t)
{
    int n = spool_reader_check(t->spool);

    tell_spool("spool readers", n);
    if (n > 0) {
        log_warn("main", "msg=\"slots of dead spool readers cleared\" n=%d", n);
    }
    t->refresh = true;
}

/* A spool that met an I/O error, be it a full disk for a moment, answers
 * nothing else until it is opened again: once, for all who hold it. */
static void revive_spool(timers_t *t)
{
    spool_options_t o = {0};
    spool_t *again;
    spool_stat_t st;
    int rc = spool_stat(t->spool, &st);

    if (rc != SPOOL_IO) {
        return;
    }
    rc = spool_open(&again, t->spool_path, &o);
    if (rc == SPOOL_OK) {
        spool_close(&again);
        log_info("main", "msg=\"spool opened again after an I/O error\"");
    }
    tell_spool("the failed spool", rc);
}

static void each_few_seconds(timers_t *t)
{
    t->spool_moved = spool_moved(t->spool);
    if (t->spool_moved) {
        return;
    }
    revive_spool(t);
    t->spool_damaged = spool_damaged(t->spool);
    if (t->http) {
        http_upkeep(t->http);
    }
    if (t->alarm) {
        alarm_look(t->alarm);
    }
}

/* Figures that ended with the day, a batch at a time: a signal waits no
 * longer than that. */
static int refresh_batch(tx_t *tx, void *arg)
{
    return donor_refresh_due(tx, REFRESH_BATCH, arg);
}

static void refresh(timers_t *t)
{
    bool left = false;
    int rc = domain_write(t->domain, refresh_batch, &left);

    tell("donor figures", rc);
    t->refresh = rc >= 0 && left;
}

static void each_hour(timers_t *t)
{
    tell("tokens", domain_write(t->domain, expire_tokens, NULL));
    tell_spool("revocations",
               spool_revoke_expire(t->spool, clock_now_ms() / 1000 -
                                                 TOKEN_REVOKED_KEEP_S));
    if (!t->tidy) {
        housekeeping_begin(&t->round);
        t->tidy = true;
    }
}

/* The same for old rows, however many have come since the last round. */
static void tidy(timers_t *t)
{
    bool left = false;
    int rc = housekeeping_step(t->domain, &t->round, &left);

    tell("old rows", rc);
    t->tidy = rc >= 0 && left;
    if (!t->tidy && t->round.deleted > 0) {
        log_info("main", "msg=\"old rows deleted\" rows=%lld",
                 (long long)t->round.deleted);
    }
}

/* ms until the next reminder; those that are due have been fired. */
static int64_t remind(domain_t *d)
{
    int64_t left = atomic_load(&d->reminder_due) - clock_now_ms();
    int n;

    if (left > 0) {
        return left;
    }
    n = reminder_fire(d);
    if (n < 0) {
        tell("reminders", n);
        return SOON_MS;
    }
    if (n > 0) {
        log_info("main", "msg=\"reminders due\" n=%d", n);
    }
    left = atomic_load(&d->reminder_due) - clock_now_ms();
    return left > 0 ? left : 0;
}

int64_t timers_run(timers_t *t)
{
    int64_t now = clock_mono_ms(), due;

    if (now >= t->soon) {
        t->soon = now + SOON_MS;
        each_few_seconds(t);
    }
    if (now >= t->minute) {
        t->minute = now + MINUTE_MS;
        each_minute(t);
    }
    if (now >= t->hour) {
        t->hour = now + HOUR_MS;
        each_hour(t);
    }
    if (t->refresh) {
        refresh(t);
    }
    if (t->tidy) {
        tidy(t);
    }
    due = remind(t->domain);
    if (t->refresh || t->tidy) {
        return 0;
    }
    now = clock_mono_ms();
    if (due > t->soon - now) {
        due = t->soon - now;
    }
    return due > 0 ? due : 0;
}
