#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "db/statement.h"
#include "store_fixture.h"

DB_QUERY(put_swapped, "INSERT INTO settings (value, name) VALUES ($2, $1)");
DB_QUERY(names, "SELECT name FROM settings ORDER BY name");
DB_QUERY(types, "SELECT $1, $2, $3, $4, '$1' || \"$2\" FROM"
                " (SELECT 7 AS \"$2\") -- $3\n /* $4 */");
DB_QUERY(broken_sql, "SELECT nothing FROM nowhere");
DB_QUERY(orphan, "INSERT INTO contact_aliases (alias, contact_id)"
                 " VALUES ('x@lid', 999)");

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

DB_QUERY(put_seq, "INSERT INTO test_rows (seq, data) VALUES ($1, x'00')");
DB_QUERY(seq_from, "SELECT seq FROM test_rows WHERE seq >= $1 ORDER BY seq");

static int put_number(db_t *db, void *arg)
{
    db_stmt_t *s = db_stmt(db, &put_seq);

    db_bind_i64(s, 1, *(int64_t *)arg);
    return db_exec(s);
}

static int first_from(db_t *db, int64_t from, int64_t *out)
{
    db_stmt_t *s = db_stmt(db, &seq_from);

    db_bind_i64(s, 1, from);
    return db_first_i64(s, out);
}

static void first_number(void **state)
{
    int64_t seq = 7, n = -1;
    db_t *r = NULL;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(first_from(r, 1, &n), WERR_NOTFOUND);
    assert_int_equal(n, -1);
    assert_int_equal(store_write(store, put_number, &seq), WERR_OK);
    seq = 8;
    assert_int_equal(store_write(store, put_number, &seq), WERR_OK);
    assert_int_equal(first_from(r, 1, &n), WERR_OK);
    assert_int_equal(n, 7);
    /* its read has ended, with one more row behind it */
    seq = 3;
    assert_int_equal(store_write(store, put_number, &seq), WERR_OK);
    assert_int_equal(first_from(r, 1, &n), WERR_OK);
    assert_int_equal(n, 3);
    store_reader_close(&r);
}

DB_QUERY(least_seq, "SELECT min(seq) FROM test_rows WHERE seq >= $1");

static int least_from(db_t *db, int64_t from, int64_t *out)
{
    db_stmt_t *s = db_stmt(db, &least_seq);

    db_bind_i64(s, 1, from);
    return db_first_min(s, out);
}

static int any_from(db_t *db, int64_t from, bool *out)
{
    db_stmt_t *s = db_stmt(db, &seq_from);

    db_bind_i64(s, 1, from);
    return db_exists(s, out);
}

static void least_and_any(void **state)
{
    int64_t seq = 8, n = -1;
    bool any = true;
    db_t *r = NULL;

    (void)state;
    assert_int_equal(store_reader(store, &r), WERR_OK);
    assert_int_equal(least_from(r, 1, &n), WERR_OK);
    assert_true(n == INT64_MAX);
    assert_int_equal(any_from(r, 1, &any), WERR_OK);
    assert_false(any);
    assert_int_equal(store_write(store, put_number, &seq), WERR_OK);
    seq = 7;
    assert_int_equal(store_write(store, put_number, &seq), WERR_OK);
    assert_int_equal(least_from(r, 1, &n), WERR_OK);
    assert_int_equal(n, 7);
    assert_int_equal(any_from(r, 8, &any), WERR_OK);
    assert_true(any);
    /* both reads have ended */
    seq = 3;
    assert_int_equal(store_write(store, put_number, &seq), WERR_OK);
    assert_int_equal(least_from(r, 1, &n), WERR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(db_exists(db_stmt(r, &broken_sql), &any), WERR_SYSTEM);
    assert_false(any);
    assert_int_equal(db_first_min(db_stmt(r, &broken_sql), &n), WERR_SYSTEM);
    assert_true(n == INT64_MAX);
    store_reader_close(&r);
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
        if (all[i] == &put || all[i] == &names) {
            found++;
        }
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(commits_and_rolls_back),
        T(results),
        T(savepoints),
        T(parameters_by_number),
        T(first_number),
        T(least_and_any),
        T(errors_stick),
        T(foreign_keys_hold),
        T(queries_are_listed),
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
