/*
 * request.c - requests and the parts of their URLs; URLs are joined by
 * concatenation, since resolving "/path" against a base drops its path.
 */
#include "gateway/driver.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"

#define URL_MAX     (8 * 1024)
#define HEADERS_MAX (4 * 1024)
#define BODY_MAX    (256 * 1024) /* without the file in it */
#define GROUPS      1024         /* of Base64, read at once */

void gw_request_init(gw_request_t *r)
{
    memset(r, 0, sizeof(*r));
    r->method = "GET";
    r->sink = -1;
    r->file.fd = -1;
    buf_init(&r->url, URL_MAX);
    buf_init(&r->headers, HEADERS_MAX);
    buf_init(&r->body, BODY_MAX);
}

void gw_request_free(gw_request_t *r)
{
    buf_free(&r->url);
    buf_free(&r->headers);
    buf_free(&r->body);
    if (r->file.fd >= 0) {
        (void)close(r->file.fd);
    }
    r->file.fd = -1;
}

int gw_request_error(const gw_request_t *r)
{
    int rc = buf_error(&r->url);

    if (rc == WERR_OK) {
        rc = buf_error(&r->headers);
    }
    return rc == WERR_OK ? buf_error(&r->body) : rc;
}

/* ---- the body ---- */

void gw_body_str(gw_request_t *r, const char *key, const char *value,
                 gw_file_t *file)
{
    jw_str(&r->body, key, value);
    if (file && !r->body.failed) {
        r->file_at = r->body.len - 1; /* before its last quote */
        r->file = *file;
        file->fd = -1;
    }
}

static int64_t text_size(const gw_request_t *r)
{
    return r->file.fd < 0 ? 0 : BASE64_LEN(r->file.size);
}

int64_t gw_body_size(const gw_request_t *r)
{
    return (int64_t)r->body.len + text_size(r);
}

/* false: it ends early, or cannot be read. */
static bool read_at(int fd, unsigned char *out, size_t n, int64_t at)
{
    while (n > 0) {
        ssize_t got = pread(fd, out, n, at);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        out += got;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

/* Base64 of the file from character `at` on: some of n; -1: no file. */
static ssize_t read_text(const gw_file_t *file, int64_t at, char *out, size_t n)
{
    unsigned char bytes[3 * GROUPS];
    char text[4 * GROUPS];
    int64_t from = at / 4 * 3, left = file->size - from;
    size_t skip = (size_t)(at % 4), len = sizeof(bytes);

    if (left < (int64_t)len) {
        len = (size_t)left;
    }
    if (!read_at(file->fd, bytes, len, from)) {
        return -1;
    }
    len = base64_encode(text, bytes, len) - skip;
    n = n < len ? n : len;
    memcpy(out, text + skip, n);
    return (ssize_t)n;
}

static size_t copy(char *out, const char *from, size_t len, size_t n)
{
    n = n < len ? n : len;
    memcpy(out, from, n);
    return n;
}

ssize_t gw_body_read(const gw_request_t *r, int64_t at, char *out, size_t n)
{
    int64_t text = text_size(r), size = gw_body_size(r);
    int64_t begin = text > 0 ? (int64_t)r->file_at : size;
    size_t done = 0;

    while (done < n && at < size) {
        ssize_t got;

        if (at < begin) {
            got = (ssize_t)copy(out + done, r->body.data + at,
                                (size_t)(begin - at), n - done);
        } else if (at < begin + text) {
            got = read_text(&r->file, at - begin, out + done, n - done);
        } else {
            got = (ssize_t)copy(out + done, r->body.data + (at - text),
                                (size_t)(size - at), n - done);
        }
        if (got < 0) {
            return -1;
        }
        done += (size_t)got;
        at += got;
    }
    return (ssize_t)done;
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c));
}

void gw_url_add(buf_t *url, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    /* as a whole segment these would be walked, not sent */
    bool dots = strcmp(text, ".") == 0 || strcmp(text, "..") == 0;

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (unreserved(*text) && !dots) {
            buf_addc(url, *text);
        } else {
            buf_addc(url, '%');
            buf_addc(url, hex[c >> 4]);
            buf_addc(url, hex[c & 15]);
        }
    }
}
