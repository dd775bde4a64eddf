/*
 * short_memory.h - allocations that fail, for one test program: malloc() and
 * its like of all that is linked to it, in all threads. Not below a sanitizer,
 * which has its own: short_memory() is false there.
 */
#ifndef WACRM_T_SHORT_MEMORY_H
#define WACRM_T_SHORT_MEMORY_H

#include <errno.h>
#include <stdatomic.h>
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

static atomic_long short_skip = -1; /* calls that go well first; -1: all */
static atomic_long short_run;       /* and how many fail then */
static atomic_long short_hits;

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
    atomic_store(&short_hits, 0);
    atomic_store(&short_run, run);
    atomic_store(&short_skip, skip);
}

/* How many have failed. */
static inline long short_memory_end(void)
{
    atomic_store(&short_skip, -1);
    return atomic_load(&short_hits);
}

#ifndef SHORT_MEMORY_NONE
/* Of glibc, below the names that are replaced here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static inline bool short_now(void)
{
    long at;

    if (atomic_load(&short_skip) < 0) {
        return false;
    }
    at = atomic_fetch_sub(&short_skip, 1);
    if (at > 0) {
        return false;
    }
    if (atomic_fetch_sub(&short_run, 1) <= 0) {
        atomic_store(&short_skip, -1);
        return false;
    }
    atomic_store(&short_skip, 0);
    atomic_fetch_add(&short_hits, 1);
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
