/* The driver waapi: requests to the gateway, and what its replies mean. */
#include "gateway/gateway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BASE  "http://gw.example/api/v1"
#define PHONE "6281333000111"

static const gateway_account_t account = {
    .name = "main",
    .driver = "waapi",
    .base_url = BASE,
    .email = "cs@example.org",
    .password = "pa\"ss",
    .timeout_s = 30,
};

static void sends(void **state)
{
    static const char linked[] = "https://crm.example/a";
    static const struct {
        gw_send_t send;
        const char *url, *body; /* NULL: refused before it is one */
    } cases[] = {
        {{.session = "a/b ?", .type = "text", .text = "Halo \"Ibu\"\n🙏"},
         "/sessions/a%2Fb%20%3F/messages/text",
         "{\"phone\":\"" PHONE "\",\"message\":\"Halo \\\"Ibu\\\"\\n🙏\"}"},
        {{.session = "a/b ?", .type = "image", .text = "Halo"}, NULL, NULL},
        {{.session = "a/b ?", .type = "image", .text = "", .media = linked},
         "/sessions/a%2Fb%20%3F/messages/image",
         "{\"phone\":\"" PHONE "\",\"image\":\"https://crm.example/a\","
         "\"caption\":\"\"}"},
        {{.session = "s1",
          .type = "document",
          .text = "",
          .media = linked,
          .filename = "a.pdf"},
         "/sessions/s1/messages/document",
         "{\"phone\":\"" PHONE "\",\"document\":\"https://crm.example/a\","
         "\"filename\":\"a.pdf\"}"},
        {{.session = "s1", .type = "video", .text = "", .media = linked},
         NULL,
         NULL},
        {{.session = "s1", .type = "text", .text = "", .media = linked},
         NULL,
         NULL},
        {{.session = "..", .type = "text", .text = "Halo"},
         "/sessions/%2E%2E/messages/text",
         "{\"phone\":\"" PHONE "\",\"message\":\"Halo\"}"},
    };
    gw_request_t r;

    (void)state;
    gw_request_init(&r);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gw_send_t s = cases[i].send;

        s.phone = PHONE;
        if (cases[i].url == NULL) {
            /* What was refused leaves r fit for the next one. */
            assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_INVALID);
            continue;
        }
        assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_OK);
        assert_string_equal(r.method, "POST");
        assert_true(r.authorised);
        assert_memory_equal(r.url.data, BASE, strlen(BASE));
        assert_string_equal(r.url.data + strlen(BASE), cases[i].url);
        assert_string_equal(r.body.data, cases[i].body);
        gw_request_free(&r);
        gw_request_init(&r);
    }
    gw_request_free(&r);
}

static void read_receipt(void **state)
{
    gw_request_t r;

    (void)state;
    gw_request_init(&r);
    assert_int_equal(gw_waapi.mark_read(&account, "s1", PHONE, &r), WERR_OK);
    assert_string_equal(r.url.data, BASE "/sessions/s1/chats/" PHONE
                                         "%40s.whatsapp.net/read");
    assert_int_equal(r.body.len, 0);
    gw_request_free(&r);
}

static void lookup(void **state)
{
    gw_send_t s = {.session = "s1",
                   .phone = "99001122334455@lid",
                   .type = "text",
                   .text = "Halo"};
    gw_request_t r;

    (void)state;
    gw_request_init(&r);
    assert_int_equal(gw_waapi.lookup(&account, &s, &r), WERR_OK);
    assert_string_equal(r.method, "GET");
    assert_string_equal(r.url.data, BASE "/sessions/s1/messages"
                                         "?chatId=99001122334455%40lid"
                                         "&limit=50");
    gw_request_free(&r);
}

static void login(void **state)
{
    gw_request_t r;

    (void)state;
    gw_request_init(&r);
    assert_int_equal(gw_waapi.login(&account, &r), WERR_OK);
    assert_false(r.authorised);
    assert_string_equal(r.url.data, BASE "/auth/login");
    assert_string_equal(
        r.body.data,
        "{\"email\":\"cs@example.org\",\"password\":\"pa\\\"ss\"}");
    gw_request_free(&r);
}

static void send_replies(void **state)
{
    static const struct {
        int status;
        const char *body;
        gw_outcome_t outcome;
        const char *wa_id, *code;
        int retry_after;
    } cases[] = {
        {200, "{\"success\":true,\"data\":{\"message_id\":\"3EB0C0FFEE01\"}}",
         GW_ACCEPTED, "3EB0C0FFEE01", "", 0},
        {201, "{\"data\":{\"key\":{\"id\":\"3EB0C0FFEE01\"}}}", GW_ACCEPTED,
         "3EB0C0FFEE01", "", 0},
        {200,
         "{\"success\":true,\"data\":{\"id\":"
         "\"0b7b9a53-3f6d-4d0e-8a43-2f1d2f7c9a10\"}}",
         GW_ACCEPTED, "", "", 0},
        {200, "{\"success\":true}", GW_ACCEPTED, "", "", 0},
        {200, "{\"success\":false,\"message\":\"not on WhatsApp\"}", GW_REFUSED,
         "", "200", 0},
        {200, "<html>", GW_UNKNOWN, "", "answer", 0},
        {302, "", GW_RETRY, "", "302", 0},
        {400, "{\"message\":\"phone is not valid\"}", GW_REFUSED, "", "400", 0},
        {401, "", GW_UNAUTHORISED, "", "401", 0},
        {404, "<html>", GW_REFUSED, "", "404", 0},
        {408, "", GW_UNKNOWN, "", "408", 0},
        {422, "{\"error\":{\"code\":\"VALIDATION_ERROR\",\"message\":\"m\"}}",
         GW_REFUSED, "", "VALIDATION_ERROR", 0},
        {425, "", GW_RETRY, "", "425", 0},
        {429, "{\"retryAfter\":12}", GW_RETRY, "", "429", 12},
        {500, "", GW_UNKNOWN, "", "500", 0},
        {502, "", GW_UNKNOWN, "", "502", 0},
        {503, "", GW_RETRY, "", "503", 0},
        {504, "", GW_UNKNOWN, "", "504", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gw_reply_t r;

        gw_waapi.send_reply(cases[i].status, cases[i].body,
                            strlen(cases[i].body), &r);
        assert_int_equal(r.outcome, cases[i].outcome);
        assert_string_equal(r.wa_id, cases[i].wa_id);
        assert_string_equal(r.code, cases[i].code);
        assert_int_equal(r.retry_after_s, cases[i].retry_after);
        assert_true(r.outcome == GW_ACCEPTED || r.reason[0] != '\0');
    }
}

static void login_replies(void **state)
{
    static const struct {
        const char *body, *token;
    } cases[] = {
        {"{\"data\":{\"token\":\"abc\"}}", "abc"},
        {"{\"token\":\"abc\"}", "abc"},
        {"{\"data\":{\"token\":\"a\\r\\nX: y\"}}", ""},
        {"{\"data\":{\"token\":\"0123456789abcdef\"}}", ""}, /* too long */
        {"{\"data\":{}}", ""},
        {"nonsense", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char token[16];

        gw_waapi.login_reply(cases[i].body, strlen(cases[i].body), token,
                             sizeof(token));
        assert_string_equal(token, cases[i].token);
    }
}

static int is_known(void *arg, const char *wa_id, bool *known)
{
    (void)arg;
    *known = strcmp(wa_id, "3EB0KNOWN") == 0;
    return strcmp(wa_id, "3EB0FAULT") == 0 ? WERR_IO : WERR_OK;
}

/* What that answer says of a message of this type and text. */
static gw_found_t look_up(const char *type, const char *text, int status,
                          const char *body, char wa_id[64])
{
    const gw_lookup_t l = {.type = type,
                           .text = text,
                           .since = INT64_C(1772503150000),
                           .known = is_known};

    return gw_waapi.lookup_reply(status, body, strlen(body), &l, wa_id, 64);
}

#define LINE(id, me, text, ts)                                          \
    "{\"message_id\":\"" id "\",\"from_me\":" me ",\"content\":\"" text \
    "\",\"timestamp\":" ts "}"

/* A list of nothing else. */
#define ONLY(id, me, text, ts) "{\"data\":[" LINE(id, me, text, ts) "]}"

static const struct {
    int status;
    const char *body;
    gw_found_t found;
    const char *wa_id;
} answers[] = {
    {200, ONLY("3EB0FOUND", "true", "hi", "1772503200"), GW_FOUND, "3EB0FOUND"},
    {200,
     "{\"data\":{\"messages\":[" LINE("3EB0FOUND", "true", "hi",
                                      "1772503200") "]}}",
     GW_FOUND, "3EB0FOUND"},
    /* belongs to an earlier message of the same text */
    {200, ONLY("3EB0KNOWN", "true", "hi", "1772503200"), GW_ABSENT, ""},
    {200, ONLY("3EB0OTHER", "false", "hi", "1772503200"), GW_ABSENT, ""},
    {200, ONLY("3EB0OTHER", "true", "ho", "1772503200"), GW_ABSENT, ""},
    /* too old to be it */
    {200, ONLY("3EB0OTHER", "true", "hi", "1772500000"), GW_ABSENT, ""},
    /* the long form of an id */
    {200, ONLY("true_6281@c.us_3EB0KNOWN", "true", "hi", "1772503200"),
     GW_ABSENT, ""},
    {200, ONLY("true_6281@c.us_3EB0FOUND", "true", "hi", "1772503200"),
     GW_FOUND, "3EB0FOUND"},
    /* without an id it may be the earlier one */
    {200,
     ONLY("0b0e3c9a-7c1f-4f53-9d0c-2f6a3b1c4d5e", "true", "hi", "1772503200"),
     GW_NOT_TOLD, ""},
    /* nor may this one be it, whatever else is listed */
    {200, ONLY("3EB0FAULT", "true", "hi", "1772503200"), GW_NOT_TOLD, ""},
    {200,
     "{\"data\":[" LINE("3EB0FAULT", "true", "hi", "1772503200") "," LINE(
         "3EB0FOUND", "true", "hi", "1772503200") "]}",
     GW_NOT_TOLD, ""},
    {200, "{\"data\":[]}", GW_NOT_TOLD, ""},
    {200, "{\"data\":[{\"content\":\"hi\"}]}", GW_NOT_TOLD, ""},
    {200, "<html>", GW_NOT_TOLD, ""},
    {404, "{\"data\":[]}", GW_NOT_TOLD, ""},
    {500, "", GW_NOT_TOLD, ""},
};

static void lookups(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        char wa_id[64];

        assert_int_equal(
            look_up(NULL, "hi", answers[i].status, answers[i].body, wa_id),
            answers[i].found);
        assert_string_equal(wa_id, answers[i].wa_id);
    }
}

/* A file's line may show its name or nothing: found is an echo's work. */
static void lookups_of_files(void **state)
{
    static const struct {
        const char *body;
        gw_found_t found;
    } cases[] = {
        {"[" LINE("3EB0OTHER", "true", "a.pdf", "1772503200") "]", GW_NOT_TOLD},
        {"[" LINE("3EB0OTHER", "true", "", "1772503200") "]", GW_NOT_TOLD},
        {"[" LINE("3EB0KNOWN", "true", "", "1772503200") "]", GW_ABSENT},
        {"[" LINE("3EB0FAULT", "true", "", "1772503200") "]", GW_NOT_TOLD},
        {"[" LINE("3EB0OTHER", "false", "", "1772503200") "]", GW_ABSENT},
        {"[{\"type\":\"text\",\"content\":\"a\",\"from_me\":true,"
         "\"timestamp\":1772503200}]",
         GW_ABSENT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wa_id[64];

        assert_int_equal(look_up("document", "", 200, cases[i].body, wa_id),
                         cases[i].found);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends),        cmocka_unit_test(read_receipt),
        cmocka_unit_test(lookup),       cmocka_unit_test(login),
        cmocka_unit_test(send_replies), cmocka_unit_test(login_replies),
        cmocka_unit_test(lookups),      cmocka_unit_test(lookups_of_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
