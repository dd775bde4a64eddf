/* http: queries, routes and the queue of jobs, without a server. */
#include "http_fixture.h"

#include "http/jobs.h"
#include "http/query.h"
#include "http/router.h"
#include "short_memory.h"

static void test_query(void **state)
{
    static const char *const bad[] = {
        "a=%",      "a=%4",  "a=%zz",     "a=%00", "a=%ff", "a=1&a=2",
        "a=%C0%80", "%01=a", "a=1&%61=2", "a=%1b", "a=%7F"};
    query_t q;
    (void)state;
    assert_int_equal(query_parse(&q, "a=1&b=x%20y+z&&c&d=&e=%E2%82%AC"),
                     WERR_OK);
    assert_int_equal(q.n, 5);
    assert_string_equal(query_get(&q, "a"), "1");
    assert_string_equal(query_get(&q, "b"), "x y z");
    assert_string_equal(query_get(&q, "c"), "");
    assert_string_equal(query_get(&q, "d"), "");
    assert_string_equal(query_get(&q, "e"), "\xe2\x82\xac");
    assert_null(query_get(&q, "f"));
    query_free(&q);
    assert_int_equal(query_parse(&q, NULL), WERR_OK);
    query_free(&q);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(query_parse(&q, bad[i]), WERR_INVALID);
        query_free(&q);
    }
    buf_t many;
    buf_init(&many, 0);
    for (int i = 0; i <= QUERY_PAIRS_MAX; i++) {
        buf_addf(&many, "k%d&", i);
    }
    assert_int_equal(query_parse(&q, many.data), WERR_INVALID);
    query_free(&q);
    buf_free(&many);
}

/* It is not the caller's fault. */
static void test_query_without_memory(void **state)
{
    query_t q;
    (void)state;
    if (!short_memory()) {
        skip();
    }
    short_memory_begin(0, 1);
    int rc = query_parse(&q, "a=1");
    assert_int_equal(short_memory_end(), 1);
    assert_int_equal(rc, WERR_NOMEM);
    assert_null(query_get(&q, "a"));
    query_free(&q);
}

static route_result_t match(const char *method, const char *path,
                            route_match_t *m)
{
    return router_match(http_routes, http_nroutes, method, path, strlen(path),
                        m);
}

static void test_router(void **state)
{
    route_match_t m;
    (void)state;
    assert_int_equal(match("GET", "/api/crm/inbox", &m), ROUTE_FOUND);
    assert_string_equal(m.route->pattern, "/api/crm/inbox");
    assert_int_equal(match("HEAD", "/api/crm/inbox/42", &m), ROUTE_FOUND);
    assert_string_equal(m.route->pattern, "/api/crm/inbox/{chatId}");
    assert_int_equal(m.params[0].len, 2);
    assert_memory_equal(m.params[0].text, "42", 2);
    assert_int_equal(match("POST", "/api/crm/inbox/1/read", &m), ROUTE_FOUND);
    assert_int_equal(match("GET", "/api/crm/inbox/", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "/api/crm/inbox/1/", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "/api/crm/inbox/1/2", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "/api/crm", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("DELETE", "/api/crm/inbox", &m), ROUTE_METHOD);
    assert_string_equal(m.allow, "GET, HEAD");
    assert_int_equal(match("GET", "/api/auth/login", &m), ROUTE_METHOD);
    assert_string_equal(m.allow, "POST");
}

static void test_jobs(void **state)
{
    jobs_t *q;
    job_t a, b, c;
    (void)state;
    assert_int_equal(jobs_new(&q, 2, 2), WERR_OK);
    assert_true(jobs_reserve(q, false));
    assert_true(jobs_reserve(q, false));
    assert_false(jobs_reserve(q, false)); /* full, though nothing is put */
    assert_true(jobs_reserve(q, true));
    assert_true(jobs_reserve(q, true));
    jobs_put(q, &a, true);
    jobs_put(q, &b, true);
    jobs_put(q, &c, false);
    assert_ptr_equal(jobs_take(q), &a);
    assert_ptr_equal(jobs_take(q), &c); /* b waits for a */
    jobs_done(q, false);
    jobs_done(q, true);
    assert_ptr_equal(jobs_take(q), &b);
    jobs_done(q, true);
    assert_int_equal(jobs_count(q), 1); /* reserved, never put */
    jobs_done(q, false);
    jobs_drain(q);
    jobs_refuse(q);
    assert_false(jobs_reserve(q, false));
    jobs_close(q);
    assert_null(jobs_take(q));
    jobs_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_without_memory),
        cmocka_unit_test(test_router),
        cmocka_unit_test(test_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
