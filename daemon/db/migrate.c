/*
 * migrate.c - schema files, their macros, their order.
 */
#include "db/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/file.h"
#include "db/sqlite.h"

/* What SQLite says where the schema has a macro. */
static const struct {
    const char *macro, *text;
} macros[] = {
    {"%ID%", "INTEGER PRIMARY KEY"},
    {"%I64%", "INTEGER"},
    {"%FLAG%", "INTEGER"},
    {"%REAL%", "REAL"},
    {"%BYTES%", "BLOB"},
    {"%STRICT%", "STRICT"},
    {"%REFUSE%", "BEGIN SELECT RAISE(ABORT, 'append-only'); END"},
};

static bool expand(const char *sql, buf_t *out)
{
    while (*sql) {
        size_t i, n = sizeof(macros) / sizeof(macros[0]);
        size_t run = strcspn(sql, "%");

        buf_add(out, sql, run);
        sql += run;
        if (*sql != '%') {
            break;
        }
        for (i = 0; i < n; i++) {
            if (strncmp(sql, macros[i].macro, strlen(macros[i].macro)) == 0) {
                break;
            }
        }
        if (i == n) {
            return false;
        }
        buf_adds(out, macros[i].text);
        sql += strlen(macros[i].macro);
    }
    return !out->failed;
}

/* Number of the last migration that ran; 0: the database is empty. */
static int version_of(db_t *db, int64_t *version)
{
    int64_t tables;
    int rc;

    rc = sqlite_int(db,
                    "SELECT count(*) FROM sqlite_schema"
                    " WHERE type = 'table' AND name = 'schema_version'",
                    &tables);
    if (rc < 0) {
        return rc;
    }
    if (tables > 0) {
        return sqlite_int(
            db, "SELECT coalesce(max(version), 0) FROM schema_version",
            version);
    }
    *version = 0;
    rc = sqlite_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc < 0) {
        return rc;
    }
    return tables > 0 ? WERR_INVALID : WERR_OK;
}

static int apply(db_t *db, const schema_file_t *file)
{
    buf_t sql;
    int64_t bad;
    int rc;

    buf_init(&sql, 0);
    buf_adds(&sql, "CREATE TABLE IF NOT EXISTS schema_version ("
                   " version INTEGER NOT NULL PRIMARY KEY,"
                   " name TEXT NOT NULL,"
                   " applied_at INTEGER NOT NULL) STRICT;");
    if (!expand(file->sql, &sql)) {
        buf_free(&sql);
        return sql.failed ? WERR_NOMEM : WERR_SYSTEM;
    }
    buf_addf(&sql, "INSERT INTO schema_version VALUES (%d, '%s', %lld);",
             file->number, file->name, (long long)clock_now_ms());
    rc = sql.failed ? WERR_NOMEM : sqlite_run(db, sql.data);
    buf_free(&sql);
    if (rc < 0) {
        return rc;
    }
    rc = sqlite_int(db, "SELECT 1 FROM pragma_foreign_key_check LIMIT 1", &bad);
    if (rc == WERR_OK) {
        (void)snprintf(db->message, sizeof(db->message),
                       "%s leaves foreign keys without their rows", file->name);
        return WERR_CONFLICT;
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int apply_in_transaction(db_t *db, const schema_file_t *file)
{
    int64_t version;
    int rc;

    rc = sqlite_run(db, "BEGIN IMMEDIATE");
    if (rc < 0) {
        return rc;
    }
    rc = version_of(db, &version);
    /* another process may have been faster */
    if (rc == WERR_OK && version < file->number) {
        rc = apply(db, file);
    }
    if (rc == WERR_OK) {
        rc = sqlite_run(db, "COMMIT");
    }
    if (rc < 0 && sqlite_in_transaction(db)) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

/* The database as it was, as "<path>.v<version>". */
static int keep_copy(db_t *db, const char *path, int64_t version)
{
    char *copy;
    int rc;

    if (asprintf(&copy, "%s.v%lld", path, (long long)version) < 0) {
        return WERR_NOMEM;
    }
    rc = file_copy_database(db, copy, true);
    if (rc == WERR_OK) {
        log_info("db", "msg=\"database copied before migrating\" copy=%s",
                 log_str(copy));
    }
    free(copy);
    return rc;
}

static int migrate(db_t *db, const char *keep, const schema_file_t *files,
                   size_t n, int64_t have, const char **step)
{
    int rc = WERR_OK;

    if (have > 0 && keep) {
        *step = "the copy before migrating";
        rc = keep_copy(db, keep, have);
    }
    /* a migration that copies a table drops the old one */
    if (rc == WERR_OK) {
        rc = sqlite_run(db, "PRAGMA foreign_keys = OFF");
    }
    for (size_t i = 0; i < n && rc == WERR_OK; i++) {
        if (files[i].number <= have) {
            continue;
        }
        *step = files[i].name;
        rc = apply_in_transaction(db, &files[i]);
        if (rc == WERR_OK) {
            log_info("db", "msg=\"schema migrated\" version=%d name=%s",
                     files[i].number, log_str(files[i].name));
        }
    }
    return rc == WERR_OK ? sqlite_run(db, "PRAGMA foreign_keys = ON") : rc;
}

int migrate_run(db_t *db, const char *path, bool keep,
                const schema_file_t *files, size_t n, char *error, size_t size)
{
    int64_t have = 0, latest = n > 0 ? files[n - 1].number : 0;
    const char *step = "reading its version";
    int rc = version_of(db, &have);

    if (rc == WERR_INVALID) {
        (void)snprintf(error, size,
                       "%s: has tables, but is no database of wacrm", path);
        return rc;
    }
    if (rc == WERR_OK && have > latest) {
        (void)snprintf(error, size,
                       "%s: schema %lld was made by a later version of wacrm; "
                       "this one knows up to %lld",
                       path, (long long)have, (long long)latest);
        return WERR_FUTURE;
    }
    if (rc == WERR_OK && have < latest) {
        rc = migrate(db, keep ? path : NULL, files, n, have, &step);
    }
    if (rc < 0) {
        (void)snprintf(error, size, "%s: %s: %s: %s", path, step, werr_text(rc),
                       db->message);
    }
    return rc;
}
