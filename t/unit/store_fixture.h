/*
 * store_fixture.h - a store in a directory of its own for each test, and
 * small transactions on it.
 */
#ifndef WACRM_T_STORE_FIXTURE_H
#define WACRM_T_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "db/sqlite.h"
#include "db/store.h"

DB_QUERY(put, "INSERT INTO settings (name, value) VALUES ($1, $2)");
DB_QUERY(get, "SELECT value FROM settings WHERE name = $1");
/* what a new database has is not a row of the tests */
DB_QUERY(count, "SELECT count(*) FROM settings WHERE name <> 'backup_since'");
DB_QUERY(advance, "UPDATE counters SET value = value + 1"
                  " WHERE name = 'event_seq' RETURNING value");
DB_QUERY(put_blob, "INSERT INTO test_rows (seq, data) VALUES ($1, $2)");

static char dir[32];
static char path[160];
static store_t *store;

static inline int make_table(db_t *db, void *arg)
{
    (void)arg;
    return sqlite_run(db, "CREATE TABLE IF NOT EXISTS test_rows ("
                          " seq INTEGER NOT NULL PRIMARY KEY,"
                          " data BLOB NOT NULL) STRICT");
}

static inline void open_store(void)
{
    store_options_t o = {.path = path};

    if (store_open(&store, &o) != WERR_OK) {
        fail_msg("%s", o.error);
    }
    if (store_write(store, make_table, NULL) != WERR_OK) {
        fail_msg("no table for the tests");
    }
}

static inline int setup(void **state)
{
    (void)state;
    log_setup(LOG_WARN, STDERR_FILENO);
    (void)snprintf(dir, sizeof(dir), "/tmp/wacrm-store-XXXXXX");
    if (!mkdtemp(dir)) {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "%s/wacrm.db", dir);
    open_store();
    return 0;
}

static inline int teardown(void **state)
{
    static const char *const names_[] = {
        "wacrm.db", "wacrm.db-wal", "wacrm.db-shm", "wacrm.db.v1",
        "copy.db",  "copy.db-wal",  "copy.db-shm",  "copy.db.part",
    };
    char file[160];

    (void)state;
    store_close(&store);
    (void)umount(dir); /* of a test that failed */
    for (size_t i = 0; i < sizeof(names_) / sizeof(names_[0]); i++) {
        (void)snprintf(file, sizeof(file), "%s/%s", dir, names_[i]);
        (void)unlink(file);
    }
    return rmdir(dir);
}

static inline void pause_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&ts, NULL);
}

static inline int put_pair(db_t *db, const char *name, const char *value)
{
    db_stmt_t *s = db_stmt(db, &put);

    db_bind_text(s, 1, name);
    db_bind_text(s, 2, value);
    return db_exec(s);
}

static inline int put_one(db_t *db, void *arg)
{
    return put_pair(db, arg, "v");
}

static inline int put_and_fail(db_t *db, void *arg)
{
    int rc = put_pair(db, arg, "v");

    return rc < 0 ? rc : WERR_INVALID;
}

static inline int64_t rows(db_t *db)
{
    db_stmt_t *s = db_stmt(db, &count);
    int64_t n = -1;

    if (db_first(s) == DB_ROW) {
        n = db_i64(s, 0);
    }
    db_done(s);
    return n;
}

static inline bool has(db_t *db, const char *name)
{
    db_stmt_t *s = db_stmt(db, &get);
    int rc;

    db_bind_text(s, 1, name);
    rc = db_first(s);
    assert_true(rc == DB_ROW || rc == WERR_NOTFOUND);
    db_done(s);
    return rc == DB_ROW;
}

static inline int put_blobs(db_t *db, void *arg)
{
    static char blob[64 * 1024];
    int *seq = arg;

    for (int i = 0; i < 16; i++) {
        db_stmt_t *s = db_stmt(db, &put_blob);
        int rc;

        db_bind_i64(s, 1, (*seq)++);
        db_bind_blob(s, 2, blob, sizeof(blob));
        rc = db_exec(s);
        if (rc < 0) {
            return rc;
        }
    }
    return WERR_OK;
}

/* Ten rows and the counter in each transaction, until somebody kills us. */
static inline int ten_and_count(db_t *db, void *arg)
{
    int *seq = arg;
    db_stmt_t *s;

    for (int i = 0; i < 10; i++) {
        int rc;

        s = db_stmt(db, &put_blob);
        db_bind_i64(s, 1, ++*seq);
        db_bind_blob(s, 2, path, sizeof(path));
        rc = db_exec(s);
        if (rc < 0) {
            return rc;
        }
    }
    s = db_stmt(db, &advance);
    if (db_first(s) != DB_ROW) {
        return WERR_SYSTEM;
    }
    db_done(s);
    return WERR_OK;
}

static inline db_t *raw(void)
{
    char error[256];
    db_t *db;

    if (sqlite_open(&db, path, SQLITE_ROLE_WRITER, error, sizeof(error)) < 0) {
        fail_msg("%s", error);
    }
    return db;
}

static inline int64_t number(db_t *db, const char *sql)
{
    int64_t v = -1;

    return sqlite_int(db, sql, &v) < 0 ? -1 : v;
}

#endif
