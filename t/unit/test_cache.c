/* cache: hits by version, one renderer at a time, eviction, shared bodies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http/cache.h"
#include "http/response.h"

static ready_t *body_of(const char *text, size_t pad)
{
    buf_t b;
    buf_init(&b, 0);
    buf_adds(&b, text);
    for (size_t i = 0; i < pad; i++) {
        buf_addc(&b, ' ');
    }
    ready_t *r = ready_new(&b);
    buf_free(&b);
    assert_non_null(r);
    return r;
}

/* Renders unless it is there; true if it was. */
static bool ask(cache_t *c, const char *key, int64_t version, size_t pad)
{
    ready_t *r = cache_get(c, key, strlen(key), version);
    bool hit = r != NULL;
    if (!hit) {
        r = body_of(key, pad);
        cache_fill(c, key, strlen(key), version, r);
    }
    ready_unref(&r);
    return hit;
}

static void test_versions(void **state)
{
    cache_t *c;
    (void)state;
    assert_int_equal(cache_new(&c, 4, 1 << 20), WERR_OK);
    assert_false(ask(c, "a", 1, 0));
    assert_true(ask(c, "a", 1, 0));
    assert_false(ask(c, "b", 1, 0));
    assert_false(ask(c, "a", 2, 0)); /* older: never handed out */
    assert_true(ask(c, "a", 2, 0));
    assert_true(ask(c, "a", 1, 0)); /* newer than asked for is right */
    cache_free(&c);
    assert_null(c);
}

/* Who only looks does not have to render. */
static void test_peek(void **state)
{
    cache_stat_t st;
    cache_t *c;
    (void)state;
    assert_int_equal(cache_new(&c, 4, 1 << 20), WERR_OK);
    assert_null(cache_peek(c, "a", 1, 1));
    assert_false(ask(c, "a", 2, 0)); /* not made to wait for him */
    ready_t *r = cache_peek(c, "a", 1, 1);
    assert_non_null(r);
    ready_unref(&r);
    r = cache_peek(c, "a", 1, 2);
    assert_non_null(r);
    ready_unref(&r);
    assert_null(cache_peek(c, "a", 1, 3));
    assert_null(cache_peek(c, "b", 1, 0));
    cache_stat(c, &st);
    assert_int_equal(st.hits, 2);
    assert_int_equal(st.renders, 1);
    cache_free(&c);
}

static void test_eviction_by_count(void **state)
{
    cache_t *c;
    cache_stat_t st;
    (void)state;
    assert_int_equal(cache_new(&c, 2, 1 << 20), WERR_OK);
    assert_false(ask(c, "a", 1, 0));
    assert_false(ask(c, "b", 1, 0));
    assert_true(ask(c, "a", 1, 0));
    assert_false(ask(c, "c", 1, 0)); /* b goes */
    assert_true(ask(c, "a", 1, 0));
    assert_false(ask(c, "b", 1, 0));
    cache_stat(c, &st);
    assert_int_equal(st.entries, 2);
    assert_int_equal(st.evictions, 2);
    cache_free(&c);
}

static void test_eviction_by_bytes(void **state)
{
    cache_t *c;
    cache_stat_t st;
    (void)state;
    assert_int_equal(cache_new(&c, 16, 1000), WERR_OK);
    assert_false(ask(c, "a", 1, 400));
    assert_false(ask(c, "b", 1, 400));
    assert_false(ask(c, "c", 1, 400));
    cache_stat(c, &st);
    assert_true(st.bytes <= 1000);
    assert_false(ask(c, "a", 1, 400));
    assert_false(ask(c, "big", 1, 600)); /* more than half: never kept */
    assert_false(ask(c, "big", 1, 600));
    cache_free(&c);
}

static void test_body_outlives_the_cache(void **state)
{
    cache_t *c;
    (void)state;
    assert_int_equal(cache_new(&c, 1, 1000), WERR_OK);
    assert_false(ask(c, "a", 1, 0));
    ready_t *held = cache_get(c, "a", 1, 1);
    assert_non_null(held);
    assert_false(ask(c, "b", 1, 0));
    cache_free(&c);
    assert_int_equal(ready_size(held), 1);
    assert_int_equal(strlen(ready_tag(held)), 34);
    ready_unref(&held);
}

typedef struct {
    cache_t *cache;
    _Atomic int renders, abandoned;
    bool fail_first;
} crowd_t;

static void *crowd_main(void *arg)
{
    crowd_t *w = arg;
    const struct timespec render = {0, 30000000};
    ready_t *r = cache_get(w->cache, "k", 1, 7);
    while (r == NULL) {
        int n = atomic_fetch_add(&w->renders, 1);
        nanosleep(&render, NULL);
        if (w->fail_first && n == 0) {
            cache_abandon(w->cache, "k", 1);
            atomic_fetch_add(&w->abandoned, 1);
            break;
        }
        r = body_of("body", 0);
        cache_fill(w->cache, "k", 1, 7, r);
    }
    ready_unref(&r);
    return NULL;
}

static int run_crowd(crowd_t *w)
{
    pthread_t threads[8];
    assert_int_equal(cache_new(&w->cache, 4, 1000), WERR_OK);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, w), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    cache_free(&w->cache);
    return w->renders;
}

static void test_single_flight(void **state)
{
    crowd_t w = {0};
    (void)state;
    assert_int_equal(run_crowd(&w), 1);
}

static void test_failed_flight_hands_on(void **state)
{
    crowd_t w = {.fail_first = true};
    (void)state;
    int renders = run_crowd(&w);
    assert_int_equal(w.abandoned, 1);
    assert_in_range(renders, 2, 8);
}

/* Who wrote version 8 must not get what a slow renderer made of 7. */
static void test_newer_does_not_wait_for_older(void **state)
{
    cache_t *c;
    (void)state;
    assert_int_equal(cache_new(&c, 4, 1000), WERR_OK);
    assert_null(cache_get(c, "k", 1, 7));
    assert_null(cache_get(c, "k", 1, 8)); /* at once: not made to wait */
    ready_t *new = body_of("new", 0), *old = body_of("old", 0);
    cache_fill(c, "k", 1, 8, new);
    cache_fill(c, "k", 1, 7, old);
    ready_t *got = cache_get(c, "k", 1, 8);
    assert_ptr_equal(got, new);
    ready_unref(&got);
    ready_unref(&new);
    ready_unref(&old);
    cache_free(&c);
}

static void test_tag_match(void **state)
{
    static const struct {
        const char *format;
        int status;
    } cases[] = {{"%s", 304},         {"W/%s", 304},  {"\"x\", %s", 304},
                 {"\"x\",W/%s", 304}, {"*%.0s", 304}, {"\"x\"%.0s", 200},
                 {"x%s", 200},        {"%.0s", 200}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char header[128];
        response_t r;
        ready_t *ready = body_of("{}", 0);
        response_init(&r);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof(header), cases[i].format, ready_tag(ready));
#pragma GCC diagnostic pop
        response_ready(&r, ready, header);
        assert_int_equal(r.status, cases[i].status);
        response_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_eviction_by_count),
        cmocka_unit_test(test_eviction_by_bytes),
        cmocka_unit_test(test_body_outlives_the_cache),
        cmocka_unit_test(test_single_flight),
        cmocka_unit_test(test_failed_flight_hands_on),
        cmocka_unit_test(test_newer_does_not_wait_for_older),
        cmocka_unit_test(test_tag_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
