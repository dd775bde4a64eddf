/*
 * pacing.h - how fast messages may leave: at most so many a minute from one
 * session, fewer of them first messages, and a gap for each recipient.
 * Kept in memory only: a restart forgets the last minute.
 */
#ifndef WACRM_OUTBOX_PACING_H
#define WACRM_OUTBOX_PACING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct pacing_s pacing_t;

int pacing_new(pacing_t **out, int per_minute, int first_per_minute,
               int gap_ms) WACRM_CHECKED;
void pacing_free(pacing_t **p);

/*
 * 0: it may leave now, and is counted. Else the ms after which it is worth
 * asking again; each one put off in the same round gets a later time.
 * Times are monotonic.
 */
int64_t pacing_take(pacing_t *p, int64_t session, int64_t chat, bool first,
                    int64_t now);
/* A new round of asking. */
void pacing_round(pacing_t *p);
/* Nothing leaves from the session until then (Retry-After). */
void pacing_pause(pacing_t *p, int64_t session, int64_t until);

#endif
