#include "edge/coding.h"

#include <stdint.h>

/* The value of a digit plus one; 0: none. */
static const unsigned char hex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
    ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
    ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
    ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool hex_decode(unsigned char *out, size_t out_len, const char *in, size_t len)
{
    unsigned hi, lo;
    size_t i;

    if (len % 2 != 0 || len / 2 != out_len) {
        return false;
    }
    for (i = 0; i < out_len; i++) {
        hi = hex_digits[(unsigned char)in[2 * i]];
        lo = hex_digits[(unsigned char)in[2 * i + 1]];
        if (hi == 0 || lo == 0) {
            return false;
        }
        out[i] = (unsigned char)((hi - 1) << 4 | (lo - 1));
    }
    return true;
}

/* 64 and above: none of the alphabet. */
static unsigned b64_value(unsigned char ch, bool url)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }
    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26u;
    }
    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52u;
    }
    if (ch == (url ? '-' : '+')) {
        return 62;
    }
    if (ch == (url ? '_' : '/')) {
        return 63;
    }
    return 64;
}

/* Takes the padding off; false if it is not as flags want it. */
static bool b64_strip(const char *in, size_t *len, unsigned flags)
{
    size_t pad = 0;
    size_t n = *len;

    while (pad < 2 && n > 0 && in[n - 1] == '=') {
        n--;
        pad++;
    }
    if (pad > 0 || n % 4 == 0) {
        if (pad > 0 && !(flags & B64_PADDED)) {
            return false;
        }
        if ((n + pad) % 4 != 0) {
            return false;
        }
    } else if (!(flags & B64_UNPADDED)) {
        return false;
    }
    *len = n;
    return n % 4 != 1;
}

bool b64_decode(unsigned char *out, size_t cap, size_t *out_len, const char *in,
                size_t len, unsigned flags)
{
    bool url = (flags & B64_URL) != 0;
    uint32_t acc = 0;
    unsigned bits = 0;
    unsigned value;
    size_t i, n = 0;

    if (!b64_strip(in, &len, flags)) {
        return false;
    }
    for (i = 0; i < len; i++) {
        value = b64_value((unsigned char)in[i], url);
        if (value > 63) {
            return false;
        }
        acc = acc << 6 | value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (n == cap) {
                return false;
            }
            out[n++] = (unsigned char)(acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }
    *out_len = n;
    return acc == 0;
}
