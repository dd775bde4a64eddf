/* Start and stop, and what the thread is told. */
#include "search/search.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/follower.h"

static void wake(search_t *s, bool *flag)
{
    (void)pthread_mutex_lock(&s->mutex);
    *flag = true;
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->mutex);
}

void search_wake(search_t *s)
{
    wake(s, &s->woken);
}

void search_rebuild(search_t *s)
{
    s->generation = 0; /* no look-up begins with it any more */
    wake(s, &s->rebuild);
}

/* ---- start and stop ---- */

static bool init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    bool ok;

    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return ok;
}

int search_start(search_t **out, store_t *store, const char *path)
{
    search_t *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return WERR_NOMEM;
    }
    s->store = store;
    s->path = strdup(path);
    if (s->path == NULL || pthread_mutex_init(&s->mutex, NULL) != 0) {
        free(s->path);
        free(s);
        return WERR_NOMEM;
    }
    if (!init_cond(&s->cond)) {
        (void)pthread_mutex_destroy(&s->mutex);
        free(s->path);
        free(s);
        return WERR_SYSTEM;
    }
    s->runs = pthread_create(&s->thread, NULL, follower_run, s) == 0;
    if (!s->runs) {
        search_stop(&s);
        return WERR_SYSTEM;
    }
    *out = s;
    return WERR_OK;
}

void search_stop(search_t **search)
{
    search_t *s = *search;

    if (s == NULL) {
        return;
    }
    if (s->runs) {
        wake(s, &s->stopping);
        (void)pthread_join(s->thread, NULL);
    }
    while (s->readers != NULL) {
        search_reader_t *next = s->readers->next;

        reader_free(s->readers);
        s->readers = next;
    }
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s->path);
    free(s);
    *search = NULL;
}

void search_stat(search_t *s, search_stat_t *st)
{
    *st = (search_stat_t){
        .position = s->position,
        .people = s->people,
        .sealed = s->sealed,
        .purges = s->purges,
        .indexed = s->indexed,
        .rebuilds = s->rebuilds,
        .faults = s->faults,
    };
}