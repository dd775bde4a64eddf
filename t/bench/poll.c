/*
 * poll.c - agents who ask for the same page over and over, each on a
 * connection of its own, with the ETag of the last answer.
 *
 * usage: poll HOST:PORT SECONDS AGENTS FILE [walk]
 *
 * FILE: "PATH TOKEN" a line; agent i takes line i, over and over. walk: each
 * takes another line each time, and asks without an ETag.
 * prints: poll requests=N us=N new=N same=N bad=N bytes=N p50=us p99=us max=us
 *         (new: 200, same: 304)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX  (512u << 10)
#define REQUEST_MAX 2048
#define TAG_MAX     80
#define LINES_MAX   100000
#define TIMES_MAX   4000000
#define WAIT_MS     5000

typedef struct {
    char *path, *token;
} line_t;

typedef struct {
    int fd;
    size_t line;
    char tag[TAG_MAX];
    int64_t asked_us;
    size_t have;
    char *answer;
} agent_t;

static struct sockaddr_in address;
static line_t lines[LINES_MAX];
static size_t nlines, nagents;
static bool walk;
static int epoll_fd;
static int64_t ok, same, bad, bytes;
static uint32_t *times;
static size_t ntimes;

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "poll: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void read_lines(const char *name)
{
    char text[REQUEST_MAX];
    FILE *f = fopen(name, "r");

    if (f == NULL) {
        fail(name);
    }
    while (nlines < LINES_MAX && fgets(text, sizeof(text), f) != NULL) {
        char *blank = strchr(text, ' ');

        text[strcspn(text, "\n")] = '\0';
        if (blank == NULL) {
            errno = EINVAL;
            fail(name);
        }
        *blank = '\0';
        lines[nlines].path = strdup(text);
        lines[nlines].token = strdup(blank + 1);
        if (lines[nlines].path == NULL || lines[nlines].token == NULL) {
            fail(name);
        }
        nlines++;
    }
    (void)fclose(f);
    if (nlines == 0) {
        errno = EINVAL;
        fail(name);
    }
}

static void find_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[64];

    (void)snprintf(host, sizeof(host), "%.*s",
                   colon != NULL ? (int)(colon - text) : 0, text);
    address.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fail(text);
    }
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
}

static void ask(agent_t *a)
{
    const line_t *l = &lines[a->line];
    char out[REQUEST_MAX];
    int n = snprintf(out, sizeof(out),
                     "GET %s HTTP/1.1\r\nHost: bench\r\n"
                     "Authorization: Bearer %s\r\n%s%s%s\r\n",
                     l->path, l->token, a->tag[0] ? "If-None-Match: " : "",
                     a->tag, a->tag[0] ? "\r\n" : "");

    if (n < 0 || (size_t)n >= sizeof(out) ||
        send(a->fd, out, (size_t)n, MSG_NOSIGNAL) != n) {
        fail("send");
    }
    a->have = 0;
    a->asked_us = now_us();
}

static void begin(agent_t *a, size_t i)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = a};
    int one = 1;

    a->line = i % nlines;
    a->answer = malloc(ANSWER_MAX + 1);
    a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->answer == NULL || a->fd < 0 ||
        setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        connect(a->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, a->fd, &e) != 0) {
        fail("connect");
    }
    ask(a);
}

/* The value of a header, up to its line's end; NULL: not there. */
static const char *header(const char *head, const char *name, size_t *len)
{
    size_t n = strlen(name);

    for (const char *p = strstr(head, "\r\n"); p != NULL && p[2] != '\r';
         p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) == 0 && p[2 + n] == ':') {
            p += 3 + n;
            p += strspn(p, " ");
            *len = strcspn(p, "\r");
            return p;
        }
    }
    return NULL;
}

/* Bytes of the whole answer; 0: its head is not in yet. */
static size_t expected(const agent_t *a)
{
    const char *end = strstr(a->answer, "\r\n\r\n"), *value;
    size_t head, len;

    if (end == NULL) {
        return 0;
    }
    head = (size_t)(end - a->answer) + 4;
    if (strncmp(a->answer, "HTTP/1.1 304", 12) == 0) {
        return head;
    }
    value = header(a->answer, "Content-Length", &len);
    if (value == NULL) {
        errno = EPROTO;
        fail("an answer without a length");
    }
    return head + strtoul(value, NULL, 10);
}

static void count(agent_t *a)
{
    const char *tag;
    size_t len;

    if (ntimes < TIMES_MAX) {
        times[ntimes++] = (uint32_t)(now_us() - a->asked_us);
    }
    bytes += (int64_t)a->have;
    if (strncmp(a->answer, "HTTP/1.1 304", 12) == 0) {
        same++;
        return;
    }
    if (strncmp(a->answer, "HTTP/1.1 200", 12) != 0) {
        bad++;
        return;
    }
    ok++;
    tag = header(a->answer, "ETag", &len);
    a->tag[0] = '\0';
    if (!walk && tag != NULL && len < TAG_MAX) {
        memcpy(a->tag, tag, len);
        a->tag[len] = '\0';
    }
}

static void hear(agent_t *a)
{
    ssize_t n = recv(a->fd, a->answer + a->have, ANSWER_MAX - a->have, 0);
    size_t whole;

    if (n <= 0) {
        fail("an answer was broken off");
    }
    a->have += (size_t)n;
    a->answer[a->have] = '\0';
    whole = expected(a);
    if (whole == 0 || a->have < whole) {
        return;
    }
    count(a);
    if (walk) {
        a->line = (a->line + nagents) % nlines;
    }
    ask(a);
}

static int by_time(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(int64_t us)
{
    if (ntimes == 0) {
        errno = ETIMEDOUT;
        fail("no answer");
    }
    qsort(times, ntimes, sizeof(*times), by_time);
    (void)printf("poll requests=%lld us=%lld new=%lld same=%lld bad=%lld "
                 "bytes=%lld p50=%u p99=%u max=%u\n",
                 (long long)(ok + same + bad), (long long)us, (long long)ok,
                 (long long)same, (long long)bad, (long long)bytes,
                 times[(ntimes - 1) / 2], times[(ntimes - 1) * 99 / 100],
                 times[ntimes - 1]);
}

int main(int argc, char **argv)
{
    struct epoll_event events[64];
    agent_t *agents;
    int64_t start, end;

    if (argc < 5) {
        (void)fprintf(stderr,
                      "usage: poll HOST:PORT SECONDS AGENTS FILE [walk]\n");
        return 1;
    }
    find_address(argv[1]);
    nagents = strtoul(argv[3], NULL, 10);
    walk = argc > 5;
    read_lines(argv[4]);
    agents = calloc(nagents, sizeof(*agents));
    times = malloc(TIMES_MAX * sizeof(*times));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (agents == NULL || times == NULL || epoll_fd < 0 || nagents == 0) {
        fail("start");
    }
    start = now_us();
    end = start + (int64_t)(strtod(argv[2], NULL) * 1e6);
    for (size_t i = 0; i < nagents; i++) {
        begin(&agents[i], i);
    }
    while (now_us() < end) {
        int n = epoll_wait(epoll_fd, events, 64, WAIT_MS);

        if (n <= 0) {
            fail("nothing was heard");
        }
        for (int i = 0; i < n; i++) {
            hear(events[i].data.ptr);
        }
    }
    report(now_us() - start);
    return 0;
}
