#include "http/views.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/lock.h"

/* 200 agents with five views each; at most 2 MiB. */
#define SETS     256
#define WAYS     4
#define WORD_MAX 1024 /* bytes of a request's words */
#define AGE_MS   60000

typedef struct {
    uint64_t hash, used;          /* used 0: free */
    int64_t user, version, until; /* until: ms, monotonic */
    store_topics_t topics;
    int64_t day;
    size_t word_len, key_len;
    char *bytes; /* the session with its NUL, the target; then the key */
} entry_t;

struct views_s {
    store_t *store;
    pthread_mutex_t lock;
    uint64_t clock;
    size_t n, bytes;
    entry_t entries[SETS][WAYS];
};

/* What is asked for, in one piece. */
typedef struct {
    int64_t user;
    uint64_t hash;
    size_t len;
    char text[WORD_MAX];
} words_t;

int views_new(views_t **out, store_t *store)
{
    views_t *v = calloc(1, sizeof(*v));

    *out = v;
    if (v == NULL || !lock_init(&v->lock, NULL, NULL)) {
        free(v);
        *out = NULL;
        return WERR_NOMEM;
    }
    v->store = store;
    return WERR_OK;
}

static void drop(views_t *v, entry_t *e)
{
    if (e->used != 0) {
        v->n--;
        v->bytes -= e->word_len + e->key_len;
    }
    free(e->bytes);
    memset(e, 0, sizeof(*e));
}

void views_free(views_t **views)
{
    views_t *v = *views;

    *views = NULL;
    if (v == NULL) {
        return;
    }
    for (size_t i = 0; i < SETS; i++) {
        for (size_t j = 0; j < WAYS; j++) {
            drop(v, &v->entries[i][j]);
        }
    }
    pthread_mutex_destroy(&v->lock);
    free(v);
}

/* No header is "" here and there: request_session() takes it for none. */
static bool put_together(const view_ask_t *ask, words_t *w)
{
    const char *session = ask->session != NULL ? ask->session : "";
    size_t first = strlen(session) + 1, second = strlen(ask->target);

    if (first > WORD_MAX || second > WORD_MAX - first) {
        return false;
    }
    memcpy(w->text, session, first);
    memcpy(w->text + first, ask->target, second);
    w->len = first + second;
    w->user = ask->user;
    /* who pushes others out by collisions sends them to a worker */
    w->hash = hash_bytes(HASH_START ^ (uint64_t)ask->user, w->text, w->len);
    return true;
}

static entry_t *find(views_t *v, const words_t *w)
{
    entry_t *set = v->entries[(w->hash ^ w->hash >> 32) % SETS];

    for (size_t i = 0; i < WAYS; i++) {
        entry_t *e = &set[i];

        if (e->used != 0 && e->hash == w->hash && e->user == w->user &&
            e->word_len == w->len && memcmp(e->bytes, w->text, w->len) == 0) {
            return e;
        }
    }
    return NULL;
}

static entry_t *oldest(views_t *v, const words_t *w)
{
    entry_t *set = v->entries[(w->hash ^ w->hash >> 32) % SETS];
    entry_t *found = set;

    for (size_t i = 1; i < WAYS; i++) {
        if (set[i].used < found->used) {
            found = &set[i];
        }
    }
    return found;
}

void views_keep(views_t *v, const view_ask_t *ask, const view_t *view,
                int64_t version)
{
    words_t w;

    if (!put_together(ask, &w)) {
        return;
    }
    char *bytes = malloc(w.len + view->len);
    if (bytes == NULL) {
        return;
    }
    memcpy(bytes, w.text, w.len);
    memcpy(bytes + w.len, view->key, view->len);

    pthread_mutex_lock(&v->lock);
    entry_t *e = find(v, &w);
    if (e == NULL || e->version <= version) {
        e = e != NULL ? e : oldest(v, &w);
        drop(v, e);
        *e = (entry_t){
            .hash = w.hash,
            .used = ++v->clock,
            .user = w.user,
            .version = version,
            .until = clock_mono_ms() + AGE_MS,
            .topics = view->topics,
            .day = view->day,
            .word_len = w.len,
            .key_len = view->len,
            .bytes = bytes,
        };
        v->n++;
        v->bytes += w.len + view->len;
        bytes = NULL;
    }
    pthread_mutex_unlock(&v->lock);
    free(bytes);
}

bool views_find(views_t *v, const view_ask_t *ask, view_t *out)
{
    bool found = false;
    words_t w;

    if (!put_together(ask, &w)) {
        return false;
    }
    pthread_mutex_lock(&v->lock);
    entry_t *e = find(v, &w);
    if (e != NULL && e->until > clock_mono_ms() &&
        store_changed(v->store, STORE_ACCESS) <= e->version) {
        e->used = ++v->clock;
        out->topics = e->topics;
        out->day = e->day;
        out->len = e->key_len;
        memcpy(out->key, e->bytes + e->word_len, e->key_len);
        found = true;
    }
    pthread_mutex_unlock(&v->lock);
    return found;
}

void views_size(views_t *v, size_t *n, size_t *bytes)
{
    pthread_mutex_lock(&v->lock);
    *n = v->n;
    *bytes = v->bytes;
    pthread_mutex_unlock(&v->lock);
}
