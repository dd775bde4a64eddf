#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

static int pipes[2];

static int setup(void **state)
{
    (void)state;
    if (pipe(pipes) != 0) {
        return -1;
    }
    log_setup(LOG_INFO, pipes[1]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    return 0;
}

static const char *line(void)
{
    static char text[8192];
    ssize_t n = read(pipes[0], text, sizeof(text) - 1);

    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

static void one_line(void **state)
{
    const char *l;

    (void)state;
    log_info("intake", "msg=%s events=%d", log_str("batch applied"), 12);
    l = line();
    assert_int_equal(strlen(l), strlen("2026-03-01T04:05:06.789Z info intake "
                                       "msg=\"batch applied\" events=12\n"));
    assert_string_equal(l + 24, " info intake msg=\"batch applied\" "
                                "events=12\n");
    assert_int_equal(l[10], 'T');
    assert_int_equal(l[23], 'Z');
}

static void levels(void **state)
{
    log_level_t level;

    (void)state;
    log_debug("x", "hidden");
    log_error("x", "shown");
    assert_non_null(strstr(line(), " error x shown\n"));
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("loud", &level), -1);
    log_setup(level, pipes[1]);
    log_debug("x", "now");
    assert_non_null(strstr(line(), " debug x now\n"));
    log_setup(LOG_INFO, pipes[1]);
}

static void no_forged_line(void **state)
{
    const char *l;

    (void)state;
    log_info("x", "name=%s", log_str("a\n2026 error x \"\\\x1b[31m"));
    l = line();
    assert_non_null(strstr(l, "name=\"a\\n2026 error x \\\"\\\\\\x1b[31m\"\n"));
    assert_ptr_equal(strchr(l, '\n'), l + strlen(l) - 1);
    log_info("x", "raw=%s", "a\nb\rc");
    l = line();
    assert_non_null(strstr(l, "raw=a?b?c\n"));
}

static void long_line_is_cut(void **state)
{
    static char big[9000];
    const char *l;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    log_info("x", "%s", big);
    l = line();
    assert_true(strlen(l) <= 4096);
    assert_int_equal(l[strlen(l) - 1], '\n');
}

static void values(void **state)
{
    char text[301];
    const char *s;

    (void)state;
    assert_string_equal(log_str(NULL), "-");
    assert_string_equal(log_strn("abc", 2), "\"ab\"");
    assert_string_equal(log_str("Rp – ✓"), "\"Rp – ✓\"");
    assert_string_equal(log_str("\xff\xc2\x85"), "\"\\xff\\xc2\\x85\"");
    assert_string_equal(log_str("\u202e"), "\"\\xe2\\x80\\xae\"");
    memset(text, 'a', 300);
    text[300] = '\0';
    s = log_str(text);
    assert_int_equal(strlen(s), 205);
    assert_string_equal(s + 200, "a...\"");
    memset(text, 1, 300);
    assert_int_equal(strlen(log_str(text)), 805);
    /* a character on the cut is left out whole */
    memset(text, 'a', 300);
    memcpy(text + 199, "\xe2\x9c\x93", 3);
    assert_string_equal(log_str(text) + 200, "...\"");
}

static void words_of_others(void **state)
{
    (void)state;
    assert_string_equal(log_words("6281234567890 is not on WhatsApp"),
                        "\"**********890 is not on WhatsApp\"");
    assert_string_equal(log_words("no: +62 812-3456-7890@s.whatsapp.net"),
                        "\"no: +** ***-****-*890@s.whatsapp.net\"");
    assert_string_equal(log_words("timed out after 30001 ms, code 503"),
                        "\"timed out after 30001 ms, code 503\"");
    assert_string_equal(log_words("a\nb"), "\"a\\nb\"");
    assert_string_equal(log_words(""), "\"\"");
    assert_string_equal(log_words(NULL), "-");
}

static void ring_of_eight(void **state)
{
    const char *first = log_str("first");

    (void)state;
    for (int i = 0; i < 7; i++) {
        (void)log_str("other");
    }
    assert_string_equal(first, "\"first\"");
}

static void phones(void **state)
{
    (void)state;
    assert_string_equal(log_phone("6281234567890"), "**********890");
    assert_string_equal(log_phone("103899771998284@lid"), "*****@lid");
    assert_string_equal(log_phone("US.13491208655302741918"), "*****");
    assert_string_equal(log_phone("890"), "***");
    assert_string_equal(log_phone(""), "-");
    assert_string_equal(log_phone(NULL), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),        cmocka_unit_test(levels),
        cmocka_unit_test(no_forged_line),  cmocka_unit_test(long_line_is_cut),
        cmocka_unit_test(values),          cmocka_unit_test(ring_of_eight),
        cmocka_unit_test(words_of_others), cmocka_unit_test(phones),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
