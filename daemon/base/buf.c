/*
 * buf.c - the growable buffer of buf.h.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_MAX   ((size_t)64 << 20)
#define BUF_FIRST 256

void buf_init(buf_t *b, size_t max)
{
    *b = (buf_t){.max = max ? max : BUF_MAX};
}

void buf_free(buf_t *b)
{
    free(b->data);
    *b = (buf_t){.max = b->max};
}

void buf_reset(buf_t *b)
{
    b->len = 0;
    b->failed = b->nomem = false;
    b->comma = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

int buf_error(const buf_t *b)
{
    if (!b->failed) {
        return WERR_OK;
    }
    return b->nomem ? WERR_NOMEM : WERR_TOOBIG;
}

/* Room for n more bytes and the NUL. */
static bool reserve(buf_t *b, size_t n)
{
    size_t cap;
    char *data;

    if (b->failed) {
        return false;
    }
    if (b->cap > b->len && n < b->cap - b->len) {
        return true;
    }
    if (b->len > b->max || n > b->max - b->len) {
        b->failed = true;
        return false;
    }
    cap = b->cap ? b->cap : BUF_FIRST;
    while (cap - b->len <= n) {
        cap = cap > b->max / 2 ? b->max + 1 : cap * 2;
    }
    data = realloc(b->data, cap);
    if (!data) {
        b->failed = b->nomem = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_take(buf_t *b, size_t *len)
{
    char *data;

    if (!reserve(b, 0)) {
        if (len) {
            *len = 0;
        }
        return NULL;
    }
    data = b->data;
    data[b->len] = '\0';
    if (len) {
        *len = b->len;
    }
    *b = (buf_t){.max = b->max};
    return data;
}

void buf_add(buf_t *b, const void *data, size_t len)
{
    if (!reserve(b, len)) {
        return;
    }
    if (len) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_adds(buf_t *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(buf_t *b, char c)
{
    if (!reserve(b, 1)) {
        return;
    }
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_addf(buf_t *b, const char *format, ...)
{
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = b->nomem = true; /* no format of ours is wrong */
        return;
    }
    if (!reserve(b, (size_t)n)) {
        return;
    }
    va_start(ap, format);
    (void)vsnprintf(b->data + b->len, (size_t)n + 1, format, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_add_i64(buf_t *b, int64_t v)
{
    char text[20];
    size_t i = sizeof(text);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        text[--i] = (char)('0' + u % 10);
        u /= 10;
    } while (u > 0);
    if (v < 0) {
        text[--i] = '-';
    }
    buf_add(b, text + i, sizeof(text) - i);
}
