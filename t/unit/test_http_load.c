/* http: a real server: leavers, stopping at work, many at once. */
#include "http_group.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static void nap(void)
{
    const struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

/* ---- holding the writer makes a writing route wait ---- */

typedef struct {
    _Atomic bool held, release;
} hold_t;

static int hold_writer(tx_t *tx, void *arg)
{
    hold_t *h = arg;
    (void)tx;
    atomic_store(&h->held, true);
    while (!atomic_load(&h->release)) {
        nap();
    }
    return 0;
}

static void *hold_main(void *arg)
{
    assert_int_equal(domain_write(&web.crm.domain, hold_writer, arg), WERR_OK);
    return NULL;
}

static void test_client_leaves_while_suspended(void **state)
{
    hold_t hold = {false, false};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held)) {
        nap();
    }
    for (int i = 0; i < 20; i++) {
        int fd = web_connect(&web);
        assert_true(web_request(fd, "POST", "/api/auth/logout", 1, "", "", 0));
        if (i % 2 == 0) {
            shutdown(fd, SHUT_WR);
        }
        nap();
        close(fd);
    }
    int stays = web_connect(&web);
    assert_true(web_request(stays, "POST", "/api/auth/logout", 1, "", "", 0));
    nap();
    atomic_store(&hold.release, true);
    pthread_join(thread, NULL);
    answer_t a;
    web_read(stays, false, &a);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    close(stays);
}

/* What runs when the stop comes is finished and answered. */
static void *stop_main(void *arg)
{
    (void)arg;
    http_stop(&web.server, 5000);
    return NULL;
}

static void test_stop_finishes(void **state)
{
    hold_t hold = {false, false};
    pthread_t holder, stopper;
    answer_t a;
    (void)state;
    assert_int_equal(pthread_create(&holder, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held)) {
        nap();
    }
    int half = web_connect(&web); /* must not delay the stop */
    assert_true(web_write(half, "GET /api/health HTTP/1.1\r\n", 26));
    int idle = web_connect(&web);
    int fd = web_connect(&web);
    assert_true(web_request(fd, "POST", "/api/auth/logout", 1, "", "", 0));
    for (int i = 0; i < 20; i++) {
        nap();
    }
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, NULL), 0);
    while (access(web.socket, F_OK) == 0) {
        nap();
    }
    atomic_store(&hold.release, true);
    pthread_join(holder, NULL);
    web_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    pthread_join(stopper, NULL);
    close(fd);
    close(half);
    close(idle);
    web_start(&web);
}

/* A time-out never ends a request that a worker still has in hand. */
static void *release_main(void *arg)
{
    hold_t *h = arg;
    for (int i = 0; i < 50; i++) {
        nap();
    }
    atomic_store(&h->release, true);
    return NULL;
}

static void test_stop_outwaits_its_timeout(void **state)
{
    hold_t hold = {false, false};
    pthread_t holder, releaser;
    (void)state;
    assert_int_equal(pthread_create(&holder, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held)) {
        nap();
    }
    int fd = web_connect(&web);
    assert_true(web_request(fd, "POST", "/api/auth/logout", 1, "", "", 0));
    for (int i = 0; i < 20; i++) {
        nap();
    }
    assert_int_equal(pthread_create(&releaser, NULL, release_main, &hold), 0);
    http_stop(&web.server, 0);
    assert_true(atomic_load(&hold.release));
    pthread_join(holder, NULL);
    pthread_join(releaser, NULL);
    close(fd);
    web_start(&web);
}

typedef struct {
    _Atomic bool stop;
    _Atomic int answers, odd;
} load_t;

static void *load_main(void *arg)
{
    load_t *l = arg;
    while (!atomic_load(&l->stop)) {
        int fd = web_try_connect(&web);
        answer_t a;
        for (int i = 0; fd >= 0 && i < 50; i++) {
            if (!web_request(fd, "GET", "/api/auth/me", 1, "", NULL, 0)) {
                break;
            }
            web_read(fd, false, &a);
            bool odd = a.status != 0 && a.status != 200 && a.status != 503;
            atomic_fetch_add(&l->answers, a.status == 200);
            atomic_fetch_add(&l->odd, odd);
            int status = a.status;
            answer_free(&a);
            if (status != 200) {
                break;
            }
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return NULL;
}

static void test_stop_under_load(void **state)
{
    load_t load = {0};
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, load_main, &load),
                         0);
    }
    for (int i = 0; i < 200; i++) {
        for (int n = 0; n < i % 5; n++) {
            nap();
        }
        http_stop(&web.server, 1000);
        web_start(&web);
    }
    atomic_store(&load.stop, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(load.odd, 0);
    assert_true(load.answers > 200);
}

/* ---- hashes are slow ---- */

#define WAITING  256 /* of them: QUEUE_HEAVY_MAX of server.c */
#define SIGN_INS (WAITING + 8)

static void sign_in_many(struct pollfd *fds, size_t n)
{
    char body[64];
    for (size_t i = 0; i < n; i++) {
        fds[i].fd = web_connect(&web);
        fds[i].events = POLLIN;
        /* each of an account of its own: guesses are counted by account */
        snprintf(body, sizeof(body),
                 "{\"email\":\"a%zu@b.c\",\"password\":\"p\"}", i);
        assert_true(web_request(fds[i].fd, "POST", "/api/auth/login", 0, "",
                                body, strlen(body)));
    }
}

/* How many were told to come again; the others are no users. */
static int count_busy(struct pollfd *fds, size_t n)
{
    answer_t a;
    int busy = 0;
    for (size_t i = 0; i < n; i++) {
        web_read(fds[i].fd, false, &a);
        if (a.status == 503) {
            assert_string_equal(answer_header(&a, "Retry-After"), "1");
            busy++;
        } else {
            assert_int_equal(a.status, 401);
        }
        answer_free(&a);
        close(fds[i].fd);
    }
    return busy;
}

/* They must not take every worker, nor queue without end. */
static void test_sign_ins_leave_a_worker(void **state)
{
    struct pollfd fds[SIGN_INS];
    (void)state;
    sign_in_many(fds, SIGN_INS);
    assert_int_equal(web_status(&web, "GET", "/api/auth/me", 1, "", NULL), 200);
    assert_in_range(poll(fds, SIGN_INS, 0), 0, SIGN_INS - 1); /* some wait */
    assert_in_range(count_busy(fds, SIGN_INS), 1, SIGN_INS - WAITING);
}

/* Those that have not begun when the end comes are for after the restart. */
static void test_stop_waits_for_no_sign_ins(void **state)
{
    struct pollfd fds[WAITING];
    (void)state;
    sign_in_many(fds, WAITING);
    assert_int_equal(web_status(&web, "GET", "/api/auth/me", 1, "", NULL), 200);
    http_stop(&web.server, 5000);
    assert_in_range(count_busy(fds, WAITING), 1, WAITING);
    web_start(&web);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_leaves_while_suspended),
        cmocka_unit_test(test_stop_finishes),
        cmocka_unit_test(test_stop_outwaits_its_timeout),
        cmocka_unit_test(test_stop_under_load),
        cmocka_unit_test(test_sign_ins_leave_a_worker),
        cmocka_unit_test(test_stop_waits_for_no_sign_ins),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
