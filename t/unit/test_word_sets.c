/* The sets of frequent words, as they are kept. */
#include "search/word_sets.h"

#include "domain_fixture.h"

static void open_sets(void *state, word_sets_t *w, db_t **db)
{
    const fixture_t *f = state;
    char error[256], path[200];

    snprintf(path, sizeof(path), "%s/sets.db", f->dir);
    assert_int_equal(
        sqlite_open(db, path, SQLITE_ROLE_WRITER, error, sizeof(error)),
        WERR_OK);
    assert_int_equal(sqlite_run(*db, WORD_SETS_TABLE), WERR_OK);
    assert_int_equal(word_sets_open(w, *db, true), WERR_OK);
}

/* From one message to all. */
static size_t fill_set(uint64_t set[WORD_SET], int density)
{
    size_t n = 0;

    memset(set, 0, WORD_SET * sizeof(set[0]));
    for (int i = 0; i < WORD_BLOCK; i++) {
        if (i == density * 97 || rand() % 1000 < density * density) {
            set[i / 64] |= UINT64_C(1) << (i % 64);
            n++;
        }
    }
    return n;
}

static void any_set(void **state)
{
    uint64_t set[WORD_SET], got[WORD_SET];
    word_block_t *blocks, block = {.upto = WORD_BLOCK};
    word_sets_t w;
    size_t n, found;
    db_t *db;

    open_sets(*state, &w, &db);
    srand(3);
    for (int density = 0; density < 40; density++) {
        block.number = density;
        n = fill_set(set, density);
        assert_int_equal(word_sets_put(&w, density, "kata\x01", 5, set),
                         WERR_OK);
        assert_int_equal(word_sets_seal(&w, &block), WERR_OK);
        assert_int_equal(
            word_sets_get(&w, density, "kata", 4, false, got, &found), WERR_OK);
        assert_int_equal(found, n);
        assert_memory_equal(got, set, sizeof(set));
    }
    assert_int_equal(word_sets_sealed(&w, &blocks, &n), WERR_OK);
    assert_int_equal(n, 40);
    assert_int_equal(blocks[39].number, 39);
    free(blocks);
    word_sets_close(&w);
    sqlite_shut(&db);
}

/* The uppermost key that begins so; a word is itself only. */
static void words_and_beginnings(void **state)
{
    static const struct {
        const char *typed;
        bool prefix;
        size_t n; /* messages of the set: which one it is */
    } cases[] = {
        {"te", true, 3},     {"ter", true, 3},     {"teri", true, 2},
        {"terima", true, 2}, {"terima", false, 1}, {"terimak", true, 0},
        {"te", false, 0},    {"ter", false, 0},    {"t", false, 0},
        {"tes", true, 0},    {"terim", false, 0},  {"sa", true, 0},
        {"u", true, 0},      {"", true, 3},
    };
    static const char *const keys[] = {"terima\x01", "terima", "ter"};
    uint64_t set[WORD_SET] = {0}, got[WORD_SET];
    char wide[WORD_KEY_MAX + 10];
    word_sets_t w;
    size_t n;
    db_t *db;

    open_sets(*state, &w, &db);
    for (size_t i = 0; i < 3; i++) {
        set[0] = set[0] << 1 | 1;
        assert_int_equal(word_sets_put(&w, 7, keys[i], strlen(keys[i]), set),
                         WERR_OK);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(word_sets_get(&w, 7, cases[i].typed,
                                       strlen(cases[i].typed), cases[i].prefix,
                                       got, &n),
                         WERR_OK);
        assert_int_equal(n, cases[i].n);
        assert_int_equal(word_sets_get(&w, 8, cases[i].typed,
                                       strlen(cases[i].typed), cases[i].prefix,
                                       got, &n),
                         WERR_OK);
        assert_int_equal(n, 0);
    }
    memset(wide, 't', sizeof(wide));
    assert_int_equal(word_sets_get(&w, 7, wide, sizeof(wide), true, got, &n),
                     WERR_OK);
    assert_int_equal(n, 0);
    word_sets_close(&w);
    sqlite_shut(&db);
}

/* Only by a message that is among those of the sets. */
static void opened_again(void **state)
{
    uint64_t set[WORD_SET] = {1}, got[WORD_SET];
    word_block_t block = {.number = 2, .upto = 2 * WORD_BLOCK + 100}, *blocks;
    word_sets_t w;
    size_t n;
    db_t *db;

    open_sets(*state, &w, &db);
    assert_int_equal(word_sets_put(&w, 2, "ada\x01", 4, set), WERR_OK);
    assert_int_equal(word_sets_seal(&w, &block), WERR_OK);
    assert_int_equal(word_sets_unseal(&w, block.upto), WERR_OK);
    assert_int_equal(word_sets_unseal(&w, 2 * WORD_BLOCK - 1), WERR_OK);
    assert_int_equal(word_sets_get(&w, 2, "ada", 3, false, got, &n), WERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(word_sets_unseal(&w, block.upto - 1), WERR_OK);
    assert_int_equal(word_sets_get(&w, 2, "ada", 3, false, got, &n), WERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(word_sets_sealed(&w, &blocks, &n), WERR_OK);
    assert_int_equal(n, 0);
    free(blocks);
    word_sets_close(&w);
    sqlite_shut(&db);
}

static void a_damaged_set(void **state)
{
    static const char *const bad[] = {
        "X''", "X'00'", "X'80'", "X'FFFF01'", "X'A800A800'", "X'01010180'"};
    uint64_t got[WORD_SET];
    char text[160];
    word_sets_t w;
    size_t n;
    db_t *db;

    open_sets(*state, &w, &db);
    for (int i = 0; i < 6; i++) {
        snprintf(text, sizeof(text),
                 "INSERT INTO word_sets VALUES (%d, CAST('ada' || char(1) AS "
                 "BLOB), %s)",
                 i, bad[i]);
        assert_int_equal(sqlite_run(db, text), WERR_OK);
        assert_int_equal(word_sets_get(&w, i, "ada", 3, false, got, &n),
                         WERR_CORRUPT);
    }
    word_sets_close(&w);
    sqlite_shut(&db);
}

int main(void)
{
#define T(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(any_set),
        T(words_and_beginnings),
        T(opened_again),
        T(a_damaged_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
