/* routes: send, refused sends, Idempotency-Key, retry. */
#include "routes_fixture.h"

#include <pthread.h>

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

static const struct {
    const char *body, *field;
    size_t errors;
} invalid_sends[] = {
    {"{}", "phone", 2},
    {"{\"message\":\"x\"}", "phone", 1},
    {"{\"phone\":\"08123456789\"}", "message", 1},
    {"{\"phone\":\"08123456789\",\"message\":\" \\n\"}", "message", 1},
    {"{\"phone\":\"08123456789\",\"message\":7}", "message", 1},
    {"{\"phone\":8123456789,\"message\":\"x\"}", "phone", 1},
    {"{\"phone\":\"call me\",\"message\":\"x\"}", "phone", 1},
    {"{\"phone\":\"0812\",\"message\":\"x\"}", "phone", 1},
    {"{\"phone\":\"08123456789\",\"message\":\"x\",\"type\":\"video\"}", "type",
     1},
    {"{\"phone\":\"08123456789\",\"message\":\"x\",\"type\":1}", "type", 1},
    {"{\"phone\":\"08123456789\",\"type\":\"image\"}", "file", 1},
    {"{\"phone\":\"08123456789\",\"type\":\"document\"}", "file", 1},
    {"{\"phone\":\"08123456789\",\"type\":\"image\",\"file\":"
     "{\"name\":\"a\",\"mime\":\"image/png\",\"base64\":\"\"}}",
     "file", 1},
    {"{\"phone\":\"08123456789\",\"file\":{\"mime\":\"image/png\"}}", "file",
     1},
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

static void test_send_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(invalid_sends) / sizeof(invalid_sends[0]);
         i++) {
        json_t *json = post(SEND, CS, "", invalid_sends[i].body, 422);
        json_t *errors = json_object_get(json, "errors");
        const json_t *list = json_object_get(errors, invalid_sends[i].field);
        if (list == NULL ||
            json_object_size(errors) != invalid_sends[i].errors) {
            char *text = json_dumps(json, 0);
            print_error("%s: %s\n", invalid_sends[i].body, text);
            free(text);
        }
        assert_int_equal(json_object_size(errors), invalid_sends[i].errors);
        assert_string_equal(json_string_value(json_array_get(list, 0)),
                            str(json, "message"));
        json_decref(json);
    }
    assert_int_equal(outbox_rows(), 0);
}

static void test_send_too_long(void **state)
{
    buf_t long_one;
    (void)state;
    buf_init(&long_one, 0);
    buf_adds(&long_one, "{\"phone\":\"08123456789\",\"message\":\"");
    for (int i = 0; i < 4097; i++) {
        buf_addc(&long_one, 'x');
    }
    buf_adds(&long_one, "\"}");
    json_decref(post(SEND, CS, "", long_one.data, 422));
    buf_free(&long_one);
    assert_int_equal(outbox_rows(), 0);
}

static void test_send_content_type(void **state)
{
    (void)state;
    assert_int_equal(
        web_status(&web, "POST", SEND, CS, "Content-Type: text/plain\r\n", "x"),
        415);
    assert_int_equal(web_status(&web, "POST", SEND, CS,
                                "Content-Type: multipart/form-data\r\n", "x"),
                     400);
}

static void test_send_session(void **state)
{
    (void)state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_send),
        T(test_send_to_alias),
        T(test_send_invalid),
        T(test_send_too_long),
        T(test_send_content_type),
        T(test_send_session),
        T(test_reply_to),
        T(test_opted_out),
        T(test_idempotency),
        T(test_idempotency_race),
        T(test_retry),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
