/*
 * json_write.c - the append writer of JSON of buf.h. What needs no escape is
 * copied in runs, which is most of any text.
 */
#include "base/buf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* true if none of the eight bytes is a control, '"', '\\' or beyond ASCII.
 * A borrow can only flag too much: those go the slow way. */
static bool plain8(const char *p)
{
    uint64_t v, quote, slash;

    memcpy(&v, p, sizeof(v));
    quote = v ^ (ONES * '"');
    slash = v ^ (ONES * '\\');
    return ((v | (v - ONES * 0x20) | (quote - ONES) | (slash - ONES)) &
            HIGHS) == 0;
}

static void escape(buf_t *b, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    const char *at = c ? strchr(from, c) : NULL;

    if (at) {
        text[1] = to[at - from];
        buf_add(b, text, 2);
        return;
    }
    buf_add(b, text, sizeof(text));
}

static void add_string(buf_t *b, const char *s, size_t len)
{
    size_t i = 0, run = 0;

    buf_addc(b, '"');
    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        size_t n;

        if (len - i >= 8 && plain8(s + i)) {
            i += 8;
            continue;
        }
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        n = c < 0x80 ? 0 : utf8_len(s + i, len - i);
        if (n > 0) {
            i += n;
            continue;
        }
        buf_add(b, s + run, i - run);
        if (c < 0x80) {
            escape(b, c);
        } else {
            buf_add(b, "\xef\xbf\xbd", 3);
        }
        run = ++i;
    }
    buf_add(b, s + run, len - run);
    buf_addc(b, '"');
}

static void begin(buf_t *b, const char *key)
{
    if (b->comma) {
        buf_addc(b, ',');
    }
    b->comma = true;
    if (key) {
        add_string(b, key, strlen(key));
        buf_addc(b, ':');
    }
}

void jw_open_object(buf_t *b, const char *key)
{
    begin(b, key);
    buf_addc(b, '{');
    b->comma = false;
}

void jw_close_object(buf_t *b)
{
    buf_addc(b, '}');
    b->comma = true;
}

void jw_open_array(buf_t *b, const char *key)
{
    begin(b, key);
    buf_addc(b, '[');
    b->comma = false;
}

void jw_close_array(buf_t *b)
{
    buf_addc(b, ']');
    b->comma = true;
}

void jw_str(buf_t *b, const char *key, const char *value)
{
    if (!value) {
        jw_null(b, key);
        return;
    }
    jw_strn(b, key, value, strlen(value));
}

void jw_strn(buf_t *b, const char *key, const char *value, size_t len)
{
    begin(b, key);
    add_string(b, value, len);
}

void jw_i64(buf_t *b, const char *key, int64_t value)
{
    begin(b, key);
    buf_add_i64(b, value);
}

void jw_double(buf_t *b, const char *key, double value)
{
    char text[32];

    if (!isfinite(value)) {
        jw_null(b, key);
        return;
    }
    (void)snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value) {
        (void)snprintf(text, sizeof(text), "%.17g", value);
    }
    begin(b, key);
    buf_adds(b, text);
}

void jw_bool(buf_t *b, const char *key, bool value)
{
    begin(b, key);
    buf_adds(b, value ? "true" : "false");
}

void jw_null(buf_t *b, const char *key)
{
    begin(b, key);
    buf_adds(b, "null");
}

void jw_raw(buf_t *b, const char *key, const char *value, size_t len)
{
    begin(b, key);
    buf_add(b, value, len);
}

void jw_time(buf_t *b, const char *key, int64_t ms)
{
    char text[CLOCK_ISO_MAX];

    clock_iso(ms, text);
    jw_str(b, key, text);
}

void jw_day(buf_t *b, const char *key, int64_t day)
{
    char text[CLOCK_ISO_MAX];

    clock_iso_day(day, text);
    jw_str(b, key, text);
}
