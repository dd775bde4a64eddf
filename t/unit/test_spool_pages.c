/*
 * The reader of data.mdb that does without LMDB: what a look costs, and what
 * it makes of a disk, of a caller and of a database that are not as they
 * should be.
 */
#include "spool_damage.h"

#include <errno.h>
#include <sys/syscall.h>

#include "spool/internal.h"
#include "spool/walk.h"

/* ---- the disk; before libc's ---- */

static uint64_t reads;
static uint64_t bytes_read;
static off_t unreadable = -1; /* the page there; -1: none */

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    reads++;
    bytes_read += n;
    if (unreadable >= 0 && at < unreadable + PAGE &&
        unreadable < at + (off_t)n) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, n, at);
}

static int setup_disk(void **state)
{
    unreadable = -1;
    return setup(state);
}

static int look(uint64_t budget)
{
    spool_pages_t p = {.budget = budget};
    int fd = open(in_spool("data.mdb"), O_RDONLY);
    int rc;

    reads = 0;
    bytes_read = 0;
    assert_true(fd >= 0);
    rc = spool_pages_check(fd, &p);
    close(fd);
    return rc;
}

static void fill(size_t n, size_t len)
{
    spool_t *s = open_sized(64 * MIB);

    for (size_t i = 0; i < n / BATCH; i++) {
        assert_int_equal(append(s, 1 + i * BATCH, BATCH, len, NULL), SPOOL_OK);
    }
    spool_close(&s);
}

/* ---- what it costs ---- */

/* Records with pages of their own count, and of each its head is read. */
static void test_long_records(void **state)
{
    (void)state;
    fill(1600, 20000);
    assert_int_equal(look(50), SPOOL_OK);
    assert_in_range(reads, 50, 2 * (50 + 10) + 30);
    assert_in_range(bytes_read, 1, 100 * PAGE);
    assert_int_equal(look(0), SPOOL_OK);
    assert_in_range(reads, 1600, 1600 + 100);
    assert_in_range(bytes_read, 1, 100 * PAGE);
}

/* The head is looked at, and whether the file holds the rest. */
static void test_long_damage(void **state)
{
    struct stat st;
    off_t end;

    (void)state;
    fill(BATCH, 20000);
    assert_int_equal(stat(in_spool("data.mdb"), &st), 0);
    end = st.st_size;
    assert_int_equal(look(0), SPOOL_OK);
    /* the last pages are a record's: cut in the midst of it */
    assert_int_equal(truncate(in_spool("data.mdb"), 40 * PAGE), 0);
    assert_int_equal(look(0), SPOOL_CORRUPT);
    assert_int_equal(truncate(in_spool("data.mdb"), end), 0);
    assert_int_equal(look(0), SPOOL_CORRUPT);
}

/* ---- a disk that does not answer for one page ---- */

#define RECORDS 1600
#define LEN     700

typedef struct {
    uint64_t n;
    int stop; /* what to answer to the tenth */
} told_t;

static int tell(void *ctx, uint64_t seq, bool quarantined, spool_str_t data)
{
    told_t *told = ctx;

    assert_false(quarantined);
    assert_int_equal(test_record_get(data), seq);
    return ++told->n == 10 ? told->stop : SPOOL_OK;
}

static const char aside[] = "corrupt-20260101T030405Z";

/* As if it had been put aside. */
static void lay_aside(void)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/data.mdb", aside);
    assert_int_equal(mkdir(in_spool(aside), 0700), 0);
    assert_int_equal(rename(in_spool("data.mdb"), in_spool(path)), 0);
}

/* Each sector in turn: the records of one page are lost by it, or a branch. */
static void test_unreadable(void **state)
{
    spool_salvage_t got;
    int some = 0;
    int none = 0;
    int rc;

    (void)state;
    fill(RECORDS, LEN);
    lay_aside();
    for (off_t page = 0; page < 300; page++) {
        told_t told = {0};

        unreadable = page * PAGE;
        rc = spool_salvage(dir.spool, aside, tell, &told, &got);
        assert_int_equal(rc, told.n > 0 ? SPOOL_OK : SPOOL_CORRUPT);
        assert_int_equal(got.records, told.n);
        assert_true(got.bad > 0 || told.n == RECORDS);
        none += told.n == 0;
        some += told.n > 0 && told.n < RECORDS;
    }
    assert_in_range(none, 1, 4);     /* the roots */
    assert_in_range(some, 150, 300); /* the leaves */
}

/* Whatever a caller answers is what he is told. */
static void test_stopped(void **state)
{
    static const int answers[] = {SPOOL_CORRUPT, SPOOL_FULL, SPOOL_IO, 77};
    spool_salvage_t got;

    (void)state;
    fill(RECORDS, LEN);
    lay_aside();
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        told_t told = {.stop = answers[i]};

        assert_int_equal(spool_salvage(dir.spool, aside, tell, &told, &got),
                         answers[i]);
        assert_int_equal(told.n, 10);
    }
}

/* It may be damaged, it may not: a look that ends without an answer is not
 * repeated each time that somebody asks, under the writers' lock. */
static void test_inconclusive(void **state)
{
    spool_t *s = open_sized(8 * MIB);
    int64_t wait = 0;

    (void)state;
    assert_int_equal(append(s, 1, BATCH, LEN, NULL), SPOOL_OK);
    spool_suspect(&s->dir);
    unreadable = 0;
    for (int i = 0; i < 3; i++) {
        reads = 0;
        assert_false(spool_damaged(s));
        assert_true(reads > 0);
        reads = 0;
        assert_false(spool_damaged(s));
        assert_int_equal(reads, 0);
        assert_int_equal(s->look_wait, i == 0 ? 60 : 2 * wait);
        wait = s->look_wait;
        s->look_after -= wait + 1; /* as time goes by */
    }
    unreadable = -1;
    assert_false(spool_damaged(s));
    assert_false(is_there(SPOOL_SUSPECT));
    assert_int_equal(s->look_wait, 0);
    spool_close(&s);
}

/* ---- what looks sound, page by page ---- */

/* One page of data.mdb, by its number. */
static unsigned char *page_of(bytes_t *b, uint64_t page)
{
    assert_true((page + 1) * PAGE <= b->len);
    return (unsigned char *)b->data + page * PAGE;
}

/* The root of a tree, as the newer meta page has it. */
static uint64_t root_page(bytes_t *b, int dbi)
{
    unsigned char *m0 = page_of(b, 0) + 16;
    unsigned char *m1 = page_of(b, 1) + 16;
    unsigned char *m = get64(m1 + 128) > get64(m0 + 128) ? m1 : m0;

    return get64(m + META_DBS + dbi * DB_LEN + DB_ROOT);
}

static unsigned char *node_of(unsigned char *page, unsigned i)
{
    return page + get16(page + PAGE_HEAD + 2 * (size_t)i);
}

/* The root of that table. */
static uint64_t table_page(bytes_t *b, const char *name)
{
    unsigned char *page = page_of(b, root_page(b, MAIN_DBI));

    for (unsigned i = 0; i < 4; i++) {
        unsigned char *node = node_of(page, i);

        if (get16(node + 6) == strlen(name) &&
            memcmp(node + NODE_HEAD, name, strlen(name)) == 0) {
            return get64(node + NODE_HEAD + strlen(name) + DB_ROOT);
        }
    }
    fail_msg("no table %s", name);
    return 0;
}

static void put_back(bytes_t *b)
{
    overwrite("data.mdb", b->data, b->len, 0);
    free(b->data);
}

/* A page that is free, and in use: the next commit would overwrite it. */
static void test_free_and_used(void **state)
{
    spool_t *s;
    bytes_t b;
    unsigned char *list;
    uint64_t used;

    (void)state;
    fill(RECORDS, LEN);
    s = open_sized(64 * MIB);
    assert_int_equal(spool_delete(s, 200), SPOOL_OK);
    spool_close(&s);
    assert_int_equal(look(0), SPOOL_OK);
    b = slurp("data.mdb");
    used = table_page(&b, "meta");
    list = node_of(page_of(&b, root_page(&b, FREE_DBI)), 0);
    assert_int_equal(get16(list + 4), 0); /* its data is beside its key */
    list += NODE_HEAD + get16(list + 6);
    assert_true(get64(list) > 0);
    memcpy(list + 8, &used, sizeof(used));
    put_back(&b);
    assert_int_equal(look(50), SPOOL_OK);
    assert_int_equal(look(0), SPOOL_CORRUPT);
}

/* Two branches that lead to one leaf. */
static void test_reached_twice(void **state)
{
    unsigned char *root;
    bytes_t b;

    (void)state;
    fill(RECORDS, LEN);
    assert_int_equal(look(0), SPOOL_OK);
    b = slurp("data.mdb");
    root = page_of(&b, table_page(&b, "events"));
    assert_int_equal(get16(root + 10) & P_KINDS, P_BRANCH);
    memcpy(node_of(root, 0), node_of(root, 1), 6); /* the child's number */
    put_back(&b);
    assert_int_equal(look(0), SPOOL_CORRUPT);
}

/* Whatever is done to a sound one, it stays so. */
static void test_stays_sound(void **state)
{
    static const size_t lens[] = {10, 700, 2022, 2100, 9000};
    spool_t *s = open_sized(8 * MIB);
    unsigned seed = 11;
    spool_stat_t st;

    (void)state;
    for (int i = 0; i < 300; i++) {
        spool_revoked_t entry = {.id = i % 2 ? "one" : "two", .expires = i};
        int rc = SPOOL_OK;

        assert_int_equal(spool_stat(s, &st), SPOOL_OK);
        switch (rand_r(&seed) % 6) {
        case 0:
            rc = spool_delete(s, st.first_seq + (uint64_t)i);
            break;
        case 1:
            rc = spool_quarantine(s, st.first_seq, "a reason");
            break;
        case 2:
            rc = i % 2 ? spool_revoke(s, &entry, 1) : spool_revoke_expire(s, i);
            break;
        default:
            rc = append(s, 1, 1 + (size_t)rand_r(&seed) % BATCH,
                        lens[rand_r(&seed) % 5], NULL);
        }
        assert_true(rc == SPOOL_OK || rc == SPOOL_EMPTY || rc == SPOOL_FULL);
        assert_int_equal(look(0), SPOOL_OK);
    }
    spool_close(&s);
}

/* A number that is given already: no record would ever be taken again. */
static void test_next_number(void **state)
{
    static const uint64_t wrong[] = {1, BATCH, (uint64_t)INT64_MAX + 1};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        spool_options_t opt = {.create = true, .set_aside = true};
        spool_state_t now;
        MDB_txn *txn;
        spool_t *s;

        fill(BATCH, LEN);
        s = open_sized(64 * MIB);
        assert_int_equal(spool_txn_begin(s, 0, &txn), SPOOL_OK);
        assert_int_equal(spool_state_get(s, txn, &now), SPOOL_OK);
        now.next_seq = wrong[i];
        assert_int_equal(spool_state_put(s, txn, &now), SPOOL_OK);
        assert_int_equal(spool_txn_commit(s, &txn), SPOOL_OK);
        spool_close(&s);
        assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_OK);
        assert_string_not_equal(opt.aside, "");
        assert_int_equal(append(s, 1, 1, LEN, NULL), SPOOL_OK);
        spool_close(&s);
        assert_int_equal(teardown_aside(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

/* A length of half a gigabyte, in a file that might hold it: of it no more is
 * read than shows that it is not true. */
static void test_long_length(void **state)
{
    uint64_t last = 200000;
    told_t told = {0};
    spool_salvage_t got;
    unsigned char *leaf;
    bytes_t b;

    (void)state;
    fill(BATCH, 20000);
    b = slurp("data.mdb");
    memcpy(page_of(&b, 0) + 16 + META_LAST, &last, sizeof(last));
    memcpy(page_of(&b, 1) + 16 + META_LAST, &last, sizeof(last));
    leaf = page_of(&b, table_page(&b, "events"));
    assert_int_equal(get16(node_of(leaf, 3) + 4), F_BIGDATA);
    node_of(leaf, 3)[3] |= 1 << 5; /* bit 29 */
    put_back(&b);
    assert_int_equal(truncate(in_spool("data.mdb"), (off_t)(last + 1) * PAGE),
                     0);
    lay_aside();
    bytes_read = 0;
    assert_int_equal(spool_salvage(dir.spool, aside, tell, &told, &got),
                     SPOOL_OK);
    assert_int_equal(told.n, BATCH - 1);
    assert_int_equal(got.bad, 1);
    assert_in_range(bytes_read, 1, MIB);
}

/* ---- somebody else's database, where a wrong path leads to ---- */

/* Keys of up to three values in that table, "": the main one, each with three
 * values where it takes them. */
static void foreign(const char *name, unsigned flags)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;

    assert_int_equal(mkdir(dir.spool, 0700), 0);
    assert_int_equal(mdb_env_create(&env), MDB_SUCCESS);
    assert_int_equal(mdb_env_set_maxdbs(env, 2), MDB_SUCCESS);
    assert_int_equal(mdb_env_open(env, dir.spool, 0, 0660), MDB_SUCCESS);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), MDB_SUCCESS);
    assert_int_equal(mdb_dbi_open(txn, name[0] != '\0' ? name : NULL,
                                  flags | MDB_CREATE, &dbi),
                     MDB_SUCCESS);
    for (uint64_t i = 1; i <= 300; i++) {
        uint64_t k = i / 3;
        MDB_val key = {sizeof(k), &k};
        MDB_val val = {sizeof(i), &i};

        assert_int_equal(mdb_put(txn, dbi, &key, &val, 0), MDB_SUCCESS);
    }
    assert_int_equal(mdb_txn_commit(txn), MDB_SUCCESS);
    mdb_env_close(env);
}

static void test_foreign(void **state)
{
    static const struct {
        const char *name;
        unsigned flags;
    } cases[] = {
        {"", 0},
        {"", MDB_DUPSORT | MDB_DUPFIXED},
        {"", MDB_INTEGERKEY},
        {"people", 0},
        {"people", MDB_DUPSORT},
        {"people", MDB_DUPSORT | MDB_DUPFIXED},
        {"people", MDB_REVERSEKEY},
        {"events", MDB_INTEGERKEY},
        {"meta", MDB_DUPSORT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        spool_options_t opt = {.size = MIB, .create = true, .set_aside = true};
        bytes_t kept;
        spool_t *s;

        foreign(cases[i].name, cases[i].flags);
        kept = slurp("data.mdb");
        assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_INVAL);
        assert_non_null(strstr(opt.error, ": holds a database, but no spool"));
        assert_int_equal(copies(), 0);
        assert_same(&kept, "data.mdb");
        free(kept.data);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

#define TEST_PAGES(f) \
    cmocka_unit_test_setup_teardown(f, setup_disk, teardown_aside)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PAGES(test_long_records),  TEST_PAGES(test_long_damage),
        TEST_PAGES(test_unreadable),    TEST_PAGES(test_stopped),
        TEST_PAGES(test_inconclusive),  TEST_PAGES(test_foreign),
        TEST_PAGES(test_free_and_used), TEST_PAGES(test_reached_twice),
        TEST_PAGES(test_stays_sound),   TEST_PAGES(test_next_number),
        TEST_PAGES(test_long_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
