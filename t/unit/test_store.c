#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "store_fixture.h"

DB_QUERY(names, "SELECT name FROM settings WHERE name <> 'backup_since'"
                " ORDER BY name");

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
    while (!go_on) {
        pause_ms(1);
    }
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
    while (!holding) {
        pause_ms(1);
    }
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
            write(pipes[1], "x", 1) != 1) {
            _exit(1);
        }
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

static void the_wal_is_reset(void **state)
{
    store_stat_t st = {0};
    int seq = 1;

    (void)state;
    for (int i = 0; i < 40; i++) { /* 40 MB */
        assert_int_equal(store_write(store, put_blobs, &seq), WERR_OK);
    }
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

/* The plans are those that test_plan has seen, whatever somebody has done. */
static void statistics_go(void **state)
{
    db_t *db = raw();

    (void)state;
    assert_int_equal(sqlite_run(db, "ANALYZE; INSERT INTO sqlite_stat1 VALUES "
                                    "('outbox', 'outbox_state', '9 9 1')"),
                     WERR_OK);
    sqlite_shut(&db);
    store_close(&store);
    open_store();
    db = raw();
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema WHERE "
                                "name LIKE 'sqlite\\_stat%' ESCAPE '\\'"),
                     0);
    sqlite_shut(&db);
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

/* ---- what takes long, interrupted ---- */

static int make_big(db_t *db, void *arg)
{
    (void)arg;
    return sqlite_run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                          " SELECT i + 1 FROM n WHERE i < 40)"
                          " INSERT INTO test_rows (seq, data)"
                          " SELECT 1000 + i, randomblob(1000000) FROM n");
}

typedef struct {
    char copy[200];
    int rc;
    _Atomic bool done;
} copying_t;

static void *copy_on_thread(void *arg)
{
    copying_t *c = arg;

    c->rc = store_backup(store, c->copy);
    atomic_store(&c->done, true);
    return NULL;
}

/* A copy has begun: of 40 MB none is at its end then. */
static void wait_for_part(const char *part)
{
    struct timespec nap = {0, 200000};
    struct stat st;

    for (int i = 0; i < 100000; i++) {
        if (stat(part, &st) == 0 && st.st_size > 0) {
            return;
        }
        (void)nanosleep(&nap, NULL);
    }
    fail_msg("%s does not grow", part);
}

static void a_backup_can_be_interrupted(void **state)
{
    struct timespec nap = {0, 2000000};
    char part[240], reason[200];
    copying_t c = {.rc = WERR_OK};
    pthread_t thread;

    (void)state;
    assert_int_equal(store_write(store, make_big, NULL), WERR_OK);
    (void)snprintf(c.copy, sizeof(c.copy), "%s/copy", dir);
    (void)snprintf(part, sizeof(part), "%s.part", c.copy);
    assert_int_equal(pthread_create(&thread, NULL, copy_on_thread, &c), 0);
    wait_for_part(part);
    while (!atomic_load(&c.done)) {
        store_interrupt(store);
        (void)nanosleep(&nap, NULL);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(c.rc, WERR_STOPPING);
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(access(c.copy, F_OK), -1);
    /* and from then on nothing long begins; writes go on to the end */
    assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_STOPPING);
    assert_int_equal(store_check_file(store, path, reason, sizeof(reason)),
                     WERR_STOPPING);
    assert_int_equal(store_check_file(NULL, path, reason, sizeof(reason)),
                     WERR_OK);
    assert_int_equal(store_write(store, put_one, "later"), WERR_OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(commits_and_rolls_back),
        T(results),
        T(a_backup_can_be_interrupted),
        T(savepoints),
        T(reads_are_one_state),
        T(read_inside_write),
        T(first_come_first_served),
        T(waits_for_another_process),
        T(the_wal_is_reset),
        T(statistics_go),
        T(settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
