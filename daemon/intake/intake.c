#include "intake/intake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "intake/ahead.h"
#include "intake/notify.h"
#include "intake/position.h"
#include "intake/share.h"

#define BATCH_DEFAULT 1024
#define LOOK_MS       1000 /* by itself, should a notice get lost */
#define AHEAD         64   /* records: more is likely to wait */
#define DELETE_EVERY  4    /* batches of a flood: fewer syncs */
#define FLOOD         256  /* records, or: memory worth giving back */
#define FLOOD_BYTES   ((size_t)1 << 20)
#define BACKOFF_FIRST 100
#define BACKOFF_MAX   5000

struct intake_s {
    source_t source;
    worker_t worker;
    intake_options_t o;
    intake_counters_t counters;
    pthread_t thread;
    int notify, stop;
    int backoff_ms; /* 0: all is well */
    bool flooded;
    bool loaded;       /* position is known */
    uint64_t position; /* applied, and committed */
    deletion_t deletion;
    ahead_t *ahead;
    batch_t batches[2]; /* one is applied while the other is made ready */
    /* the last self-test; probe is written last */
    _Atomic int64_t probe, probe_received, probe_taken, probe_committed;
};

const intake_counters_t *intake_counters(const intake_t *in)
{
    return &in->counters;
}

static int load_position(tx_t *tx, void *arg)
{
    intake_t *in = arg;
    int64_t id, position;
    int rc = position_ensure(tx, in->worker.spool, &id, &position);

    if (rc == WERR_OK) {
        in->position = (uint64_t)position;
    }
    return rc;
}

static int load(intake_t *in)
{
    int rc = in->loaded ? WERR_OK
                        : domain_write(in->worker.domain, load_position, in);

    if (rc == WERR_OK && !in->loaded) {
        in->loaded = true;
        atomic_store(&in->counters.position, (int64_t)in->position);
    }
    return rc;
}

static void tell_typing(intake_t *in)
{
    const apply_t *a = &in->worker.apply;
    const domain_t *d = in->worker.domain;

    for (size_t i = 0; d->typing_ready != NULL && i < a->ntyping; i++) {
        d->typing_ready(d->typing_arg, a->typing[i].session, a->typing[i].phone,
                        a->typing[i].on);
    }
}

static void keep_probe(intake_t *in, const item_t *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (items[i].probe != 0) {
            atomic_store(&in->probe_received, items[i].received_us);
            atomic_store(&in->probe_taken, items[i].taken_us);
            atomic_store(&in->probe_committed, clock_now_us());
            atomic_store(&in->probe, items[i].probe);
        }
    }
}

void intake_probe(const intake_t *in, intake_probe_t *out)
{
    out->probe = atomic_load(&in->probe);
    out->received_us = atomic_load(&in->probe_received);
    out->taken_us = atomic_load(&in->probe_taken);
    out->committed_us = atomic_load(&in->probe_committed);
}

/* items[0..n) are in the database, `us` after they were begun. */
static void committed(intake_t *in, const item_t *items, size_t n, int64_t us)
{
    intake_counters_t *c = &in->counters;
    const apply_t *a = &in->worker.apply;

    in->position = items[n - 1].seq;
    keep_probe(in, items, n);
    atomic_fetch_add(&c->batches, 1);
    atomic_fetch_add(&c->duplicates, a->duplicates);
    atomic_fetch_add(&c->dead, a->dead);
    atomic_fetch_add(&c->ignored, a->ignored);
    atomic_fetch_add(&c->apply_us, us);
    atomic_store(&c->position, (int64_t)in->position);
    atomic_fetch_add(&c->events, (int64_t)n);
    log_debug("intake", "msg=\"batch applied\" events=%zu seq=%llu us=%lld", n,
              (unsigned long long)in->position, (long long)us);
    if (a->dead > 0) {
        log_warn("intake", "msg=\"dead letters\" count=%lld seq=%llu",
                 (long long)a->dead, (unsigned long long)in->position);
    }
    tell_typing(in);
}

static int apply_batch(intake_t *in, batch_t *b)
{
    int rc = WERR_OK;

    for (size_t from = 0, n; rc == WERR_OK && from < b->n; from += n) {
        int64_t started = clock_mono_us();

        rc = share_apply(&in->worker, &b->items[from], b->n - from, &n);
        if (rc == WERR_OK) {
            committed(in, &b->items[from], n, clock_mono_us() - started);
        }
    }
    if (rc == WERR_OK) {
        atomic_fetch_add(&in->counters.dead,
                         (int64_t)atomic_load(&b->quarantined));
    }
    return rc;
}

static bool stopping(const intake_t *in)
{
    return !notify_wait(-1, in->stop, 0);
}

/*
 * Applies what waits until nothing does (WERR_NOTFOUND), a fault, or the
 * stop. Beside a batch of some size the next one is made ready.
 */
static int drain(intake_t *in)
{
    int current = 0;
    unsigned batches = 0;
    int rc = batch_read(&in->batches[0], &in->source, in->position);

    while (rc == WERR_OK) {
        batch_t *b = &in->batches[current], *next = &in->batches[1 - current];
        bool more = b->n >= AHEAD;
        int applied;

        in->flooded =
            in->flooded || b->n >= FLOOD || b->raw.bytes >= FLOOD_BYTES;
        if (more) {
            bool tidy = ++batches % DELETE_EVERY == 0;

            ahead_ask(in->ahead, next, tidy ? in->position : 0,
                      b->items[b->n - 1].seq);
        }
        applied = apply_batch(in, b);
        rc = more ? ahead_wait(in->ahead) : WERR_NOTFOUND;
        if (applied != WERR_OK) {
            rc = applied;
        } else if (!more && !stopping(in)) {
            ahead_delete(in->source.spool, in->position, &in->deletion);
            rc = batch_read(next, &in->source, in->position);
        }
        current = 1 - current;
        if (rc == WERR_OK && stopping(in)) {
            break;
        }
    }
    batch_clear(&in->batches[0]);
    batch_clear(&in->batches[1]);
    /* also what could not be deleted a turn ago */
    ahead_delete(in->source.spool, in->position, &in->deletion);
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

static void *run(void *arg)
{
    intake_t *in = arg;
    int wait_ms = 0;

    /* While it backs off, notices do not shorten the wait. */
    while (
        notify_wait(in->backoff_ms > 0 ? -1 : in->notify, in->stop, wait_ms)) {
        int rc = load(in);

        if (rc == WERR_OK) {
            rc = drain(in);
        }
        if (rc == WERR_OK || rc == WERR_NOTFOUND) {
            in->backoff_ms = 0;
            wait_ms = LOOK_MS;
        } else {
            wait_ms = back_off(in, rc);
        }
        if (in->flooded) {
            heap_give_back();
            in->flooded = false;
        }
    }
    return NULL;
}

static void destroy(intake_t *in)
{
    ahead_stop(&in->ahead);
    notify_close(in->o.notify_path, &in->notify);
    if (in->stop >= 0) {
        close(in->stop);
    }
    batch_free(&in->batches[0]);
    batch_free(&in->batches[1]);
    free(in);
}

static void set_up(intake_t *in, domain_t *d, spool_t *spool,
                   const intake_options_t *o)
{
    in->o = *o;
    in->source = (source_t){
        .spool = spool,
        .accounts = o->accounts,
        .naccounts = o->naccounts,
        .max = o->batch_max > 0 ? (size_t)o->batch_max : BATCH_DEFAULT,
    };
    in->worker.domain = d;
    in->worker.spool = spool_id(spool);
    in->notify = -1;
    in->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int intake_start(intake_t **out, domain_t *d, spool_t *spool,
                 const intake_options_t *o)
{
    intake_t *in = calloc(1, sizeof(*in));
    int rc;

    *out = NULL;
    if (in == NULL) {
        return WERR_NOMEM;
    }
    set_up(in, d, spool, o);
    rc = in->stop < 0 ? WERR_SYSTEM : batch_init(&in->batches[0], &in->source);
    if (rc == WERR_OK) {
        rc = batch_init(&in->batches[1], &in->source);
    }
    if (rc == WERR_OK && o->notify_path != NULL) {
        rc = notify_open(o->notify_path, &in->notify);
    }
    if (rc == WERR_OK) {
        rc = ahead_start(&in->ahead, &in->source, &in->deletion);
    }
    if (rc == WERR_OK && pthread_create(&in->thread, NULL, run, in) != 0) {
        rc = WERR_SYSTEM;
    }
    if (rc != WERR_OK) {
        destroy(in);
        return rc;
    }
    *out = in;
    return WERR_OK;
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
