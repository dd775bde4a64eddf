/* waapi_session: requests and answers of sessions, and of who a number is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gateway/gateway.h"

static const gateway_account_t account = {.name = "main",
                                          .driver = "waapi",
                                          .base_url = "http://gw/api/v1",
                                          .timeout_s = 1};

typedef int (*session_fn)(const gateway_account_t *a, const char *session,
                          gw_request_t *r);

static void check(int rc, gw_request_t *r, const char *method, const char *url,
                  const char *body)
{
    assert_int_equal(rc, WERR_OK);
    assert_string_equal(r->method, method);
    assert_string_equal(r->url.data, url);
    assert_string_equal(r->body.len > 0 ? r->body.data : "", body);
    assert_true(r->authorised);
    gw_request_free(r);
}

static void test_requests(void **state)
{
    static const struct {
        session_fn *fn;
        const char *method, *url;
    } cases[] = {
        {(session_fn *)&gw_waapi.session_qr, "GET",
         "http://gw/api/v1/sessions/a%2Fb/qr"},
        {(session_fn *)&gw_waapi.session_status, "GET",
         "http://gw/api/v1/sessions/a%2Fb/status"},
        {(session_fn *)&gw_waapi.session_delete, "DELETE",
         "http://gw/api/v1/sessions/a%2Fb"},
        {(session_fn *)&gw_waapi.session_reconnect, "POST",
         "http://gw/api/v1/sessions/a%2Fb/reconnect"},
    };
    gw_request_t r;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gw_request_init(&r);
        check((*cases[i].fn)(&account, "a/b", &r), &r, cases[i].method,
              cases[i].url, "");
        gw_request_init(&r);
        assert_int_equal((*cases[i].fn)(&account, "", &r), WERR_INVALID);
        gw_request_free(&r);
    }
    gw_request_init(&r);
    check(gw_waapi.session_create(&account, "s1", "https://x/hook", &r), &r,
          "POST", "http://gw/api/v1/sessions",
          "{\"session_id\":\"s1\",\"webhook_url\":\"https://x/hook\"}");
    gw_request_init(&r);
    check(gw_waapi.session_list(&account, &r), &r, "GET",
          "http://gw/api/v1/sessions", "");
    gw_request_init(&r);
    check(gw_waapi.contact(&account, "s1", "62811", GW_CONTACT_CHECK, &r), &r,
          "GET", "http://gw/api/v1/sessions/s1/contacts/62811/check", "");
    gw_request_init(&r);
    check(gw_waapi.contact(&account, "s1", "62811", GW_CONTACT_INFO, &r), &r,
          "GET", "http://gw/api/v1/sessions/s1/contacts/62811", "");
}

static void test_answers(void **state)
{
    static const struct {
        int status;
        const char *body;
        bool ok;
        const char *message;
    } cases[] = {
        {200, "{\"success\":true,\"data\":{},\"message\":\"Made\"}", true,
         "Made"},
        {201, "{\"data\":{\"id\":1}}", true, "Success"},
        {200, "{\"success\":false,\"message\":\"No\"}", false, "No"},
        {400, "{\"success\":true,\"error\":{\"message\":\"Why\"}}", false,
         "Why"},
        {200, "<html>", false, "The gateway refused."},
        {0, "", false, "The gateway gives no answer."},
    };
    gw_answer_t a;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gw_waapi.session_reply(cases[i].status, cases[i].body,
                               strlen(cases[i].body), &a);
        assert_int_equal(a.ok, cases[i].ok);
        assert_string_equal(a.message, cases[i].message);
    }
}

static void test_status(void **state)
{
    static const char seed[] = "{\"data\":{\"status\":\"open\"}}";
    static const char v1[] = "{\"success\":true,\"data\":{\"session_id\":"
                             "\"s1\",\"state\":\"qr\",\"phone\":\"62812\"}}";
    static const char none[] = "{\"success\":true,\"data\":{}}";
    gw_answer_t a;
    gw_session_t s;
    (void)state;
    gw_waapi.status_reply(200, seed, sizeof(seed) - 1, &a, &s);
    assert_true(a.ok);
    assert_string_equal(s.status, "open");
    gw_waapi.status_reply(200, v1, sizeof(v1) - 1, &a, &s);
    assert_string_equal(s.id, "s1");
    assert_string_equal(s.status, "qr");
    assert_string_equal(s.phone, "62812");
    gw_waapi.status_reply(200, none, sizeof(none) - 1, &a, &s);
    assert_false(a.ok);
    gw_waapi.status_reply(500, "", 0, &a, &s);
    assert_false(a.ok);
    assert_string_equal(s.status, "");
}

static void on_session(void *arg, const gw_session_t *s)
{
    buf_t *ids = arg;
    buf_adds(ids, s->id);
    buf_addc(ids, ' ');
}

static void test_list(void **state)
{
    static const char list[] =
        "{\"data\":[{\"id\":\"a\",\"status\":\"open\"},{\"id\":\"b\"},7,"
        "{\"session_id\":\"c\",\"status\":\"qr\"}]}";
    buf_t ids;
    (void)state;
    buf_init(&ids, 0);
    assert_true(
        gw_waapi.list_reply(200, list, sizeof(list) - 1, on_session, &ids));
    assert_string_equal(ids.data, "a c ");
    assert_false(gw_waapi.list_reply(200, "{}", 2, on_session, &ids));
    assert_false(gw_waapi.list_reply(500, "[]", 2, on_session, &ids));
    buf_free(&ids);
}

static void qr(const char *body, const char *expected)
{
    gw_answer_t a;
    buf_t out;
    buf_init(&out, 0);
    gw_waapi.qr_reply(200, body, strlen(body), &a, &out);
    assert_true(a.ok);
    assert_string_equal(out.data, expected);
    buf_free(&out);
}

static void test_qr(void **state)
{
    gw_answer_t a;
    buf_t out;
    (void)state;
    qr("{\"data\":{\"qr\":\"data:image/png;base64,AA\"}}",
       "{\"qr_code\":\"data:image/png;base64,AA\",\"qr\":null,"
       "\"pairing_code\":null,\"expires_at\":null}");
    qr("{\"data\":{\"qr\":\"2@text\",\"qr_code\":\"data:image/png;base64,B\","
       "\"expires_at\":\"2026-01-01T00:00:00Z\"}}",
       "{\"qr_code\":\"data:image/png;base64,B\",\"qr\":\"2@text\","
       "\"pairing_code\":null,\"expires_at\":\"2026-01-01T00:00:00Z\"}");
    qr("{\"data\":\"2@raw\"}", "{\"qr_code\":null,\"qr\":\"2@raw\","
                               "\"pairing_code\":null,\"expires_at\":null}");
    buf_init(&out, 0);
    gw_waapi.qr_reply(404, "{\"message\":\"None\"}", 18, &a, &out);
    assert_false(a.ok);
    assert_string_equal(a.message, "None");
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void test_contact(void **state)
{
    static const char full[] =
        "{\"data\":{\"pushName\":\"Budi\",\"jid\":\"62811@s.whatsapp.net\","
        "\"exists\":true,\"url\":\"https://x/p.jpg\"}}";
    static const char bad[] = "{\"data\":{\"url\":\"javascript:1\"}}";
    gw_answer_t a;
    gw_contact_t c;
    (void)state;
    gw_waapi.contact_reply(200, full, sizeof(full) - 1, &a, &c);
    assert_true(a.ok && c.told && c.registered);
    assert_string_equal(c.name, "Budi");
    assert_string_equal(c.jid, "62811@s.whatsapp.net");
    assert_string_equal(c.picture, "https://x/p.jpg");
    gw_waapi.contact_reply(200, bad, sizeof(bad) - 1, &a, &c);
    assert_true(a.ok);
    assert_false(c.told);
    assert_string_equal(c.picture, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests), cmocka_unit_test(test_answers),
        cmocka_unit_test(test_status),   cmocka_unit_test(test_list),
        cmocka_unit_test(test_qr),       cmocka_unit_test(test_contact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
