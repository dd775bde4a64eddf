/*
 * error.h - the errors of the daemon: one negative enum, a text for each.
 */
#ifndef WACRM_BASE_ERROR_H
#define WACRM_BASE_ERROR_H

enum {
    WERR_OK = 0,
    WERR_NOMEM = -1,
    WERR_IO = -2,
    WERR_FULL = -3, /* disk or database full */
    WERR_BUSY = -4, /* try again */
    WERR_CORRUPT = -5,
    WERR_NOTFOUND = -6,
    WERR_CONFLICT = -7, /* unique or foreign key, check */
    WERR_INVALID = -8,  /* input that cannot be right */
    WERR_DENIED = -9,
    WERR_TIMEOUT = -10,
    WERR_TOOBIG = -11,
    WERR_STOPPING = -12,
    WERR_FUTURE = -13, /* made by a later version */
    WERR_SYSTEM = -14, /* anything else; the log says what */
};

#define WACRM_CHECKED __attribute__((warn_unused_result))

/* Static text. */
const char *werr_text(int rc);

/* true for faults of the machine (NOMEM, IO, FULL, BUSY, CORRUPT, TIMEOUT,
 * SYSTEM), false for what the input is to blame for. */
int werr_is_fault(int rc);

#endif
