/*
 * intake.h - from the spool to the domain: waits on the notify socket, takes
 * batches, one transaction each, exactly once.
 *
 * A batch: what waits, at most 1024, at most 256 while somebody else waits
 * for the writer, at most 50 ms. Each event in a savepoint; a bad one becomes
 * a dead letter; a fault of the machine aborts the batch, which is retried.
 */
#ifndef WACRM_INTAKE_INTAKE_H
#define WACRM_INTAKE_INTAKE_H

#include "domain/domain.h"
#include "gateway/gateway.h"
#include "spool/spool.h"

typedef struct intake_s intake_t;

typedef struct {
    const char *notify_path; /* datagram socket, made here; NULL: none */
    const gateway_account_t *accounts;
    size_t naccounts;
    int batch_max; /* 1024 */
} intake_options_t;

int intake_start(intake_t **out, domain_t *d, spool_t *spool,
                 const intake_options_t *o) WACRM_CHECKED;
/* Finishes the batch in hand. */
void intake_stop(intake_t **in);

typedef struct {
    _Atomic int64_t events, batches, duplicates, dead, ignored, faults;
    _Atomic int64_t position; /* last sequence applied */
    _Atomic int64_t apply_us; /* sum over batches */
} intake_counters_t;
const intake_counters_t *intake_counters(const intake_t *in);

/* The last self-test that was applied; us since 1970. */
typedef struct {
    int64_t probe; /* its number, 0: none yet */
    int64_t received_us, taken_us, committed_us;
} intake_probe_t;
void intake_probe(const intake_t *in, intake_probe_t *out);

/*
 * Applies one record by itself in tx, as a replay: no welcome, no live event,
 * no alias moved, no state of a session. WERR_INVALID with reason: it is still
 * bad.
 */
int intake_replay(tx_t *tx, const gateway_account_t *accounts, size_t n,
                  const void *record, size_t len, char *reason,
                  size_t size) WACRM_CHECKED;

/* Dead letters, for wacrmctl. */
typedef int (*dead_cb)(void *ctx, int64_t id, const char *source,
                       int64_t received, const char *code, const char *reason,
                       const char *state);
int dead_list(db_t *db, int limit, dead_cb cb, void *ctx) WACRM_CHECKED;
/* record: malloc'd copy. */
int dead_get(db_t *db, int64_t id, void **record, size_t *len, char *reason,
             size_t size) WACRM_CHECKED;
int dead_set_state(tx_t *tx, int64_t id, const char *state) WACRM_CHECKED;

#endif
