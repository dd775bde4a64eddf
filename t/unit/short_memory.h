/*
 * short_memory.h - allocations that fail, for one test program: malloc() and
 * its like of all that is linked to it, in the thread that asks for it, and in
 * no other: what a background thread does meanwhile neither fails nor counts.
 * Not below a sanitizer, which has its own: short_memory() is false there.
 */
#ifndef WACRM_T_SHORT_MEMORY_H
#define WACRM_T_SHORT_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SHORT_MEMORY_NONE
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHORT_MEMORY_NONE
#endif

static _Thread_local long short_skip = -1; /* that go well first; -1: all */
static _Thread_local long short_run;       /* and how many fail then */
static _Thread_local long short_hits;

static inline bool short_memory(void)
{
#ifdef SHORT_MEMORY_NONE
    return false;
#else
    return true;
#endif
}

static inline void short_memory_begin(long skip, long run)
{
    short_hits = 0;
    short_run = run;
    short_skip = skip;
}

/* How many have failed. */
static inline long short_memory_end(void)
{
    short_skip = -1;
    return short_hits;
}

#ifndef SHORT_MEMORY_NONE
/* Of glibc, below the names that are replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static inline bool short_now(void)
{
    if (short_skip < 0) {
        return false;
    }
    if (short_skip > 0) {
        short_skip--;
        return false;
    }
    if (short_run == 0) {
        short_skip = -1;
        return false;
    }
    short_run--;
    short_hits++;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return short_now() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return short_now() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return short_now() ? NULL : __libc_realloc(p, size);
}
#endif

#endif
