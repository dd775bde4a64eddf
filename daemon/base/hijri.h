/*
 * hijri.h - the Islamic calendar, by arithmetic.
 *
 * The tabular (civil) calendar: epoch 16 July 622 (Julian), months of 30 and
 * 29 days in turn, the twelfth has 30 in the years 2, 5, 7, 10, 13, 16, 18,
 * 21, 24, 26 and 29 of each 30. Source: Reingold and Dershowitz, Calendrical
 * Calculations, chapter "The Islamic Calendar". A month may begin a day before
 * or after the one that Indonesia's Ministry of Religious Affairs declares
 * when the moon has been looked for, which no one can know ahead.
 */
#ifndef WACRM_BASE_HIJRI_H
#define WACRM_BASE_HIJRI_H

#include <stdint.h>

#define HIJRI_RAMADAN 9

/* Year, month 1..12, day 1..30 of a day (since 1970-01-01, as in clock.h). */
void hijri_of(int64_t day, int *year, int *month, int *mday);
int64_t hijri_day(int year, int month, int mday);
/* 29 or 30. */
int hijri_month_length(int year, int month);

#endif
