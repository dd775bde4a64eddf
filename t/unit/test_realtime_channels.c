/* realtime: channels: who may subscribe, who hears, whose access ends. */
#include "realtime_fixture.h"

#include "domain/token.h"
#include "domain/token_revoke.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_subscribing),    CASE(test_presence),
        CASE(test_full_presence),  CASE(test_client_events),
        CASE(test_who_hears),      CASE(test_chat_channel),
        CASE(test_publishing),     CASE(test_revoked),
        CASE(test_terminated),     CASE(test_token_ends),
        CASE(test_access_changes), CASE(test_another_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
