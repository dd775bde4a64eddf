/* await: routes that wait for the gateway; the table of routes is ours. */
#include "http_fixture.h"

#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "db/sqlite.h"
#include "http/await.h"
#include "http/routes/routes.h"
#include "simulator.h"

static web_t web;
static gw_client_t *client;
static gateway_account_t accounts[2]; /* the client knows the first one only */
static const gateway_account_t *const account = &accounts[0];
static _Atomic int thens, steps, refusals;

/* ---- routes ---- */

static void on_answer(request_t *r, const await_result_t *result, void *state)
{
    int64_t *chain = state;
    thens++;
    assert_non_null(r->db);
    assert_int_equal(r->user.id, 1);
    if (*chain > 0 && result->http_status != 0) {
        int64_t *left = malloc(sizeof(*left));
        gw_request_t request;
        *left = *chain - 1;
        steps++;
        gw_request_init(&request);
        buf_addf(&request.url, "%s/sessions", account->base_url);
        request.authorised = true;
        request_await(r, account, &request, 0, on_answer, left);
        return;
    }
    response_reset(&r->response, 200);
    buf_addf(&r->response.body,
             "{\"status\":%d,\"late\":%s,\"len\":%zu,\"error\":%s}",
             result->http_status, result->timed_out ? "true" : "false",
             result->len, result->error[0] != '\0' ? "true" : "false");
}

static void on_refused(request_t *r, void *state)
{
    const int64_t *chain = state;
    refusals++;
    assert_non_null(r->db);
    assert_int_equal(r->user.id, 1);
    assert_int_equal(*chain, 7);
}

/* Of an account that the client does not know. */
static void ask_nobody(request_t *r)
{
    int64_t *chain = calloc(1, sizeof(*chain));
    gw_request_t request;
    *chain = 7;
    gw_request_init(&request);
    buf_adds(&request.url, account->base_url);
    request_await_or(r, &accounts[1], &request, 0, on_answer, on_refused,
                     chain);
}

static void on_refused_done(request_t *r, void *state)
{
    refusals++;
    response_reset(&r->response, 200);
    buf_adds(&r->response.body, "{\"done\":true}");
    r->db->lost = *(int64_t *)state != 0;
}

/* /lost/{again}: no memory for a row before the call, and with 1 for one of
 * what is answered in its place. */
static void ask_lost(request_t *r)
{
    int64_t *again = calloc(1, sizeof(*again));
    gw_request_t request;
    (void)request_id(r, 0, again);
    gw_request_init(&request);
    buf_adds(&request.url, account->base_url);
    request_await_or(r, account, &request, 0, on_answer, on_refused_done,
                     again);
    r->db->lost = true;
}

/* /ask/{chain}?ms= */
static void ask(request_t *r)
{
    int64_t *chain = calloc(1, sizeof(*chain));
    int64_t ms = 0;
    gw_request_t request;
    const char *text = request_query(r, "ms");
    if (text != NULL) {
        assert_true(parse_int(text, 1, 60000, &ms));
    }
    (void)request_id(r, 0, chain);
    gw_request_init(&request);
    buf_addf(&request.url, "%s/sessions", account->base_url);
    request.authorised = true;
    request_await(r, account, &request, ms, on_answer, chain);
}

const route_t http_routes[] = {
    {"GET", "/ask/{n}", ACCESS_USER, ask, false},
    {"GET", "/heavy/{n}", ACCESS_USER, ask, true},
    {"GET", "/nobody", ACCESS_USER, ask_nobody, false},
    {"GET", "/lost/{n}", ACCESS_USER, ask_lost, false},
    {"POST", "/sessions", ACCESS_USER, route_session_create, false},
};
const size_t http_nroutes = 5;

/* ---- a server and a client to each test ---- */

static int setup(void **state)
{
    (void)state;
    accounts[0] = (gateway_account_t){.name = "main",
                                      .driver = "waapi",
                                      .base_url = sim.base,
                                      .webhook_path = "/webhook/waapi/main",
                                      .email = "cs@example.org",
                                      .password = "secret",
                                      .timeout_s = 20};
    accounts[1] = accounts[0];
    accounts[1].name = "nobody";
    gw_client_options_t o = {.accounts = accounts, .naccounts = 1};
    sim_do(&sim, "reset", "{\"tokens\":true}");
    assert_int_equal(gw_client_start(&client, &o), WERR_OK);
    web_open(&web);
    http_stop(&web.server, 1000);
    web.options.gateway = client;
    web.options.accounts = accounts;
    web.options.naccounts = 2;
    web.options.public_url = "https://crm.test.example";
    web_start(&web);
    crm_user(&web.crm, 1, "siti", ROLE_CS, true);
    thens = 0;
    steps = 0;
    refusals = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    web_close(&web);
    gw_client_stop(&client, 0);
    return 0;
}

static json_t *get(const char *target)
{
    answer_t a;
    assert_int_equal(web_call(&web, "GET", target, 1, "", NULL, &a), 200);
    json_t *json = answer_json(&a);
    answer_free(&a);
    return json;
}

static int64_t number(json_t *json, const char *name)
{
    return json_integer_value(json_object_get(json, name));
}

static void until_called(int n)
{
    for (int i = 0; i < 500 && sim_count(&sim, "route=sessions.list") < n;
         i++) {
        usleep(10000);
    }
    assert_true(sim_count(&sim, "route=sessions.list") >= n);
}

/* ---- tests ---- */

static void answers(void **state)
{
    (void)state;
    json_t *json = get("/ask/0");
    assert_int_equal(number(json, "status"), 200);
    assert_true(number(json, "len") > 10);
    assert_true(json_is_false(json_object_get(json, "error")));
    json_decref(json);
    assert_int_equal(thens, 1);
}

static void awaits_again(void **state)
{
    (void)state;
    json_t *json = get("/ask/3");
    assert_int_equal(number(json, "status"), 200);
    json_decref(json);
    assert_int_equal(thens, 4);
    assert_int_equal(steps, 3);
}

static void ends_in_time(void **state)
{
    int64_t begun = clock_mono_ms();
    (void)state;
    sim_do(&sim, "behaviour", "{\"do\":\"hang\",\"route\":\"sessions.list\"}");
    json_t *json = get("/ask/0?ms=200");
    assert_int_equal(number(json, "status"), 0);
    assert_true(json_is_true(json_object_get(json, "late")));
    assert_true(json_is_true(json_object_get(json, "error")));
    json_decref(json);
    assert_in_range(clock_mono_ms() - begun, 150, 5000);
}

/* Two workers and more who wait: others are served all the same. */
static void workers_stay_free(void **state)
{
    int fds[8];
    answer_t a;
    (void)state;
    sim_do(&sim, "behaviour",
           "{\"do\":\"hang\",\"route\":\"sessions.list\",\"times\":8}");
    for (size_t i = 0; i < 8; i++) {
        fds[i] = web_connect(&web);
        assert_true(
            web_request(fds[i], "GET", "/ask/0?ms=3000", 1, "", NULL, 0));
    }
    until_called(8);
    json_decref(get("/ask/0"));
    assert_int_equal(thens, 1);
    for (size_t i = 0; i < 8; i++) {
        web_read(fds[i], false, &a);
        assert_int_equal(a.status, 200);
        answer_free(&a);
        close(fds[i]);
    }
    assert_int_equal(thens, 9);
}

static void client_gone(void **state)
{
    (void)state;
    sim_do(&sim, "behaviour", "{\"do\":\"hang\",\"route\":\"sessions.list\"}");
    int fd = web_connect(&web);
    assert_true(web_request(fd, "GET", "/ask/0?ms=300", 1, "", NULL, 0));
    until_called(1);
    close(fd);
    for (int i = 0; i < 300 && thens == 0; i++) {
        usleep(10000);
    }
    assert_int_equal(thens, 1);
    json_decref(get("/ask/0"));
}

/* The calls go on, their requests do not wait. */
static void stops_while_calls_are_open(void **state)
{
    int fds[4];
    answer_t a;
    (void)state;
    sim_do(&sim, "behaviour",
           "{\"do\":\"hang\",\"route\":\"sessions.list\",\"times\":4}");
    for (size_t i = 0; i < 4; i++) {
        fds[i] = web_connect(&web);
        assert_true(web_request(fds[i], "GET", "/ask/2", 1, "", NULL, 0));
    }
    until_called(4);
    int64_t begun = clock_mono_ms();
    http_stop(&web.server, 3000);
    assert_in_range(clock_mono_ms() - begun, 0, 2500);
    assert_int_equal(thens, 4);
    assert_int_equal(gw_client_active(client), 4);
    for (size_t i = 0; i < 4; i++) {
        web_read(fds[i], false, &a);
        assert_int_equal(a.status, 200);
        answer_free(&a);
        close(fds[i]);
    }
    /* the calls end after the server has gone */
    gw_client_stop(&client, 0);
    assert_int_equal(thens, 4);
}

static void refuses(void **state)
{
    (void)state;
    assert_int_equal(web_status(&web, "GET", "/heavy/0", 1, "", NULL), 503);
    http_stop(&web.server, 1000);
    web.options.gateway = NULL;
    web_start(&web);
    assert_int_equal(web_status(&web, "GET", "/ask/0", 1, "", NULL), 503);
    assert_int_equal(thens, 0);
}

/* What has been done before the call can be undone. */
static void tells_of_a_call_that_is_not_made(void **state)
{
    (void)state;
    assert_int_equal(web_status(&web, "GET", "/nobody", 1, "", NULL), 503);
    assert_int_equal(refusals, 1);
    assert_int_equal(thens, 0);
    http_stop(&web.server, 1000);
    web.options.gateway = NULL;
    web_start(&web);
    assert_int_equal(web_status(&web, "GET", "/nobody", 1, "", NULL), 503);
    assert_int_equal(refusals, 2);
    assert_int_equal(thens, 0);
}

/* Whoever is refused knows what is there by then, if it could be looked up. */
static void tells_what_is_there_without_a_call(void **state)
{
    (void)state;
    assert_int_equal(web_status(&web, "GET", "/lost/0", 1, "", NULL), 200);
    assert_int_equal(refusals, 1);
    assert_int_equal(web_status(&web, "GET", "/lost/1", 1, "", NULL), 503);
    assert_int_equal(refusals, 2);
    assert_int_equal(thens, 0);
}

DB_QUERY(count_sessions, "SELECT count(*) FROM sessions");

/* No row is left: the same name may be tried again. */
static void a_session_that_nobody_is_asked_for(void **state)
{
    static const char body[] =
        "{\"session_name\":\"baru\",\"gateway\":\"nobody\"}";
    db_t *db;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(web_status(&web, "POST", "/sessions", 1, "", body),
                         503);
    }
    assert_int_equal(store_reader(web.crm.store, &db), WERR_OK);
    db_stmt_t *s = db_stmt(db, &count_sessions);
    assert_int_equal(db_first(s), DB_ROW);
    assert_int_equal(db_i64(s, 0), 0);
    db_done(s);
    store_reader_close(&db);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers),
        TEST(awaits_again),
        TEST(ends_in_time),
        TEST(workers_stay_free),
        TEST(client_gone),
        TEST(stops_while_calls_are_open),
        TEST(refuses),
        TEST(tells_of_a_call_that_is_not_made),
        TEST(tells_what_is_there_without_a_call),
        TEST(a_session_that_nobody_is_asked_for),
    };
    return cmocka_run_group_tests(tests, group_start, group_stop);
}
