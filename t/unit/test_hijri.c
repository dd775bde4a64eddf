/* hijri: known dates, there and back, and what Indonesia has declared. */
#include "base/hijri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

typedef struct {
    int y, m, d, hy, hm, hd;
} date_t;

/* From the table of sample dates in Calendrical Calculations. */
static void known_dates(void **state)
{
    static const date_t dates[] = {
        {622, 7, 19, 1, 1, 1},      {1648, 6, 10, 1058, 5, 18},
        {1850, 4, 27, 1266, 6, 14}, {1945, 11, 12, 1364, 12, 6},
        {1996, 2, 25, 1416, 10, 5}, {2038, 11, 10, 1460, 10, 12},
        {2094, 7, 18, 1518, 3, 5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        const date_t *t = &dates[i];
        int64_t day = clock_days_from_civil(t->y, t->m, t->d);
        int y, m, d;

        hijri_of(day, &y, &m, &d);
        if (y != t->hy || m != t->hm || d != t->hd ||
            hijri_day(y, m, d) != day) {
            fail_msg("%d-%d-%d is %d-%d-%d", t->y, t->m, t->d, y, m, d);
        }
    }
}

/* The first of Ramadan as Indonesia's Ministry of Religious Affairs declared
 * it: never more than a day away. */
static void ramadan_in_indonesia(void **state)
{
    static const date_t dates[] = {
        {2019, 5, 6, 1440, 9, 1},  {2020, 4, 24, 1441, 9, 1},
        {2021, 4, 13, 1442, 9, 1}, {2022, 4, 3, 1443, 9, 1},
        {2023, 3, 23, 1444, 9, 1}, {2024, 3, 12, 1445, 9, 1},
        {2025, 3, 1, 1446, 9, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        const date_t *t = &dates[i];
        int64_t declared = clock_days_from_civil(t->y, t->m, t->d);

        assert_in_range(hijri_day(t->hy, t->hm, t->hd), declared - 1,
                        declared + 1);
    }
}

/* Day by day, each is the next one; a cycle has 11 leap years. */
static void no_day_is_left_out(void **state)
{
    int64_t day = hijri_day(1300, 1, 1), end = hijri_day(1600, 1, 1);

    (void)state;
    assert_int_equal(end - day, 10 * 10631);
    for (int y = 1300, m = 1, d = 1; day < end; day++) {
        int gy, gm, gd;

        hijri_of(day, &gy, &gm, &gd);
        if (gy != y || gm != m || gd != d || hijri_day(y, m, d) != day) {
            fail_msg("%d-%d-%d is %d-%d-%d", y, m, d, gy, gm, gd);
        }
        if (++d > hijri_month_length(y, m)) {
            assert_in_range(d, 30, 31);
            d = 1;
            if (++m > 12) {
                m = 1;
                y++;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_dates),
        cmocka_unit_test(ramadan_in_indonesia),
        cmocka_unit_test(no_day_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
