#include "ctl_socket.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <curl/curl.h>

#include "base/base64.h"
#include "base/clock.h"

#define ROOM      65536
#define SHORT_MAX 125
#define TEXT      0x81 /* FIN, text */
#define MASKED    0x80
#define KEY_BYTES 16

struct ctl_socket_s {
    CURL *easy;
    curl_socket_t fd;
    unsigned char in[ROOM + 1];
    size_t len;
    size_t used;         /* of what was given out last */
    unsigned char saved; /* that its NUL stands on */
};

static bool wait_for(const ctl_socket_t *s, short what, int64_t until)
{
    struct pollfd p = {.fd = s->fd, .events = what};
    int64_t left = until - clock_mono_ms();

    return left > 0 && poll(&p, 1, (int)left) > 0;
}

static bool send_all(ctl_socket_t *s, const void *data, size_t len,
                     int64_t until)
{
    const char *at = data;

    while (len > 0) {
        size_t n = 0;
        CURLcode code = curl_easy_send(s->easy, at, len, &n);

        if (code == CURLE_AGAIN) {
            if (!wait_for(s, POLLOUT, until)) {
                return false;
            }
        } else if (code != CURLE_OK) {
            return false;
        }
        at += n;
        len -= n;
    }
    return true;
}

/* More of what comes; false: nothing within the time, or the end. */
static bool receive(ctl_socket_t *s, int64_t until)
{
    size_t n = 0;

    while (s->len < ROOM) {
        CURLcode code =
            curl_easy_recv(s->easy, s->in + s->len, ROOM - s->len, &n);

        if (code == CURLE_OK && n > 0) {
            s->len += n;
            return true;
        }
        if (code != CURLE_AGAIN || !wait_for(s, POLLIN, until)) {
            return false;
        }
    }
    return false;
}

static void drop(ctl_socket_t *s, size_t n)
{
    s->len -= n;
    memmove(s->in, s->in + n, s->len);
}

/* ---- the beginning ---- */

static bool connect_to(ctl_socket_t *s, const char *base, int timeout_ms,
                       char *error, size_t size)
{
    char why[CURL_ERROR_SIZE] = "";
    CURLcode code;

    if (!s->easy || curl_easy_setopt(s->easy, CURLOPT_URL, base) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_HTTP_VERSION,
                         (long)CURL_HTTP_VERSION_1_1) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, why) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) !=
            CURLE_OK) {
        (void)snprintf(error, size, "out of memory");
        return false;
    }
    code = curl_easy_perform(s->easy);
    (void)curl_easy_setopt(s->easy, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK ||
        curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &s->fd) != CURLE_OK) {
        (void)snprintf(error, size, "%s",
                       why[0] ? why : curl_easy_strerror(code));
        return false;
    }
    return true;
}

static bool upgrade(ctl_socket_t *s, const char *base, const char *path,
                    int64_t until, char *error, size_t size)
{
    unsigned char random[KEY_BYTES];
    char key[BASE64_LEN(KEY_BYTES) + 1], head[1024];
    const char *host = strstr(base, "://");
    const char *end = NULL;
    int n;

    if (!host || getrandom(random, sizeof(random), 0) != sizeof(random)) {
        (void)snprintf(error, size, "no address");
        return false;
    }
    host += 3;
    key[base64_encode(key, random, sizeof(random))] = '\0';
    n = snprintf(head, sizeof(head),
                 "GET %s HTTP/1.1\r\nHost: %.*s\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: %s\r\n\r\n",
                 path, (int)strcspn(host, "/"), host, key);
    if (n < 0 || (size_t)n >= sizeof(head) ||
        !send_all(s, head, (size_t)n, until)) {
        (void)snprintf(error, size, "the connection was closed");
        return false;
    }
    while (!end && receive(s, until)) {
        s->in[s->len] = '\0';
        end = strstr((const char *)s->in, "\r\n\r\n");
    }
    if (!end || strncmp((const char *)s->in, "HTTP/1.1 101 ", 13) != 0) {
        (void)snprintf(error, size, "no WebSocket but: %.*s",
                       s->len > 0 ? (int)strcspn((const char *)s->in, "\r\n")
                                  : 7,
                       s->len > 0 ? (const char *)s->in : "silence");
        return false;
    }
    drop(s, (size_t)(end - (const char *)s->in) + 4);
    return true;
}

ctl_socket_t *ctl_socket_open(const char *base, const char *path,
                              int timeout_ms, char *error, size_t size)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    ctl_socket_t *s = calloc(1, sizeof(*s));

    if (!s) {
        (void)snprintf(error, size, "out of memory");
        return NULL;
    }
    s->easy = curl_easy_init();
    if (!connect_to(s, base, timeout_ms, error, size) ||
        !upgrade(s, base, path, until, error, size)) {
        ctl_socket_close(&s);
    }
    return s;
}

void ctl_socket_close(ctl_socket_t **s)
{
    if (*s && (*s)->easy) {
        curl_easy_cleanup((*s)->easy);
    }
    free(*s);
    *s = NULL;
}

/* ---- frames ---- */

bool ctl_socket_say(ctl_socket_t *s, const char *text)
{
    unsigned char frame[6 + SHORT_MAX];
    size_t n = strlen(text);

    if (n > SHORT_MAX || getrandom(frame + 2, 4, 0) != 4) {
        return false;
    }
    frame[0] = TEXT;
    frame[1] = (unsigned char)(MASKED | n);
    for (size_t i = 0; i < n; i++) {
        frame[6 + i] = (unsigned char)text[i] ^ frame[2 + i % 4];
    }
    return send_all(s, frame, 6 + n, clock_mono_ms() + 1000);
}

/* Bytes of the head and of the text of the first frame; false: not all there.
 */
static bool measure(const ctl_socket_t *s, size_t *head, size_t *text)
{
    *head = 2;
    if (s->len < 2) {
        return false;
    }
    *text = s->in[1] & 0x7f;
    if (*text == 126 && s->len >= 4) {
        *head = 4;
        *text = (size_t)s->in[2] << 8 | s->in[3];
    } else if (*text >= 126) {
        return false; /* longer ones do not come here */
    }
    return s->len >= *head + *text;
}

const char *ctl_socket_hear(ctl_socket_t *s, int timeout_ms)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    size_t head, text;

    for (;;) {
        if (s->used > 0) {
            s->in[s->used] = s->saved;
            drop(s, s->used);
            s->used = 0;
        }
        while (!measure(s, &head, &text)) {
            if (!receive(s, until)) {
                return NULL;
            }
        }
        s->used = head + text;
        s->saved = s->in[s->used];
        s->in[s->used] = '\0';
        if (s->in[0] == TEXT) {
            return (const char *)s->in + head;
        }
    }
}
