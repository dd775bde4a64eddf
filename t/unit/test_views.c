/* The inbox from the I/O thread: which view a request asks for, who follows
 * whom, and that nobody is told what was before a commit. */
#include "routes_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

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

#define INBOX "/api/crm/inbox"

static int64_t metric(const char *name)
{
    char line[80];
    answer_t a;

    assert_int_equal(web_call(&web, "GET", "/metrics", 0, "", NULL, &a), 200);
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(a.body.data, line);
    assert_non_null(at);
    int64_t n = strtoll(at + strlen(line), NULL, 10);
    answer_free(&a);
    return n;
}

#define AT_ONCE metric("wacrm_inbox_cache_at_once_total")

static void test_at_once(void **state)
{
    char extra[80];
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

/* Chats in the list of a user; -1: no list. */
static int chats_of(int64_t user, const char *query)
{
    char target[100];
    answer_t a;
    int n = -1;

    snprintf(target, sizeof(target), INBOX "%s", query);
    if (web_call(&web, "GET", target, user, "", NULL, &a) == 200) {
        json_t *json = answer_json(&a);
        n = (int)json_array_size(json_object_get(json, "conversations"));
        json_decref(json);
    }
    answer_free(&a);
    return n;
}

/* Asked for again, by the I/O thread alone. */
static void assert_warm(int64_t user, const char *query, int want)
{
    assert_int_equal(chats_of(user, query), want);
    int64_t n = AT_ONCE;
    assert_int_equal(chats_of(user, query), want);
    assert_int_equal(AT_ONCE, n + 1);
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

/* While the only worker hashes passwords, one request waits for a place and
 * the others for that one. */
static void test_following(void **state)
{
    enum { HASHES = 8, FOLLOWERS = 5 };
    static const char sign_in[] =
        "{\"email\":\"nobody@example.org\",\"password\":\"long enough\"}";
    int hashes[HASHES], lists[FOLLOWERS + 1];
    answer_t a;

    (void)state;
    http_stop(&web.server, 1000);
    web.options.workers = 1;
    web_start(&web);
    hear(mine, "6281111111111", "halo", 1000000);
    assert_warm(CS, "", 1);
    hear(mine, "6281111111111", "lagi", 2000000);
    for (int i = 0; i <= FOLLOWERS; i++) {
        lists[i] = web_connect(&web);
    }
    for (int i = 0; i < HASHES; i++) {
        hashes[i] = web_connect(&web);
        assert_true(web_request(hashes[i], "POST", "/api/auth/login", 0, "",
                                sign_in, sizeof(sign_in) - 1));
    }
    for (int i = 0; i < 5; i++) { /* they are in the queue by then */
        assert_int_equal(web_status(&web, "GET", "/none", 0, "", NULL), 404);
    }
    for (int i = 0; i <= FOLLOWERS; i++) {
        assert_true(web_request(lists[i], "GET", INBOX, CS, "", NULL, 0));
    }
    close(lists[1]); /* who leaves meanwhile is in nobody's way */
    for (int i = 0; i <= FOLLOWERS; i++) {
        if (i != 1) {
            web_read(lists[i], false, &a);
            assert_int_equal(a.status, 200);
            assert_non_null(strstr(a.body.data, "lagi"));
            answer_free(&a);
            close(lists[i]);
        }
    }
    for (int i = 0; i < HASHES; i++) {
        web_read(hashes[i], false, &a);
        assert_int_equal(a.status, 401);
        answer_free(&a);
        close(hashes[i]);
    }
    /* who left may have been gone before it was read */
    assert_in_range(metric("wacrm_inbox_cache_waits_total"), FOLLOWERS - 1,
                    FOLLOWERS);
    assert_int_equal(metric("wacrm_inbox_cache_renders_total"), 2);
    http_stop(&web.server, 1000);
    web.options.workers = 2;
    web_start(&web);
}

/* ---- commits that come faster than bodies ---- */

DB_QUERY(views_star, "UPDATE chats SET starred = 1 - starred WHERE id = $1");

typedef struct {
    int64_t chat;
    atomic_bool enough;
    int failed;
} hurry_t;

static int star_tx(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &views_star);

    db_bind_i64(s, 1, *(int64_t *)arg);
    return db_exec(s);
}

static void *commit_on(void *arg)
{
    hurry_t *h = arg;

    while (!atomic_load(&h->enough)) {
        h->failed +=
            domain_write(&web.crm.domain, star_tx, &h->chat) != WERR_OK;
    }
    return NULL;
}

/* Of all who ask together, few go to a worker. */
static void test_in_a_hurry(void **state)
{
    enum { TABS = 40, ROUNDS = 15 };
    hurry_t h = {.chat = hear(mine, "6281111111111", "halo", 1000000)};
    pthread_t thread;
    int fds[TABS];

    (void)state;
    assert_warm(CS, "", 1);
    for (int i = 0; i < TABS; i++) {
        fds[i] = web_connect(&web);
    }
    int64_t at_once = AT_ONCE;
    assert_int_equal(pthread_create(&thread, NULL, commit_on, &h), 0);
    for (int round = 0; round < ROUNDS; round++) {
        answer_t a;
        for (int i = 0; i < TABS; i++) {
            assert_true(web_request(fds[i], "GET", INBOX, CS, "", NULL, 0));
        }
        for (int i = 0; i < TABS; i++) {
            web_read(fds[i], false, &a);
            assert_int_equal(a.status, 200);
            answer_free(&a);
        }
    }
    atomic_store(&h.enough, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(h.failed, 0);
    print_message("at once: %lld of %d\n", (long long)(AT_ONCE - at_once),
                  TABS * ROUNDS);
    assert_true(AT_ONCE - at_once > TABS * ROUNDS * 4 / 5);
    for (int i = 0; i < TABS; i++) {
        close(fds[i]);
    }
}

/* ---- who writes reads what they wrote ---- */

#define WRITERS 3
#define WRITES  100

typedef struct {
    int64_t chat, user;
    int stale;
} writer_t;

static void *star_and_look(void *arg)
{
    writer_t *w = arg;
    char star[64], id[32];
    int fd = web_connect(&web);

    snprintf(star, sizeof(star), INBOX "/%lld/star", (long long)w->chat);
    snprintf(id, sizeof(id), "\"%lld\"", (long long)w->chat);
    for (int i = 1; i <= WRITES; i++) {
        answer_t a;
        bool ok = web_request(fd, "POST", star, w->user, "", "{}", 2);
        web_read(fd, false, &a);
        ok = ok && a.status == 200;
        answer_free(&a);
        ok = ok && web_request(fd, "GET", INBOX "?session_id=*&filter=starred",
                               w->user, "", NULL, 0);
        web_read(fd, false, &a);
        bool is = a.body.data != NULL && strstr(a.body.data, id) != NULL;
        w->stale += !ok || a.status != 200 || is != (i % 2 == 1);
        answer_free(&a);
    }
    close(fd);
    return NULL;
}

static void test_writers_read(void **state)
{
    writer_t w[WRITERS];
    pthread_t threads[WRITERS];
    char phone[20];

    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        snprintf(phone, sizeof(phone), "62811111111%02d", i);
        w[i] = (writer_t){hear(mine, phone, "halo", 1000000 + i),
                          i % 2 == 0 ? CS : BOSS, 0};
    }
    int64_t n = AT_ONCE;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, star_and_look, &w[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(w[i].stale, 0);
    }
    assert_warm(BOSS, "?session_id=*&filter=starred", 0);
    assert_true(AT_ONCE > n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_what_is_asked), T(test_what_ends_it), T(test_bounds),
        T(test_at_once),       T(test_very_next),    T(test_of_others),
        T(test_contact),       T(test_lost_before),  T(test_following),
        T(test_writers_read),  T(test_in_a_hurry),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
