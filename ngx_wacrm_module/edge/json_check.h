/*
 * json_check.h - whether bytes are one JSON text (RFC 8259).
 *
 * Accepts everything that the RFC's grammar does: any top-level value, any
 * number, \u0000, lone surrogate escapes, duplicate names, depth up to
 * JSON_CHECK_DEPTH (jansson's own limit). Refuses what is not JSON, bad UTF-8
 * and a byte order mark included. It never refuses JSON that jansson
 * (json_loadb with JSON_DECODE_ANY | JSON_ALLOW_NUL) accepts; where it takes
 * more, and the one slip of jansson's where it takes less, is listed in
 * docs/json.md.
 *
 * A push parser: it takes the text in pieces and keeps no pointer to them.
 */
#ifndef WACRM_EDGE_JSON_CHECK_H
#define WACRM_EDGE_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_CHECK_DEPTH 2048

/* Plain memory; contents private. Live on the stack or in a request. */
typedef struct {
    uint64_t stack[JSON_CHECK_DEPTH / 64]; /* one bit a level: 1 = object */
    uint32_t depth;
    uint32_t state;
    uint32_t sub; /* place inside a literal, escape or UTF-8 sequence */
    uint32_t min; /* bounds of the next UTF-8 byte */
    uint32_t max;
    bool name;     /* the string is a member's name */
    size_t offset; /* bytes accepted: where the fault is, after a failure */
} json_check_t;

void json_check_init(json_check_t *c);
/* false as soon as the text cannot become JSON any more; then stays false. */
bool json_check_update(json_check_t *c, const void *data, size_t len);
/* true if what came is one whole JSON text. */
bool json_check_final(json_check_t *c);

/* All at once. */
bool json_check(const void *data, size_t len);

#endif
