/*
 * The watch over sessions, on a clock that the tests turn: clock_gettime() of
 * this program stands before libc's, and gw_call() before the client's.
 */
#include "domain_fixture.h"

#include <time.h>

#include "outbox/internal.h"

#define S_MS 1000

static int64_t mono_ms, real_ms;

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t ms = id == CLOCK_REALTIME ? real_ms : mono_ms;

    ts->tv_sec = ms / 1000;
    ts->tv_nsec = ms % 1000 * 1000000;
    return 0;
}

/* ---- the gateway ---- */

static struct {
    gw_done done;
    void *arg;
    bool reconnect; /* else: how are you? */
    bool create;
} call;

static struct {
    int reconnect_status; /* what it answers */
    const char *status;
    bool hangs;
    int64_t tries[32]; /* when it was asked to reconnect */
    bool created[32];
    size_t ntries;
    size_t polls;
} gateway;

int gw_call(gw_client_t *c, const gateway_account_t *account,
            gw_request_t *request, gw_done done, void *arg)
{
    (void)c;
    (void)account;
    assert_null(call.done); /* one at a time */
    call.done = done;
    call.arg = arg;
    call.reconnect = strcmp(request->method, "POST") == 0;
    call.create =
        call.reconnect && strstr(request->url.data, "/reconnect") == NULL;
    gw_request_free(request);
    return WERR_OK;
}

/* true: a call has ended, which makes the client tick at once. */
static bool answer(void)
{
    char body[128];
    gw_result_t r = {.http_status = 200, .body = body};
    gw_done done = call.done;

    if (done == NULL || gateway.hangs) {
        return false;
    }
    if (call.reconnect) {
        assert_true(gateway.ntries < 32);
        gateway.created[gateway.ntries] = call.create;
        gateway.tries[gateway.ntries++] = mono_ms;
        r.http_status = gateway.reconnect_status;
    } else {
        gateway.polls++;
    }
    snprintf(body, sizeof(body),
             "{\"success\":%s,\"data\":{\"session_id\":\"cs-1\","
             "\"status\":\"%s\"}}",
             r.http_status == 200 ? "true" : "false", gateway.status);
    r.len = strlen(body);
    call.done = NULL;
    done(call.arg, &r);
    return true;
}

/* ---- the watch ---- */

static outbox_t outbox;
static reach_t reach;
static gateway_account_t account = {.name = "seed",
                                    .driver = "waapi",
                                    .base_url = "http://gateway/api/v1",
                                    .webhook_path = "/api/webhook/whatsapp",
                                    .timeout_s = 5};

static int setup(void **state)
{
    fixture_t *f;

    mono_ms = 1000 * S_MS;
    real_ms = INT64_C(1772337906000);
    memset(&call, 0, sizeof(call));
    memset(&gateway, 0, sizeof(gateway));
    gateway.reconnect_status = 500;
    gateway.status = "disconnected";
    assert_int_equal(fixture_setup(state), 0);
    f = *state;
    memset(&outbox, 0, sizeof(outbox));
    outbox.domain = &f->d;
    outbox.db = f->db;
    outbox.accounts = &account;
    outbox.reach = &reach;
    outbox.naccounts = 1;
    outbox.options.session_poll_ms = 3600 * S_MS; /* none but the first */
    return health_new(&outbox.health);
}

static int teardown(void **state)
{
    health_free(&outbox.health);
    return fixture_teardown(state);
}

/* As the loop does it: from one due time to the next. */
static void run_for(int64_t seconds)
{
    int64_t end = mono_ms + seconds * S_MS;

    while (mono_ms < end) {
        int64_t next;

        assert_int_equal(health_tick(&outbox, &next), WERR_OK);
        next = !answer() && next > mono_ms ? next : mono_ms + 1;
        next = next < end ? next : end;
        real_ms += next - mono_ms;
        mono_ms = next;
    }
}

typedef struct {
    int64_t session;
    const char *raw;
} told_t;

static int told_tx(tx_t *tx, void *arg)
{
    const told_t *t = arg;

    return session_set_status(tx, t->session, t->raw, NULL);
}

static void told(fixture_t *f, const char *raw)
{
    told_t t = {f->session, raw};

    assert_int_equal(domain_write(&f->d, told_tx, &t), WERR_OK);
}

static void falls(fixture_t *f)
{
    const char *then = gateway.status;

    told(f, "connected");
    gateway.status = "connected"; /* of the first poll */
    run_for(6);
    gateway.status = then;
    told(f, "disconnected");
}

static int64_t events(fixture_t *f)
{
    return ASK(f, "SELECT count(*) FROM events WHERE kind = 4");
}

/* Gaps between tries, in seconds, each up to 5 s late: the reading. */
static void gaps_are(const int *want, size_t n)
{
    assert_true(gateway.ntries > n);
    for (size_t i = 0; i < n; i++) {
        int64_t ms = gateway.tries[i + 1] - gateway.tries[i];

        if (ms < want[i] * S_MS || ms > (want[i] + 5) * S_MS) {
            fail_msg("gap %zu is %d ms, not %d s", i, (int)ms, want[i]);
        }
    }
}

static void backs_off(void **state)
{
    static const int want[] = {10, 20, 40, 80, 160, 300, 300, 300};
    fixture_t *f = *state;
    int64_t fell;

    falls(f);
    fell = mono_ms;
    run_for(1500);
    assert_true(gateway.tries[0] - fell >= 5 * S_MS);
    assert_true(gateway.tries[0] - fell <= 10 * S_MS);
    gaps_are(want, 8);
}

static void begins_anew_after_it_was_there(void **state)
{
    static const int want[] = {10, 20};
    fixture_t *f = *state;
    int64_t fell;

    falls(f);
    run_for(200);
    assert_true(gateway.ntries >= 4);
    falls(f);
    gateway.ntries = 0;
    fell = mono_ms;
    run_for(60);
    assert_true(gateway.tries[0] - fell <= 10 * S_MS);
    gaps_are(want, 2);
}

static void one_call_at_a_time(void **state)
{
    fixture_t *f = *state;

    falls(f);
    gateway.hangs = true;
    run_for(1000); /* gw_call() asserts it */
    assert_int_equal(gateway.ntries, 0);
    gateway.hangs = false;
    assert_true(answer());
    assert_int_equal(gateway.ntries, 1);
    run_for(30);
    assert_int_equal(gateway.ntries, 2); /* after its backoff */
}

static void comes_back(void **state)
{
    fixture_t *f = *state;

    falls(f);
    gateway.reconnect_status = 200;
    gateway.status = "connected";
    run_for(60);
    assert_int_equal(gateway.ntries, 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions WHERE status = "
                            "'connected' AND down_since IS NULL"),
                     1);
}

static void is_left_alone(void **state)
{
    fixture_t *f = *state;

    told(f, "connected");
    run_for(6);
    told(f, "logged_out"); /* at the phone: no call brings it back */
    run_for(1000);
    assert_int_equal(gateway.ntries, 0);
    told(f, "connected");
    run_for(6);
    told(f, "connecting"); /* it is at it itself */
    run_for(1000);
    assert_int_equal(gateway.ntries, 0);
    told(f, "connected");
    run_for(6);
    RUN(f, "UPDATE sessions SET wanted = 0"); /* disconnected by hand */
    told(f, "disconnected");
    run_for(1000);
    assert_int_equal(gateway.ntries, 0);
}

/* What the gateway does not know any more is made anew, if it can be. */
static void made_anew(void **state)
{
    fixture_t *f = *state;

    outbox.options.public_url = "https://crm.example.org";
    gateway.reconnect_status = 404;
    falls(f);
    run_for(40);
    assert_true(gateway.ntries >= 3);
    assert_false(gateway.created[0]);
    assert_true(gateway.created[1]);
    assert_true(gateway.tries[1] - gateway.tries[0] <= 2 * S_MS);
    /* refused, too: not once a second */
    assert_false(gateway.created[2]);
    assert_true(gateway.tries[2] - gateway.tries[1] >= 10 * S_MS);
    assert_true(gateway.ntries <= 4);
}

static void never_without_an_address(void **state)
{
    fixture_t *f = *state;

    gateway.reconnect_status = 404;
    falls(f);
    run_for(600);
    assert_true(gateway.ntries >= 4);
    for (size_t i = 0; i < gateway.ntries; i++) {
        assert_false(gateway.created[i]);
    }
}

/* ---- after five minutes ---- */

static void warned_once(void **state)
{
    fixture_t *f = *state;
    int64_t before;

    falls(f);
    before = events(f);
    run_for(299);
    assert_int_equal(events(f), before);
    run_for(8);
    assert_int_equal(events(f), before + 1);
    run_for(3600);
    assert_int_equal(events(f), before + 1);
    /* and again when it falls again */
    falls(f);
    before = events(f);
    run_for(290);
    assert_int_equal(events(f), before);
    run_for(20);
    assert_int_equal(events(f), before + 1);
}

static void not_warned_of_what_came_back(void **state)
{
    fixture_t *f = *state;
    int64_t before;

    falls(f);
    run_for(200);
    told(f, "connected");
    run_for(6);
    before = events(f);
    run_for(900);
    assert_int_equal(events(f), before);
}

static void polled(void **state)
{
    fixture_t *f = *state;

    outbox.options.session_poll_ms = 60 * S_MS;
    gateway.status = "connected";
    told(f, "connected");
    run_for(10 * 60 + 5);
    assert_true(gateway.polls >= 10 && gateway.polls <= 12);
    gateway.status = "disconnected"; /* no webhook tells of it */
    run_for(65);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions WHERE status = "
                            "'disconnected' AND down_since IS NOT NULL"),
                     1);
    run_for(20);
    assert_true(gateway.ntries >= 1);
    outbox.options.session_poll_ms = 0; /* switched off */
    gateway.polls = gateway.ntries = 0;
    run_for(1000);
    assert_int_equal(gateway.polls + gateway.ntries, 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(backs_off),
        T(begins_anew_after_it_was_there),
        T(one_call_at_a_time),
        T(comes_back),
        T(is_left_alone),
        T(made_anew),
        T(never_without_an_address),
        T(warned_once),
        T(not_warned_of_what_came_back),
        T(polled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
