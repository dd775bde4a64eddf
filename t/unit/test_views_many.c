/* Many who ask for the inbox at once: who follows whom, commits that come
 * faster than bodies, and that who writes reads what they wrote. */
#include "views_fixture.h"

#include "wait_for.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "http/server.h"

/* ---- followers ---- */

/* A transaction that lasts until somebody lets it go on. */
typedef struct {
    sem_t there, go;
    pthread_t thread;
    int rc;
} held_t;

static int hold_tx(tx_t *tx, void *arg)
{
    held_t *h = arg;

    (void)tx;
    (void)sem_post(&h->there);
    return wait_for(&h->go) ? WERR_OK : WERR_TIMEOUT;
}

static void *hold_on(void *arg)
{
    held_t *h = arg;

    h->rc = domain_write(&web.crm.domain, hold_tx, h);
    return NULL;
}

/* h: static, as the thread may outlive a test that has failed. */
static void hold_writer(held_t *h)
{
    h->rc = WERR_SYSTEM;
    assert_int_equal(sem_init(&h->there, 0, 0), 0);
    assert_int_equal(sem_init(&h->go, 0, 0), 0);
    assert_int_equal(pthread_create(&h->thread, NULL, hold_on, h), 0);
    assert_true(wait_for(&h->there));
}

static void let_go(held_t *h)
{
    (void)sem_post(&h->go);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    assert_int_equal(h->rc, WERR_OK);
    (void)sem_destroy(&h->there);
    (void)sem_destroy(&h->go);
}

/* Until it is so, for half a minute. */
#define WAIT_UNTIL(what)                                             \
    do {                                                             \
        for (int64_t end_ = clock_mono_ms() + 30000;                 \
             !(what) && clock_mono_ms() < end_;) {                   \
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); \
        }                                                            \
        assert_true(what);                                           \
    } while (0)

/* Takes the only worker away, until the writer is let go. */
static int occupy_worker(int64_t chat)
{
    char star[64];
    int fd = web_connect(&web);

    snprintf(star, sizeof(star), INBOX "/%lld/star", (long long)chat);
    assert_true(web_request(fd, "POST", star, CS, "", "{}", 2));
    WAIT_UNTIL(store_contended(web.crm.store));
    return fd;
}

static void assert_answer(int fd, const char *text)
{
    answer_t a;

    web_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    assert_non_null(strstr(a.body.data, text));
    answer_free(&a);
    close(fd);
}

static void have_workers(int n)
{
    http_stop(&web.server, 1000);
    search_stop(&web.search); /* it writes, too */
    web.options.search = NULL;
    web.options.workers = n;
    web_start(&web);
}

/* While the only worker is busy, one request waits for it and the others for
 * that one. */
static void test_following(void **state)
{
    enum { FOLLOWERS = 5 };
    int lists[FOLLOWERS + 1];
    static held_t held;

    (void)state;
    have_workers(1);
    int64_t chat = hear(mine, "6281111111111", "halo", 1000000);
    assert_warm(CS, "", 1);
    hear(mine, "6281111111111", "lagi", 2000000);
    hold_writer(&held);
    int busy = occupy_worker(chat);
    for (int i = 0; i <= FOLLOWERS; i++) {
        lists[i] = web_connect(&web);
        assert_true(web_request(lists[i], "GET", INBOX, CS, "", NULL, 0));
        WAIT_UNTIL(jobs_count(web.server->jobs) == 2);
        WAIT_UNTIL(atomic_load(&web.server->stats.followed) == i);
    }
    close(lists[1]); /* who leaves meanwhile is in nobody's way */
    let_go(&held);
    assert_answer(busy, "success");
    for (int i = 0; i <= FOLLOWERS; i++) {
        if (i != 1) {
            assert_answer(lists[i], "lagi");
        }
    }
    assert_int_equal(metric("wacrm_inbox_cache_followed_total"), FOLLOWERS);
    assert_int_equal(metric("wacrm_inbox_cache_waits_total"), 0);
    assert_int_equal(metric("wacrm_inbox_cache_renders_total"), 2);
    have_workers(2);
}

/* Their list is that of another session from now on, and one as old as the
 * other's last change is at hand. */
static void change_view(store_topics_t was)
{
    const view_ask_t ask = {CS, NULL, INBOX};
    view_t view = {.topics = STORE_ACCESS | store_topic_session(theirs),
                   .day = domain_today(&web.crm.domain),
                   .len = 7,
                   .key = "another"};
    int64_t version = store_changed(web.crm.store, was);
    cache_t *cache = web.server->cache;
    ready_t *old;
    buf_t b;

    assert_true(store_changed(web.crm.store, view.topics) > version);
    buf_init(&b, 0);
    buf_adds(&b, "{\"of\":\"yesterday\"}");
    old = ready_new(&b);
    assert_non_null(old);
    assert_null(cache_get(cache, view.key, view.len, version));
    cache_fill(cache, view.key, view.len, version, old);
    views_keep(web.server->views, &ask, &view, INT64_MAX);
    ready_unref(&old);
    buf_free(&b);
}

/* Who may see more when the one that they followed has ended is told of what
 * had happened there before they asked. */
static void test_following_another(void **state)
{
    static held_t held;
    int lists[2];

    (void)state;
    have_workers(1);
    int64_t chat = hear(mine, "6281111111111", "halo", 1000000);
    assert_warm(CS, "", 1);
    hear(mine, "6281111111111", "lagi", 2000000);
    hear(theirs, "6281111111112", "juga", 2000000);
    hold_writer(&held);
    int busy = occupy_worker(chat);
    for (int i = 0; i < 2; i++) {
        lists[i] = web_connect(&web);
        assert_true(web_request(lists[i], "GET", INBOX, CS, "", NULL, 0));
        WAIT_UNTIL(jobs_count(web.server->jobs) == 2);
        WAIT_UNTIL(atomic_load(&web.server->stats.followed) == i);
    }
    change_view(STORE_ACCESS | store_topic_session(mine));
    let_go(&held);
    assert_answer(busy, "success");
    assert_answer(lists[0], "lagi");
    assert_answer(lists[1], "lagi");
    have_workers(2);
}

/* ---- commits that come faster than bodies ---- */

typedef struct {
    atomic_bool enough;
    atomic_llong written; /* the last name that has been committed */
    int failed;
} hurry_t;

#define HURRY "hurry-"

DB_QUERY(hurry_name, "UPDATE contacts SET name = $1 WHERE id > 0");

static int name_tx(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &hurry_name);

    db_bind_text(s, 1, arg);
    return db_exec(s);
}

static void *commit_on(void *arg)
{
    hurry_t *h = arg;

    for (long long n = 1; !atomic_load(&h->enough); n++) {
        char name[40];

        snprintf(name, sizeof(name), HURRY "%lld", n);
        h->failed += domain_write(&web.crm.domain, name_tx, name) != WERR_OK;
        atomic_store(&h->written, n);
    }
    return NULL;
}

/* The name in a list; -1: there is none. */
static long long read_name(int fd)
{
    answer_t a;
    const char *at;
    long long n = -1;

    web_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    at = strstr(a.body.data, HURRY);
    if (at != NULL) {
        n = strtoll(at + strlen(HURRY), NULL, 10);
    }
    answer_free(&a);
    return n;
}

/* Whoever asks gets what was committed before, or later; most without a
 * worker, how many is the machine's affair. */
static void test_in_a_hurry(void **state)
{
    enum { TABS = 40, ROUNDS = 15 };
    hurry_t h = {.failed = 0};
    pthread_t thread;
    int fds[TABS], stale = 0;

    (void)state;
    hear(mine, "6281111111111", "halo", 1000000);
    assert_warm(CS, "", 1);
    for (int i = 0; i < TABS; i++) {
        fds[i] = web_connect(&web);
    }
    int64_t at_once = AT_ONCE;
    assert_int_equal(pthread_create(&thread, NULL, commit_on, &h), 0);
    WAIT_UNTIL(atomic_load(&h.written) > 0);
    for (int round = 0; round < ROUNDS; round++) {
        long long least[TABS];
        for (int i = 0; i < TABS; i++) {
            least[i] = atomic_load(&h.written);
            assert_true(web_request(fds[i], "GET", INBOX, CS, "", NULL, 0));
        }
        for (int i = 0; i < TABS; i++) {
            stale += read_name(fds[i]) < least[i];
        }
    }
    atomic_store(&h.enough, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(h.failed, 0);
    assert_int_equal(stale, 0);
    print_message("at once: %lld of %d\n", (long long)(AT_ONCE - at_once),
                  TABS * ROUNDS);
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
    char phone[24];

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
        T(test_following),
        T(test_following_another),
        T(test_in_a_hurry),
        T(test_writers_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
