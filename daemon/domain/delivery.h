/*
 * delivery.h - the rows of the outbox: what has to leave, and how far it is.
 *
 * QUEUED -> INFLIGHT -> SENT | QUEUED (retry) | FAILED | UNKNOWN. INFLIGHT is
 * committed, with an attempt id, before the first byte leaves; at a start
 * every INFLIGHT becomes UNKNOWN. UNKNOWN holds its lane (session, chat)
 * until there is proof or its deadline; then it is UNKNOWN_LEFT: visible, the
 * lane goes on, nothing is resent by itself. States < DELIVERY_OPEN are in
 * the way of those behind them. SCHEDULED is in nobody's way until its time
 * (not_before); then it goes to the end of its lane: schedule.h.
 */
#ifndef WACRM_DOMAIN_DELIVERY_H
#define WACRM_DOMAIN_DELIVERY_H

#include "base/phone.h"
#include "domain/domain.h"

typedef enum {
    DELIVERY_QUEUED = 0,
    DELIVERY_INFLIGHT = 1,
    DELIVERY_UNKNOWN = 2,
    DELIVERY_OPEN = 4, /* a bound, no state */
    DELIVERY_SENT = 4,
    DELIVERY_FAILED = 5,
    DELIVERY_UNKNOWN_LEFT = 6,
    DELIVERY_SCHEDULED = 7,
} delivery_state_t;

typedef struct {
    int64_t id, message, session, chat, account;
    char kind[12];    /* message, read */
    char remote[200]; /* session at the gateway */
    char account_name[64];
    char phone[ALIAS_MAX];
    char type[16];
    char *text; /* malloc'd */
    /* what the gateway may send in its place, "" and NULL: nothing */
    char template_name[128];
    char template_language[32];
    char *template_variables; /* malloc'd; JSON array of strings */
    int64_t attempts;
    int64_t not_before;
    int64_t queued_at; /* ms */
    bool first;        /* first message to this contact */
} delivery_t;

void delivery_free(delivery_t *d, size_t n);

/* One that is UNKNOWN and holds its lane. */
typedef struct {
    delivery_t d;
    char attempt[40];
    int64_t deadline;
    int64_t said; /* ms of its message */
} held_t;

/* The oldest ones, up to max; each d is to be freed. */
int delivery_held(db_t *db, held_t *out, size_t max, size_t *n) WACRM_CHECKED;

/*
 * The heads of all lanes that are due at now: the oldest open row of each
 * (session, chat), if it is QUEUED, not_before <= now, and its file is here.
 * Up to max; out is the caller's (delivery_free). *next_due: ms of the next
 * one that is not due yet, or INT64_MAX.
 */
int delivery_due(db_t *db, int64_t now, delivery_t *out, size_t max, size_t *n,
                 int64_t *next_due) WACRM_CHECKED;

/* QUEUED -> INFLIGHT with the attempt id; attempts + 1. WERR_CONFLICT: it is
 * not QUEUED any more. WERR_DENIED: its contact has opted out; it is FAILED
 * now. */
int delivery_start(tx_t *tx, int64_t id, const char *attempt) WACRM_CHECKED;

/* The outcomes of an attempt; each checks the attempt id and moves the
 * message's status with it. */
int delivery_sent(tx_t *tx, int64_t id, const char *attempt,
                  const char *wa_id /* NULL: not told */) WACRM_CHECKED;
int delivery_retry(tx_t *tx, int64_t id, const char *attempt,
                   int64_t not_before, const char *reason) WACRM_CHECKED;
/* After delivery_retry(): nothing has reached the gateway, which is no try. */
int delivery_uncount(tx_t *tx, int64_t id) WACRM_CHECKED;
int delivery_failed(tx_t *tx, int64_t id, const char *attempt, const char *code,
                    const char *reason) WACRM_CHECKED;
int delivery_unknown(tx_t *tx, int64_t id, const char *attempt,
                     int64_t deadline, const char *reason) WACRM_CHECKED;
/* Put off without an attempt burnt (pacing): INFLIGHT never began. */
int delivery_defer(tx_t *tx, int64_t id, int64_t not_before) WACRM_CHECKED;

/* At the start: every INFLIGHT becomes UNKNOWN with that deadline. */
int delivery_recover(tx_t *tx, int64_t deadline) WACRM_CHECKED;
/* UNKNOWN past its deadline becomes UNKNOWN_LEFT. */
int delivery_expire(tx_t *tx, int64_t now) WACRM_CHECKED;

#define DELIVERY_OPTED_OUT      "opted_out"
#define DELIVERY_OPTED_OUT_TEXT "The contact does not want to be written to."
/* What waits, or is scheduled, for a contact who has opted out: FAILED. */
int delivery_refuse(tx_t *tx, int64_t contact) WACRM_CHECKED;
/* A message that is QUEUED or SCHEDULED has FAILED; nothing if it is neither.
 */
int delivery_stop(tx_t *tx, int64_t message, const char *code,
                  const char *title) WACRM_CHECKED;
/* May it leave? Not to who has opted out, unless it was queued after that and
 * answers what they wrote after that: consent_may_reply(). */
int delivery_consented(tx_t *tx, int64_t id, bool *may) WACRM_CHECKED;

typedef struct {
    int64_t queued, inflight, unknown, failed, scheduled;
    int64_t oldest; /* ms of the oldest queued, 0: none */
} delivery_stat_t;
int delivery_stat(db_t *db, delivery_stat_t *st) WACRM_CHECKED;

#endif
