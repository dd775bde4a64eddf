#include "base/jsonr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "short_memory.h"

static json_t *root;

static int setup(void **state)
{
    static const char text[] =
        "{\"a\":{\"s\":\"x\",\"e\":\"\",\"n\":7,\"d\":\"42\",\"m\":\"-9\","
        "\"f\":1.5,\"t\":true,\"z\":null,\"big\":\"9223372036854775808\","
        "\"l\":[{\"id\":\"first\"},2]},"
        "\"ts\":1772337906,\"tms\":1772337906789,\"tf\":1772337906.5,"
        "\"tstr\":\"1772337906\",\"iso\":\"2026-03-01T04:05:06Z\","
        "\"bad\":\"yesterday\",\"dots\":\"...\"}";
    char reason[100];

    (void)state;
    root = jsonr_parse(text, sizeof(text) - 1, reason, sizeof(reason));
    return root ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(root);
    return 0;
}

static void strings(void **state)
{
    (void)state;
    assert_string_equal(jsonr_str(root, "a.s"), "x");
    assert_null(jsonr_str(root, "a.e"));
    assert_null(jsonr_str(root, "a.n"));
    assert_null(jsonr_str(root, "a.z"));
    assert_null(jsonr_str(root, "a.s.x"));
    assert_null(jsonr_str(root, "no.such"));
    assert_null(jsonr_str(root, ""));
    assert_null(jsonr_str(root, "a..s"));
    assert_null(jsonr_str(NULL, "a"));
    assert_string_equal(jsonr_str(root, "a.l.0.id"), "first");
    assert_null(jsonr_str(root, "a.l.9.id"));
    assert_null(jsonr_path(root, "a.l.-1"));
    assert_null(jsonr_path(root, "a.l.0x"));
    assert_true(json_is_object(jsonr_path(root, "a")));
}

static void integers(void **state)
{
    int64_t v = 5;

    (void)state;
    assert_true(jsonr_i64(root, "a.n", &v));
    assert_int_equal(v, 7);
    assert_true(jsonr_i64(root, "a.d", &v));
    assert_int_equal(v, 42);
    assert_true(jsonr_i64(root, "a.m", &v));
    assert_int_equal(v, -9);
    assert_false(jsonr_i64(root, "a.f", &v));
    assert_false(jsonr_i64(root, "a.s", &v));
    assert_false(jsonr_i64(root, "a.e", &v));
    assert_false(jsonr_i64(root, "a.t", &v));
    assert_false(jsonr_i64(root, "a.big", &v));
    assert_false(jsonr_i64(root, "a.none", &v));
    assert_int_equal(v, -9);
}

static void booleans(void **state)
{
    bool v = false;

    (void)state;
    assert_true(jsonr_bool(root, "a.t", &v));
    assert_true(v);
    assert_false(jsonr_bool(root, "a.n", &v));
    assert_false(jsonr_bool(root, "a.z", &v));
}

static void times(void **state)
{
    int64_t ms;

    (void)state;
    assert_true(jsonr_time(root, "ts", &ms));
    assert_int_equal(ms, 1772337906000);
    assert_true(jsonr_time(root, "tms", &ms));
    assert_int_equal(ms, 1772337906789);
    assert_true(jsonr_time(root, "tf", &ms));
    assert_int_equal(ms, 1772337906500);
    assert_true(jsonr_time(root, "tstr", &ms));
    assert_int_equal(ms, 1772337906000);
    assert_true(jsonr_time(root, "iso", &ms));
    assert_int_equal(ms, 1772337906000);
    assert_false(jsonr_time(root, "bad", &ms));
    assert_false(jsonr_time(root, "dots", &ms));
    assert_false(jsonr_time(root, "a.t", &ms));
    assert_false(jsonr_time(root, "none", &ms));
}

static void expect_refused(const char *text, size_t len)
{
    char reason[100] = "";

    assert_null(jsonr_parse(text, len, reason, sizeof(reason)));
    assert_non_null(strstr(reason, "JSON, line "));
    /* nothing of what was sent may get into a log */
    assert_null(strstr(reason, "secret"));
}

static void refuses(void **state)
{
    static char deep[5000];

    (void)state;
    expect_refused("", 0);
    expect_refused("secret", 6);
    expect_refused("{\"a\":secret}", 12);
    expect_refused("{\"secret\":1,}", 13);
    expect_refused("[1] secret", 10);
    expect_refused("\"\\u0000\"", 8);
    expect_refused("\"\xff\"", 3);
    expect_refused("[99999999999999999999]", 22);
    memset(deep, '[', sizeof(deep));
    expect_refused(deep, sizeof(deep));
}

/* 3 bytes of text may be 300 of memory. */
static void bounded(void **state)
{
    static char text[400000];
    char reason[100];
    json_t *v;

    (void)state;
    memset(text, ' ', sizeof(text));
    for (size_t i = 0; i < 100000; i++) {
        memcpy(text + 1 + 3 * i, "{},", 3);
    }
    text[0] = '[';
    memcpy(text + 1 + 3 * 100000, "1]", 2);
    assert_null(jsonr_parse(text, sizeof(text), reason, sizeof(reason)));
    assert_string_equal(reason, "JSON, more than 100000 values");
    text[0] = '"'; /* in a string they are none, nor after an escaped quote */
    memcpy(text + 1, "\\\"", 2);
    text[sizeof(text) - 1] = '"';
    v = jsonr_parse(text, sizeof(text), reason, sizeof(reason));
    assert_true(json_is_string(v));
    json_decref(v);
}

static void any_top_level(void **state)
{
    char reason[100];
    json_t *v = jsonr_parse("7", 1, reason, sizeof(reason));

    (void)state;
    assert_true(json_is_integer(v));
    json_decref(v);
}

#define LONG ((size_t)64 << 20)

/* Where memory is short, it is not the text's fault. */
static void short_of_memory(void **state)
{
    struct rlimit before, less;
    char reason[100];
    json_t *json;
    char *text;
    int err;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* it maps more than any limit */
#endif
    text = malloc(LONG);
    assert_non_null(text);
    memset(text, 'x', LONG);
    text[0] = text[LONG - 1] = '"';
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    less = before;
    less.rlim_cur = LONG + LONG / 2;
    assert_int_equal(setrlimit(RLIMIT_AS, &less), 0);
    json = jsonr_parse(text, LONG, reason, sizeof(reason));
    err = errno;
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_null(json);
    assert_int_equal(err, ENOMEM);
    assert_string_equal(reason, "out of memory");
    json = jsonr_parse(text, LONG, reason, sizeof(reason));
    assert_non_null(json);
    json_decref(json);
    free(text);
    assert_null(jsonr_parse("{", 1, reason, sizeof(reason)));
    assert_int_equal(errno, EINVAL);
}

/* All of it or nothing, whichever allocation fails. */
static void whole_or_not(void **state)
{
    static const char text[] =
        "{\"a key of more than sixteen letters\":\"a text of more than "
        "sixteen letters, too\",\"n\":[1,2.5,true,null,\"x\"]}";
    char reason[100];
    json_t *want = jsonr_parse(text, strlen(text), reason, sizeof(reason));
    long hits = 1;

    (void)state;
    assert_non_null(want);
    if (!short_memory()) {
        json_decref(want);
        skip();
    }
    for (long skip = 0; hits > 0; skip++) {
        json_t *json;
        int err;

        assert_true(skip < 1000);
        short_memory_begin(skip, 1);
        json = jsonr_parse(text, strlen(text), reason, sizeof(reason));
        err = errno;
        hits = short_memory_end();
        if (json) {
            assert_true(json_equal(json, want));
            json_decref(json);
        } else {
            assert_int_equal(err, ENOMEM);
        }
    }
    json_decref(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),      cmocka_unit_test(integers),
        cmocka_unit_test(booleans),     cmocka_unit_test(times),
        cmocka_unit_test(refuses),      cmocka_unit_test(any_top_level),
        cmocka_unit_test(bounded),      cmocka_unit_test(short_of_memory),
        cmocka_unit_test(whole_or_not),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
