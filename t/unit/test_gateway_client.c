#include "gateway/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "simulator.h"

#define CALLS_MAX 64

/* Calls that the test wants, and how they ended. */
typedef struct {
    gw_request_t request;
    bool started, ended;
    gw_result_t result;
    char body[256];
    pthread_t thread;
} call_t;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    call_t calls[CALLS_MAX];
    size_t n;
    _Atomic int ticks, loads, stores;
    char token[128];
    gateway_account_t account;
    gw_client_t *client;
} bench_t;

static bench_t bench;

static void on_done(void *arg, const gw_result_t *r)
{
    call_t *call = arg;

    (void)pthread_mutex_lock(&bench.lock);
    assert_false(call->ended);
    call->result = *r;
    call->thread = pthread_self();
    (void)snprintf(call->body, sizeof(call->body), "%s",
                   r->body ? r->body : "");
    call->result.body = call->body;
    call->ended = true;
    (void)pthread_cond_broadcast(&bench.changed);
    (void)pthread_mutex_unlock(&bench.lock);
}

static void on_tick(void *arg, gw_client_t *client, int64_t *timeout_ms)
{
    (void)arg;
    (void)timeout_ms;
    (void)pthread_mutex_lock(&bench.lock);
    bench.ticks++;
    for (size_t i = 0; i < bench.n; i++) {
        call_t *call = &bench.calls[i];

        if (call->started) {
            continue;
        }
        call->started = true;
        assert_int_equal(
            gw_call(client, &bench.account, &call->request, on_done, call),
            WERR_OK);
    }
    (void)pthread_mutex_unlock(&bench.lock);
}

static void on_load(void *arg, const char *account, char *token, size_t size)
{
    (void)arg;
    assert_string_equal(account, "main");
    bench.loads++;
    (void)snprintf(token, size, "%s", bench.token);
}

static void on_store(void *arg, const char *account, const char *token,
                     int64_t expires_ms)
{
    (void)arg;
    assert_string_equal(account, "main");
    assert_true(expires_ms > clock_now_ms() + 80000 * 1000);
    bench.stores++;
    (void)snprintf(bench.token, sizeof(bench.token), "%s", token);
}

/* ---- a client to each test ---- */

static int start(void **state)
{
    gw_client_options_t o = {.accounts = &bench.account,
                             .naccounts = 1,
                             .token_load = on_load,
                             .token_store = on_store,
                             .tick = on_tick};

    (void)state;
    memset(&bench, 0, sizeof(bench));
    (void)pthread_mutex_init(&bench.lock, NULL);
    (void)pthread_cond_init(&bench.changed, NULL);
    bench.account = (gateway_account_t){.name = "main",
                                        .driver = "waapi",
                                        .base_url = sim.base,
                                        .email = "cs@example.org",
                                        .password = "secret",
                                        .timeout_s = 1};
    sim_do(&sim, "reset", "{\"tokens\":true}");
    return gw_client_start(&bench.client, &o);
}

static int stop(void **state)
{
    (void)state;
    gw_client_stop(&bench.client, 2000);
    (void)pthread_cond_destroy(&bench.changed);
    (void)pthread_mutex_destroy(&bench.lock);
    return 0;
}

static call_t *begin(const char *text)
{
    gw_send_t s = {.session = "s1",
                   .phone = "6281333000111",
                   .type = "text",
                   .text = text};
    call_t *call = &bench.calls[bench.n];

    gw_request_init(&call->request);
    assert_int_equal(gw_waapi.send(&bench.account, &s, &call->request),
                     WERR_OK);
    (void)pthread_mutex_lock(&bench.lock);
    bench.n++;
    (void)pthread_mutex_unlock(&bench.lock);
    gw_client_wake(bench.client);
    return call;
}

static const gw_result_t *finish(call_t *call)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    (void)pthread_mutex_lock(&bench.lock);
    while (!call->ended && rc == 0) {
        rc = pthread_cond_timedwait(&bench.changed, &bench.lock, &until);
    }
    (void)pthread_mutex_unlock(&bench.lock);
    assert_true(call->ended);
    return &call->result;
}

static const gw_result_t *perform(const char *text)
{
    return finish(begin(text));
}

static void behave(const char *json)
{
    sim_do(&sim, "behaviour", json);
}

/* ---- tests ---- */

static void signs_in_once_and_sends(void **state)
{
    call_t *calls[8];
    const gw_result_t *r;

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        calls[i] = begin("halo");
    }
    for (size_t i = 0; i < 8; i++) {
        r = finish(calls[i]);
        assert_int_equal(r->http_status, 201);
        assert_non_null(strstr(r->body, "message_id"));
        assert_true(r->bytes_sent);
        assert_false(pthread_equal(calls[i]->thread, pthread_self()));
    }
    assert_int_equal(sim_count(&sim, "route=login"), 1);
    assert_int_equal(sim_count(&sim, "route=send.text"), 8);
    assert_int_equal(bench.loads, 1);
    assert_int_equal(bench.stores, 1);
    assert_int_equal(gw_client_active(bench.client), 0);
}

static void signs_in_again_once(void **state)
{
    (void)state;
    assert_int_equal(perform("satu")->http_status, 201);
    sim_do(&sim, "expire", "{}");
    assert_int_equal(perform("dua")->http_status, 201);
    assert_int_equal(sim_count(&sim, "route=login"), 2);
    assert_int_equal(sim_count(&sim, "text=dua"), 2);
    /* refused whatever the token is: one new login, then told */
    behave("{\"do\":\"unauthorised\",\"times\":-1}");
    assert_int_equal(perform("tiga")->http_status, 401);
    assert_int_equal(sim_count(&sim, "text=tiga"), 2);
    assert_int_equal(sim_count(&sim, "route=login"), 3);
    /* and no login for each message after that */
    assert_int_equal(perform("empat")->http_status, 401);
    assert_int_equal(sim_count(&sim, "route=login"), 3);
}

static void failed_login(void **state)
{
    call_t *a, *b;

    (void)state;
    bench.account.password = "wrong";
    a = begin("satu");
    b = begin("dua");
    assert_int_equal(finish(a)->http_status, 401);
    assert_int_equal(finish(b)->http_status, 401);
    assert_false(finish(a)->bytes_sent);
    assert_int_equal(sim_count(&sim, "route=login"), 1);
    assert_int_equal(bench.stores, 0);
}

static void kept_connections(void **state)
{
    json_t *root, *calls, *c;
    json_int_t first = 0;
    size_t i;

    (void)state;
    for (int n = 0; n < 10; n++) {
        assert_int_equal(perform("halo")->http_status, 201);
    }
    root = sim_call(&sim, "calls", NULL);
    calls = json_object_get(root, "calls");
    assert_int_equal(json_array_size(calls), 11);
    json_array_foreach(calls, i, c)
    {
        json_int_t n = json_integer_value(json_object_get(c, "connection"));

        first = first ? first : n;
        assert_int_equal(n, first);
    }
    json_decref(root);
}

static void times_out(void **state)
{
    int64_t begun = clock_mono_ms();
    const gw_result_t *r;

    (void)state;
    behave("{\"do\":\"hang\"}");
    r = perform("halo");
    assert_int_equal(r->http_status, 0);
    assert_true(r->timed_out);
    assert_true(r->bytes_sent);
    assert_true(r->error[0] != '\0');
    assert_in_range(clock_mono_ms() - begun, 900, 5000);
}

static void no_redirects(void **state)
{
    (void)state;
    behave("{\"do\":\"redirect\",\"location\":\"/api/v1/sessions\"}");
    assert_int_equal(perform("halo")->http_status, 302);
    assert_int_equal(sim_count(&sim, "route=sessions.list"), 0);
}

static void too_large(void **state)
{
    const gw_result_t *r;

    (void)state;
    behave("{\"do\":\"huge\",\"bytes\":1048000}");
    assert_int_equal(perform("halo")->http_status, 200);
    behave("{\"do\":\"huge\",\"bytes\":1048600}");
    r = perform("halo");
    assert_int_equal(r->http_status, 0);
    assert_true(r->bytes_sent);
    assert_false(r->timed_out);
    assert_string_equal(r->error, "the answer is too large");
}

static void closed_before(void **state)
{
    const gw_result_t *r;

    (void)state;
    /* the first connection is kept by the sign-in: never resent on it */
    assert_int_equal(perform("satu")->http_status, 201);
    behave("{\"do\":\"close\",\"when\":\"before\"}");
    r = perform("dua");
    assert_int_equal(r->http_status, 0);
    assert_true(r->bytes_sent);
}

/* The gateway took the message and died: it must not get it twice. */
static void closed_after_is_not_resent(void **state)
{
    const gw_result_t *r;

    (void)state;
    assert_int_equal(perform("satu")->http_status, 201);
    behave("{\"do\":\"close\",\"when\":\"after\"}");
    r = perform("dua");
    assert_int_equal(r->http_status, 0);
    assert_true(r->bytes_sent);
    assert_int_equal(sim_count(&sim, "text=dua"), 1);
}

static void retry_after(void **state)
{
    const gw_result_t *r;

    (void)state;
    behave("{\"do\":\"limited\",\"retry_after\":7}");
    r = perform("halo");
    assert_int_equal(r->http_status, 429);
    assert_int_equal(r->retry_after_s, 7);
}

/* A port where nobody listens. */
static void refused(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    const gw_result_t *r;
    char base[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)state;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    (void)snprintf(base, sizeof(base), "http://127.0.0.1:%d",
                   ntohs(a.sin_port));
    bench.account.base_url = base;
    bench.account.email = NULL;
    r = perform("halo");
    assert_int_equal(r->http_status, 0);
    assert_false(r->bytes_sent);
    assert_false(r->timed_out);
    (void)close(fd);
}

static void other_protocols(void **state)
{
    const gw_result_t *r;

    (void)state;
    bench.account.base_url = "file:///etc";
    bench.account.email = NULL;
    r = perform("halo");
    assert_int_equal(r->http_status, 0);
    assert_false(r->bytes_sent);
}

static void stop_is_bounded(void **state)
{
    int64_t begun;
    call_t *call;

    (void)state;
    bench.account.timeout_s = 30;
    behave("{\"do\":\"hang\"}");
    call = begin("halo");
    while (sim_count(&sim, "route=send.text") == 0) {
        (void)usleep(10000);
    }
    begun = clock_mono_ms();
    gw_client_stop(&bench.client, 200);
    assert_in_range(clock_mono_ms() - begun, 150, 2000);
    assert_true(call->ended);
    assert_int_equal(call->result.http_status, 0);
    assert_true(call->result.bytes_sent);
    assert_null(bench.client);
}

/* ---- calls of other threads ---- */

static call_t *submit(const char *text, int64_t timeout_ms, int expected)
{
    gw_send_t s = {.session = "s1",
                   .phone = "6281333000111",
                   .type = "text",
                   .text = text};
    call_t *call = &bench.calls[bench.n++];

    call->started = true;
    gw_request_init(&call->request);
    assert_int_equal(gw_waapi.send(&bench.account, &s, &call->request),
                     WERR_OK);
    assert_int_equal(gw_submit(bench.client, &bench.account, &call->request,
                               timeout_ms, on_done, call),
                     expected);
    return call;
}

static void submitted(void **state)
{
    call_t *calls[8];

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        calls[i] = submit("halo", 0, WERR_OK);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(finish(calls[i])->http_status, 201);
        assert_false(pthread_equal(calls[i]->thread, pthread_self()));
    }
    assert_int_equal(sim_count(&sim, "route=login"), 1);
    assert_int_equal(gw_client_active(bench.client), 0);
}

static void submitted_for_nobody(void **state)
{
    gateway_account_t other = bench.account;
    gw_request_t request;

    (void)state;
    other.name = "other";
    gw_request_init(&request);
    assert_int_equal(
        gw_submit(bench.client, &other, &request, 0, on_done, &bench.calls[0]),
        WERR_INVALID);
}

static void shorter_deadline(void **state)
{
    int64_t begun;
    const gw_result_t *r;

    (void)state;
    assert_int_equal(finish(submit("satu", 0, WERR_OK))->http_status, 201);
    behave("{\"do\":\"hang\"}");
    begun = clock_mono_ms();
    r = finish(submit("dua", 200, WERR_OK));
    assert_int_equal(r->http_status, 0);
    assert_true(r->timed_out);
    assert_true(r->bytes_sent);
    assert_in_range(clock_mono_ms() - begun, 150, 900);
    /* and the account's where more was asked */
    behave("{\"do\":\"hang\"}");
    begun = clock_mono_ms();
    assert_true(finish(submit("tiga", 60000, WERR_OK))->timed_out);
    assert_in_range(clock_mono_ms() - begun, 900, 5000);
}

/* The login is on the way, and slow. */
static void deadline_of_a_waiting_call(void **state)
{
    const gw_result_t *r;

    (void)state;
    behave("{\"do\":\"hang\",\"route\":\"login\"}");
    r = finish(submit("satu", 200, WERR_OK));
    assert_true(r->timed_out);
    assert_false(r->bytes_sent);
    assert_int_equal(sim_count(&sim, "route=send.text"), 0);
}

static void *stop_slowly(void *arg)
{
    (void)arg;
    gw_client_t *client = bench.client;
    gw_client_stop(&client, 600);
    return NULL;
}

static void submitted_too_late(void **state)
{
    pthread_t stopper;
    call_t *call;

    (void)state;
    bench.account.timeout_s = 30;
    behave("{\"do\":\"hang\"}");
    call = submit("satu", 0, WERR_OK);
    while (sim_count(&sim, "route=send.text") == 0) {
        (void)usleep(10000);
    }
    assert_int_equal(pthread_create(&stopper, NULL, stop_slowly, NULL), 0);
    (void)usleep(200000);
    (void)submit("dua", 0, WERR_STOPPING);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    bench.client = NULL;
    assert_true(call->ended);
    assert_int_equal(call->result.http_status, 0);
}

static void sleeps_when_idle(void **state)
{
    int ticks;

    (void)state;
    assert_int_equal(perform("halo")->http_status, 201);
    (void)usleep(50000);
    ticks = bench.ticks;
    (void)usleep(200000);
    assert_int_equal(bench.ticks, ticks);
    assert_true(ticks < 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(signs_in_once_and_sends),
        TEST(signs_in_again_once),
        TEST(failed_login),
        TEST(kept_connections),
        TEST(times_out),
        TEST(no_redirects),
        TEST(too_large),
        TEST(closed_before),
        TEST(closed_after_is_not_resent),
        TEST(retry_after),
        TEST(refused),
        TEST(other_protocols),
        TEST(stop_is_bounded),
        TEST(submitted),
        TEST(submitted_for_nobody),
        TEST(shorter_deadline),
        TEST(deadline_of_a_waiting_call),
        TEST(submitted_too_late),
        TEST(sleeps_when_idle),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
