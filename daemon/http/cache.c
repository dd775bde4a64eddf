#include "http/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"

#define AGE_MS 30000 /* its lines may be as old again: domain/lines.h */
/* A renderer that takes longer than this is not waited for. */
#define WAIT_SECONDS 5

typedef struct {
    void *key; /* NULL: free */
    size_t len;
    uint64_t hash;
    uint64_t used;
    ready_t *ready;
    int64_t version;        /* of ready */
    int64_t until;          /* ready may be handed out, ms, monotonic */
    int flights;            /* renderers at work */
    int64_t flight_version; /* the newest of them; -1: it gave up */
} entry_t;

struct cache_s {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    size_t max_bytes;
    uint64_t clock;
    cache_stat_t stat;
    size_t n;
    entry_t entries[];
};

int cache_new(cache_t **out, size_t entries, size_t bytes)
{
    cache_t *c = calloc(1, sizeof(*c) + entries * sizeof(entry_t));
    *out = c;
    if (c == NULL || !lock_init(&c->lock, &c->landed, NULL)) {
        free(c);
        *out = NULL;
        return WERR_NOMEM;
    }
    c->n = entries;
    c->max_bytes = bytes;
    return WERR_OK;
}

static void drop_body(cache_t *c, entry_t *e)
{
    if (e->ready != NULL) {
        c->stat.bytes -= ready_size(e->ready);
        ready_unref(&e->ready);
    }
}

static void drop(cache_t *c, entry_t *e)
{
    drop_body(c, e);
    if (e->key != NULL) {
        c->stat.entries--;
    }
    free(e->key);
    memset(e, 0, sizeof(*e));
}

void cache_free(cache_t **cache)
{
    cache_t *c = *cache;
    *cache = NULL;
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        drop(c, &c->entries[i]);
    }
    pthread_cond_destroy(&c->landed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Keys are ours, none is chosen to collide; memcmp decides. */
static uint64_t hash_of(const void *key, size_t len)
{
    return hash_bytes(HASH_START, key, len);
}

static entry_t *find(cache_t *c, const void *key, size_t len, uint64_t hash)
{
    for (size_t i = 0; i < c->n; i++) {
        entry_t *e = &c->entries[i];
        if (e->key != NULL && e->hash == hash && e->len == len &&
            memcmp(e->key, key, len) == 0) {
            return e;
        }
    }
    return NULL;
}

/* The least recently used entry that nobody renders; only_full: with a body. */
static entry_t *oldest(cache_t *c, bool only_full, const entry_t *except)
{
    entry_t *found = NULL;
    for (size_t i = 0; i < c->n; i++) {
        entry_t *e = &c->entries[i];
        if (e == except || e->flights > 0 || (only_full && e->ready == NULL)) {
            continue;
        }
        if (found == NULL || e->used < found->used) {
            found = e; /* a free one has used 0 */
        }
    }
    return found;
}

/* NULL if every place is being rendered, or no memory: nothing is kept. */
static entry_t *claim(cache_t *c, const void *key, size_t len, uint64_t hash)
{
    entry_t *e = oldest(c, false, NULL);
    void *copy = malloc(len);
    if (e == NULL || copy == NULL) {
        free(copy);
        return NULL;
    }
    if (e->key != NULL) {
        c->stat.evictions++;
        drop(c, e);
    }
    memcpy(copy, key, len);
    e->key = copy;
    e->len = len;
    e->hash = hash;
    e->used = ++c->clock;
    e->flight_version = -1;
    c->stat.entries++;
    return e;
}

static bool holds(const entry_t *e, int64_t version)
{
    return e->ready != NULL && e->version >= version &&
           e->until > clock_mono_ms();
}

static ready_t *hand_out(cache_t *c, entry_t *e)
{
    e->used = ++c->clock;
    c->stat.hits++;
    return ready_ref(e->ready);
}

ready_t *cache_peek(cache_t *c, const void *key, size_t len, int64_t version)
{
    uint64_t hash = hash_of(key, len);
    ready_t *hit = NULL;

    pthread_mutex_lock(&c->lock);
    entry_t *e = find(c, key, len, hash);
    if (e != NULL && holds(e, version)) {
        hit = hand_out(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return hit;
}

ready_t *cache_get(cache_t *c, const void *key, size_t len, int64_t version)
{
    uint64_t hash = hash_of(key, len);
    ready_t *hit = NULL;
    bool waited = false;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_SECONDS;

    pthread_mutex_lock(&c->lock);
    entry_t *e = find(c, key, len, hash);
    while (e != NULL && !holds(e, version) && e->flights > 0 &&
           e->flight_version >= version) {
        waited = true;
        int rc = pthread_cond_timedwait(&c->landed, &c->lock, &until);
        e = find(c, key, len, hash);
        if (rc != 0) {
            break;
        }
    }
    c->stat.waits += waited;
    if (e != NULL && holds(e, version)) {
        hit = hand_out(c, e);
    } else {
        e = e != NULL ? e : claim(c, key, len, hash);
        if (e != NULL) {
            e->flights++;
            e->flight_version =
                e->flight_version > version ? e->flight_version : version;
        }
        c->stat.renders++;
    }
    pthread_mutex_unlock(&c->lock);
    return hit;
}

static void make_room(cache_t *c, const entry_t *keep)
{
    while (c->stat.bytes > c->max_bytes) {
        entry_t *e = oldest(c, true, keep);
        if (e == NULL) {
            return;
        }
        drop(c, e);
        c->stat.evictions++;
    }
}

void cache_fill(cache_t *c, const void *key, size_t len, int64_t version,
                ready_t *ready)
{
    pthread_mutex_lock(&c->lock);
    entry_t *e = find(c, key, len, hash_of(key, len));
    if (e != NULL) {
        e->flights -= e->flights > 0;
        bool newer = e->ready == NULL || e->version <= version;
        if (newer && ready_size(ready) <= c->max_bytes / 2) {
            drop_body(c, e);
            e->ready = ready_ref(ready);
            e->version = version;
            e->until = clock_mono_ms() + AGE_MS;
            e->used = ++c->clock;
            c->stat.bytes += ready_size(ready);
            make_room(c, e);
        } else if (newer) {
            e->flight_version = -1; /* too big to be kept: nobody waits */
        }
    }
    pthread_cond_broadcast(&c->landed);
    pthread_mutex_unlock(&c->lock);
}

void cache_abandon(cache_t *c, const void *key, size_t len)
{
    pthread_mutex_lock(&c->lock);
    entry_t *e = find(c, key, len, hash_of(key, len));
    if (e != NULL) {
        e->flights -= e->flights > 0;
        e->flight_version = -1;
    }
    pthread_cond_broadcast(&c->landed);
    pthread_mutex_unlock(&c->lock);
}

void cache_stat(cache_t *c, cache_stat_t *st)
{
    pthread_mutex_lock(&c->lock);
    *st = c->stat;
    pthread_mutex_unlock(&c->lock);
}
