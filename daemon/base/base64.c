#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(char *out, const void *data, size_t len)
{
    const unsigned char *p = data;
    char *to = out;

    while (len > 0) {
        size_t n = len < 3 ? len : 3;
        uint32_t v = (uint32_t)p[0] << 16;

        v |= n > 1 ? (uint32_t)p[1] << 8 : 0;
        v |= n > 2 ? p[2] : 0;
        *to++ = digits[v >> 18];
        *to++ = digits[v >> 12 & 63];
        *to++ = n > 1 ? digits[v >> 6 & 63] : '=';
        *to++ = n > 2 ? digits[v & 63] : '=';
        p += n;
        len -= n;
    }
    return (size_t)(to - out);
}

static int value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void *base64_decode(const char *text, size_t len, size_t *out_len)
{
    size_t pad = 0, n = 0;
    unsigned char *out;

    if (len == 0 || len % 4 != 0) {
        return NULL;
    }
    pad = text[len - 1] == '=' ? text[len - 2] == '=' ? 2 : 1 : 0;
    out = malloc(len / 4 * 3);
    if (out == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < len; i += 4) {
        size_t real = i + 4 == len ? 4 - pad : 4;
        uint32_t v = 0;

        for (size_t k = 0; k < 4; k++) {
            int d = k < real ? value(text[i + k]) : 0;

            if (d < 0) {
                free(out);
                return NULL;
            }
            v = v << 6 | (uint32_t)d;
        }
        if ((real == 2 && (v & 0xffff) != 0) ||
            (real == 3 && (v & 0xff) != 0)) {
            free(out);
            return NULL;
        }
        for (size_t k = 0; k + 1 < real; k++) {
            out[n++] = (unsigned char)(v >> (16 - 8 * k));
        }
    }
    *out_len = n;
    return out;
}
