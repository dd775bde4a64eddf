/*
 * What is remembered of verified tokens: only those, only so many, none for
 * another set of keys.
 */
#include "edge/jwt_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000
#define EXP 2000

typedef struct {
    jwt_cache_t *cache;
    jwt_keyset_t *set, *other;
    json_t *claims;
} world_t;

static int set_up(void **state)
{
    static world_t w;

    assert_int_equal(jwt_cache_new(&w.cache, 64), 0);
    assert_int_equal(jwt_keyset_new(&w.set), 0);
    assert_int_equal(jwt_keyset_new(&w.other), 0);
    w.claims = json_pack("{s:s}", "sub", "7");
    assert_non_null(w.claims);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world_t *w = *state;

    jwt_cache_free(&w->cache);
    assert_null(w->cache);
    /* nobody else has kept one */
    assert_int_equal(w->claims->refcount, 1);
    json_decref(w->claims);
    jwt_keyset_free(&w->set);
    jwt_keyset_free(&w->other);
    return 0;
}

static void add(world_t *w, const char *token)
{
    jwt_cache_add(w->cache, w->set, token, strlen(token), w->claims, EXP, NOW);
}

static bool knows(world_t *w, const jwt_keyset_t *set, const char *token)
{
    json_t *claims = jwt_cache_find(w->cache, set, token, strlen(token));

    if (claims != NULL) {
        assert_ptr_equal(claims, w->claims);
    }
    json_decref(claims);
    return claims != NULL;
}

static void finds_what_was_added(void **state)
{
    world_t *w = *state;

    assert_false(knows(w, w->set, "a.b.c"));
    add(w, "a.b.c");
    assert_true(knows(w, w->set, "a.b.c"));
    assert_false(knows(w, w->set, "a.b.C"));
    assert_false(knows(w, w->set, "a.b."));
    assert_int_equal(jwt_cache_count(w->cache), 1);
}

static void the_same_twice_is_one(void **state)
{
    world_t *w = *state;

    add(w, "a.b.c");
    add(w, "a.b.c");
    assert_int_equal(jwt_cache_count(w->cache), 1);
}

static void another_set_of_keys_has_verified_nothing(void **state)
{
    world_t *w = *state;

    add(w, "a.b.c");
    assert_false(knows(w, w->other, "a.b.c"));
}

/* A set made where a former one lay has another number. */
static void a_set_at_an_old_address_is_another(void **state)
{
    world_t *w = *state;
    const void *old = w->set;

    add(w, "a.b.c");
    jwt_keyset_free(&w->set);
    for (int i = 0; i < 1000 && w->set != old; i++) {
        jwt_keyset_free(&w->set);
        assert_int_equal(jwt_keyset_new(&w->set), 0);
    }
    assert_false(knows(w, w->set, "a.b.c"));
}

static void what_is_over_is_not_added(void **state)
{
    world_t *w = *state;

    jwt_cache_add(w->cache, w->set, "a", 1, w->claims, NOW, NOW);
    assert_int_equal(jwt_cache_count(w->cache), 0);
}

static void long_tokens_are_not_kept(void **state)
{
    world_t *w = *state;
    char token[JWT_CACHE_TOKEN_MAX + 2];

    memset(token, 'a', sizeof(token) - 1);
    token[sizeof(token) - 1] = '\0';
    add(w, token);
    assert_false(knows(w, w->set, token));
    token[JWT_CACHE_TOKEN_MAX] = '\0';
    add(w, token);
    assert_true(knows(w, w->set, token));
}

static void holds_a_fixed_number(void **state)
{
    world_t *w = *state;
    char token[32];

    for (int i = 0; i < 1000; i++) {
        assert_true(snprintf(token, sizeof(token), "token.%d", i) > 0);
        add(w, token);
        assert_true(knows(w, w->set, token));
    }
    assert_int_equal(jwt_cache_count(w->cache), 64);
    assert_int_equal(w->claims->refcount, 65);
}

static void the_one_in_use_stays(void **state)
{
    world_t *w = *state;
    char token[32];

    add(w, "in.use");
    for (int i = 0; i < 1000; i++) {
        assert_true(knows(w, w->set, "in.use"));
        assert_true(snprintf(token, sizeof(token), "token.%d", i) > 0);
        add(w, token);
    }
    assert_true(knows(w, w->set, "in.use"));
}

/* An expired one makes room before any that still counts. */
static void the_expired_goes_first(void **state)
{
    world_t *w = *state;
    jwt_cache_t *cache;

    assert_int_equal(jwt_cache_new(&cache, 1), 0);
    for (const char *t = "abc"; *t != '\0'; t++) {
        jwt_cache_add(cache, w->set, t, 1, w->claims, EXP, NOW);
    }
    jwt_cache_add(cache, w->set, "x", 1, w->claims, NOW + 1, NOW);
    assert_int_equal(jwt_cache_count(cache), 4);
    jwt_cache_add(cache, w->set, "y", 1, w->claims, EXP, NOW + 1);
    assert_int_equal(jwt_cache_count(cache), 4);
    for (const char *t = "abcy"; *t != '\0'; t++) {
        json_t *claims = jwt_cache_find(cache, w->set, t, 1);

        assert_non_null(claims);
        json_decref(claims);
    }
    assert_null(jwt_cache_find(cache, w->set, "x", 1));
    jwt_cache_free(&cache);
}

static void sizes_have_bounds(void **state)
{
    jwt_cache_t *cache;

    (void)state;
    assert_int_equal(jwt_cache_new(&cache, 0), -1);
    assert_null(cache);
    assert_int_equal(jwt_cache_new(&cache, JWT_CACHE_MAX + 1), -1);
    jwt_cache_free(&cache);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_what_was_added),
        TEST(the_same_twice_is_one),
        TEST(another_set_of_keys_has_verified_nothing),
        TEST(a_set_at_an_old_address_is_another),
        TEST(what_is_over_is_not_added),
        TEST(long_tokens_are_not_kept),
        TEST(holds_a_fixed_number),
        TEST(the_one_in_use_stays),
        TEST(the_expired_goes_first),
        TEST(sizes_have_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
