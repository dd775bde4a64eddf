#include "db/store.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "db/migrate.h"
#include "db/sqlite.h"
#include "db/statement.h"

DB_QUERY(put, "INSERT INTO settings (name, value) VALUES ($1, $2)");
DB_QUERY(put_swapped, "INSERT INTO settings (value, name) VALUES ($2, $1)");
DB_QUERY(get, "SELECT value FROM settings WHERE name = $1");
DB_QUERY(count, "SELECT count(*) FROM settings");
DB_QUERY(names, "SELECT name FROM settings ORDER BY name");
DB_QUERY(types, "SELECT $1, $2, $3, $4, '$1' || \"$2\" FROM"
                " (SELECT 7 AS \"$2\") -- $3\n /* $4 */");
DB_QUERY(broken_sql, "SELECT nothing FROM nowhere");
DB_QUERY(orphan, "INSERT INTO contact_aliases (alias, contact_id)"
                 " VALUES ('x@lid', 999)");
DB_QUERY(advance, "UPDATE counters SET value = value + 1"
                  " WHERE name = 'event_seq' RETURNING value");

static char dir[32];
static char path[160];
static store_t *store;

static int make_table(db_t *db, void *arg)
{
    (void)arg;
    return sqlite_run(db, "CREATE TABLE IF NOT EXISTS test_rows ("
                          " seq INTEGER NOT NULL PRIMARY KEY,"
                          " data BLOB NOT NULL) STRICT");
}

static void open_store(void)
{
    store_options_t o = {.path = path};

    if (store_open(&store, &o) != WERR_OK)
        fail_msg("%s", o.error);
    if (store_write(store, make_table, NULL) != WERR_OK)
        fail_msg("no table for the tests");
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/wacrm-store-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/wacrm.db", dir);
    open_store();
    return 0;
}

static int teardown(void **state)
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

static void pause_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&ts, NULL);
}

/* ---- small transactions ---- */

static int put_pair(db_t *db, const char *name, const char *value)
{
    db_stmt_t *s = db_stmt(db, &put);

    db_bind_text(s, 1, name);
    db_bind_text(s, 2, value);
    return db_exec(s);
}

static int put_one(db_t *db, void *arg)
{
    return put_pair(db, arg, "v");
}

static int put_and_fail(db_t *db, void *arg)
{
    int rc = put_pair(db, arg, "v");

    return rc < 0 ? rc : WERR_INVALID;
}

static int64_t rows(db_t *db)
{
    db_stmt_t *s = db_stmt(db, &count);
    int64_t n = -1;

    if (db_first(s) == DB_ROW)
        n = db_i64(s, 0);
    db_done(s);
    return n;
}

static bool has(db_t *db, const char *name)
{
    db_stmt_t *s = db_stmt(db, &get);
    int rc;

    db_bind_text(s, 1, name);
    rc = db_first(s);
    assert_true(rc == DB_ROW || rc == WERR_NOTFOUND);
    db_done(s);
    return rc == DB_ROW;
}

static void commits_and_rolls_back(void **state)
{
    db_t *r = NULL;
    store_stat_t st;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(store_write(store, put_one, "a"), WERR_OK);
    assert_int_equal(store_write(store, put_and_fail, "b"), WERR_INVALID);
    assert_true(has(r, "a"));
    assert_false(has(r, "b"));
    assert_int_equal(store_write(store, put_one, "a"), WERR_CONFLICT);
    store_stat(store, &st);
    assert_int_equal(st.commits, 2); /* the first: make_table() */
    assert_true(st.wal_bytes > 0 && st.db_bytes > 0 && st.commit_us > 0);
    store_reader_close(&r);
    assert_null(r);
}

static int give_seven(db_t *db, void *arg)
{
    (void)db;
    (void)arg;
    return 7;
}

static int nested(db_t *db, void *arg)
{
    (void)db;
    return store_write(store, put_one, arg);
}

static void results(void **state)
{
    (void)state;
    assert_int_equal(store_write(store, give_seven, NULL), 7);
    assert_int_equal(store_write(store, nested, "n"), WERR_SYSTEM);
    assert_int_equal(store_write(store, put_one, "n"), WERR_OK);
}

static int with_savepoints(db_t *db, void *arg)
{
    (void)arg;
    assert_int_equal(put_pair(db, "outer", ""), WERR_OK);
    assert_int_equal(db_savepoint(db), WERR_OK);
    assert_int_equal(put_pair(db, "gone", ""), WERR_OK);
    assert_int_equal(put_pair(db, "outer", ""), WERR_CONFLICT);
    assert_int_equal(db_rollback_to(db), WERR_OK);
    assert_int_equal(db_savepoint(db), WERR_OK);
    assert_int_equal(put_pair(db, "kept", ""), WERR_OK);
    assert_int_equal(db_savepoint(db), WERR_OK);
    assert_int_equal(put_pair(db, "inner", ""), WERR_OK);
    assert_int_equal(db_rollback_to(db), WERR_OK);
    assert_int_equal(db_release(db), WERR_OK);
    assert_true(db_release(db) < 0);
    return WERR_OK;
}

static void savepoints(void **state)
{
    db_t *r = NULL;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(store_write(store, with_savepoints, NULL), WERR_OK);
    assert_true(has(r, "outer") && has(r, "kept"));
    assert_false(has(r, "gone") || has(r, "inner"));
    store_reader_close(&r);
}

/* ---- statements ---- */

static int put_in_swapped_order(db_t *db, void *arg)
{
    db_stmt_t *s = db_stmt(db, &put_swapped);

    (void)arg;
    db_bind_text(s, 1, "name");
    db_bind_text(s, 2, "value");
    return db_exec(s);
}

static void parameters_by_number(void **state)
{
    db_t *r = NULL;
    db_stmt_t *s;
    size_t len;
    char *sql;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(store_write(store, put_in_swapped_order, NULL), WERR_OK);
    assert_true(has(r, "name"));
    s = db_stmt(r, &types);
    db_bind_i64(s, 1, INT64_MIN);
    db_bind_double(s, 2, 0.5);
    db_bind_blob(s, 3, "a\0b", 3);
    assert_int_equal(db_step(s), DB_ROW);
    assert_int_equal(db_i64(s, 0), INT64_MIN);
    assert_true(db_double(s, 1) > 0.4 && db_double(s, 1) < 0.6);
    assert_memory_equal(db_blob(s, 2, &len), "a\0b", 3);
    assert_int_equal(len, 3);
    assert_true(db_is_null(s, 3));
    assert_null(db_text(s, 3));
    assert_string_equal(db_text(s, 4), "$17");
    assert_int_equal(db_text_len(s, 4), 3);
    assert_int_equal(db_step(s), DB_DONE);
    s = db_stmt(r, &types); /* bindings are gone */
    db_bind_textn(s, 2, "xyz", 2);
    assert_int_equal(db_step(s), DB_ROW);
    assert_true(db_is_null(s, 0));
    assert_string_equal(db_text(s, 1), "xy");
    db_done(s);
    store_reader_close(&r);
    sql = statement_rewrite("$1 '$2' \"$3\" --$4\n/*$5*/$12 $x 'open $6");
    assert_string_equal(sql, "?1 '$2' \"$3\" --$4\n/*$5*/?12 $x 'open $6");
    free(sql);
}

static void errors_stick(void **state)
{
    db_t *r = NULL;
    db_stmt_t *s;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    s = db_stmt(r, &broken_sql);
    db_bind_i64(s, 1, 1);
    assert_int_equal(db_step(s), WERR_SYSTEM);
    assert_non_null(strstr(db_message(r), "broken_sql"));
    assert_true(db_is_null(s, 0));
    assert_int_equal(db_i64(s, 0), 0);
    s = db_stmt(r, &get);
    db_bind_text(s, 2, "no such parameter");
    assert_int_equal(db_step(s), WERR_SYSTEM);
    s = db_stmt(r, &get);
    assert_int_equal(db_step(s), DB_DONE);
    assert_int_equal(db_step(NULL), WERR_NOMEM);
    assert_int_equal(db_exec(db_stmt(r, &count)), WERR_SYSTEM);
    /* readers do not write */
    assert_true(put_pair(r, "x", "y") < 0);
    store_reader_close(&r);
}

static int put_orphan(db_t *db, void *arg)
{
    (void)arg;
    return db_exec(db_stmt(db, &orphan));
}

static void foreign_keys_hold(void **state)
{
    (void)state;
    assert_int_equal(store_write(store, put_orphan, NULL), WERR_CONFLICT);
}

static void queries_are_listed(void **state)
{
    size_t n, found = 0;
    const db_query_t *const *all = db_queries(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        if (all[i] == &put || all[i] == &names)
            found++;
        assert_non_null(all[i]->sql);
    }
    assert_int_equal(found, 2);
}

/* ---- readers ---- */

static void reads_are_one_state(void **state)
{
    db_t *r = NULL;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(db_read_begin(r), WERR_OK);
    assert_int_equal(rows(r), 0);
    assert_int_equal(store_write(store, put_one, "a"), WERR_OK);
    assert_int_equal(db_read_begin(r), WERR_OK);
    assert_int_equal(rows(r), 0);
    db_read_end(r);
    assert_int_equal(rows(r), 0);
    assert_int_equal(db_step(db_stmt(r, &names)), DB_DONE);
    db_read_end(r);
    assert_int_equal(rows(r), 1);
    /* a statement left in the middle does not hold the state */
    assert_int_equal(db_read_begin(r), WERR_OK);
    assert_int_equal(db_step(db_stmt(r, &names)), DB_ROW);
    db_read_end(r);
    assert_int_equal(store_write(store, put_one, "b"), WERR_OK);
    assert_int_equal(rows(r), 2);
    store_reader_close(&r);
}

static int write_then_read(db_t *db, void *arg)
{
    (void)arg;
    assert_int_equal(put_pair(db, "a", ""), WERR_OK);
    assert_int_equal(db_read_begin(db), WERR_OK);
    assert_int_equal(rows(db), 1);
    db_read_end(db);
    return put_pair(db, "b", "");
}

static void read_inside_write(void **state)
{
    db_t *r = NULL;

    (void)state;
    assert_int_equal(store_write(store, write_then_read, NULL), WERR_OK);
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(rows(r), 2);
    store_reader_close(&r);
}

/* ---- contention ---- */

static char order[16];
static _Atomic int norder;
static _Atomic bool holding, go_on;

static int note(db_t *db, void *arg)
{
    (void)db;
    order[norder++] = *(const char *)arg;
    return WERR_OK;
}

static void *note_thread(void *arg)
{
    return store_write(store, note, arg) == WERR_OK ? arg : NULL;
}

static int hold(db_t *db, void *arg)
{
    (void)db;
    holding = true;
    while (!go_on)
        pause_ms(1);
    return note(db, arg);
}

static void *hold_thread(void *arg)
{
    return store_write(store, hold, arg) == WERR_OK ? arg : NULL;
}

static void first_come_first_served(void **state)
{
    pthread_t threads[5];
    static const char *const letters[] = {"A", "B", "C", "D", "E"};

    (void)state;
    norder = 0;
    holding = go_on = false;
    assert_false(store_contended(store));
    assert_int_equal(pthread_create(&threads[0], NULL, hold_thread,
                                    (void *)(uintptr_t)letters[0]),
                     0);
    while (!holding)
        pause_ms(1);
    assert_false(store_contended(store));
    for (int i = 1; i < 5; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, note_thread,
                                        (void *)(uintptr_t)letters[i]),
                         0);
        /* until its ticket is drawn */
        pause_ms(20);
        assert_true(store_contended(store));
    }
    go_on = true;
    for (int i = 0; i < 5; i++) {
        void *result;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, letters[i]);
    }
    assert_memory_equal(order, "ABCDE", 5);
    assert_false(store_contended(store));
}

/* Another process holds the file: the write waits for it. */
static void waits_for_another_process(void **state)
{
    int pipes[2];
    char byte;
    pid_t pid;
    int status;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        char error[256];
        db_t *db;

        if (sqlite_open(&db, path, SQLITE_ROLE_WRITER, error, sizeof(error)) <
                0 ||
            sqlite_run(db, "BEGIN IMMEDIATE") < 0 ||
            write(pipes[1], "x", 1) != 1)
            _exit(1);
        pause_ms(150);
        _exit(sqlite_run(db, "COMMIT") < 0);
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(store_write(store, put_one, "a"), WERR_OK);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

/* ---- checkpoints ---- */

DB_QUERY(put_blob, "INSERT INTO test_rows (seq, data) VALUES ($1, $2)");

static int put_blobs(db_t *db, void *arg)
{
    static char blob[64 * 1024];
    int *seq = arg;

    for (int i = 0; i < 16; i++) {
        db_stmt_t *s = db_stmt(db, &put_blob);
        int rc;

        db_bind_i64(s, 1, (*seq)++);
        db_bind_blob(s, 2, blob, sizeof(blob));
        rc = db_exec(s);
        if (rc < 0)
            return rc;
    }
    return WERR_OK;
}

static void the_wal_is_reset(void **state)
{
    store_stat_t st = {0};
    int seq = 1;

    (void)state;
    for (int i = 0; i < 40; i++) /* 40 MB */
        assert_int_equal(store_write(store, put_blobs, &seq), WERR_OK);
    for (int i = 0; i < 500 && st.checkpoints == 0; i++) {
        pause_ms(10);
        store_stat(store, &st);
    }
    assert_true(st.checkpoints > 0);
    assert_int_equal(store_write(store, put_one, "a"), WERR_OK);
    store_stat(store, &st);
    assert_true(st.wal_bytes < 80 << 20);
    assert_true(st.db_bytes > 30 << 20);
}

/* ---- what may go wrong ---- */

DB_QUERY(blob_limits, "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0),"
                      " count(*) FROM test_rows");

/* Ten rows and the counter in each transaction, until somebody kills us. */
static int ten_and_count(db_t *db, void *arg)
{
    int *seq = arg;
    db_stmt_t *s;

    for (int i = 0; i < 10; i++) {
        int rc;

        s = db_stmt(db, &put_blob);
        db_bind_i64(s, 1, ++*seq);
        db_bind_blob(s, 2, path, sizeof(path));
        rc = db_exec(s);
        if (rc < 0)
            return rc;
    }
    s = db_stmt(db, &advance);
    if (db_first(s) != DB_ROW)
        return WERR_SYSTEM;
    db_done(s);
    return WERR_OK;
}

static void write_for_ever(int fd)
{
    store_options_t o = {.path = path};
    int seq = 0;
    db_t *r;
    db_stmt_t *s;

    if (store_open(&store, &o) < 0 ||
        store_write(store, make_table, NULL) < 0 || store_reader(store, &r) < 0)
        _exit(1);
    s = db_stmt(r, &blob_limits);
    if (db_first(s) != DB_ROW)
        _exit(1);
    seq = (int)db_i64(s, 1);
    db_done(s);
    while (store_write(store, ten_and_count, &seq) == WERR_OK) {
        if (write(fd, &seq, sizeof(seq)) != (ssize_t)sizeof(seq))
            _exit(1);
    }
    _exit(1);
}

/* The last number that a child has told before it was killed. */
static int last_told(int fd)
{
    int seq, last = 0;

    while (read(fd, &seq, sizeof(seq)) == (ssize_t)sizeof(seq))
        last = seq;
    return last;
}

static void survives_kill(void **state)
{
    char reason[256];

    (void)state;
    store_close(&store);
    for (int round = 0; round < 20; round++) {
        int pipes[2], told;
        db_t *r = NULL;
        db_stmt_t *s;
        pid_t pid;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0)
            write_for_ever(pipes[1]);
        (void)close(pipes[1]);
        pause_ms(25 + round * 3);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        told = last_told(pipes[0]);
        (void)close(pipes[0]);
        open_store();
        assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_OK);
        assert_int_equal(store_reader(store, &r), WERR_OK);
        s = db_stmt(r, &blob_limits);
        assert_int_equal(db_first(s), DB_ROW);
        /* whole transactions, without a gap, and all that were told */
        assert_int_equal(db_i64(s, 1), db_i64(s, 2));
        assert_int_equal(db_i64(s, 2) % 10, 0);
        assert_true(db_i64(s, 1) >= told);
        db_done(s);
        store_reader_close(&r);
        store_close(&store);
    }
    open_store();
}

static int full_then_more(db_t *db, void *arg)
{
    int rc = WERR_OK, seq = 1;

    (void)arg;
    for (int i = 0; i < 64 && rc == WERR_OK; i++)
        rc = put_blobs(db, &seq);
    if (rc != WERR_FULL)
        return WERR_SYSTEM;
    /* the transaction is gone: nothing of what follows may be committed */
    rc = put_pair(db, "after", "x");
    return rc == WERR_FULL ? WERR_OK : rc;
}

/* In a child, which may limit its files without harm to the others. */
static int write_to_full_disk(void)
{
    struct rlimit limit = {8 << 20, 8 << 20};
    store_options_t o = {.path = path};
    db_t *r = NULL;
    int rc;

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    if (store_open(&store, &o) != WERR_OK ||
        store_write(store, make_table, NULL) != WERR_OK ||
        store_write(store, put_one, "before") != WERR_OK)
        return 2;
    rc = store_write(store, full_then_more, NULL);
    if (rc != WERR_FULL)
        return 3;
    if (store_reader(store, &r) != WERR_OK)
        return 4;
    if (!has(r, "before") || has(r, "after"))
        return 5;
    /* and when there is room again, it goes on */
    if (store_write(store, put_one, "later") != WERR_OK || !has(r, "later"))
        return 6;
    store_reader_close(&r);
    store_close(&store);
    return 0;
}

static void full_disk(void **state)
{
    char reason[256];
    pid_t pid;
    int status;

    (void)state;
    store_close(&store);
    pid = fork();
    if (pid == 0)
        _exit(write_to_full_disk());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    open_store();
    assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_OK);
}

/* The same with a real ENOSPC, where we may mount. */
static void full_file_system(void **state)
{
    db_t *r = NULL;

    (void)state;
    store_close(&store);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=4m") != 0) {
        open_store();
        skip();
    }
    open_store();
    assert_int_equal(store_write(store, put_one, "before"), WERR_OK);
    assert_int_equal(store_write(store, full_then_more, NULL), WERR_FULL);
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_true(has(r, "before"));
    assert_false(has(r, "after"));
    assert_int_equal(rows(r), 1);
    store_reader_close(&r);
    store_close(&store);
    assert_int_equal(umount(dir), 0);
    open_store();
}

static void damaged_file(void **state)
{
    store_options_t o = {.path = path};
    FILE *f;

    (void)state;
    store_close(&store);
    f = fopen(path, "r+");
    assert_non_null(f);
    assert_int_equal(fputs("this is not a database at all", f) >= 0, 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(store_open(&store, &o), WERR_CORRUPT);
    assert_null(store);
    assert_non_null(strstr(o.error, path));
    assert_int_equal(unlink(path), 0);
    o.path = "/nonexistent/dir/wacrm.db";
    assert_int_equal(store_open(&store, &o), WERR_IO);
    assert_non_null(strstr(o.error, "No such file"));
}

/* ---- migrations ---- */

static const schema_file_t two_files[] = {
    {1, "001_a.sql",
     "CREATE TABLE a (id %ID%, n %I64% NOT NULL) %STRICT%;"
     "INSERT INTO a (n) VALUES (42);"},
    {2, "002_b.sql",
     "CREATE TABLE b (id %ID%, r %REAL%, b %BYTES%,"
     " f %FLAG%) %STRICT%; UPDATE a SET n = n + 1;"},
};
static const schema_file_t bad_file[] = {
    {1, "001_a.sql", ""},
    {2, "002_bad.sql", "UPDATE a SET n = 0; SELECT nothing;"},
};
static const schema_file_t bad_macro[] = {
    {1, "001_a.sql", "CREATE TABLE a (id %SERIAL%);"},
};

static db_t *raw(void)
{
    char error[256];
    db_t *db;

    if (sqlite_open(&db, path, SQLITE_ROLE_WRITER, error, sizeof(error)) < 0)
        fail_msg("%s", error);
    return db;
}

static int64_t number(db_t *db, const char *sql)
{
    int64_t v = -1;

    return sqlite_int(db, sql, &v) < 0 ? -1 : v;
}

static void migrates_with_a_copy(void **state)
{
    char error[256] = "", copy[160];
    struct stat st;
    db_t *db;

    (void)state;
    store_close(&store);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(copy, sizeof(copy), "%s/wacrm.db.v1", dir);
    db = raw();
    assert_int_equal(migrate_run(db, path, two_files, 1, error, 256), WERR_OK);
    assert_int_equal(access(copy, F_OK), -1); /* nothing there to copy */
    assert_int_equal(migrate_run(db, path, two_files, 1, error, 256), WERR_OK);
    assert_int_equal(number(db, "SELECT n FROM a"), 42);
    /* a bad one leaves all as it was */
    assert_int_equal(migrate_run(db, path, bad_file, 2, error, 256),
                     WERR_SYSTEM);
    assert_non_null(strstr(error, "002_bad.sql"));
    assert_int_equal(number(db, "SELECT n FROM a"), 42);
    assert_int_equal(migrate_run(db, path, two_files, 2, error, 256), WERR_OK);
    assert_int_equal(number(db, "SELECT n FROM a"), 43);
    assert_int_equal(number(db, "SELECT max(version) FROM schema_version"), 2);
    assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
    sqlite_shut(&db);
    /* the copy is the database as it was */
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(rename(copy, path), 0);
    db = raw();
    assert_int_equal(number(db, "SELECT n FROM a"), 42);
    assert_int_equal(migrate_run(db, path, two_files, 2, error, 256), WERR_OK);
    sqlite_shut(&db);
}

static void refuses_what_it_does_not_know(void **state)
{
    store_options_t o = {.path = path};
    char error[256] = "";
    db_t *db;

    (void)state;
    store_close(&store);
    db = raw();
    assert_int_equal(sqlite_run(db, "INSERT INTO schema_version VALUES"
                                    " (9999, 'later', 0)"),
                     WERR_OK);
    sqlite_shut(&db);
    assert_int_equal(store_open(&store, &o), WERR_FUTURE);
    assert_null(store);
    assert_non_null(strstr(o.error, "later version"));
    assert_int_equal(unlink(path), 0);
    db = raw();
    assert_int_equal(migrate_run(db, path, bad_macro, 1, error, 256),
                     WERR_SYSTEM);
    assert_int_equal(sqlite_run(db, "CREATE TABLE foreign_table (x)"), WERR_OK);
    sqlite_shut(&db);
    assert_int_equal(store_open(&store, &o), WERR_INVALID);
    assert_non_null(strstr(o.error, "no database of wacrm"));
}

/* ---- backup ---- */

static _Atomic bool stop_writing;

static void *write_thread(void *arg)
{
    while (!stop_writing) {
        if (store_write(store, ten_and_count, arg) != WERR_OK)
            return NULL;
    }
    return arg;
}

static void backup_is_consistent(void **state)
{
    char copy[100], reason[256];
    pthread_t thread;
    int seq = 0;
    void *result;
    struct stat st;
    db_t *db;

    (void)state;
    stop_writing = false;
    (void)snprintf(copy, sizeof(copy), "%s/copy.db", dir);
    assert_int_equal(pthread_create(&thread, NULL, write_thread, &seq), 0);
    pause_ms(30);
    assert_int_equal(store_backup(store, copy), WERR_OK);
    assert_int_equal(store_backup(store, copy), WERR_CONFLICT);
    stop_writing = true;
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &seq);
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(&store);
    (void)snprintf(path, sizeof(path), "%s", copy);
    open_store();
    assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_OK);
    db = raw();
    assert_true(number(db, "SELECT count(*) FROM test_rows") > 0);
    assert_int_equal(
        number(db, "SELECT count(*) - 10 * (SELECT value FROM counters)"
                   " FROM test_rows"),
        0);
    sqlite_shut(&db);
}

static void check_finds(void **state)
{
    char reason[256];
    db_t *db;

    (void)state;
    assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_OK);
    assert_string_equal(reason, "");
    db = raw();
    assert_int_equal(sqlite_run(db, "PRAGMA foreign_keys = OFF; INSERT INTO"
                                    " contact_aliases VALUES ('a', 77)"),
                     WERR_OK);
    sqlite_shut(&db);
    assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_CORRUPT);
    assert_non_null(strstr(reason, "contact_aliases"));
    assert_int_equal(store_optimize(store), WERR_OK);
}

static void settings(void **state)
{
    struct stat st;
    db_t *db;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    db = raw();
    assert_int_equal(number(db, "PRAGMA synchronous"), 2);
    assert_int_equal(number(db, "PRAGMA foreign_keys"), 1);
    assert_int_equal(number(db, "PRAGMA cache_size"), -8000);
    assert_int_equal(number(db, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(number(db, "PRAGMA page_size"), 4096);
    assert_int_equal(number(db, "PRAGMA journal_size_limit"), 67108864);
    assert_int_equal(number(db, "SELECT \"v\""), -1);
    sqlite_shut(&db);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(commits_and_rolls_back),
        T(results),
        T(savepoints),
        T(parameters_by_number),
        T(errors_stick),
        T(foreign_keys_hold),
        T(queries_are_listed),
        T(reads_are_one_state),
        T(read_inside_write),
        T(first_come_first_served),
        T(waits_for_another_process),
        T(the_wal_is_reset),
        T(survives_kill),
        T(full_disk),
        T(full_file_system),
        T(damaged_file),
        T(migrates_with_a_copy),
        T(refuses_what_it_does_not_know),
        T(backup_is_consistent),
        T(check_finds),
        T(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
