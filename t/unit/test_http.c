/* http: a real server: identity, methods, bodies, leavers, peers, stopping. */
#include "http_fixture.h"

#include <grp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "http/jobs.h"
#include "http/query.h"
#include "http/router.h"

/* What JSON may be: "{}," becomes two hundred bytes when it is parsed. */
#define PUBLIC_MAX (16u << 10)
#define BODY_MAX   (128u << 10)

static web_t web;

static int setup(void **state)
{
    (void)state;
    web_open(&web);
    crm_user(&web.crm, 1, "siti", ROLE_CS, true);
    crm_user(&web.crm, 2, "gone", ROLE_CS, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    web_close(&web);
    return 0;
}

/* ---- parts without a server ---- */

static void test_query(void **state)
{
    static const char *const bad[] = {
        "a=%",      "a=%4",  "a=%zz",     "a=%00", "a=%ff", "a=1&a=2",
        "a=%C0%80", "%01=a", "a=1&%61=2", "a=%1b", "a=%7F"};
    query_t q;
    (void)state;
    assert_true(query_parse(&q, "a=1&b=x%20y+z&&c&d=&e=%E2%82%AC"));
    assert_int_equal(q.n, 5);
    assert_string_equal(query_get(&q, "a"), "1");
    assert_string_equal(query_get(&q, "b"), "x y z");
    assert_string_equal(query_get(&q, "c"), "");
    assert_string_equal(query_get(&q, "d"), "");
    assert_string_equal(query_get(&q, "e"), "\xe2\x82\xac");
    assert_null(query_get(&q, "f"));
    query_free(&q);
    assert_true(query_parse(&q, NULL));
    query_free(&q);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(query_parse(&q, bad[i]));
        query_free(&q);
    }
    buf_t many;
    buf_init(&many, 0);
    for (int i = 0; i <= QUERY_PAIRS_MAX; i++) {
        buf_addf(&many, "k%d&", i);
    }
    assert_false(query_parse(&q, many.data));
    query_free(&q);
    buf_free(&many);
}

static route_result_t match(const char *method, const char *path,
                            route_match_t *m)
{
    return router_match(http_routes, http_nroutes, method, path, strlen(path),
                        m);
}

static void test_router(void **state)
{
    route_match_t m;
    (void)state;
    assert_int_equal(match("GET", "/api/crm/inbox", &m), ROUTE_FOUND);
    assert_string_equal(m.route->pattern, "/api/crm/inbox");
    assert_int_equal(match("HEAD", "/api/crm/inbox/42", &m), ROUTE_FOUND);
    assert_string_equal(m.route->pattern, "/api/crm/inbox/{chatId}");
    assert_int_equal(m.params[0].len, 2);
    assert_memory_equal(m.params[0].text, "42", 2);
    assert_int_equal(match("POST", "/api/crm/inbox/1/read", &m), ROUTE_FOUND);
    assert_int_equal(match("GET", "/api/crm/inbox/", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "/api/crm/inbox/1/", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "/api/crm/inbox/1/2", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "/api/crm", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("GET", "", &m), ROUTE_UNKNOWN);
    assert_int_equal(match("DELETE", "/api/crm/inbox", &m), ROUTE_METHOD);
    assert_string_equal(m.allow, "GET, HEAD");
    assert_int_equal(match("GET", "/api/auth/login", &m), ROUTE_METHOD);
    assert_string_equal(m.allow, "POST");
}

static void test_jobs(void **state)
{
    jobs_t *q;
    job_t a, b, c;
    (void)state;
    assert_int_equal(jobs_new(&q, 2, 2), WERR_OK);
    assert_true(jobs_reserve(q, false));
    assert_true(jobs_reserve(q, false));
    assert_false(jobs_reserve(q, false)); /* full, though nothing is put */
    assert_true(jobs_reserve(q, true));
    assert_true(jobs_reserve(q, true));
    jobs_put(q, &a, true);
    jobs_put(q, &b, true);
    jobs_put(q, &c, false);
    assert_ptr_equal(jobs_take(q), &a);
    assert_ptr_equal(jobs_take(q), &c); /* b waits for a */
    jobs_done(q, false);
    jobs_done(q, true);
    assert_ptr_equal(jobs_take(q), &b);
    jobs_done(q, true);
    assert_int_equal(jobs_count(q), 1); /* reserved, never put */
    jobs_done(q, false);
    jobs_drain(q);
    jobs_refuse(q);
    assert_false(jobs_reserve(q, false));
    jobs_close(q);
    assert_null(jobs_take(q));
    jobs_free(&q);
}

/* ---- with a server ---- */

static void test_identity(void **state)
{
    static const char *const refused[] = {
        "",
        "X-Wacrm-User: 1\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\n",
        "X-Wacrm-User: 0\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: -1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1x\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a b\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: x\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-User: 1\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nx-wacrm-user: 3\r\nX-Wacrm-Token-Id: a\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Id: b\r\n"
        "X-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 1\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n"
        "X-Wacrm-Role: admin\r\n",
        "X-Wacrm-User: 99\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "X-Wacrm-User: 2\r\nX-Wacrm-Token-Id: a\r\nX-Wacrm-Token-Exp: 9\r\n",
        "Authorization: Bearer x\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        answer_t a;
        assert_int_equal(
            web_call(&web, "GET", "/api/auth/me", 0, refused[i], NULL, &a),
            401);
        assert_string_equal(a.body.data, "{\"message\":\"Unauthenticated.\"}");
        answer_free(&a);
    }
    assert_int_equal(web_status(&web, "GET", "/api/auth/me", 1, "", NULL), 200);
}

static void test_errors(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(web_call(&web, "GET", "/nowhere", 0, "", NULL, &a), 404);
    assert_string_equal(a.body.data,
                        "{\"success\":false,\"message\":\"Not Found\"}");
    assert_string_equal(answer_header(&a, "Content-Type"), "application/json");
    answer_free(&a);
    assert_int_equal(web_call(&web, "PUT", "/api/crm/inbox", 1, "", "x", &a),
                     405);
    assert_string_equal(answer_header(&a, "Allow"), "GET, HEAD");
    assert_string_equal(a.body.data, "{\"message\":\"Method Not Allowed\"}");
    answer_free(&a);
    assert_int_equal(
        web_status(&web, "PROPPATCHING", "/api/crm/inbox", 1, "", NULL), 405);
    assert_int_equal(web_status(&web, "GET", "/api/auth/me?a=%00", 1, "", NULL),
                     400);
    assert_int_equal(
        web_status(&web, "GET", "/api/crm/inbox/1%00", 1, "", NULL), 404);
    assert_int_equal(web_status(&web, "GET", "/api/auth%2Fme", 1, "", NULL),
                     404);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0,
                                "Content-Type: text/plain\r\n", "{}"),
                     415);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0,
                                "Content-Type: application/jsonx\r\n", "{}"),
                     415);
    assert_int_equal(
        web_status(&web, "POST", "/api/auth/login", 0,
                   "Content-Type: Application/JSON; charset=utf-8\r\n", "{}"),
        422);
}

static void test_query_error(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(
        web_call(&web, "GET", "/api/health?a=1&a=2", 0, "", NULL, &a), 400);
    assert_string_equal(a.body.data,
                        "{\"success\":false,\"data\":null,"
                        "\"message\":\"Malformed query string.\"}");
    answer_free(&a);
}

static void test_json_errors(void **state)
{
    static const char *const bad[] = {
        "{", "[]", "1", "\"x\"", "{}x", "{\"email\":\"a\\u0000b\"}", "nul"};
    answer_t a;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            web_call(&web, "POST", "/api/auth/login", 0, "", bad[i], &a), 400);
        json_t *json = answer_json(&a);
        assert_true(json_is_false(json_object_get(json, "success")));
        assert_true(json_is_null(json_object_get(json, "data")));
        json_decref(json);
        answer_free(&a);
    }
    assert_int_equal(
        web_call(&web, "POST", "/api/auth/login", 0, "", "{\"email\":1}", &a),
        422);
    assert_string_equal(
        a.body.data,
        "{\"message\":\"The email field must be a string.\",\"errors\":{"
        "\"email\":[\"The email field must be a string.\"],"
        "\"password\":[\"The password field is required.\"]}}");
    answer_free(&a);
    assert_int_equal(web_status(&web, "POST", "/api/auth/login", 0, "", NULL),
                     422);
}

/* The whole body is read before any answer, so the connection lives on. */
static void test_bodies_and_keepalive(void **state)
{
    static const struct {
        const char *method, *target;
        size_t len;
        int status;
    } calls[] = {
        {"POST", "/api/auth/login", PUBLIC_MAX, 400},
        {"POST", "/api/auth/login", PUBLIC_MAX + 1, 413},
        {"POST", "/api/auth/refresh", 16u << 20, 413},
        {"POST", "/nowhere", BODY_MAX + 1, 404},
        {"PUT", "/api/auth/login", 200000, 405},
        {"POST", "/api/auth/logout", BODY_MAX, 401},
        {"POST", "/api/auth/logout", BODY_MAX + 1, 413},
        {"GET", "/api/auth/me", 0, 401},
    };
    char *body = malloc(16u << 20);
    int fd = web_connect(&web);
    (void)state;
    assert_non_null(body);
    memset(body, 'x', 16u << 20);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        answer_t a;
        assert_true(web_request(fd, calls[i].method, calls[i].target, 0, "",
                                body, calls[i].len));
        web_read(fd, false, &a);
        assert_int_equal(a.status, calls[i].status);
        answer_free(&a);
    }
    close(fd);
    free(body);
}

static void test_chunked(void **state)
{
    static const char text[] =
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{\"\r\n6\r\na\":1}\n\r\n"
        "0\r\n\r\n";
    answer_t a;
    int fd = web_connect(&web);
    (void)state;
    assert_true(web_write(fd, text, sizeof(text) - 1));
    web_read(fd, false, &a);
    assert_int_equal(a.status, 422);
    answer_free(&a);
    close(fd);
}

static void test_head(void **state)
{
    answer_t get, head;
    int fd = web_connect(&web);
    (void)state;
    assert_true(web_request(fd, "GET", "/api/auth/me", 1, "", NULL, 0));
    web_read(fd, false, &get);
    assert_true(web_request(fd, "HEAD", "/api/auth/me", 1, "", NULL, 0));
    web_read(fd, true, &head);
    assert_int_equal(get.status, 200);
    assert_true(strncmp(head.head, "HTTP/1.1 200", 12) == 0);
    assert_int_equal(strtoul(answer_header(&head, "Content-Length"), NULL, 10),
                     get.body.len);
    answer_free(&get);
    answer_free(&head);
    /* no byte of a body came: the next answer starts at once */
    assert_true(web_request(fd, "GET", "/api/health", 0, "", NULL, 0));
    web_read(fd, false, &get);
    assert_int_equal(get.status, 200);
    assert_string_equal(get.body.data, "{\"status\":\"ok\"}");
    answer_free(&get);
    close(fd);
}

static void test_malformed_head(void **state)
{
    static const char *const texts[] = {
        "GARBAGE\r\n\r\n", "GET /api/health HTTP/1.1\r\nbroken", "GET "};
    answer_t a;
    char *big = malloc(50000);
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int fd = web_connect(&web);
        assert_true(web_write(fd, texts[i], strlen(texts[i])));
        close(fd);
    }
    assert_non_null(big);
    memset(big, 'a', 50000);
    memcpy(big, "GET /", 5);
    memcpy(big + 49000, " HTTP/1.1\r\n\r\n", 14);
    int fd = web_connect(&web);
    assert_true(web_write(fd, big, 49013));
    web_read(fd, false, &a);
    assert_true(a.status == 414 || a.status == 431);
    answer_free(&a);
    close(fd);
    free(big);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
}

static void test_metrics(void **state)
{
    answer_t a;
    (void)state;
    assert_int_equal(web_call(&web, "GET", "/metrics", 0, "", NULL, &a), 200);
    assert_non_null(strstr(answer_header(&a, "Content-Type"), "text/plain"));
    assert_non_null(strstr(a.body.data, "wacrm_http_requests_total{"));
    assert_non_null(strstr(a.body.data, "wacrm_http_request_seconds_count"));
    assert_non_null(strstr(a.body.data, "wacrm_database_wal_bytes"));
    answer_free(&a);
}

/* ---- holding the writer makes a writing route wait ---- */

typedef struct {
    _Atomic bool held, release;
} hold_t;

static int hold_writer(tx_t *tx, void *arg)
{
    const struct timespec pause = {0, 1000000};
    hold_t *h = arg;
    (void)tx;
    atomic_store(&h->held, true);
    while (!atomic_load(&h->release)) {
        nanosleep(&pause, NULL);
    }
    return 0;
}

static void *hold_main(void *arg)
{
    assert_int_equal(domain_write(&web.crm.domain, hold_writer, arg), WERR_OK);
    return NULL;
}

static void nap(void)
{
    const struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

static void test_client_leaves_while_suspended(void **state)
{
    hold_t hold = {false, false};
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held)) {
        nap();
    }
    for (int i = 0; i < 20; i++) {
        int fd = web_connect(&web);
        assert_true(web_request(fd, "POST", "/api/auth/logout", 1, "", "", 0));
        if (i % 2 == 0) {
            shutdown(fd, SHUT_WR);
        }
        nap();
        close(fd);
    }
    int stays = web_connect(&web);
    assert_true(web_request(stays, "POST", "/api/auth/logout", 1, "", "", 0));
    nap();
    atomic_store(&hold.release, true);
    pthread_join(thread, NULL);
    answer_t a;
    web_read(stays, false, &a);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    close(stays);
}

/* What runs when the stop comes is finished and answered. */
static void *stop_main(void *arg)
{
    (void)arg;
    http_stop(&web.server, 5000);
    return NULL;
}

static void test_stop_finishes(void **state)
{
    hold_t hold = {false, false};
    pthread_t holder, stopper;
    answer_t a;
    (void)state;
    assert_int_equal(pthread_create(&holder, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held)) {
        nap();
    }
    int half = web_connect(&web); /* must not delay the stop */
    assert_true(web_write(half, "GET /api/health HTTP/1.1\r\n", 26));
    int idle = web_connect(&web);
    int fd = web_connect(&web);
    assert_true(web_request(fd, "POST", "/api/auth/logout", 1, "", "", 0));
    for (int i = 0; i < 20; i++) {
        nap();
    }
    assert_int_equal(pthread_create(&stopper, NULL, stop_main, NULL), 0);
    while (access(web.socket, F_OK) == 0) {
        nap();
    }
    atomic_store(&hold.release, true);
    pthread_join(holder, NULL);
    web_read(fd, false, &a);
    assert_int_equal(a.status, 200);
    answer_free(&a);
    pthread_join(stopper, NULL);
    close(fd);
    close(half);
    close(idle);
    web_start(&web);
}

/* A time-out never ends a request that a worker still has in hand. */
static void *release_main(void *arg)
{
    hold_t *h = arg;
    for (int i = 0; i < 50; i++) {
        nap();
    }
    atomic_store(&h->release, true);
    return NULL;
}

static void test_stop_outwaits_its_timeout(void **state)
{
    hold_t hold = {false, false};
    pthread_t holder, releaser;
    (void)state;
    assert_int_equal(pthread_create(&holder, NULL, hold_main, &hold), 0);
    while (!atomic_load(&hold.held)) {
        nap();
    }
    int fd = web_connect(&web);
    assert_true(web_request(fd, "POST", "/api/auth/logout", 1, "", "", 0));
    for (int i = 0; i < 20; i++) {
        nap();
    }
    assert_int_equal(pthread_create(&releaser, NULL, release_main, &hold), 0);
    http_stop(&web.server, 0);
    assert_true(atomic_load(&hold.release));
    pthread_join(holder, NULL);
    pthread_join(releaser, NULL);
    close(fd);
    web_start(&web);
}

typedef struct {
    _Atomic bool stop;
    _Atomic int answers, odd;
} load_t;

static void *load_main(void *arg)
{
    load_t *l = arg;
    while (!atomic_load(&l->stop)) {
        int fd = web_try_connect(&web);
        answer_t a;
        for (int i = 0; fd >= 0 && i < 50; i++) {
            if (!web_request(fd, "GET", "/api/auth/me", 1, "", NULL, 0)) {
                break;
            }
            web_read(fd, false, &a);
            bool odd = a.status != 0 && a.status != 200 && a.status != 503;
            atomic_fetch_add(&l->answers, a.status == 200);
            atomic_fetch_add(&l->odd, odd);
            int status = a.status;
            answer_free(&a);
            if (status != 200) {
                break;
            }
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return NULL;
}

static void test_stop_under_load(void **state)
{
    load_t load = {0};
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, load_main, &load),
                         0);
    }
    for (int i = 0; i < 200; i++) {
        for (int n = 0; n < i % 5; n++) {
            nap();
        }
        http_stop(&web.server, 1000);
        web_start(&web);
    }
    atomic_store(&load.stop, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(load.odd, 0);
    assert_true(load.answers > 200);
}

/* Hashes are slow; they must not take every worker, nor queue without end. */
static void test_sign_ins_leave_a_worker(void **state)
{
    static const char body[] = "{\"email\":\"a@b.c\",\"password\":\"p\"}";
    struct pollfd fds[40];
    answer_t a;
    int busy = 0;
    (void)state;
    for (size_t i = 0; i < 40; i++) {
        fds[i].fd = web_connect(&web);
        fds[i].events = POLLIN;
        assert_true(web_request(fds[i].fd, "POST", "/api/auth/login", 0, "",
                                body, sizeof(body) - 1));
    }
    assert_int_equal(web_status(&web, "GET", "/api/auth/me", 1, "", NULL), 200);
    assert_in_range(poll(fds, 40, 0), 0, 39); /* some still wait */
    for (size_t i = 0; i < 40; i++) {
        web_read(fds[i].fd, false, &a);
        if (a.status == 503) {
            assert_string_equal(answer_header(&a, "Retry-After"), "1");
            busy++;
        } else {
            assert_int_equal(a.status, 401);
        }
        answer_free(&a);
        close(fds[i].fd);
    }
    assert_in_range(busy, 1, 8);
}

static void test_start_fails(void **state)
{
    char path[300];
    http_server_t *s = NULL;
    http_options_t o = web.options;
    (void)state;
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    o.socket_path = path;
    assert_int_equal(http_start(&s, &o), WERR_IO);
    assert_null(s);
    o.socket_path = "/nowhere/at/all";
    assert_int_equal(http_start(&s, &o), WERR_IO);
    assert_null(s);
    o = web.options;
    o.jwt_secret_len = 31;
    assert_int_equal(http_start(&s, &o), WERR_INVALID);
    http_stop(&s, 0);
}

/* What a crash leaves behind is in nobody's way. */
static void test_stale_socket(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    http_stop(&web.server, 1000);
    assert_int_not_equal(access(web.socket, F_OK), 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", web.socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    close(fd);
    assert_int_equal(access(web.socket, F_OK), 0);
    web_start(&web);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
}

/* One request by a process of that user and group: its status, 0 if cut
 * off, 99 if it could not even try. */
static int status_as(uid_t uid, gid_t gid)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        answer_t a = {0};
        if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0) {
            _exit(99);
        }
        int fd = web_try_connect(&web);
        if (fd < 0) {
            _exit(99);
        }
        if (web_request(fd, "GET", "/api/health", 0, "", NULL, 0)) {
            web_read(fd, false, &a);
        }
        _exit(a.status == 200 ? 20 : a.status == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A stranger's process, let through by the file's mode, is cut off. */
static void test_peers(void **state)
{
    struct stat st;
    (void)state;
    assert_int_equal(stat(web.socket, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(web.crm.dir, 0755), 0);
    assert_int_equal(chmod(web.socket, 0666), 0);
    assert_int_equal(status_as(65534, 65534), 0);
    assert_int_equal(status_as(65534, 65534), 0); /* remembered */
    assert_int_equal(status_as(65534, st.st_gid), 20);
    assert_int_equal(status_as(0, 65534), 20);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_router),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_json_errors),
        cmocka_unit_test(test_query_error),
        cmocka_unit_test(test_bodies_and_keepalive),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_malformed_head),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_client_leaves_while_suspended),
        cmocka_unit_test(test_stop_finishes),
        cmocka_unit_test(test_stop_outwaits_its_timeout),
        cmocka_unit_test(test_stop_under_load),
        cmocka_unit_test(test_sign_ins_leave_a_worker),
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_stale_socket),
        cmocka_unit_test(test_peers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
