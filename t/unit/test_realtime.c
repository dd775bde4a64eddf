/* realtime: raw WebSockets: frames, refusals, floods, slow and silent ones. */
#include "realtime_fixture.h"

#include <poll.h>
#include <pthread.h>

/* ---- frames ---- */

static void test_ping_and_nonsense(void **state)
{
    static const char *const bad[] = {
        "x",
        "[]",
        "{}",
        "{\"event\":7}",
        "{\"event\":\"pusher:nosuch\"}",
        "{\"event\":\"pusher:subscribe\"}",
        "{\"event\":\"pusher:subscribe\",\"data\":\"inbox\"}",
        "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"a b\"}}",
        "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":[]}}"};
    ws_t *w = meet();
    (void)state;
    tell(w, "{\"event\":\"pusher:ping\",\"data\":{}}");
    expect(w, "{\"event\":\"pusher:pong\"}");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tell(w, bad[i]);
        expect_has(w, "{\"event\":\"pusher:error\",\"data\":\"{\\\"code\\\":"
                      "4200,");
    }
    tell(w, "{\"event\":\"pusher:pong\",\"data\":{}}");
    tell(w, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"x\"}}");
    tell(w, "{\"event\":\"pusher:ping\",\"data\":{}}");
    expect(w, "{\"event\":\"pusher:pong\"}");
    leave(w);
}

static void test_fragments_and_control(void **state)
{
    ws_t *w = meet();
    (void)state;
    tell_op(w, 0x01, "{\"event\":\"pus", 13);
    tell_op(w, 0x89, "are you there", 13);
    tell_op(w, 0x00, "her:pi", 6);
    tell_op(w, 0x80, "ng\"}", 4);
    assert_true(next(w));
    if (w->op == 10) { /* before the message or behind it */
        assert_string_equal(w->text, "are you there");
        assert_true(next(w));
        assert_string_equal(w->text, "{\"event\":\"pusher:pong\"}");
    } else {
        assert_string_equal(w->text, "{\"event\":\"pusher:pong\"}");
        assert_true(next(w));
        assert_int_equal(w->op, 10);
    }
    tell_op(w, 0x88, "\x03\xe8", 2);
    expect_close(w, 1000);
    free(w);
}

static void test_broken_frames(void **state)
{
    static const char large[5000];
    ws_t *w = meet();
    (void)state;
    write_all(w->fd, "\x81\x02{}", 4); /* not masked */
    expect_close(w, 1002);
    free(w);
    expect_refusal(0x82, "{}", 2, 1003);
    expect_refusal(0x81, "\xc0\xaf", 2, 1007);
    expect_refusal(0x81, large, sizeof(large), 1009);
    expect_refusal(0xc1, "{}", 2, 1002); /* a reserved bit */
}

static void test_early_bytes(void **state)
{
    static const char ping[] = "{\"event\":\"pusher:ping\"}";
    unsigned char frames[200];
    size_t n = pack(0x81, ping, sizeof(ping) - 1, frames), half = n / 2;
    ws_t *w;
    (void)state;
    n += pack(0x81, ping, sizeof(ping) - 1, frames + n);
    for (size_t cut = 1; cut <= n; cut += half) {
        w = arrive((const char *)frames, cut, 0);
        if (cut < n) {
            write_all(w->fd, frames + cut, n - cut);
        }
        expect_has(w, "connection_established");
        expect(w, "{\"event\":\"pusher:pong\"}");
        expect(w, "{\"event\":\"pusher:pong\"}");
        leave(w);
    }
}

static void test_refusals(void **state)
{
    static const int codes[] = {REALTIME_NO_APP, REALTIME_VERSION_UNKNOWN,
                                REALTIME_VERSION_MISSING};
    ws_t *w;
    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        w = arrive(NULL, 0, codes[i]);
        expect_close(w, (unsigned)codes[i]);
        free(w);
    }
    wait_connections(0);
    assert_int_equal(realtime_counters(rt)->refused, 3);
}

static void test_flood(void **state)
{
    ws_t *w = meet();
    (void)state;
    for (int i = 0; i < 300; i++) {
        tell(w, "{\"event\":\"pusher:pong\"}");
    }
    expect_close(w, REALTIME_OVER);
    free(w);
}

/* ---- limits ---- */

/* Through a socket that takes a little at a time, cut anywhere. */
static void test_queue(void **state)
{
    static unsigned char data[7000], all[2 << 20], got[2 << 20];
    const int small = 4096;
    rt_queue_t q = {0};
    size_t len = 0, have = 0;
    int pair[2], rc = WERR_BUSY;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (size_t i = 0; i < 500; i++) {
        size_t n = 1 + i * 7919 % sizeof(data);
        rt_frame_t *frame;
        for (size_t k = 0; k < n; k++) {
            data[k] = (unsigned char)(i + k * 31);
        }
        frame = rt_frame_raw(data, n);
        assert_non_null(frame);
        assert_true(rt_queue_put(&q, frame));
        rt_frame_unref(frame);
        assert_true(len + n <= sizeof(all));
        memcpy(all + len, data, n);
        len += n;
    }
    assert_int_equal(q.bytes, len);
    while (rc == WERR_BUSY) {
        ssize_t n;
        rc = rt_queue_send(&q, pair[0]);
        while ((n = recv(pair[1], got + have, 1 + have % 3000, MSG_DONTWAIT)) >
               0) {
            have += (size_t)n;
        }
        assert_int_equal(q.bytes + have, len);
    }
    assert_int_equal(rc, WERR_OK);
    assert_int_equal(have, len);
    assert_memory_equal(got, all, len);
    assert_null(q.frames);
    close(pair[1]);
    close(pair[0]);
}

/* What nobody hears is not rendered, and not told to who comes later. */
static void test_nobody(void **state)
{
    ws_t *w;
    (void)state;
    hear(mine, "kosong");
    while (realtime_counters(rt)->seq < f.d.last_seq) {
        sched_yield();
    }
    assert_int_equal(realtime_counters(rt)->events, 0);
    w = meet_agent(AGENT);
    hear(mine, "isi");
    expect_has(w, "isi");
    leave(w);
}

/* Nothing to do is nothing done. */
static void test_idle(void **state)
{
    const struct timespec pause = {0, 300000000};
    struct timespec before, after;
    ws_t *w = meet_agent(AGENT);
    (void)state;
    hear(mine, "halo");
    expect_has(w, "halo");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
                    before.tv_nsec <
                100000000);
    leave(w);
}

static void test_slow_client(void **state)
{
    ws_t *slow = meet(), *quick = meet();
    static char data[4001];
    realtime_event_t e = {
        .name = "X", .channels = {"one"}, .nchannels = 1, .data = data};
    size_t got = 0;
    (void)state;
    memset(data, 'x', sizeof(data) - 1);
    e.data_len = sizeof(data) - 1;
    subscribe(slow, "one");
    subscribe(quick, "one");
    while (atomic_load(&realtime_counters(rt)->slow) == 0) {
        assert_int_equal(realtime_publish(rt, &e, 1), WERR_OK);
        expect_has(quick, "xxx");
        assert_true(++got < 5000);
    }
    while (next(slow) && slow->op == 1 && strstr(slow->text, "xxx") != NULL) {
        assert_true(got-- > 0);
    }
    /* what waited was let go */
    assert_true(got > (size_t)usual.max_queue / sizeof(data) / 2);
    assert_non_null(strstr(slow->text, "\\\"code\\\":4100"));
    assert_true(next(slow));
    assert_int_equal(slow->op, 8);
    assert_false(next(slow));
    leave(slow);
    leave(quick);
}

static void test_full(void **state)
{
    ws_t *w[101];
    (void)state;
    for (int i = 0; i < usual.max_connections; i++) {
        w[i] = meet();
    }
    w[100] = arrive(NULL, 0, 0);
    expect_close(w[100], REALTIME_OVER);
    free(w[100]);
    leave(w[0]);
    wait_connections(usual.max_connections - 1);
    w[0] = meet();
    for (int i = 0; i < usual.max_connections; i++) {
        leave(w[i]);
    }
    wait_connections(0);
}

/* As if so many ms had gone by without a word. */
static int age(realtime_t *r, void *arg)
{
    const int64_t *ms = arg;
    for (size_t i = 0; i < r->nslots; i++) {
        if (r->slots[i] != NULL) {
            rt_client_tick(r->slots[i], r->slots[i]->heard + *ms);
        }
    }
    return WERR_OK;
}

static void test_silence(void **state)
{
    ws_t *w = meet();
    int64_t ms = 39000;
    (void)state;
    assert_int_equal(rt_call(rt, age, &ms), WERR_OK);
    ms = 41000;
    assert_int_equal(rt_call(rt, age, &ms), WERR_OK);
    assert_int_equal(rt_call(rt, age, &ms), WERR_OK); /* once is enough */
    expect(w, "{\"event\":\"pusher:ping\",\"data\":\"{}\"}");
    tell(w, "{\"event\":\"pusher:pong\"}");
    tell(w, "{\"event\":\"pusher:ping\"}");
    expect_has(w, "pusher:pong");
    assert_int_equal(rt_call(rt, age, &ms), WERR_OK);
    expect_has(w, "pusher:ping");
    ms = 71000;
    assert_int_equal(rt_call(rt, age, &ms), WERR_OK);
    expect_close(w, REALTIME_SILENT);
    free(w);
}

static void test_drain(void **state)
{
    ws_t *w[50];
    int64_t from;
    (void)state;
    for (int i = 0; i < 50; i++) {
        w[i] = meet();
    }
    from = clock_mono_ms();
    realtime_drain(rt, 200);
    assert_true(clock_mono_ms() - from >= 200);
    assert_false(realtime_open(rt));
    for (int i = 0; i < 50; i++) {
        expect_close(w[i], REALTIME_AGAIN);
        free(w[i]);
    }
    w[0] = arrive(NULL, 0, 0);
    assert_false(next(w[0])); /* too late */
    leave(w[0]);
}

static void *drain_slowly(void *arg)
{
    realtime_drain(rt, *(const int64_t *)arg);
    return NULL;
}

/* As if the drain had begun so many ms earlier. */
static int sooner(realtime_t *r, void *arg)
{
    r->drain_from_ms -= *(const int64_t *)arg;
    return WERR_OK;
}

/* The drain is on, and what was due in the turn before has been done. */
static int draining(realtime_t *r, void *arg)
{
    (void)arg;
    return r->drain_from_ms != 0 ? WERR_OK : WERR_BUSY;
}

/* Those who have been told to come back do so; how many. */
static int gone(ws_t **w, int n)
{
    int all = 0;
    for (int i = 0; i < n; i++) {
        struct pollfd p = {.fd = w[i] != NULL ? w[i]->fd : -1,
                           .events = POLLIN};
        if (poll(&p, 1, 0) == 1) {
            expect_close(w[i], REALTIME_AGAIN);
            free(w[i]);
            w[i] = NULL;
            all++;
        }
    }
    return all;
}

/* The same, when those who are due have been told. */
static int gone_by(ws_t **w, int n, int due)
{
    const int64_t until = clock_mono_ms() + 20000;
    int all = 0;
    do {
        assert_int_equal(rt_call(rt, draining, NULL), WERR_OK);
        all += gone(w, n);
    } while (all < due && clock_mono_ms() < until);
    return all;
}

static pthread_t drain_in_the_background(int64_t *spread_ms)
{
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, drain_slowly, spread_ms), 0);
    while (rt_call(rt, draining, NULL) != WERR_OK) {
        sched_yield();
    }
    return t;
}

/*
 * Who is closed when: a drain of so long that nothing of the machine's counts,
 * led through its tenths by hand.
 */
static void test_drain_is_spread(void **state)
{
    enum { CLIENTS = 70, STEPS = 10 }; /* more than the first slots */
    int64_t spread_ms = 10000000, step = spread_ms / STEPS;
    ws_t *w[CLIENTS];
    int all = 0;
    pthread_t t;
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = meet();
    }
    t = drain_in_the_background(&spread_ms);
    assert_int_equal(gone(w, CLIENTS), 0);
    for (int i = 1; i <= STEPS; i++) {
        int due = CLIENTS * i / STEPS;
        assert_int_equal(rt_call(rt, sooner, &step), WERR_OK);
        all += gone_by(w, CLIENTS, due - all);
        wait_connections(CLIENTS - all);
        assert_in_range(all, due, due + 1);
    }
    assert_int_equal(pthread_join(t, NULL), 0);
}

/* Half of them leave by themselves in its first half: the others have the
 * second half for themselves, and need not hurry. */
static void test_drain_with_departures(void **state)
{
    enum { CLIENTS = 60 };
    int64_t spread_ms = 10000000, half = spread_ms / 2, rest = half / 2;
    ws_t *w[CLIENTS];
    int all = 0;
    pthread_t t;
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        w[i] = meet();
    }
    t = drain_in_the_background(&spread_ms);
    for (int i = 0; i < CLIENTS; i += 2) {
        leave(w[i]);
        w[i] = NULL;
    }
    wait_connections(CLIENTS / 2);
    assert_int_equal(rt_call(rt, sooner, &half), WERR_OK);
    for (int i = 0; i < 3; i++) { /* turns */
        all += gone_by(w, CLIENTS, 0);
    }
    assert_in_range(all, 0, 1);
    assert_int_equal(rt_call(rt, sooner, &rest), WERR_OK);
    all += gone_by(w, CLIENTS, CLIENTS / 4 - all);
    assert_in_range(all, CLIENTS / 4, CLIENTS / 4 + 1);
    assert_int_equal(rt_call(rt, sooner, &half), WERR_OK);
    all += gone_by(w, CLIENTS, CLIENTS / 2 - all);
    assert_int_equal(all, CLIENTS / 2);
    assert_int_equal(pthread_join(t, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ping_and_nonsense),
        CASE(test_fragments_and_control),
        CASE(test_broken_frames),
        CASE(test_early_bytes),
        CASE(test_refusals),
        CASE(test_flood),
        CASE(test_queue),
        CASE(test_nobody),
        CASE(test_idle),
        CASE(test_slow_client),
        CASE(test_full),
        CASE(test_silence),
        CASE(test_drain),
        CASE(test_drain_is_spread),
        CASE(test_drain_with_departures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
