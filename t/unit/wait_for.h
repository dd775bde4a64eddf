/* wait_for.h - waiting for another thread of a test, but not for ever. */
#ifndef WACRM_T_WAIT_FOR_H
#define WACRM_T_WAIT_FOR_H

#include <errno.h>
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

/* A minute at most: where the test has failed, the others go on. */
static inline bool wait_for(sem_t *sem)
{
    struct timespec until;
    int rc;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    do {
        rc = sem_timedwait(sem, &until);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

#endif
