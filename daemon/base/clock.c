/*
 * clock.c - calendar arithmetic without libc's time zones: the proleptic
 * Gregorian calendar in eras of 400 years (Hinnant, "chrono-compatible
 * low-level date algorithms").
 */
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_MIN INT64_C(-62135596800000) /* 0001-01-01 */
#define MS_MAX INT64_C(253402300799999) /* 9999-12-31, the last ms */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

static int64_t read_us(clockid_t id)
{
    struct timespec ts;

    if (clock_gettime(id, &ts) != 0) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_now_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_civil(int64_t day, int *year, int *month, int *mday)
{
    int64_t z = day + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

int64_t clock_days_from_civil(int year, int month, int mday)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy =
        (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + mday - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

int64_t clock_months_before(int64_t day, int months)
{
    int year, month, mday, last;
    int64_t count;

    clock_civil(day, &year, &month, &mday);
    count = (int64_t)year * 12 + month - 1 - months;
    year = (int)floor_div(count, 12);
    month = (int)(count - (int64_t)year * 12) + 1;
    last = month_days(year, month);
    return clock_days_from_civil(year, month, mday < last ? mday : last);
}

int64_t clock_day_of(int64_t ms, int offset_s)
{
    return floor_div(ms + (int64_t)offset_s * 1000, DAY_MS);
}

int64_t clock_day_start(int64_t day, int offset_s)
{
    return day * DAY_MS - (int64_t)offset_s * 1000;
}

void clock_iso_day(int64_t day, char out[CLOCK_ISO_MAX])
{
    int year, month, mday;

    clock_civil(clamp(day, MS_MIN / DAY_MS, MS_MAX / DAY_MS), &year, &month,
                &mday);
    (void)snprintf(out, CLOCK_ISO_MAX, "%04d-%02d-%02d", year, month, mday);
}

void clock_iso(int64_t ms, char out[CLOCK_ISO_MAX])
{
    int64_t day, s;
    size_t n;

    ms = clamp(ms, MS_MIN, MS_MAX);
    day = floor_div(ms, DAY_MS);
    s = (ms - day * DAY_MS) / 1000;
    clock_iso_day(day, out);
    n = strlen(out);
    (void)snprintf(out + n, CLOCK_ISO_MAX - n, "T%02d:%02d:%02dZ",
                   (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
}

/* ---- reading ---- */

typedef struct {
    const char *p, *end;
    bool bad;
} cursor_t;

static int digits(cursor_t *c, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (c->p == c->end || *c->p < '0' || *c->p > '9') {
            c->bad = true;
            return 0;
        }
        v = v * 10 + (*c->p++ - '0');
    }
    return v;
}

static bool skip(cursor_t *c, const char *any)
{
    if (c->p == c->end || *c->p == '\0' || !strchr(any, *c->p)) {
        return false;
    }
    c->p++;
    return true;
}

static void expect(cursor_t *c, const char *any)
{
    if (!skip(c, any)) {
        c->bad = true;
    }
}

static int64_t read_day(cursor_t *c)
{
    int year, month, mday;

    year = digits(c, 4);
    expect(c, "-");
    month = digits(c, 2);
    expect(c, "-");
    mday = digits(c, 2);
    if (c->bad || year < 1 || month < 1 || month > 12 || mday < 1 ||
        mday > month_days(year, month)) {
        c->bad = true;
        return 0;
    }
    return clock_days_from_civil(year, month, mday);
}

static int read_fraction_ms(cursor_t *c)
{
    int ms = 0, weight = 100;

    (void)digits(c, 1);
    c->p -= c->bad ? 0 : 1;
    while (!c->bad && c->p < c->end && *c->p >= '0' && *c->p <= '9') {
        ms += (*c->p++ - '0') * weight;
        weight /= 10;
    }
    return ms;
}

static int64_t read_time_ms(cursor_t *c)
{
    int h, m, s = 0, ms = 0;

    h = digits(c, 2);
    expect(c, ":");
    m = digits(c, 2);
    if (!c->bad && skip(c, ":")) {
        s = digits(c, 2);
        if (!c->bad && skip(c, ".,")) {
            ms = read_fraction_ms(c);
        }
    }
    /* a leap second counts as the next one */
    if (h > 23 || m > 59 || s > 60) {
        c->bad = true;
    }
    return ((h * 60 + m) * 60 + s) * INT64_C(1000) + ms;
}

static int64_t read_offset_ms(cursor_t *c)
{
    int sign, h, m = 0;

    if (c->bad || c->p == c->end || skip(c, "Zz")) {
        return 0;
    }
    sign = *c->p == '-' ? -1 : 1;
    expect(c, "+-");
    h = digits(c, 2);
    if (skip(c, ":") || c->p < c->end) {
        m = digits(c, 2);
    }
    if (h > 18 || m > 59) {
        c->bad = true;
    }
    return sign * (h * 60 + m) * INT64_C(60000);
}

bool clock_parse_iso(const char *text, size_t len, int64_t *ms)
{
    cursor_t c = {text, text + len, false};
    int64_t v;

    v = read_day(&c) * DAY_MS;
    expect(&c, "Tt ");
    v += read_time_ms(&c);
    v -= read_offset_ms(&c);
    if (c.bad || c.p != c.end) {
        return false;
    }
    *ms = v;
    return true;
}

bool clock_parse_day(const char *text, size_t len, int64_t *day)
{
    cursor_t c = {text, text + len, false};
    int64_t v = read_day(&c);

    if (c.bad || c.p != c.end) {
        return false;
    }
    *day = v;
    return true;
}

bool clock_from_number(double value, int64_t *ms)
{
    if (!isfinite(value) || value <= 0) {
        return false;
    }
    if (value < 1e11) {
        value *= 1000;
    }
    if (value > (double)MS_MAX) {
        return false;
    }
    *ms = llround(value);
    return true;
}
