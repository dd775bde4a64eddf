/*
 * backup.c - copies of the store, checks.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/file.h"
#include "db/store_internal.h"

static int open_own(store_t *store, db_t **db)
{
    char error[256] = "";
    int rc = sqlite_open(db, store->path, SQLITE_ROLE_CHECKPOINT, error,
                         sizeof(error));

    if (rc < 0) {
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
        log_error("db", "msg=\"backup failed\" error=%s",
                  log_str(db_message(db)));
    }
    sqlite_shut(&db);
    return rc;
}

int store_backup(store_t *store, const char *path)
{
    int rc = copy(store, path);

    if (rc == WERR_CONFLICT) {
        return rc; /* a wrong name, asked for by hand */
    }
    store->backup_is_bad = rc < 0;
    if (rc < 0) {
        store->backups_failed++;
    } else {
        store->backups++;
        store->backup_at = clock_now_ms();
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

int store_check_file(const char *path, char *reason, size_t size)
{
    db_t *db = NULL;
    int rc = sqlite_open(&db, path, SQLITE_ROLE_READER, reason, size);

    if (rc == WERR_OK) {
        rc = find(db, quick_check, reason, size);
        sqlite_shut(&db);
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
    sqlite_shut(&db);
    return rc;
}
