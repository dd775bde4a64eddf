/* upgrade: from a real HTTP server on a unix socket to realtime. */
#include "http_fixture.h"

#include <time.h>

#include "realtime/realtime.h"

#define UPGRADE                                            \
    "Upgrade: WebSocket\r\nConnection: close, Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\n"
#define KEY    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define TARGET "/app/abc?protocol=7&client=js&version=8.6.0&flash=false"

static web_t web;
static realtime_t *rt;

static const realtime_options_t options = {
    .app_id = "3",
    .key = "abc",
    .secret = "7ad3773142a6692b25b8",
    .event_prefix = "",
    .max_connections = 2000,
    .max_channels = 5,
    .max_members = 3,
    .client_events = 10,
    .max_message = 4096,
    .max_queue = 65536,
    .activity_timeout_s = 30,
};

static int setup(void **state)
{
    (void)state;
    web_open(&web);
    http_stop(&web.server, 1000);
    assert_int_equal(realtime_start(&rt, &web.crm.domain, &options), WERR_OK);
    web.options.realtime = rt;
    web_start(&web);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_stop(&web.server, 1000);
    realtime_stop(&rt);
    crm_close(&web.crm);
    return 0;
}

/* The head of the answer; its status. */
static int begin(int fd, const char *method, const char *target,
                 const char *extra, answer_t *a)
{
    assert_true(web_request(fd, method, target, 0, extra, NULL, 0));
    web_read(fd, true, a);
    return a->status;
}

/* The text of the next frame, which is short. */
static void read_frame(int fd, char text[126])
{
    char h[2];
    assert_true(web_byte(fd, &h[0]) && web_byte(fd, &h[1]));
    assert_in_range(h[1], 0, 125);
    for (int i = 0; i < h[1]; i++) {
        assert_true(web_byte(fd, &text[i]));
    }
    text[(int)h[1]] = '\0';
}

static void wait_connections(int64_t n)
{
    const struct timespec pause = {0, 2000000};
    for (int i = 0; i < 2500; i++) {
        if (atomic_load(&realtime_counters(rt)->connections) == n) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    fail();
}

static void test_handshake(void **state)
{
    int fd = web_connect(&web);
    char text[126];
    answer_t a;
    (void)state;
    assert_int_equal(begin(fd, "GET", TARGET, UPGRADE KEY, &a), 101);
    assert_string_equal(answer_header(&a, "Sec-WebSocket-Accept"),
                        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_string_equal(answer_header(&a, "Upgrade"), "websocket");
    assert_string_equal(answer_header(&a, "Connection"), "Upgrade");
    assert_string_equal(answer_header(&a, "Sec-WebSocket-Extensions"), "");
    read_frame(fd, text);
    assert_non_null(strstr(text, "pusher:connection_established"));
    answer_free(&a);
    close(fd);
    wait_connections(0);
}

/* A frame that comes with the head is not lost. */
static void test_early_frame(void **state)
{
    static const char all[] =
        "GET " TARGET " HTTP/1.1\r\nHost: x\r\n" UPGRADE KEY "\r\n"
        "\x81\x97\0\0\0\0{\"event\":\"pusher:ping\"}";
    int fd = web_connect(&web);
    char text[126];
    answer_t a;
    (void)state;
    assert_true(web_write(fd, all, sizeof(all) - 1));
    web_read(fd, true, &a);
    assert_int_equal(a.status, 101);
    read_frame(fd, text);
    read_frame(fd, text);
    assert_string_equal(text, "{\"event\":\"pusher:pong\"}");
    answer_free(&a);
    close(fd);
}

static void test_refused_heads(void **state)
{
    static const struct {
        const char *method, *extra;
        int status;
    } bad[] = {
        {"GET", "", 400},
        {"GET", UPGRADE, 400},
        {"GET", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" KEY, 400},
        {"GET", "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY,
         400},
        {"GET", "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY, 400},
        {"GET", UPGRADE "Sec-WebSocket-Key: short\r\n", 400},
        {"HEAD", UPGRADE KEY, 400},
        {"POST", UPGRADE KEY, 405},
        {"GET", "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY, 426},
        {"GET", UPGRADE KEY "Origin: http://evil.example\r\n", 403},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = web_connect(&web);
        answer_t a;
        assert_int_equal(begin(fd, bad[i].method, TARGET, bad[i].extra, &a),
                         bad[i].status);
        answer_free(&a);
        close(fd);
    }
    assert_int_equal(realtime_counters(rt)->connects, 0);
}

/* Told through the socket, by a close that pusher-js understands. */
static void test_refused_apps(void **state)
{
    static const struct {
        const char *target, *code;
    } bad[] = {{"/app/abd?protocol=7", "4001"},
               {"/app/ab?protocol=7", "4001"},
               {"/app/abcd?protocol=7", "4001"},
               {"/app/%61bc?protocol=7", "4001"},
               {"/app/abc", "4008"},
               {"/app/abc?protocol=6", "4007"},
               {"/app/abc?protocol=", "4007"}};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = web_connect(&web);
        char text[126], end;
        answer_t a;
        assert_int_equal(begin(fd, "GET", bad[i].target, UPGRADE KEY, &a), 101);
        answer_free(&a);
        read_frame(fd, text);
        assert_non_null(strstr(text, bad[i].code));
        read_frame(fd, text);
        assert_int_equal((unsigned char)text[0] << 8 | (unsigned char)text[1],
                         strtol(bad[i].code, NULL, 10));
        assert_false(web_byte(fd, &end));
        close(fd);
    }
}

/* Sockets are none of libmicrohttpd's any more: more of them than it may
 * have connections, and requests are answered all the same. */
static void test_many(void **state)
{
    static int fds[1100];
    (void)state;
    for (size_t i = 0; i < 1100; i++) {
        answer_t a;
        fds[i] = web_connect(&web);
        assert_int_equal(begin(fds[i], "GET", TARGET, UPGRADE KEY, &a), 101);
        answer_free(&a);
    }
    wait_connections(1100);
    assert_int_equal(web_status(&web, "GET", "/api/health", 0, "", NULL), 200);
    for (size_t i = 0; i < 1100; i++) {
        close(fds[i]);
    }
    wait_connections(0);
}

static void test_ending(void **state)
{
    int fd = web_connect(&web);
    char text[126];
    answer_t a;
    (void)state;
    assert_int_equal(begin(fd, "GET", TARGET, UPGRADE KEY, &a), 101);
    answer_free(&a);
    read_frame(fd, text);
    http_stop(&web.server, 1000); /* does not touch it */
    assert_int_equal(realtime_counters(rt)->connections, 1);
    web_start(&web);
    realtime_drain(rt, 0);
    read_frame(fd, text);
    assert_non_null(strstr(text, "4200"));
    close(fd);
    fd = web_connect(&web);
    assert_int_equal(begin(fd, "GET", TARGET, UPGRADE KEY, &a), 503);
    answer_free(&a);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_early_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_apps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ending, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
