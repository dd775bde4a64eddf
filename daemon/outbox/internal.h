/*
 * internal.h - inside the outbox: an attempt, and its files to each other.
 * All of it runs on the gateway client's thread.
 */
#ifndef WACRM_OUTBOX_INTERNAL_H
#define WACRM_OUTBOX_INTERNAL_H

#include "domain/delivery.h"
#include "outbox/outbox.h"
#include "outbox/pacing.h"

#define OUTBOX_BATCH 64
#define FETCHES_MAX  4

typedef enum { END_SENT, END_RETRY, END_FAILED, END_UNKNOWN } end_t;

/* Whether an account's gateway answers. */
typedef struct {
    int64_t away_since; /* monotonic ms; 0: it does. Any answer ends it */
    bool probed;        /* while it is away one attempt at a time asks it */
    int receipts;       /* in flight */
} reach_t;

/* One delivery on its way; from INFLIGHT in the database until its outcome
 * is there too. */
typedef struct attempt_s {
    struct attempt_s *next; /* of one of the lists of outbox_t */
    outbox_t *o;
    delivery_t d;
    char id[40];
    const gateway_account_t *account;
    const gw_driver_t *driver;
    reach_t *reach;      /* its account's; NULL: it has left before */
    bool probe;          /* it has reach->probed */
    bool receipt;        /* it is one of reach->receipts */
    int64_t started;     /* ms */
    int64_t lookup_at;   /* monotonic */
    bool absence_proves; /* not found by the look-up: not sent */
    bool unreachable;    /* nothing has reached the gateway */
    bool no_memory;      /* nothing has left here, for want of memory */
    bool stopped;        /* nothing has left here before the end of wacrmd */
    bool watched;        /* unknown: looked up again while it is held */
    int looked_up;       /* how often, since then */
    int64_t until;       /* ms: it is held */
    end_t end;
    gw_reply_t reply;
    bool theirs;     /* reply has words of the gateway: not for a log */
    int http_status; /* of the answer; 0: none */
} attempt_t;

typedef struct fetch_s fetch_t;

typedef struct health_s health_t;

struct outbox_s {
    domain_t *domain;
    outbox_options_t options;
    const gateway_account_t *accounts;
    size_t naccounts;
    gw_client_t *client; /* of the starter */
    gw_client_t *loop;   /* the same, on its own thread */
    db_t *db;            /* reader */
    pacing_t *pacing;
    attempt_t *ended; /* outcomes to be written */
    attempt_t **ended_tail;
    attempt_t *lookups; /* waiting to be looked up */
    struct backfill_s *backfill;
    size_t inflight;
    fetch_t *fetches[FETCHES_MAX]; /* files under way, and ended ones */
    health_t *health;
    reach_t *reach; /* of each account */
    int64_t ahead;  /* of the calendar before the monotonic clock, ms */
    uint64_t random;
    outbox_counters_t counters;
};

/* Of one of o->accounts. */
static inline reach_t *outbox_reach(const outbox_t *o,
                                    const gateway_account_t *account)
{
    return &o->reach[account - o->accounts];
}

/* lanes.c: the database's side */

/* Takes what is due and starts it; *next_due is absolute, ms. */
int lanes_take(outbox_t *o, int64_t *next_due) WACRM_CHECKED;
/* Scheduled messages that are due join their lanes; *next as above. */
int lanes_release(outbox_t *o, int64_t *next) WACRM_CHECKED;
/* Writes the outcomes of attempts that have ended. */
int lanes_settle(outbox_t *o) WACRM_CHECKED;
/* UNKNOWN past its deadline is left; *next: the earliest deadline ahead. */
int lanes_expire(outbox_t *o, int64_t *next) WACRM_CHECKED;
/* Is an unknown one still that? WERR_OK, or an error, which says neither. */
int lanes_held(const attempt_t *a, bool *held) WACRM_CHECKED;
/* Does that id belong to another message of ours, or to an attempt before
 * this one was retried? The same: gw_lookup_t. */
int lanes_known(void *attempt, const char *wa_id, bool *known) WACRM_CHECKED;

/* attempt.c: the gateway's side */

void attempt_begin(attempt_t *a);
/* Starts the look-ups that are due; *next: monotonic ms of the first ahead. */
void attempt_lookups(outbox_t *o, int64_t *next);
void attempt_free(attempt_t *a);
/* It asks no more: the next one may. */
void attempt_asked(attempt_t *a);
/* Takes over an unknown one: what the gateway does late, or told nobody of,
 * shows in its history. */
void attempt_watch(attempt_t *a);

/* held.c: those that are unknown at the start are watched, too */
int held_watch(outbox_t *o) WACRM_CHECKED;

/* fetch.c: files that donors have sent, from the gateway to here */

/* Writes how fetches have ended, starts what is due; *next is absolute, ms. */
int fetch_step(outbox_t *o, int64_t *next) WACRM_CHECKED;
void fetch_free(outbox_t *o);

/* health.c: are the sessions connected? */

int health_new(health_t **out) WACRM_CHECKED;
void health_free(health_t **h);
/* Asks, and connects again; *next: monotonic ms of the next one. */
int health_tick(outbox_t *o, int64_t *next) WACRM_CHECKED;

/* calendar.c: the clock may be set back */

/* At the start: what waits for longer than it ever should goes on. */
int calendar_begin(outbox_t *o) WACRM_CHECKED;
/* The same at once, when the clock is seen to have gone back. */
int calendar_watch(outbox_t *o) WACRM_CHECKED;

/* token.c */
void outbox_token_load(void *outbox, const char *account, char *token,
                       size_t size);
void outbox_token_store(void *outbox, const char *account, const char *token,
                        int64_t expires_ms);

uint64_t outbox_random(outbox_t *o);

#endif
