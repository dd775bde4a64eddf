#include "edge/sig_internal.h"

#include <string.h>

#define DIGITS_MAX 15

static bool number(sig_str_t text, int64_t *value)
{
    size_t i;

    if (text.len == 0 || text.len > DIGITS_MAX) {
        return false;
    }
    *value = 0;
    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *value = *value * 10 + (text.data[i] - '0');
    }
    return true;
}

/* Days since 1970 of a date in the Gregorian calendar, year 1 and later. */
static int64_t days(int64_t year, int64_t month, int64_t day)
{
    static const int before[] = {0,   31,  59,  90,  120, 151,
                                 181, 212, 243, 273, 304, 334};
    int64_t past = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return past * 365 + past / 4 - past / 100 + past / 400 + before[month - 1] +
           (leap && month > 2) + day - 1 - 719162;
}

/* Two digits at a place, at most max; -1 if they are none. */
static int64_t two(const char *at, int64_t max)
{
    sig_str_t text = {at, 2};
    int64_t value;

    return number(text, &value) && value <= max ? value : -1;
}

/* Z, +hh:mm or -hh:mm as seconds to take off. */
static bool zone(sig_str_t text, int64_t *offset)
{
    int64_t hours, minutes;

    *offset = 0;
    if (text.len == 1) {
        return text.data[0] == 'Z' || text.data[0] == 'z';
    }
    if (text.len != 6 || text.data[3] != ':' ||
        (text.data[0] != '+' && text.data[0] != '-')) {
        return false;
    }
    hours = two(text.data + 1, 23);
    minutes = two(text.data + 4, 59);
    *offset = (hours * 60 + minutes) * 60;
    if (text.data[0] == '-') {
        *offset = -*offset;
    }
    return hours >= 0 && minutes >= 0;
}

/* RFC 3339: 2026-01-15T08:30:00.123Z; the fraction is dropped. */
static bool iso(sig_str_t text, int64_t *seconds)
{
    const char *p = text.data;
    int64_t year, month, day, hour, minute, second, offset;
    size_t i = 19;

    if (text.len < 20 || text.len > 40 || p[4] != '-' || p[7] != '-' ||
        (p[10] != 'T' && p[10] != 't') || p[13] != ':' || p[16] != ':' ||
        !number((sig_str_t){p, 4}, &year)) {
        return false;
    }
    month = two(p + 5, 12);
    day = two(p + 8, 31);
    hour = two(p + 11, 23);
    minute = two(p + 14, 59);
    second = two(p + 17, 60);
    if (year < 1 || month < 1 || day < 1 || hour < 0 || minute < 0 ||
        second < 0) {
        return false;
    }
    if (p[i] == '.') {
        i++;
        while (i < text.len && p[i] >= '0' && p[i] <= '9') {
            i++;
        }
        if (i == 20) {
            return false;
        }
    }
    if (i == text.len || !zone(sig_str_skip(text, i), &offset)) {
        return false;
    }
    *seconds = days(year, month, day) * 86400 + hour * 3600 + minute * 60 +
               second - offset;
    return true;
}

bool sig_time_parse(sig_str_t text, sig_time_t unit, int64_t *seconds)
{
    if (unit == SIG_TIME_ISO) {
        return iso(text, seconds);
    }
    if (!number(text, seconds)) {
        return false;
    }
    if (unit == SIG_TIME_MS) {
        *seconds /= 1000;
    }
    return true;
}
