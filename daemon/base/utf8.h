/*
 * utf8.h - which bytes are a character.
 */
#ifndef WACRM_BASE_UTF8_H
#define WACRM_BASE_UTF8_H

#include <stddef.h>

/*
 * Length of the well-formed UTF-8 character at the start of the n bytes at s
 * (RFC 3629: shortest form, no surrogates, up to U+10FFFF); 0 if there is
 * none.
 */
size_t utf8_len(const char *s, size_t n);

#endif
