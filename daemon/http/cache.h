/*
 * cache.h - rendered bodies, by what they show and the version of the data
 * they were rendered from.
 *
 * Many tabs refetch after one event: the first renders, the others wait for
 * it. A body of an older version is never handed out, so that a writer reads
 * what it wrote; nor one of more than half a minute, as figures that age are in
 * it, in lines as old as that.
 * Small and bounded; the least recently used go.
 */
#ifndef WACRM_HTTP_CACHE_H
#define WACRM_HTTP_CACHE_H

#include <stdint.h>

#include "base/error.h"
#include "http/ready.h"

typedef struct cache_s cache_t;

int cache_new(cache_t **out, size_t entries, size_t bytes) WACRM_CHECKED;
void cache_free(cache_t **cache);

/*
 * The body of key at version or later: one reference, the caller's. NULL:
 * the caller has to render it and then to call cache_fill(), with that version
 * or a later one, or cache_abandon().
 */
ready_t *cache_get(cache_t *c, const void *key, size_t len, int64_t version);
/* The same, but NULL only says that it is not there now. */
ready_t *cache_peek(cache_t *c, const void *key, size_t len, int64_t version);
/* Keeps a reference of its own. */
void cache_fill(cache_t *c, const void *key, size_t len, int64_t version,
                ready_t *ready);
void cache_abandon(cache_t *c, const void *key, size_t len);

typedef struct {
    /* calls of cache_get() and cache_peek() that found it, calls that have to
     * render it, calls that waited (each is one of the others, too), bodies
     * that went for others */
    int64_t hits, renders, waits, evictions;
    size_t entries, bytes;
} cache_stat_t;
void cache_stat(cache_t *c, cache_stat_t *st);

#endif
