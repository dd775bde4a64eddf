/*
 * welcome.h - the greeting for somebody who writes for the first time (S62).
 */
#ifndef WACRM_DOMAIN_WELCOME_H
#define WACRM_DOMAIN_WELCOME_H

#include "domain/domain.h"

/* How many went out in this minute; the caller keeps it, zeroed. */
typedef struct {
    int64_t minute;
    int sent;
} welcome_pace_t;

/*
 * Queues the welcome message, unless it is switched off, ts is more than ten
 * minutes old, or the minute has seen enough. name NULL: not told.
 */
int welcome_queue(tx_t *tx, welcome_pace_t *pace, int64_t session,
                  const char *phone, const char *name,
                  int64_t ts) WACRM_CHECKED;

#endif
