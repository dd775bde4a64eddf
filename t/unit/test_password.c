/* password: what is hashed, what is the same, and whom no password opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "domain/password.h"

static void fits(void **state)
{
    char text[600];
    (void)state;
    assert_false(password_fits(""));
    assert_false(password_fits("1234567"));
    assert_true(password_fits("12345678"));
    memset(text, 'x', sizeof(text));
    text[511] = '\0';
    assert_true(password_fits(text));
    text[511] = 'x';
    text[512] = '\0';
    assert_false(password_fits(text));
}

static void same_and_other(void **state)
{
    char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
    bool same = false;
    (void)state;
    assert_int_equal(password_hash("rahasia-123", hash), WERR_OK);
    assert_int_equal(password_hash("rahasia-123", again), WERR_OK);
    assert_memory_equal(hash, "$y$", 3);
    assert_string_not_equal(hash, again); /* each has a salt of its own */
    assert_int_equal(password_check("rahasia-123", hash, &same), WERR_OK);
    assert_true(same);
    assert_int_equal(password_check("rahasia-124", hash, &same), WERR_OK);
    assert_false(same);
    assert_int_equal(password_check("", hash, &same), WERR_OK);
    assert_false(same);
}

static void nobodys(void **state)
{
    static const char *const locked[] = {"", "x", "*0", "!$y$j9T$abc", "$y$"};
    char longer[600], hash[PASSWORD_HASH_MAX];
    bool same = true;
    (void)state;
    assert_int_equal(password_check("rahasia-123", NULL, &same), WERR_OK);
    assert_false(same);
    for (size_t i = 0; i < sizeof(locked) / sizeof(locked[0]); i++) {
        same = true;
        assert_int_equal(password_check(locked[i], locked[i], &same), WERR_OK);
        assert_false(same);
    }
    /* What crypt(3) would not read to its end is not even tried. */
    memset(longer, 'x', sizeof(longer));
    longer[599] = '\0';
    assert_int_equal(password_hash("rahasia-123", hash), WERR_OK);
    same = true;
    assert_int_equal(password_check(longer, hash, &same), WERR_OK);
    assert_false(same);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits),
        cmocka_unit_test(same_and_other),
        cmocka_unit_test(nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
