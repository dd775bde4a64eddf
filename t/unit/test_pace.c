#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http/guesses.h"

#define NOW INT64_C(1790000000000)

static pace_t *pace;

static int setup(void **state)
{
    (void)state;
    return pace_new(&pace);
}

static int teardown(void **state)
{
    (void)state;
    pace_free(&pace);
    assert_null(pace);
    return 0;
}

static pace_key_t key_of(char kind, const char *a, const char *b)
{
    pace_key_t key;

    pace_key(&key, kind);
    pace_key_add(&key, a, strlen(a));
    pace_key_add(&key, b, strlen(b));
    return key;
}

static void a_burst_then_one_by_one(void **state)
{
    const pace_rule_t rule = {1000, 3};
    pace_key_t key = key_of('x', "a", "");

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pace_take(pace, &rule, &key, NOW), 0);
    }
    assert_int_equal(pace_take(pace, &rule, &key, NOW), 1000);
    assert_int_equal(pace_take(pace, &rule, &key, NOW + 400), 600);
    assert_int_equal(pace_take(pace, &rule, &key, NOW + 1000), 0);
    assert_int_equal(pace_take(pace, &rule, &key, NOW + 1000), 1000);
    pace_give_back(pace, &rule, &key);
    assert_int_equal(pace_take(pace, &rule, &key, NOW + 1000), 0);
    /* all of it is there again, and no more */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pace_take(pace, &rule, &key, NOW + 60000), 0);
    }
    assert_int_equal(pace_take(pace, &rule, &key, NOW + 60000), 1000);
}

static void no_key_runs_into_another(void **state)
{
    const pace_rule_t rule = {1000, 1};
    pace_key_t keys[] = {key_of('x', "ab", "c"), key_of('x', "a", "bc"),
                         key_of('x', "abc", ""), key_of('y', "ab", "c")};
    char text[2 * PACE_KEY_MAX];
    pace_key_t long_one;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pace_take(pace, &rule, &keys[i], NOW), 0);
    }
    assert_int_equal(pace_take(pace, &rule, &keys[0], NOW), 1000);
    memset(text, 'x', sizeof(text));
    pace_key(&long_one, 'z');
    for (int i = 0; i < 4; i++) {
        pace_key_add(&long_one, text, sizeof(text));
        assert_true(long_one.len <= PACE_KEY_MAX);
    }
    assert_int_equal(pace_take(pace, &rule, &long_one, NOW), 0);
}

/* Who is busy stays, whatever comes. */
static void a_flood_of_keys(void **state)
{
    const pace_rule_t rule = {1000, 20};
    pace_key_t busy = key_of('x', "busy", ""), known = key_of('k', "b", "");
    char text[16];

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pace_take(pace, &rule, &busy, NOW), 0);
    }
    pace_remember(pace, &known, NOW + 100000);
    for (int i = 0; i < 100000; i++) {
        pace_key_t key;

        (void)snprintf(text, sizeof(text), "%d", i);
        key = key_of('x', text, "");
        assert_int_equal(pace_take(pace, &rule, &key, NOW), 0);
    }
    assert_int_equal(pace_take(pace, &rule, &busy, NOW), 1000);
    assert_true(pace_has(pace, &known, NOW));
    assert_false(pace_has(pace, &known, NOW + 100000));
}

/* Whom thousands of networks are known to is guessed at no faster. */
static void remembered_keys(void **state)
{
    const pace_rule_t rule = {1000, 20};
    char text[16];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        pace_key_t key;

        (void)snprintf(text, sizeof(text), "%d", i);
        key = key_of('k', text, "");
        pace_remember(pace, &key, NOW + INT64_C(1000000000));
    }
    for (int i = 0; i < 20; i++) {
        pace_key_t a = key_of('a', "a", ""), key;

        assert_int_equal(pace_take(pace, &rule, &a, NOW), 0);
        for (int j = 0; j < 2000; j++) {
            (void)snprintf(text, sizeof(text), "%d", i * 2000 + j);
            key = key_of('p', text, "");
            assert_int_equal(pace_take(pace, &rule, &key, NOW), 0);
        }
    }
    pace_key_t a = key_of('a', "a", "");
    assert_int_equal(pace_take(pace, &rule, &a, NOW), 1000);
    assert_false(pace_has(pace, &a, NOW));
}

static int64_t guess(const char *email, const char *client, int64_t now)
{
    guess_t g;

    return guesses_begin(pace, &g, email, client, 5, now);
}

static void sign_in(const char *email, const char *client)
{
    guess_t g;

    assert_int_equal(guesses_begin(pace, &g, email, client, 5, NOW), 0);
    guesses_right(pace, &g, NOW);
}

static void networks(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(guess("a@x.id", "2001:db8::1", NOW), 0);
    }
    assert_int_equal(guess("A@X.ID", "2001:db8:0:0:ffff::2", NOW), 12);
    assert_int_equal(guess("a@x.id", "2001:db8:0:1::1", NOW), 0);
    assert_int_equal(guess("b@x.id", "2001:db8::1", NOW), 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(guess("c@x.id", "192.0.2.1", NOW), 0);
    }
    assert_int_equal(guess("c@x.id", "::ffff:192.0.2.1", NOW), 12);
    assert_int_equal(guess("c@x.id", "192.0.2.2", NOW), 0);
    assert_int_equal(guess("c@x.id", "unix:", NOW), 0);
    assert_int_equal(guess("c@x.id", NULL, NOW), 0);
}

static void many_networks(void **state)
{
    char client[32];
    int n = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        sign_in("d@x.id", "192.0.2.7");
    }
    for (int i = 0; i < 100; i++) {
        (void)snprintf(client, sizeof(client), "198.51.100.%d", i);
        n += guess("d@x.id", client, NOW) == 0;
    }
    assert_int_equal(n, 30);
    assert_int_equal(guess("d@x.id", "203.0.113.1", NOW), 60);
    sign_in("d@x.id", "192.0.2.7");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(guess("d@x.id", "192.0.2.7", NOW), 0);
    }
    assert_int_equal(guess("d@x.id", "192.0.2.7", NOW), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_burst_then_one_by_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_key_runs_into_another, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_flood_of_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(remembered_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(networks, setup, teardown),
        cmocka_unit_test_setup_teardown(many_networks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
