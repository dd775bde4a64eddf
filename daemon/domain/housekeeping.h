/*
 * housekeeping.h - old rows go, in small transactions; call from a timer.
 */
#ifndef WACRM_DOMAIN_HOUSEKEEPING_H
#define WACRM_DOMAIN_HOUSEKEEPING_H

#include "domain/domain.h"

/*
 * Deletes raw events past their retention, idempotency keys after 24 h,
 * parked changes after 7 days, events and finished outbox rows after 30,
 * settled dead letters after 90. Rows deleted, or an error < 0.
 */
int domain_housekeep(domain_t *d) WACRM_CHECKED;

#endif
