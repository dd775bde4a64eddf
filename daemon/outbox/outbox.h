/*
 * outbox.h - sends what the domain has queued: lanes, retries, pacing.
 *
 * Runs on the gateway client's thread (tick). Tries 3 (backoff 10, 30, 60 s,
 * +-20 % jitter, due times stored), FIFO per (session, chat), no resend of an
 * unknown. Pacing (messages per minute and session, gap per recipient, fewer
 * first contacts) burns no attempt.
 */
#ifndef WACRM_OUTBOX_OUTBOX_H
#define WACRM_OUTBOX_OUTBOX_H

#include "domain/domain.h"
#include "gateway/client.h"

typedef struct outbox_s outbox_t;

typedef struct {
    int tries;        /* 3 */
    int backoff_s[8]; /* 10, 30, 60; the last one repeats */
    size_t nbackoff;
    bool jitter;            /* +-20 % */
    int per_minute;         /* per session; 0: no limit */
    int gap_ms;             /* per recipient */
    int first_per_minute;   /* per session, first messages to a contact */
    int max_inflight;       /* 32 */
    int unknown_hold_s;     /* 120 */
    int fetch_tries;        /* of a file at a gateway: 5 */
    int fetch_backoff_s;    /* 10; four times as long each time */
    int session_poll_ms;    /* how often sessions are asked; 0: never */
    const char *public_url; /* as of http.h; stays the caller's */
} outbox_options_t;

void outbox_options_default(outbox_options_t *o);

/* Recovers what a crash left in flight; starts the client; takes domain's
 * outbox_ready. */
int outbox_start(outbox_t **out, domain_t *d, const outbox_options_t *o,
                 const gateway_account_t *accounts, size_t n) WACRM_CHECKED;
/* Starts nothing new, waits for what is in flight. Nobody else may write to
 * domain any more. */
void outbox_stop(outbox_t **o, int64_t timeout_ms);

/* The client of all gateway calls; any thread, until outbox_stop(). */
gw_client_t *outbox_client(const outbox_t *o);

/* A bearer got by a person's sign-in: kept and used from now on. */
int outbox_use_token(const outbox_t *o, const char *account,
                     const char *token) WACRM_CHECKED;

typedef struct {
    _Atomic int64_t sent, retried, failed, unknown, deferred;
    _Atomic int64_t history_calls, history_failed; /* of backfills */
} outbox_counters_t;
const outbox_counters_t *outbox_counters(const outbox_t *o);

#endif
