/*
 * lanes.c - heads of lanes into flight, and outcomes into the database: each
 * batch of either is one transaction.
 */
#include "outbox/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/schedule.h"

#define UNKNOWN_ACCOUNT_MS INT64_C(60000)
#define UNREACHABLE_MS     DAY_MS
#define RETRY_AFTER_MAX_MS INT64_C(600000)
#define RECEIPTS_SHARE     4 /* of an account: one in so many in flight */
#define RECEIPT_WAIT_MS    1000

DB_QUERY(next_deadline, "SELECT min(deadline) FROM outbox WHERE state = 2");
DB_QUERY(still_held, "SELECT 1 FROM outbox WHERE id = $1 AND state = 2 "
                     "AND attempt_id = $2");
/* Or is the id of an earlier attempt at the same one (message_row.h). */
DB_QUERY(other_message,
         "SELECT 1 FROM messages WHERE session_id = $1 AND direction = 1 "
         "AND wa_id = $2 AND (id <> $3 OR status <= 1) UNION ALL "
         "SELECT 1 FROM former_ids WHERE session_id = $1 AND wa_id = $2");

/* ---- into flight ---- */

typedef struct {
    outbox_t *o;
    delivery_t due[OUTBOX_BATCH];
    size_t n;
    int64_t defer[OUTBOX_BATCH];       /* until, ms; 0: start */
    attempt_t *attempts[OUTBOX_BATCH]; /* of those started */
    int64_t deferred;
} batch_t;

/* As long as the gateway has been away already, between the first pause and
 * the last one: a short outage is over soon, a long one is not hurried. */
static int64_t away_pause(const outbox_t *o, const reach_t *r)
{
    const outbox_options_t *opt = &o->options;
    int64_t first = opt->nbackoff > 0 ? opt->backoff_s[0] : 1;
    int64_t last = opt->nbackoff > 0 ? opt->backoff_s[opt->nbackoff - 1] : 60;
    int64_t ms = r->away_since > 0 ? clock_mono_ms() - r->away_since : 0;

    ms = ms > last * 1000 ? last * 1000 : ms;
    return ms > first * 1000 ? ms : first * 1000;
}

static bool is_receipt(const delivery_t *d)
{
    return strcmp(d->kind, "read") == 0;
}

/* Nothing depends on them: those to a gateway that does not answer leave
 * places for what is said. */
static bool enough_receipts(const outbox_t *o, const reach_t *r)
{
    int most = o->options.max_inflight / RECEIPTS_SHARE;

    return r->receipts >= (most > 1 ? most : 1);
}

/* Makes the attempt at b->due[i], which it takes over. */
static int prepare(batch_t *b, size_t i, const gateway_account_t *account)
{
    attempt_t *a = calloc(1, sizeof(*a));

    if (!a) {
        return WERR_NOMEM;
    }
    a->o = b->o;
    a->d = b->due[i];
    b->due[i].text = b->due[i].template_variables = NULL;
    a->account = account;
    a->driver = gw_driver(account->driver);
    a->reach = outbox_reach(b->o, account);
    if (a->reach->away_since > 0) {
        a->probe = a->reach->probed = true;
    }
    if (is_receipt(&a->d)) {
        a->receipt = true;
        a->reach->receipts++;
    }
    (void)snprintf(a->id, sizeof(a->id), "%016" PRIx64 "%016" PRIx64,
                   outbox_random(b->o), outbox_random(b->o));
    b->attempts[i] = a;
    return WERR_OK;
}

/* ms until it may leave; 0: now. One that calls a gateway which is away holds a
 * place in flight for long: one such call says what all of them would. */
static int64_t wait_of(outbox_t *o, const delivery_t *d,
                       const gateway_account_t *account, int64_t mono)
{
    const reach_t *r;

    if (!account || !gw_driver(account->driver)) {
        return UNKNOWN_ACCOUNT_MS;
    }
    r = outbox_reach(o, account);
    if (r->away_since > 0 && r->probed) {
        return away_pause(o, r);
    }
    if (is_receipt(d)) {
        return enough_receipts(o, r) ? RECEIPT_WAIT_MS : 0;
    }
    return pacing_take(o->pacing, d->session, d->chat, d->first, mono);
}

/* Who may leave now, and who has to wait, and how long. */
static int sort_out(batch_t *b)
{
    int64_t now = clock_now_ms(), mono = clock_mono_ms();

    pacing_round(b->o->pacing);
    for (size_t i = 0; i < b->n; i++) {
        const delivery_t *d = &b->due[i];
        const gateway_account_t *account =
            gateway_account(b->o->accounts, b->o->naccounts, d->account_name);
        int64_t wait = wait_of(b->o, d, account, mono);
        int rc;

        b->defer[i] = wait > 0 ? now + wait : 0;
        if (wait > 0) {
            continue;
        }
        rc = prepare(b, i, account);
        if (rc != WERR_OK) {
            return rc;
        }
    }
    return WERR_OK;
}

/* A row that has moved meanwhile (merged, proved sent, cancelled, or stopped
 * because they have opted out) is left alone. */
static bool moved(int rc)
{
    return rc == WERR_CONFLICT || rc == WERR_NOTFOUND || rc == WERR_DENIED;
}

static int start_batch(tx_t *tx, void *arg)
{
    batch_t *b = arg;

    b->deferred = 0;
    for (size_t i = 0; i < b->n; i++) {
        attempt_t *a = b->attempts[i];
        int rc = a ? delivery_start(tx, a->d.id, a->id)
                   : delivery_defer(tx, b->due[i].id, b->defer[i]);

        if (rc != WERR_OK && !moved(rc)) {
            return rc;
        }
        if (rc != WERR_OK && a) {
            log_info("outbox",
                     "msg=\"not sent\" message=%" PRId64 " phone=%s reason=%s",
                     a->d.message, log_phone(a->d.phone),
                     rc == WERR_DENIED ? "opted_out" : "moved");
            attempt_free(a);
            b->attempts[i] = NULL;
        } else if (!a) {
            b->deferred++;
        }
    }
    return WERR_OK;
}

static int take_batch(batch_t *b)
{
    outbox_t *o = b->o;
    int rc = sort_out(b);

    if (rc == WERR_OK) {
        rc = domain_write(o->domain, start_batch, b);
    }
    for (size_t i = 0; i < b->n; i++) {
        attempt_t *a = b->attempts[i];

        if (a && rc == WERR_OK) {
            o->inflight++;
            attempt_begin(a);
        } else if (a) {
            attempt_free(a);
        }
    }
    if (rc == WERR_OK) {
        atomic_fetch_add(&o->counters.deferred, b->deferred);
    }
    return rc;
}

int lanes_take(outbox_t *o, int64_t *next_due)
{
    size_t room = (size_t)o->options.max_inflight - o->inflight;
    batch_t *b;
    int rc;

    *next_due = INT64_MAX;
    if (o->inflight >= (size_t)o->options.max_inflight) {
        return WERR_OK;
    }
    b = calloc(1, sizeof(*b));
    if (!b) {
        return WERR_NOMEM;
    }
    b->o = o;
    if (room > OUTBOX_BATCH) {
        room = OUTBOX_BATCH;
    }
    rc = delivery_due(o->db, clock_now_ms(), b->due, room, &b->n, next_due);
    if (rc == WERR_OK && b->n > 0) {
        rc = take_batch(b);
        *next_due = 0; /* there may be more */
    }
    delivery_free(b->due, b->n);
    free(b);
    return rc;
}

/* ---- scheduled ones ---- */

static int release(tx_t *tx, void *arg)
{
    (void)arg;
    return schedule_release(tx, OUTBOX_BATCH);
}

int lanes_release(outbox_t *o, int64_t *next)
{
    int rc = schedule_next(o->db, next), n;

    if (rc != WERR_OK || *next > clock_now_ms()) {
        return rc;
    }
    n = domain_write(o->domain, release, NULL);
    if (n > 0) {
        log_info("outbox", "msg=\"scheduled messages are due\" count=%d", n);
    }
    return n < 0 ? n : schedule_next(o->db, next);
}

/* ---- outcomes ---- */

static int64_t backoff(outbox_t *o, const attempt_t *a)
{
    const outbox_options_t *opt = &o->options;
    size_t i = (size_t)a->d.attempts; /* before this one */
    int64_t after = (int64_t)a->reply.retry_after_s * 1000, ms = 0;

    if (opt->nbackoff > 0) {
        ms =
            (int64_t)opt->backoff_s[i < opt->nbackoff ? i : opt->nbackoff - 1] *
            1000;
    }
    if (opt->jitter && ms > 0) {
        ms = ms * 8 / 10 +
             (int64_t)(outbox_random(o) % (uint64_t)(ms * 4 / 10 + 1));
    }
    if (after > RETRY_AFTER_MAX_MS) {
        after = RETRY_AFTER_MAX_MS;
    }
    return ms > after ? ms : after;
}

static int write_sent(tx_t *tx, const attempt_t *a)
{
    const char *wa_id = a->reply.wa_id[0] ? a->reply.wa_id : NULL;
    int rc = delivery_sent(tx, a->d.id, a->id, wa_id);

    /* an echo may have brought the id as a message of its own */
    if (rc == WERR_CONFLICT && wa_id) {
        rc = delivery_sent(tx, a->d.id, a->id, NULL);
    }
    return rc;
}

static bool too_old(const attempt_t *a)
{
    return clock_now_ms() - a->d.queued_at > UNREACHABLE_MS;
}

/* The gateway was not asked, which says nothing of the message: it waits, but
 * not for so long that nobody expects it any more. What is older than that has
 * the tries that any other has. */
static bool no_try(const attempt_t *a)
{
    return a->stopped || ((a->unreachable || a->no_memory) && !too_old(a));
}

static int write_retry(tx_t *tx, attempt_t *a)
{
    outbox_t *o = a->o;
    int64_t wait = a->stopped       ? 0
                   : a->unreachable ? away_pause(o, a->reach)
                                    : backoff(o, a);
    int rc =
        delivery_retry(tx, a->d.id, a->id, tx->now + wait, a->reply.reason);

    return rc == WERR_OK && no_try(a) ? delivery_uncount(tx, a->d.id) : rc;
}

static bool last_try(const outbox_t *o, const attempt_t *a)
{
    return !no_try(a) && a->d.attempts + 1 >= o->options.tries;
}

static int write_outcome(tx_t *tx, attempt_t *a)
{
    outbox_t *o = a->o;

    switch (a->end) {
    case END_SENT:
        return write_sent(tx, a);
    case END_RETRY:
        if (!last_try(o, a)) {
            return write_retry(tx, a);
        }
        break;
    case END_UNKNOWN:
        a->until = tx->now + (int64_t)o->options.unknown_hold_s * 1000;
        return delivery_unknown(tx, a->d.id, a->id, a->until, a->reply.reason);
    case END_FAILED:
        break;
    }
    return delivery_failed(tx, a->d.id, a->id, a->reply.code, a->reply.reason);
}

static int settle_all(tx_t *tx, void *arg)
{
    outbox_t *o = arg;

    for (attempt_t *a = o->ended; a; a = a->next) {
        int rc = write_outcome(tx, a);

        if (rc != WERR_OK && !moved(rc)) {
            return rc;
        }
    }
    return WERR_OK;
}

/* A gateway may repeat the number or the text; the database has its words. */
static const char *ours(const attempt_t *a, const char *text)
{
    return a->theirs ? "" : text;
}

static void count(outbox_t *o, const attempt_t *a)
{
    static const char *const words[] = {"sent", "retry", "failed", "unknown"};
    end_t how = a->end == END_RETRY && last_try(o, a) ? END_FAILED : a->end;
    outbox_counters_t *c = &o->counters;
    _Atomic int64_t *const counters[] = {&c->sent, &c->retried, &c->failed,
                                         &c->unknown};

    atomic_fetch_add(counters[how], 1);
    log_write(how == END_SENT ? LOG_INFO : LOG_WARN, "outbox",
              "msg=\"attempt ended\" kind=%s message=%" PRId64
              " phone=%s try=%" PRId64
              " outcome=%s http_status=%d code=%s reason=%s",
              a->d.kind, a->d.message, log_phone(a->d.phone), a->d.attempts + 1,
              words[how], a->http_status, log_str(ours(a, a->reply.code)),
              log_str(ours(a, a->reply.reason)));
    if (a->end == END_RETRY && a->reply.retry_after_s > 0) {
        int64_t ms = (int64_t)a->reply.retry_after_s * 1000;

        pacing_pause(o->pacing, a->d.session,
                     clock_mono_ms() +
                         (ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms));
    }
}

int lanes_settle(outbox_t *o)
{
    int rc;

    if (!o->ended) {
        return WERR_OK;
    }
    rc = domain_write(o->domain, settle_all, o);
    if (rc != WERR_OK) {
        return rc; /* kept, and tried again */
    }
    while (o->ended) {
        attempt_t *a = o->ended;

        o->ended = a->next;
        count(o, a);
        if (!a->watched) {
            o->inflight--;
        }
        attempt_asked(a);
        if (a->end == END_UNKNOWN && strcmp(a->d.kind, "message") == 0) {
            attempt_watch(a);
        } else {
            attempt_free(a);
        }
    }
    o->ended_tail = &o->ended;
    return WERR_OK;
}

/* ---- unknown ones ---- */

static int expire(tx_t *tx, void *arg)
{
    (void)arg;
    return delivery_expire(tx, tx->now);
}

static int read_deadline(outbox_t *o, int64_t *next)
{
    return db_first_min(db_stmt(o->db, &next_deadline), next);
}

int lanes_expire(outbox_t *o, int64_t *next)
{
    int rc = read_deadline(o, next);

    if (rc != WERR_OK || *next > clock_now_ms()) {
        return rc;
    }
    rc = domain_write(o->domain, expire, NULL);
    return rc == WERR_OK ? read_deadline(o, next) : rc;
}

int lanes_held(const attempt_t *a, bool *held)
{
    db_stmt_t *s = db_stmt(a->o->db, &still_held);

    db_bind_i64(s, 1, a->d.id);
    db_bind_text(s, 2, a->id);
    return db_exists(s, held);
}

int lanes_known(void *attempt, const char *wa_id, bool *known)
{
    attempt_t *a = attempt;
    db_stmt_t *s = db_stmt(a->o->db, &other_message);

    db_bind_i64(s, 1, a->d.session);
    db_bind_text(s, 2, wa_id);
    db_bind_i64(s, 3, a->d.message);
    return db_exists(s, known);
}
