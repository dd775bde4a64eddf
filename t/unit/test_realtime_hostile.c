/* realtime: what strangers may try with a socket, and what it may cost. */
#include "realtime_fixture.h"

#include <fcntl.h>

/* ---- the socket ---- */

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void wait_connects(int64_t n)
{
    for (int i = 0; atomic_load(&realtime_counters(rt)->connects) < n; i++) {
        assert_true(i < 5000);
        usleep(1000);
    }
}

/* The HTTP server closes its own copy of the descriptor after it has handed
 * the socket over: the other side may be gone again by then. */
static void test_kept_copy(void **state)
{
    const struct timespec pause = {0, 300000000};
    ws_t *other = meet();
    int64_t before;
    int pair[2], copy;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    copy = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
    assert_true(copy >= 0);
    close(pair[0]);
    realtime_take(rt, copy, NULL, 0, 0);
    wait_connects(2);
    wait_connections(1);
    before = cpu_ms();
    nanosleep(&pause, NULL);
    assert_true(cpu_ms() - before < 100);
    close(pair[1]);
    tell(other, "{\"event\":\"pusher:ping\"}");
    expect(other, "{\"event\":\"pusher:pong\"}");
    leave(other);
}

/* Who is refused waits for the answer only where there is room. */
static void test_refused_crowd(void **state)
{
    enum { CROWD = 900 };
    static int fds[CROWD];
    ws_t *w = meet();
    (void)state;
    for (int i = 0; i < CROWD; i++) {
        int pair[2];
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        fds[i] = pair[0];
        realtime_take(rt, pair[1], NULL, 0, REALTIME_NO_APP);
    }
    wait_connects(CROWD + 1);
    tell(w, "{\"event\":\"pusher:ping\"}");
    expect(w, "{\"event\":\"pusher:pong\"}");
    assert_true(realtime_counters(rt)->connections <=
                usual.max_connections + 512);
    assert_int_equal(realtime_counters(rt)->refused, CROWD);
    for (int i = 0; i < CROWD; i++) {
        close(fds[i]);
    }
    leave(w);
    wait_connections(0);
}

static void test_churn(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        int pair[2];
        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        realtime_take(rt, pair[1], NULL, 0, 0);
        if (i % 3 == 0) {
            write_all(pair[0], "\x81\x80", 2);
        }
        close(pair[0]);
        if (i % 64 == 63) {
            wait_connections(0);
        }
    }
    wait_connects(10000);
    wait_connections(0);
    leave(meet());
}

/* ---- frames ---- */

static void test_control_frames(void **state)
{
    static const char text[200] = "x";
    ws_t *w;
    (void)state;
    expect_refusal(0x89, text, 126, 1002); /* longer than it may be */
    expect_refusal(0x09, "a", 1, 1002);    /* in pieces */
    expect_refusal(0x83, "a", 1, 1002);    /* no such kind */
    expect_refusal(0x80, "a", 1, 1002);    /* of nothing */
    w = meet();
    write_all(w->fd, "\x81\xfe\x00\x01\0\0\0\0a", 9); /* length not minimal */
    expect_close(w, 1002);
    free(w);
    expect_refusal(0x88, "a", 1, 1002);        /* half a code */
    expect_refusal(0x88, "\x03\xed", 2, 1002); /* 1005 is never sent */
    w = meet();
    tell_op(w, 0x88, "", 0);
    assert_true(next(w));
    assert_int_equal(w->op, 8);
    leave(w);
}

/* As many at once as messages, each with all it may carry. */
static void test_pings(void **state)
{
    static unsigned char out[64 << 10];
    static char text[125];
    ws_t *w = meet();
    size_t n = 0;
    (void)state;
    memset(text, 'p', sizeof(text));
    for (int i = 0; i < 150; i++) {
        n += pack(0x89, text, sizeof(text), out + n);
    }
    write_all(w->fd, out, n);
    for (int i = 0; i < 150; i++) {
        assert_true(next(w));
        assert_int_equal(w->op, 10);
        assert_memory_equal(w->text, text, sizeof(text));
    }
    n = 0;
    for (int i = 0; i < 150; i++) {
        n += pack(0x89, "", 0, out + n);
    }
    write_all(w->fd, out, n);
    do {
        assert_true(next(w));
    } while (w->op == 10);
    assert_non_null(strstr(w->text, "\\\"code\\\":4100"));
    leave(w);
}

/* Each piece costs a hundred times its byte, and empty ones are free. */
static void test_pieces(void **state)
{
    static unsigned char out[64 << 10];
    ws_t *w = meet();
    size_t n = pack(0x01, "{", 1, out);
    (void)state;
    for (int i = 0; i < 100; i++) {
        n += pack(0x00, " ", 1, out + n);
    }
    write_all(w->fd, out, n);
    expect_close(w, 1009);
    free(w);
    w = meet();
    n = pack(0x01, "{", 1, out);
    for (int i = 0; i < 1000; i++) {
        n += pack(0x00, "", 0, out + n);
    }
    write_all(w->fd, out, n);
    expect_close(w, 1009);
    free(w);
}

/* ---- channels ---- */

static int fill(realtime_t *r, void *arg)
{
    const bool *make = arg;
    for (int i = 0; i < 25000; i++) {
        char name[32];
        rt_channel_t *ch;
        snprintf(name, sizeof(name), "flood-%d", i);
        ch = *make ? rt_channel_make(r, name) : rt_channel_find(r, name);
        if (ch != NULL && !*make) {
            rt_channel_tidy(r, ch);
        }
    }
    return WERR_OK;
}

/* Strangers have used up the public ones. */
static void test_channel_flood(void **state)
{
    bool make = true;
    ws_t *w = meet(), *agent = meet();
    char name[64];
    (void)state;
    assert_int_equal(rt_call(rt, fill, &make), WERR_OK);
    assert_true(realtime_counters(rt)->channels <= 20000);
    tell(w, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"new\"}}");
    expect_has(w, "LimitReached");
    authorise(agent, AGENT, later);
    subscribe(agent, "private-inbox");
    snprintf(name, sizeof(name), "presence-chat.%lld",
             (long long)hear(mine, "halo"));
    expect_has(agent, "halo");
    ask(agent, name, "{\"user_id\":\"1\"}");
    expect_has(agent, "subscription_succeeded");
    make = false;
    assert_int_equal(rt_call(rt, fill, &make), WERR_OK);
    leave(w);
    leave(agent);
    wait_connections(0);
    assert_int_equal(realtime_counters(rt)->channels, 0);
}

/* Names that the plain FNV-1a puts into one bucket of 1024. */
static int collide(realtime_t *r, void *arg)
{
    size_t *longest = arg;
    int made = 0;
    for (int i = 0; made < 1000; i++) {
        uint32_t h = 2166136261u;
        char name[32];
        snprintf(name, sizeof(name), "c%d", i);
        for (const char *p = name; *p != '\0'; p++) {
            h = (h ^ (unsigned char)*p) * 16777619u;
        }
        if (h % RT_BUCKETS == 7) {
            if (rt_channel_make(r, name) == NULL) {
                return WERR_NOMEM;
            }
            made++;
        }
    }
    for (size_t i = 0; i < RT_BUCKETS; i++) {
        size_t n = 0;
        while (r->buckets[i] != NULL) {
            rt_channel_tidy(r, r->buckets[i]);
            n++;
        }
        *longest = n > *longest ? n : *longest;
    }
    return WERR_OK;
}

static void test_chosen_names(void **state)
{
    size_t longest = 0;
    (void)state;
    assert_int_equal(rt_call(rt, collide, &longest), WERR_OK);
    assert_true(longest < 20);
}

/* ---- queues ---- */

/* How many empty pongs wait for a client that takes none. */
static int stuff(realtime_t *r, void *arg)
{
    rt_client_t c = {.rt = r, .fd = -1, .state = RT_OPEN, .blocked = true};
    rt_frame_t *pong = rt_frame_raw((const unsigned char *)"\x8a", 2);
    size_t *n = arg;
    if (pong == NULL) {
        return WERR_NOMEM;
    }
    c.leaving = true; /* on no list of the thread's */
    while (c.state == RT_OPEN) {
        rt_client_send(&c, pong);
        ++*n;
    }
    rt_queue_free(&c.queue);
    rt_frame_unref(pong);
    return WERR_OK;
}

/* A frame costs more than its bytes. */
static void test_small_frames(void **state)
{
    size_t n = 0;
    (void)state;
    assert_int_equal(rt_call(rt, stuff, &n), WERR_OK);
    assert_true(n <= (size_t)usual.max_queue / 32);
}

/* More at once than may wait, for one who reads: it is not slow. */
static void test_quick_client(void **state)
{
    enum { EVENTS = 40 };
    static char data[4000];
    realtime_event_t e[EVENTS];
    ws_t *w = meet();
    (void)state;
    memset(data, 'x', sizeof(data));
    for (int i = 0; i < EVENTS; i++) {
        e[i] = (realtime_event_t){.name = "X",
                                  .channels = {"one"},
                                  .nchannels = 1,
                                  .data = data,
                                  .data_len = sizeof(data)};
    }
    rt->options.max_queue = 64 << 10;
    subscribe(w, "one");
    assert_int_equal(realtime_publish(rt, e, EVENTS), WERR_OK);
    for (int i = 0; i < EVENTS; i++) {
        expect_has(w, "xxx");
    }
    leave(w);
}

/* Everybody holds frames of their own: together they get no more. */
static int hoard(realtime_t *r, void *arg)
{
    enum { CLIENTS = 200 };
    static rt_client_t c[CLIENTS];
    static const char text[8000];
    size_t *most = arg;
    for (int i = 0; i < CLIENTS; i++) {
        c[i] =
            (rt_client_t){.rt = r, .fd = -1, .blocked = true, .leaving = true};
        while (c[i].state == RT_OPEN) {
            rt_frame_t *own = rt_frame_text(text, sizeof(text));
            if (own == NULL) {
                return WERR_NOMEM;
            }
            if (rt_queue_cost(&c[i].queue) > (900u << 10)) {
                rt_frame_unref(own);
                break;
            }
            rt_client_send(&c[i], own);
            rt_frame_unref(own);
        }
        *most = rt_frames_bytes() > *most ? rt_frames_bytes() : *most;
    }
    for (int i = 0; i < CLIENTS; i++) {
        rt_queue_free(&c[i].queue);
    }
    return WERR_OK;
}

static void test_all_queues(void **state)
{
    size_t most = 0, before;
    (void)state;
    rt->options.max_queue = 1 << 20;
    before = rt_frames_bytes();
    assert_int_equal(rt_call(rt, hoard, &most), WERR_OK);
    assert_true(most > (60u << 20));
    assert_true(most < (68u << 20));
    assert_int_equal(rt_frames_bytes(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_kept_copy),     CASE(test_refused_crowd),
        CASE(test_churn),         CASE(test_control_frames),
        CASE(test_pings),         CASE(test_pieces),
        CASE(test_channel_flood), CASE(test_chosen_names),
        CASE(test_small_frames),  CASE(test_quick_client),
        CASE(test_all_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
