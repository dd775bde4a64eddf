/* What can be read of a damaged spool, and whoever reads it without LMDB. */
#include "spool_harm.h"

/* ---- what can be read of it ---- */

static int see(void *ctx, uint64_t seq, bool quarantined, spool_str_t data)
{
    bool *seen = ctx;

    (void)quarantined;
    assert_true(seq >= 1 && seq <= RECORDS && !seen[seq]);
    seen[seq] = true;
    assert_int_equal(data.len, LEN);
    assert_int_equal(test_record_get(data), seq);
    return SPOOL_OK;
}

/* How many records are told of after that damage, at least. */
static void salvage_one(void (*harm)(void), uint64_t least, uint64_t most,
                        bool whole)
{
    static bool seen[RECORDS + 1];
    char id[SPOOL_ID_LEN + 1];
    spool_options_t opt;
    spool_salvage_t got;
    uint64_t n = 0;
    spool_t *s;
    int rc;

    memset(seen, 0, sizeof(seen));
    fill();
    s = open_sized(8 * MIB);
    snprintf(id, sizeof(id), "%s", spool_id(s));
    spool_close(&s);
    harm();
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    rc = spool_salvage(dir.spool, opt.aside, see, seen, &got);
    for (int i = 1; i <= RECORDS; i++) {
        n += seen[i];
    }
    assert_int_equal(got.records, n);
    assert_in_range(n, least, most);
    assert_int_equal(rc, n > 0 ? SPOOL_OK : SPOOL_CORRUPT);
    assert_true(got.bad > 0);
    assert_string_not_equal(got.why, "");
    assert_string_equal(got.id, whole ? id : "");
    spool_close(&s);
}

static void test_salvage(void **state)
{
    static const struct {
        void (*harm)(void);
        uint64_t least, most;
        bool whole;
    } cases[] = {
        /* the older meta page leads to all but the last append */
        {first_meta, RECORDS - BATCH, RECORDS, true},
        {second_meta, RECORDS - BATCH, RECORDS, true},
        {no_file_of_ours, 0, 0, false},
        {empty, 0, 0, false},
        {one_page, 0, 0, false},
        {trees_of_ones, 0, 0, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        salvage_one(cases[i].harm, cases[i].least, cases[i].most,
                    cases[i].whole);
        assert_int_equal(teardown_aside(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static int stop_at_ten(void *ctx, uint64_t seq, bool quarantined,
                       spool_str_t data)
{
    (void)ctx;
    (void)quarantined;
    (void)data;
    return seq == 10 ? 77 : SPOOL_OK;
}

static void test_salvage_names(void **state)
{
    spool_salvage_t got;
    spool_options_t opt;
    spool_t *s;

    (void)state;
    fill();
    first_meta();
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_int_equal(
        spool_salvage(dir.spool, opt.aside, stop_at_ten, NULL, &got), 77);
    assert_int_equal(spool_salvage(dir.spool, opt.aside, NULL, NULL, &got),
                     SPOOL_OK);
    assert_in_range(got.records, RECORDS - BATCH, RECORDS);
    assert_int_equal(spool_salvage(dir.spool, "corrupt-", NULL, NULL, &got),
                     SPOOL_INVAL);
    assert_int_equal(spool_salvage(dir.spool, ".", NULL, NULL, &got),
                     SPOOL_INVAL);
    assert_int_equal(
        spool_salvage(dir.spool, "corrupt-/../..", NULL, NULL, &got),
        SPOOL_INVAL);
    spool_close(&s);
}

typedef struct {
    uint64_t waiting, quarantined;
} kinds_t;

static int see_kind(void *ctx, uint64_t seq, bool quarantined, spool_str_t data)
{
    kinds_t *k = ctx;

    k->waiting += !quarantined;
    k->quarantined += quarantined;
    assert_int_equal(data.len, LEN);
    assert_int_equal(test_record_get(data), seq);
    return SPOOL_OK;
}

/* What was in its quarantine is told of, too, without its reason. */
static void test_salvage_quarantine(void **state)
{
    kinds_t k = {0};
    spool_options_t opt;
    spool_salvage_t got;
    spool_t *s;

    (void)state;
    fill();
    s = open_sized(8 * MIB);
    for (uint64_t seq = 1; seq <= 40; seq++) {
        assert_int_equal(spool_quarantine(s, seq, seq % 2 ? "a reason" : ""),
                         SPOOL_OK);
    }
    spool_close(&s);
    first_meta();
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_int_equal(spool_salvage(dir.spool, opt.aside, see_kind, &k, &got),
                     SPOOL_OK);
    assert_in_range(k.quarantined, 39, 40); /* the older meta page's, perhaps */
    assert_int_equal(got.quarantined, k.quarantined);
    assert_int_equal(got.records, k.waiting);
    assert_int_equal(k.waiting + k.quarantined, RECORDS);
    spool_close(&s);
}

/* ---- whoever reads it without LMDB ---- */

static int count_record(void *ctx, uint64_t seq, bool quarantined,
                        const void *data, size_t len)
{
    uint64_t *n = ctx;

    assert_true((seq >= 1 || quarantined) && len <= 8 * MIB);
    if (len == 0) {
        return 0;
    }
    *n += ((const char *)data)[0] != 0; /* it can be read */
    return 0;
}

/* Any bytes: never a fault, never an endless walk. */
static void test_any_bytes(void **state)
{
    bytes_t sound;
    unsigned seed = 7;

    (void)state;
    fill();
    sound = slurp("data.mdb");
    for (int i = 0; i < 400; i++) {
        uint64_t n = 0;
        spool_pages_t p = {.cb = count_record, .ctx = &n};
        int fd;
        int rc;

        for (int k = 0; k < 1 + i % 40; k++) {
            size_t at = (size_t)rand_r(&seed) % (sound.len / PAGE) * PAGE +
                        (size_t)rand_r(&seed) % (i % 2 == 0 ? 64 : PAGE);
            int to = rand_r(&seed) & 0xff;

            junk("data.mdb", to, 1 + (size_t)i % 4, (off_t)at);
        }
        fd = open(in_spool("data.mdb"), O_RDONLY);
        rc = spool_pages_check(fd, &p);
        close(fd);
        assert_true(rc == SPOOL_OK || rc == SPOOL_CORRUPT ||
                    rc == SPOOL_FUTURE);
        assert_true((rc == SPOOL_CORRUPT) == (p.why[0] != '\0'));
        if (i % 20 == 0) {
            overwrite("data.mdb", sound.data, sound.len, 0);
        }
    }
    free(sound.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ASIDE(test_any_bytes),
        TEST_ASIDE(test_salvage),
        TEST_ASIDE(test_salvage_names),
        TEST_ASIDE(test_salvage_quarantine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
