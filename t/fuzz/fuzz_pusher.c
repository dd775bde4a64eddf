/*
 * fuzz_pusher.c - bytes as what a browser sends: frames as they are, or, by
 * the first byte, each line as a message in a frame that is right. The client
 * lives on without a thread; its subscriptions are signed where a line says so.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "realtime/internal.h"
#include "realtime/sign.h"
#include "through.h"

#define SECRET   "7ad3773142a6692b25b8"
#define KEY      "key"
#define LINE_MAX 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static realtime_t *desk(void)
{
    static realtime_t rt;

    if (rt.pong != NULL) {
        return &rt;
    }
    log_setup(LOG_ERROR, 2);
    rt.options = (realtime_options_t){.app_id = "3",
                                      .key = KEY,
                                      .secret = SECRET,
                                      .event_prefix = "",
                                      .public_inbox = true,
                                      .max_connections = 4,
                                      .max_channels = 4,
                                      .max_members = 2,
                                      .client_events = 10,
                                      .max_message = 8192,
                                      .max_queue = 64 << 10,
                                      .activity_timeout_s = 30};
    rt.epoll = epoll_create1(EPOLL_CLOEXEC);
    rt.wake = -1;
    rt.last = &rt.first;
    buf_init(&rt.scratch, 0);
    rt.pong = rt_frame_text("pong", 4);
    rt.ping = rt_frame_text("ping", 4);
    return rt.epoll >= 0 && rt.pong != NULL && rt.ping != NULL ? &rt : NULL;
}

/* A whole text frame; a length in more bytes than it needs breaks it. */
static void add_frame(buf_t *b, const char *text, size_t len)
{
    static const char mask[4];
    const char small[2] = {(char)0x81, (char)(0x80 | len)};
    const char large[4] = {(char)0x81, (char)(0x80 | 126), (char)(len >> 8),
                           (char)len};

    if (len < 126) {
        buf_add(b, small, sizeof(small));
    } else {
        buf_add(b, large, sizeof(large));
    }
    buf_add(b, mask, sizeof(mask));
    buf_add(b, text, len);
}

/* "+channel" or "+channel data": a subscription with its signature. */
static void add_signed(buf_t *b, const rt_client_t *c, char *line)
{
    char *data = strchr(line, ' ');
    char hex[SIGN_HEX], auth[SIGN_HEX + sizeof(KEY) + 1];
    buf_t m;

    if (data != NULL) {
        *data++ = '\0';
    }
    if (!sign_channel(SECRET, c->id, line, data, hex)) {
        return;
    }
    snprintf(auth, sizeof(auth), KEY ":%s", hex);
    buf_init(&m, 0);
    jw_open_object(&m, NULL);
    jw_str(&m, "event", "pusher:subscribe");
    jw_open_object(&m, "data");
    jw_str(&m, "auth", auth);
    jw_str(&m, "channel", line);
    jw_str(&m, "channel_data", data);
    jw_close_object(&m);
    jw_close_object(&m);
    add_frame(b, m.data, m.len);
    buf_free(&m);
}

static void add_lines(buf_t *b, const rt_client_t *c, const uint8_t *data,
                      size_t len)
{
    while (len > 0) {
        const uint8_t *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        char line[LINE_MAX];

        if (n < sizeof(line)) {
            memcpy(line, data, n);
            line[n] = '\0';
            if (n > 1 && line[0] == '+') {
                add_signed(b, c, line + 1);
            } else {
                add_frame(b, line, n);
            }
        }
        n += end != NULL;
        data += n;
        len -= n;
    }
}

/* What the server says is whole frames, unmasked, of known kinds. */
static void check_output(int fd)
{
    static unsigned char out[256 << 10];
    size_t len = 0, at = 0;
    ssize_t n;

    while (len < sizeof(out) &&
           (n = recv(fd, out + len, sizeof(out) - len, MSG_DONTWAIT)) > 0) {
        len += (size_t)n;
    }
    while (at + 4 <= len) {
        unsigned op = out[at] & 15;
        size_t size = out[at + 1];

        if ((out[at] & 0xf0) != 0x80 || (op != 1 && op != 8 && op != 10) ||
            size > 126) {
            abort();
        }
        at += 2;
        if (size == 126) {
            size = (size_t)out[at] << 8 | out[at + 1];
            at += 2;
        }
        at += size;
    }
}

static rt_client_t *arrive(realtime_t *rt, int fd, char *early, size_t len)
{
    rt_client_new(rt, fd, early, len, 0);
    for (size_t i = 0; i < rt->nslots; i++) {
        if (rt->slots[i] != NULL && rt->slots[i]->fd == fd) {
            return rt->slots[i];
        }
    }
    return NULL;
}

static void play(realtime_t *rt, int fd, int peer, const uint8_t *data,
                 size_t len)
{
    rt_client_t *c = arrive(rt, fd, NULL, 0);
    buf_t b;

    if (c == NULL) {
        return;
    }
    buf_init(&b, 0);
    if (data[0] == 'L') {
        add_lines(&b, c, data + 1, len - 1);
    } else {
        buf_add(&b, data, len);
    }
    c->early = b.data != NULL ? malloc(b.len + 1) : NULL;
    if (c->early != NULL) {
        memcpy(c->early, b.data, b.len);
        c->early_len = b.len;
    }
    buf_free(&b);
    rt_client_readable(c);
    rt_clients_settle(rt);
    check_output(peer);
    if (atomic_load(&rt->counters.subscriptions) > 0) {
        fuzz_through();
    }
    if (rt->nclients > 0 && rt->slots[c->slot] == c) {
        rt_client_kill(c);
    }
    rt_clients_settle(rt);
    if (rt->nclients != 0 || atomic_load(&rt->counters.channels) != 0 ||
        atomic_load(&rt->counters.subscriptions) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    realtime_t *rt = desk();
    int pair[2];

    if (rt == NULL || len == 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return 0;
    }
    play(rt, pair[1], pair[0], data, len);
    (void)close(pair[0]);
    return 0;
}
