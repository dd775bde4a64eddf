/*
 * b64url.h - base64url without padding (RFC 4648, 5), as tokens have it.
 */
#ifndef WACRM_T_B64URL_H
#define WACRM_T_B64URL_H

#include <stddef.h>

#include <openssl/evp.h>

/* Needs room for the padding, too; its end, which is terminated. */
static inline char *b64url(char *out, const void *in, size_t len)
{
    size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, in, (int)len);
    size_t i;

    while (n > 0 && out[n - 1] == '=') {
        out[--n] = '\0';
    }
    for (i = 0; i < n; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    return out + n;
}

#endif
