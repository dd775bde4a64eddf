/*
 * clock.h - time: milliseconds since 1970 UTC, days since 1970-01-01.
 */
#ifndef WACRM_BASE_CLOCK_H
#define WACRM_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DAY_MS INT64_C(86400000)

int64_t clock_now_ms(void);
int64_t clock_now_us(void);
/* Since some moment: for how long something took, or may take. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

#define CLOCK_ISO_MAX 32
/* "2026-03-01T04:05:06Z" */
void clock_iso(int64_t ms, char out[CLOCK_ISO_MAX]);
/* "2026-03-01" */
void clock_iso_day(int64_t day, char out[CLOCK_ISO_MAX]);
/* ISO-8601 with Z, an offset or none (UTC), with or without a fraction. */
bool clock_parse_iso(const char *text, size_t len, int64_t *ms);
/* "2026-03-01" only; refuses days that do not exist. */
bool clock_parse_day(const char *text, size_t len, int64_t *day);
/* A number as gateways send it: seconds (integer or with a fraction) or
 * milliseconds, told apart by size (>= 10^11: ms). */
bool clock_from_number(double value, int64_t *ms);

/* Calendar of the organisation. Asia/Jakarta has no daylight saving: the
 * offset is fixed seconds east of UTC. */
int64_t clock_day_of(int64_t ms, int offset_s);
int64_t clock_day_start(int64_t day, int offset_s);
/* Year, month 1..12, day 1..31 of a day number, proleptic Gregorian. */
void clock_civil(int64_t day, int *year, int *month, int *mday);
int64_t clock_days_from_civil(int year, int month, int mday);
/* The same day n months earlier, clipped to the month's end. */
int64_t clock_months_before(int64_t day, int months);

#endif
