/*
 * sqlite.c - a connection to SQLite: opening, settings, errors.
 */
#include "db/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/statement.h"

#define BUSY_TIMEOUT_MS       5000
#define CHECKPOINT_TIMEOUT_MS 200

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int configured;

/* A connection is used by one thread at a time: no mutex in each call, and no
 * global one for memory statistics. */
static void configure(void)
{
    configured = sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    if (configured == SQLITE_OK) {
        configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    }
    if (configured == SQLITE_OK) {
        configured = sqlite3_initialize();
    }
}

static int map_error(int code, int system_errno)
{
    if (code == SQLITE_IOERR_NOMEM) {
        return WERR_NOMEM;
    }
    switch (code & 0xff) {
    case SQLITE_OK:
        return WERR_OK;
    case SQLITE_CONSTRAINT:
        return WERR_CONFLICT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WERR_BUSY;
    case SQLITE_FULL:
        return WERR_FULL;
    case SQLITE_IOERR:
        return system_errno == ENOSPC || system_errno == EDQUOT ||
                       system_errno == EFBIG
                   ? WERR_FULL
                   : WERR_IO;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return WERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WERR_CORRUPT;
    case SQLITE_NOMEM:
        return WERR_NOMEM;
    case SQLITE_TOOBIG:
        return WERR_TOOBIG;
    case SQLITE_INTERRUPT:
        return WERR_STOPPING;
    default:
        return WERR_SYSTEM;
    }
}

int sqlite_fail(db_t *db, int code)
{
    int system_errno = 0, rc;

    /* only then is the errno that SQLite keeps of this failure */
    if ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN) {
        system_errno = sqlite3_system_errno(db->handle);
    }
    rc = map_error(code, system_errno);
    (void)snprintf(db->message, sizeof(db->message), "%s (SQLite %d%s%s)",
                   sqlite3_errmsg(db->handle), code, system_errno ? ", " : "",
                   system_errno ? strerrordesc_np(system_errno) : "");
    /* a full disk and its like end the whole transaction: what would follow
     * must not run, and be committed, one by one */
    if (db->writing && !db->broken && sqlite3_get_autocommit(db->handle)) {
        db->broken = rc;
    }
    if (rc == WERR_NOMEM) {
        sqlite_lost(db);
    }
    return rc;
}

void sqlite_lost(db_t *db)
{
    db->lost = true;
    if (db->writing && !db->broken) {
        db->broken = WERR_NOMEM;
    }
}

void db_interrupt(db_t *db)
{
    sqlite3_interrupt(db->handle);
}

bool db_lost(db_t *db)
{
    bool lost = db && db->lost;

    if (lost) {
        db->lost = false;
    }
    return lost;
}

const char *db_message(db_t *db)
{
    return db ? db->message : werr_text(WERR_NOMEM);
}

bool sqlite_in_transaction(const db_t *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

int sqlite_run(db_t *db, const char *sql)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? WERR_OK : sqlite_fail(db, code);
}

int sqlite_int(db_t *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &st, NULL);
    int rc = WERR_NOTFOUND;

    if (code == SQLITE_OK) {
        code = sqlite3_step(st);
    }
    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
        rc = WERR_OK;
    } else if (code != SQLITE_DONE) {
        rc = sqlite_fail(db, code);
    }
    (void)sqlite3_finalize(st); /* repeats the error told above */
    return rc;
}

int sqlite_copy(db_t *db, const char *path)
{
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db->handle, "VACUUM INTO ?1", -1, &st, NULL);
    int rc = WERR_OK;

    if (code == SQLITE_OK) {
        code = sqlite3_bind_text(st, 1, path, -1, SQLITE_STATIC);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(st);
    }
    if (code != SQLITE_DONE) {
        rc = sqlite_fail(db, code);
    }
    (void)sqlite3_finalize(st);
    return rc;
}

void sqlite_reset_all(db_t *db)
{
    sqlite3_stmt *st = NULL;

    while ((st = sqlite3_next_stmt(db->handle, st)) != NULL) {
        if (sqlite3_stmt_busy(st)) {
            (void)sqlite3_reset(st);
        }
    }
}

/* ---- opening ---- */

static const char common_settings[] = "PRAGMA page_size = 4096;"
                                      "PRAGMA mmap_size = 0;"
                                      "PRAGMA temp_store = 2;"
                                      "PRAGMA secure_delete = ON;"
                                      "PRAGMA foreign_keys = ON;"
                                      "PRAGMA trusted_schema = OFF;";

static const char writer_settings[] = "PRAGMA journal_mode = WAL;"
                                      "PRAGMA synchronous = FULL;"
                                      "PRAGMA cache_size = -8000;"
                                      "PRAGMA wal_autocheckpoint = 0;"
                                      "PRAGMA journal_size_limit = 67108864;";

static const char reader_settings[] = "PRAGMA cache_size = -2000;"
                                      "PRAGMA wal_autocheckpoint = 0;"
                                      "PRAGMA query_only = ON;";

static const char checkpoint_settings[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA cache_size = -1000;"
    "PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = 67108864;";

static int apply_settings(db_t *db, sqlite_role_t role)
{
    static const char *const settings[] = {
        [SQLITE_ROLE_WRITER] = writer_settings,
        [SQLITE_ROLE_READER] = reader_settings,
        [SQLITE_ROLE_CHECKPOINT] = checkpoint_settings,
    };
    int timeout = role == SQLITE_ROLE_CHECKPOINT ? CHECKPOINT_TIMEOUT_MS
                                                 : BUSY_TIMEOUT_MS;
    int code, rc;

    code = sqlite3_extended_result_codes(db->handle, 1);
    if (code == SQLITE_OK) {
        code = sqlite3_busy_timeout(db->handle, timeout);
    }
    /* "x" is a column, as PostgreSQL has it, never a string */
    if (code == SQLITE_OK) {
        code = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    }
    if (code != SQLITE_OK) {
        return sqlite_fail(db, code);
    }
    rc = sqlite_run(db, common_settings);
    return rc < 0 ? rc : sqlite_run(db, settings[role]);
}

/* A file that SQLite makes would be readable by all: -wal and -shm get the
 * mode of the database. */
static int make_file(const char *path, char *error, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == ELOOP) {
        fd = open(path, O_RDWR | O_CLOEXEC);
    }
    if (fd < 0) {
        (void)snprintf(error, size, "%s: %s", path, strerrordesc_np(errno));
        return errno == ENOSPC || errno == EDQUOT ? WERR_FULL : WERR_IO;
    }
    return close(fd) == 0 ? WERR_OK : WERR_IO;
}

int sqlite_open(db_t **out, const char *path, sqlite_role_t role, char *error,
                size_t size)
{
    db_t *db;
    int code, rc;

    if (pthread_once(&once, configure) != 0 || configured != SQLITE_OK) {
        (void)snprintf(error, size, "SQLite cannot be set up (%d)", configured);
        return WERR_SYSTEM;
    }
    if (role == SQLITE_ROLE_WRITER) {
        rc = make_file(path, error, size);
        if (rc < 0) {
            return rc;
        }
    }
    db = calloc(1, sizeof(*db));
    if (!db) {
        return WERR_NOMEM;
    }
    code = sqlite3_open_v2(path, &db->handle,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!db->handle) {
        free(db);
        return WERR_NOMEM;
    }
    rc = code == SQLITE_OK ? apply_settings(db, role) : sqlite_fail(db, code);
    if (rc < 0) {
        (void)snprintf(error, size, "%s: %s", path, db->message);
        sqlite_shut(&db);
        return rc;
    }
    *out = db;
    return WERR_OK;
}

void sqlite_shut(db_t **db)
{
    if (!*db) {
        return;
    }
    statement_free_all(*db);
    (void)sqlite3_close_v2((*db)->handle);
    free(*db);
    *db = NULL;
}
