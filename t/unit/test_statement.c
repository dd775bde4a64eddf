#include "db/statement.h"
#include "store_fixture.h"

DB_QUERY(put_swapped, "INSERT INTO settings (value, name) VALUES ($2, $1)");
DB_QUERY(types, "SELECT $1, $2, $3, $4, '$1' || \"$2\" FROM"
                " (SELECT 7 AS \"$2\") -- $3\n /* $4 */");
DB_QUERY(broken_sql, "SELECT nothing FROM nowhere");
DB_QUERY(orphan, "INSERT INTO contact_aliases (alias, contact_id)"
                 " VALUES ('x@lid', 999)");

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
        if (all[i] == &put || all[i] == &orphan) {
            found++;
        }
        assert_non_null(all[i]->sql);
    }
    assert_int_equal(found, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(parameters_by_number), T(first_number),      T(least_and_any),
        T(errors_stick),         T(foreign_keys_hold), T(queries_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
