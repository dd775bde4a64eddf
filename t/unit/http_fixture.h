/*
 * http_fixture.h - a real server on a unix socket, and a raw client.
 */
#ifndef WACRM_T_HTTP_FIXTURE_H
#define WACRM_T_HTTP_FIXTURE_H

#include "crm_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "http/http.h"
#include "search/search.h"

#define WEB_SECRET "0123456789abcdef0123456789abcdef"

typedef struct {
    crm_t crm;
    char socket[160], index[160];
    search_t *search;
    http_options_t options;
    http_server_t *server;
} web_t;

static inline void web_start(web_t *w)
{
    assert_int_equal(http_start(&w->server, &w->options), WERR_OK);
}

static inline void web_open(web_t *w)
{
    memset(w, 0, sizeof(*w));
    crm_open(&w->crm);
    snprintf(w->socket, sizeof(w->socket), "%s/http", w->crm.dir);
    snprintf(w->index, sizeof(w->index), "%s/search.db", w->crm.dir);
    assert_int_equal(search_start(&w->search, w->crm.store, w->index), WERR_OK);
    w->options = (http_options_t){
        .search = w->search,
        .file_max = 16 << 20,
        .socket_path = w->socket,
        .workers = 2,
        .domain = &w->crm.domain,
        .jwt_secret = WEB_SECRET,
        .jwt_secret_len = sizeof(WEB_SECRET) - 1,
        .issuer = "wacrm",
        .audience = "crm",
        .access_ttl_s = 3600,
        .guesses = 60000,
        .refresh_ttl_s = 86400,
        .read_receipts = true,
    };
    web_start(w);
}

static inline void web_close(web_t *w)
{
    http_stop(&w->server, 1000);
    search_stop(&w->search);
    crm_close(&w->crm);
}

/* -1: refused. */
static inline int web_try_connect(const web_t *w)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", w->socket);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline int web_connect(const web_t *w)
{
    int fd = web_try_connect(w);
    assert_true(fd >= 0);
    return fd;
}

/* false: the other side is gone. */
static inline bool web_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

typedef struct {
    int status; /* 0: no whole answer came */
    char head[2048];
    buf_t body;
} answer_t;

static inline void answer_free(answer_t *a)
{
    buf_free(&a->body);
}

/* One more byte within 10 s. */
static inline bool web_byte(int fd, char *c)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 10000) == 1 && recv(fd, c, 1, 0) == 1;
}

/* The value of a header, or "". */
static inline const char *answer_header(const answer_t *a, const char *name)
{
    static _Thread_local char value[256];
    char start[64];
    snprintf(start, sizeof(start), "\r\n%s: ", name);
    const char *at = strcasestr(a->head, start);
    value[0] = '\0';
    if (at != NULL) {
        at += strlen(start);
        snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

static inline void web_read(int fd, bool head_only, answer_t *a)
{
    size_t n = 0;
    memset(a, 0, sizeof(*a));
    buf_init(&a->body, 0);
    while (n < 4 || memcmp(a->head + n - 4, "\r\n\r\n", 4) != 0) {
        if (n == sizeof(a->head) - 1 || !web_byte(fd, &a->head[n])) {
            return;
        }
        n++;
    }
    a->head[n] = '\0';
    size_t len =
        head_only ? 0 : strtoul(answer_header(a, "Content-Length"), NULL, 10);
    while (a->body.len < len) {
        char chunk[16384];
        size_t want = len - a->body.len;
        ssize_t got =
            recv(fd, chunk, want < sizeof(chunk) ? want : sizeof(chunk), 0);
        if (got <= 0) {
            return;
        }
        buf_add(&a->body, chunk, (size_t)got);
    }
    a->status = (int)strtol(a->head + 9, NULL, 10);
}

/* user 0: no identity. extra: whole header lines, or "". */
static inline bool web_request(int fd, const char *method, const char *target,
                               int64_t user, const char *extra,
                               const char *body, size_t len)
{
    buf_t b;
    buf_init(&b, 0);
    buf_addf(&b, "%s %s HTTP/1.1\r\nHost: x\r\n", method, target);
    if (user != 0) {
        buf_addf(&b,
                 "X-Wacrm-User: %lld\r\nX-Wacrm-Token-Id: jti-%lld\r\n"
                 "X-Wacrm-Token-Exp: 4000000000\r\n",
                 (long long)user, (long long)user);
    }
    if (body != NULL) {
        buf_addf(&b, "Content-Length: %zu\r\n", len);
    }
    buf_addf(&b, "%s\r\n", extra);
    if (body != NULL) {
        buf_add(&b, body, len);
    }
    bool ok = web_write(fd, b.data, b.len);
    buf_free(&b);
    return ok;
}

/* One request on a connection of its own. */
static inline int web_call(const web_t *w, const char *method,
                           const char *target, int64_t user, const char *extra,
                           const char *body, answer_t *a)
{
    int fd = web_connect(w);
    assert_true(web_request(fd, method, target, user, extra, body,
                            body != NULL ? strlen(body) : 0));
    web_read(fd, strcmp(method, "HEAD") == 0, a);
    close(fd);
    return a->status;
}

/* The same where only the status counts. */
static inline int web_status(const web_t *w, const char *method,
                             const char *target, int64_t user,
                             const char *extra, const char *body)
{
    answer_t a;
    int status = web_call(w, method, target, user, extra, body, &a);
    answer_free(&a);
    return status;
}

static inline json_t *answer_json(const answer_t *a)
{
    json_t *json = json_loadb(a->body.data != NULL ? a->body.data : "",
                              a->body.len, JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

#endif
