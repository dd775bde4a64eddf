/*
 * reminder.h - what somebody wants to be reminded of: open, done, cancelled.
 *
 * One that is due fires once: its event and its fired_at are in the same
 * transaction, so also not again after a restart.
 */
#ifndef WACRM_DOMAIN_REMINDER_H
#define WACRM_DOMAIN_REMINDER_H

#include "base/buf.h"
#include "domain/domain.h"

typedef struct {
    int64_t contact;
    int64_t at; /* ms */
    const char *note;
    int64_t assignee; /* 0: nobody */
    int64_t cs_id;    /* who sets it */
} reminder_t;

int reminder_add(tx_t *tx, const reminder_t *r, int64_t *id) WACRM_CHECKED;

/* To done or cancelled. WERR_CONFLICT if it is neither open nor that
 * already. */
int reminder_close(tx_t *tx, int64_t id, const char *state) WACRM_CHECKED;

/* Fires what is due; call when domain_t.reminder_due has come, which it
 * moves. Count, or an error < 0. */
int reminder_fire(domain_t *d) WACRM_CHECKED;

/* One reminder as JSON (Reminder of the HTTP contract). */
int reminder_write(db_t *db, int64_t id, buf_t *out,
                   const char *key) WACRM_CHECKED;
/* Those of a contact, newest first, as an array. */
int reminder_list(db_t *db, int64_t contact, int limit, buf_t *out,
                  const char *key) WACRM_CHECKED;

/* The contact of a reminder. */
int reminder_contact(db_t *db, int64_t id, int64_t *contact) WACRM_CHECKED;

typedef struct {
    const char *state;
    int limit;
    int64_t user; /* who asks; */
    bool all;     /* and sees every session */
    int64_t after_at, after_id;
} reminder_query_t;

/* The reminders that a user may see, soonest first, as an array, each with
 * its contact; *more, and the place of the last one. */
int reminder_page(db_t *db, const reminder_query_t *q, buf_t *out,
                  const char *key, bool *more, int64_t *at,
                  int64_t *id) WACRM_CHECKED;

#endif
