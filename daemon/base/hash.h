/*
 * hash.h - FNV-1a, 64 bits: small and quick for short keys.
 *
 * After Fowler, Noll and Vo (IETF draft-eastlake-fnv). No defence against keys
 * chosen to collide: where strangers choose them, start from a secret number,
 * and let the worst case be a harmless one.
 */
#ifndef WACRM_BASE_HASH_H
#define WACRM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(14695981039346656037)

/* Of these bytes after those that `start` is the hash of (HASH_START: none). */
static inline uint64_t hash_bytes(uint64_t start, const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t h = start;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ p[i]) * UINT64_C(1099511628211);
    }
    return h;
}

#endif
