/*
 * sockets.c - many idle clients of the Pusher protocol: connects N of them,
 * subscribes each to CHANNEL, says "ready", and then for each line on standard
 * input waits until all of them have got one more event.
 *
 * usage: sockets unix:PATH|HOST:PORT N CHANNEL
 * prints: ready n=N connect_ms=..
 *         told n=N first_us=.. last_us=..   (CLOCK_MONOTONIC)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER     65536
#define WAIT_MS    20000
#define AT_ONCE    256 /* so many handshakes under way */
#define SUBSCRIBED "subscription_succeeded"

typedef struct {
    int fd;
    size_t have; /* of a frame's head */
    unsigned char head[10];
    uint64_t left; /* of a frame's body */
    bool open, subscribed;
    char line[512]; /* of the answer's head, or of a frame */
    size_t n;
} client_t;

static struct sockaddr_storage address;
static socklen_t address_len;
static const char *channel;
static int epoll_fd;
static size_t subscribed, told;
static int64_t first_us, last_us;

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "sockets: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void find_address(const char *text)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address;
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    const char *colon = strrchr(text, ':');
    char host[64];

    if (strncmp(text, "unix:", 5) == 0) {
        un->sun_family = AF_UNIX;
        (void)snprintf(un->sun_path, sizeof(un->sun_path), "%s", text + 5);
        address_len = sizeof(*un);
        return;
    }
    if (colon == NULL) {
        errno = EINVAL;
        fail(text);
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (inet_pton(AF_INET, host, &in->sin_addr) != 1) {
        fail(host);
    }
    address_len = sizeof(*in);
}

static void send_all(int fd, const void *data, size_t len)
{
    if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len) {
        fail("send");
    }
}

static void begin(client_t *c)
{
    static const char ask[] =
        "GET /app/wacrm?protocol=7&client=bench HTTP/1.1\r\nHost: bench\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};

    c->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 ||
        connect(c->fd, (struct sockaddr *)&address, address_len) != 0) {
        fail("connect");
    }
    send_all(c->fd, ask, sizeof(ask) - 1);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        fail("epoll_ctl");
    }
}

/* A masked frame with a mask of zeros. */
static void say(const client_t *c, const char *text)
{
    unsigned char out[256] = {0x81, 0x80};
    size_t len = strlen(text);

    if (len >= 126) {
        errno = EMSGSIZE;
        fail("frame");
    }
    out[1] = (unsigned char)(0x80 | len);
    memcpy(out + 6, text, len);
    send_all(c->fd, out, 6 + len);
}

static void on_frame(client_t *c)
{
    char ask[120];

    c->line[c->n] = '\0';
    if ((c->head[0] & 15) == 8) {
        errno = ECONNRESET;
        fail("closed by the server");
    }
    if (strstr(c->line, "connection_established") != NULL) {
        (void)snprintf(ask, sizeof(ask),
                       "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":"
                       "\"\",\"channel\":\"%s\"}}",
                       channel);
        say(c, ask);
    } else if (strstr(c->line, SUBSCRIBED) != NULL) {
        c->subscribed = true;
        subscribed++;
    } else if (strstr(c->line, "pusher:ping") != NULL) {
        say(c, "{\"event\":\"pusher:pong\"}");
    } else if (strstr(c->line, "pusher:") == NULL) {
        last_us = now_us();
        first_us = told++ == 0 ? last_us : first_us;
    }
}

/* Of an open frame; how much of it. */
static size_t take_head(client_t *c, const unsigned char *in)
{
    size_t want = 2;

    c->head[c->have++] = *in;
    if (c->have >= 2) {
        unsigned len = c->head[1];

        want = len == 126 ? 4 : len == 127 ? 10 : 2;
        if (c->have == want) {
            c->left = len < 126 ? len : 0;
            for (size_t i = 2; i < want; i++) {
                c->left = c->left << 8 | c->head[i];
            }
            c->n = 0;
        }
    }
    return c->have == want ? want : 0;
}

static void take_frames(client_t *c, const unsigned char *in, size_t len)
{
    while (len > 0) {
        size_t n = 1;

        if (c->left == 0) {
            if (take_head(c, in) != 0) {
                c->have = 0;
                if (c->left == 0) {
                    on_frame(c);
                }
            }
        } else {
            size_t keep = sizeof(c->line) - 1 - c->n;

            n = c->left < len ? (size_t)c->left : len;
            keep = keep < n ? keep : n;
            memcpy(c->line + c->n, in, keep);
            c->n += keep;
            c->left -= n;
            if (c->left == 0) {
                on_frame(c);
            }
        }
        in += n;
        len -= n;
    }
}

static void take(client_t *c, const unsigned char *in, size_t len)
{
    while (!c->open && len > 0) {
        if (c->n == sizeof(c->line) - 1) {
            errno = EMSGSIZE;
            fail("head");
        }
        c->line[c->n++] = (char)*in++;
        len--;
        if (c->n >= 4 && memcmp(c->line + c->n - 4, "\r\n\r\n", 4) == 0) {
            if (strncmp(c->line, "HTTP/1.1 101", 12) != 0) {
                (void)fprintf(stderr, "sockets: %.20s\n", c->line);
                exit(1);
            }
            c->open = true;
        }
    }
    take_frames(c, in, len);
}

static void turn(void)
{
    static unsigned char in[BUFFER];
    struct epoll_event events[512];
    int n = epoll_wait(epoll_fd, events, 512, WAIT_MS);

    if (n <= 0) {
        errno = ETIMEDOUT;
        fail("waiting");
    }
    for (int i = 0; i < n; i++) {
        client_t *c = events[i].data.ptr;
        ssize_t got = recv(c->fd, in, sizeof(in), 0);

        if (got <= 0) {
            fail("recv");
        }
        take(c, in, (size_t)got);
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;
    client_t *clients;
    size_t n;
    char line[16];
    int64_t from;

    if (argc != 4) {
        (void)fputs("usage: sockets ADDRESS N CHANNEL\n", stderr);
        return 1;
    }
    find_address(argv[1]);
    n = strtoul(argv[2], NULL, 10);
    channel = argv[3];
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    clients = calloc(n, sizeof(*clients));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (clients == NULL || epoll_fd < 0) {
        fail("start");
    }
    from = now_us();
    for (size_t i = 0; i < n; i++) {
        begin(&clients[i]);
        while (i - subscribed > AT_ONCE) {
            turn();
        }
    }
    while (subscribed < n) {
        turn();
    }
    (void)printf("ready n=%zu connect_ms=%lld\n", n,
                 (long long)(now_us() - from) / 1000);
    (void)fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        while (told < n) {
            turn();
        }
        (void)printf("told n=%zu first_us=%lld last_us=%lld\n", told,
                     (long long)first_us, (long long)last_us);
        (void)fflush(stdout);
        told = 0;
    }
    free(clients);
    return 0;
}
