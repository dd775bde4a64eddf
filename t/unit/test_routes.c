/* routes: a chat, read and star, whose it is, stale states, me. */
#include "routes_fixture.h"

#include <pthread.h>

#include "base/clock.h"

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

DB_QUERY(same_moment,
         "UPDATE messages SET created_at = (SELECT e.created_at FROM events e "
         "WHERE e.seq = $1) WHERE id = (SELECT max(id) FROM messages)");

static int put_in_the_moment(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &same_moment);

    db_bind_i64(s, 1, *(const int64_t *)arg);
    return db_exec(s);
}

/* What a colleague wrote in the millisecond of what was seen last. */
static void test_stale_at_once(void **state)
{
    char body[160];
    (void)state;
    json_decref(post(SEND "?session_id=two", BOSS, "",
                     "{\"phone\":\"6281111111112\",\"message\":\"seen\"}",
                     200));
    int64_t seen = atomic_load(&web.crm.domain.last_seq);
    snprintf(body, sizeof(body),
             "{\"phone\":\"6281111111112\",\"message\":\"late\","
             "\"seen_seq\":%lld}",
             (long long)seen);
    json_decref(post(SEND "?session_id=two", BOSS, "",
                     "{\"phone\":\"6281111111112\",\"message\":\"mine\"}",
                     200));
    assert_int_equal(domain_write(&web.crm.domain, put_in_the_moment, &seen),
                     WERR_OK);
    json_t *json = post(SEND, OTHER_CS, "", body, 409);
    json_t *list = json_object_get(json_object_get(json, "data"), "messages");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(str(json_array_get(list, 0), "message"), "mine");
    json_decref(json);
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

DB_QUERY(imported, "SELECT count(*) FROM contacts WHERE phone >= '62877' "
                   "AND phone < '62878'");

static int64_t count_imported(void)
{
    db_stmt_t *s = db_stmt(db, &imported);
    assert_int_equal(db_first(s), DB_ROW);
    int64_t n = db_i64(s, 0);
    db_done(s);
    return n;
}

/* The last one: the server is another afterwards. */
static void test_import_is_stopped(void **state)
{
    enum { ROWS = 200000 };
    answer_t a;
    buf_t csv;
    (void)state;
    crm_user(&web.crm, 4, "rina", ROLE_ADMIN, true);
    web.crm.domain.settings.media_dir = web.crm.dir;
    buf_init(&csv, 0);
    buf_adds(&csv, "phone\n");
    for (int i = 0; i < ROWS; i++) {
        buf_addf(&csv, "62877%07d\n", i);
    }
    int fd = web_connect(&web);
    assert_true(web_request(fd, "POST", "/api/crm/import", 4,
                            "Content-Type: text/csv\r\n", csv.data, csv.len));
    buf_free(&csv);
    for (int i = 0; i < 5000 && count_imported() == 0; i++) {
        usleep(2000);
    }
    http_stop(&web.server, 10000);
    web_read(fd, false, &a);
    close(fd);
    assert_int_equal(a.status, 503);
    assert_string_equal(answer_header(&a, "Retry-After"), "10");
    json_t *json = answer_json(&a);
    assert_string_equal(str(json, "code"), "import_stopped");
    json_decref(json);
    answer_free(&a);
    assert_in_range(count_imported(), 1, ROWS - 1);
    web_start(&web);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_chat),  T(test_object_checks),
        T(test_stale), T(test_stale_at_once),
        T(test_me),    T(test_import_is_stopped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
