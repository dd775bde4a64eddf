/*
 * text.h - pieces of a target's input, which are lines and parts of lines.
 */
#ifndef WACRM_T_FUZZ_TEXT_H
#define WACRM_T_FUZZ_TEXT_H

#include <string.h>

#include "edge/signature.h"

static inline sig_str_t str(const char *text)
{
    return (sig_str_t){text, strlen(text)};
}

/* What stands before and behind the first `by`. */
static inline sig_str_t cut(sig_str_t *text, char by)
{
    const char *at = text->len == 0 ? NULL : memchr(text->data, by, text->len);
    sig_str_t left = {text->data,
                      at == NULL ? text->len : (size_t)(at - text->data)};
    size_t skip = left.len + (at != NULL);

    text->data += skip;
    text->len -= skip;
    return left;
}

static inline bool same(sig_str_t a, sig_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline sig_str_t trim(sig_str_t s)
{
    while (s.len > 0 && (*s.data == ' ' || *s.data == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 &&
           (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

#endif
