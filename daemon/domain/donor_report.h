/*
 * donor_report.h - who gave and does not any more, and how many stay: M4..M17
 * of docs/donor-metrics.md, each one statement over all gifts.
 */
#ifndef WACRM_DOMAIN_DONOR_REPORT_H
#define WACRM_DOMAIN_DONOR_REPORT_H

#include "base/buf.h"
#include "domain/domain.h"

/* A giving year and the two before it, as days: [start[0], start[1]) is the
 * year two before, and so on; start[3] is the end of the year. */
typedef struct {
    int64_t start[4];
    int64_t year_ago; /* end of last year's window, for same_date (M7) */
} report_year_t;

/* M3: by which calendar its months are counted. */
typedef enum { REPORT_GREGORIAN, REPORT_HIJRI } report_calendar_t;

/* The year that begins in `month` of `year`. */
void report_year(report_calendar_t calendar, int year, int month, int64_t today,
                 bool same_date, report_year_t *out);
/* The one that has begun today or before: its year. */
int report_year_of(report_calendar_t calendar, int64_t today, int month);

typedef struct {
    report_year_t year;
    bool lybunt;    /* else sybunt */
    bool exclusive; /* sybunt without the lybunt (M5) */
    int limit;
    int64_t after; /* contact id */
} lapsed_query_t;

/* LYBUNT, SYBUNT: an array, by contact id. */
int report_lapsed(db_t *db, const domain_t *d, const lapsed_query_t *q,
                  buf_t *out, const char *key, bool *more,
                  int64_t *last) WACRM_CHECKED;

/* M8..M12, one object. */
int report_retention(db_t *db, const report_year_t *year, buf_t *out,
                     const char *key) WACRM_CHECKED;

/* M14..M17: how many donors each code has, as an array. */
int report_rfm(db_t *db, int64_t today, buf_t *out,
               const char *key) WACRM_CHECKED;

#endif
