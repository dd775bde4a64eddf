#include "domain/donor_report.h"

#include "base/clock.h"
#include "base/hijri.h"
#include "domain/donor.h"
#include "domain/row_json.h"

#define GIFT       "d.status = 'confirmed' AND d.amount > 0"
#define FEW_DONORS 50 /* M17 */

/* $1 begin of last year, $2 its end, $3 begin and $4 end of this one; $5: 1
 * lybunt, 2 sybunt, 3 exclusive. */
DB_QUERY_SCAN(
    report_lapsed_rows,
    "SELECT g.contact_id, k.phone, k.name, g.earlier, g.last_year, "
    "k.gift_sum, k.gift_count, k.gift_last FROM (SELECT d.contact_id, "
    "CAST(sum(CASE WHEN d.gift_day < $3 THEN d.amount ELSE 0 END) "
    "AS BIGINT) AS earlier, "
    "CAST(sum(CASE WHEN d.gift_day >= $1 AND d.gift_day < $2 "
    "THEN d.amount ELSE 0 END) AS BIGINT) AS last_year, "
    "CAST(sum(CASE WHEN d.gift_day >= $3 AND d.gift_day < $4 "
    "THEN d.amount ELSE 0 END) AS BIGINT) AS this_year "
    "FROM donations d WHERE d.contact_id > $6 AND " GIFT
    " GROUP BY d.contact_id) AS g CROSS JOIN contacts k "
    "WHERE k.id = g.contact_id AND g.this_year = 0 AND "
    "CASE $5 WHEN 1 THEN g.last_year > 0 WHEN 2 THEN g.earlier > 0 "
    "ELSE g.earlier > 0 AND g.last_year = 0 END "
    "ORDER BY g.contact_id LIMIT $7",
    "a report over all gifts");

/* p: this year, q: last, r: the one before that. */
DB_QUERY_SCAN(
    report_retention_row,
    "SELECT count(CASE WHEN q > 0 THEN 1 END), "
    "count(CASE WHEN p > 0 THEN 1 END), "
    "count(CASE WHEN p > 0 AND q > 0 THEN 1 END), "
    "count(CASE WHEN q > 0 AND p = 0 THEN 1 END), "
    "count(CASE WHEN p > 0 AND first >= $3 THEN 1 END), "
    "count(CASE WHEN p > 0 AND q = 0 AND first < $3 THEN 1 END), "
    "count(CASE WHEN p > 0 AND q = 0 AND r > 0 THEN 1 END), "
    "count(CASE WHEN q > 0 AND first >= $2 THEN 1 END), "
    "count(CASE WHEN q > 0 AND p > 0 AND first >= $2 THEN 1 END), "
    "count(CASE WHEN q > 0 AND p > q THEN 1 END), "
    "count(CASE WHEN p > 0 AND p < q THEN 1 END), "
    "CAST(coalesce(sum(q), 0) AS BIGINT), "
    "CAST(coalesce(sum(p), 0) AS BIGINT), "
    "CAST(coalesce(sum(CASE WHEN q > 0 THEN p ELSE 0 END), 0) AS BIGINT) "
    "FROM (SELECT sum(CASE WHEN d.gift_day >= $3 THEN d.amount ELSE 0 END) "
    "AS p, sum(CASE WHEN d.gift_day >= $2 AND d.gift_day < $3 "
    "THEN d.amount ELSE 0 END) AS q, "
    "sum(CASE WHEN d.gift_day >= $1 AND d.gift_day < $2 "
    "THEN d.amount ELSE 0 END) AS r, min(d.gift_day) AS first "
    "FROM donations d WHERE d.gift_day < $4 AND " GIFT
    " GROUP BY d.contact_id) AS g",
    "a report over all gifts");

DB_QUERY_SCAN(report_rfm_count,
              "SELECT count(*) FROM (SELECT d.contact_id FROM donations d "
              "WHERE " GIFT " GROUP BY d.contact_id) AS g",
              "a report over all gifts");
/* Equal values get equal scores: 1 + floor(5 * strictly worse / all). */
DB_QUERY_SCAN(
    report_rfm_quintiles,
    "SELECT r, f, m, count(*), CAST(sum(money) AS BIGINT) FROM (SELECT "
    "1 + 5 * (rank() OVER (ORDER BY last) - 1) / $2 AS r, "
    "1 + 5 * (rank() OVER (ORDER BY gifts) - 1) / $2 AS f, "
    "1 + 5 * (rank() OVER (ORDER BY money) - 1) / $2 AS m, money "
    "FROM (SELECT max(d.gift_day) AS last, "
    "sum(CASE WHEN d.gift_day > $1 THEN 1 ELSE 0 END) AS gifts, "
    "sum(CASE WHEN d.gift_day > $1 THEN d.amount ELSE 0 END) AS money "
    "FROM donations d WHERE " GIFT " GROUP BY d.contact_id) AS g) AS s "
    "GROUP BY r, f, m ORDER BY r DESC, f DESC, m DESC",
    "a report over all gifts");
/* $1 36 months ago, $2 24 months ago, $3 today */
DB_QUERY_SCAN(
    report_rfm_bins,
    "SELECT r, f, m, count(*), CAST(sum(money) AS BIGINT) FROM (SELECT "
    "CASE WHEN $3 - last <= 180 THEN 5 WHEN $3 - last <= 365 THEN 4 "
    "WHEN $3 - last <= 728 THEN 3 WHEN $3 - last <= 1093 THEN 2 ELSE 1 END "
    "AS r, CASE WHEN gifts >= 24 THEN 5 WHEN gifts >= 12 THEN 4 "
    "WHEN gifts >= 3 THEN 3 WHEN gifts >= 2 THEN 2 ELSE 1 END AS f, "
    "CASE WHEN money >= 25000000 THEN 5 WHEN money >= 5000000 THEN 4 "
    "WHEN money >= 1000000 THEN 3 WHEN money >= 250000 THEN 2 ELSE 1 END "
    "AS m, money FROM (SELECT max(d.gift_day) AS last, "
    "sum(CASE WHEN d.gift_day > $2 THEN 1 ELSE 0 END) AS gifts, "
    "sum(CASE WHEN d.gift_day > $1 THEN d.amount ELSE 0 END) AS money "
    "FROM donations d WHERE " GIFT " GROUP BY d.contact_id) AS g) AS s "
    "GROUP BY r, f, m ORDER BY r DESC, f DESC, m DESC",
    "a report over all gifts");

static int64_t first_of(report_calendar_t calendar, int year, int month)
{
    return calendar == REPORT_HIJRI ? hijri_day(year, month, 1)
                                    : clock_days_from_civil(year, month, 1);
}

/* The same day a year before, or the last of its month. */
static int64_t year_before(report_calendar_t calendar, int64_t day)
{
    int y, m, d, last;

    if (calendar != REPORT_HIJRI) {
        return clock_months_before(day, 12);
    }
    hijri_of(day, &y, &m, &d);
    last = hijri_month_length(y - 1, m);
    return hijri_day(y - 1, m, d < last ? d : last);
}

int report_year_of(report_calendar_t calendar, int64_t today, int month)
{
    int y, m, d;

    if (calendar == REPORT_HIJRI) {
        hijri_of(today, &y, &m, &d);
    } else {
        clock_civil(today, &y, &m, &d);
    }
    return m >= month ? y : y - 1;
}

void report_year(report_calendar_t calendar, int year, int month, int64_t today,
                 bool same_date, report_year_t *out)
{
    for (int i = 0; i < 4; i++) {
        out->start[i] = first_of(calendar, year - 2 + i, month);
    }
    out->year_ago = out->start[2];
    if (same_date && today < out->start[3]) {
        int64_t ago = year_before(calendar, today) + 1;

        out->year_ago = ago < out->start[2] ? ago : out->start[2];
    }
}

static void write_lapsed(buf_t *out, db_stmt_t *s)
{
    int64_t average;

    jw_open_object(out, NULL);
    jw_i64(out, "id", db_i64(s, 0));
    jw_str(out, "phone", db_text(s, 1));
    jw_str(out, "name", db_text(s, 2));
    jw_i64(out, "last_year", db_i64(s, 4));
    jw_bool(out, "is_lybunt", db_i64(s, 4) > 0);
    jw_i64(out, "lifetime_value", db_i64(s, 5));
    if (donor_average(db_i64(s, 5), db_i64(s, 6), &average)) {
        jw_i64(out, "avg_donation", average);
    } else {
        jw_null(out, "avg_donation");
    }
    row_day(out, "last_donation", s, 7);
    jw_close_object(out);
}

int report_lapsed(db_t *db, const domain_t *d, const lapsed_query_t *q,
                  buf_t *out, const char *key, bool *more, int64_t *last)
{
    db_stmt_t *s = db_stmt(db, &report_lapsed_rows);
    int n = 0, rc;

    (void)d;
    db_bind_i64(s, 1, q->year.start[1]);
    db_bind_i64(s, 2, q->year.year_ago);
    db_bind_i64(s, 3, q->year.start[2]);
    db_bind_i64(s, 4, q->year.start[3]);
    db_bind_i64(s, 5, q->lybunt ? 1 : q->exclusive ? 3 : 2);
    db_bind_i64(s, 6, q->after);
    db_bind_i64(s, 7, q->limit + 1);
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW && n < q->limit) {
        write_lapsed(out, s);
        *last = db_i64(s, 0);
        n++;
    }
    *more = rc == DB_ROW;
    db_done(s);
    jw_close_array(out);
    return rc == DB_ROW ? WERR_OK : rc;
}

/* part / whole, null of nothing. */
static void write_share(buf_t *out, const char *key, int64_t part,
                        int64_t whole)
{
    if (whole > 0) {
        jw_double(out, key, (double)part / (double)whole);
    } else {
        jw_null(out, key);
    }
}

int report_retention(db_t *db, const report_year_t *year, buf_t *out,
                     const char *key)
{
    static const char *const names[] = {
        "donors_before", "donors",         "retained",    "lapsed",
        "new",           "recaptured",     "reactivated", "new_before",
        "new_retained",  "upgraded",       "downgraded",  "amount_before",
        "amount",        "amount_retained"};
    db_stmt_t *s = db_stmt(db, &report_retention_row);
    int64_t v[14];
    int rc;

    for (int i = 0; i < 4; i++) {
        db_bind_i64(s, i + 1, year->start[i]);
    }
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    jw_open_object(out, key);
    for (int i = 0; i < 14; i++) {
        v[i] = db_i64(s, i);
        jw_i64(out, names[i], v[i]);
    }
    db_done(s);
    write_share(out, "donor_retention", v[2], v[0]);
    write_share(out, "attrition", v[0] - v[2], v[0]);
    write_share(out, "new_donor_retention", v[8], v[7]);
    write_share(out, "repeat_donor_retention", v[2] - v[8], v[0] - v[7]);
    write_share(out, "revenue_retention", v[13], v[11]);
    jw_close_object(out);
    return WERR_OK;
}

static int count_donors(db_t *db, int64_t *n)
{
    return db_first_i64(db_stmt(db, &report_rfm_count), n);
}

int report_rfm(db_t *db, int64_t today, buf_t *out, const char *key)
{
    int64_t donors = 0;
    db_stmt_t *s;
    int rc = count_donors(db, &donors);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(db,
                donors < FEW_DONORS ? &report_rfm_bins : &report_rfm_quintiles);
    db_bind_i64(s, 1, clock_months_before(today, 36));
    if (donors < FEW_DONORS) {
        db_bind_i64(s, 2, clock_months_before(today, 24));
        db_bind_i64(s, 3, today);
    } else {
        db_bind_i64(s, 2, donors);
    }
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        jw_i64(out, "r", db_i64(s, 0));
        jw_i64(out, "f", db_i64(s, 1));
        jw_i64(out, "m", db_i64(s, 2));
        jw_i64(out, "donors", db_i64(s, 3));
        jw_i64(out, "amount", db_i64(s, 4));
        jw_close_object(out);
    }
    jw_close_array(out);
    return rc;
}
