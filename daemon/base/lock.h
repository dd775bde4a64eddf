/*
 * lock.h - a mutex and the conditions under it.
 */
#ifndef WACRM_BASE_LOCK_H
#define WACRM_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"

/*
 * Makes the lock and up to two conditions (NULL: none), whose timed waits are
 * of CLOCK_MONOTONIC. All of them, or none: false.
 */
bool lock_init(pthread_mutex_t *lock, pthread_cond_t *first,
               pthread_cond_t *second) WACRM_CHECKED;

#endif
