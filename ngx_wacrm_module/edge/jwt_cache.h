/*
 * jwt_cache.h - tokens whose signature has been verified: an RSA or EC
 * signature takes half a millisecond, and a client sends the same token with
 * each request until it expires.
 *
 * Only what no later moment changes is remembered: that these bytes were
 * signed with a key of that set, and the claims in them. Time, issuer,
 * audience and revocation are judged anew at each request. Found by SHA-256
 * of the token, so that no token lies in memory and no comparison tells one
 * byte by byte.
 *
 * A fixed number of entries: buckets of four, in which an expired entry, or
 * else the one unused for longest, makes room. Nothing but a verified token
 * comes in, so no stranger can push others out. Belongs to one thread.
 */
#ifndef WACRM_EDGE_JWT_CACHE_H
#define WACRM_EDGE_JWT_CACHE_H

#include "edge/jwt_gate.h"

#define JWT_CACHE_DEFAULT 1024
#define JWT_CACHE_MAX     65536
/* A longer token is verified each time: bounds the claims that are kept. */
#define JWT_CACHE_TOKEN_MAX 4096

typedef struct jwt_cache_s jwt_cache_t;

/* For this many tokens, 1..JWT_CACHE_MAX, rounded up to a power of two of at
 * least 4. -1: no memory. */
int jwt_cache_new(jwt_cache_t **out, size_t tokens);
void jwt_cache_free(jwt_cache_t **cache);

/*
 * The claims of a token that was verified with a key of set, as a new
 * reference which nobody may change; NULL: not known, verify it.
 */
json_t *jwt_cache_find(jwt_cache_t *cache, const jwt_keyset_t *set,
                       const char *token, size_t len);

/*
 * Remembers a token that has just been verified: its claims, of which it
 * takes a reference of its own, until exp (s) at the latest. Where memory is
 * short nothing is remembered.
 */
void jwt_cache_add(jwt_cache_t *cache, const jwt_keyset_t *set,
                   const char *token, size_t len, json_t *claims, int64_t exp,
                   int64_t now);

/* Entries in use. */
size_t jwt_cache_count(const jwt_cache_t *cache);

#endif
