/*
 * gcra.h - the arithmetic of rate limiting, and its table in shared memory.
 *
 * GCRA (ITU-T I.371, as a virtual scheduling algorithm): a key has one
 * number, its theoretical arrival time (TAT). Emission interval T = period /
 * rate; tolerance = T * (burst - 1). A request at t conforms if
 * max(TAT, t) - t <= tolerance; then TAT = max(TAT, t) + T. `burst` requests
 * may come at once; the default burst is the quota (30r/m: 30).
 *
 * The table is an array of fixed slots {hash, tat} in sets of GCRA_WAYS,
 * changed by compare-and-swap only: no lock, nothing half-done after a
 * SIGKILL. A full set gives up the slot that expires soonest. A collision of
 * 64-bit hashes shares one budget.
 *
 * Pure C; all times in microseconds of a monotonic clock that all users of
 * the table share (CLOCK_MONOTONIC of one host; after a reboot shared memory
 * is new).
 */
#ifndef WACRM_EDGE_GCRA_H
#define WACRM_EDGE_GCRA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCRA_WAYS 8

typedef struct {
    uint64_t interval_us; /* T */
    uint32_t burst;       /* >= 1 */
    uint32_t quota;       /* requests per window, for the headers */
    uint32_t window_s;    /* 1 (r/s), 60 (r/m), 3600 (r/h) */
} gcra_rate_t;

/*
 * "30r/m", "10r/s", "100r/h"; burst 0 = quota. false if it cannot be read or
 * is zero or over a million.
 */
bool gcra_rate_parse(const char *text, size_t len, uint32_t burst,
                     gcra_rate_t *rate);

typedef struct {
    bool allowed;
    uint32_t limit;       /* = burst */
    uint32_t remaining;   /* requests that would pass now */
    uint32_t retry_after; /* seconds, rounded up; 0 if allowed */
    uint32_t reset;       /* seconds until the whole burst is there again */
} gcra_result_t;

typedef struct gcra_table_s gcra_table_t;

/* Bytes for at least n keys; 0 on overflow. */
size_t gcra_table_size(size_t n);
/* How many keys fit into size bytes. */
size_t gcra_table_capacity(size_t size);
/* Lays an empty table into size bytes of zeroed, 64-byte aligned memory. */
gcra_table_t *gcra_table_init(void *memory, size_t size);
/* Takes over a table that is there already; NULL if the memory is none. */
gcra_table_t *gcra_table_attach(void *memory, size_t size);

/* One request of that key at now. `commit` false: a look, it costs nothing. */
gcra_result_t gcra_table_take(gcra_table_t *table, const gcra_rate_t *rate,
                              const void *key, size_t key_len, uint64_t now_us,
                              bool commit);

/* Slots whose key has budget missing at now. */
size_t gcra_table_used(const gcra_table_t *table, uint64_t now_us);

#endif
