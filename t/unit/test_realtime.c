/* realtime: raw WebSockets against a running realtime thread. */
#include "realtime_fixture.h"

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
    w = meet();
    tell_op(w, 0x82, "{}", 2);
    expect_close(w, 1003);
    free(w);
    w = meet();
    tell_op(w, 0x81, "\xc0\xaf", 2);
    expect_close(w, 1007);
    free(w);
    w = meet();
    tell_op(w, 0x81, large, sizeof(large));
    expect_close(w, 1009);
    free(w);
    w = meet();
    tell_op(w, 0xc1, "{}", 2); /* a reserved bit */
    expect_close(w, 1002);
    free(w);
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

/* ---- subscriptions ---- */

static void refuse(ws_t *w, const char *channel)
{
    char want[256];
    snprintf(want, sizeof(want),
             "{\"event\":\"pusher:subscription_error\",\"channel\":\"%s\","
             "\"data\":{\"type\":\"AuthError\",\"error\":\"The connection is "
             "unauthorized.\",\"status\":401}}",
             channel);
    expect(w, want);
}

static void test_subscribing(void **state)
{
    ws_t *w = meet();
    (void)state;
    subscribe(w, "private-foobar");
    subscribe(w, "private-foobar"); /* again is no fault */
    ask(w, "private-inbox", NULL);  /* signed, but by whom? */
    refuse(w, "private-inbox");
    ask(w, "presence-chat.1", "{\"user_id\":\"1\"}");
    refuse(w, "presence-chat.1");
    ask(w, "presence-foobar", NULL);
    refuse(w, "presence-foobar");
    ask(w, "presence-foobar", "{\"user_id\":{}}");
    expect_has(w, "no user_id");
    tell(w, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\","
            "\"channel\":\"private-x\"}}");
    refuse(w, "private-x");
    tell(w, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\","
            "\"channel\":\"inbox\"}}");
    expect_has(w, "private-inbox");
    for (int i = 1; i < usual.max_channels; i++) {
        char name[16];
        snprintf(name, sizeof(name), "c%d", i);
        subscribe(w, name);
    }
    ask(w, "one-more", NULL);
    expect_has(w, "LimitReached");
    tell(w, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"c1\"}}");
    subscribe(w, "one-more");
    assert_int_equal(realtime_counters(rt)->channels, usual.max_channels);
    leave(w);
    wait_connections(0);
    assert_int_equal(realtime_counters(rt)->channels, 0);
    assert_int_equal(realtime_counters(rt)->subscriptions, 0);
}

static void test_presence(void **state)
{
    static const char one[] =
        "{\"user_id\":\"7\",\"user_info\":{\"name\":\"CS 1\"}}";
    static const char two[] =
        "{\"user_id\":8,\"user_info\":{\"name\":\"CS 2\"}}";
    ws_t *a = meet(), *b = meet(), *c = meet(), *d = meet();
    buf_t out;
    (void)state;
    ask(a, "presence-inbox", one);
    expect(a, "{\"event\":\"pusher_internal:subscription_succeeded\","
              "\"channel\":\"presence-inbox\",\"data\":\"{\\\"presence\\\":"
              "{\\\"count\\\":1,\\\"ids\\\":[\\\"7\\\"],\\\"hash\\\":"
              "{\\\"7\\\":{\\\"name\\\":\\\"CS 1\\\"}}}}\"}");
    ask(b, "presence-inbox", two);
    expect_has(b, "\\\"count\\\":2");
    expect(a, "{\"event\":\"pusher_internal:member_added\",\"channel\":"
              "\"presence-inbox\",\"data\":\"{\\\"user_id\\\":\\\"8\\\","
              "\\\"user_info\\\":{\\\"name\\\":\\\"CS 2\\\"}}\"}");
    ask(c, "presence-inbox", two); /* the same user: nobody is told */
    expect_has(c, "\\\"count\\\":2");
    buf_init(&out, 0);
    assert_int_equal(realtime_users(rt, "presence-inbox", &out), WERR_OK);
    assert_string_equal(out.data,
                        "{\"users\":[{\"id\":\"8\"},{\"id\":\"7\"}]}");
    buf_reset(&out);
    assert_int_equal(realtime_list(rt, "presence-", true, true, &out), WERR_OK);
    assert_string_equal(out.data, "{\"channels\":{\"presence-inbox\":{\"user_"
                                  "count\":2,\"subscription_count\":3}}}");
    buf_reset(&out);
    assert_int_equal(realtime_show(rt, "nosuch", true, true, &out), WERR_OK);
    assert_string_equal(out.data,
                        "{\"occupied\":false,\"subscription_count\":0}");
    buf_free(&out);
    leave(b);
    wait_connections(3);
    tell(c, "{\"event\":\"client-x\",\"channel\":\"presence-inbox\","
            "\"data\":{\"a\":[1,\"\\u00e9\"]}}");
    expect(a, "{\"event\":\"client-x\",\"channel\":\"presence-inbox\","
              "\"data\":{\"a\":[1,\"\xc3\xa9\"]},\"user_id\":\"8\"}");
    leave(c);
    expect(a, "{\"event\":\"pusher_internal:member_removed\",\"channel\":"
              "\"presence-inbox\",\"data\":\"{\\\"user_id\\\":\\\"8\\\"}\"}");
    ask(d, "presence-inbox", "{\"user_id\":\"1\"}");
    expect_has(d, "\\\"1\\\":null");
    leave(d);
    expect_has(a, "member_added");
    expect_has(a, "member_removed");
    leave(a);
}

static void test_full_presence(void **state)
{
    ws_t *w[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        char data[32];
        w[i] = meet();
        snprintf(data, sizeof(data), "{\"user_id\":\"%d\"}", i);
        ask(w[i], "presence-x", data);
        expect_has(w[i], i < usual.max_members ? "succeeded" : "LimitReached");
    }
    for (int i = 0; i < 4; i++) {
        leave(w[i]);
    }
}

static void test_client_events(void **state)
{
    ws_t *a = meet(), *b = meet();
    int passed = 0;
    (void)state;
    subscribe(a, "private-x");
    subscribe(b, "private-x");
    subscribe(a, "open");
    tell(a, "{\"event\":\"client-typing\",\"channel\":\"private-x\",\"data\":"
            "{\"name\":\"CS 1\"}}");
    expect(b, "{\"event\":\"client-typing\",\"channel\":\"private-x\","
              "\"data\":{\"name\":\"CS 1\"}}");
    tell(a, "{\"event\":\"client-x\",\"channel\":\"open\",\"data\":1}");
    expect_has(a, "4301");
    tell(a, "{\"event\":\"client-x\",\"channel\":\"private-y\",\"data\":1}");
    expect_has(a, "4301");
    for (int i = 0; i < 40; i++) {
        tell(a, "{\"event\":\"client-x\",\"channel\":\"private-x\"}");
    }
    expect_has(a, "Too many client events");
    tell(b, "{\"event\":\"pusher:ping\"}");
    while (next(b) && strstr(b->text, "pong") == NULL) {
        assert_string_equal(b->text, "{\"event\":\"client-x\",\"channel\":"
                                     "\"private-x\",\"data\":null}");
        passed++;
    }
    assert_in_range(passed, 10, 25);
    leave(a);
    leave(b);
}

/* ---- events ---- */

static void test_who_hears(void **state)
{
    ws_t *a = meet_agent(AGENT), *b = meet_agent(OTHER), *c = meet();
    (void)state;
    hear(mine, "\"halo\" \xf0\x9f\x91\x8b");
    expect_has(a, "{\"event\":\"App\\\\Events\\\\NewMessageReceived\","
                  "\"channel\":\"private-inbox\",\"data\":\"{");
    assert_non_null(strstr(a->text, "\\\\\\\"halo\\\\\\\" \xf0\x9f\x91\x8b"));
    hear(theirs, "lain");
    expect_has(b, "lain"); /* and not the first one */
    f.d.typing_ready(f.d.typing_arg, mine, "6281", true);
    f.d.typing_ready(f.d.typing_arg, theirs, "6282", false);
    expect(a, "{\"event\":\"App\\\\Events\\\\DonaturTyping\",\"channel\":"
              "\"private-inbox\",\"data\":\"{\\\"phone\\\":\\\"6281\\\","
              "\\\"isTyping\\\":true}\"}");
    expect_has(b, "6282");
    tell(c, "{\"event\":\"pusher:ping\"}");
    expect_has(c, "pong"); /* nothing of all that */
    leave(a);
    leave(b);
    leave(c);
}

static void test_chat_channel(void **state)
{
    int64_t chat = hear(mine, "halo");
    ws_t *a = meet(), *b = meet();
    char name[40];
    (void)state;
    snprintf(name, sizeof(name), "presence-chat.%lld", (long long)chat);
    authorise(a, AGENT, later);
    authorise(b, OTHER, later);
    ask(a, name, "{\"user_id\":\"1\"}");
    expect_has(a, "succeeded");
    ask(b, name, "{\"user_id\":\"2\"}"); /* signed, and yet */
    refuse(b, name);
    ask(a, "presence-chat.99", "{\"user_id\":\"1\"}");
    refuse(a, "presence-chat.99");
    ask(a, "presence-chat.01", "{\"user_id\":\"1\"}");
    refuse(a, "presence-chat.01");
    leave(a);
    leave(b);
}

static void test_publishing(void **state)
{
    ws_t *a = meet(), *b = meet();
    realtime_event_t e = {.name = "X",
                          .channels = {"one", "two", "nosuch"},
                          .nchannels = 3,
                          .data = "{\"a\":1}",
                          .data_len = 7};
    (void)state;
    subscribe(a, "one");
    subscribe(b, "two");
    assert_int_equal(realtime_publish(rt, &e, 1), WERR_OK);
    expect(a, "{\"event\":\"X\",\"channel\":\"one\",\"data\":\"{\\\"a\\\":1}"
              "\"}");
    expect_has(b, "\"channel\":\"two\"");
    e.except = a->id;
    assert_int_equal(realtime_publish(rt, &e, 1), WERR_OK);
    expect_has(b, "\"X\"");
    e.except = "1.1";
    e.name = "Y";
    assert_int_equal(realtime_publish(rt, &e, 1), WERR_OK);
    expect_has(a, "\"Y\"");
    leave(a);
    leave(b);
}

/* ---- who has to go ---- */

static int end_token(tx_t *tx, void *arg)
{
    (void)arg;
    return token_logout(tx, AGENT, "jti-1", later);
}

static int end_user(tx_t *tx, void *arg)
{
    (void)arg;
    return token_revoke_user(tx, OTHER);
}

static void test_revoked(void **state)
{
    ws_t *a = meet_agent(AGENT), *b = meet_agent(OTHER);
    (void)state;
    assert_int_equal(domain_write(&f.d, end_token, NULL), WERR_OK);
    realtime_revoked(rt);
    expect_close(a, REALTIME_DENIED);
    assert_int_equal(domain_write(&f.d, end_user, NULL), WERR_OK);
    realtime_revoked(rt);
    expect_close(b, REALTIME_DENIED);
    free(a);
    free(b);
    a = meet();
    assert_int_equal(realtime_authorise(rt, a->id, AGENT, "jti-1", later),
                     WERR_DENIED);
    assert_int_equal(realtime_authorise(rt, a->id, 99, "jti-99", later),
                     WERR_DENIED);
    assert_int_equal(realtime_authorise(rt, "1.1", AGENT, "x", later), WERR_OK);
    leave(a);
}

static void test_terminated(void **state)
{
    ws_t *a = meet_agent(AGENT), *b = meet_agent(OTHER);
    (void)state;
    assert_int_equal(realtime_terminate(rt, AGENT), WERR_OK);
    expect_close(a, REALTIME_DENIED);
    hear(theirs, "masih");
    expect_has(b, "masih");
    free(a);
    leave(b);
}

static void test_token_ends(void **state)
{
    ws_t *w = meet();
    (void)state;
    authorise(w, AGENT, clock_now_ms() / 1000);
    expect_close(w, REALTIME_AGAIN);
    free(w);
}

typedef struct {
    int64_t session, owner;
    bool off;
} change_t;

static int change_access(tx_t *tx, void *arg)
{
    const change_t *a = arg;
    db_stmt_t *s = db_stmt(tx->db, a->off ? &fixture_off : &fixture_owner);
    int rc;
    db_bind_i64(s, 1, a->off ? a->owner : a->session);
    if (!a->off) {
        db_bind_i64(s, 2, a->owner);
    }
    rc = db_exec(s);
    return rc == WERR_OK ? event_raise(tx, EVENT_ACCESS, 0, 0, 0) : rc;
}

static void test_access_changes(void **state)
{
    int64_t chat = hear(mine, "halo");
    ws_t *a = meet_agent(AGENT), *b = meet_agent(OTHER);
    change_t give = {.session = mine, .owner = OTHER};
    change_t off = {.owner = AGENT, .off = true};
    char name[40];
    (void)state;
    snprintf(name, sizeof(name), "presence-chat.%lld", (long long)chat);
    ask(a, name, "{\"user_id\":\"1\"}");
    expect_has(a, "succeeded");
    assert_int_equal(domain_write(&f.d, change_access, &give), WERR_OK);
    hear(mine, "sekarang");
    expect_has(b, "\"App\\\\Events\\\\"); /* that access has changed */
    expect_has(b, "sekarang");
    expect_has(a, "\"App\\\\Events\\\\");
    expect_has(a, "No longer yours");
    assert_int_equal(domain_write(&f.d, change_access, &off), WERR_OK);
    expect_has(a, "\"App\\\\Events\\\\");
    expect_close(a, REALTIME_DENIED);
    free(a);
    leave(b);
}

/* A socket that another user authorises is the other's altogether. */
static void test_another_user(void **state)
{
    ws_t *w = meet_agent(AGENT);
    (void)state;
    authorise(w, OTHER, later);
    hear(mine, "rahasia");
    hear(theirs, "juga");
    tell(w, "{\"event\":\"pusher:ping\"}");
    expect_has(w, "pong");
    subscribe(w, "private-inbox");
    hear(theirs, "terdengar");
    expect_has(w, "terdengar");
    leave(w);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ping_and_nonsense),
        CASE(test_fragments_and_control),
        CASE(test_broken_frames),
        CASE(test_early_bytes),
        CASE(test_refusals),
        CASE(test_flood),
        CASE(test_subscribing),
        CASE(test_presence),
        CASE(test_full_presence),
        CASE(test_client_events),
        CASE(test_who_hears),
        CASE(test_chat_channel),
        CASE(test_publishing),
        CASE(test_revoked),
        CASE(test_terminated),
        CASE(test_token_ends),
        CASE(test_access_changes),
        CASE(test_another_user),
        CASE(test_queue),
        CASE(test_nobody),
        CASE(test_idle),
        CASE(test_slow_client),
        CASE(test_full),
        CASE(test_silence),
        CASE(test_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
