/*
 * real.h - the function behind one that a library put before libc's.
 */
#ifndef WACRM_T_FAULT_REAL_H
#define WACRM_T_FAULT_REAL_H

#include <dlfcn.h>
#include <stdlib.h>

/* Without it nothing can go on. */
static inline void *real(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (f == NULL) {
        abort();
    }
    return f;
}

#endif
