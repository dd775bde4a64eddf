#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "store_fixture.h"

DB_QUERY(blob_limits, "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0),"
                      " count(*) FROM test_rows");

static void write_for_ever(int fd)
{
    store_options_t o = {.path = path};
    int seq = 0;
    db_t *r;
    db_stmt_t *s;

    if (store_open(&store, &o) < 0 ||
        store_write(store, make_table, NULL) < 0 ||
        store_reader(store, &r) < 0) {
        _exit(1);
    }
    s = db_stmt(r, &blob_limits);
    if (db_first(s) != DB_ROW) {
        _exit(1);
    }
    seq = (int)db_i64(s, 1);
    db_done(s);
    while (store_write(store, ten_and_count, &seq) == WERR_OK) {
        if (write(fd, &seq, sizeof(seq)) != (ssize_t)sizeof(seq)) {
            _exit(1);
        }
    }
    _exit(1);
}

/* The last number that a child has told before it was killed. */
static int last_told(int fd)
{
    int seq, last = 0;

    while (read(fd, &seq, sizeof(seq)) == (ssize_t)sizeof(seq)) {
        last = seq;
    }
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
        if (pid == 0) {
            write_for_ever(pipes[1]);
        }
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
    for (int i = 0; i < 64 && rc == WERR_OK; i++) {
        rc = put_blobs(db, &seq);
    }
    if (rc != WERR_FULL) {
        return WERR_SYSTEM;
    }
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
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 1;
    }
    if (store_open(&store, &o) != WERR_OK ||
        store_write(store, make_table, NULL) != WERR_OK ||
        store_write(store, put_one, "before") != WERR_OK) {
        return 2;
    }
    rc = store_write(store, full_then_more, NULL);
    if (rc != WERR_FULL) {
        return 3;
    }
    if (store_reader(store, &r) != WERR_OK) {
        return 4;
    }
    if (!has(r, "before") || has(r, "after")) {
        return 5;
    }
    /* and when there is room again, it goes on */
    if (store_write(store, put_one, "later") != WERR_OK || !has(r, "later")) {
        return 6;
    }
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
    if (pid == 0) {
        _exit(write_to_full_disk());
    }
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

/* ---- backup ---- */

static _Atomic bool stop_writing;

static void *write_thread(void *arg)
{
    while (!stop_writing) {
        if (store_write(store, ten_and_count, arg) != WERR_OK) {
            return NULL;
        }
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
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(survives_kill),        T(full_disk),
        T(full_file_system),     T(damaged_file),
        T(backup_is_consistent), T(check_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
