#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static buf_t b;

static int setup(void **state)
{
    (void)state;
    buf_init(&b, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_free(&b);
    return 0;
}

static void grows_and_terminates(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        buf_addc(&b, (char)('a' + i % 26));
    }
    buf_adds(&b, "end");
    assert_int_equal(b.len, 10003);
    assert_int_equal(strlen(b.data), 10003);
    buf_reset(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
}

static void takes(void **state)
{
    size_t len = 77;
    char *p = buf_take(&b, &len);

    (void)state;
    assert_non_null(p);
    assert_int_equal(len, 0);
    assert_string_equal(p, "");
    free(p);
    buf_addf(&b, "%s-%d", "x", 7);
    p = buf_take(&b, &len);
    assert_string_equal(p, "x-7");
    assert_int_equal(len, 3);
    assert_null(b.data);
    free(p);
}

static void keeps_its_maximum(void **state)
{
    buf_t small;

    (void)state;
    buf_init(&small, 300);
    for (int i = 0; i < 300; i++) {
        buf_addc(&small, 'x');
    }
    assert_false(small.failed);
    buf_addc(&small, 'y');
    assert_true(small.failed);
    buf_addf(&small, "%d", 1);
    assert_int_equal(small.len, 300);
    assert_null(buf_take(&small, NULL));
    buf_reset(&small);
    assert_false(small.failed);
    buf_add(&small, "", SIZE_MAX - 10);
    assert_true(small.failed);
    buf_free(&small);
}

static void integers(void **state)
{
    (void)state;
    buf_add_i64(&b, 0);
    buf_addc(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    buf_addc(&b, ' ');
    buf_add_i64(&b, INT64_MAX);
    assert_string_equal(b.data, "0 -9223372036854775808 9223372036854775807");
}

static void json_structure(void **state)
{
    (void)state;
    jw_open_object(&b, NULL);
    jw_bool(&b, "ok", true);
    jw_open_array(&b, "list");
    jw_i64(&b, NULL, 1);
    jw_null(&b, NULL);
    jw_open_object(&b, NULL);
    jw_close_object(&b);
    jw_open_array(&b, NULL);
    jw_close_array(&b);
    jw_str(&b, NULL, NULL);
    jw_close_array(&b);
    jw_raw(&b, "raw", "[1]", 3);
    jw_time(&b, "t", INT64_C(1772337906789));
    jw_day(&b, "d", 20513);
    jw_close_object(&b);
    assert_string_equal(b.data, "{\"ok\":true,\"list\":[1,null,{},[],null],"
                                "\"raw\":[1],\"t\":\"2026-03-01T04:05:06Z\","
                                "\"d\":\"2026-03-01\"}");
}

static void doubles(void **state)
{
    (void)state;
    jw_double(&b, NULL, 0.1);
    jw_double(&b, NULL, 1e300);
    jw_double(&b, NULL, 1.0 / 3);
    jw_double(&b, NULL, __builtin_nan(""));
    jw_double(&b, NULL, -__builtin_inf());
    assert_string_equal(b.data, "0.1,1e+300,0.33333333333333331,null,null");
}

static void expect_json(const char *in, size_t len, const char *want)
{
    buf_reset(&b);
    jw_strn(&b, NULL, in, len);
    assert_string_equal(b.data, want);
}

static void strings(void **state)
{
    (void)state;
    expect_json("", 0, "\"\"");
    expect_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    expect_json("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
    expect_json("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    expect_json("Rp 5 – ✓ 😀", 17, "\"Rp 5 – ✓ 😀\"");
    /* escapes at every place of the fast path's eight bytes */
    for (size_t i = 0; i < 24; i++) {
        char text[25], want[40];

        memset(text, 'x', 24);
        text[i] = '"';
        text[24] = '\0';
        (void)snprintf(want, sizeof(want), "\"%.*s\\\"%s\"", (int)i, text,
                       text + i + 1);
        expect_json(text, 24, want);
    }
}

static void repairs_utf8(void **state)
{
#define R "\xef\xbf\xbd"
    (void)state;
    expect_json("a\xff"
                "b",
                3, "\"a" R "b\"");
    expect_json("\xc0\x80", 2, "\"" R R "\"");       /* overlong NUL */
    expect_json("\xed\xa0\x80", 3, "\"" R R R "\""); /* surrogate */
    expect_json("\xf4\x90\x80\x80", 4, "\"" R R R R "\"");
    expect_json("\xe2\x82", 2, "\"" R R "\""); /* torn at the end */
    expect_json("\xf0\x9f\x98\x80", 3, "\"" R R R "\"");
    expect_json("12345678\xc3", 9, "\"12345678" R "\"");
    expect_json("\xe2\x82\xac", 3, "\"\xe2\x82\xac\"");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(grows_and_terminates),
        T(takes),
        T(keeps_its_maximum),
        T(integers),
        T(json_structure),
        T(doubles),
        T(strings),
        T(repairs_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
