/*
 * housekeeping.h - what the clock asks for: old rows go, figures that have
 * run out are computed anew. Small transactions; call from a timer.
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

/* Recomputes the donor figures that ended before today. Cheap when there are
 * none: meant for every few minutes, and right after midnight. */
int domain_refresh(domain_t *d) WACRM_CHECKED;

#endif
