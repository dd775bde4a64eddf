/* multipart: forms as clients send them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "http/multipart.h"

#define TYPE "multipart/form-data; boundary=XX"
#define FIELD(name, value)                                          \
    "--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n" \
    "\r\n" value "\r\n"
#define END "--XX--\r\n"

static multipart_t form;

static const char *parse_n(const char *type, const char *body, size_t len)
{
    static char *copy; /* as long as the body: its end is watched */

    free(copy);
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, body, len);
    return multipart_parse(&form, type, copy, len);
}

static const char *parse(const char *body)
{
    return parse_n(TYPE, body, strlen(body));
}

static void has(const char *name, const char *value, const char *filename)
{
    const multipart_part_t *p = multipart_get(&form, name);

    assert_non_null(p);
    assert_int_equal(p->len, strlen(value));
    assert_memory_equal(p->data, value, p->len);
    assert_int_equal(p->file, filename != NULL);
    assert_string_equal(p->filename, filename != NULL ? filename : "");
}

static void test_form(void **state)
{
    (void)state;
    assert_null(
        parse(FIELD("phone", "0812") FIELD("message", "a\r\n--X\r\nb") FIELD(
            "empty", "") "--XX\r\n"
                         "content-type: image/png\r\n"
                         "CONTENT-DISPOSITION:form-data; name=file; "
                         "filename=\"C:\\dir\\foto \\\"a\\\".png\"\r\n\r\n"
                         "bytes\r\n" END));
    assert_int_equal(form.n, 4);
    has("phone", "0812", NULL);
    has("message", "a\r\n--X\r\nb", NULL);
    has("empty", "", NULL);
    has("file", "bytes", "foto \"a\".png");
    assert_null(multipart_get(&form, "none"));
    assert_null(parse("--XX--"));
    assert_int_equal(form.n, 0);
}

static void test_types(void **state)
{
    static const char body[] = FIELD("a", "b") END;
    static const char *const good[] = {
        "multipart/form-data; boundary=\"XX\"",
        "Multipart/Form-Data;charset=utf-8; BOUNDARY=XX",
        "multipart/form-data; boundary=XX; charset=utf-8",
    };
    static const char *const bad[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"XX",
        "multipart/form-data; boundary=XX; boundary=XX",
        "multipart/form-data; boundary=XX; charset",
        "multipart/form-data; boundary=X",
        "multipart/form-data; boundary=\"X@X\"",
        "multipart/mixed; boundary=XX",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(parse_n(good[i], body, sizeof(body) - 1));
        has("a", "b", NULL);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(parse_n(bad[i], body, sizeof(body) - 1));
    }
    assert_true(multipart_is("multipart/form-data; boundary=x"));
    assert_false(multipart_is("multipart/form-datum"));
    assert_false(multipart_is(NULL));
}

static void test_refused(void **state)
{
#define HEAD "--XX\r\nContent-Disposition: form-data; name=\"a\""
    static const char *const bad[] = {
        "",
        "--XX",
        "--XX\r\n",
        "--XX\r\n\r\n",
        "preamble\r\n" FIELD("a", "b") END,
        "\r\n" FIELD("a", "b") END,
        FIELD("a", "b"),
        FIELD("a", "b") "--XX-",
        FIELD("a", "b") "--XX--\r\nmore",
        FIELD("a", "b") FIELD("a", "c") END,
        "--XX \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n" END,
        HEAD "\r\n\r\n--XX--", /* no line end before the boundary */
        HEAD "\nx\n" END,
        HEAD "\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n\r\n" END,
        HEAD "; name=\"b\"\r\n\r\n\r\n" END,
        HEAD "; filename=\"a\"; filename=\"b\"\r\n\r\n\r\n" END,
        HEAD "; filename=\"a\x01\"\r\n\r\n\r\n" END,
        HEAD "; filename=\"\xff\"\r\n\r\n\r\n" END,
        HEAD "; filename=\"a\r\n\r\n\r\n" END,
        HEAD " x\r\n\r\n\r\n" END,
        HEAD "\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n" END,
        HEAD "\r\nno colon\r\n\r\n\r\n" END,
        "--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n" END,
        "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n\r\n" END,
        "--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n" END,
        FIELD("a", "b\r\n--XXY"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i]) == NULL) {
            fail_msg("taken: %zu %s", i, bad[i]);
        }
        assert_int_equal(form.n, 0);
    }
}

/* n bytes of a part named by its number */
static void part(buf_t *b, int name, size_t n, bool file)
{
    buf_addf(b, "--XX\r\nContent-Disposition: form-data; name=\"%d\"%s\r\n\r\n",
             name, file ? "; filename=\"\"" : "");
    for (size_t i = 0; i < n; i++) {
        buf_addc(b, 'x');
    }
    buf_adds(b, "\r\n");
}

static void test_limits(void **state)
{
    buf_t b;

    (void)state;
    buf_init(&b, 0);
    part(&b, 0, MULTIPART_FIELD_MAX, false);
    part(&b, 1, MULTIPART_FIELD_MAX + 1, true);
    for (int i = 2; i < MULTIPART_PARTS_MAX; i++) {
        part(&b, i, 1, false);
    }
    size_t mark = b.len;
    buf_adds(&b, END);
    assert_null(parse_n(TYPE, b.data, b.len));
    assert_int_equal(form.n, MULTIPART_PARTS_MAX);
    b.len = mark;
    part(&b, 99, 1, false);
    buf_adds(&b, END);
    assert_non_null(parse_n(TYPE, b.data, b.len));
    buf_reset(&b);
    part(&b, 0, MULTIPART_FIELD_MAX + 1, false);
    buf_adds(&b, END);
    assert_non_null(parse_n(TYPE, b.data, b.len));
    buf_reset(&b);
    buf_adds(&b, "--XX\r\nContent-Disposition: form-data; name=a\r\nX: ");
    for (int i = 0; i < MULTIPART_HEAD_MAX; i++) {
        buf_addc(&b, 'x');
    }
    buf_adds(&b, "\r\n\r\n\r\n" END);
    assert_non_null(parse_n(TYPE, b.data, b.len));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
