#include "intake/ahead.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/lock.h"
#include "base/log.h"

struct ahead_s {
    const source_t *from;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool asked, stopping;
    bool taken; /* the batch: others may help to prepare it */
    batch_t *batch;
    uint64_t done, after;
    deletion_t *deletion;
    int rc;
};

void ahead_delete(spool_t *spool, uint64_t upto, deletion_t *d)
{
    int rc;

    if (upto <= d->upto) {
        return;
    }
    rc = spool_delete(spool, upto);
    if (rc == SPOOL_OK) {
        d->upto = upto;
    }
    if (rc != SPOOL_OK && rc != d->rc) {
        log_error("intake", "msg=\"cannot delete from spool\" error=%s",
                  log_str(spool_strerror(rc)));
    } else if (rc == SPOOL_OK && d->rc != SPOOL_OK) {
        log_info("intake", "msg=\"deleting from spool again\"");
    }
    d->rc = rc;
}

static void announce(ahead_t *a)
{
    pthread_mutex_lock(&a->lock);
    a->taken = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static void *run(void *arg)
{
    ahead_t *a = arg;

    pthread_mutex_lock(&a->lock);
    while (!a->stopping) {
        int rc;

        if (!a->asked) {
            pthread_cond_wait(&a->changed, &a->lock);
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        ahead_delete(a->from->spool, a->done, a->deletion);
        rc = batch_take(a->batch, a->from, a->after);
        if (rc == WERR_OK) {
            announce(a);
            rc = batch_prepare(a->batch, a->from);
        }
        pthread_mutex_lock(&a->lock);
        a->rc = rc;
        a->asked = false;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

int ahead_start(ahead_t **out, const source_t *from, deletion_t *d)
{
    ahead_t *a = calloc(1, sizeof(*a));

    *out = NULL;
    if (a == NULL || !lock_init(&a->lock, &a->changed, NULL)) {
        free(a);
        return WERR_NOMEM;
    }
    a->from = from;
    a->deletion = d;
    if (pthread_create(&a->thread, NULL, run, a) != 0) {
        pthread_cond_destroy(&a->changed);
        pthread_mutex_destroy(&a->lock);
        free(a);
        return WERR_SYSTEM;
    }
    *out = a;
    return WERR_OK;
}

void ahead_stop(ahead_t **a)
{
    if (*a == NULL) {
        return;
    }
    pthread_mutex_lock(&(*a)->lock);
    (*a)->stopping = true;
    pthread_cond_broadcast(&(*a)->changed);
    pthread_mutex_unlock(&(*a)->lock);
    pthread_join((*a)->thread, NULL);
    pthread_cond_destroy(&(*a)->changed);
    pthread_mutex_destroy(&(*a)->lock);
    free(*a);
    *a = NULL;
}

void ahead_ask(ahead_t *a, batch_t *batch, uint64_t done, uint64_t after)
{
    pthread_mutex_lock(&a->lock);
    a->batch = batch;
    a->done = done;
    a->after = after;
    a->taken = false;
    a->asked = true;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

int ahead_wait(ahead_t *a)
{
    int rc, mine = WERR_OK;

    pthread_mutex_lock(&a->lock);
    while (a->asked && !a->taken) {
        pthread_cond_wait(&a->changed, &a->lock);
    }
    if (a->asked) {
        pthread_mutex_unlock(&a->lock);
        mine = batch_prepare(a->batch, a->from);
        pthread_mutex_lock(&a->lock);
    }
    while (a->asked) {
        pthread_cond_wait(&a->changed, &a->lock);
    }
    rc = a->rc != WERR_OK ? a->rc : mine;
    pthread_mutex_unlock(&a->lock);
    return rc;
}
