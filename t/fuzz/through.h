/*
 * through.h - tells at the end how many inputs came past what a target has at
 * its front door. scripts/fuzz runs the corpus by itself and wants some to: a
 * target that refuses all of them tries nothing behind.
 */
#ifndef WACRM_T_FUZZ_THROUGH_H
#define WACRM_T_FUZZ_THROUGH_H

#include <stdio.h>
#include <stdlib.h>

static size_t fuzz_came_through;

static inline void fuzz_tell_through(void)
{
    (void)fprintf(stderr, "through: %zu\n", fuzz_came_through);
}

static inline void fuzz_through(void)
{
    if (fuzz_came_through++ == 0 && atexit(fuzz_tell_through) != 0) {
        abort();
    }
}

#endif
