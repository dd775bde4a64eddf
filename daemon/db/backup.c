/*
 * backup.c - copies of the store, checks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/file.h"
#include "db/store_internal.h"

DB_QUERY(backup_note,
         "INSERT INTO settings (name, value) VALUES ($1, $2) "
         "ON CONFLICT (name) DO UPDATE SET value = excluded.value");
DB_QUERY(backup_noted, "SELECT value FROM settings WHERE name = $1");

static const char note_at[] = "backup_at";
static const char note_since[] = "backup_since";

/* One at a time: the callers are the commands of one socket, one by one. */
static int watch(store_t *store, db_t *db)
{
    bool interrupted;

    (void)pthread_mutex_lock(&store->mutex);
    store->long_db = db;
    interrupted = store->interrupted;
    (void)pthread_mutex_unlock(&store->mutex);
    return db && interrupted ? WERR_STOPPING : WERR_OK;
}

void store_interrupt(store_t *store)
{
    (void)pthread_mutex_lock(&store->mutex);
    store->interrupted = true;
    if (store->long_db) {
        db_interrupt(store->long_db);
    }
    (void)pthread_mutex_unlock(&store->mutex);
}

static void shut_long(store_t *store, db_t **db)
{
    if (store) {
        (void)watch(store, NULL);
    }
    sqlite_shut(db);
}

/* A connection for what takes long. */
static int open_long(store_t *store, const char *path, sqlite_role_t role,
                     db_t **db, char *error, size_t size)
{
    int rc = sqlite_open(db, path, role, error, size);

    if (rc == WERR_OK && store) {
        rc = watch(store, *db);
    }
    if (rc == WERR_STOPPING) {
        (void)snprintf(error, size, "%s", werr_text(rc));
        shut_long(store, db);
    }
    return rc;
}

static int open_own(store_t *store, db_t **db)
{
    char error[256] = "";
    int rc = open_long(store, store->path, SQLITE_ROLE_CHECKPOINT, db, error,
                       sizeof(error));

    if (rc < 0 && rc != WERR_STOPPING) {
        log_error("db", "msg=\"cannot open\" error=%s", log_str(error));
    }
    return rc;
}

static int copy(store_t *store, const char *path)
{
    db_t *db = NULL;
    int rc = open_own(store, &db);

    if (rc < 0) {
        return rc;
    }
    rc = file_copy_database(db, path, false);
    if (rc < 0) {
        log_write(rc == WERR_STOPPING ? LOG_WARN : LOG_ERROR, "db",
                  "msg=\"backup failed\" error=%s", log_str(db_message(db)));
    }
    shut_long(store, &db);
    return rc;
}

static int note(db_t *db, const char *name, int64_t at)
{
    db_stmt_t *s = db_stmt(db, &backup_note);
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, at);
    db_bind_text(s, 1, name);
    db_bind_text(s, 2, text);
    return db_exec(s);
}

/* It stays known over a restart: an alarm counts from it. */
static int note_backup(db_t *db, void *arg)
{
    const int64_t *at = arg;

    return note(db, note_at, *at);
}

/* WERR_NOTFOUND: *at is as it was. */
static int noted(db_t *db, const char *name, int64_t *at)
{
    db_stmt_t *s = db_stmt(db, &backup_noted);
    int rc;

    db_bind_text(s, 1, name);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *at = strtoll(db_text(s, 0), NULL, 10);
    db_done(s);
    return WERR_OK;
}

/* A database of before there were these notes may have had its backups, which
 * nobody knows of: its count begins now, as that of a new one. */
int backup_recall(store_t *store)
{
    int64_t at = 0, since = clock_now_ms();
    int rc = noted(store->writer, note_at, &at);

    store->backup_at = at;
    if (rc < 0 && rc != WERR_NOTFOUND) {
        return rc;
    }
    rc = noted(store->writer, note_since, &since);
    store->backup_since = since;
    if (rc == WERR_NOTFOUND) {
        rc = note(store->writer, note_since, since);
        if (rc < 0) { /* a full disk keeps nobody from their desk */
            log_warn("db", "msg=\"since when there are to be backups is not "
                           "kept\"");
        }
        rc = WERR_OK;
    }
    return rc;
}

int store_backup(store_t *store, const char *path)
{
    int64_t now = clock_now_ms();
    int rc = copy(store, path);

    if (rc == WERR_CONFLICT) {
        return rc; /* a wrong name, asked for by hand */
    }
    store->backup_is_bad = rc < 0;
    if (rc < 0) {
        store->backups_failed++;
    } else {
        store->backups++;
        store->backup_at = now;
        if (store_write(store, note_backup, &now) < 0) {
            log_warn("db", "msg=\"the time of the backup is not kept\"");
        }
    }
    return rc;
}

/* WERR_CORRUPT with the first finding of the pragma, if it has one. */
static int find(db_t *db, const char *sql, char *reason, size_t size)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);
    int rc = WERR_OK;

    if (code == SQLITE_OK) {
        code = sqlite3_step(st);
    }
    if (code == SQLITE_ROW) {
        (void)snprintf(reason, size, "%s",
                       (const char *)sqlite3_column_text(st, 0));
        rc = WERR_CORRUPT;
    } else if (code != SQLITE_DONE) {
        rc = sqlite_fail(db, code);
        (void)snprintf(reason, size, "%s", db_message(db));
    }
    (void)sqlite3_finalize(st);
    return rc;
}

static const char quick_check[] = "SELECT quick_check FROM pragma_quick_check"
                                  " WHERE quick_check <> 'ok' LIMIT 1";

/* What an interrupted check has found is not to be believed. */
static int verdict(store_t *store, int rc)
{
    bool interrupted = false;

    if (store) {
        (void)pthread_mutex_lock(&store->mutex);
        interrupted = store->interrupted;
        (void)pthread_mutex_unlock(&store->mutex);
    }
    return rc < 0 && interrupted ? WERR_STOPPING : rc;
}

int store_check_file(store_t *store, const char *path, char *reason,
                     size_t size)
{
    db_t *db = NULL;
    int rc = open_long(store, path, SQLITE_ROLE_READER, &db, reason, size);

    if (rc == WERR_OK) {
        rc = verdict(store, find(db, quick_check, reason, size));
        shut_long(store, &db);
    }
    return rc;
}

int store_check(store_t *store, char *reason, size_t size)
{
    db_t *db = NULL;
    int rc = open_own(store, &db);

    if (size > 0) {
        reason[0] = '\0';
    }
    if (rc < 0) {
        return rc;
    }
    rc = find(db, quick_check, reason, size);
    if (rc == WERR_OK) {
        rc = find(db,
                  "SELECT 'row ' || coalesce(rowid, '?') || ' of ' ||"
                  " \"table\" || ' points to none of ' || parent"
                  " FROM pragma_foreign_key_check LIMIT 1",
                  reason, size);
    }
    shut_long(store, &db);
    return verdict(store, rc);
}
