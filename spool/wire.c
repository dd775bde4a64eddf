#include "spool/wire.h"

#include <stdint.h>

typedef struct {
    const unsigned char *p;
    const unsigned char *end;
    unsigned elements; /* seen or promised by a header */
} walk_t;

/* What one header says: bytes of payload, objects inside. */
typedef struct {
    uint64_t payload;
    uint64_t children;
} head_t;

static size_t left(const walk_t *w)
{
    return (size_t)(w->end - w->p);
}

/* Reads an n-byte big-endian number; n is 1, 2 or 4. */
static bool number(walk_t *w, unsigned n, uint64_t *out)
{
    uint64_t v = 0;

    if (left(w) < n) {
        return false;
    }
    while (n-- > 0) {
        v = v << 8 | *w->p++;
    }
    *out = v;
    return true;
}

/* The types 0xc0 to 0xdf. */
static bool long_head(walk_t *w, unsigned char b, head_t *h)
{
    /* Bytes of payload of the types without a length of their own. */
    static const unsigned char fixed[32] = {
        [0x0a] = 4,  [0x0b] = 8,                         /* float */
        [0x0c] = 1,  [0x0d] = 2, [0x0e] = 4, [0x0f] = 8, /* uint */
        [0x10] = 1,  [0x11] = 2, [0x12] = 4, [0x13] = 8, /* int */
        [0x14] = 2,  [0x15] = 3, [0x16] = 5, [0x17] = 9, /* fixext */
        [0x18] = 17,
    };
    static const unsigned char width[3] = {1, 2, 4};

    switch (b) {
    case 0xc1: /* never used */
        return false;
    case 0xc4:
    case 0xc5:
    case 0xc6: /* bin */
        return number(w, width[b - 0xc4], &h->payload);
    case 0xc7:
    case 0xc8:
    case 0xc9: /* ext: one more byte, the type */
        if (!number(w, width[b - 0xc7], &h->payload)) {
            return false;
        }
        h->payload++;
        return true;
    case 0xd9:
    case 0xda:
    case 0xdb: /* str */
        return number(w, width[b - 0xd9], &h->payload);
    case 0xdc:
    case 0xdd: /* array */
        return number(w, width[b - 0xdc + 1], &h->children);
    case 0xde:
    case 0xdf: /* map */
        if (!number(w, width[b - 0xde + 1], &h->children)) {
            return false;
        }
        h->children *= 2;
        return true;
    default:
        h->payload = fixed[b - 0xc0];
        return true;
    }
}

static bool head(walk_t *w, head_t *h)
{
    unsigned char b;

    h->payload = 0;
    h->children = 0;
    if (left(w) == 0) {
        return false;
    }
    b = *w->p++;
    if (b <= 0x7f || b >= 0xe0) { /* fixint */
        return true;
    }
    if (b <= 0x8f) { /* fixmap */
        h->children = 2 * (b & 0x0fu);
        return true;
    }
    if (b <= 0x9f) { /* fixarray */
        h->children = b & 0x0fu;
        return true;
    }
    if (b <= 0xbf) { /* fixstr */
        h->payload = b & 0x1fu;
        return true;
    }
    return long_head(w, b, h);
}

bool spool_wire_valid(const void *data, size_t len)
{
    uint64_t open[SPOOL_WIRE_DEPTH + 1]; /* objects still to come, by depth */
    unsigned depth = 0;
    walk_t w;
    head_t h;

    if (data == NULL || len == 0) {
        return false;
    }
    w.p = data;
    w.end = w.p + len;
    w.elements = 1;
    open[0] = 1;
    for (;;) {
        while (open[depth] == 0) {
            if (depth == 0) {
                return w.p == w.end;
            }
            depth--;
        }
        open[depth]--;
        if (!head(&w, &h) || h.payload > left(&w) || h.children > left(&w) ||
            h.children > SPOOL_WIRE_ELEMENTS - w.elements) {
            return false;
        }
        w.p += h.payload;
        if (h.children == 0) {
            continue;
        }
        if (depth == SPOOL_WIRE_DEPTH) {
            return false;
        }
        w.elements += (unsigned)h.children;
        open[++depth] = h.children;
    }
}
