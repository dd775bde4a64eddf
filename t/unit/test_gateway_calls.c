/* gateway: calls of other threads, and how long they may take. */
#include "gateway_fixture.h"

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

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(submitted),          TEST(submitted_for_nobody),
        TEST(shorter_deadline),   TEST(deadline_of_a_waiting_call),
        TEST(submitted_too_late),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
