/* The check against the RFC's grammar: what is JSON, where a fault is, how deep
 * it may go. */
#include "json_check_cases.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cases),
        cmocka_unit_test(the_offset),
        cmocka_unit_test(the_places),
        cmocka_unit_test(the_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
