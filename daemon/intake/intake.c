#include "intake/intake.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "intake/apply.h"
#include "intake/dead.h"
#include "intake/notify.h"
#include "intake/position.h"
#include "intake/raw.h"

#define BATCH_DEFAULT   1024
#define BATCH_CONTENDED 256
#define BATCH_BYTES     ((size_t)4 << 20)
#define BATCH_MS        50
#define LOOK_MS         1000 /* by itself, should a notice get lost */
#define FLOOD           256 /* records: memory worth giving back */
#define BACKOFF_FIRST   100
#define BACKOFF_MAX     5000

struct intake_s {
    domain_t *domain;
    spool_t *spool;
    intake_options_t o;
    intake_counters_t counters;
    pthread_t thread;
    int notify, stop;
    int backoff_ms; /* 0: all is well */
    bool flooded;
    bool loaded;    /* position is known */
    uint64_t position;
    welcome_pace_t pace;
    item_t *items; /* batch_max of them */
    apply_t apply;
};

/* One transaction's share of a batch: items[from .. done). */
typedef struct {
    intake_t *in;
    item_t *items;
    size_t from, n, done;
    bool careful; /* a savepoint around each record */
} share_t;

const intake_counters_t *intake_counters(const intake_t *in)
{
    return &in->counters;
}

static int load_position(tx_t *tx, void *arg)
{
    intake_t *in = arg;
    int64_t id, position;
    int rc = position_ensure(tx, spool_id(in->spool), &id, &position);

    if (rc == WERR_OK) {
        in->position = (uint64_t)position;
    }
    return rc;
}

/* Applies a good record, or keeps a bad one as a dead letter. */
static int apply_one(share_t *s, tx_t *tx, int64_t spool, item_t *item)
{
    intake_t *in = s->in;
    int rc;

    if (item->dead != NULL) {
        in->apply.dead++;
        return dead_keep(tx, spool_id(in->spool), item);
    }
    rc = apply_item(&in->apply, tx, item);
    if (rc == WERR_OK && in->o.raw_retention_days > 0) {
        rc = raw_keep(tx, spool, item);
    }
    return rc;
}

/* The same with a way back: what the record is to blame for buries it. */
static int apply_careful(share_t *s, tx_t *tx, int64_t spool, item_t *item)
{
    intake_t *in = s->in;
    int64_t mark;
    int undone, rc = domain_savepoint(tx, &mark);

    if (rc != WERR_OK) {
        return rc;
    }
    rc = apply_one(s, tx, spool, item);
    if (rc == WERR_OK) {
        rc = domain_release(tx);
    }
    if (rc == WERR_OK || werr_is_fault(rc)) {
        return rc;
    }
    undone = domain_rollback(tx, mark);
    if (undone != WERR_OK) {
        return undone;
    }
    in->apply.nsessions = 0; /* one may have been made, and undone */
    item->dead = rc == WERR_INVALID ? DEAD_PARSE : DEAD_CONSTRAINT;
    snprintf(item->reason, sizeof(item->reason), "%s",
             in->apply.reason[0] != '\0' ? in->apply.reason : werr_text(rc));
    rc = apply_one(s, tx, spool, item);
    item->dead = NULL; /* should all of this be done again */
    return rc;
}

static bool enough(const share_t *s, int64_t started)
{
    size_t n = s->done - s->from;

    if (n % 16 != 0 || n == 0) {
        return false;
    }
    return clock_mono_ms() - started >= BATCH_MS ||
           (n >= BATCH_CONTENDED && store_contended(s->in->domain->store));
}

static int apply_share(tx_t *tx, void *arg)
{
    share_t *s = arg;
    intake_t *in = s->in;
    int64_t started = clock_mono_ms(), spool, position;
    int rc = position_ensure(tx, spool_id(in->spool), &spool, &position);

    apply_begin(&in->apply, true, &in->pace);
    s->done = s->from;
    while (rc == WERR_OK && s->done < s->n && !enough(s, started)) {
        item_t *item = &s->items[s->done];

        if (item->dead == NULL || strcmp(item->dead, DEAD_RECORD) != 0) {
            rc = s->careful ? apply_careful(s, tx, spool, item)
                            : apply_one(s, tx, spool, item);
        }
        s->done++;
    }
    if (rc != WERR_OK) {
        return rc;
    }
    return position_set(tx, spool, (int64_t)s->items[s->done - 1].seq);
}

static void count_share(intake_t *in, const share_t *s, int64_t us)
{
    intake_counters_t *c = &in->counters;

    atomic_fetch_add(&c->events, (int64_t)(s->done - s->from));
    atomic_fetch_add(&c->batches, 1);
    atomic_fetch_add(&c->duplicates, in->apply.duplicates);
    atomic_fetch_add(&c->dead, in->apply.dead);
    atomic_fetch_add(&c->ignored, in->apply.ignored);
    atomic_fetch_add(&c->apply_us, us);
    atomic_store(&c->position, (int64_t)in->position);
}

static void tell_typing(intake_t *in)
{
    for (size_t i = 0; in->o.typing != NULL && i < in->apply.ntyping; i++) {
        const typing_t *t = &in->apply.typing[i];

        in->o.typing(in->o.arg, t->session, t->phone, t->on);
    }
}

/* What was committed leaves the spool; what stays there is skipped later. */
static void committed(intake_t *in, const share_t *s, int64_t us)
{
    int rc;

    in->position = s->items[s->done - 1].seq;
    count_share(in, s, us);
    log_debug("intake", "msg=\"batch applied\" events=%zu seq=%llu us=%lld",
              s->done - s->from, (unsigned long long)in->position,
              (long long)us);
    if (in->apply.dead > 0) {
        log_warn("intake", "msg=\"dead letters\" count=%lld seq=%llu",
                 (long long)in->apply.dead,
                 (unsigned long long)in->position);
    }
    tell_typing(in);
    rc = spool_delete(in->spool, in->position);
    if (rc != SPOOL_OK) {
        log_error("intake", "msg=\"cannot delete from spool\" error=%s",
                  log_str(spool_strerror(rc)));
    }
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/*
 * First without savepoints, which cost copies of pages. Should a record not
 * fit, the share is done again with one around each.
 */
static int run_share(share_t *s)
{
    int64_t started = now_us();
    int rc;

    s->careful = false;
    rc = domain_write(s->in->domain, apply_share, s);
    if (rc != WERR_OK && !werr_is_fault(rc)) {
        s->careful = true;
        rc = domain_write(s->in->domain, apply_share, s);
    }
    if (rc == WERR_OK) {
        committed(s->in, s, now_us() - started);
    }
    return rc;
}

/*
 * A record that cannot be read goes to the spool's quarantine before the
 * position passes it: then a crash between the two loses nothing.
 */
static int quarantine(intake_t *in, const item_t *item)
{
    int rc = spool_quarantine(in->spool, item->seq, item->reason);

    if (rc != SPOOL_OK && rc != SPOOL_EMPTY) {
        log_error("intake", "msg=\"cannot quarantine\" seq=%llu error=%s",
                  (unsigned long long)item->seq,
                  log_str(spool_strerror(rc)));
        return WERR_IO;
    }
    atomic_fetch_add(&in->counters.dead, 1);
    log_warn("intake", "msg=\"record quarantined\" seq=%llu reason=%s",
             (unsigned long long)item->seq, log_str(item->reason));
    return WERR_OK;
}

static int prepare(intake_t *in, const spool_batch_t *batch, size_t *n)
{
    int rc = WERR_OK;

    for (*n = 0; rc == WERR_OK && *n < batch->n; (*n)++) {
        const spool_item_t *from = &batch->items[*n];
        item_t *item = &in->items[*n];
        /* The batch's memory is ours alone. */
        char *data = (char *)(uintptr_t)from->data.data;

        rc = item_prepare(item, in->o.accounts, in->o.naccounts, from->seq,
                          data, from->data.len);
        if (rc == WERR_OK && item->dead != NULL &&
            strcmp(item->dead, DEAD_RECORD) == 0) {
            rc = quarantine(in, item);
        }
    }
    return rc;
}

static int run_batch(intake_t *in, const spool_batch_t *batch)
{
    share_t s = {.in = in, .items = in->items};
    int rc = prepare(in, batch, &s.n);

    while (rc == WERR_OK && s.from < s.n) {
        rc = run_share(&s);
        s.from = s.done;
    }
    for (size_t i = 0; i < s.n; i++) {
        item_free(&in->items[i]);
    }
    return rc;
}

/* WERR_OK: look again at once; WERR_NOTFOUND: nothing waits; or a fault. */
static int step(intake_t *in)
{
    spool_batch_t batch = {0};
    int rc;

    if (!in->loaded) {
        rc = domain_write(in->domain, load_position, in);
        if (rc != WERR_OK) {
            return rc;
        }
        in->loaded = true;
        atomic_store(&in->counters.position, (int64_t)in->position);
        if (in->position > 0 &&
            spool_delete(in->spool, in->position) != SPOOL_OK) {
            log_warn("intake", "msg=\"cannot delete what was applied\"");
        }
    }
    rc = spool_read(in->spool, in->position, (size_t)in->o.batch_max,
                    BATCH_BYTES, &batch);
    if (rc == SPOOL_EMPTY) {
        return WERR_NOTFOUND;
    }
    if (rc != SPOOL_OK) {
        log_error("intake", "msg=\"cannot read the spool\" error=%s",
                  log_str(spool_strerror(rc)));
        return rc == SPOOL_NOMEM ? WERR_NOMEM : WERR_IO;
    }
    in->flooded = in->flooded || batch.n >= FLOOD;
    rc = run_batch(in, &batch);
    spool_batch_free(&batch);
    return rc;
}

/* Nothing is lost by waiting: the records stay in the spool. */
static int back_off(intake_t *in, int rc)
{
    atomic_fetch_add(&in->counters.faults, 1);
    in->backoff_ms = in->backoff_ms == 0 ? BACKOFF_FIRST : 2 * in->backoff_ms;
    if (in->backoff_ms > BACKOFF_MAX) {
        in->backoff_ms = BACKOFF_MAX;
    }
    log_error("intake", "msg=\"batch put back\" error=%s retry_ms=%d",
              log_str(werr_text(rc)), in->backoff_ms);
    return in->backoff_ms;
}

static void give_back(intake_t *in)
{
    if (in->flooded) {
        (void)malloc_trim(0);
        in->flooded = false;
    }
}

static void *run(void *arg)
{
    intake_t *in = arg;
    int wait_ms = 0;

    /* While it backs off, notices do not shorten the wait. */
    while (notify_wait(in->backoff_ms > 0 ? -1 : in->notify, in->stop,
                       wait_ms)) {
        int rc = step(in);

        if (rc == WERR_OK || rc == WERR_NOTFOUND) {
            in->backoff_ms = 0;
            wait_ms = rc == WERR_OK ? 0 : LOOK_MS;
        } else {
            wait_ms = back_off(in, rc);
        }
        if (wait_ms > 0) {
            give_back(in);
        }
    }
    return NULL;
}

static void destroy(intake_t *in)
{
    notify_close(in->o.notify_path, &in->notify);
    if (in->stop >= 0) {
        close(in->stop);
    }
    free(in->items);
    free(in);
}

int intake_start(intake_t **out, domain_t *d, spool_t *spool,
                 const intake_options_t *o)
{
    intake_t *in = calloc(1, sizeof(*in));
    int rc = WERR_OK;

    *out = NULL;
    if (in == NULL) {
        return WERR_NOMEM;
    }
    in->domain = d;
    in->spool = spool;
    in->o = *o;
    in->notify = -1;
    if (in->o.batch_max <= 0) {
        in->o.batch_max = BATCH_DEFAULT;
    }
    in->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    in->items = calloc((size_t)in->o.batch_max, sizeof(*in->items));
    if (in->stop < 0 || in->items == NULL) {
        rc = in->stop < 0 ? WERR_SYSTEM : WERR_NOMEM;
        goto failed;
    }
    if (o->notify_path != NULL) {
        rc = notify_open(o->notify_path, &in->notify);
        if (rc != WERR_OK) {
            goto failed;
        }
    }
    if (pthread_create(&in->thread, NULL, run, in) != 0) {
        rc = WERR_SYSTEM;
        goto failed;
    }
    *out = in;
    return WERR_OK;
failed:
    destroy(in);
    return rc;
}

void intake_stop(intake_t **in)
{
    uint64_t one = 1;

    if (*in == NULL) {
        return;
    }
    while (write((*in)->stop, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    pthread_join((*in)->thread, NULL);
    destroy(*in);
    *in = NULL;
}
