/*
 * base64.h - RFC 4648, with padding.
 */
#ifndef WACRM_BASE_BASE64_H
#define WACRM_BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters of len bytes. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) characters, no NUL; so many. */
size_t base64_encode(char *out, const void *data, size_t len);

/* malloc'd bytes; NULL if it is not Base64, or out of memory. Strict: no
 * blanks, whole groups, no bits left over. */
void *base64_decode(const char *text, size_t len, size_t *out_len);

#endif
