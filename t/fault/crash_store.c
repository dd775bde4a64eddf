/*
 * crash_store - what a power cut leaves of the database, with the settings of
 * wacrmd's writer.
 *
 *   crash_store make DIR              a small database
 *   crash_store record DIR COMMITS    commits to it, under record.so
 *   crash_store check LOG BEFORE DIR  every state after a cut, in DIR
 *
 * In every state: it opens, it is sound, each transaction whose commit had
 * returned is there, and any other whole or not at all.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/sqlite.h"
#include "t/fault/crash/log.h"

#define CHECKPOINT_EVERY 7 /* commits */
#define TRUNCATE_EVERY   20

static int open_db(db_t **db, const char *dir)
{
    char path[512];
    char error[256];
    int rc;

    snprintf(path, sizeof(path), "%s/wacrm.db", dir);
    rc = sqlite_open(db, path, SQLITE_ROLE_WRITER, error, sizeof(error));
    if (rc != WERR_OK) {
        fprintf(stderr, "crash_store: %s\n", error);
    }
    return rc;
}

static int make(const char *dir)
{
    db_t *db = NULL;
    int rc = mkdir(dir, 0700) == 0 ? open_db(&db, dir) : WERR_IO;

    if (rc == WERR_OK) {
        rc = sqlite_run(db, "CREATE TABLE rows (id INTEGER PRIMARY KEY,"
                            " txn INTEGER NOT NULL, text TEXT NOT NULL) STRICT;"
                            "CREATE INDEX rows_text ON rows (text);"
                            "CREATE TABLE sums (txn INTEGER NOT NULL) STRICT;"
                            "INSERT INTO sums VALUES (0)");
    }
    sqlite_shut(&db);
    return rc == WERR_OK ? 0 : 1;
}

/* ---- recording ---- */

/* Txn n: rows of 10 to 800 bytes in two trees, and a sum beside them. */
static int commit(db_t *db, unsigned n)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "BEGIN IMMEDIATE;"
             "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k"
             " WHERE i < 1 + %u %% 7)"
             "INSERT INTO rows (txn, text)"
             " SELECT %u, printf('%%0*d', 10 + (%u * 37 + i * 911) %% 790,"
             " %u * 100 + i) FROM k;"
             "UPDATE sums SET txn = %u;"
             "COMMIT",
             n, n, n, n, n);
    return sqlite_run(db, sql);
}

static int record(const char *dir, unsigned commits)
{
    db_t *db = NULL;
    int rc = open_db(&db, dir);

    for (uint64_t n = 1; rc == WERR_OK && n <= commits; n++) {
        rc = commit(db, (unsigned)n);
        if (rc == WERR_OK) {
            crash_mark(&n, sizeof(n));
        }
        if (rc == WERR_OK && n % CHECKPOINT_EVERY == 0) {
            rc = sqlite_run(db, n % TRUNCATE_EVERY < CHECKPOINT_EVERY
                                    ? "PRAGMA wal_checkpoint(TRUNCATE)"
                                    : "PRAGMA wal_checkpoint(PASSIVE)");
        }
    }
    if (rc != WERR_OK) {
        fprintf(stderr, "crash_store: %s\n", db != NULL ? db_message(db) : "");
    }
    /* closing would take the log into the database */
    _exit(rc == WERR_OK ? 0 : 1);
}

/* ---- checking ---- */

typedef struct {
    const char *dir;
    uint64_t acknowledged;
} known_t;

static void take_mark(void *arg, const void *data, size_t len)
{
    known_t *k = arg;

    if (len == sizeof(k->acknowledged)) {
        memcpy(&k->acknowledged, data, len);
    }
}

static int64_t number(db_t *db, const char *sql)
{
    int64_t n = -1;

    return sqlite_int(db, sql, &n) == WERR_OK ? n : -1;
}

static bool bad(const crash_state_t *state, const char *what, db_t *db)
{
    fprintf(stderr, "crash_store: %s at state %zu (operation %zu, %s): %s\n",
            what, state->number, state->op, state->what,
            db != NULL ? db_message(db) : "");
    return false;
}

static bool check_db(const known_t *k, const crash_state_t *state, db_t *db)
{
    int64_t txn = number(db, "SELECT txn FROM sums");

    if (txn < 0) {
        return bad(state, "it cannot be read", db);
    }
    if ((uint64_t)txn < k->acknowledged) {
        return bad(state, "an acknowledged transaction is missing", NULL);
    }
    if (number(db, "SELECT count(*) FROM pragma_integrity_check"
                   " WHERE integrity_check <> 'ok'") != 0) {
        return bad(state, "it is damaged", db);
    }
    /* all rows of every transaction up to that one, and none of a later */
    if (number(db, "SELECT (SELECT coalesce(sum(1 + txn % 7), 0) FROM"
                   " (SELECT DISTINCT txn FROM rows)) <> count(*)"
                   " OR count(DISTINCT txn) <> (SELECT txn FROM sums)"
                   " OR coalesce(max(txn), 0) <> (SELECT txn FROM sums)"
                   " FROM rows") != 0) {
        return bad(state, "half a transaction", db);
    }
    return true;
}

static bool check_state(void *arg, const crash_state_t *state)
{
    const known_t *k = arg;
    char shm[512];
    db_t *db = NULL;
    bool ok;

    snprintf(shm, sizeof(shm), "%s/wacrm.db-shm", k->dir);
    (void)unlink(shm); /* never on disk */
    if (open_db(&db, k->dir) != WERR_OK) {
        return bad(state, "it does not open", NULL);
    }
    ok = check_db(k, state, db);
    sqlite_shut(&db);
    return ok;
}

static int check(const char *path, const char *before, const char *dir)
{
    static known_t known;
    const crash_options_t options = {
        .pairs = 100, .subsets = 6, .torn = 9, .seed = 20260301};
    const crash_walk_t walk = {take_mark, check_state, &known, dir};
    crash_log_t *log = crash_load(path, before);
    size_t n = 0;

    known.dir = dir;
    if (log != NULL) {
        n = crash_walk(log, &options, &walk);
        crash_free(log);
    }
    if (n > 0) {
        printf("states=%zu commits=%llu\n", n,
               (unsigned long long)known.acknowledged);
    }
    return n > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "make") == 0) {
        return make(argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "record") == 0) {
        return record(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    }
    if (argc == 5 && strcmp(argv[1], "check") == 0) {
        return check(argv[2], argv[3], argv[4]);
    }
    fprintf(stderr, "usage: crash_store make DIR | record DIR COMMITS |"
                    " check LOG BEFORE DIR\n");
    return 2;
}
