#include "domain/domain.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "domain/chat_changes.h"
#include "domain/event.h"
#include "domain/event_number.h"

/* A worker runs one request at a time. */
static _Thread_local char cause[SOCKET_ID_MAX + 24];

/* The calendar day stands above the event number: 2^44 events fit below. */
#define DAY_SHIFT 44

void domain_settings_default(domain_settings_t *s)
{
    *s = (domain_settings_t){
        .utc_offset_s = 7 * 3600,
        .vip_amount = 10000000,
        .major_amount = 10000000,
        .mid_amount = 1000000,
        .lapse_days = 395,
        .welcome = true,
        .welcome_text =
            "Halo {name}! \xf0\x9f\x91\x8b\n\nTerima kasih telah menghubungi "
            "kami. Tim kami akan segera membalas pesan Anda.",
        .welcome_per_minute = 20,
        .stop_words = "STOP, BERHENTI, UNSUBSCRIBE",
        .start_words = "START, MULAI",
        .raw_retention_days = 30,
        .default_everyone = true,
        .media_max = 16 << 20,
        .media_types = UINT32_MAX,
        .event_namespace = "App\\Events\\",
    };
}

int domain_init(domain_t *d, store_t *store, const domain_settings_t *s)
{
    db_t *db;
    int64_t seq;
    int rc;

    memset(d, 0, sizeof(*d));
    d->store = store;
    d->settings = *s;
    rc = store_reader(store, &db);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = event_number_read(db, &seq);
    if (rc == WERR_OK) {
        atomic_store(&d->last_seq, seq);
    }
    store_reader_close(&db);
    return rc;
}

int64_t domain_today(const domain_t *d)
{
    return clock_day_of(clock_now_ms(), d->settings.utc_offset_s);
}

int64_t domain_version(const domain_t *d)
{
    int64_t day = domain_today(d);

    return (day << DAY_SHIFT) + atomic_load(&d->last_seq);
}

typedef struct {
    domain_t *domain;
    tx_fn fn;
    void *arg;
    tx_t tx;
} frame_t;

void domain_caused_by(const char *socket_id, int64_t user)
{
    if (socket_id == NULL) {
        cause[0] = '\0';
        return;
    }
    snprintf(cause, sizeof(cause), "%s/%lld", socket_id, (long long)user);
}

static int run_frame(db_t *db, void *arg)
{
    frame_t *f = arg;
    tx_t *tx = &f->tx;
    int rc, end;

    memset(tx, 0, sizeof(*tx));
    tx->db = db;
    tx->domain = f->domain;
    tx->socket = cause[0] != '\0' ? cause : NULL;
    tx->now = clock_now_ms();
    tx->today = clock_day_of(tx->now, f->domain->settings.utc_offset_s);
    rc = f->fn(tx, f->arg);
    if (rc >= 0) {
        end = chat_flush(tx);
        if (end == WERR_OK) {
            end = event_number_write(tx);
        }
        if (end != WERR_OK) {
            rc = end;
        }
    }
    chat_forget(tx);
    return rc;
}

int domain_savepoint(tx_t *tx, int64_t *mark)
{
    int rc = chat_flush(tx);

    *mark = tx->last_seq;
    return rc == WERR_OK ? db_savepoint(tx->db) : rc;
}

int domain_release(tx_t *tx)
{
    int rc = chat_flush(tx);

    return rc == WERR_OK ? db_release(tx->db) : rc;
}

int domain_rollback(tx_t *tx, int64_t mark)
{
    chat_forget(tx);
    tx->last_seq = mark;
    tx->last_event = (tx_event_t){0};
    return db_rollback_to(tx->db);
}

/* Commits may be told out of order: the number only grows. */
static void raise_last_seq(domain_t *d, int64_t seq)
{
    int64_t seen = atomic_load(&d->last_seq);

    while (seen < seq &&
           !atomic_compare_exchange_weak(&d->last_seq, &seen, seq)) {
    }
}

static void lower_reminder_due(domain_t *d, int64_t at)
{
    int64_t seen = atomic_load(&d->reminder_due);

    while (seen > at) {
        if (atomic_compare_exchange_weak(&d->reminder_due, &seen, at)) {
            if (d->remind_ready != NULL) {
                d->remind_ready(d->remind_arg);
            }
            return;
        }
    }
}

int domain_write(domain_t *d, tx_fn fn, void *arg)
{
    frame_t f = {.domain = d, .fn = fn, .arg = arg};
    int rc = store_write(d->store, run_frame, &f);

    if (rc < 0) {
        return rc;
    }
    if (f.tx.last_seq != 0) {
        raise_last_seq(d, f.tx.last_seq);
        if (d->events_ready != NULL) {
            d->events_ready(d->events_arg, f.tx.last_seq);
        }
    }
    if (f.tx.queued && d->outbox_ready != NULL) {
        d->outbox_ready(d->outbox_arg);
    }
    if (f.tx.remind_at != 0) {
        lower_reminder_due(d, f.tx.remind_at);
    }
    if (f.tx.revoked && d->revoked_ready != NULL) {
        d->revoked_ready(d->revoked_arg);
    }
    return rc;
}
