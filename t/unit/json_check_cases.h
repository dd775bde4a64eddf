/*
 * json_check_cases.h - texts that are JSON or are not, in the manner of
 * JSONTestSuite, and the ways to ask: jansson, the check on the whole of a text
 * and on each of its bytes.
 */
#ifndef WACRM_T_JSON_CHECK_CASES_H
#define WACRM_T_JSON_CHECK_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "edge/json_check.h"

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

static inline bool by_jansson(const void *text, size_t len)
{
    json_t *value =
        json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool taken = value != NULL;

    json_decref(value);
    return taken;
}

static inline bool by_bytes(const void *text, size_t len)
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
static inline bool by_copy(const void *text, size_t len)
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

#endif
