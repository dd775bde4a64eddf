/*
 * log.c - log.h: a line is built whole, then written at once.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

#define LINE_MAX_BYTES 4096
#define TEXT_CUT       200 /* bytes of a value that are shown */
#define RING           8
#define PHONE_DIGITS   7 /* a number that may be one */

static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int log_level = LOG_INFO;

static const char *const levels[] = {"error", "warn", "info", "debug"};

void log_setup(log_level_t level, int fd)
{
    log_level = (int)level;
    log_fd = fd;
}

int log_level_parse(const char *name, log_level_t *level)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(name, levels[i]) == 0) {
            *level = (log_level_t)i;
            return 0;
        }
    }
    return -1;
}

static size_t head(char *line, size_t size, log_level_t level, const char *room)
{
    int64_t now = clock_now_ms();
    char iso[CLOCK_ISO_MAX];
    int n;

    clock_iso(now, iso);
    n = snprintf(line, size, "%.19s.%03dZ %s %s ", iso, (int)(now % 1000),
                 levels[level], room);
    return n < 0 ? 0 : (size_t)n;
}

static void put(const char *line, size_t len)
{
    ssize_t n;

    do {
        n = write(log_fd, line, len);
    } while (n < 0 && errno == EINTR);
}

void log_write(log_level_t level, const char *room, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    size_t n, start;
    va_list ap;
    int m;

    if ((int)level > log_level) {
        return;
    }
    n = start = head(line, sizeof(line), level, room);
    va_start(ap, format);
    m = vsnprintf(line + n, sizeof(line) - n - 1, format, ap);
    va_end(ap);
    if (m < 0) {
        return;
    }
    n += (size_t)m;
    if (n > sizeof(line) - 2) {
        n = sizeof(line) - 2;
    }
    /* what came without log_str() must not begin a line of its own */
    for (size_t i = start; i < n; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[n++] = '\n';
    put(line, n);
}

/* ---- values ---- */

#define SLOT_SIZE (TEXT_CUT * 4 + 8)

static char *slot(void)
{
    static _Thread_local char ring[RING][SLOT_SIZE];
    static _Thread_local unsigned next;

    return ring[next++ % RING];
}

/* Marks without a width, that turn the direction of text or end a line:
 * U+200B-200F, U+2028-202E, U+2060-206F. */
static bool invisible(unsigned char second, unsigned char third)
{
    return (second == 0x80 && ((third >= 0x8b && third <= 0x8f) ||
                               (third >= 0xa8 && third <= 0xae))) ||
           (second == 0x81 && third >= 0xa0 && third <= 0xaf);
}

/* Length of the character at s if it may stand as it is, else 0. */
static size_t printable(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t n = utf8_len(s, len);

    if (n == 1) {
        return p[0] >= 0x20 && p[0] != 0x7f && p[0] != '"' && p[0] != '\\';
    }
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
        return 0;
    }
    if (n == 3 && p[0] == 0xe2 && invisible(p[1], p[2])) {
        return 0;
    }
    return n;
}

static size_t escaped(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    out[0] = '\\';
    if (c == '"' || c == '\\') {
        out[1] = (char)c;
        return 2;
    }
    if (c == '\n' || c == '\r' || c == '\t') {
        out[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        return 2;
    }
    out[1] = 'x';
    out[2] = hex[c >> 4];
    out[3] = hex[c & 15];
    return 4;
}

const char *log_strn(const char *s, unsigned long len)
{
    char *out = slot();
    size_t cut = len > TEXT_CUT ? TEXT_CUT : len;
    size_t n = 0, i = 0;

    out[n++] = '"';
    while (i < cut) {
        /* a character that begins before the cut is not torn apart */
        size_t whole = printable(s + i, len - i);

        if (whole > 0 && i + whole > cut) {
            break;
        }
        if (whole > 0) {
            memcpy(out + n, s + i, whole);
            n += whole;
            i += whole;
        } else {
            n += escaped(out + n, (unsigned char)s[i++]);
        }
    }
    if (len > cut) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}

const char *log_str(const char *s)
{
    return s ? log_strn(s, strlen(s)) : "-";
}

/* Masks the first of n digits in s, whatever stands between them. */
static void mask(char *s, size_t n)
{
    for (; n > 0; s++) {
        if (*s >= '0' && *s <= '9') {
            *s = '*';
            n--;
        }
    }
}

const char *log_words(const char *s)
{
    char text[TEXT_CUT + 32];
    size_t len, i = 0;

    if (!s) {
        return "-";
    }
    len = strlen(s);
    len = len < sizeof(text) ? len : sizeof(text) - 1;
    memcpy(text, s, len);
    text[len] = '\0';
    while (i < len) {
        size_t run = strspn(text + i, "0123456789+-.() "), digits = 0;

        for (size_t k = i; k < i + run; k++) {
            digits += text[k] >= '0' && text[k] <= '9';
        }
        if (digits >= PHONE_DIGITS) {
            mask(text + i, digits - 3);
        }
        i += run + 1;
    }
    return log_strn(text, len);
}

const char *log_phone(const char *phone)
{
    char *out = slot();
    size_t n, keep;

    if (!phone || !*phone) {
        return "-";
    }
    n = strlen(phone);
    if (strspn(phone, "0123456789") != n) {
        const char *kind = strstr(phone, "@lid");

        (void)snprintf(out, SLOT_SIZE, "*****%s", kind ? "@lid" : "");
        return out;
    }
    if (n > 32) {
        n = 32;
    }
    keep = n > 6 ? 3 : 0;
    memset(out, '*', n - keep);
    memcpy(out + n - keep, phone + strlen(phone) - keep, keep);
    out[n] = '\0';
    return out;
}
