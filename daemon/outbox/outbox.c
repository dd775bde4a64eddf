/*
 * outbox.c - start, stop and the tick of the outbox.
 */
#include "outbox/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/schedule.h"
#include "domain/session.h"
#include "outbox/backfill.h"

#define FAULT_WAIT_MS 1000
/* Beside those in flight: files, history, look-ups, sessions, profiles. What
 * is to be sent should not wait for their connections: its time-out would be
 * taken for a gateway that is away. */
#define OTHER_CALLS 16
/* The calendar may be set meanwhile: it is looked at again. */
#define CALENDAR_MS 5000

void outbox_options_default(outbox_options_t *o)
{
    memset(o, 0, sizeof(*o));
    o->tries = 3;
    o->backoff_s[0] = 10;
    o->backoff_s[1] = 30;
    o->backoff_s[2] = 60;
    o->nbackoff = 3;
    o->jitter = true;
    o->per_minute = 30; /* the seed's gateway takes no more */
    o->gap_ms = 1000;
    o->first_per_minute = 5;
    o->max_inflight = 32;
    o->unknown_hold_s = 120;
    o->fetch_tries = 5;
    o->fetch_backoff_s = 10;
}

/* splitmix64; names attempts and spreads retries, guards nothing */
uint64_t outbox_random(outbox_t *o)
{
    uint64_t z = o->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ms from now until the earlier of an absolute and a monotonic time. */
static int64_t wait_until(int64_t due, int64_t lookup)
{
    int64_t a = due == INT64_MAX ? INT64_MAX : due - clock_now_ms();
    int64_t b = lookup == INT64_MAX ? INT64_MAX : lookup - clock_mono_ms();
    int64_t wait;

    if (a > CALENDAR_MS) {
        a = CALENDAR_MS;
    }
    wait = a < b ? a : b;
    return wait < 0 ? 0 : wait;
}

static int step_backfill(outbox_t *o, int64_t *next_due)
{
    int64_t wait, at;
    int rc = backfill_step(o->backfill, o->loop, &wait);

    if (rc == WERR_OK && wait != INT64_MAX) {
        at = clock_now_ms() + wait;
        if (at < *next_due) {
            *next_due = at;
        }
    }
    return rc;
}

static int step(outbox_t *o, int64_t *wait)
{
    int64_t next_due = INT64_MAX, next_deadline = INT64_MAX, next_lookup;
    int64_t next_fetch = INT64_MAX, next_scheduled = INT64_MAX;
    int64_t next_health = INT64_MAX;
    int rc = lanes_settle(o);

    attempt_lookups(o, &next_lookup);
    if (rc == WERR_OK) {
        rc = calendar_watch(o);
    }
    if (rc == WERR_OK) {
        rc = lanes_expire(o, &next_deadline);
    }
    if (rc == WERR_OK) {
        rc = lanes_release(o, &next_scheduled);
    }
    if (rc == WERR_OK) {
        rc = lanes_take(o, &next_due);
    }
    if (next_scheduled < next_due) {
        next_due = next_scheduled;
    }
    if (rc == WERR_OK) {
        rc = fetch_step(o, &next_fetch);
    }
    if (next_fetch < next_due) {
        next_due = next_fetch;
    }
    if (rc == WERR_OK) {
        rc = health_tick(o, &next_health);
    }
    if (next_health < next_lookup) {
        next_lookup = next_health;
    }
    if (rc == WERR_OK) {
        rc = step_backfill(o, &next_due);
    }
    if (o->ended) {
        next_due = 0; /* ended without a call: settle at once */
    }
    *wait = wait_until(next_due < next_deadline ? next_due : next_deadline,
                       next_lookup);
    return rc;
}

static void tick(void *arg, gw_client_t *client, int64_t *timeout_ms)
{
    outbox_t *o = arg;
    int rc;

    o->loop = client;
    rc = step(o, timeout_ms);
    if (rc == WERR_OK) {
        return;
    }
    log_error("outbox", "msg=\"database\" error=%s", log_str(werr_text(rc)));
    *timeout_ms = FAULT_WAIT_MS;
}

/* ---- start and stop ---- */

static int recover(tx_t *tx, void *arg)
{
    outbox_t *o = arg;
    int64_t hold = (int64_t)o->options.unknown_hold_s * 1000, id;
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < o->naccounts; i++) {
        rc = account_ensure(tx, o->accounts[i].name, &id);
    }
    if (rc == WERR_OK) {
        rc = delivery_recover(tx, tx->now + hold);
    }
    /* what was due meanwhile goes before what is queued from now on */
    for (int n = 1; rc == WERR_OK && n > 0;) {
        n = schedule_release(tx, OUTBOX_BATCH);
        rc = n < 0 ? n : WERR_OK;
    }
    return rc;
}

static void destroy(outbox_t *o)
{
    while (o->ended) {
        attempt_t *a = o->ended;

        o->ended = a->next;
        attempt_free(a);
    }
    while (o->lookups) {
        attempt_t *a = o->lookups;

        o->lookups = a->next;
        attempt_free(a);
    }
    fetch_free(o);
    backfill_free(&o->backfill);
    if (o->db) {
        store_reader_close(&o->db);
    }
    pacing_free(&o->pacing);
    health_free(&o->health);
    free(o->reach);
    free(o);
}

static int set_up(outbox_t *o)
{
    const outbox_options_t *opt = &o->options;
    int rc;

    if (opt->tries < 1 || opt->max_inflight < 1 || opt->unknown_hold_s < 0 ||
        opt->nbackoff > sizeof(opt->backoff_s) / sizeof(opt->backoff_s[0])) {
        return WERR_INVALID;
    }
    if (getrandom(&o->random, sizeof(o->random), 0) !=
        (ssize_t)sizeof(o->random)) {
        return WERR_SYSTEM;
    }
    o->reach = calloc(o->naccounts + 1, sizeof(*o->reach));
    if (!o->reach) {
        return WERR_NOMEM;
    }
    rc = health_new(&o->health);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = pacing_new(&o->pacing, opt->per_minute, opt->first_per_minute,
                    opt->gap_ms);
    if (rc == WERR_OK) {
        rc = store_reader(o->domain->store, &o->db);
    }
    if (rc == WERR_OK) {
        rc = backfill_new(&o->backfill, o->domain, o->db, o->accounts,
                          o->naccounts, &o->counters);
    }
    if (rc == WERR_OK) {
        rc = domain_write(o->domain, recover, o);
    }
    if (rc == WERR_OK) {
        rc = calendar_begin(o);
    }
    return rc == WERR_OK ? held_watch(o) : rc;
}

/* Of domain: any thread. */
static void wake(void *outbox)
{
    outbox_t *o = outbox;

    gw_client_wake(o->client);
}

int outbox_start(outbox_t **out, domain_t *d, const outbox_options_t *options,
                 const gateway_account_t *accounts, size_t n)
{
    outbox_t *o = calloc(1, sizeof(*o));
    gw_client_options_t c = {.accounts = accounts,
                             .naccounts = n,
                             .token_load = outbox_token_load,
                             .token_store = outbox_token_store,
                             .tick = tick,
                             .arg = o,
                             .connections =
                                 options->max_inflight + OTHER_CALLS};
    int rc;

    *out = NULL;
    if (!o) {
        return WERR_NOMEM;
    }
    o->domain = d;
    o->options = *options;
    o->accounts = accounts;
    o->naccounts = n;
    o->ended_tail = &o->ended;
    rc = set_up(o);
    if (rc == WERR_OK) {
        /* before the client's thread, which writes too, and until it is gone */
        d->outbox_arg = o;
        d->outbox_ready = wake;
        rc = gw_client_start(&o->client, &c);
    }
    if (rc != WERR_OK) {
        d->outbox_ready = NULL;
        d->outbox_arg = NULL;
        destroy(o);
        return rc;
    }
    *out = o;
    return WERR_OK;
}

void outbox_stop(outbox_t **outbox, int64_t timeout_ms)
{
    outbox_t *o = *outbox;
    gw_client_t *client;
    int rc;

    if (!o) {
        return;
    }
    *outbox = NULL;
    client = o->client; /* stays readable for its own thread until it ends */
    gw_client_stop(&client, timeout_ms);
    o->client = NULL;
    o->domain->outbox_ready = NULL;
    o->domain->outbox_arg = NULL;
    /* the rest stays in flight, and is unknown at the next start */
    rc = lanes_settle(o);
    if (rc != WERR_OK) {
        log_error("outbox", "msg=\"outcomes lost\" error=%s",
                  log_str(werr_text(rc)));
    }
    destroy(o);
}

const outbox_counters_t *outbox_counters(const outbox_t *o)
{
    return &o->counters;
}

gw_client_t *outbox_client(const outbox_t *o)
{
    return o->client;
}
