#include "base/hijri.h"

/* 1 Muharram 1, in days since 1970-01-01. */
#define EPOCH INT64_C(-492148)
/* Days of 30 years, of which 11 are leap years. */
#define CYCLE 10631

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;

    return a % b < 0 ? q - 1 : q;
}

int64_t hijri_day(int year, int month, int mday)
{
    int64_t y = year;

    return EPOCH + 354 * (y - 1) + floor_div(3 + 11 * y, 30) +
           29 * (month - 1) + month / 2 + mday - 1;
}

int hijri_month_length(int year, int month)
{
    int64_t next =
        month == 12 ? hijri_day(year + 1, 1, 1) : hijri_day(year, month + 1, 1);

    return (int)(next - hijri_day(year, month, 1));
}

void hijri_of(int64_t day, int *year, int *month, int *mday)
{
    int64_t in_year;

    *year = (int)floor_div(30 * (day - EPOCH) + 10646, CYCLE);
    in_year = day - hijri_day(*year, 1, 1);
    *month = (int)((11 * in_year + 330) / 325);
    *mday = (int)(day - hijri_day(*year, *month, 1)) + 1;
}
