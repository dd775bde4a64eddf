#include "http/revocation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "domain/token_revoke.h"

struct revocation_s {
    domain_t *domain;
    spool_t *spool;
    realtime_t *realtime;
    pthread_mutex_t lock;
    db_t *db;
    _Atomic bool behind; /* the spool lacks what the database has */
};

typedef struct {
    spool_revoked_t *entries;
    size_t n, cap;
    int64_t now; /* s */
} entries_t;

static int collect(void *ctx, bool subject, const char *id, int64_t not_before,
                   int64_t expires)
{
    entries_t *e = ctx;
    if (e->n == e->cap) {
        size_t cap = e->cap > 0 ? 2 * e->cap : 64;
        spool_revoked_t *more = realloc(e->entries, cap * sizeof(*more));
        if (more == NULL) {
            return WERR_NOMEM;
        }
        e->entries = more;
        e->cap = cap;
    }
    spool_revoked_t *to = &e->entries[e->n];
    to->subject = subject;
    to->not_before = not_before;
    to->expires = expires;
    to->as_of = e->now;
    to->id = strdup(id);
    if (to->id == NULL) {
        return WERR_NOMEM;
    }
    e->n++;
    return 0;
}

static int copy_all(revocation_t *r)
{
    entries_t e = {.now = clock_now_ms() / 1000};
    pthread_mutex_lock(&r->lock);
    int rc = token_revoked_walk(r->db, e.now, collect, &e);
    if (rc == WERR_OK) {
        /* Added, never taken away before its end: an older database that is
         * restored does not know what was revoked since. */
        int sp = spool_revoke(r->spool, e.entries, e.n);
        if (sp != SPOOL_OK) {
            log_error("http", "msg=\"revocations not copied\" reason=%s",
                      log_str(spool_strerror(sp)));
            rc = WERR_IO;
        }
    }
    atomic_store(&r->behind, rc != WERR_OK);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < e.n; i++) {
        free((void *)(uintptr_t)e.entries[i].id);
    }
    free(e.entries);
    return rc;
}

static void copy_now(revocation_t *r)
{
    int rc = copy_all(r);
    if (rc != WERR_OK) {
        log_error("http", "msg=\"revocations not copied\" reason=%s",
                  log_str(werr_text(rc)));
    }
}

/* The edge first: who is thrown out of realtime comes back at once. */
static void on_revoked(void *arg)
{
    revocation_t *r = arg;
    copy_now(r);
    if (r->realtime != NULL) {
        realtime_revoked(r->realtime);
    }
}

void revocation_retry(revocation_t *r)
{
    if (atomic_load(&r->behind)) {
        copy_now(r);
    }
}

int revocation_start(revocation_t **out, domain_t *domain, spool_t *spool,
                     realtime_t *realtime)
{
    revocation_t *r = calloc(1, sizeof(*r));
    *out = r;
    if (r == NULL || !lock_init(&r->lock, NULL, NULL)) {
        free(r);
        *out = NULL;
        return WERR_NOMEM;
    }
    r->domain = domain;
    r->spool = spool;
    r->realtime = realtime;
    int rc = store_reader(domain->store, &r->db);
    if (rc == WERR_OK) {
        rc = copy_all(r);
    }
    if (rc != WERR_OK) {
        revocation_stop(out);
        return rc;
    }
    domain->revoked_arg = r;
    domain->revoked_ready = on_revoked;
    return WERR_OK;
}

void revocation_stop(revocation_t **revocation)
{
    revocation_t *r = *revocation;
    *revocation = NULL;
    if (r == NULL) {
        return;
    }
    if (r->domain->revoked_arg == r) {
        r->domain->revoked_ready = NULL;
        r->domain->revoked_arg = NULL;
    }
    store_reader_close(&r->db);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
