/*
 * store.c - the writer and its lock, readers, figures.
 */
#include "db/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "db/migrate.h"
#include "db/store_internal.h"

/* The store in whose transaction this thread is. */
static _Thread_local const store_t *inside;

/* ---- the ticket lock ---- */

void ticket_lock(ticket_lock_t *l)
{
    uint64_t mine;

    (void)pthread_mutex_lock(&l->mutex);
    mine = l->next++;
    while (l->serving != mine) {
        (void)pthread_cond_wait(&l->cond, &l->mutex);
    }
    (void)pthread_mutex_unlock(&l->mutex);
}

void ticket_unlock(ticket_lock_t *l)
{
    (void)pthread_mutex_lock(&l->mutex);
    l->serving++;
    (void)pthread_cond_broadcast(&l->cond);
    (void)pthread_mutex_unlock(&l->mutex);
}

bool store_contended(store_t *store)
{
    return store->lock.next - store->lock.serving > 1;
}

/* ---- opening ---- */

/* A file system without shared memory leaves the old mode as it was. */
static int check_wal(store_t *store, store_options_t *o)
{
    int64_t wal = 0;
    int rc = sqlite_int(store->writer,
                        "SELECT journal_mode = 'wal' FROM pragma_journal_mode",
                        &wal);

    if (rc < 0 || wal) {
        return rc;
    }
    (void)snprintf(o->error, sizeof(o->error),
                   "%s: cannot be put into WAL mode; is it on a network file "
                   "system?",
                   o->path);
    return WERR_IO;
}

static int forget_statistics(db_t *db)
{
    int64_t n = 0;
    int rc = sqlite_int(db,
                        "SELECT count(*) FROM sqlite_schema "
                        "WHERE name = 'sqlite_stat1'",
                        &n);

    if (rc < 0 || n == 0) {
        return rc;
    }
    return sqlite_run(db, "DROP TABLE sqlite_stat1; "
                          "DROP TABLE IF EXISTS sqlite_stat4");
}

static store_t *new_store(const char *path)
{
    store_t *store = calloc(1, sizeof(*store));

    if (!store) {
        return NULL;
    }
    store->path = strdup(path);
    if (!store->path ||
        !lock_init(&store->lock.mutex, &store->lock.cond, NULL)) {
        goto fail;
    }
    if (lock_init(&store->mutex, &store->cond, NULL)) {
        return store;
    }
    (void)pthread_cond_destroy(&store->lock.cond);
    (void)pthread_mutex_destroy(&store->lock.mutex);
fail:
    free(store->path);
    free(store);
    return NULL;
}

int store_open(store_t **out, store_options_t *o)
{
    store_t *store;
    int rc;

    o->error[0] = '\0';
    store = new_store(o->path);
    if (!store) {
        return WERR_NOMEM;
    }
    rc = sqlite_open(&store->writer, o->path, SQLITE_ROLE_WRITER, o->error,
                     sizeof(o->error));
    if (rc == WERR_OK) {
        rc = check_wal(store, o);
    }
    if (rc == WERR_OK) {
        rc = migrate_run(store->writer, o->path, !o->is_copy, schema_files,
                         schema_nfiles, o->error, sizeof(o->error));
    }
    if (rc == WERR_OK) {
        rc = forget_statistics(store->writer);
    }
    if (rc == WERR_OK) {
        rc = backup_recall(store);
    }
    if (rc == WERR_OK) {
        rc = touched_watch(&store->touched, store->writer);
    }
    if (rc == WERR_OK) {
        rc = checkpoint_start(store);
    }
    if (rc < 0) {
        if (!o->error[0]) {
            (void)snprintf(o->error, sizeof(o->error), "%s: %s", o->path,
                           werr_text(rc));
        }
        store_close(&store);
        return rc;
    }
    *out = store;
    return WERR_OK;
}

void store_close(store_t **store)
{
    store_t *s = *store;

    if (!s) {
        return;
    }
    checkpoint_stop(s);
    sqlite_shut(&s->writer); /* the last connection empties the WAL */
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_mutex_destroy(&s->mutex);
    (void)pthread_cond_destroy(&s->lock.cond);
    (void)pthread_mutex_destroy(&s->lock.mutex);
    free(s->path);
    free(s);
    *store = NULL;
}

int store_reader(store_t *store, db_t **out)
{
    char error[256] = "";
    int rc =
        sqlite_open(out, store->path, SQLITE_ROLE_READER, error, sizeof(error));

    if (rc < 0) {
        log_error("db", "msg=\"no read connection\" error=%s", log_str(error));
    }
    return rc;
}

void store_reader_close(db_t **db)
{
    sqlite_shut(db);
}

/* ---- writing ---- */

static int commit(store_t *store, db_t *db)
{
    int64_t start = clock_mono_us();
    int rc;

    if (db->broken) {
        return db->broken;
    }
    touched_look_up(&store->touched, db);
    if (!sqlite_in_transaction(db)) { /* a fault of the look-up has ended it */
        return db->broken ? db->broken : WERR_SYSTEM;
    }
    rc = sqlite_run(db, "COMMIT");
    touched_publish(&store->touched, db->asked);
    if (rc == WERR_OK) {
        store->commits++;
        store->commit_us += clock_mono_us() - start;
    }
    return rc;
}

/* For want of memory this fails, too: the next write tries again first. */
static int roll_back(db_t *db)
{
    int rc = WERR_OK;

    db->broken = WERR_OK;
    if (sqlite_in_transaction(db)) {
        rc = sqlite_run(db, "ROLLBACK");
    }
    if (rc != WERR_OK) {
        log_error("db", "msg=\"rollback failed\" error=%s",
                  log_str(db_message(db)));
    }
    return rc;
}

static int begin(db_t *db)
{
    int rc = roll_back(db); /* what the last write has left open */

    if (rc == WERR_OK) {
        rc = sqlite_run(db, "BEGIN IMMEDIATE"); /* waits 5 s for a busy file */
    }
    return rc;
}

static int write_locked(store_t *store, store_fn fn, void *arg)
{
    db_t *db = store->writer;
    int rc, committed;

    rc = begin(db);
    if (rc < 0) {
        return rc;
    }
    touched_begin(&store->touched);
    db->writing = true;
    db->asked = false;
    rc = fn(db, arg);
    if (rc < 0 && db->broken) {
        rc = db->broken; /* no verdict on what was half read */
    }
    /* a read left open would keep the WAL from being reset */
    sqlite_reset_all(db);
    db->reads = 0;
    if (rc >= 0) {
        committed = commit(store, db);
        rc = committed < 0 ? committed : rc;
    }
    db->writing = false;
    (void)roll_back(db);
    return rc;
}

/* For the log. */
static const char *what_to_do(int rc)
{
    switch (rc) {
    case WERR_FULL:
        return "make room on the disk of the database (df); it goes on by "
               "itself then";
    case WERR_IO:
        return "look at the disk of the database (dmesg, mount: is it "
               "read-only?); it goes on by itself once it can be written";
    case WERR_CORRUPT:
        return "wacrmctl check; restore a backup";
    default:
        return "";
    }
}

int store_write(store_t *store, store_fn fn, void *arg)
{
    int rc;

    if (inside == store) {
        log_error("db", "msg=\"a write inside of a write\"");
        return WERR_SYSTEM;
    }
    ticket_lock(&store->lock);
    inside = store;
    rc = write_locked(store, fn, arg);
    inside = NULL;
    if (werr_is_fault(rc)) {
        store->faults++;
        log_error("db", "msg=\"write failed\" code=%d error=%s do=%s", rc,
                  log_str(db_message(store->writer)), log_str(what_to_do(rc)));
    }
    ticket_unlock(&store->lock);
    return rc;
}

/* ---- what has changed since ---- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t store_version(store_t *store)
{
    return store->touched.version;
}

int64_t store_changed(store_t *store, store_topics_t topics)
{
    const touched_t *t = &store->touched;
    int64_t last = t->last_all_changed;

    if ((topics & STORE_ANY_COMMIT) != 0) {
        return t->version;
    }
    for (; topics != 0; topics &= topics - 1) {
        last = later(last, t->last_topic[__builtin_ctzll(topics)]);
    }
    return last;
}

int64_t store_chat_changed(store_t *store, int64_t chat, int64_t contact)
{
    const touched_t *t = &store->touched;

    return later(t->last_all_changed,
                 later(t->last_chat[(uint64_t)chat % TOUCHED_ROWS],
                       t->last_person[(uint64_t)contact % TOUCHED_ROWS]));
}

/* ---- figures ---- */

static int64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

void store_stat(store_t *store, store_stat_t *st)
{
    char *wal = NULL;

    *st = (store_stat_t){
        .db_bytes = size_of(store->path),
        .checkpoints = store->checkpoints,
        .commits = store->commits,
        .commit_us = store->commit_us,
        .faults = store->faults,
        .backups = store->backups,
        .backups_failed = store->backups_failed,
        .backup_at = store->backup_at,
        .backup_since = store->backup_since,
        .backup_is_bad = store->backup_is_bad,
    };
    if (asprintf(&wal, "%s-wal", store->path) >= 0) {
        st->wal_bytes = size_of(wal);
        free(wal);
    }
}
