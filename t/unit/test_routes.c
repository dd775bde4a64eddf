/* routes: inbox, chat, read, star, send and retry, over a real server. */
#include "http_fixture.h"

#include <pthread.h>

#include "base/clock.h"
#include "domain/contact.h"
#include "domain/donor_import.h"
#include "domain/event.h"
#include "domain/message.h"

enum { CS = 1, OTHER_CS = 2, BOSS = 3 };

static web_t web;
static int64_t mine, theirs; /* sessions */
static db_t *db;

/* ---- what donors said ---- */

typedef struct {
    int64_t session;
    const char *phone, *alias, *name, *text, *wa_id;
    int64_t ts;
    bool from_me;
    message_ref_t ref;
} said_t;

static int receive(tx_t *tx, void *arg)
{
    said_t *s = arg;
    contact_hint_t hint = {
        .phone = s->phone, .alias = s->alias, .name = s->name, .wrote = true};
    contact_ref_t contact;
    int rc = contact_ensure(tx, &hint, &contact);
    if (rc != WERR_OK) {
        return rc;
    }
    message_in_t in = {.session = s->session,
                       .wa_id = s->wa_id,
                       .ts = s->ts,
                       .type = "text",
                       .text = s->text,
                       .from_me = s->from_me,
                       .live = true,
                       .received = s->ts};
    return message_receive(tx, contact.id, &in, &s->ref);
}

static int64_t hear(int64_t session, const char *phone, const char *text,
                    int64_t ts)
{
    static int n;
    char wa_id[32];
    snprintf(wa_id, sizeof(wa_id), "wa-%d", n++);
    said_t s = {.session = session,
                .phone = phone,
                .name = "Budi",
                .text = text,
                .wa_id = wa_id,
                .ts = ts};
    assert_int_equal(domain_write(&web.crm.domain, receive, &s), WERR_OK);
    return s.ref.chat;
}

static int setup(void **state)
{
    (void)state;
    web_open(&web);
    crm_user(&web.crm, CS, "siti", ROLE_CS, true);
    crm_user(&web.crm, OTHER_CS, "dewi", ROLE_CS, true);
    crm_user(&web.crm, BOSS, "boss", ROLE_SUPERVISOR, true);
    theirs = crm_session(&web.crm, "two", OTHER_CS);
    mine = crm_session(&web.crm, "one", CS);
    return store_reader(web.crm.store, &db);
}

static int teardown(void **state)
{
    (void)state;
    store_reader_close(&db);
    web_close(&web);
    return 0;
}

DB_QUERY(routes_everyone, "UPDATE sessions SET everyone = 0 WHERE id > 0");
DB_QUERY(routes_clear_chats, "DELETE FROM chats WHERE id > 0");
DB_QUERY(routes_clear_messages, "DELETE FROM messages WHERE id > 0");
DB_QUERY(routes_clear_outbox, "DELETE FROM outbox WHERE id > 0");
DB_QUERY(routes_clear_keys, "DELETE FROM idempotency WHERE user_id > 0");

static int clear(tx_t *tx, void *arg)
{
    const db_query_t *all[] = {&routes_clear_outbox, &routes_clear_messages,
                               &routes_clear_chats, &routes_clear_keys,
                               &routes_everyone};
    (void)arg;
    for (size_t i = 0; i < 5; i++) {
        int rc = db_exec(db_stmt(tx->db, all[i]));
        if (rc != WERR_OK) {
            return rc;
        }
    }
    return event_raise(tx, EVENT_CHAT, mine, 0, 0);
}

static int fresh(void **state)
{
    (void)state;
    return domain_write(&web.crm.domain, clear, NULL);
}

/* ---- calls ---- */

static json_t *get(const char *target, int64_t user, int status)
{
    answer_t a;
    assert_int_equal(web_call(&web, "GET", target, user, "", NULL, &a), status);
    json_t *json = answer_json(&a);
    answer_free(&a);
    return json;
}

static json_t *post(const char *target, int64_t user, const char *extra,
                    const char *body, int status)
{
    answer_t a;
    web_call(&web, "POST", target, user, extra, body, &a);
    if (a.status != status) {
        print_error("%s %s: %d %s\n", target, body != NULL ? body : "",
                    a.status, a.body.data != NULL ? a.body.data : "");
    }
    assert_int_equal(a.status, status);
    json_t *json = answer_json(&a);
    answer_free(&a);
    return json;
}

static size_t count(const char *target, int64_t user)
{
    json_t *json = get(target, user, 200);
    json_t *list = json_object_get(json, "conversations");
    assert_true(json_is_array(list));
    size_t n = json_array_size(list);
    json_decref(json);
    return n;
}

static const char *str(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s != NULL ? s : "(none)";
}

/* ---- inbox ---- */

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
    FILE *in = fmemopen((void *)(uintptr_t)csv, strlen(csv), "r");
    assert_non_null(in);
    assert_int_equal(donor_import(&web.crm.domain, in, false, NULL, NULL, &n),
                     WERR_OK);
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

/* ---- one chat ---- */

static void test_chat(void **state)
{
    char target[100];
    int64_t chat = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        chat = hear(mine, "6281111111111", i == 0 ? "first" : "later",
                    1000000 + i * 1000);
    }
    snprintf(target, sizeof(target), "/api/crm/inbox/%lld?limit=2",
             (long long)chat);
    json_t *json = get(target, CS, 200);
    json_t *list = json_object_get(json, "messages");
    assert_true(json_equal(list, json_object_get(json, "data")));
    assert_string_equal(str(json, "message"), "Success");
    assert_int_equal(json_array_size(list), 2);
    json_t *meta = json_object_get(json, "meta");
    assert_true(json_is_true(json_object_get(meta, "hasMore")));
    int64_t before = json_integer_value(json_object_get(meta, "before"));
    assert_int_equal(before, json_integer_value(json_object_get(
                                 json_array_get(list, 0), "id")));
    json_decref(json);

    snprintf(target, sizeof(target),
             "/api/crm/inbox/%lld?shape=native&before=%lld", (long long)chat,
             (long long)before);
    json = get(target, CS, 200);
    assert_null(json_object_get(json, "data"));
    list = json_object_get(json, "messages");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(str(json_array_get(list, 0), "message"), "first");
    assert_true(
        json_is_null(json_object_get(json_object_get(json, "meta"), "before")));
    json_decref(json);

    int64_t other = hear(theirs, "6282222222222", "secret", 3000000);
    snprintf(target, sizeof(target), "/api/crm/inbox/%lld?before=999999",
             (long long)chat);
    json_decref(get(target, CS, 422));
    snprintf(target, sizeof(target), "/api/crm/inbox/%lld?limit=0",
             (long long)chat);
    json_decref(get(target, CS, 422));
    /* a message of another chat is no place in this one */
    snprintf(target, sizeof(target), "/api/crm/inbox/%lld", (long long)other);
    json = get(target, BOSS, 200);
    int64_t secret = json_integer_value(json_object_get(
        json_array_get(json_object_get(json, "messages"), 0), "id"));
    json_decref(json);
    assert_true(secret > 0);
    snprintf(target, sizeof(target), "/api/crm/inbox/%lld?before=%lld",
             (long long)chat, (long long)secret);
    json_decref(get(target, CS, 422));
}

/* Another's chat and message answer as ones that are not there. */
static void test_object_checks(void **state)
{
    static const char *const suffixes[] = {"", "/read", "/star"};
    char target[80];
    (void)state;
    int64_t chat = hear(theirs, "6282222222222", "secret", 3000000);
    const char *const ids[] = {
        "0",     "-1", "x", "1x", "01", "99999999", "9999999999999999999999",
        "%31%20"};
    for (size_t i = 0; i < 3; i++) {
        const char *method = i == 0 ? "GET" : "POST";
        snprintf(target, sizeof(target), "/api/crm/inbox/%lld%s",
                 (long long)chat, suffixes[i]);
        assert_int_equal(web_status(&web, method, target, CS, "", NULL), 404);
        assert_int_equal(web_status(&web, method, target, OTHER_CS, "", NULL),
                         200);
        assert_int_equal(web_status(&web, method, target, BOSS, "", NULL), 200);
        for (size_t n = 0; n < sizeof(ids) / sizeof(ids[0]); n++) {
            snprintf(target, sizeof(target), "/api/crm/inbox/%s%s", ids[n],
                     suffixes[i]);
            assert_int_equal(web_status(&web, method, target, BOSS, "", NULL),
                             404);
        }
    }
}

/* ---- sending ---- */

#define SEND "/api/crm/messages/send"

DB_QUERY(routes_count_outbox, "SELECT count(*) FROM outbox WHERE id > 0");
DB_QUERY(routes_status, "UPDATE messages SET status = $2 WHERE id = $1");
DB_QUERY(routes_opt_out, "UPDATE contacts SET opted_out = $2 WHERE phone = $1");

static int64_t outbox_rows(void)
{
    db_stmt_t *s = db_stmt(db, &routes_count_outbox);
    assert_int_equal(db_first(s), DB_ROW);
    int64_t n = db_i64(s, 0);
    db_done(s);
    return n;
}

static void test_send(void **state)
{
    static const char *const forms[] = {"081234567890", "+62 812-3456-7890",
                                        "81234567890",
                                        "6281234567890@s.whatsapp.net"};
    char body[200];
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        snprintf(body, sizeof(body),
                 "{\"phone\":\"%s\",\"message\":\"Test \\u20ac\"}", forms[i]);
        json_t *json = post(SEND, CS, "", body, 200);
        assert_true(json_is_true(json_object_get(json, "success")));
        assert_string_equal(str(json, "message"), "Success");
        json_t *m = json_object_get(json, "data");
        assert_string_equal(str(m, "status"), "queued");
        assert_string_equal(str(m, "direction"), "outgoing");
        assert_string_equal(str(m, "source"), "agent");
        assert_string_equal(str(m, "message"), "Test \xe2\x82\xac");
        assert_int_equal(json_integer_value(json_object_get(m, "cs_id")), CS);
        json_decref(json);
    }
    assert_int_equal(outbox_rows(), 4);
    /* all forms are one contact, and the inbox has it at once */
    json_t *json = get("/api/crm/inbox", CS, 200);
    json_t *list = json_object_get(json, "conversations");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(str(json_array_get(list, 0), "phone"), "6281234567890");
    json_decref(json);
}

static void test_send_to_alias(void **state)
{
    said_t s = {.session = mine,
                .alias = "103899771998284@lid",
                .name = "Lid",
                .text = "hi",
                .wa_id = "lid-1",
                .ts = 1000000};
    (void)state;
    assert_int_equal(domain_write(&web.crm.domain, receive, &s), WERR_OK);
    json_t *json =
        post(SEND, CS, "",
             "{\"phone\":\"103899771998284@lid\",\"message\":\"hello\"}", 200);
    char chat[24];
    snprintf(chat, sizeof(chat), "%lld", (long long)s.ref.chat);
    assert_string_equal(str(json_object_get(json, "data"), "chat_id"), chat);
    json_decref(json);
    json_decref(post(SEND, CS, "",
                     "{\"phone\":\"1038997719@lid\",\"message\":\"x\"}", 422));
}

static void test_send_invalid(void **state)
{
    static const struct {
        const char *body, *field;
        size_t errors;
    } cases[] = {
        {"{}", "phone", 2},
        {"{\"message\":\"x\"}", "phone", 1},
        {"{\"phone\":\"08123456789\"}", "message", 1},
        {"{\"phone\":\"08123456789\",\"message\":\" \\n\"}", "message", 1},
        {"{\"phone\":\"08123456789\",\"message\":7}", "message", 1},
        {"{\"phone\":8123456789,\"message\":\"x\"}", "phone", 1},
        {"{\"phone\":\"call me\",\"message\":\"x\"}", "phone", 1},
        {"{\"phone\":\"0812\",\"message\":\"x\"}", "phone", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\",\"type\":\"video\"}",
         "type", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\",\"type\":1}", "type", 1},
        {"{\"phone\":\"08123456789\",\"type\":\"image\"}", "file", 1},
        {"{\"phone\":\"08123456789\",\"type\":\"document\"}", "file", 1},
        {"{\"phone\":\"08123456789\",\"type\":\"image\",\"file\":"
         "{\"name\":\"a\",\"mime\":\"image/png\",\"base64\":\"\"}}",
         "file", 1},
        {"{\"phone\":\"08123456789\",\"file\":{\"mime\":\"image/png\"}}",
         "file", 1},
        {"{\"phone\":\"08123456789\",\"type\":\"image\",\"file\":"
         "{\"base64\":\"SGFsbw==\"}}",
         "file", 1},
        {"{\"phone\":\"08123456789\",\"url\":\"http://10.0.0.1/a\"}", "url", 1},
        {"{\"phone\":\"08123456789\",\"media_id\":\"m1\"}", "media_id", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\",\"reply_to\":\"a\"}",
         "reply_to", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\",\"reply_to\":999999}",
         "reply_to", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\",\"seen_seq\":-1}",
         "seen_seq", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\","
         "\"scheduled_at\":\"tomorrow\"}",
         "scheduled_at", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\","
         "\"scheduled_at\":\"2020-01-01T00:00:00Z\"}",
         "scheduled_at", 1},
        {"{\"phone\":\"08123456789\",\"message\":\"x\","
         "\"scheduled_at\":\"2099-01-01T00:00:00Z\"}",
         "scheduled_at", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *json = post(SEND, CS, "", cases[i].body, 422);
        json_t *errors = json_object_get(json, "errors");
        const json_t *list = json_object_get(errors, cases[i].field);
        if (list == NULL || json_object_size(errors) != cases[i].errors) {
            char *text = json_dumps(json, 0);
            print_error("%s: %s\n", cases[i].body, text);
            free(text);
        }
        assert_int_equal(json_object_size(errors), cases[i].errors);
        assert_string_equal(json_string_value(json_array_get(list, 0)),
                            str(json, "message"));
        json_decref(json);
    }
    buf_t long_one;
    buf_init(&long_one, 0);
    buf_adds(&long_one, "{\"phone\":\"08123456789\",\"message\":\"");
    for (int i = 0; i < 4097; i++) {
        buf_addc(&long_one, 'x');
    }
    buf_adds(&long_one, "\"}");
    json_decref(post(SEND, CS, "", long_one.data, 422));
    buf_free(&long_one);
    assert_int_equal(outbox_rows(), 0);
    assert_int_equal(
        web_status(&web, "POST", SEND, CS, "Content-Type: text/plain\r\n", "x"),
        415);
    assert_int_equal(web_status(&web, "POST", SEND, CS,
                                "Content-Type: multipart/form-data\r\n", "x"),
                     400);
    json_decref(post(SEND "?session_id=two", CS, "",
                     "{\"phone\":\"08123456789\",\"message\":\"x\"}", 404));
    json_decref(post(SEND, BOSS, "",
                     "{\"phone\":\"08123456789\",\"message\":\"x\"}", 404));
    json_decref(post(SEND, BOSS, "X-Session-Id: two\r\n",
                     "{\"phone\":\"08123456789\",\"message\":\"x\"}", 200));
}

static void test_reply_to(void **state)
{
    char body[160];
    (void)state;
    hear(mine, "6281111111111", "question", 1000000);
    hear(mine, "6282222222222", "other", 1000000);
    json_t *json = get("/api/crm/inbox?search=6281111", CS, 200);
    char target[80];
    snprintf(
        target, sizeof(target), "/api/crm/inbox/%s",
        str(json_array_get(json_object_get(json, "conversations"), 0), "id"));
    json_decref(json);
    json = get(target, CS, 200);
    int64_t id = json_integer_value(json_object_get(
        json_array_get(json_object_get(json, "messages"), 0), "id"));
    json_decref(json);
    snprintf(body, sizeof(body),
             "{\"phone\":\"082222222222\",\"message\":\"x\",\"reply_to\":%lld}",
             (long long)id);
    json = post(SEND, CS, "", body, 422); /* of another chat */
    json_decref(json);
    snprintf(body, sizeof(body),
             "{\"phone\":\"6281111111111\",\"message\":\"x\","
             "\"reply_to\":%lld}",
             (long long)id);
    json = post(SEND, CS, "", body, 200);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(json, "data"), "reply_to")),
                     id);
    json_decref(json);
}

static int set_opted_out(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &routes_opt_out);
    db_bind_text(s, 1, "6281111111111");
    db_bind_i64(s, 2, *(int64_t *)arg);
    return db_exec(s);
}

static void test_opted_out(void **state)
{
    int64_t on = 1, off = 0;
    (void)state;
    hear(mine, "6281111111111", "stop", 1000000);
    assert_int_equal(domain_write(&web.crm.domain, set_opted_out, &on),
                     WERR_OK);
    json_t *json = post(SEND, CS, "",
                        "{\"phone\":\"6281111111111\",\"message\":\"x\"}", 409);
    assert_string_equal(str(json, "code"), "opted_out");
    assert_true(json_is_null(json_object_get(json, "data")));
    json_decref(json);
    assert_int_equal(outbox_rows(), 0);
    assert_int_equal(domain_write(&web.crm.domain, set_opted_out, &off),
                     WERR_OK);
}

static void test_idempotency(void **state)
{
    static const char body[] =
        "{\"phone\":\"08123456789\",\"message\":\"once\"}";
    char long_key[320];
    (void)state;
    json_t *a = post(SEND, CS, "Idempotency-Key: k1\r\n", body, 200);
    json_t *b = post(SEND, CS, "Idempotency-Key: k1\r\n", body, 200);
    assert_true(json_equal(a, b));
    assert_int_equal(outbox_rows(), 1);
    json_decref(b);
    b = post(SEND, CS, "Idempotency-Key: k1\r\n",
             "{\"phone\":\"08123456789\",\"message\":\"twice\"}", 409);
    assert_string_equal(str(b, "code"), "idempotency_mismatch");
    json_decref(b);
    assert_int_equal(outbox_rows(), 1);
    /* another key, another user: another message */
    json_decref(post(SEND, CS, "Idempotency-Key: k2\r\n", body, 200));
    b = post(SEND, OTHER_CS, "Idempotency-Key: k1\r\n", body, 200);
    assert_false(json_equal(a, b));
    json_decref(b);
    json_decref(a);
    assert_int_equal(outbox_rows(), 3);
    memset(long_key, 'k', sizeof(long_key));
    memcpy(long_key, "Idempotency-Key: ", 17);
    memcpy(long_key + sizeof(long_key) - 3, "\r\n", 3);
    json_decref(post(SEND, CS, long_key, body, 422));
    /* a refusal is not kept: the key is still good */
    json_decref(post(SEND, CS, "Idempotency-Key: k3\r\n", "{}", 422));
    json_decref(post(SEND, CS, "Idempotency-Key: k3\r\n", body, 200));
}

static void *send_main(void *arg)
{
    (void)arg;
    json_decref(post(SEND, CS, "Idempotency-Key: race\r\n",
                     "{\"phone\":\"08123456789\",\"message\":\"once\"}", 200));
    return NULL;
}

static void test_idempotency_race(void **state)
{
    pthread_t threads[6];
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, send_main, NULL), 0);
    }
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(outbox_rows(), 1);
}

static void test_stale(void **state)
{
    char body[160];
    (void)state;
    hear(theirs, "6281111111111", "question", 1000000);
    int64_t seen = atomic_load(&web.crm.domain.last_seq);
    const struct timespec pause = {0, 3000000};
    nanosleep(&pause, NULL);
    json_decref(post(SEND "?session_id=two", BOSS, "",
                     "{\"phone\":\"6281111111111\",\"message\":\"mine\"}",
                     200));
    snprintf(body, sizeof(body),
             "{\"phone\":\"6281111111111\",\"message\":\"late\","
             "\"seen_seq\":%lld}",
             (long long)seen);
    json_t *json = post(SEND, OTHER_CS, "", body, 409);
    assert_string_equal(str(json, "code"), "stale");
    json_t *list = json_object_get(json_object_get(json, "data"), "messages");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(str(json_array_get(list, 0), "message"), "mine");
    json_decref(json);
    /* their own answer is no colleague's */
    json_decref(post(SEND "?session_id=two", BOSS, "", body, 200));
    snprintf(body, sizeof(body),
             "{\"phone\":\"6281111111111\",\"message\":\"late\","
             "\"seen_seq\":%lld}",
             (long long)atomic_load(&web.crm.domain.last_seq));
    json_decref(post(SEND, OTHER_CS, "", body, 200));

    /* so is what somebody typed on the phone itself; its time is in seconds */
    seen = atomic_load(&web.crm.domain.last_seq);
    nanosleep(&pause, NULL);
    said_t echo = {.session = theirs,
                   .phone = "6281111111111",
                   .text = "by phone",
                   .wa_id = "wa-phone",
                   .ts = clock_now_ms() / 1000 * 1000,
                   .from_me = true};
    assert_int_equal(domain_write(&web.crm.domain, receive, &echo), WERR_OK);
    snprintf(body, sizeof(body),
             "{\"phone\":\"6281111111111\",\"message\":\"later\","
             "\"seen_seq\":%lld}",
             (long long)seen);
    json = post(SEND, OTHER_CS, "", body, 409);
    list = json_object_get(json_object_get(json, "data"), "messages");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(str(json_array_get(list, 0), "message"), "by phone");
    json_decref(json);
}

typedef struct {
    int64_t id, status;
} set_t;

static int set_status(tx_t *tx, void *arg)
{
    const set_t *set = arg;
    db_stmt_t *s = db_stmt(tx->db, &routes_status);
    db_bind_i64(s, 1, set->id);
    db_bind_i64(s, 2, set->status);
    return db_exec(s);
}

static void test_retry(void **state)
{
    char target[80];
    (void)state;
    json_t *json = post(SEND, OTHER_CS, "",
                        "{\"phone\":\"08123456789\",\"message\":\"x\"}", 200);
    set_t set = {.id = json_integer_value(
                     json_object_get(json_object_get(json, "data"), "id")),
                 .status = STATUS_FAILED};
    json_decref(json);
    snprintf(target, sizeof(target), "/api/crm/messages/%lld/retry",
             (long long)set.id);
    json = post(target, OTHER_CS, "", NULL, 409); /* still queued */
    assert_string_equal(str(json, "code"), "not_retryable");
    json_decref(json);
    assert_int_equal(domain_write(&web.crm.domain, set_status, &set), WERR_OK);
    json_decref(post(target, CS, "", NULL, 404)); /* not theirs to see */
    json = post(target, OTHER_CS, "Idempotency-Key: r1\r\n", NULL, 200);
    assert_string_equal(str(json_object_get(json, "data"), "status"), "queued");
    json_decref(json);
    json_decref(post(target, OTHER_CS, "Idempotency-Key: r1\r\n", NULL, 200));
    json_decref(post(target, OTHER_CS, "", NULL, 409));
    json_decref(post("/api/crm/messages/999999/retry", BOSS, "", NULL, 404));
    json_decref(post("/api/crm/messages/x/retry", BOSS, "", NULL, 404));
}

static void test_me(void **state)
{
    (void)state;
    json_t *json = get("/api/auth/me", BOSS, 200);
    json_t *user = json_object_get(json, "user");
    assert_int_equal(json_integer_value(json_object_get(user, "id")), BOSS);
    assert_string_equal(str(user, "role"), "supervisor");
    json_decref(json);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        T(test_inbox_shape),
        T(test_inbox_scope),
        T(test_inbox_input),
        T(test_inbox_pages),
        T(test_inbox_filter_and_search),
        T(test_etags),
        T(test_changes_without_event),
        T(test_chat),
        T(test_object_checks),
        T(test_send),
        T(test_send_to_alias),
        T(test_send_invalid),
        T(test_reply_to),
        T(test_opted_out),
        T(test_idempotency),
        T(test_idempotency_race),
        T(test_stale),
        T(test_retry),
        T(test_me),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
