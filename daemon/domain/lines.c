#include "domain/lines.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"

#define LINES_MAX 1024
#define LINE_MAX  2048
#define AGE_MS    30000 /* and a body made of it as long again: a minute */

typedef struct {
    line_of_t of;
    int64_t until; /* ms, monotonic; 0: free */
    size_t len;
    char *text;
} entry_t;

struct lines_s {
    store_t *store;
    pthread_mutex_t lock;
    entry_t entries[LINES_MAX]; /* by the chat's id: the last one stays */
};

int lines_new(lines_t **out, store_t *store)
{
    lines_t *l = calloc(1, sizeof(*l));

    *out = l;
    if (l == NULL || !lock_init(&l->lock, NULL, NULL)) {
        free(l);
        *out = NULL;
        return WERR_NOMEM;
    }
    l->store = store;
    return WERR_OK;
}

void lines_free(lines_t **lines)
{
    lines_t *l = *lines;

    *lines = NULL;
    if (l == NULL) {
        return;
    }
    for (size_t i = 0; i < LINES_MAX; i++) {
        free(l->entries[i].text);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static entry_t *entry_of(lines_t *l, int64_t chat)
{
    return &l->entries[(uint64_t)chat % LINES_MAX];
}

void lines_keep(lines_t *l, const line_of_t *of, const char *text, size_t len)
{
    char *copy = len <= LINE_MAX ? malloc(len) : NULL;

    if (copy == NULL) {
        return;
    }
    memcpy(copy, text, len);
    pthread_mutex_lock(&l->lock);
    entry_t *e = entry_of(l, of->chat);
    /* never an older one of the same chat, read by a slow thread */
    if (e->of.chat != of->chat || e->of.version <= of->version) {
        char *old = e->text;

        *e = (entry_t){*of, clock_mono_ms() + AGE_MS, len, copy};
        copy = old;
    }
    pthread_mutex_unlock(&l->lock);
    free(copy);
}

bool lines_copy(lines_t *l, int64_t chat, int64_t ts, int64_t today, buf_t *out)
{
    int64_t access = store_changed(l->store, STORE_ACCESS);

    pthread_mutex_lock(&l->lock);
    const entry_t *e = entry_of(l, chat);
    bool holds =
        e->until > clock_mono_ms() && e->of.chat == chat && e->of.ts == ts &&
        e->of.day == today && access <= e->of.version &&
        store_chat_changed(l->store, chat, e->of.contact) <= e->of.version;
    if (holds) {
        buf_add(out, e->text, e->len);
    }
    pthread_mutex_unlock(&l->lock);
    return holds;
}
