/*
 * housekeeping.h - old rows go, in small transactions; call from a timer.
 */
#ifndef WACRM_DOMAIN_HOUSEKEEPING_H
#define WACRM_DOMAIN_HOUSEKEEPING_H

#include "domain/domain.h"

/* One round over all that grows old. */
typedef struct {
    unsigned kind;   /* whose turn it is */
    int64_t began;   /* what grows old later is for the next one */
    int64_t deleted; /* rows and files, so far */
} housekeeping_t;

void housekeeping_begin(housekeeping_t *h);

/*
 * The next piece of the round, one short transaction or one directory of
 * files: raw events past their retention, idempotency keys after 24 h, parked
 * changes after 7 days, events and finished outbox rows after 30, settled dead
 * letters after 90, files that nobody has after a day. *left: there is more of
 * it, however much that is. WERR_OK, or an error: the round is best ended.
 */
int housekeeping_step(domain_t *d, housekeeping_t *h, bool *left) WACRM_CHECKED;

#endif
