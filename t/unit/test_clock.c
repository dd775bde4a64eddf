#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void iso(void **state)
{
    char out[CLOCK_ISO_MAX];

    (void)state;
    clock_iso(0, out);
    assert_string_equal(out, "1970-01-01T00:00:00Z");
    clock_iso(-1, out);
    assert_string_equal(out, "1969-12-31T23:59:59Z");
    clock_iso(INT64_C(1772337906789), out);
    assert_string_equal(out, "2026-03-01T04:05:06Z");
    clock_iso(INT64_MAX, out);
    assert_string_equal(out, "9999-12-31T23:59:59Z");
    clock_iso(INT64_MIN, out);
    assert_string_equal(out, "0001-01-01T00:00:00Z");
    clock_iso_day(-1, out);
    assert_string_equal(out, "1969-12-31");
    clock_iso_day(INT64_MAX, out);
    assert_string_equal(out, "9999-12-31");
}

static void parses(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-03-01T04:05:06Z", 1772337906000},
        {"2026-03-01T04:05:06.789Z", 1772337906789},
        {"2026-03-01T04:05:06.7Z", 1772337906700},
        {"2026-03-01T04:05:06.789999999+00:00", 1772337906789},
        {"2026-03-01T11:05:06+07:00", 1772337906000},
        {"2026-03-01T11:05:06+0700", 1772337906000},
        {"2026-03-01T11:05:06+07", 1772337906000},
        {"2026-02-28T23:05:06-05:00", 1772337906000},
        {"2026-03-01 04:05:06", 1772337906000},
        {"2026-03-01t04:05z", 1772337900000},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"1969-12-31T23:59:59.5Z", -500},
        {"2016-12-31T23:59:60Z", 1483228800000},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-03-01",
        "2026-3-1T04:05:06Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00 Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+",
        "0000-01-01T00:00:00Z",
        "2026-01-01T00:00:00+99:00",
        "2026-01-01X00:00:00Z",
        " 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00+07:",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!clock_parse_iso(good[i].text, strlen(good[i].text), &ms)) {
            fail_msg("refused: %s", good[i].text);
        }
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (clock_parse_iso(bad[i], strlen(bad[i]), &ms)) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    assert_false(clock_parse_iso("2026-01-01T00:00:00Z", 12, &ms));
    assert_false(clock_parse_iso("2026-01-01T00:00\0000Z", 19, &ms));
}

static void days(void **state)
{
    int64_t day;

    (void)state;
    assert_true(clock_parse_day("2026-03-01", 10, &day));
    assert_int_equal(day, 20513);
    assert_false(clock_parse_day("2026-02-29", 10, &day));
    assert_false(clock_parse_day("2026-03-01T", 11, &day));
    assert_false(clock_parse_day("26-03-01", 8, &day));
    assert_false(clock_parse_day("1900-02-29", 10, &day));
    assert_true(clock_parse_day("2000-02-29", 10, &day));
}

static void civil_goes_round(void **state)
{
    int y, m, d, py = 0, pm = 0, pd = 0;

    (void)state;
    for (int64_t day = -800000; day < 3000000; day += 13) {
        clock_civil(day, &y, &m, &d);
        assert_int_equal(clock_days_from_civil(y, m, d), day);
        assert_true(y > py || (y == py && (m > pm || (m == pm && d > pd))) ||
                    day == -800000);
        py = y;
        pm = m;
        pd = d;
    }
}

static void months(void **state)
{
    static const struct {
        const char *from;
        int months;
        const char *to;
    } cases[] = {
        {"2026-03-31", 1, "2026-02-28"},  {"2024-03-31", 1, "2024-02-29"},
        {"2026-03-01", 12, "2025-03-01"}, {"2024-02-29", 12, "2023-02-28"},
        {"2026-01-15", 1, "2025-12-15"},  {"2026-12-31", 24, "2024-12-31"},
        {"2026-03-15", 0, "2026-03-15"},  {"2024-02-29", 48, "2020-02-29"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[CLOCK_ISO_MAX];
        int64_t day;

        assert_true(clock_parse_day(cases[i].from, 10, &day));
        clock_iso_day(clock_months_before(day, cases[i].months), out);
        assert_string_equal(out, cases[i].to);
    }
}

static void organisation_days(void **state)
{
    int64_t ms;

    (void)state;
    /* 17:00 UTC is midnight in Jakarta */
    assert_true(clock_parse_iso("2026-02-28T16:59:59.999Z", 24, &ms));
    assert_int_equal(clock_day_of(ms, 25200), 20512);
    assert_int_equal(clock_day_of(ms + 1, 25200), 20513);
    assert_int_equal(clock_day_start(20513, 25200), ms + 1);
    assert_int_equal(clock_day_of(-1, 0), -1);
}

static void numbers(void **state)
{
    int64_t ms;

    (void)state;
    assert_true(clock_from_number(1772337906, &ms));
    assert_int_equal(ms, 1772337906000);
    assert_true(clock_from_number(1772337906.25, &ms));
    assert_int_equal(ms, 1772337906250);
    assert_true(clock_from_number(1772337906789.0, &ms));
    assert_int_equal(ms, 1772337906789);
    assert_true(clock_from_number(1e11, &ms));
    assert_int_equal(ms, 100000000000);
    assert_false(clock_from_number(0, &ms));
    assert_false(clock_from_number(-5, &ms));
    assert_false(clock_from_number(1e18, &ms));
    assert_false(clock_from_number(__builtin_nan(""), &ms));
    assert_false(clock_from_number(__builtin_inf(), &ms));
}

static void runs(void **state)
{
    int64_t mono = clock_mono_ms();

    (void)state;
    assert_true(clock_now_ms() > INT64_C(1700000000000));
    assert_true(clock_mono_ms() >= mono);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso),     cmocka_unit_test(parses),
        cmocka_unit_test(days),    cmocka_unit_test(civil_goes_round),
        cmocka_unit_test(months),  cmocka_unit_test(organisation_days),
        cmocka_unit_test(numbers), cmocka_unit_test(runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
