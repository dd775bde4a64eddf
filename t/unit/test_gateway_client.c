/* gateway: tokens, connections, what an answer may be, stopping. */
#include "gateway_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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
        TEST(sleeps_when_idle),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
