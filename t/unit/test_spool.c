/* spool: records, order, room, quarantine, threads. */
#include "spool_fixture.h"

#include "spool/internal.h"

static void test_append_read_delete(void **state)
{
    spool_t *s = open_sized(MIB);
    spool_batch_t b;
    spool_stat_t st;
    uint64_t first;

    (void)state;
    assert_int_equal(spool_read(s, 0, 10, 1000, &b), SPOOL_EMPTY);
    assert_int_equal(append(s, 1, 3, 100, &first), SPOOL_OK);
    assert_true(first == 1);
    assert_int_equal(append(s, 4, 7, 100, &first), SPOOL_OK);
    assert_true(first == 4);
    assert_int_equal(spool_read(s, 0, 4, 100000, &b), SPOOL_OK);
    assert_int_equal(b.n, 4);
    assert_true(b.items[3].seq == 4);
    assert_int_equal(b.items[3].data.len, 100);
    spool_batch_free(&b);
    assert_int_equal(spool_read(s, 4, 100, 250, &b), SPOOL_OK);
    assert_int_equal(b.n, 2);
    spool_batch_free(&b);
    assert_int_equal(spool_read(s, 4, 100, 0, &b), SPOOL_OK);
    assert_int_equal(b.n, 1); /* one always, or a large one would block */
    spool_batch_free(&b);
    assert_int_equal(spool_read(s, 10, 100, 0, &b), SPOOL_EMPTY);
    assert_int_equal(spool_read(s, UINT64_MAX, 100, 0, &b), SPOOL_EMPTY);

    assert_int_equal(spool_delete(s, 0), SPOOL_OK);
    assert_int_equal(spool_delete(s, 6), SPOOL_OK);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.records == 4 && st.first_seq == 7 && st.next_seq == 11);
    assert_true(check_all(s, 6, 0) == 10);
    assert_int_equal(spool_delete(s, UINT64_MAX), SPOOL_OK);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.records == 0 && st.first_seq == 0 && st.bytes == 0);
    assert_true(st.next_seq == 11);
    spool_close(&s);
    assert_null(s);
}

static void test_bad_arguments(void **state)
{
    spool_options_t opt = {.create = true};
    spool_str_t empty = {"", 0};
    spool_t *s;

    (void)state;
    assert_int_equal(spool_open(&s, "relative/path", &opt), SPOOL_INVAL);
    assert_non_null(strstr(opt.error, "absolute"));
    assert_int_equal(spool_open(&s, NULL, &opt), SPOOL_INVAL);
    assert_int_equal(spool_open(&s, "/proc/self/nowhere", &opt), SPOOL_INVAL);
    opt.size = MIB / 2;
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_INVAL);
    opt = (spool_options_t){.create = false};
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_INVAL);
    assert_non_null(strstr(opt.error, "no spool there"));
    assert_null(s);
    spool_close(&s);
    s = open_sized(MIB);
    assert_int_equal(spool_append(s, NULL, 1, NULL), SPOOL_INVAL);
    assert_int_equal(spool_append(s, &empty, 0, NULL), SPOOL_INVAL);
    assert_int_equal(spool_append(s, &empty, 1, NULL), SPOOL_INVAL);
    spool_close(&s);
}

static void test_sequence_and_id(void **state)
{
    spool_t *s = open_sized(MIB);
    char id[SPOOL_ID_LEN + 1];
    uint64_t first;

    (void)state;
    assert_int_equal(strspn(spool_id(s), "0123456789abcdef"), SPOOL_ID_LEN);
    assert_int_equal(strlen(spool_id(s)), SPOOL_ID_LEN);
    memcpy(id, spool_id(s), sizeof(id));
    for (uint64_t want = 1; want < 50; want += 5) {
        assert_int_equal(append(s, want, 5, 50, &first), SPOOL_OK);
        assert_true(first == want);
        assert_int_equal(spool_delete(s, want + 4), SPOOL_OK);
        spool_close(&s);
        s = open_sized(MIB);
        assert_string_equal(spool_id(s), id);
    }
    spool_close(&s);
    test_dir_drop(&dir);
    assert_int_equal(test_dir_make(&dir), 0);
    s = open_sized(MIB);
    assert_string_not_equal(spool_id(s), id);
    spool_close(&s);
}

static uint64_t tree_bytes(spool_t *s)
{
    uint64_t bytes;
    MDB_txn *txn;

    assert_int_equal(spool_txn_begin(s, MDB_RDONLY, &txn), SPOOL_OK);
    assert_int_equal(spool_tree_bytes(s, txn, s->events, &bytes), SPOOL_OK);
    spool_txn_abort(s, &txn);
    return bytes;
}

/* What layout() says of a record is what LMDB makes of many of them. */
static void test_layout(void **state)
{
    static const size_t lens[] = {8,    20,   600,  1300, 2021, 2022,
                                  2023, 4080, 4081, 4082, 9000, 100000};
    spool_t *s = open_sized(64 * MIB);

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        uint64_t counted = 0;
        uint64_t tree;

        for (unsigned n = 0; n < 20 * BATCH; n += BATCH) {
            assert_int_equal(append(s, 0, BATCH, lens[i], NULL), SPOOL_OK);
            counted += BATCH * spool_layout(4096, lens[i]);
        }
        tree = tree_bytes(s);
        /* Within the last leaf, the root and 2.5 %. */
        assert_in_range(counted, tree - tree / 40 - 8192, tree + 4096);
        assert_int_equal(spool_delete(s, UINT64_MAX), SPOOL_OK);
    }
    spool_close(&s);
}

/* Appends until the spool refuses; the number of records. */
static uint64_t fill(spool_t *s, uint64_t next, size_t len, unsigned mixed)
{
    uint64_t n = 0;
    int rc;

    do {
        size_t l = len + (mixed > 0 ? n % mixed * 700 : 0);

        rc = append(s, next + n, 1, l, NULL);
        n += rc == SPOOL_OK;
    } while (rc == SPOOL_OK);
    assert_int_equal(rc, SPOOL_FULL);
    return n;
}

static void test_full(void **state)
{
    static const struct {
        size_t len;
        unsigned mixed;
    } rounds[] = {{600, 0}, {600, 0},  {2000, 0}, {3000, 0},
                  {40, 4},  {1400, 2}, {9000, 0}, {600, 0}};
    spool_t *s = open_sized(MIB);
    uint64_t before = 0;
    uint64_t next = 1;
    spool_stat_t st;

    (void)state;
    for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
        uint64_t n = fill(s, next, rounds[i].len, rounds[i].mixed);

        assert_int_equal(spool_stat(s, &st), SPOOL_OK);
        assert_true(st.records == n);
        assert_true(st.limit == MIB / 5 * 4);
        assert_in_range(st.bytes, MIB / 100 * 76, st.limit);
        assert_true(check_all(s, next - 1, 0) == next + n - 1);
        /* A little room lets as much in. */
        assert_int_equal(spool_delete(s, next + 9), SPOOL_OK);
        assert_int_equal(append(s, next + n, 1, 500, NULL), SPOOL_OK);
        next += n + 1;
        assert_int_equal(spool_delete(s, next), SPOOL_OK);
        assert_int_equal(spool_stat(s, &st), SPOOL_OK);
        assert_true(st.records == 0 && st.bytes == 0);
        if (i == 1) {
            assert_true(n == before); /* full in size every time */
        }
        before = n;
    }
    spool_close(&s);
}

typedef struct {
    unsigned n;
    uint64_t seqs[8];
    char reasons[8][256];
    size_t lens[8];
    spool_t *spool;
    unsigned stop_after;
} walked_t;

static int on_quarantined(void *ctx, uint64_t seq, const char *reason,
                          spool_str_t data)
{
    walked_t *w = ctx;
    spool_stat_t st;

    /* The spool may be used from here. */
    assert_int_equal(spool_stat(w->spool, &st), SPOOL_OK);
    w->seqs[w->n] = seq;
    snprintf(w->reasons[w->n], sizeof(w->reasons[0]), "%s", reason);
    w->lens[w->n] = data.len;
    assert_true(test_record_get(data) == seq);
    w->n++;
    return w->n == w->stop_after;
}

static void test_quarantine(void **state)
{
    spool_t *s = open_sized(MIB);
    walked_t w = {.spool = s};
    char reason[301];
    spool_stat_t st;

    (void)state;
    memset(reason, 'r', 300);
    memcpy(reason + 199, "\xc3\xa9", 2); /* a letter over the edge */
    reason[300] = '\0';
    assert_int_equal(append(s, 1, 6, 3000, NULL), SPOOL_OK);
    assert_int_equal(spool_quarantine(s, 9, "x"), SPOOL_EMPTY);
    assert_int_equal(spool_quarantine(s, 2, "bad"), SPOOL_OK);
    assert_int_equal(spool_quarantine(s, 2, "bad"), SPOOL_EMPTY);
    assert_int_equal(spool_quarantine(s, 5, reason), SPOOL_OK);
    assert_int_equal(spool_quarantine(s, 1, ""), SPOOL_OK);
    assert_int_equal(spool_quarantine(s, 3, NULL), SPOOL_INVAL);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.records == 3 && st.quarantine == 3 && st.first_seq == 3);
    assert_true(st.limit < MIB / 5 * 4);
    spool_close(&s);

    s = open_sized(MIB);
    w.spool = s;
    assert_int_equal(spool_quarantine_walk(s, on_quarantined, &w), SPOOL_OK);
    assert_int_equal(w.n, 3);
    assert_true(w.seqs[0] == 1 && w.seqs[1] == 2 && w.seqs[2] == 5);
    assert_string_equal(w.reasons[0], "");
    assert_string_equal(w.reasons[1], "bad");
    assert_int_equal(strlen(w.reasons[2]), 199);
    assert_int_equal(w.lens[2], 3000);
    w.n = 0;
    w.stop_after = 2;
    assert_int_equal(spool_quarantine_walk(s, on_quarantined, &w), SPOOL_OK);
    assert_int_equal(w.n, 2);
    assert_int_equal(spool_quarantine_drop(s, 2), SPOOL_OK);
    assert_int_equal(spool_quarantine_drop(s, 2), SPOOL_EMPTY);
    assert_int_equal(spool_delete(s, 6), SPOOL_OK);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.bytes == 0 && st.records == 0 && st.quarantine == 2);
    spool_close(&s);
}

/* What was in quarantine comes last, as a new record. */
static void test_requeue(void **state)
{
    spool_t *s = open_sized(MIB);
    spool_batch_t b;
    spool_stat_t st;

    (void)state;
    assert_int_equal(append(s, 1, 3, 3000, NULL), SPOOL_OK);
    assert_int_equal(spool_quarantine(s, 2, "bad"), SPOOL_OK);
    assert_int_equal(spool_requeue(s, 1), SPOOL_EMPTY);
    assert_int_equal(spool_requeue(s, 2), SPOOL_OK);
    assert_int_equal(spool_requeue(s, 2), SPOOL_EMPTY);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.records == 3 && st.quarantine == 0 && st.next_seq == 5);
    assert_int_equal(spool_read(s, 3, 9, MIB, &b), SPOOL_OK);
    assert_int_equal(b.n, 1);
    assert_int_equal(b.items[0].seq, 4);
    assert_int_equal(b.items[0].data.len, 3000);
    assert_int_equal(test_record_get(b.items[0].data), 2);
    spool_batch_free(&b);
    assert_int_equal(spool_delete(s, 4), SPOOL_OK);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.bytes == 0 && st.records == 0);
    /* in a full one it takes the room that it had */
    assert_int_equal(append(s, 5, 1, 3000, NULL), SPOOL_OK);
    assert_int_equal(spool_quarantine(s, 5, "bad"), SPOOL_OK);
    while (append(s, 1, 1, 3000, NULL) == SPOOL_OK) {
    }
    while (append(s, 1, 1, 10, NULL) == SPOOL_OK) {
    }
    assert_int_equal(spool_requeue(s, 5), SPOOL_OK);
    spool_close(&s);
}

/* A full spool can still move every record into the quarantine. */
static void test_quarantine_full(void **state)
{
    spool_t *s = open_sized(MIB);
    uint64_t n = fill(s, 1, 600, 0);
    spool_stat_t st;

    (void)state;
    for (uint64_t seq = 1; seq <= n; seq++) {
        assert_int_equal(spool_quarantine(s, seq, "a reason"), SPOOL_OK);
    }
    assert_int_equal(append(s, n + 1, BATCH, 3000, NULL), SPOOL_FULL);
    for (uint64_t seq = 1; seq <= n; seq++) {
        assert_int_equal(spool_quarantine_drop(s, seq), SPOOL_OK);
    }
    assert_int_equal(append(s, n + 1, BATCH, 3000, NULL), SPOOL_OK);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.quarantine == 0 && st.records == BATCH);
    spool_close(&s);
}

typedef struct {
    spool_t *spool;
    atomic_bool stop;
    uint64_t appended;
    int rc;
} appender_t;

static void *append_thread(void *arg)
{
    appender_t *a = arg;
    char buf[600];
    spool_str_t rec = {buf, sizeof(buf)};

    while (!atomic_load(&a->stop) && a->rc == SPOOL_OK) {
        test_record_put(buf, sizeof(buf), a->appended + 1);
        a->rc = spool_append(a->spool, &rec, 1, NULL);
        a->appended += a->rc == SPOOL_OK;
    }
    return NULL;
}

/* One thread appends; this one reads, revokes, deletes and asks. */
static void test_threads(void **state)
{
    appender_t a = {.spool = open_sized(8 * MIB)};
    struct timespec end;
    struct timespec now;
    uint64_t done = 0;
    unsigned asked = 0;
    pthread_t thread;

    (void)state;
    assert_int_equal(spool_revoke(a.spool, NULL, 0), SPOOL_OK);
    assert_int_equal(pthread_create(&thread, NULL, append_thread, &a), 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 400000000;
    do {
        spool_revoked_t e = {false, "id", 0, 1, 0};

        for (int i = 0; i < 100; i++) {
            assert_true(spool_revoked(a.spool, str("id"), str("s"), 1) ==
                        (asked >= 100));
            asked++;
        }
        assert_int_equal(spool_revoke(a.spool, &e, 1), SPOOL_OK);
        done = check_all(a.spool, done, 0);
        assert_int_equal(spool_delete(a.spool, done), SPOOL_OK);
        assert_true(spool_reader_check(a.spool) >= 0);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - end.tv_sec) * 1000000000 + now.tv_nsec <
             end.tv_nsec);
    atomic_store(&a.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(a.rc, SPOOL_OK);
    assert_true(check_all(a.spool, done, 0) == a.appended);
    assert_true(a.appended > 0);
    spool_close(&a.spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append_read_delete),
        TEST(test_bad_arguments),
        TEST(test_sequence_and_id),
        TEST(test_layout),
        TEST(test_full),
        TEST(test_quarantine),
        TEST(test_requeue),
        TEST(test_quarantine_full),
        TEST(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
