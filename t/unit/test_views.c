/* The inbox from the I/O thread: which view a request asks for, and that
 * nobody is told what was before a commit. */
#include "views_fixture.h"

#include "db/sqlite.h"
#include "http/routes/routes.h"
#include "http/server.h"
#include "http/views.h"

/* ---- the map ---- */

static view_t view_of(const char *key)
{
    view_t v = {.topics = STORE_ACCESS, .day = 7, .len = strlen(key)};

    memcpy(v.key, key, v.len);
    return v;
}

static bool finds(views_t *v, view_ask_t ask, const char *key)
{
    view_t got;

    return views_find(v, &ask, &got) && got.len == strlen(key) &&
           memcmp(got.key, key, got.len) == 0 && got.day == 7 &&
           got.topics == STORE_ACCESS;
}

static void test_what_is_asked(void **state)
{
    const view_ask_t ask = {CS, "one", "/api/crm/inbox?limit=5"};
    const view_t view = view_of("key");
    views_t *v;

    (void)state;
    assert_int_equal(views_new(&v, web.crm.store), WERR_OK);
    assert_false(finds(v, ask, "key"));
    views_keep(v, &ask, &view, store_version(web.crm.store));
    assert_true(finds(v, ask, "key"));
    assert_false(finds(v, (view_ask_t){BOSS, "one", ask.target}, "key"));
    assert_false(finds(v, (view_ask_t){CS, "on", ask.target}, "key"));
    assert_false(finds(v, (view_ask_t){CS, NULL, ask.target}, "key"));
    assert_false(
        finds(v, (view_ask_t){CS, "one", "/api/crm/inbox?limit=6"}, "key"));
    assert_false(finds(v, (view_ask_t){CS, "one", "/api/crm/inbox"}, "key"));
    views_free(&v);
    assert_null(v);
}

DB_QUERY(views_role, "UPDATE users SET role = $2 WHERE id = $1");
DB_QUERY(views_active, "UPDATE users SET active = $2 WHERE id = $1");
DB_QUERY(views_member, "INSERT INTO session_members VALUES ($1, $2)");
DB_QUERY(views_no_member, "DELETE FROM session_members WHERE session_id = $1");
DB_QUERY(views_name, "UPDATE contacts SET name = $1 WHERE id > 0");

typedef struct {
    const db_query_t *query;
    int64_t a, b;
    const char *text;
} change_t;

static int change_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;
    db_stmt_t *s = db_stmt(tx->db, c->query);

    if (c->a != 0) {
        db_bind_i64(s, 1, c->a);
    }
    if (c->text != NULL) {
        db_bind_text(s, c->a != 0 ? 2 : 1, c->text);
    } else if (c->query != &views_no_member) {
        db_bind_i64(s, 2, c->b);
    }
    return db_exec(s);
}

static void change(change_t c)
{
    assert_int_equal(domain_write(&web.crm.domain, change_tx, &c), WERR_OK);
}

static void test_what_ends_it(void **state)
{
    const view_ask_t ask = {CS, NULL, "/api/crm/inbox"};
    const view_t old = view_of("old"), new = view_of("new");
    int64_t before = store_version(web.crm.store);
    views_t *v;

    (void)state;
    assert_int_equal(views_new(&v, web.crm.store), WERR_OK);
    views_keep(v, &ask, &old, before);
    hear(mine, "6281111111111", "halo", 1000000); /* of the body only */
    assert_true(finds(v, ask, "old"));
    change((change_t){&views_member, mine, OTHER_CS, NULL});
    assert_false(finds(v, ask, "old"));
    views_keep(v, &ask, &old, before); /* read before it */
    assert_false(finds(v, ask, "old"));
    views_keep(v, &ask, &new, store_version(web.crm.store));
    assert_true(finds(v, ask, "new"));
    views_keep(v, &ask, &old, before); /* by a slow worker */
    assert_true(finds(v, ask, "new"));
    views_free(&v);
    change((change_t){&views_no_member, mine, 0, NULL});
}

static void test_bounds(void **state)
{
    static char target[2000];
    const view_t view = view_of("some key of the cache");
    size_t n, bytes;
    views_t *v;

    (void)state;
    assert_int_equal(views_new(&v, web.crm.store), WERR_OK);
    for (int i = 0; i < 20000; i++) {
        snprintf(target, sizeof(target), "/api/crm/inbox?before=%d-1", i);
        views_keep(v, &(view_ask_t){CS, NULL, target}, &view,
                   store_version(web.crm.store));
    }
    assert_true(
        finds(v, (view_ask_t){CS, NULL, target}, "some key of the cache"));
    views_size(v, &n, &bytes);
    assert_in_range(n, 512, 1024);
    assert_in_range(bytes, 512, 1024 * 100);
    memset(target, 'x', sizeof(target) - 1);
    views_keep(v, &(view_ask_t){CS, NULL, target}, &view, 1000);
    assert_false(
        finds(v, (view_ask_t){CS, NULL, target}, "some key of the cache"));
    views_free(&v);
}

/* ---- with the server ---- */

static void test_at_once(void **state)
{
    char extra[320];
    answer_t first, a;

    (void)state;
    hear(mine, "6281111111111", "halo", 1000000);
    int64_t n = AT_ONCE;
    web_call(&web, "GET", INBOX, CS, "", NULL, &first);
    assert_int_equal(AT_ONCE, n);
    assert_int_equal(web_call(&web, "GET", INBOX, CS, "", NULL, &a), 200);
    assert_int_equal(AT_ONCE, n + 1);
    assert_int_equal(a.body.len, first.body.len);
    assert_memory_equal(a.body.data, first.body.data, a.body.len);
    snprintf(extra, sizeof(extra), "If-None-Match: %s\r\n",
             answer_header(&a, "ETag"));
    answer_free(&a);
    assert_int_equal(web_status(&web, "HEAD", INBOX, CS, "", NULL), 200);
    assert_int_equal(web_status(&web, "HEAD", INBOX, CS, extra, NULL), 304);
    assert_int_equal(AT_ONCE, n + 3);
    /* who is calling is read from each request */
    assert_int_equal(web_status(&web, "GET", INBOX, 0, "", NULL), 401);
    assert_int_equal(
        web_status(&web, "GET", INBOX, CS, "X-Wacrm-User: 3\r\n", NULL), 401);
    assert_int_equal(
        web_status(&web, "GET", INBOX, CS, "X-Session-Id: nobody's\r\n", NULL),
        404);
    assert_int_equal(web_status(&web, "POST", INBOX, CS, "", "{}"), 405);
    assert_int_equal(AT_ONCE, n + 3);
    answer_free(&first);
}

static void test_very_next(void **state)
{
    static const char all[] = "?session_id=*";

    (void)state;
    hear(mine, "6281111111111", "halo", 1000000);
    hear(theirs, "6282222222222", "halo", 1000000);
    assert_warm(OTHER_CS, all, 1);
    change((change_t){&views_member, mine, OTHER_CS, NULL});
    assert_warm(OTHER_CS, all, 2);
    assert_warm(OTHER_CS, "?session_id=one", 1);
    change((change_t){&views_no_member, mine, 0, NULL});
    assert_int_equal(chats_of(OTHER_CS, "?session_id=one"), -1);
    assert_warm(OTHER_CS, all, 1);
    change((change_t){&views_role, OTHER_CS, 0, "supervisor"});
    assert_warm(OTHER_CS, all, 2);
    change((change_t){&views_role, OTHER_CS, 0, "cs"});
    assert_warm(OTHER_CS, all, 1);
    change((change_t){&views_active, OTHER_CS, 0, NULL});
    assert_int_equal(chats_of(OTHER_CS, all), -1);
    change((change_t){&views_active, OTHER_CS, 1, NULL});
    assert_warm(OTHER_CS, all, 1);
    hear(theirs, "6283333333333", "baru", 2000000);
    assert_warm(OTHER_CS, all, 2);
}

/* A list that is not of the session that has changed stays as it is. */
static void test_of_others(void **state)
{
    (void)state;
    hear(mine, "6281111111111", "halo", 1000000);
    hear(theirs, "6282222222222", "halo", 1000000);
    assert_warm(CS, "", 1);
    assert_warm(OTHER_CS, "", 1);
    int64_t renders = metric("wacrm_inbox_cache_renders_total");
    hear(mine, "6284444444444", "baru", 2000000);
    assert_int_equal(chats_of(OTHER_CS, ""), 1);
    assert_int_equal(metric("wacrm_inbox_cache_renders_total"), renders);
    assert_int_equal(chats_of(CS, ""), 2);
    assert_int_equal(metric("wacrm_inbox_cache_renders_total"), renders + 1);
}

/* A name is of every list that has a chat with them. */
static void test_contact(void **state)
{
    (void)state;
    hear(mine, "6281111111111", "halo", 1000000);
    hear(theirs, "6281111111111", "halo", 1000000);
    assert_warm(CS, "", 1);
    assert_warm(OTHER_CS, "", 1);
    change((change_t){&views_name, 0, 0, "Nama Baru"});
    for (int64_t user = CS; user <= OTHER_CS; user++) {
        json_t *json = get(INBOX, user, 200);
        assert_string_equal(
            str(json_array_get(json_object_get(json, "conversations"), 0),
                "name"),
            "Nama Baru");
        json_decref(json);
    }
}

/* The route alone, on a connection that memory has failed, or has not. */
static int inbox_of(const char *target, bool lost)
{
    char copy[64];
    request_t r = {.server = web.server,
                   .options = &web.options,
                   .db = db,
                   .target = copy,
                   .identity = {.user = CS},
                   .user = {.id = CS, .role = ROLE_CS, .active = true},
                   .visible = {.ids = &mine, .n = 1},
                   .version = store_version(web.crm.store)};
    int status;

    snprintf(copy, sizeof(copy), "%s", target);
    response_init(&r.response);
    (void)db_lost(db);
    if (lost) {
        sqlite_lost(db);
    }
    route_inbox(&r);
    status = r.response.status;
    response_free(&r.response);
    return status;
}

/* What was read before it, the caller's sessions say, was not all there is. */
static void test_lost_before(void **state)
{
    static const char target[] = INBOX "?of=lost";
    const view_ask_t ask = {CS, NULL, target};
    view_t view;

    (void)state;
    assert_int_equal(inbox_of(target, true), 503);
    assert_false(views_find(web.server->views, &ask, &view));
    assert_int_equal(inbox_of(target, false), 200);
    assert_true(views_find(web.server->views, &ask, &view));
    assert_int_equal(inbox_of(INBOX "?of=lost_and_cached", true), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_what_is_asked), T(test_what_ends_it), T(test_bounds),
        T(test_at_once),       T(test_very_next),    T(test_of_others),
        T(test_contact),       T(test_lost_before),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
