/*
 * ahead.h - a thread that makes the next batch ready while one is applied:
 * parsing takes as long as the database does. Private to intake/.
 */
#ifndef WACRM_INTAKE_AHEAD_H
#define WACRM_INTAKE_AHEAD_H

#include "intake/batch.h"

typedef struct ahead_s ahead_t;

/* What has been deleted from the spool; {0} at the start. */
typedef struct {
    uint64_t upto;
    int rc; /* of the last deletion, SPOOL_* */
} deletion_t;

/* d stays the caller's, who leaves it alone between ask and wait. */
int ahead_start(ahead_t **out, const source_t *from,
                deletion_t *d) WACRM_CHECKED;
/* Nothing may be asked for and not waited for. */
void ahead_stop(ahead_t **a);

/*
 * Deletes the records up to `done` from the spool (0: none), then reads what
 * comes after `after` into batch, which is the thread's until ahead_wait().
 */
void ahead_ask(ahead_t *a, batch_t *batch, uint64_t done, uint64_t after);
/* Helps with what is left to be done. The result of batch_read(). */
int ahead_wait(ahead_t *a) WACRM_CHECKED;

/*
 * The deletion alone, where it is not done yet. One that fails is to be tried
 * again: what stays fills the spool, and is skipped. The log tells the first
 * failure of a kind, and when it works again.
 */
void ahead_delete(spool_t *spool, uint64_t upto, deletion_t *d);

#endif
