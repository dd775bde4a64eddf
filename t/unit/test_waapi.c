#include "gateway/gateway.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static const char *const kinds[] = {
    [GW_MESSAGE] = "message",   [GW_STATUS] = "status",
    [GW_REACTION] = "reaction", [GW_EDIT] = "edit",
    [GW_DELETE] = "delete",     [GW_TYPING] = "typing",
    [GW_SESSION] = "session",   [GW_QR] = "qr",
    [GW_ALIAS] = "alias",       [GW_OTHER] = "other",
};

static spool_str_t str(const char *s)
{
    spool_str_t v = {s, s ? strlen(s) : 0};

    return v;
}

static spool_record_t record(const char *body, const char *event,
                             const char *query)
{
    spool_record_t rec;

    memset(&rec, 0, sizeof(rec));
    rec.version = 1;
    rec.source = str("main");
    rec.body = str(body);
    rec.query = str(query ? query : "");
    if (event) {
        rec.headers[0].name = str("x-webhook-event");
        rec.headers[0].value = str(event);
        rec.nheaders = 1;
    }
    return rec;
}

static int parse(const char *body, const char *event, const char *query,
                 gw_events_t *out, char *reason, size_t size)
{
    spool_record_t rec = record(body, event, query);

    reason[0] = '\0';
    return gw_waapi.parse(&rec, out, reason, size);
}

/* ---- own payloads, each with the normal form that it must become ---- */

static const char *text_of(const gw_event_t *e, const char *key)
{
    const struct {
        const char *key, *value;
    } fields[] = {
        {"kind", kinds[e->kind]},
        {"session", e->session},
        {"wa_id", e->wa_id},
        {"chat", e->chat},
        {"phone", e->phone},
        {"alias", e->alias},
        {"push_name", e->push_name},
        {"type", e->type},
        {"text", e->text},
        {"media_url", e->media_url},
        {"media_mime", e->media_mime},
        {"media_name", e->media_name},
        {"reply_to", e->reply_to},
        {"status", e->status},
        {"error_code", e->error_code},
        {"error_title", e->error_title},
        {"emoji", e->emoji},
        {"session_phone", e->session_phone},
        {"name", e->name},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].key, key) == 0) {
            return fields[i].value;
        }
    }
    fail_msg("no field %s", key);
    return NULL;
}

static int64_t number_of(const gw_event_t *e, const char *key)
{
    if (strcmp(key, "ts") == 0) {
        return e->ts;
    }
    if (strcmp(key, "media_size") == 0) {
        return e->media_size;
    }
    fail_msg("no number %s", key);
    return 0;
}

static bool flag_of(const gw_event_t *e, const char *key)
{
    if (strcmp(key, "from_me") == 0) {
        return e->from_me;
    }
    if (strcmp(key, "group") == 0) {
        return e->group;
    }
    if (strcmp(key, "typing") == 0) {
        return e->typing;
    }
    fail_msg("no flag %s", key);
    return false;
}

static void compare(const char *file, const gw_event_t *e, json_t *want)
{
    const char *key;
    json_t *v;

    json_object_foreach(want, key, v)
    {
        if (json_is_boolean(v)) {
            if (flag_of(e, key) != json_is_true(v)) {
                fail_msg("%s: %s is %d", file, key, flag_of(e, key));
            }
        } else if (json_is_integer(v)) {
            if (number_of(e, key) != json_integer_value(v)) {
                fail_msg("%s: %s is %lld", file, key,
                         (long long)number_of(e, key));
            }
        } else {
            const char *is = text_of(e, key);
            const char *must = json_string_value(v);

            if (!is != !must || (is && strcmp(is, must) != 0)) {
                fail_msg("%s: %s is %s", file, key, is ? is : "NULL");
            }
        }
    }
}

static void check_file(const char *file, json_t *root)
{
    char *body = json_dumps(json_object_get(root, "body"), JSON_COMPACT);
    json_t *want = json_object_get(root, "want");
    char reason[200];
    gw_events_t ev;
    int rc;

    assert_non_null(body);
    rc = parse(body, json_string_value(json_object_get(root, "event_header")),
               json_string_value(json_object_get(root, "query")), &ev, reason,
               sizeof(reason));
    free(body);
    if (json_is_string(want)) {
        assert_int_equal(rc, WERR_INVALID);
        assert_string_equal(reason, json_string_value(want));
        assert_null(ev.items);
        return;
    }
    if (rc != WERR_OK) {
        fail_msg("%s: %s", file, reason);
    }
    assert_int_equal(ev.n, 1);
    if (ev.items[0].kind == GW_MESSAGE) {
        assert_non_null(ev.items[0].text);
        assert_non_null(ev.items[0].type);
    }
    compare(file, ev.items, want);
    gw_events_free(&ev);
}

typedef void (*file_fn)(const char *name, const char *path);

static int each_file(const char *dir, file_fn fn)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char path[1024];
    int n = 0;

    if (!d) {
        return 0;
    }
    while ((entry = readdir(d)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');

        if (!dot || strcmp(dot, ".json") != 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        fn(entry->d_name, path);
        n++;
    }
    closedir(d);
    return n;
}

static void check_own(const char *name, const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);

    if (!root) {
        fail_msg("%s: %s", path, error.text);
    }
    check_file(name, root);
    json_decref(root);
}

static void own_payloads(void **state)
{
    const char *dir = getenv("WACRM_DATA");
    char path[1000];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/waapi", dir ? dir : "t/data");
    assert_true(each_file(path, check_own) > 60);
}

/* ---- samples of others, where they are at hand: all must be understood */

static char *slurp(const char *path)
{
    char *text = calloc(1, 65536);
    FILE *f = fopen(path, "r");

    assert_non_null(text);
    assert_non_null(f);
    assert_true(fread(text, 1, 65535, f) > 0);
    (void)fclose(f);
    return text;
}

static void check_sample(const char *name, const char *path)
{
    char event[128] = "", reason[200];
    const char *from = strstr(name, "__");
    char *text = slurp(path);
    gw_events_t ev;
    int rc;

    /* the name tells the event: v2-flat__message.received-image.json */
    assert_non_null(from);
    (void)snprintf(event, sizeof(event), "%.*s",
                   (int)strcspn(from + 2, "-") < (int)strlen(from + 2) - 5
                       ? (int)strcspn(from + 2, "-")
                       : (int)strlen(from + 2) - 5,
                   from + 2);
    rc = parse(text, event, NULL, &ev, reason, sizeof(reason));
    if (rc != WERR_OK) {
        fail_msg("%s: %s", name, reason);
    }
    assert_string_equal(ev.items[0].name, event);
    if (strcmp(event, "webhook.test") != 0) {
        assert_int_not_equal(ev.items[0].kind, GW_OTHER);
    }
    if (strcmp(event, "message.received") == 0) {
        assert_int_equal(ev.items[0].kind, GW_MESSAGE);
        assert_string_equal(ev.items[0].phone, "6281234567890");
        assert_true(ev.items[0].text[0] != '\0');
        assert_true(ev.items[0].ts > 0);
    }
    gw_events_free(&ev);
    free(text);
}

static void samples(void **state)
{
    const char *dir = getenv("WACRM_SAMPLES");
    char path[1000];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/waapi-seed",
                   dir ? dir : "../shared/gateway-samples");
    if (each_file(path, check_sample) == 0) {
        skip();
    }
}

static void not_json(void **state)
{
    char reason[200];
    gw_events_t ev;

    (void)state;
    assert_int_equal(
        parse("{\"event\":", NULL, NULL, &ev, reason, sizeof(reason)),
        WERR_INVALID);
    assert_true(reason[0] != '\0');
    assert_null(ev.items);
    /* cut at any byte: an error, never more */
    for (size_t n = 0; n < 90; n++) {
        char cut[100];

        (void)snprintf(cut, sizeof(cut), "%.*s", (int)n,
                       "{\"event\":\"message.received\",\"data\":{\"from\":"
                       "\"6281333000111\",\"message\":\"x\",\"id\":\"3EB0\"}}");
        if (parse(cut, NULL, NULL, &ev, reason, sizeof(reason)) == WERR_OK) {
            gw_events_free(&ev);
        }
    }
}

static void query_sessions(void **state)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"session=a", "a"},
        {"x=1&session=a%2Fb+c&y=2", "a/b c"},
        {"mysession=a", NULL},
        {"session=", NULL},
        {"session=%00", NULL},
        {"session=%4", "%4"},
        {"", NULL},
        {"&&session=z", "z"},
    };
    char reason[200];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        gw_events_t ev;

        assert_int_equal(parse("{\"event\":\"x\"}", NULL, cases[i].query, &ev,
                               reason, sizeof(reason)),
                         WERR_OK);
        if (cases[i].want) {
            assert_string_equal(ev.items[0].session, cases[i].want);
        } else {
            assert_null(ev.items[0].session);
        }
        gw_events_free(&ev);
    }
}

/* ---- redaction ---- */

static void redacts(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"{\"data\":{\"qr\":\"2@abc\",\"n\":1}}",
         "{\"data\":{\"qr\":\"*****\",\"n\":1}}"},
        {"{\"qr_code\" : \"a\\\"b\"}", "{\"qr_code\" : \"****\"}"},
        {"{\"event\":\"pairing.code_generated\",\"data\":{\"code\":\"AB12\"}}",
         "{\"event\":\"pairing.code_generated\",\"data\":{\"code\":\"****\"}}"},
        {"{\"code\":\"NOT_FOUND\"}", "{\"code\":\"NOT_FOUND\"}"},
        {"{\"apikey\":\"k\",\"token\":null,\"text\":\"qr\"}",
         "{\"apikey\":\"*\",\"token\":null,\"text\":\"qr\"}"},
        {"{\"text\":\"\\\"qr\\\":\\\"no\\\"\"}",
         "{\"text\":\"\\\"qr\\\":\\\"no\\\"\"}"},
        {"{\"qr\":\"unfinished", "{\"qr\":\"**********"},
        {"{\"qr\":", "{\"qr\":"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[200];

        (void)snprintf(body, sizeof(body), "%s", cases[i].in);
        gw_waapi.redact(body, strlen(body));
        assert_string_equal(body, cases[i].want);
    }
}

/* ---- requests and answers ---- */

static const gateway_account_t account = {
    .name = "main",
    .driver = "waapi",
    .base_url = "http://gw.example/api/v1",
    .email = "cs@example.org",
    .password = "pa\"ss",
    .timeout_s = 30,
};

static void requests(void **state)
{
    gw_send_t s = {.session = "a/b ?",
                   .phone = "6281333000111",
                   .type = "text",
                   .text = "Halo \"Ibu\"\n🙏"};
    gw_request_t r;

    (void)state;
    gw_request_init(&r);
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_OK);
    assert_string_equal(r.method, "POST");
    assert_true(r.authorised);
    assert_string_equal(
        r.url.data,
        "http://gw.example/api/v1/sessions/a%2Fb%20%3F/messages/text");
    assert_string_equal(r.body.data, "{\"phone\":\"6281333000111\",\"message\":"
                                     "\"Halo \\\"Ibu\\\"\\n🙏\"}");
    gw_request_free(&r);

    gw_request_init(&r);
    s.type = "image";
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_INVALID);
    s.media = "https://crm.example/a";
    s.text = "";
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_OK);
    assert_string_equal(
        r.url.data,
        "http://gw.example/api/v1/sessions/a%2Fb%20%3F/messages/image");
    assert_string_equal(r.body.data,
                        "{\"phone\":\"6281333000111\",\"image\":"
                        "\"https://crm.example/a\",\"caption\":\"\"}");
    gw_request_free(&r);

    gw_request_init(&r);
    s.type = "document";
    s.filename = "a.pdf";
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_OK);
    assert_string_equal(r.body.data,
                        "{\"phone\":\"6281333000111\",\"document\":"
                        "\"https://crm.example/a\",\"filename\":\"a.pdf\"}");
    gw_request_free(&r);

    gw_request_init(&r);
    s.type = "video";
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_INVALID);
    s.type = "text";
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_INVALID);
    s.text = "Halo";
    s.session = "..";
    assert_int_equal(gw_waapi.send(&account, &s, &r), WERR_OK);
    assert_string_equal(
        r.url.data, "http://gw.example/api/v1/sessions/%2E%2E/messages/text");
    gw_request_free(&r);

    gw_request_init(&r);
    assert_int_equal(gw_waapi.mark_read(&account, "s1", "6281333000111", &r),
                     WERR_OK);
    assert_string_equal(r.url.data,
                        "http://gw.example/api/v1/sessions/s1/chats/"
                        "6281333000111%40s.whatsapp.net/read");
    assert_int_equal(r.body.len, 0);
    gw_request_free(&r);

    gw_request_init(&r);
    s.session = "s1";
    s.phone = "99001122334455@lid";
    assert_int_equal(gw_waapi.lookup(&account, &s, &r), WERR_OK);
    assert_string_equal(r.method, "GET");
    assert_string_equal(r.url.data,
                        "http://gw.example/api/v1/sessions/s1/messages"
                        "?chatId=99001122334455%40lid&limit=50");
    gw_request_free(&r);

    gw_request_init(&r);
    assert_int_equal(gw_waapi.login(&account, &r), WERR_OK);
    assert_false(r.authorised);
    assert_string_equal(r.url.data, "http://gw.example/api/v1/auth/login");
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

static bool known_id(void *arg, const char *wa_id)
{
    return strcmp(wa_id, arg) == 0;
}

#define LINE(id, me, text, ts)                                          \
    "{\"message_id\":\"" id "\",\"from_me\":" me ",\"content\":\"" text \
    "\",\"timestamp\":" ts "}"

static void lookups(void **state)
{
    static char known[] = "3EB0KNOWN";
    static const struct {
        int status;
        const char *body;
        gw_found_t found;
        const char *wa_id;
    } cases[] = {
        {200, "{\"data\":[" LINE("3EB0FOUND", "true", "hi", "1772503200") "]}",
         GW_FOUND, "3EB0FOUND"},
        {200,
         "{\"data\":{\"messages\":[" LINE("3EB0FOUND", "true", "hi",
                                          "1772503200") "]}}",
         GW_FOUND, "3EB0FOUND"},
        /* belongs to an earlier message of the same text */
        {200, "{\"data\":[" LINE("3EB0KNOWN", "true", "hi", "1772503200") "]}",
         GW_ABSENT, ""},
        {200, "{\"data\":[" LINE("3EB0OTHER", "false", "hi", "1772503200") "]}",
         GW_ABSENT, ""},
        {200, "{\"data\":[" LINE("3EB0OTHER", "true", "ho", "1772503200") "]}",
         GW_ABSENT, ""},
        /* too old to be it */
        {200, "{\"data\":[" LINE("3EB0OTHER", "true", "hi", "1772500000") "]}",
         GW_ABSENT, ""},
        /* the long form of an id */
        {200,
         "{\"data\":[" LINE("true_6281@c.us_3EB0KNOWN", "true", "hi",
                            "1772503200") "]}",
         GW_ABSENT, ""},
        {200,
         "{\"data\":[" LINE("true_6281@c.us_3EB0FOUND", "true", "hi",
                            "1772503200") "]}",
         GW_FOUND, "3EB0FOUND"},
        /* without an id it may be the earlier one */
        {200,
         "{\"data\":[" LINE("0b0e3c9a-7c1f-4f53-9d0c-2f6a3b1c4d5e", "true",
                            "hi", "1772503200") "]}",
         GW_NOT_TOLD, ""},
        {200, "{\"data\":[]}", GW_NOT_TOLD, ""},
        {200, "{\"data\":[{\"content\":\"hi\"}]}", GW_NOT_TOLD, ""},
        {200, "<html>", GW_NOT_TOLD, ""},
        {404, "{\"data\":[]}", GW_NOT_TOLD, ""},
        {500, "", GW_NOT_TOLD, ""},
    };
    gw_lookup_t l = {.text = "hi",
                     .since = INT64_C(1772503150000),
                     .known = known_id,
                     .arg = known};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wa_id[64];

        assert_int_equal(gw_waapi.lookup_reply(cases[i].status, cases[i].body,
                                               strlen(cases[i].body), &l, wa_id,
                                               sizeof(wa_id)),
                         cases[i].found);
        assert_string_equal(wa_id, cases[i].wa_id);
    }
}

/* A file's line may show its name or nothing: found is an echo's work. */
static void lookups_of_files(void **state)
{
    static char known[] = "3EB0KNOWN";
    static const struct {
        const char *body;
        gw_found_t found;
    } cases[] = {
        {"[" LINE("3EB0OTHER", "true", "a.pdf", "1772503200") "]", GW_NOT_TOLD},
        {"[" LINE("3EB0OTHER", "true", "", "1772503200") "]", GW_NOT_TOLD},
        {"[" LINE("3EB0KNOWN", "true", "", "1772503200") "]", GW_ABSENT},
        {"[" LINE("3EB0OTHER", "false", "", "1772503200") "]", GW_ABSENT},
        {"[{\"type\":\"text\",\"content\":\"a\",\"from_me\":true,"
         "\"timestamp\":1772503200}]",
         GW_ABSENT},
    };
    gw_lookup_t l = {.type = "document",
                     .text = "",
                     .since = INT64_C(1772503150000),
                     .known = known_id,
                     .arg = known};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wa_id[64];

        assert_int_equal(gw_waapi.lookup_reply(200, cases[i].body,
                                               strlen(cases[i].body), &l, wa_id,
                                               sizeof(wa_id)),
                         cases[i].found);
    }
}

static void drivers(void **state)
{
    (void)state;
    assert_ptr_equal(gw_driver("waapi"), &gw_waapi);
    assert_null(gw_driver("carrier-pigeon"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers),          cmocka_unit_test(own_payloads),
        cmocka_unit_test(samples),          cmocka_unit_test(not_json),
        cmocka_unit_test(query_sessions),   cmocka_unit_test(redacts),
        cmocka_unit_test(requests),         cmocka_unit_test(send_replies),
        cmocka_unit_test(login_replies),    cmocka_unit_test(lookups),
        cmocka_unit_test(lookups_of_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
