/*
 * stats.h - counts of the HTTP server, for /metrics.
 */
#ifndef WACRM_HTTP_STATS_H
#define WACRM_HTTP_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"

#define STATS_ROUTES_MAX 128
#define STATS_BUCKETS    12

typedef struct {
    /* by row of the route table (the last: no route), class of status */
    _Atomic int64_t answers[STATS_ROUTES_MAX + 1][6];
    _Atomic int64_t buckets[STATS_BUCKETS + 1];
    _Atomic int64_t sum_us;
    _Atomic int64_t refused_peers;
    _Atomic int64_t refused_identities;
    _Atomic int64_t queue_full;
    _Atomic int64_t at_once;  /* answered by the I/O thread, from the cache */
    _Atomic int64_t followed; /* requests that have, flights.h */
} stats_t;

/* route: row of the table, or -1. us: from the head to the answer. */
void stats_count(stats_t *s, long route, int status, int64_t us);
/* Prometheus text. */
void stats_write(const stats_t *s, buf_t *out);

#endif
