/* spool: the list of revoked tokens and subjects. */
#include "spool_fixture.h"

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
    /* a new one, which nobody has told yet what is revoked */
    assert_int_equal(spool_revoked(s, str("token-1"), str("7"), 0), SPOOL_BUSY);
    assert_int_equal(spool_revoke(s, NULL, 0), SPOOL_OK);
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
    assert_int_equal(spool_revoke_expire(s, 3001), SPOOL_OK);
    assert_int_equal(spool_revoke(s, entries, 1), SPOOL_OK);
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
    assert_int_equal(spool_revoke_expire(s, 2), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str(longer[0]), str(""), 0), 0);
    spool_close(&s);
}

/* Of len 510 and 511: the longest plain key, the shortest cut one. */
static void test_revoked_edge(void **state)
{
    spool_t *s = open_sized(MIB);
    char id[520];

    (void)state;
    assert_int_equal(spool_revoke(s, NULL, 0), SPOOL_OK);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_revoked),
        TEST(test_revoked_edge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
