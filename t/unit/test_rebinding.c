/*
 * DNS rebinding, with a real resolver: a name server of the test answers that a
 * name is at a public address when it is judged, and inside when it is
 * connected to. In a network of the test's own, where a public address and
 * everybody's port 53 are to be had.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/client.h"
#include "gateway/origin.h"

#define PUBLIC "93.184.216.34" /* lo has it, too */
#define NOBODY "8.8.4.4"       /* no way leads there */
#define CONNS  16

/* What the name server says first, and once all have turned. */
typedef struct {
    const char *name;
    const char *first[2], *then[2];
} host_t;

static host_t hosts[] = {
    {.name = "public.test", .first = {PUBLIC}, .then = {PUBLIC}},
    {.name = "inside.test", .first = {"127.0.0.1"}, .then = {"127.0.0.1"}},
    {.name = "turns.test", .first = {PUBLIC}, .then = {"127.0.0.1"}},
    {.name = "turns6.test", .first = {PUBLIC}, .then = {"::1"}},
    {.name = "mapped.test", .first = {PUBLIC}, .then = {"::ffff:127.0.0.1"}},
    {.name = "zero.test", .first = {PUBLIC}, .then = {"0.0.0.0"}},
    {.name = "metadata.test", .first = {PUBLIC}, .then = {"169.254.169.254"}},
    {.name = "both.test", .first = {PUBLIC}, .then = {NOBODY, "127.0.0.1"}},
};
enum { HOSTS = sizeof(hosts) / sizeof(hosts[0]) };

static struct {
    int dns, web, stop[2];
    int port;
    pthread_t thread;
    _Atomic bool turned;
    _Atomic int inside, outside; /* requests, by the address they came to */
} net;

/* ---- the name server ---- */

static void read_name(const uint8_t *q, size_t n, size_t *at, char out[256])
{
    size_t len = 0;

    while (*at < n && q[*at] != 0) {
        size_t label = q[(*at)++];

        for (; label > 0 && *at < n && len < 250; label--) {
            out[len++] = (char)q[(*at)++];
        }
        out[len++] = '.';
    }
    (*at)++;
    out[len > 0 ? len - 1 : 0] = '\0';
}

static size_t add_answer(uint8_t *out, const char *address, int type)
{
    bool v6 = strchr(address, ':') != NULL;
    uint8_t head[12] = {0xc0, 12, 0, (uint8_t)type, 0, 1};
    size_t size = v6 ? 16 : 4;

    if ((type == 28) != v6) {
        return 0;
    }
    head[11] = (uint8_t)size; /* of no time to live */
    memcpy(out, head, sizeof(head));
    return inet_pton(v6 ? AF_INET6 : AF_INET, address, out + 12) == 1
               ? 12 + size
               : 0;
}

static void answer_query(void)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    uint8_t q[600] = {0};
    char name[256];
    size_t at = 12;
    ssize_t n = recvfrom(net.dns, q, 512, 0, (struct sockaddr *)&from, &len);

    if (n < 17) {
        return;
    }
    read_name(q, (size_t)n, &at, name);
    int type = q[at + 1];
    at += 4;
    q[2] = 0x81;
    q[3] = 0x80;
    memset(q + 6, 0, 6);
    for (size_t i = 0; i < HOSTS; i++) {
        const char **say;

        if (strcasecmp(hosts[i].name, name) != 0) {
            continue;
        }
        say = net.turned ? hosts[i].then : hosts[i].first;
        for (size_t k = 0; k < 2 && say[k] != NULL; k++) {
            size_t more = add_answer(q + at, say[k], type);

            at += more;
            q[7] += more > 0;
        }
    }
    (void)sendto(net.dns, q, at, 0, (struct sockaddr *)&from, len);
}

/* ---- the web server, at every address ---- */

static void answer_request(struct pollfd *p)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
                                 "gift";
    struct sockaddr_in6 at = {0};
    socklen_t len = sizeof(at);
    char text[2000];

    if (recv(p->fd, text, sizeof(text), 0) <= 0) {
        (void)close(p->fd);
        p->fd = -1;
        return;
    }
    (void)getsockname(p->fd, (struct sockaddr *)&at, &len);
    struct in6_addr wanted;
    (void)inet_pton(AF_INET6, "::ffff:" PUBLIC, &wanted);
    if (memcmp(&at.sin6_addr, &wanted, sizeof(wanted)) == 0) {
        net.outside++;
    } else {
        net.inside++;
    }
    (void)!send(p->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
}

static void *serve(void *arg)
{
    struct pollfd p[3 + CONNS] = {
        {net.stop[0], POLLIN, 0}, {net.dns, POLLIN, 0}, {net.web, POLLIN, 0}};

    (void)arg;
    for (int i = 3; i < 3 + CONNS; i++) {
        p[i].fd = -1;
        p[i].events = POLLIN;
    }
    while (poll(p, 3 + CONNS, -1) >= 0 && p[0].revents == 0) {
        if (p[1].revents) {
            answer_query();
        }
        for (int i = 3; i < 3 + CONNS; i++) {
            if (p[i].fd >= 0 && p[i].revents) {
                answer_request(&p[i]);
            }
        }
        for (int i = 3; p[2].revents && i < 3 + CONNS; i++) {
            if (p[i].fd < 0) {
                p[i].fd = accept(net.web, NULL, NULL);
                p[i].revents = 0;
                break;
            }
        }
    }
    for (int i = 3; i < 3 + CONNS; i++) {
        if (p[i].fd >= 0) {
            (void)close(p[i].fd);
        }
    }
    return NULL;
}

/* ---- a network of its own ---- */

static bool set_address(int fd, const char *name, const char *address)
{
    struct ifreq r = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&r.ifr_addr;

    (void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    in->sin_family = AF_INET;
    (void)inet_pton(AF_INET, address, &in->sin_addr);
    return ioctl(fd, SIOCSIFADDR, &r) == 0;
}

static bool raise_loopback(void)
{
    struct ifreq r = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok;

    r.ifr_flags = IFF_UP | IFF_RUNNING;
    ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0 &&
         set_address(fd, "lo:1", PUBLIC);
    (void)close(fd);
    return ok;
}

/* Over the file of that name, for this process only. */
static bool put_over(const char *path, const char *text)
{
    char name[] = "/tmp/wacrm-rebinding-XXXXXX";
    int fd = mkstemp(name);
    bool ok = fd >= 0 && fchmod(fd, 0644) == 0 &&
              write(fd, text, strlen(text)) > 0 &&
              mount(name, path, NULL, MS_BIND, NULL) == 0;

    (void)close(fd);
    (void)unlink(name);
    return ok;
}

static int listen_at(int port, int kind)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port)};
    bool dns = kind == SOCK_DGRAM;
    int fd = socket(dns ? AF_INET : AF_INET6, kind | SOCK_CLOEXEC, 0), off = 0;

    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (dns) {
        return bind(fd, (struct sockaddr *)&four, sizeof(four)) == 0 ? fd : -1;
    }
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return bind(fd, (struct sockaddr *)&six, sizeof(six)) == 0 &&
                   listen(fd, CONNS) == 0
               ? fd
               : -1;
}

/* NULL: it is there; else what is missing. */
static const char *make_network(void)
{
    struct sockaddr_in6 at;
    socklen_t len = sizeof(at);

    if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) != 0) {
        return "no network namespace is to be had";
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        !put_over("/etc/resolv.conf", "nameserver 127.0.0.1\n") ||
        !put_over("/etc/nsswitch.conf", "hosts: files dns\n")) {
        return "no file can be mounted over another";
    }
    if (!raise_loopback()) {
        return "lo cannot be raised";
    }
    net.dns = listen_at(53, SOCK_DGRAM);
    net.web = listen_at(0, SOCK_STREAM);
    if (net.dns < 0 || net.web < 0 ||
        getsockname(net.web, (struct sockaddr *)&at, &len) != 0) {
        return "no socket";
    }
    net.port = ntohs(at.sin6_port);
    return pipe(net.stop) == 0 &&
                   pthread_create(&net.thread, NULL, serve, NULL) == 0
               ? NULL
               : "no thread";
}

/* ---- calls ---- */

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    gw_result_t result;
} call_t;

static void on_done(void *arg, const gw_result_t *r)
{
    call_t *call = arg;

    (void)pthread_mutex_lock(&call->lock);
    call->result = *r;
    call->ended = true;
    (void)pthread_cond_broadcast(&call->changed);
    (void)pthread_mutex_unlock(&call->lock);
}

static bool judge(const void *list, const struct sockaddr *to)
{
    return origin_may_connect(list, to);
}

/* With the guard that what agents send from an address has. */
static gw_result_t get(gw_client_t *client, const char *name, bool guarded)
{
    call_t call = {
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, {0}};
    gw_request_t r;

    gw_request_init(&r);
    r.method = "GET";
    buf_addf(&r.url, "http://%s:%d/gift", name, net.port);
    r.may_connect = guarded ? judge : NULL;
    r.connect_arg = name;
    assert_int_equal(gw_submit(client, NULL, &r, 0, on_done, &call), WERR_OK);
    (void)pthread_mutex_lock(&call.lock);
    while (!call.ended) {
        (void)pthread_cond_wait(&call.changed, &call.lock);
    }
    (void)pthread_mutex_unlock(&call.lock);
    return call.result;
}

/* As somebody would who asks first and connects then; and then it turns. */
static void looks_public(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;

    net.turned = false;
    assert_int_equal(getaddrinfo(name, "80", &hints, &list), 0);
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        assert_true(origin_may_connect(name, a->ai_addr));
    }
    freeaddrinfo(list);
    net.turned = true;
}

static int start(void **state)
{
    gw_client_options_t o = {0};
    gw_client_t *client;

    net.inside = net.outside = 0;
    net.turned = false;
    if (gw_client_start(&client, &o) != WERR_OK) {
        return -1;
    }
    *state = client;
    return 0;
}

static int stop(void **state)
{
    gw_client_t *client = *state;

    gw_client_stop(&client, 2000);
    return 0;
}

static void a_public_address_is_reached(void **state)
{
    looks_public("public.test");
    assert_int_equal(get(*state, "public.test", true).http_status, 200);
    assert_int_equal(net.outside, 1);
    assert_int_equal(net.inside, 0);
}

/* Without the guard it would be: so the test sees what it looks for. */
static void a_name_that_turns(void **state)
{
    static const char *const names[] = {
        "turns.test", "turns6.test", "mapped.test", "zero.test", "both.test"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        gw_result_t r;

        looks_public(names[i]);
        r = get(*state, names[i], true);
        if (r.http_status != 0 || !r.refused || net.inside != 0) {
            fail_msg("%s: status %d, refused %d, %d requests inside", names[i],
                     r.http_status, r.refused, net.inside);
        }
        r = get(*state, names[i], false);
        if (r.http_status != 200 || net.inside != 1) {
            fail_msg("%s: unguarded: status %d (%s), %d requests inside",
                     names[i], r.http_status, r.error, net.inside);
        }
        net.inside = 0;
    }
}

static void metadata_of_a_cloud(void **state)
{
    gw_result_t r;

    looks_public("metadata.test");
    r = get(*state, "metadata.test", true);
    assert_int_equal(r.http_status, 0);
    assert_true(r.refused);
}

/* A connection that stands open inside is not taken. */
static void a_connection_that_is_there(void **state)
{
    gw_result_t r = get(*state, "inside.test", false);

    assert_int_equal(r.http_status, 200);
    r = get(*state, "inside.test", true);
    assert_int_equal(r.http_status, 0);
    assert_true(r.refused);
    assert_int_equal(net.inside, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        T(a_public_address_is_reached),
        T(a_name_that_turns),
        T(metadata_of_a_cloud),
        T(a_connection_that_is_there),
    };
    const char *missing = make_network();

    if (missing != NULL) {
        printf("skipped: %s (%s)\n", missing, strerror(errno));
        return 0;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)close(net.stop[1]);
    (void)pthread_join(net.thread, NULL);
    (void)close(net.stop[0]);
    (void)close(net.dns);
    (void)close(net.web);
    return failed;
}
