/* outbox: killed, stopped and started again. */
#include "outbox_fixture.h"

#include "domain/delivery.h"

/* Another process sends, and is killed while the gateway holds its call. */
static void kill_in_flight(void)
{
    pid_t pid;

    close_desk();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        open_desk();
        desk.account.timeout_s = 30;
        start_outbox();
        for (;;) {
            (void)pause();
        }
    }
    while (sim_count(&sim, "route=send.text&phone=6281333000180") == 0) {
        (void)usleep(10000);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    open_desk();
}

static void killed_in_flight(void **state)
{
    int64_t a, b, c;

    (void)state;
    desk.options.unknown_hold_s = 3;
    behave("{\"do\":\"hang\",\"phone\":\"6281333000180\"}");
    a = queue("6281333000180", "satu");
    b = queue("6281333000180", "dua");
    kill_in_flight();
    assert_int_equal(row(a).state, DELIVERY_INFLIGHT);
    start_outbox();
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN);
    c = queue("6281333000181", "tiga");
    (void)wait_for(c, DELIVERY_SENT);
    assert_int_equal(row(b).state, DELIVERY_QUEUED);
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN_LEFT);
    assert_int_equal(sim_count(&sim, "text=satu"), 1);
    assert_int_equal(sim_count(&sim, "text=dua"), 1);
}

/* What the gateway took and could tell nobody is in its history. */
static void killed_and_found(void **state)
{
    int64_t a, b;

    (void)state;
    desk.options.unknown_hold_s = 60;
    behave("{\"do\":\"hang\",\"accept\":true,\"phone\":\"6281333000180\"}");
    a = queue("6281333000180", "satu");
    b = queue("6281333000180", "dua");
    kill_in_flight();
    start_outbox();
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN);
    assert_memory_equal(wait_for(a, DELIVERY_SENT).wa_id, "3EB0", 4);
    assert_int_equal(row(a).attempts, 1);
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(sim_count(&sim, "text=satu"), 1);
    assert_int_equal(sim_count(&sim, "text=dua"), 1);
}

/* What it did late is, too. */
static void found_later(void **state)
{
    int64_t a;

    (void)state;
    desk.options.unknown_hold_s = 4;
    behave("{\"do\":\"hang\"}");
    a = queue("6281333000185", "nanti");
    start_outbox();
    (void)wait_for(a, DELIVERY_UNKNOWN);
    sim_do(&sim, "webhook",
           "{\"from\":\"6281333000185\",\"text\":\"nanti\","
           "\"from_me\":true,\"id\":\"3EB0NANTI001\"}");
    assert_string_equal(wait_for(a, DELIVERY_SENT).wa_id, "3EB0NANTI001");
    assert_int_equal(sim_count(&sim, "route=send.text"), 1);
    assert_int_equal(outbox_counters(desk.outbox)->unknown, 1);
    assert_int_equal(outbox_counters(desk.outbox)->sent, 1);
}

static void stop_keeps_what_hangs(void **state)
{
    int64_t a, begun;

    (void)state;
    behave("{\"do\":\"hang\"}");
    a = queue("6281333000190", "satu");
    desk.account.timeout_s = 30;
    start_outbox();
    while (sim_count(&sim, "route=send.text") == 0) {
        (void)usleep(10000);
    }
    begun = clock_mono_ms();
    stop_outbox(200);
    assert_true(clock_mono_ms() - begun < 2000);
    assert_int_equal(row(a).state, DELIVERY_INFLIGHT);
    start_outbox();
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN);
    assert_int_equal(sim_count(&sim, "route=send.text"), 1);
}

static void token_outlives_the_process(void **state)
{
    (void)state;
    start_outbox();
    (void)wait_for(queue("6281333000200", "satu"), DELIVERY_SENT);
    stop_outbox(1000);
    start_outbox();
    (void)wait_for(queue("6281333000200", "dua"), DELIVERY_SENT);
    assert_int_equal(sim_count(&sim, "route=login"), 1);
    /* a new login burns no try */
    sim_do(&sim, "expire", "{}");
    assert_int_equal(
        wait_for(queue("6281333000200", "tiga"), DELIVERY_SENT).attempts, 1);
    assert_int_equal(sim_count(&sim, "route=login"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(killed_in_flight),
        TEST(killed_and_found),
        TEST(found_later),
        TEST(stop_keeps_what_hangs),
        TEST(token_outlives_the_process),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
