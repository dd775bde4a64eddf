/*
 * The check against the RFC's grammar (cases in the manner of JSONTestSuite)
 * and against jansson: what jansson takes must never be refused.
 */
#include "edge/json_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

typedef enum {
    YES,  /* JSON, and jansson takes it */
    MORE, /* JSON, and jansson does not take it: docs/json.md */
    NO,   /* not JSON */
    LESS  /* not JSON, yet jansson takes it: docs/json.md */
} verdict_t;

typedef struct {
    verdict_t verdict;
    const char *text;
    size_t len;
} case_t;

#define C(verdict, text)                \
    {                                   \
        verdict, text, sizeof(text) - 1 \
    }

static const case_t cases[] = {
    /* values */
    C(YES, "null"),
    C(YES, "true"),
    C(YES, "false"),
    C(YES, "0"),
    C(YES, "\"\""),
    C(YES, "\"a\""),
    C(YES, "{}"),
    C(YES, "[]"),
    C(YES, " [] "),
    C(YES, "\t\r\n [ \t\r\n ] \t\r\n"),
    C(YES, "[1,2]"),
    C(YES, "[null,true,false]"),
    C(YES, "[[],[[]],{}]"),
    C(YES, "{\"a\":1}"),
    C(YES, "{\"a\":{\"b\":[{}]}}"),
    C(YES, "{ \"a\" : 1 , \"b\" : [ 2 ] }"),
    C(YES, "{\"a\":1,\"a\":2}"),
    C(YES, "{\"\":0}"),
    C(YES, "[\"a\",\"b\"]"),
    C(YES, "{\"a\":null}"),
    C(YES, "[{\"a\":[]},{\"a\":{}}]"),
    /* numbers */
    C(YES, "-0"),
    C(YES, "1"),
    C(YES, "-1"),
    C(YES, "10"),
    C(YES, "1.5"),
    C(YES, "0.5"),
    C(YES, "-0.5"),
    C(YES, "1e5"),
    C(YES, "1E5"),
    C(YES, "1e+5"),
    C(YES, "1e-5"),
    C(YES, "0e0"),
    C(YES, "0E+1"),
    C(YES, "1.25e10"),
    C(YES, "[0]"),
    C(YES, "[-0]"),
    C(YES, "[0,1.0]"),
    C(YES, "9223372036854775807"),
    C(YES, "-9223372036854775808"),
    C(YES, "1e-400"),
    C(YES, "0.000000000000000000000000000001"),
    C(YES, " 7 "),
    C(YES, "[1 ]"),
    C(MORE, "9223372036854775808"),
    C(MORE, "-9223372036854775809"),
    C(MORE, "100000000000000000000000000000"),
    C(MORE, "1e400"),
    C(MORE, "[-1e400]"),
    C(NO, "01"),
    C(NO, "-01"),
    C(NO, "00"),
    C(NO, "+1"),
    C(NO, "-"),
    C(NO, "--1"),
    C(NO, "1."),
    C(NO, ".5"),
    C(NO, "-.5"),
    C(NO, "1.e5"),
    C(NO, "1e"),
    C(NO, "1e+"),
    C(NO, "1ee5"),
    C(NO, "1e5.5"),
    C(NO, "1.2.3"),
    C(NO, "0x10"),
    C(NO, "1a"),
    C(NO, "[1a]"),
    C(NO, "NaN"),
    C(NO, "Infinity"),
    C(NO, "-Infinity"),
    C(NO, "1_000"),
    C(NO, "1 2"),
    C(NO, "[1 2]"),
    C(NO, "[- 1]"),
    C(NO, "[1,]"),
    C(NO, "0e"),
    C(NO, "[0e+]"),
    C(NO, "- 1"),
    C(NO, "\xef\xbc\x91"),
    C(NO, "1\xc2\xa0"),
    /* words */
    C(NO, "nul"),
    C(NO, "nulL"),
    C(NO, "True"),
    C(NO, "truee"),
    C(NO, "truefalse"),
    C(NO, "tru e"),
    C(NO, "[tru]"),
    C(NO, "undefined"),
    C(NO, "fals"),
    C(NO, "n"),
    C(NO, "true1"),
    C(NO, "null\"\""),
    /* structure */
    C(NO, ""),
    C(NO, " "),
    C(NO, "["),
    C(NO, "]"),
    C(NO, "{"),
    C(NO, "}"),
    C(NO, "[]]"),
    C(NO, "{}}"),
    C(NO, "[}"),
    C(NO, "{]"),
    C(NO, "[[]"),
    C(NO, "[,]"),
    C(NO, "[,1]"),
    C(NO, "[1,,2]"),
    C(NO, ","),
    C(NO, ":"),
    C(NO, "{,}"),
    C(NO, "{\"a\"}"),
    C(NO, "{\"a\":}"),
    C(NO, "{:1}"),
    C(NO, "{\"a\":1,}"),
    C(NO, "{\"a\":1,,\"b\":2}"),
    C(NO, "{a:1}"),
    C(NO, "{'a':1}"),
    C(NO, "{1:1}"),
    C(NO, "{null:1}"),
    C(NO, "{[]:1}"),
    C(NO, "{\"a\" 1}"),
    C(NO, "{\"a\"::1}"),
    C(NO, "{\"a\",1}"),
    C(NO, "{\"a\":1 \"b\":2}"),
    C(NO, "[\"a\" \"b\"]"),
    C(NO, "[] []"),
    C(NO, "{}{}"),
    C(NO, "{} x"),
    C(NO, "null null"),
    C(NO, "[1:2]"),
    C(NO, "{\"a\":1:2}"),
    C(NO, "[\"a\":1]"),
    C(NO, "{\"a\":[}]"),
    C(NO, "{\"a\":1]"),
    C(NO, "[{\"a\":1]]"),
    C(NO, "/**/1"),
    C(NO, "1//x"),
    C(NO, "[1]#"),
    C(NO, "\f[]"),
    C(NO, "\v1"),
    C(NO, "\0"),
    C(NO, "[]\0"),
    C(NO, "\0[]"),
    C(NO, "[\0]"),
    C(LESS, "1\0"),
    C(LESS, "123\0"),
    C(LESS, "[1\0]"),
    C(LESS, "true\0"),
    C(LESS, "[null\0,1.5\0]"),
    C(NO, "\"\"\0"),
    C(NO, "{}\0"),
    C(NO, "1\0\0x"),
    C(NO, "\xc2\xa0[]"),
    C(NO, "\xef\xbb\xbf{}"),
    C(NO, "\xfe\xff"),
    C(NO, "[\0\0]"),
    C(NO, "{\"a\":1,\"b\"}"),
    C(NO, "{\"a\":{}"),
    C(NO, "*"),
    /* strings */
    C(YES, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    C(YES, "\"\\u0041\""),
    C(YES, "\"\\uABCD\\uabcd\""),
    C(YES, "\"\\ud83d\\ude00\""),
    C(YES, "\"\\u0000\""),
    C(YES, "\"\x7f\""),
    C(YES, "\"caf\xc3\xa9\""),
    C(YES, "\"\xe2\x82\xac\""),
    C(YES, "\"\xf0\x9f\x98\x80\""),
    C(YES, "\"\xef\xbf\xbf\""),
    C(YES, "\"\xf4\x8f\xbf\xbf\""),
    C(YES, "\"\xed\x9f\xbf\""),
    C(YES, "\"\xee\x80\x80\""),
    C(YES, "\"\xef\xbb\xbf\""),
    C(YES, "\"\xc2\x80\""),
    C(YES, "\"\xe0\xa0\x80\""),
    C(YES, "\"\xf0\x90\x80\x80\""),
    C(YES, "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\u00e9aaaaaaaaaaaa\""),
    C(YES, "{\"\\u0061\":1}"),
    C(YES, "\"{[,:]}\""),
    C(YES, "\"'\""),
    C(MORE, "\"\\ud800\""),
    C(MORE, "\"\\udc00\""),
    C(MORE, "\"\\ud800\\u0041\""),
    C(MORE, "\"\\ud800a\""),
    C(MORE, "\"\\ud800\\ud800\""),
    C(MORE, "\"\\udc00\\ud800\""),
    C(MORE, "{\"a\\u0000b\":1}"),
    C(NO, "\""),
    C(NO, "\"a"),
    C(NO, "a\""),
    C(NO, "'a'"),
    C(NO, "\"\\\""),
    C(NO, "\"\\x41\""),
    C(NO, "\"\\u004\""),
    C(NO, "\"\\u004g\""),
    C(NO, "\"\\u\""),
    C(NO, "\"\\U0041\""),
    C(NO, "\"\\a\""),
    C(NO, "\"\\0\""),
    C(NO, "\"\\'\""),
    C(NO, "\"\\ \""),
    C(NO, "\"\n\""),
    C(NO, "\"\t\""),
    C(NO, "\"\0\""),
    C(NO, "\"\x1f\""),
    C(NO, "\"\\\n\""),
    C(NO, "\"\\\0\""),
    C(NO, "\"\x80\""),
    C(NO, "\"\xbf\""),
    C(NO, "\"\xff\""),
    C(NO, "\"\xfe\""),
    C(NO, "\"\xc0\x80\""),
    C(NO, "\"\xc1\xbf\""),
    C(NO, "\"\xc3\""),
    C(NO, "\"\xc3(\""),
    C(NO, "\"\xe2\x82\""),
    C(NO, "\"\xe2(\xa1\""),
    C(NO, "\"\xe0\x80\x80\""),
    C(NO, "\"\xe0\x9f\xbf\""),
    C(NO, "\"\xed\xa0\x80\""),
    C(NO, "\"\xed\xbf\xbf\""),
    C(NO, "\"\xf0\x80\x80\x80\""),
    C(NO, "\"\xf0\x8f\xbf\xbf\""),
    C(NO, "\"\xf4\x90\x80\x80\""),
    C(NO, "\"\xf5\x80\x80\x80\""),
    C(NO, "\"\xf8\x88\x80\x80\x80\""),
    C(NO, "\"\xf0\x9f\x98\""),
    C(NO, "\"\xe9\""),
    C(NO, "\"a\"b"),
    C(NO, "\"\\u00e\xc3\xa9\""),
    C(NO, "\"aaaaaaaaaaaaaaa\naaaaaaaaaa\""),
    C(NO, "\"aaaaaaaaaaaaaaaaaaaaaa\x80\""),
    C(NO, "{\"a\x01\":1}"),
};

#define NCASES (sizeof(cases) / sizeof(cases[0]))

static bool by_jansson(const void *text, size_t len)
{
    json_t *value =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool taken = value != NULL;

    json_decref(value);
    return taken;
}

static bool by_bytes(const void *text, size_t len)
{
    const char *p = text;
    json_check_t c;
    bool good = true;
    size_t i;

    json_check_init(&c);
    for (i = 0; i < len; i++) {
        good = json_check_update(&c, p + i, 1);
        assert_true(json_check_update(&c, NULL, 0) == good);
    }
    return good && json_check_final(&c);
}

/* The end of the text on the end of the memory, for the sanitizer to see. */
static bool by_copy(const void *text, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1);
    bool good;

    assert_non_null(copy);
    if (len > 0) {
        memcpy(copy, text, len);
    }
    good = json_check(copy, len);
    free(copy);
    return good;
}

static bool is_json(const case_t *k)
{
    return k->verdict == YES || k->verdict == MORE;
}

static void the_cases(void **state)
{
    const case_t *k;
    size_t i;

    (void)state;
    for (i = 0; i < NCASES; i++) {
        k = &cases[i];
        if (by_copy(k->text, k->len) != is_json(k)) {
            fail_msg("case %zu: %s", i, k->text);
        }
        if (by_bytes(k->text, k->len) != is_json(k)) {
            fail_msg("case %zu, byte by byte: %s", i, k->text);
        }
        if (by_jansson(k->text, k->len) !=
            (k->verdict == YES || k->verdict == LESS)) {
            fail_msg("case %zu, jansson: %s", i, k->text);
        }
    }
}

/* Where a fault is, and that it stays one. */
static void the_offset(void **state)
{
    json_check_t c;

    (void)state;
    json_check_init(&c);
    assert_true(json_check_update(&c, "{\"a\":", 5));
    assert_false(json_check_final(&c));
    assert_false(json_check_update(&c, "1,x}", 4));
    assert_int_equal(c.offset, 7);
    assert_false(json_check_update(&c, "\"b\":1}", 6));
    assert_int_equal(c.offset, 7);
    assert_false(json_check_final(&c));
    json_check_init(&c);
    assert_true(json_check_update(&c, "\"ab", 3));
    assert_false(json_check_update(&c, "cdefghijklm\x01nop", 15));
    assert_int_equal(c.offset, 14);
}

static bool nested(size_t depth, const char *inner,
                   bool (*check)(const void *, size_t))
{
    size_t in = strlen(inner);
    char *text = malloc(2 * depth + in);
    bool good;

    assert_non_null(text);
    memset(text, '[', depth);
    memcpy(text + depth, inner, in);
    memset(text + depth + in, ']', depth);
    good = check(text, 2 * depth + in);
    free(text);
    return good;
}

/* Each byte at each place of a string: looked at eight together, or alone. */
static void the_places(void **state)
{
    char text[40];
    json_check_t whole, single;

    (void)state;
    for (unsigned ch = 0; ch < 256; ch++) {
        for (size_t at = 1; at < sizeof(text) - 1; at++) {
            memset(text, 'x', sizeof(text));
            text[0] = text[sizeof(text) - 1] = '"';
            text[at] = (char)ch;
            json_check_init(&whole);
            json_check_init(&single);
            (void)json_check_update(&whole, text, sizeof(text));
            for (size_t i = 0; i < sizeof(text); i++) {
                (void)json_check_update(&single, text + i, 1);
            }
            assert_int_equal(whole.state, single.state);
            assert_int_equal(whole.offset, single.offset);
            assert_int_equal(json_check_final(&whole),
                             ch >= ' ' && ch < 128 && ch != '"' && ch != '\\');
        }
    }
}

static void the_depth(void **state)
{
    (void)state;
    assert_true(nested(JSON_CHECK_DEPTH, "", by_jansson));
    assert_true(nested(JSON_CHECK_DEPTH, "", by_copy));
    assert_true(nested(JSON_CHECK_DEPTH, "", by_bytes));
    /* jansson counts the innermost value as a level, too. */
    assert_false(nested(JSON_CHECK_DEPTH, "1", by_jansson));
    assert_true(nested(JSON_CHECK_DEPTH, "1", by_copy));
    assert_true(nested(JSON_CHECK_DEPTH - 1, "1", by_jansson));
    assert_true(nested(JSON_CHECK_DEPTH - 1, "{}", by_copy));
    assert_false(nested(JSON_CHECK_DEPTH + 1, "", by_copy));
    assert_false(nested(JSON_CHECK_DEPTH, "{}", by_copy));
    assert_false(nested(100000, "", by_copy));
    assert_false(nested(100000, "", by_bytes));
}

/* ---- random mutations ---- */

static uint32_t rng = 2463534242u;

static uint32_t rnd(uint32_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng % n;
}

static const char sample[] =
    "{\"event\":\"message.received\",\"session\":\"desk \","
    "\"data\":{\"id\":\"true_628123@c.us_3EB0\",\"t\":1767225600,\"f\":-1.5e+3,"
    "\"me\":false,\"q\":null,\"to\":[1,0,-0,\"\xc3\xa9\xe2\x82\xac"
    "\xf0\x9f\x98\x80 terima kasih banyak untuk semuanya\",{},[]],"
    "\"a\\n\\\"\":true}}";

static size_t mutate(char *buf, size_t cap)
{
    static const char letters[] =
        "{}[]:,\"\\0123456789.eE+-truefalsn \t\n/bfu\x80\xbf\xc3\xed\xa0\xff";
    size_t len = sizeof(sample) - 1;
    uint32_t rounds = rnd(4);
    const case_t *k;
    size_t at;

    assert_true(len + 4 < cap);
    memcpy(buf, sample, len);
    if (rnd(4) == 0) {
        k = &cases[rnd(NCASES)];
        len = k->len;
        memcpy(buf, k->text, len);
    }
    while (rounds-- > 0 && len > 0) {
        at = rnd((uint32_t)len);
        switch (rnd(4)) {
        case 0:
            buf[at] = letters[rnd(sizeof(letters) - 1)];
            break;
        case 1:
            memmove(buf + at, buf + at + 1, len - at - 1);
            len--;
            break;
        case 2:
            memmove(buf + at + 1, buf + at, len - at);
            buf[at] = letters[rnd(sizeof(letters) - 1)];
            len++;
            break;
        default:
            buf[at] = (char)rnd(256);
            break;
        }
    }
    return len;
}

static size_t longest_digits(const char *buf, size_t len)
{
    size_t i, run = 0, most = 0;

    for (i = 0; i < len; i++) {
        run = buf[i] >= '0' && buf[i] <= '9' ? run + 1 : 0;
        most = run > most ? run : most;
    }
    return most;
}

/* Is this one of the things that only the check takes? */
static bool has_more(const char *buf, size_t len)
{
    size_t i;

    for (i = 0; i + 1 < len; i++) {
        if (buf[i] == '\\' && buf[i + 1] == 'u') {
            return true; /* lone surrogate, NUL in a name */
        }
        if ((buf[i] == 'e' || buf[i] == 'E') && i > 0 && buf[i - 1] >= '0' &&
            buf[i - 1] <= '9' && longest_digits(buf + i, len - i) > 2) {
            return true; /* perhaps 1e400 */
        }
    }
    return longest_digits(buf, len) > 18;
}

static void against_jansson(void **state)
{
    char buf[1024];
    json_check_t c;
    uint32_t i, taken = 0, refused = 0;
    size_t len, cut;
    bool good;

    (void)state;
    for (i = 0; i < 60000; i++) {
        len = mutate(buf, sizeof(buf));
        good = by_copy(buf, len);
        taken += good;
        refused += !good;
        if (by_jansson(buf, len) && !good && memchr(buf, 0, len) == NULL) {
            fail_msg("refused: %.*s", (int)len, buf);
        }
        if (good && !by_jansson(buf, len) && !has_more(buf, len)) {
            fail_msg("taken: %.*s", (int)len, buf);
        }
        cut = len > 0 ? rnd((uint32_t)len) : 0;
        json_check_init(&c);
        if ((json_check_update(&c, buf, cut) &&
             json_check_update(&c, buf + cut, len - cut) &&
             json_check_final(&c)) != good) {
            fail_msg("cut at %zu: %.*s", cut, (int)len, buf);
        }
        if (by_bytes(buf, len) != good) {
            fail_msg("byte by byte: %.*s", (int)len, buf);
        }
    }
    assert_true(taken > 5000 && refused > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cases),       cmocka_unit_test(the_offset),
        cmocka_unit_test(the_places),      cmocka_unit_test(the_depth),
        cmocka_unit_test(against_jansson),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
