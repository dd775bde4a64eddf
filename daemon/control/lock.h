/*
 * lock.h - one wacrmd per state directory.
 */
#ifndef WACRM_CONTROL_LOCK_H
#define WACRM_CONTROL_LOCK_H

#include <stddef.h>

#include "base/error.h"

/*
 * Takes "<dir>/wacrmd.lock", making dir (2770) if it is not there. WERR_BUSY
 * if another process has it; error says in words what to do. The lock goes
 * with the process, or by state_unlock().
 */
int state_lock(const char *dir, int *fd, char *error,
               size_t size) WACRM_CHECKED;
void state_unlock(int *fd);

/*
 * WERR_CORRUPT, with error in words, where the database is a file of no bytes
 * although its search index shows that it was in use: nothing is to begin
 * anew in its place.
 */
int state_in_place(const char *database, const char *search_index, char *error,
                   size_t size) WACRM_CHECKED;

#endif
