/* The driver waapi: what its webhooks say, and what of them is kept. */
#include "gateway/gateway.h"

#include <dirent.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

/* ---- memory ---- */

static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

/* What a batch of a thousand holds is what they say, not all they brought. */
static void keeps_only_what_is_told(void **state)
{
    enum { MUCH = 1 << 20 };
    static char body[MUCH + 400];
    char reason[200];
    gw_events_t ev;
    size_t before;
    int n = snprintf(body, sizeof(body),
                     "{\"event\":\"message.received\",\"data\":{\"from\":"
                     "\"6281333000111\",\"message\":\"isi\",\"id\":"
                     "\"3EB0\",\"thumbnail\":\"");

    (void)state;
    memset(body + n, 'x', MUCH);
    memcpy(body + n + MUCH, "\"}}", sizeof("\"}}"));
    before = in_use();
    assert_int_equal(parse(body, NULL, NULL, &ev, reason, sizeof(reason)),
                     WERR_OK);
    assert_true(in_use() < before + 4096);
    assert_string_equal(ev.items[0].text, "isi");
    assert_string_equal(ev.items[0].phone, "6281333000111");
    assert_string_equal(ev.items[0].wa_id, "3EB0");
    assert_string_equal(ev.items[0].name, "message.received");
    gw_events_free(&ev);
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

static void drivers(void **state)
{
    (void)state;
    assert_ptr_equal(gw_driver("waapi"), &gw_waapi);
    assert_null(gw_driver("carrier-pigeon"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers),
        cmocka_unit_test(own_payloads),
        cmocka_unit_test(samples),
        cmocka_unit_test(not_json),
        cmocka_unit_test(query_sessions),
        cmocka_unit_test(redacts),
        cmocka_unit_test(keeps_only_what_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
