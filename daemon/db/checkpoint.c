/*
 * checkpoint.c - keeps the WAL short without holding up the writer: most
 * pages are copied while it goes on writing, only the rest under its lock.
 * A PASSIVE checkpoint alone never resets the WAL under load.
 */
#include "db/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define RESET_PAGES  8000 /* 32 MB */
#define IDLE_PAGES   1000
#define IDLE_MS      30000
#define RETRY_MS     1000
#define FORGET_TIMES 2
#define ALARM_PAGES  64000 /* 256 MB */
#define ALARM_EVERY  60000

static int on_commit(void *arg, sqlite3 *handle, const char *name, int pages)
{
    store_t *store = arg;

    (void)handle;
    (void)name;
    store->wal_pages = pages;
    if (pages >= RESET_PAGES) {
        (void)pthread_mutex_lock(&store->mutex);
        (void)pthread_cond_signal(&store->cond);
        (void)pthread_mutex_unlock(&store->mutex);
    }
    return SQLITE_OK;
}

static int checkpoint(store_t *store, int mode)
{
    db_t *db = store->checkpoint_db;
    int left = 0, done = 0;
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &left, &done);

    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) {
        int rc = sqlite_fail(db, code);

        log_error("db", "msg=\"checkpoint failed\" code=%d error=%s", rc,
                  log_str(db_message(db)));
    }
    return code;
}

/* true if the writer can begin the WAL anew. mode: RESTART, or TRUNCATE,
 * which leaves nothing of it. */
static bool reset_wal(store_t *store, int mode)
{
    int code;

    (void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
    (void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
    ticket_lock(&store->lock);
    code = checkpoint(store, mode);
    if (code == SQLITE_OK) {
        store->wal_pages = 0;
        store->checkpoints++;
    }
    ticket_unlock(&store->lock);
    return code == SQLITE_OK;
}

/* Waits for work; false at the end. */
static bool wait_for(store_t *store, int64_t ms, bool until_full)
{
    struct timespec until;
    bool stopping;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&store->mutex);
    while (!store->stopping && rc != ETIMEDOUT &&
           !(until_full && (store->forget == FORGET_TIMES ||
                            store->wal_pages >= RESET_PAGES))) {
        rc = pthread_cond_timedwait(&store->cond, &store->mutex, &until);
    }
    stopping = store->stopping;
    (void)pthread_mutex_unlock(&store->mutex);
    return !stopping;
}

static void alarm_if_long(int pages, int64_t *last)
{
    int64_t now = clock_mono_ms();

    if (pages < ALARM_PAGES || (*last && now - *last < ALARM_EVERY)) {
        return;
    }
    *last = now;
    log_warn("db",
             "msg=\"the WAL cannot be reset, a reader holds it\" "
             "pages=%d",
             pages);
}

void store_forget(store_t *store)
{
    (void)pthread_mutex_lock(&store->mutex);
    store->forget = FORGET_TIMES;
    (void)pthread_cond_signal(&store->cond);
    (void)pthread_mutex_unlock(&store->mutex);
}

static bool take_forget(store_t *store)
{
    bool forget;

    (void)pthread_mutex_lock(&store->mutex);
    forget = store->forget > 0;
    store->forget -= forget;
    (void)pthread_mutex_unlock(&store->mutex);
    return forget;
}

static void *run(void *arg)
{
    store_t *store = arg;
    int64_t alarmed = 0;
    bool calm = true;

    while (wait_for(store, calm ? IDLE_MS : RETRY_MS, calm)) {
        int pages = store->wal_pages;

        calm = true;
        if (take_forget(store)) {
            calm = reset_wal(store, SQLITE_CHECKPOINT_TRUNCATE);
            if (!calm) {
                store_forget(store);
            }
        } else if (pages >= RESET_PAGES) {
            calm = reset_wal(store, SQLITE_CHECKPOINT_RESTART);
            alarm_if_long(pages, &alarmed);
        } else if (pages >= IDLE_PAGES) {
            (void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
        }
    }
    return NULL;
}

int checkpoint_start(store_t *store)
{
    char error[256];
    int rc = sqlite_open(&store->checkpoint_db, store->path,
                         SQLITE_ROLE_CHECKPOINT, error, sizeof(error));

    if (rc < 0) {
        return rc;
    }
    (void)sqlite3_wal_hook(store->writer->handle, on_commit, store);
    if (pthread_create(&store->checkpointer, NULL, run, store) != 0) {
        return WERR_SYSTEM;
    }
    store->checkpointer_runs = true;
    return WERR_OK;
}

void checkpoint_stop(store_t *store)
{
    if (store->checkpointer_runs) {
        (void)pthread_mutex_lock(&store->mutex);
        store->stopping = true;
        (void)pthread_cond_signal(&store->cond);
        (void)pthread_mutex_unlock(&store->mutex);
        (void)pthread_join(store->checkpointer, NULL);
        store->checkpointer_runs = false;
    }
    sqlite_shut(&store->checkpoint_db);
}
