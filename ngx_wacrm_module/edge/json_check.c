/*
 * A pushdown automaton in three loops, one each for what stands between
 * values, for strings, and for numbers and words. Each takes as much as it can
 * and hands over when the state has left its part.
 */
#include "edge/json_check.h"

#include <endian.h>
#include <string.h>

enum {
    /* between values */
    S_VALUE,        /* a value has to come */
    S_VALUE_OR_END, /* after '[' */
    S_NAME_OR_END,  /* after '{' */
    S_NAME,         /* after ',' in an object */
    S_COLON,
    S_NEXT, /* after a value: ',' or the end of its container */
    /* in a string */
    S_STRING,
    S_ESCAPE,
    S_HEX,  /* sub: digits still to come */
    S_UTF8, /* sub: bytes still to come; min, max: the next one's bounds */
    /* in a number or a word */
    S_MINUS,
    S_ZERO,
    S_INT,
    S_POINT,
    S_FRACTION,
    S_E,
    S_E_SIGN,
    S_EXPONENT,
    S_TRUE, /* sub: place in the word */
    S_FALSE,
    S_NULL,
    S_FAILED
};

#define STEP  8 /* bytes of a string looked at together */
#define ONES  0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

typedef const unsigned char *bytes_t;

void json_check_init(json_check_t *c)
{
    memset(c, 0, sizeof(*c));
    c->state = S_VALUE;
}

static bytes_t fail(json_check_t *c, bytes_t p)
{
    c->state = S_FAILED;
    return p;
}

/* ---- containers ---- */

static inline bool in_object(const json_check_t *c)
{
    uint32_t top = c->depth - 1;

    return c->depth > 0 && (c->stack[top / 64] >> top % 64 & 1) != 0;
}

static inline bool push(json_check_t *c, bool object)
{
    uint64_t bit = 1ull << c->depth % 64;

    if (c->depth == JSON_CHECK_DEPTH) {
        return false;
    }
    if (object) {
        c->stack[c->depth / 64] |= bit;
        c->state = S_NAME_OR_END;
    } else {
        c->stack[c->depth / 64] &= ~bit;
        c->state = S_VALUE_OR_END;
    }
    c->depth++;
    return true;
}

static inline bool pop(json_check_t *c, bool object)
{
    if (c->depth == 0 || in_object(c) != object) {
        return false;
    }
    c->depth--;
    c->state = S_NEXT;
    return true;
}

static inline bool word(json_check_t *c, uint32_t state)
{
    c->state = state;
    c->sub = 1;
    return true;
}

static bool value_start(json_check_t *c, unsigned char ch)
{
    switch (ch) {
    case '"':
        c->state = S_STRING;
        return true;
    case '{':
        return push(c, true);
    case '[':
        return push(c, false);
    case 't':
        return word(c, S_TRUE);
    case 'f':
        return word(c, S_FALSE);
    case 'n':
        return word(c, S_NULL);
    case '-':
        c->state = S_MINUS;
        return true;
    case '0':
        c->state = S_ZERO;
        return true;
    default:
        c->state = S_INT;
        return ch >= '1' && ch <= '9';
    }
}

static bool name_start(json_check_t *c, unsigned char ch)
{
    if (ch != '"') {
        return false;
    }
    c->state = S_STRING;
    c->name = true;
    return true;
}

static bool after_value(json_check_t *c, unsigned char ch)
{
    switch (ch) {
    case ',':
        c->state = in_object(c) ? S_NAME : S_VALUE;
        return c->depth > 0;
    case '}':
        return pop(c, true);
    case ']':
        return pop(c, false);
    default:
        return false;
    }
}

static bool between(json_check_t *c, unsigned char ch)
{
    switch (c->state) {
    case S_NEXT:
        return after_value(c, ch);
    case S_COLON:
        c->state = S_VALUE;
        return ch == ':';
    case S_NAME_OR_END:
        return ch == '}' ? pop(c, true) : name_start(c, ch);
    case S_NAME:
        return name_start(c, ch);
    case S_VALUE_OR_END:
        return ch == ']' ? pop(c, false) : value_start(c, ch);
    default:
        return value_start(c, ch);
    }
}

static bytes_t run_between(json_check_t *c, bytes_t p, bytes_t end)
{
    while (p < end) {
        if (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
            p++;
            continue;
        }
        if (!between(c, *p)) {
            return fail(c, p);
        }
        p++;
        if (c->state > S_NEXT) {
            break;
        }
    }
    return p;
}

/* ---- strings ---- */

/*
 * To the first of STEP bytes that ends or bends a plain run: quote, backslash,
 * control character, anything but ASCII; STEP if there is none.
 */
static inline unsigned plain(bytes_t p)
{
    uint64_t w, quote, slash, found;

    memcpy(&w, p, sizeof(w));
    w = le64toh(w);
    quote = w ^ ONES * '"';
    slash = w ^ ONES * '\\';
    /* a borrow may mark bytes behind the first one found, none before it */
    found = ((w - ONES * 0x20) | (quote - ONES) | (slash - ONES) | w) & HIGHS;
    return found == 0 ? STEP : (unsigned)__builtin_ctzll(found) / 8;
}

static inline bytes_t skip_plain(bytes_t p, bytes_t end)
{
    unsigned n;

    while (end - p >= STEP) {
        n = plain(p);
        p += n;
        if (n < STEP) {
            return p;
        }
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }
    return p;
}

/* The first byte of a sequence of two to four (Unicode 15, table 3-7). */
static bool utf8_start(json_check_t *c, unsigned char ch)
{
    c->state = S_UTF8;
    c->min = ch == 0xe0 ? 0xa0 : ch == 0xf0 ? 0x90 : 0x80;
    c->max = ch == 0xed ? 0x9f : ch == 0xf4 ? 0x8f : 0xbf;
    c->sub = ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;
    return ch >= 0xc2 && ch <= 0xf4;
}

static bool utf8_next(json_check_t *c, unsigned char ch)
{
    if (ch < c->min || ch > c->max) {
        return false;
    }
    c->min = 0x80;
    c->max = 0xbf;
    if (--c->sub == 0) {
        c->state = S_STRING;
    }
    return true;
}

static bool escape(json_check_t *c, unsigned char ch)
{
    if (ch == 'u') {
        c->state = S_HEX;
        c->sub = 4;
        return true;
    }
    c->state = S_STRING;
    return ch != '\0' && strchr("\"\\/bfnrt", ch) != NULL;
}

static bool hex(json_check_t *c, unsigned char ch)
{
    unsigned char lower = ch | 0x20;

    if (--c->sub == 0) {
        c->state = S_STRING;
    }
    return (ch >= '0' && ch <= '9') || (lower >= 'a' && lower <= 'f');
}

/* What stands in a string beside plain ASCII. */
static bool in_string(json_check_t *c, unsigned char ch)
{
    switch (c->state) {
    case S_ESCAPE:
        return escape(c, ch);
    case S_HEX:
        return hex(c, ch);
    case S_UTF8:
        return utf8_next(c, ch);
    default:
        break;
    }
    if (ch == '"') {
        c->state = c->name ? S_COLON : S_NEXT;
        c->name = false;
        return true;
    }
    if (ch == '\\') {
        c->state = S_ESCAPE;
        return true;
    }
    return utf8_start(c, ch);
}

static bytes_t run_string(json_check_t *c, bytes_t p, bytes_t end)
{
    while (p < end) {
        if (c->state == S_STRING) {
            p = skip_plain(p, end);
            if (p == end) {
                break;
            }
        }
        if (!in_string(c, *p)) {
            return fail(c, p);
        }
        p++;
        if (c->state < S_STRING) {
            break;
        }
    }
    return p;
}

/* ---- numbers and words ---- */

static inline bool digit(unsigned char ch)
{
    return ch >= '0' && ch <= '9';
}

/* The state that a number goes to by ch; S_NEXT: ch is not part of it. */
static uint32_t number(uint32_t state, unsigned char ch)
{
    bool e = ch == 'e' || ch == 'E';

    switch (state) {
    case S_MINUS:
        return ch == '0' ? S_ZERO : digit(ch) ? S_INT : S_FAILED;
    case S_INT:
        if (digit(ch)) {
            return S_INT;
        }
        return ch == '.' ? S_POINT : e ? S_E : S_NEXT;
    case S_ZERO:
        return ch == '.' ? S_POINT : e ? S_E : S_NEXT;
    case S_POINT:
        return digit(ch) ? S_FRACTION : S_FAILED;
    case S_FRACTION:
        return digit(ch) ? S_FRACTION : e ? S_E : S_NEXT;
    case S_E:
        if (ch == '+' || ch == '-') {
            return S_E_SIGN;
        }
        return digit(ch) ? S_EXPONENT : S_FAILED;
    case S_E_SIGN:
        return digit(ch) ? S_EXPONENT : S_FAILED;
    default:
        return digit(ch) ? S_EXPONENT : S_NEXT;
    }
}

static bytes_t run_number(json_check_t *c, bytes_t p, bytes_t end)
{
    uint32_t state = c->state;

    while (p < end) {
        state = number(state, *p);
        if (state == S_FAILED || state == S_NEXT) {
            break;
        }
        p++;
    }
    c->state = state;
    return p;
}

static bytes_t run_word(json_check_t *c, bytes_t p, bytes_t end)
{
    const char *text = c->state == S_TRUE    ? "true"
                       : c->state == S_FALSE ? "false"
                                             : "null";

    while (p < end && text[c->sub] != '\0') {
        if (*p != (unsigned char)text[c->sub]) {
            return fail(c, p);
        }
        c->sub++;
        p++;
    }
    if (text[c->sub] == '\0') {
        c->state = S_NEXT;
    }
    return p;
}

/* ---- the whole ---- */

bool json_check_update(json_check_t *c, const void *data, size_t len)
{
    bytes_t start = data;
    bytes_t p = start;
    bytes_t end;

    if (len == 0 || c->state == S_FAILED) {
        return c->state != S_FAILED;
    }
    end = start + len;
    while (p < end && c->state != S_FAILED) {
        if (c->state <= S_NEXT) {
            p = run_between(c, p, end);
        } else if (c->state <= S_UTF8) {
            p = run_string(c, p, end);
        } else if (c->state <= S_EXPONENT) {
            p = run_number(c, p, end);
        } else {
            p = run_word(c, p, end);
        }
    }
    c->offset += (size_t)(p - start);
    return c->state != S_FAILED;
}

bool json_check_final(json_check_t *c)
{
    if (c->depth > 0) {
        return false;
    }
    switch (c->state) {
    case S_NEXT:
    case S_ZERO:
    case S_INT:
    case S_FRACTION:
    case S_EXPONENT:
        return true;
    default:
        return false;
    }
}

bool json_check(const void *data, size_t len)
{
    json_check_t c;

    json_check_init(&c);
    return json_check_update(&c, data, len) && json_check_final(&c);
}
