#include "edge/jwt_cache.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "edge/jwt_internal.h"

#define BUCKET 4

typedef struct {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t keyset;
    json_t *claims; /* NULL: free */
    int64_t exp;
    uint64_t used; /* tick of the last use */
} entry_t;

struct jwt_cache_s {
    EVP_MD_CTX *hash;
    uint64_t tick;
    size_t buckets; /* a power of two */
    entry_t entries[];
};

int jwt_cache_new(jwt_cache_t **out, size_t tokens)
{
    size_t buckets = 1;
    jwt_cache_t *cache;

    *out = NULL;
    if (tokens == 0 || tokens > JWT_CACHE_MAX) {
        return -1;
    }
    while (buckets * BUCKET < tokens) {
        buckets *= 2;
    }
    cache = calloc(1, sizeof(*cache) +
                          buckets * BUCKET * sizeof(cache->entries[0]));
    if (cache == NULL) {
        return -1;
    }
    cache->buckets = buckets;
    cache->hash = EVP_MD_CTX_new();
    if (cache->hash == NULL ||
        EVP_DigestInit_ex(cache->hash, EVP_sha256(), NULL) != 1) {
        jwt_cache_free(&cache);
        return -1;
    }
    *out = cache;
    return 0;
}

static void forget(entry_t *entry)
{
    json_decref(entry->claims);
    memset(entry, 0, sizeof(*entry));
}

void jwt_cache_free(jwt_cache_t **cache)
{
    size_t i;

    if (*cache == NULL) {
        return;
    }
    for (i = 0; i < (*cache)->buckets * BUCKET; i++) {
        forget(&(*cache)->entries[i]);
    }
    EVP_MD_CTX_free((*cache)->hash);
    free(*cache);
    *cache = NULL;
}

/* Without a type the context keeps the one it has: no search by name. */
static bool digest_of(jwt_cache_t *cache, const char *token, size_t len,
                      unsigned char digest[SHA256_DIGEST_LENGTH])
{
    return len <= JWT_CACHE_TOKEN_MAX &&
           EVP_DigestInit_ex(cache->hash, NULL, NULL) == 1 &&
           EVP_DigestUpdate(cache->hash, token, len) == 1 &&
           EVP_DigestFinal_ex(cache->hash, digest, NULL) == 1;
}

static entry_t *bucket_of(jwt_cache_t *cache, const unsigned char *digest)
{
    uint32_t n;

    memcpy(&n, digest, sizeof(n));
    return &cache->entries[(n & (cache->buckets - 1)) * BUCKET];
}

static bool holds(const entry_t *entry, uint64_t keyset,
                  const unsigned char *digest)
{
    return entry->claims != NULL && entry->keyset == keyset &&
           CRYPTO_memcmp(entry->digest, digest, sizeof(entry->digest)) == 0;
}

json_t *jwt_cache_find(jwt_cache_t *cache, const jwt_keyset_t *set,
                       const char *token, size_t len)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    entry_t *entry;
    size_t i;

    if (!digest_of(cache, token, len, digest)) {
        return NULL;
    }
    entry = bucket_of(cache, digest);
    for (i = 0; i < BUCKET; i++) {
        if (holds(&entry[i], set->id, digest)) {
            entry[i].used = ++cache->tick;
            return json_incref(entry[i].claims);
        }
    }
    return NULL;
}

/* The token's own place, a free one, one that is past, the oldest one. */
static entry_t *place_for(entry_t *bucket, uint64_t keyset,
                          const unsigned char *digest, int64_t now)
{
    entry_t *best = bucket;
    size_t i;

    for (i = 0; i < BUCKET; i++) {
        if (holds(&bucket[i], keyset, digest)) {
            return &bucket[i];
        }
        if (bucket[i].claims != NULL && bucket[i].exp <= now) {
            forget(&bucket[i]);
        }
        /* a free one was never used */
        if (bucket[i].used < best->used) {
            best = &bucket[i];
        }
    }
    return best;
}

void jwt_cache_add(jwt_cache_t *cache, const jwt_keyset_t *set,
                   const char *token, size_t len, json_t *claims, int64_t exp,
                   int64_t now)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    entry_t *entry;

    if (exp <= now || !digest_of(cache, token, len, digest)) {
        return;
    }
    entry = place_for(bucket_of(cache, digest), set->id, digest, now);
    forget(entry);
    memcpy(entry->digest, digest, sizeof(entry->digest));
    entry->keyset = set->id;
    entry->claims = json_incref(claims);
    entry->exp = exp;
    entry->used = ++cache->tick;
}

size_t jwt_cache_count(const jwt_cache_t *cache)
{
    size_t n = 0;
    size_t i;

    for (i = 0; i < cache->buckets * BUCKET; i++) {
        n += cache->entries[i].claims != NULL;
    }
    return n;
}
