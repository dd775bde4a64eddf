/* http: a real server: identity, methods, errors, bodies, heads. */
#include "http_group.h"

/* What JSON may be: "{}," becomes two hundred bytes when it is parsed. */
#define PUBLIC_MAX (16u << 10)
#define BODY_MAX   (128u << 10)

static void test_identity(void **state)
{
    static const char *const refused[] = {
        "",
        "X-Wacrm-User: 1\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\n",
        "X-Wacrm-User: 0\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: -1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1x\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a b\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: x\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-User: 1\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nx-wacrm-user: 3\r\nX-Wacrm-Token-Id: a\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Id: b\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n"
        "X-Wacrm-Role: admin\r\n",
        "X-Wacrm-User: 99\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 2\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "Authorization: Bearer x\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        answer_t a;
        assert_int_equal(
            web_call(&web, "GET", "/api/auth/me", 0, refused[i], NULL, &a),
            401);
        assert_string_equal(a.body.data, "{\"message\":\"Unauthenticated.\"}");
        answer_free(&a);
    }
    assert_int_equal(web_status(&web, "GET", "/api/auth/me", 1, "", NULL), 200);
}

static void test_errors(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(web_call(&web, "GET", "/nowhere", 0, "", NULL, &a), 404);
    assert_string_equal(a.body.data,
                        "{\"success\":false,\"message\":\"Not Found\"}");
    assert_string_equal(answer_header(&a, "Content-Type"), "application/json");
    answer_free(&a);
    assert_int_equal(web_call(&web, "PUT", "/api/crm/inbox", 1, "", "x", &a),
                     405);
    assert_string_equal(answer_header(&a, "Allow"), "GET, HEAD");
    assert_string_equal(a.body.data, "{\"message\":\"Method Not Allowed\"}");
    answer_free(&a);
    assert_int_equal(
        web_status(&web, "PROPPATCHING", "/api/crm/inbox", 1, "", NULL), 405);
    assert_int_equal(web_status(&web, "GET", "/api/auth/me?a=%00", 1, "", NULL),
                     400);
    assert_int_equal(
        web_status(&web, "GET", "/api/crm/inbox/1%00", 1, "", NULL), 404);
    assert_int_equal(web_status(&web, "GET", "/api/auth%2Fme", 1, "", NULL),
                     404);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0,
                                "Content-Type: text/plain\r\n", "{}"),
                     415);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0,
                                "Content-Type: application/jsonx\r\n", "{}"),
                     415);
    assert_int_equal(
        web_status(&web, "POST", "/api/auth/login", 0,
                   "Content-Type: Application/JSON; charset=utf-8\r\n", "{}"),
        422);
}

static void test_query_error(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(
        web_call(&web, "GET", "/api/health?a=1&a=2", 0, "", NULL, &a), 400);
    assert_string_equal(a.body.data,
                        "{\"success\":false,\"data\":null,"
                        "\"message\":\"Malformed query string.\"}");
    answer_free(&a);
}

static void test_json_errors(void **state)
{
    static const char *const bad[] = {
        "{", "[]", "1", "\"x\"", "{}x", "{\"email\":\"a\\u0000b\"}", "nul"};
    answer_t a;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            web_call(&web, "POST", "/api/auth/login", 0, "", bad[i], &a), 400);
        json_t *json = answer_json(&a);
        assert_true(json_is_false(json_object_get(json, "success")));
        assert_true(json_is_null(json_object_get(json, "data")));
        json_decref(json);
        answer_free(&a);
    }
    assert_int_equal(
        web_call(&web, "POST", "/api/auth/login", 0, "", "{\"email\":1}", &a),
        422);
    assert_string_equal(
        a.body.data,
        "{\"message\":\"The email field must be a string.\",\"errors\":{"
        "\"email\":[\"The email field must be a string.\"],"
        "\"password\":[\"The password field is required.\"]}}");
    answer_free(&a);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0, "", NULL),
                     422);
}

/* The whole body is read before any answer, so the connection lives on. */
static void test_bodies_and_keepalive(void **state)
{
    static const struct {
        const char *method, *target;
        size_t len;
        int status;
    } calls[] = {
        {"POST", "/api/auth/login", PUBLIC_MAX, 400},
        {"POST", "/api/auth/login", PUBLIC_MAX + 1, 413},
        {"POST", "/api/auth/refresh", 16u << 20, 413},
        {"POST", "/nowhere", BODY_MAX + 1, 404},
        {"PUT", "/api/auth/login", 200000, 405},
        {"POST", "/api/auth/logout", BODY_MAX, 401},
        {"POST", "/api/auth/logout", BODY_MAX + 1, 413},
        {"GET", "/api/auth/me", 0, 401},
    };
    char *body = malloc(16u << 20);
    int fd = web_connect(&web);
    (void)state;
    assert_non_null(body);
    memset(body, 'x', 16u << 20);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        answer_t a;
        assert_true(web_request(fd, calls[i].method, calls[i].target, 0, "",
                                body, calls[i].len));
        web_read(fd, false, &a);
        assert_int_equal(a.status, calls[i].status);
        answer_free(&a);
    }
    close(fd);
    free(body);
}

static void test_chunked(void **state)
{
    static const char text[] =
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n6\r\na\":1}\n\r\n"
        "0\r\n\r\n";
    answer_t a;
    int fd = web_connect(&web);
    (void)state;
    assert_true(web_write(fd, text, sizeof(text) - 1));
    web_read(fd, false, &a);
    assert_int_equal(a.status, 422);
    answer_free(&a);
    close(fd);
}

static void test_head(void **state)
{
    answer_t get, head;
    int fd = web_connect(&web);
    (void)state;
    assert_true(web_request(fd, "GET", "/api/auth/me", 1, "", NULL, 0));
    web_read(fd, false, &get);
    assert_true(web_request(fd, "HEAD", "/api/auth/me", 1, "", NULL, 0));
    web_read(fd, true, &head);
    assert_int_equal(get.status, 200);
    assert_true(strncmp(head.head, "HTTP/1.1 200", 12) == 0);
    assert_int_equal(strtoul(answer_header(&head, "Content-Length"), NULL, 10),
                     get.body.len);
    answer_free(&get);
    answer_free(&head);
    /* no byte of a body came: the next answer starts at once */
    assert_true(web_request(fd, "GET", "/api/health", 0, "", NULL, 0));
    web_read(fd, false, &get);
    assert_int_equal(get.status, 200);
    assert_string_equal(get.body.data, "{\"status\":\"ok\"}");
    answer_free(&get);
    close(fd);
}

static void test_malformed_head(void **state)
{
    static const char *const texts[] = {
        "GARBAGE\r\n\r\n", "GET /api/health HTTP/1.1\r\nbroken", "GET "};
    answer_t a;
    char *big = malloc(50000);
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int fd = web_connect(&web);
        assert_true(web_write(fd, texts[i], strlen(texts[i])));
        close(fd);
    }
    assert_non_null(big);
    memset(big, 'a', 50000);
    memcpy(big, "GET /", 5);
    memcpy(big + 49000, " HTTP/1.1\r\n\r\n", 14);
    int fd = web_connect(&web);
    assert_true(web_write(fd, big, 49013));
    web_read(fd, false, &a);
    assert_true(a.status == 414 || a.status == 431);
    answer_free(&a);
    close(fd);
    free(big);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
}

static void test_metrics(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(web_call(&web, "GET", "/metrics", 0, "", NULL, &a), 200);
    assert_non_null(strstr(answer_header(&a, "Content-Type"), "text/plain"));
    assert_non_null(strstr(a.body.data, "wacrm_http_requests_total{"));
    assert_non_null(strstr(a.body.data, "wacrm_http_request_seconds_count"));
    assert_non_null(strstr(a.body.data, "wacrm_database_wal_bytes"));
    answer_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_query_error),
        cmocka_unit_test(test_bodies_and_keepalive),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_malformed_head),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
