/* The events over HTTP: what is committed and not yet published is not there
 * yet, for whoever is told of it may look at once. */
#include "routes_fixture.h"

#include "wait_for.h"

#include <pthread.h>
#include <semaphore.h>

#include "db/sqlite.h"

#define EVENTS "/api/crm/events?since="

/* A writer between its COMMIT, which all can see, and what store_write() does
 * after it. */
typedef struct {
    sem_t there, go;
    int rc;
} held_t;

/* SQLite calls it when the commit is done. */
static int hold(void *arg, sqlite3 *handle, const char *database, int pages)
{
    held_t *h = arg;

    (void)database;
    (void)pages;
    (void)sqlite3_wal_hook(handle, NULL, NULL);
    (void)sem_post(&h->there);
    (void)wait_for(&h->go);
    return SQLITE_OK;
}

static int say_and_stop(tx_t *tx, void *arg)
{
    said_t s = {.session = mine,
                .phone = "6281111111111",
                .name = "Budi",
                .text = "the new one",
                .wa_id = "wa-held",
                .ts = 2000000};

    (void)sqlite3_wal_hook(tx->db->handle, hold, arg);
    return receive(tx, &s);
}

static void *write_on(void *arg)
{
    held_t *h = arg;

    h->rc = domain_write(&web.crm.domain, say_and_stop, h);
    return NULL;
}

static int64_t next_of(json_t *page, size_t *n)
{
    int64_t next = json_integer_value(json_object_get(page, "next"));

    assert_true(json_is_false(json_object_get(page, "resync")));
    *n = json_array_size(json_object_get(page, "events"));
    json_decref(page);
    return next;
}

static int64_t events_since(int64_t since, size_t *n)
{
    char target[64];

    snprintf(target, sizeof(target), EVENTS "%lld", (long long)since);
    return next_of(get(target, CS, 200), n);
}

static bool is_in_inbox(const char *text)
{
    answer_t a;
    bool is;

    assert_int_equal(web_call(&web, "GET", "/api/crm/inbox", CS, "", NULL, &a),
                     200);
    is = strstr(a.body.data, text) != NULL;
    answer_free(&a);
    return is;
}

static void test_not_published(void **state)
{
    static held_t h = {.rc = WERR_SYSTEM}; /* outlives a failure */
    pthread_t writer;
    int64_t before;
    size_t n;

    (void)state;
    hear(mine, "6281111111111", "the old one", 1000000);
    before = next_of(get(EVENTS "latest", CS, 200), &n);
    assert_true(is_in_inbox("the old one"));
    assert_int_equal(sem_init(&h.there, 0, 0), 0);
    assert_int_equal(sem_init(&h.go, 0, 0), 0);
    assert_int_equal(pthread_create(&writer, NULL, write_on, &h), 0);
    assert_true(wait_for(&h.there));

    /* they may come, but nobody may be told that they were there */
    int64_t latest = next_of(get(EVENTS "latest", CS, 200), &n);
    int64_t next = events_since(before, &n);
    bool seen = is_in_inbox("the new one");

    (void)sem_post(&h.go);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_int_equal(h.rc, WERR_OK);
    assert_true(seen || latest == before);
    assert_true(seen || (next == before && n == 0));
    assert_true(events_since(before, &n) > before);
    assert_true(n > 0);
    assert_true(next_of(get(EVENTS "latest", CS, 200), &n) > before);
    assert_true(is_in_inbox("the new one"));
    (void)sem_destroy(&h.there);
    (void)sem_destroy(&h.go);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_not_published),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
