/*
 * query.h - request targets: percent-decoding and query strings, strict.
 *
 * Decoded text is UTF-8 without NUL and control characters other than tab
 * and newlines; a name stands once.
 */
#ifndef WACRM_HTTP_QUERY_H
#define WACRM_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define QUERY_PAIRS_MAX 32

/* Decodes len bytes of text into out (len + 1 bytes); plus: "+" is a blank.
 * false if malformed. */
bool query_decode(const char *text, size_t len, bool plus, char *out);

typedef struct {
    const char *names[QUERY_PAIRS_MAX];
    const char *values[QUERY_PAIRS_MAX];
    size_t n;
    char *memory;
} query_t;

/* text may be NULL. WERR_INVALID: malformed, too many, a name twice;
 * WERR_NOMEM. query_free() in any case. */
int query_parse(query_t *q, const char *text) WACRM_CHECKED;
void query_free(query_t *q);
/* The value, or NULL. */
const char *query_get(const query_t *q, const char *name);

#endif
