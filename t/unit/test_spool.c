#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "spool/internal.h"
#include "t/unit/spool_dir.h"

#define MIB   ((uint64_t)1 << 20)
#define BATCH 16

static test_dir_t dir;

static int setup(void **state)
{
    (void)state;
    return test_dir_make(&dir);
}

static int teardown(void **state)
{
    (void)state;
    test_dir_drop(&dir);
    return 0;
}

static spool_t *open_sized(uint64_t size)
{
    spool_options_t opt = {.size = size, .create = true};
    spool_t *s;
    int rc = spool_open(&s, dir.spool, &opt);

    if (rc != SPOOL_OK) {
        print_error("spool_open: %d %s\n", rc, opt.error);
    }
    assert_int_equal(rc, SPOOL_OK);
    assert_string_equal(opt.error, "");
    return s;
}

/* Appends n records of len bytes that hold from, from + 1 ... */
static int append(spool_t *s, uint64_t from, size_t n, size_t len,
                  uint64_t *first)
{
    spool_str_t recs[BATCH];
    char *buf = malloc(n * len);
    int rc;

    assert_non_null(buf);
    assert_true(n <= BATCH);
    for (size_t i = 0; i < n; i++) {
        test_record_put(buf + i * len, len, from + i);
        recs[i] = (spool_str_t){buf + i * len, len};
    }
    rc = spool_append(s, recs, n, first);
    free(buf);
    return rc;
}

/* The last of the records, and that each holds what its sequence says. */
static uint64_t check_all(spool_t *s, uint64_t after, int64_t offset)
{
    spool_batch_t b;
    int rc;

    while ((rc = spool_read(s, after, 100, 1 << 20, &b)) == SPOOL_OK) {
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.items[i].seq == after + 1);
            after = b.items[i].seq;
            assert_true(test_record_get(b.items[i].data) ==
                        after + (uint64_t)offset);
        }
        spool_batch_free(&b);
    }
    assert_int_equal(rc, SPOOL_EMPTY);
    return after;
}

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

static void test_moved(void **state)
{
    char other[sizeof(dir.spool)], data[sizeof(dir.spool) + 16];
    spool_options_t opt = {.create = true, .size = MIB};
    spool_t *s = open_sized(MIB), *fresh;

    (void)state;
    snprintf(other, sizeof(other), "%s/old", dir.base);
    snprintf(data, sizeof(data), "%s/data.mdb", dir.spool);
    assert_false(spool_moved(s));
    assert_int_equal(rename(dir.spool, other), 0);
    assert_true(spool_moved(s));
    assert_int_equal(spool_open(&fresh, dir.spool, &opt), SPOOL_OK);
    assert_true(spool_moved(s)); /* another one lies there now */
    assert_false(spool_moved(fresh));
    assert_int_equal(unlink(data), 0);
    assert_true(spool_moved(fresh));
    spool_close(&fresh);
    spool_close(&s);
    /* both directories go */
    test_dir_drop(&dir);
    snprintf(dir.spool, sizeof(dir.spool), "%s", other);
}

/* Its power was cut while the first pages were written. */
static void test_half_made(void **state)
{
    char part[sizeof(dir.spool) + 16];
    spool_stat_t st;
    spool_t *s;
    FILE *f;

    (void)state;
    assert_int_equal(mkdir(dir.spool, 0700), 0);
    snprintf(part, sizeof(part), "%s/data.mdb.new", dir.spool);
    f = fopen(part, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "%512s", "half of it") == 512);
    assert_int_equal(fclose(f), 0);
    s = open_sized(2 * MIB);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.size == 2 * MIB && st.next_seq == 1);
    spool_close(&s);
}

/* Before libc's: what a disk may answer that is about to die. */
static bool stat_fails;

int fstatat(int dir_fd, const char *restrict path, struct stat *restrict st,
            int flags)
{
    if (stat_fails && strcmp(path, "data.mdb") == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_newfstatat, dir_fd, path, st, flags);
}

/* A file that cannot be looked at is not absent: none is put in its place. */
static void test_cannot_look(void **state)
{
    spool_options_t opt = {.size = MIB, .create = true};
    uint64_t first;
    spool_stat_t st;
    spool_t *s;

    (void)state;
    s = open_sized(MIB);
    assert_int_equal(append(s, 1, 1, 100, &first), SPOOL_OK);
    spool_close(&s);
    stat_fails = true;
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_IO);
    assert_non_null(strstr(opt.error, "data.mdb"));
    stat_fails = false;
    s = open_sized(MIB);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.records, 1);
    spool_close(&s);
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

static void test_file_systems(void **state)
{
    (void)state;
    assert_true(spool_fs_refused(0x6969));
    assert_true(spool_fs_refused((long)0xff534d42));
    assert_true(spool_fs_refused((int)0xff534d42)); /* sign-extended */
    assert_true(spool_fs_refused(0x65735546));
    assert_false(spool_fs_refused(0xef53));
    assert_false(spool_fs_refused(0x58465342));
    assert_false(spool_lmdb_doubtful(0, 9, 24));
    assert_true(spool_lmdb_doubtful(0, 9, 26));
    assert_true(spool_lmdb_doubtful(0, 9, 31));
    assert_false(spool_lmdb_doubtful(0, 9, 32));
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

static spool_str_t str(const char *s)
{
    return (spool_str_t){s, strlen(s)};
}

static void test_revoked(void **state)
{
    const spool_revoked_t entries[] = {
        {false, "token-1", 0, 2000, 0},
        {true, "7", 1000, 3000, 0},
        {true, "token-2", 500, 900, 0},
    };
    const spool_revoked_t weaker = {true, "7", 400, 500, 1200};
    const spool_revoked_t set_back = {true, "7", 400, 500, 900};
    const spool_revoked_t nameless = {false, "", 0, 1, 0};
    spool_t *s = open_sized(MIB);
    char longer[2][600];

    (void)state;
    assert_int_equal(spool_revoked(s, str("token-1"), str("7"), 0), 0);
    assert_int_equal(spool_revoke(s, entries, 3), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str("token-1"), str("1"), 9999), 1);
    assert_int_equal(spool_revoked(s, str("token-2"), str("1"), 0), 0);
    assert_int_equal(spool_revoked(s, str("token-"), str("1"), 0), 0);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 999), 1);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 1000), 0);
    assert_int_equal(spool_revoked(s, str(""), str(""), 0), 0);
    assert_int_equal(spool_revoke(s, &weaker, 1), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 999), 1);
    assert_int_equal(spool_revoke_expire(s, 2001), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str("token-1"), str("1"), 0), 0);
    assert_int_equal(spool_revoked(s, str(""), str("token-2"), 0), 0);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 999), 1);
    assert_int_equal(spool_revoke_expire(s, 3000), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 999), 1);
    assert_int_equal(spool_revoke(s, &nameless, 1), SPOOL_INVAL);
    assert_int_equal(spool_revoke_reset(s, entries, 1), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 999), 0);
    assert_int_equal(spool_revoked(s, str("token-1"), str("7"), 999), 1);
    /* of a time that is yet to come: the clock has been set back */
    assert_int_equal(spool_revoke(s, entries, 3), SPOOL_OK);
    assert_int_equal(spool_revoke(s, &set_back, 1), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 399), 1);
    assert_int_equal(spool_revoked(s, str(""), str("7"), 400), 0);

    memset(longer, 'i', sizeof(longer));
    longer[0][599] = longer[1][599] = '\0';
    longer[1][598] = 'j'; /* they differ only behind a key's end */
    assert_int_equal(
        spool_revoke(s, &(spool_revoked_t){false, longer[0], 0, 1, 0}, 1),
        SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(longer[0]), str(""), 0), 1);
    assert_int_equal(spool_revoked(s, str(longer[1]), str(""), 0), 0);
    assert_int_equal(spool_revoke_reset(s, NULL, 0), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(longer[0]), str(""), 0), 0);
    spool_close(&s);
}

/* Of len 510 and 511: the longest plain key, the shortest cut one. */
static void test_revoked_edge(void **state)
{
    spool_t *s = open_sized(MIB);
    char id[520];

    (void)state;
    for (size_t len = 505; len < sizeof(id); len++) {
        spool_revoked_t e = {true, id, 10, 10, 0};

        memset(id, 'a', len);
        id[len] = '\0';
        assert_int_equal(spool_revoked(s, str(""), str(id), 1), 0);
        assert_int_equal(spool_revoke(s, &e, 1), SPOOL_OK);
        assert_int_equal(spool_revoked(s, str(""), str(id), 1), 1);
    }
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

static void test_same_handle(void **state)
{
    spool_options_t opt = {.size = 2 * MIB};
    char other[200];
    spool_t *a = open_sized(MIB);
    spool_t *b;

    (void)state;
    snprintf(other, sizeof(other), "%s/../spool/.", dir.spool);
    assert_int_equal(spool_open(&b, other, &opt), SPOOL_OK);
    assert_ptr_equal(a, b);
    spool_close(&a);
    assert_int_equal(append(b, 1, 1, 10, NULL), SPOOL_OK);
    spool_close(&b);
}

/* A new directory under the name of one that is open is another spool. */
static void test_moved_away(void **state)
{
    spool_t *a = open_sized(MIB);
    char aside[200];
    test_dir_t old = dir;
    spool_t *b;

    (void)state;
    snprintf(aside, sizeof(aside), "%s.aside", dir.spool);
    assert_int_equal(rename(dir.spool, aside), 0);
    b = open_sized(MIB);
    assert_ptr_not_equal(a, b);
    assert_string_not_equal(spool_id(a), spool_id(b));
    spool_close(&a);
    spool_close(&b);
    snprintf(old.spool, sizeof(old.spool), "%s/spool.aside", dir.base);
    test_dir_drop(&old);
}

static unsigned mode_of(const char *name)
{
    struct stat st;
    char path[220];

    snprintf(path, sizeof(path), "%s/%s", dir.spool, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_modes(void **state)
{
    mode_t before = umask(077);
    spool_t *s;

    (void)state;
    s = open_sized(MIB);
    umask(before);
    assert_int_equal(mode_of("."), 02770);
    assert_int_equal(mode_of("data.mdb"), 0660);
    assert_int_equal(mode_of("lock.mdb"), 0660);
    assert_int_equal(mode_of("open.lock"), 0660);
    spool_close(&s);
}

/* The flags that would let a commit return before it is on disk. */
static void test_flags(void **state)
{
    spool_t *s = open_sized(MIB);
    unsigned flags;

    (void)state;
    assert_int_equal(mdb_env_get_flags(s->env, &flags), MDB_SUCCESS);
    assert_int_equal(flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_MAPASYNC |
                              MDB_WRITEMAP | MDB_NOLOCK),
                     0);
    assert_true((flags & MDB_NOTLS) != 0);
    spool_close(&s);
}

static void write_file(const char *name, const char *data, size_t len, off_t at)
{
    char path[220];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir.spool, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, at), len);
    close(fd);
}

static void test_damaged(void **state)
{
    spool_options_t opt = {.create = true};
    char junk[8192];
    char path[220];
    struct stat st;
    spool_t *s = open_sized(4 * MIB);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(append(s, 1, BATCH, 6000, NULL), SPOOL_OK);
    }
    spool_close(&s);
    snprintf(path, sizeof(path), "%s/data.mdb", dir.spool);
    assert_int_equal(truncate(path, 16 * 4096), 0);
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_CORRUPT);
    assert_non_null(strstr(opt.error, "shorter"));
    memset(junk, 'j', sizeof(junk));
    write_file("data.mdb", junk, sizeof(junk), 0);
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_CORRUPT);
    assert_string_not_equal(opt.error, "");
    /* It is never put away by us. */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 16 * 4096);
}

/* Runs fn in a child; its exit status. */
static int in_child(int (*fn)(int), int arg)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(fn(arg));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static spool_t *child_open(void)
{
    spool_options_t opt = {.size = 8 * MIB, .create = true};
    spool_t *s;

    return spool_open(&s, dir.spool, &opt) == SPOOL_OK ? s : NULL;
}

static int child_append(int n)
{
    spool_t *s = child_open();
    char buf[100];
    spool_str_t rec = {buf, sizeof(buf)};
    int rc = SPOOL_OK;

    if (s == NULL) {
        return 1;
    }
    for (int i = 0; i < n && rc == SPOOL_OK; i++) {
        memset(buf, 'c', sizeof(buf));
        rc = spool_append(s, &rec, 1, NULL);
    }
    spool_close(&s);
    return rc == SPOOL_OK ? 0 : 2;
}

static spool_t *inherited;

static int child_inherits(int arg)
{
    spool_t *old = inherited;
    spool_stat_t st;
    spool_t *s;

    (void)arg;
    if (spool_stat(old, &st) != SPOOL_INVAL ||
        spool_revoked(old, str("a"), str("b"), 0) != SPOOL_INVAL) {
        return 3;
    }
    spool_close(&old);
    s = child_open();
    if (s == NULL || s == inherited) {
        return 4;
    }
    spool_close(&s);
    return child_append(2);
}

static void test_fork(void **state)
{
    spool_t *s;

    (void)state;
    assert_int_equal(in_child(child_append, 3), 0); /* nothing open here */
    s = open_sized(8 * MIB);
    assert_true(append(s, 1, 1, 50, NULL) == SPOOL_OK);
    inherited = s; /* forbidden, but it does no harm */
    assert_int_equal(in_child(child_inherits, 0), 0);
    assert_int_equal(append(s, 1, 1, 50, NULL), SPOOL_OK);
    assert_int_equal(spool_delete(s, 6), SPOOL_OK);
    spool_close(&s);
    s = open_sized(8 * MIB);
    assert_true(check_all(s, 6, -6) == 7);
    spool_close(&s);
}

/* Another user of the directory's group: nginx's worker and wacrmd. */
static int child_other_user(int gid)
{
    gid_t group = (gid_t)gid;

    umask(077);
    if (setgroups(1, &group) != 0 || setgid(65534) != 0 || setuid(65534) != 0) {
        return 9;
    }
    return child_append(3);
}

static void test_two_users(void **state)
{
    const int group = 54321;
    char path[220];
    struct stat st;
    spool_t *s;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(dir.base, 0711), 0);
    assert_int_equal(mkdir(dir.spool, 0770), 0);
    assert_int_equal(chown(dir.spool, 0, (gid_t)group), 0);
    assert_int_equal(chmod(dir.spool, 02770), 0);
    /* Made by the other one, under its umask; then both go on. */
    assert_int_equal(in_child(child_other_user, group), 0);
    snprintf(path, sizeof(path), "%s/lock.mdb", dir.spool);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_gid, group);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(mode_of("lock.mdb"), 0660);
    s = open_sized(8 * MIB);
    assert_int_equal(append(s, 4, 1, 100, NULL), SPOOL_OK);
    assert_int_equal(in_child(child_other_user, group), 0);
    assert_int_equal(spool_delete(s, 6), SPOOL_OK);
    assert_int_equal(append(s, 8, 1, 100, NULL), SPOOL_OK);
    assert_true(check_all(s, 7, 0) == 8);
    spool_close(&s);
}

/* Two processes append while this one drains: no gap, nothing twice. */
static void test_two_processes(void **state)
{
    spool_t *s;
    spool_batch_t b;
    uint64_t last = 0;
    int status;
    pid_t pids[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            _exit(child_append(100));
        }
    }
    s = open_sized(8 * MIB);
    while (last < 200) {
        if (spool_read(s, last, 7, 10000, &b) == SPOOL_OK) {
            assert_true(b.items[0].seq == last + 1);
            last = b.items[b.n - 1].seq;
            assert_true(b.items[0].seq + b.n - 1 == last);
            spool_batch_free(&b);
            assert_int_equal(spool_delete(s, last), SPOOL_OK);
        } else {
            usleep(500);
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    spool_close(&s);
}

/* Appends batches and tells the pipe the first sequence of each, when it has
 * been acknowledged. Ends by a signal. */
static void append_forever(int out, uint64_t round)
{
    spool_t *s = child_open();
    char buf[BATCH][700];
    spool_str_t recs[BATCH];
    uint64_t first;

    for (uint64_t n = 0; s != NULL; n++) {
        size_t count = 1 + n % BATCH;

        for (size_t i = 0; i < count; i++) {
            test_record_put(buf[i], sizeof(buf[i]), round);
            recs[i] = (spool_str_t){buf[i], 60 + (n * 37 + i) % 600};
        }
        if (spool_append(s, recs, count, &first) != SPOOL_OK) {
            break;
        }
        first = first << 8 | count;
        if (write(out, &first, sizeof(first)) != sizeof(first)) {
            break;
        }
    }
    _exit(1);
}

/* The number of records a round has in the spool, without a gap. */
static uint64_t count_round(spool_t *s, uint64_t after, uint64_t round)
{
    spool_batch_t b;
    uint64_t n = 0;

    while (spool_read(s, after, 1000, 1 << 20, &b) == SPOOL_OK) {
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.items[i].seq == ++after);
            assert_true(test_record_get(b.items[i].data) == round);
            n++;
        }
        spool_batch_free(&b);
    }
    return n;
}

static void test_kill(void **state)
{
    uint64_t done = 0;
    uint64_t acknowledged = 0;

    (void)state;
    for (uint64_t round = 1; round <= 50; round++) {
        struct timespec nap = {0, 3000000 + (long)(round * 7919 % 23) * 700000};
        uint64_t last = done;
        uint64_t note;
        uint64_t n;
        spool_t *s;
        int fds[2];
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            append_forever(fds[1], round);
        }
        close(fds[1]);
        /* From the first acknowledgement on, it dies at any moment. */
        assert_int_equal(read(fds[0], &note, sizeof(note)), sizeof(note));
        assert_true(note >> 8 == last + 1);
        last += note & 255;
        nanosleep(&nap, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(fds[0], &note, sizeof(note)) == sizeof(note)) {
            assert_true(note >> 8 == last + 1);
            last += note & 255;
        }
        close(fds[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        s = open_sized(8 * MIB);
        n = count_round(s, done, round);
        /* All that were acknowledged, and at most one batch more. */
        assert_in_range(done + n, last, last + BATCH);
        acknowledged += last - done;
        done += n;
        assert_int_equal(spool_delete(s, done), SPOOL_OK);
        spool_close(&s);
    }
    assert_true(acknowledged > 100);
}

/* Killed while it holds the writers' mutex: the next writer takes it over. */
static void test_kill_in_write(void **state)
{
    spool_t *s;
    char go;
    int fds[2];
    pid_t pid;

    (void)state;
    s = open_sized(MIB);
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        spool_t *mine = child_open();
        MDB_txn *txn;

        if (mine == NULL || spool_txn_begin(mine, 0, &txn) != SPOOL_OK ||
            write(fds[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
        _exit(1);
    }
    assert_int_equal(read(fds[0], &go, 1), 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(append(s, 1, 2, 100, NULL), SPOOL_OK);
    assert_true(check_all(s, 0, 0) == 2);
    spool_close(&s);
    close(fds[0]);
    close(fds[1]);
}

static void test_dead_reader(void **state)
{
    spool_stat_t st;
    spool_t *s;
    char go;
    int fds[2];
    pid_t pid;

    (void)state;
    s = open_sized(MIB);
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        spool_t *mine = child_open();
        MDB_txn *txn;

        if (mine == NULL ||
            spool_txn_begin(mine, MDB_RDONLY, &txn) != SPOOL_OK ||
            write(fds[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
        _exit(1);
    }
    assert_int_equal(read(fds[0], &go, 1), 1);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.readers, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(spool_reader_check(s), 1);
    assert_int_equal(spool_reader_check(s), 0);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.readers, 0);
    spool_close(&s);
    close(fds[0]);
    close(fds[1]);
}

/* The slots of a dead process are taken back when the last one is asked for;
 * with living readers in all of them the answer is SPOOL_BUSY. */
static void test_readers_full(void **state)
{
    enum { SLOTS = 512 };
    MDB_txn *txns[SLOTS];
    spool_t *s;
    int status;
    size_t n;
    pid_t pid;

    (void)state;
    s = open_sized(MIB);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        spool_t *mine = child_open();
        MDB_txn *txn;

        for (n = 0; mine != NULL && n < SLOTS; n++) {
            if (spool_txn_begin(mine, MDB_RDONLY, &txn) != SPOOL_OK) {
                break;
            }
        }
        _exit(n == SLOTS ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (n = 0; n < SLOTS; n++) {
        assert_int_equal(spool_txn_begin(s, MDB_RDONLY, &txns[n]), SPOOL_OK);
    }
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), SPOOL_BUSY);
    while (n-- > 0) {
        spool_txn_abort(s, &txns[n]);
    }
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), 0);
    spool_close(&s);
}

static int child_grow(int arg)
{
    spool_options_t opt = {.size = 16 * MIB};
    spool_t *s;
    int rc;

    (void)arg;
    if (spool_open(&s, dir.spool, &opt) != SPOOL_OK) {
        return 1;
    }
    do {
        char buf[60000];
        spool_str_t rec = {buf, sizeof(buf)};

        memset(buf, 'g', sizeof(buf));
        rc = spool_append(s, &rec, 1, NULL);
    } while (rc == SPOOL_OK);
    spool_close(&s);
    return rc == SPOOL_FULL ? 0 : 2;
}

/* Another process opened it larger, and filled it beyond our map. */
static void test_map_resized(void **state)
{
    spool_t *s = open_sized(MIB);
    spool_stat_t st;

    (void)state;
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), 0);
    assert_int_equal(in_child(child_grow, 0), 0);
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), 0);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.size == 16 * MIB);
    assert_true(st.records > 200);
    assert_int_equal(append(s, 1, 1, 60000, NULL), SPOOL_FULL);
    assert_int_equal(spool_delete(s, UINT64_MAX), SPOOL_OK);
    assert_int_equal(append(s, 1, 1, 60000, NULL), SPOOL_OK);
    spool_close(&s);
    s = open_sized(0); /* 0: what it has */
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.size == 16 * MIB);
    spool_close(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_append_read_delete),
        TEST(test_moved),
        TEST(test_half_made),
        TEST(test_cannot_look),
        TEST(test_bad_arguments),
        TEST(test_file_systems),
        TEST(test_sequence_and_id),
        TEST(test_layout),
        TEST(test_full),
        TEST(test_quarantine),
        TEST(test_quarantine_full),
        TEST(test_revoked),
        TEST(test_revoked_edge),
        TEST(test_threads),
        TEST(test_same_handle),
        TEST(test_moved_away),
        TEST(test_modes),
        TEST(test_flags),
        TEST(test_damaged),
        TEST(test_fork),
        TEST(test_two_users),
        TEST(test_two_processes),
        TEST(test_kill),
        TEST(test_kill_in_write),
        TEST(test_dead_reader),
        TEST(test_readers_full),
        TEST(test_map_resized),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
