#include "base/lock.h"

#include <stddef.h>
#include <time.h>

static bool cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    bool ok;

    if (cond == NULL) {
        return true;
    }
    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return ok;
}

bool lock_init(pthread_mutex_t *lock, pthread_cond_t *first,
               pthread_cond_t *second)
{
    if (!cond_init(first)) {
        return false;
    }
    if (cond_init(second)) {
        if (pthread_mutex_init(lock, NULL) == 0) {
            return true;
        }
        if (second != NULL) {
            (void)pthread_cond_destroy(second);
        }
    }
    if (first != NULL) {
        (void)pthread_cond_destroy(first);
    }
    return false;
}
