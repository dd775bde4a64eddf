/*
 * A write and a read, with each of their allocations failing in turn, alone
 * and in runs: all of it or nothing, and the next one goes well.
 */
#include "short_memory.h"
#include "store_fixture.h"

#define TEXT_LEN 9000 /* on pages of its own: memory for each read */
#define SWEEP    2000

static char text[TEXT_LEN + 1];

typedef struct {
    char first[16], second[16];
} pair_t;

/* Nobody looks at the end of the read: its memory may have failed. */
static int put_read_put(db_t *db, void *arg)
{
    pair_t *pair = arg;
    db_stmt_t *s = db_stmt(db, &put);
    int rc;

    db_bind_text(s, 1, pair->first);
    db_bind_text(s, 2, "x");
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(db, &get);
    db_bind_text(s, 1, "text");
    if (db_first(s) == DB_ROW) {
        (void)db_text(s, 0);
    }
    db_done(s);
    s = db_stmt(db, &put);
    db_bind_text(s, 1, pair->second);
    db_bind_text(s, 2, "x");
    rc = db_exec(s);
    return rc == WERR_NOMEM ? WERR_OK : rc;
}

static int put_text(db_t *db, void *arg)
{
    db_stmt_t *s = db_stmt(db, &put);

    (void)arg;
    db_bind_text(s, 1, "text");
    db_bind_text(s, 2, text);
    return db_exec(s);
}

/* What the tests read, where memory can be made to fail; else they skip. */
static void need_text(void)
{
    if (!short_memory()) {
        skip();
    }
    memset(text, 't', TEXT_LEN);
    assert_int_equal(store_write(store, put_text, NULL), WERR_OK);
}

static bool is_there(db_t *db, const char *name)
{
    db_stmt_t *s = db_stmt(db, &get);
    int rc;

    db_bind_text(s, 1, name);
    rc = db_first(s);
    db_done(s);
    assert_true(rc == DB_ROW || rc == WERR_NOTFOUND);
    return rc == DB_ROW;
}

/* A store and a reader whose statements are not prepared yet, or are. */
static void writes_sweep(db_t *r, long run, bool fresh)
{
    static int n;
    long hits = 1;

    for (long skip = 0; hits > 0; skip++) {
        pair_t pair, next;
        int rc;

        assert_true(skip < SWEEP);
        if (fresh) {
            store_close(&store);
            open_store();
        }
        n++;
        (void)snprintf(pair.first, sizeof(pair.first), "a%d", n);
        (void)snprintf(pair.second, sizeof(pair.second), "b%d", n);
        (void)snprintf(next.first, sizeof(next.first), "c%d", n);
        (void)snprintf(next.second, sizeof(next.second), "d%d", n);
        short_memory_begin(skip, run);
        rc = store_write(store, put_read_put, &pair);
        hits = short_memory_end();
        assert_true(rc == WERR_OK || rc == WERR_NOMEM);
        assert_int_equal(is_there(r, pair.first), rc == WERR_OK);
        assert_int_equal(is_there(r, pair.second), rc == WERR_OK);
        assert_int_equal(store_write(store, put_read_put, &next), WERR_OK);
        assert_true(is_there(r, next.second));
    }
}

static void a_write_is_all_or_nothing(void **state)
{
    db_t *r;

    (void)state;
    need_text();
    assert_int_equal(store_reader(store, &r), WERR_OK);
    writes_sweep(r, 1, false);
    writes_sweep(r, 3, false);
    writes_sweep(r, 1, true);
    writes_sweep(r, 40, true);
    store_reader_close(&r);
}

static void a_read_tells_what_it_lost(void **state)
{
    long hits = 1, lost = 0;

    (void)state;
    need_text();
    for (long skip = 0; hits > 0; skip++) {
        db_t *r;
        db_stmt_t *s;
        int rc;
        size_t len = 0;

        assert_true(skip < SWEEP);
        assert_int_equal(store_reader(store, &r), WERR_OK);
        short_memory_begin(skip, 1);
        s = db_stmt(r, &get);
        db_bind_text(s, 1, "text");
        rc = db_first(s);
        if (rc == DB_ROW) {
            len = strlen(db_text(s, 0));
        }
        hits = short_memory_end();
        if (len == TEXT_LEN) {
            assert_false(db_lost(r));
        } else {
            assert_true(db_lost(r));
            assert_false(db_lost(r));
            assert_int_equal(db_step(s), WERR_NOMEM);
            lost++;
        }
        db_done(s);
        (void)db_lost(r);
        store_reader_close(&r);
    }
    assert_true(lost > 2);
}

/* Whichever is asked for first. */
static void assert_length(db_stmt_t *s, bool length_first)
{
    size_t len = length_first ? db_text_len(s, 0) : 0;
    const char *got = db_text(s, 0);

    len = length_first ? len : db_text_len(s, 0);
    assert_non_null(got);
    assert_true(len <= strlen(got));
    assert_true(len == TEXT_LEN || !db_row_whole(s));
    assert_non_null(db_text(s, 0)); /* asked for again */
}

static void a_text_is_as_long_as_it_says(void **state)
{
    long hits = 1;
    db_t *r;

    (void)state;
    need_text();
    assert_int_equal(store_reader(store, &r), WERR_OK);
    for (long skip = 0; hits > 0 || skip % 2 != 0; skip++) {
        db_stmt_t *s = db_stmt(r, &get);

        assert_true(skip < SWEEP);
        db_bind_text(s, 1, "text");
        if (db_first(s) == DB_ROW) {
            short_memory_begin(skip / 2, 1);
            assert_length(s, skip % 2 == 0);
            hits = short_memory_end();
        }
        db_done(s);
        (void)db_lost(r);
    }
    store_reader_close(&r);
}

/* Nor does a read transaction stay open that had no memory to end. */
static void reads_go_on(void **state)
{
    long hits = 1;
    db_t *r;

    (void)state;
    need_text();
    for (long skip = 0; hits > 0; skip++) {
        db_stmt_t *s;
        int rc;

        assert_true(skip < SWEEP);
        assert_int_equal(store_reader(store, &r), WERR_OK);
        short_memory_begin(skip, 40);
        rc = db_read_begin(r);
        if (rc == WERR_OK) {
            s = db_stmt(r, &get);
            db_bind_text(s, 1, "text");
            rc = db_exec(s);
            db_read_end(r);
        }
        hits = short_memory_end();
        assert_int_equal(db_read_begin(r), WERR_OK);
        assert_true(is_there(r, "text"));
        db_read_end(r);
        store_reader_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_is_all_or_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_tells_what_it_lost, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_text_is_as_long_as_it_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(reads_go_on, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
