/* transfer.c - donors and gifts in and out, as CSV. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "domain/audit.h"
#include "domain/donor_export.h"
#include "domain/donor_import.h"
#include "http/invalid.h"
#include "http/multipart.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"
#include "http/spill.h"

#define REFUSED_MAX 1000 /* rows whose reason is told */

/* ---- import ---- */

typedef struct {
    const request_t *request;
    buf_t rows;
    int n;
    const char *last; /* reason */
} refused_t;

static void note_refused(void *ctx, int64_t row, const char *reason)
{
    refused_t *f = ctx;

    f->last = reason;
    if (f->n++ < REFUSED_MAX) {
        jw_open_object(&f->rows, NULL);
        jw_i64(&f->rows, "row", row);
        jw_str(&f->rows, "reason", reason);
        jw_close_object(&f->rows);
    }
}

static bool is_to_stop(void *ctx)
{
    const refused_t *f = ctx;

    return request_stopping(f->request);
}

static void write_report(request_t *r, const donor_import_t *n, bool dry_run,
                         const refused_t *f)
{
    buf_t *b = &r->response.body;

    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    jw_open_object(b, "data");
    jw_bool(b, "dry_run", dry_run);
    jw_i64(b, "rows", n->rows);
    jw_i64(b, "contacts", n->contacts);
    jw_i64(b, "donations", n->gifts);
    jw_i64(b, "known", n->known);
    jw_i64(b, "refused", n->bad);
    jw_raw(b, "refusals", f->rows.data, f->rows.len);
    jw_close_object(b);
    jw_close_object(b);
}

/* No other 503 has stored anything. */
static void answer_stopped(response_t *r)
{
    response_refusal(r, 503, "import_stopped",
                     "The server stops: a part of the file is imported. "
                     "Import it again then: that brings the rest and doubles "
                     "nothing.",
                     NULL, 0);
    response_header(r, "Retry-After", "10");
}

static void import(request_t *r, const char *csv, size_t len, bool dry_run)
{
    donor_import_t n = {0};
    refused_t f = {.request = r, .last = "it is no CSV"};
    donor_import_options_t o = {
        .dry_run = dry_run, .bad = note_refused, .stop = is_to_stop, .ctx = &f};
    invalid_t invalid = {0};
    FILE *in = fmemopen((void *)(uintptr_t)csv, len, "r");
    int rc = WERR_NOMEM;

    buf_init(&f.rows, 0);
    jw_open_array(&f.rows, NULL);
    if (in != NULL) {
        rc = donor_import(r->options->domain, in, &o, &n);
        (void)fclose(in);
    }
    jw_close_array(&f.rows);
    if (rc == WERR_INVALID) {
        invalid_add(&invalid, "file", "The file cannot be imported: %s.",
                    f.last);
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc == WERR_STOPPING && !dry_run) {
        answer_stopped(&r->response);
    } else if (rc != WERR_OK || f.rows.failed) {
        response_error(&r->response, rc != WERR_OK ? rc : WERR_NOMEM);
    } else {
        write_report(r, &n, dry_run, &f);
    }
    buf_free(&f.rows);
}

static bool is_text(const char *type)
{
    static const char *const types[] = {
        "text/csv", "text/plain", "application/csv", "application/vnd.ms-excel",
        "application/octet-stream"};
    size_t len = type != NULL ? strcspn(type, " \t;") : 0;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i]) == len && strncasecmp(type, types[i], len) == 0) {
            return true;
        }
    }
    return len == 0;
}

/* The body itself, or the part `file` of a form. false: answered. */
static bool find_csv(request_t *r, const char **csv, size_t *len)
{
    const char *type = request_header(r, "Content-Type"), *wrong;
    const multipart_part_t *part;
    multipart_t form;
    invalid_t invalid = {0};

    *csv = r->body.data;
    *len = r->body.len;
    if (multipart_is(type)) {
        wrong = multipart_parse(&form, type, r->body.data, r->body.len);
        if (wrong != NULL) {
            response_bad(&r->response, wrong);
            return false;
        }
        part = multipart_get(&form, "file");
        *csv = part != NULL ? part->data : NULL;
        *len = part != NULL ? part->len : 0;
    } else if (!is_text(type)) {
        response_message(&r->response, 415,
                         "The content type must be text/csv or "
                         "multipart/form-data.");
        return false;
    }
    if (*len == 0) {
        invalid_add(&invalid, "file", "The file field is required.");
    }
    return !invalid_answer(&invalid, &r->response);
}

void route_import(request_t *r)
{
    static atomic_flag running = ATOMIC_FLAG_INIT;
    const char *dry = request_query(r, "dry_run"), *csv;
    size_t len;

    if (!find_csv(r, &csv, &len)) {
        return;
    }
    /* the other worker stays for everybody else */
    if (atomic_flag_test_and_set(&running)) {
        response_busy(&r->response, "An import is running.", 10);
        return;
    }
    import(r, csv, len, dry != NULL && strcmp(dry, "0") != 0);
    atomic_flag_clear(&running);
}

/* ---- export ---- */

static void export(request_t *r, donor_export_t what, const char *name)
{
    char day[CLOCK_ISO_MAX], disposition[64];
    const domain_t *d = r->options->domain;
    int64_t rows;
    FILE *out = NULL;
    int rc;

    if (!contact_by_lead(r)) {
        return;
    }
    rc = spill_file(d, &out);
    if (rc == WERR_OK) {
        rc = audit_write(r->options->domain,
                         &(audit_t){.action = "export", .detail = name});
    }
    if (rc == WERR_OK) {
        rc = donor_export(r->db, d, what, out, &rows);
    }
    if (rc == WERR_OK) {
        rc =
            response_file(&r->response, fileno(out), "text/csv; charset=utf-8");
    }
    if (out != NULL) {
        (void)fclose(out);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    clock_iso_day(clock_day_of(clock_now_ms(), d->settings.utc_offset_s), day);
    (void)snprintf(disposition, sizeof(disposition),
                   "attachment; filename=\"%.12s-%.10s.csv\"", name, day);
    response_header(&r->response, "Content-Disposition", disposition);
    response_header(&r->response, "X-Content-Type-Options", "nosniff");
    response_header(&r->response, "Cache-Control", "private, no-store");
}

void route_export_donors(request_t *r)
{
    export(r, EXPORT_DONORS, "donors");
}

void route_export_donations(request_t *r)
{
    export(r, EXPORT_DONATIONS, "donations");
}
