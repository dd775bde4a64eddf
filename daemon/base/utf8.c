/*
 * utf8.c - the table of well-formed byte sequences (Unicode, table 3-7).
 */
#include "base/utf8.h"

static int tail(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return 1;
}

size_t utf8_len(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;

    if (n == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        return n >= 2 && tail(p + 1, 1) ? 2 : 0;
    }
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if (n < 3 || !tail(p + 1, 2) || (p[0] == 0xe0 && p[1] < 0xa0) ||
            (p[0] == 0xed && p[1] > 0x9f)) {
            return 0;
        }
        return 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (n < 4 || !tail(p + 1, 3) || (p[0] == 0xf0 && p[1] < 0x90) ||
            (p[0] == 0xf4 && p[1] > 0x8f)) {
            return 0;
        }
        return 4;
    }
    return 0;
}
