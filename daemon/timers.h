/*
 * timers.h - what the main thread does by the clock.
 */
#ifndef WACRM_TIMERS_H
#define WACRM_TIMERS_H

#include "alarm.h"
#include "domain/domain.h"
#include "domain/housekeeping.h"
#include "http/http.h"
#include "spool/spool.h"

typedef struct {
    domain_t *domain;
    spool_t *spool;
    const char *spool_path;
    http_server_t *http;        /* NULL: none */
    alarm_t *alarm;             /* NULL: none */
    int64_t soon, minute, hour; /* when they are due, monotonic ms */
    bool refresh;               /* donors' figures may have ended */
    bool tidy;                  /* a round of housekeeping is under way */
    housekeeping_t round;
    bool spool_moved;   /* another spool is at the path now */
    bool spool_damaged; /* it wants to be opened anew */
} timers_t;

/* Everything is due at once, but the daily work. */
void timers_init(timers_t *t, domain_t *domain, spool_t *spool,
                 const char *spool_path, http_server_t *http);

/* Does what is due, of the long work a piece that takes a moment; ms until it
 * should be called again. */
int64_t timers_run(timers_t *t);

#endif
