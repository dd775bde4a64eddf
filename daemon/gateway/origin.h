/*
 * origin.h - where files may be fetched from: hosts that a list names, at
 * addresses of the public internet.
 *
 * A list has blanks between its entries: `host` (at the usual port of the
 * scheme) or `host:port`. Private, loopback, link-local and the other special
 * addresses (IANA's special-purpose registries, RFC 6890) are refused, also
 * where a listed name leads to them, unless the address itself stands in the
 * list.
 */
#ifndef WACRM_GATEWAY_ORIGIN_H
#define WACRM_GATEWAY_ORIGIN_H

#include <stdbool.h>

#include "base/error.h"

struct sockaddr;

#define ORIGIN_MAX 300

typedef struct {
    char text[ORIGIN_MAX]; /* "host:port", in lower case */
    bool secure;           /* https */
} origin_t;

/* WERR_INVALID: not http or https, with a name or password in it, or too long;
 * WERR_NOMEM: nobody could look. */
int origin_of(const char *url, origin_t *out) WACRM_CHECKED;
bool origin_same(const origin_t *a, const origin_t *b);
bool origin_listed(const char *list, const origin_t *o);
/* Any thread; to: IPv4 or IPv6, any other family is refused. */
bool origin_may_connect(const char *list, const struct sockaddr *to);

#endif
