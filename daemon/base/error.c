/*
 * error.c - the texts of error.h.
 */
#include "base/error.h"

#include <stddef.h>

static const char *const texts[] = {
    [-WERR_OK] = "ok",
    [-WERR_NOMEM] = "out of memory",
    [-WERR_IO] = "input/output error",
    [-WERR_FULL] = "disk or database full",
    [-WERR_BUSY] = "busy, try again",
    [-WERR_CORRUPT] = "damaged data",
    [-WERR_NOTFOUND] = "not found",
    [-WERR_CONFLICT] = "conflicts with what is there",
    [-WERR_INVALID] = "invalid",
    [-WERR_DENIED] = "denied",
    [-WERR_TIMEOUT] = "timed out",
    [-WERR_TOOBIG] = "too big",
    [-WERR_STOPPING] = "stopping",
    [-WERR_FUTURE] = "made by a later version of wacrm",
    [-WERR_SYSTEM] = "system error",
};

const char *werr_text(int rc)
{
    size_t n = sizeof(texts) / sizeof(texts[0]);

    if (rc >= 0) {
        return texts[0];
    }
    if (rc <= -(int)n || !texts[-rc]) {
        return "unknown error";
    }
    return texts[-rc];
}

int werr_is_fault(int rc)
{
    switch (rc) {
    case WERR_NOMEM:
    case WERR_IO:
    case WERR_FULL:
    case WERR_BUSY:
    case WERR_CORRUPT:
    case WERR_TIMEOUT:
    case WERR_SYSTEM:
        return 1;
    default:
        return 0;
    }
}
