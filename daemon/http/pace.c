#include "http/pace.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/lock.h"

#define GROUPS  1024
#define MEMBERS 8
#define SECRET  32

typedef struct {
    uint64_t hash; /* 0: free */
    int64_t until; /* when all of the burst is there again */
} slot_t;

typedef slot_t table_t[GROUPS][MEMBERS];

struct pace_s {
    pthread_mutex_t lock;
    unsigned char secret[SECRET]; /* nobody chooses keys that collide */
    table_t counted, remembered;  /* no key of one gives way to the other's */
};

int pace_new(pace_t **out)
{
    pace_t *p = calloc(1, sizeof(*p));

    *out = NULL;
    if (p == NULL || RAND_bytes(p->secret, SECRET) != 1 ||
        !lock_init(&p->lock, NULL, NULL)) {
        free(p);
        return WERR_NOMEM;
    }
    *out = p;
    return WERR_OK;
}

void pace_free(pace_t **pace)
{
    if (*pace != NULL) {
        pthread_mutex_destroy(&(*pace)->lock);
        free(*pace);
        *pace = NULL;
    }
}

void pace_key(pace_key_t *key, char kind)
{
    key->bytes[0] = (unsigned char)kind;
    key->len = 1;
}

void pace_key_add(pace_key_t *key, const void *part, size_t len)
{
    size_t room = sizeof(key->bytes) - key->len;
    uint16_t n;

    if (room < sizeof(n)) {
        return;
    }
    n = (uint16_t)(len < room - sizeof(n) ? len : room - sizeof(n));
    memcpy(key->bytes + key->len, &n, sizeof(n));
    key->len += sizeof(n);
    if (n > 0) {
        memcpy(key->bytes + key->len, part, n);
        key->len += n;
    }
}

/* 0: OpenSSL has no memory. */
static uint64_t hash_of(const pace_t *p, const pace_key_t *key)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    uint64_t hash;

    if (HMAC(EVP_sha256(), p->secret, SECRET, key->bytes, key->len, digest,
             &len) == NULL) {
        return 0;
    }
    memcpy(&hash, digest, sizeof(hash));
    return hash != 0 ? hash : 1;
}

/* NULL: it is not there. Under the lock. */
static slot_t *find(table_t table, uint64_t hash)
{
    slot_t *group = table[hash % GROUPS];

    for (size_t i = 0; i < MEMBERS; i++) {
        if (group[i].hash == hash) {
            return &group[i];
        }
    }
    return NULL;
}

static slot_t *find_or_make(table_t table, uint64_t hash)
{
    slot_t *group = table[hash % GROUPS], *s = find(table, hash);

    if (s != NULL) {
        return s;
    }
    s = &group[0];
    for (size_t i = 1; i < MEMBERS && s->hash != 0; i++) {
        if (group[i].hash == 0 || group[i].until < s->until) {
            s = &group[i];
        }
    }
    *s = (slot_t){.hash = hash};
    return s;
}

int64_t pace_take(pace_t *pace, const pace_rule_t *rule, const pace_key_t *key,
                  int64_t now)
{
    uint64_t hash = hash_of(pace, key);
    int64_t until, wait = rule->interval_ms;

    if (hash == 0) {
        return wait;
    }
    pthread_mutex_lock(&pace->lock);
    slot_t *s = find_or_make(pace->counted, hash);
    until = (s->until > now ? s->until : now) + rule->interval_ms;
    wait = until - rule->burst * rule->interval_ms - now;
    if (wait <= 0) {
        s->until = until;
        wait = 0;
    }
    pthread_mutex_unlock(&pace->lock);
    return wait;
}

void pace_give_back(pace_t *pace, const pace_rule_t *rule,
                    const pace_key_t *key)
{
    uint64_t hash = hash_of(pace, key);

    pthread_mutex_lock(&pace->lock);
    slot_t *s = hash != 0 ? find(pace->counted, hash) : NULL;
    if (s != NULL) {
        s->until -= rule->interval_ms;
    }
    pthread_mutex_unlock(&pace->lock);
}

void pace_remember(pace_t *pace, const pace_key_t *key, int64_t until)
{
    uint64_t hash = hash_of(pace, key);

    if (hash != 0) {
        pthread_mutex_lock(&pace->lock);
        find_or_make(pace->remembered, hash)->until = until;
        pthread_mutex_unlock(&pace->lock);
    }
}

bool pace_has(pace_t *pace, const pace_key_t *key, int64_t now)
{
    uint64_t hash = hash_of(pace, key);

    pthread_mutex_lock(&pace->lock);
    slot_t *s = hash != 0 ? find(pace->remembered, hash) : NULL;
    bool has = s != NULL && s->until > now;
    pthread_mutex_unlock(&pace->lock);
    return has;
}
