/*
 * quiet_log.h - no log while a group of tests runs: faults are made on purpose.
 */
#ifndef WACRM_T_QUIET_LOG_H
#define WACRM_T_QUIET_LOG_H

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

static int no_log = -1;

static inline int quiet(void **state)
{
    (void)state;
    no_log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_setup(LOG_ERROR, no_log);
    return no_log >= 0 ? 0 : -1;
}

static inline int loud(void **state)
{
    (void)state;
    return close(no_log);
}

#endif
