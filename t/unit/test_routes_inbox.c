/* routes: the inbox: shape, scope, pages, filters, ETags. */
#include "routes_fixture.h"

#include "base/clock.h"
#include "domain/donor_import.h"

static size_t count(const char *target, int64_t user)
{
    json_t *json = get(target, user, 200);
    json_t *list = json_object_get(json, "conversations");
    assert_true(json_is_array(list));
    size_t n = json_array_size(list);
    json_decref(json);
    return n;
}

static void test_inbox_shape(void **state)
{
    (void)state;
    int64_t chat =
        hear(mine, "6281234567890", "Assalamualaikum", INT64_C(1772337906000));
    json_t *json = get("/api/crm/inbox", CS, 200);
    assert_true(json_is_true(json_object_get(json, "success")));
    json_t *meta = json_object_get(json, "meta");
    assert_true(json_is_false(json_object_get(meta, "hasMore")));
    assert_true(json_is_null(json_object_get(meta, "next")));
    json_t *c = json_array_get(json_object_get(json, "conversations"), 0);
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)chat);
    assert_string_equal(str(c, "id"), id);
    assert_string_equal(str(c, "name"), "Budi");
    assert_string_equal(str(c, "phone"), "6281234567890");
    assert_string_equal(str(c, "session_id"), "one");
    assert_string_equal(str(c, "last_message"), "Assalamualaikum");
    assert_string_equal(str(c, "timestamp"), "2026-03-01T04:05:06Z");
    assert_int_equal(json_integer_value(json_object_get(c, "unread_count")), 1);
    json_decref(json);
}

static void test_inbox_scope(void **state)
{
    (void)state;
    hear(mine, "6281111111111", "a", 1000000);
    hear(theirs, "6282222222222", "b", 2000000);
    assert_int_equal(count("/api/crm/inbox", CS), 1);
    assert_int_equal(count("/api/crm/inbox?session_id=*", CS), 1);
    assert_int_equal(count("/api/crm/inbox?session_id=one", CS), 1);
    json_decref(get("/api/crm/inbox?session_id=two", CS, 404));
    json_decref(get("/api/crm/inbox?session_id=none", BOSS, 404));
    assert_int_equal(count("/api/crm/inbox?session_id=*", BOSS), 2);
    assert_int_equal(count("/api/crm/inbox", BOSS), 2);
    assert_int_equal(count("/api/crm/inbox?session_id=two", BOSS), 1);
    assert_int_equal(web_status(&web, "GET", "/api/crm/inbox", CS,
                                "X-Session-Id: two\r\n", NULL),
                     404);
}

static void test_inbox_input(void **state)
{
    static const char *const bad[] = {"limit=0",    "limit=201",   "limit=-1",
                                      "limit=x",    "limit=",      "limit=1.5",
                                      "before=x",   "before=1",    "before=-",
                                      "before=1-0", "before=1-2-3"};
    char target[80];
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(target, sizeof(target), "/api/crm/inbox?%s", bad[i]);
        json_t *json = get(target, CS, 422);
        assert_int_equal(json_object_size(json_object_get(json, "errors")), 1);
        json_decref(json);
    }
    assert_int_equal(count("/api/crm/inbox?filter=nonsense&limit=200", CS), 0);
}

static void test_inbox_pages(void **state)
{
    char phone[24], target[120], seen[7] = "";
    (void)state;
    for (int i = 0; i < 5; i++) {
        snprintf(phone, sizeof(phone), "628300000000%d", i);
        hear(mine, phone, "hi", 1000000 + i / 2 * 1000); /* equal times too */
    }
    snprintf(target, sizeof(target), "/api/crm/inbox?limit=2");
    for (int page = 0; page < 3; page++) {
        json_t *json = get(target, CS, 200);
        json_t *list = json_object_get(json, "conversations");
        json_t *meta = json_object_get(json, "meta");
        size_t n = json_array_size(list);
        assert_int_equal(n, page < 2 ? 2 : 1);
        for (size_t i = 0; i < n; i++) {
            const char *p = str(json_array_get(list, i), "phone");
            size_t len = strlen(seen);
            assert_null(strchr(seen, p[12]));
            seen[len] = p[12];
            seen[len + 1] = '\0';
        }
        assert_int_equal(json_is_true(json_object_get(meta, "hasMore")),
                         page < 2);
        snprintf(target, sizeof(target), "/api/crm/inbox?limit=2&before=%s",
                 str(meta, "next"));
        json_decref(json);
    }
    assert_int_equal(strlen(seen), 5);
}

static void test_inbox_filter_and_search(void **state)
{
    char target[64];
    (void)state;
    int64_t chat = hear(mine, "6281111111111", "zakat", 1000000);
    hear(mine, "6282222222222", "qurban", 2000000);
    assert_int_equal(count("/api/crm/inbox?search=zak", CS), 1);
    assert_int_equal(count("/api/crm/inbox?search=%25", CS), 0);
    assert_int_equal(count("/api/crm/inbox?search=", CS), 2);
    assert_int_equal(count("/api/crm/inbox?filter=unread", CS), 2);
    assert_int_equal(count("/api/crm/inbox?filter=starred", CS), 0);

    snprintf(target, sizeof(target), "/api/crm/inbox/%lld/read",
             (long long)chat);
    json_t *json = post(target, CS, "", NULL, 200);
    assert_int_equal(json_integer_value(json_object_get(json, "unread_count")),
                     0);
    json_decref(json);
    assert_int_equal(count("/api/crm/inbox?filter=unread", CS), 1);

    snprintf(target, sizeof(target), "/api/crm/inbox/%lld/star",
             (long long)chat);
    json = post(target, CS, "", NULL, 200);
    assert_true(json_is_true(json_object_get(json, "is_starred")));
    json_decref(json);
    assert_int_equal(count("/api/crm/inbox?filter=starred", CS), 1);
    json = post(target, CS, "", NULL, 200);
    assert_true(json_is_false(json_object_get(json, "is_starred")));
    json_decref(json);
    assert_int_equal(count("/api/crm/inbox?filter=starred", CS), 0);
}

static void check_etag(const char *target)
{
    char tag[256], header[300];
    answer_t a;
    assert_int_equal(web_call(&web, "GET", target, CS, "", NULL, &a), 200);
    snprintf(tag, sizeof(tag), "%s", answer_header(&a, "ETag"));
    assert_string_equal(answer_header(&a, "Cache-Control"),
                        "private, no-cache");
    assert_string_equal(answer_header(&a, "Vary"), "Authorization");
    char length[24];
    snprintf(length, sizeof(length), "%zu", a.body.len);
    answer_free(&a);
    assert_true(strlen(tag) > 10);
    snprintf(header, sizeof(header), "If-None-Match: %s\r\n", tag);
    int fd = web_connect(&web);
    for (int i = 0; i < 2; i++) { /* a 304 leaves the connection usable */
        assert_true(web_request(fd, "GET", target, CS, header, NULL, 0));
        web_read(fd, true, &a);
        assert_true(strncmp(a.head, "HTTP/1.1 304", 12) == 0);
        assert_string_equal(answer_header(&a, "ETag"), tag);
        assert_string_equal(answer_header(&a, "Content-Length"), length);
        answer_free(&a);
    }
    close(fd);
    hear(mine, "6281111111111", "something new", 5000000);
    assert_int_equal(web_status(&web, "GET", target, CS, header, NULL), 200);
}

static void test_etags(void **state)
{
    char target[64];
    (void)state;
    int64_t chat = hear(mine, "6281111111111", "a", 1000000);
    check_etag("/api/crm/inbox");
    snprintf(target, sizeof(target), "/api/crm/inbox/%lld", (long long)chat);
    check_etag(target);
}

/* What changes without an event must not hide behind the cache, nor a 304. */
static json_t *first_line(void)
{
    json_t *json = get("/api/crm/inbox", CS, 200);
    json_t *line = json_array_get(json_object_get(json, "conversations"), 0);
    assert_non_null(line);
    json_incref(line);
    json_decref(json);
    return line;
}

static void import(const char *csv)
{
    donor_import_t n = {0};
    donor_import_options_t o = {0};
    FILE *in = fmemopen((void *)(uintptr_t)csv, strlen(csv), "r");
    assert_non_null(in);
    assert_int_equal(donor_import(&web.crm.domain, in, &o, &n), WERR_OK);
    assert_int_equal(n.rows, 1);
    fclose(in);
}

static int lower_vip(db_t *unused, void *arg)
{
    domain_settings_t *s = arg;
    (void)unused;
    s->vip_amount = 1000;
    return WERR_OK;
}

static const char *segment_of(const json_t *line)
{
    return json_string_value(
        json_object_get(json_object_get(line, "donatur"), "segment"));
}

static void test_changes_without_event(void **state)
{
    char csv[128], day[CLOCK_ISO_MAX];
    (void)state;
    hear(mine, "6281111111111", "a", 1000000);
    json_t *line = first_line();
    assert_string_equal(json_string_value(json_object_get(line, "name")),
                        "Budi");
    json_decref(line);

    import("phone,name\n6281111111111,Ibu Sri\n");
    line = first_line();
    assert_string_equal(json_string_value(json_object_get(line, "name")),
                        "Ibu Sri");
    json_decref(line);

    clock_iso_day(clock_day_of(clock_now_ms(), 7 * 3600), day);
    snprintf(csv, sizeof(csv), "phone,amount,date\n6281111111111,5000,%s\n",
             day);
    import(csv);
    line = first_line();
    assert_string_equal(segment_of(line), "New");
    json_decref(line);

    /* as a reload does */
    assert_int_equal(
        store_write(web.crm.store, lower_vip, &web.crm.domain.settings),
        WERR_OK);
    line = first_line();
    assert_string_equal(segment_of(line), "VIP");
    json_decref(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_inbox_shape),
        T(test_inbox_scope),
        T(test_inbox_input),
        T(test_inbox_pages),
        T(test_inbox_filter_and_search),
        T(test_etags),
        T(test_changes_without_event),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
