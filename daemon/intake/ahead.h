/*
 * ahead.h - a thread that makes the next batch ready while one is applied:
 * parsing takes as long as the database does. Private to intake/.
 */
#ifndef WACRM_INTAKE_AHEAD_H
#define WACRM_INTAKE_AHEAD_H

#include "intake/batch.h"

typedef struct ahead_s ahead_t;

int ahead_start(ahead_t **out, const source_t *from) WACRM_CHECKED;
/* Nothing may be asked for and not waited for. */
void ahead_stop(ahead_t **a);

/*
 * Deletes the records up to `done` from the spool (0: none), then reads what
 * comes after `after` into batch, which is the thread's until ahead_wait().
 */
void ahead_ask(ahead_t *a, batch_t *batch, uint64_t done, uint64_t after);
/* Moves *deleted to where ahead_ask() has deleted; after ahead_wait(). */
void ahead_deleted(const ahead_t *a, uint64_t *deleted);
/* Helps with what is left to be done. The result of batch_read(). */
int ahead_wait(ahead_t *a) WACRM_CHECKED;

/*
 * The deletion alone. *deleted is moved there where it was done; else it is
 * logged, and to be tried again: what stays fills the spool, and is skipped.
 */
void ahead_delete(spool_t *spool, uint64_t upto, uint64_t *deleted);

#endif
