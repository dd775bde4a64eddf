/* reports.c - reports on donors, for supervisors and administrators. */
#include <string.h>

#include "base/clock.h"
#include "base/hijri.h"
#include "domain/donor_report.h"
#include "http/paging.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"

static int64_t today_of(const request_t *r)
{
    return clock_day_of(clock_now_ms(),
                        r->options->domain->settings.utc_offset_s);
}

static bool flag(const request_t *r, const char *name)
{
    const char *text = request_query(r, name);

    return text != NULL && strcmp(text, "0") != 0;
}

static report_calendar_t read_calendar(const request_t *r, invalid_t *invalid)
{
    const char *name = request_query(r, "calendar");

    if (name != NULL && strcmp(name, "hijri") == 0) {
        return REPORT_HIJRI;
    }
    if (name != NULL && strcmp(name, "gregorian") != 0) {
        invalid_add(invalid, "calendar", "The selected calendar is invalid.");
    }
    return REPORT_GREGORIAN;
}

/* calendar, year, start_month, same_date. */
static void read_year(const request_t *r, invalid_t *invalid,
                      report_year_t *out)
{
    report_calendar_t calendar = read_calendar(r, invalid);
    bool hijri = calendar == REPORT_HIJRI;
    int64_t today = today_of(r), year, month = hijri ? HIJRI_RAMADAN : 1;
    int64_t first = hijri ? 1389 : 1970, last = hijri ? 2499 : 2999;
    const char *of = request_query(r, "year");
    const char *from = request_query(r, "start_month");

    if (from != NULL && !parse_int(from, 1, 12, &month)) {
        invalid_add(invalid, "start_month",
                    "The start_month field must be between 1 and 12.");
        month = 1;
    }
    year = report_year_of(calendar, today, (int)month);
    if (of != NULL && !parse_int(of, first, last, &year)) {
        invalid_add(invalid, "year",
                    "The year field must be between %d and %d.", (int)first,
                    (int)last);
        year = first;
    }
    report_year(calendar, (int)year, (int)month, today, flag(r, "same_date"),
                out);
}

static void lapsed(request_t *r, bool lybunt)
{
    invalid_t invalid = {0};
    lapsed_query_t q = {.lybunt = lybunt,
                        .exclusive = flag(r, "exclusive"),
                        .limit = page_limit(r, &invalid)};
    const char *before = request_query(r, "before");
    buf_t *b = &r->response.body;
    int64_t ts, last = 0;
    bool more = false;
    int rc;

    read_year(r, &invalid, &q.year);
    if (before != NULL && !cursor_read(before, &ts, &q.after)) {
        invalid_add(&invalid, "before", "The before field is not a cursor.");
    }
    if (!contact_by_lead(r) || invalid_answer(&invalid, &r->response)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = report_lapsed(r->db, r->options->domain, &q, b, "data", &more, &last);
    page_meta(b, more, 0, last);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_report_lybunt(request_t *r)
{
    lapsed(r, true);
}

void route_report_sybunt(request_t *r)
{
    lapsed(r, false);
}

void route_report_retention(request_t *r)
{
    invalid_t invalid = {0};
    report_year_t year;
    buf_t *b = &r->response.body;
    int rc;

    read_year(r, &invalid, &year);
    if (!contact_by_lead(r) || invalid_answer(&invalid, &r->response)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = report_retention(r->db, &year, b, "data");
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_report_rfm(request_t *r)
{
    buf_t *b = &r->response.body;
    int rc;

    if (!contact_by_lead(r)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = report_rfm(r->db, today_of(r), b, "data");
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}
