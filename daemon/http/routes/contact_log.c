/* contact_log.c - what colleagues write to a contact: notes, reminders,
 * gifts. */
#include <string.h>

#include "base/clock.h"
#include "base/jsonr.h"
#include "domain/audit.h"
#include "domain/contact.h"
#include "domain/contact_json.h"
#include "domain/donation.h"
#include "domain/donor.h"
#include "domain/note.h"
#include "domain/reminder.h"
#include "http/invalid.h"
#include "http/keyed.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"

#define AMOUNT_MAX INT64_C(1000000000000)
#define FIELD_MAX  500 /* bytes, as an import has it */

typedef void (*with_body_fn)(request_t *r, int64_t contact, const json_t *body);

static void with_body(request_t *r, with_body_fn fn)
{
    contact_named_t c;
    json_t *body = contact_there(r, &c) ? request_json(r) : NULL;

    if (body != NULL) {
        fn(r, c.id, body);
        json_decref(body);
    }
}

static const char *read_text(invalid_t *invalid, const json_t *body,
                             const char *field, size_t max, bool required)
{
    const char *text = invalid_string(invalid, body, field, required);

    if (text != NULL && strlen(text) > max) {
        invalid_add(invalid, field,
                    "The %s field must not be greater than %zu bytes.", field,
                    max);
    }
    return text;
}

/* Answers 422, or makes it once for its key. */
static void make(request_t *r, invalid_t *invalid, const keyed_t *k)
{
    int rc = keyed_request(r, invalid, k);

    if (rc < 0) {
        response_error(&r->response, rc);
    }
}

/* ---- notes ---- */

typedef struct {
    int64_t contact;
    const char *text;
    int64_t cs_id, id;
    int64_t who; /* contact, by now */
} note_job_t;

static int add_note(tx_t *tx, void *arg)
{
    note_job_t *n = arg;
    int rc = contact_now(tx, n->contact, &n->who);

    if (rc == WERR_OK) {
        rc = note_add(tx, n->who, n->text, n->cs_id, &n->id);
    }
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "note.add",
                                                     .contact = n->who,
                                                     .object = n->id})
                         : rc;
}

static int write_note(tx_t *tx, void *arg, buf_t *out)
{
    const note_job_t *n = arg;

    return note_write(tx->db, n->id, out, "data");
}

static void post_note(request_t *r, int64_t contact, const json_t *body)
{
    invalid_t invalid = {0};
    note_job_t n = {.contact = contact,
                    .text = read_text(&invalid, body, "note", NOTE_MAX, true),
                    .cs_id = r->user.id};
    keyed_t k = {add_note, write_note, &n, 201, &n.who};

    make(r, &invalid, &k);
}

void route_contact_note(request_t *r)
{
    with_body(r, post_note);
}

/* ---- reminders ---- */

typedef struct {
    reminder_t reminder;
    int64_t id;
    int64_t who; /* its contact, by now */
} reminder_job_t;

static int add_reminder(tx_t *tx, void *arg)
{
    reminder_job_t *j = arg;
    reminder_t r = j->reminder;
    int rc = contact_now(tx, r.contact, &r.contact);

    j->who = r.contact;
    if (rc == WERR_OK) {
        rc = reminder_add(tx, &r, &j->id);
    }
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "reminder.add",
                                                     .contact = r.contact,
                                                     .object = j->id})
                         : rc;
}

static int write_reminder(tx_t *tx, void *arg, buf_t *out)
{
    const reminder_job_t *j = arg;

    return reminder_write(tx->db, j->id, out, "data");
}

static int read_assignee(const request_t *r, const json_t *body,
                         invalid_t *invalid, int64_t *id)
{
    const json_t *v = json_object_get(body, "assignee_id");
    user_t user;
    int rc;

    if (v == NULL || json_is_null(v)) {
        return WERR_OK;
    }
    if (!jsonr_i64(body, "assignee_id", id)) {
        invalid_add(invalid, "assignee_id",
                    "The assignee_id field must be an integer.");
        return WERR_OK;
    }
    rc = user_get(r->db, *id, &user);
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && !user.active)) {
        invalid_add(invalid, "assignee_id",
                    "The selected assignee_id is invalid.");
        rc = WERR_OK;
    }
    return rc;
}

static void read_remind_at(const json_t *body, invalid_t *invalid, int64_t *at)
{
    const json_t *v = json_object_get(body, "remind_at");

    if (v == NULL || json_is_null(v)) {
        invalid_add(invalid, "remind_at", "The remind_at field is required.");
    } else if (!jsonr_time(body, "remind_at", at)) {
        invalid_add(invalid, "remind_at",
                    "The remind_at field must be a valid date.");
    } else if (*at <= clock_now_ms()) {
        invalid_add(invalid, "remind_at",
                    "The remind_at field must be a date after now.");
    }
}

static void post_reminder(request_t *r, int64_t contact, const json_t *body)
{
    invalid_t invalid = {0};
    reminder_job_t j = {.reminder = {.contact = contact, .cs_id = r->user.id}};
    keyed_t k = {add_reminder, write_reminder, &j, 201, &j.who};
    int rc;

    read_remind_at(body, &invalid, &j.reminder.at);
    j.reminder.note = read_text(&invalid, body, "note", NOTE_MAX, true);
    rc = read_assignee(r, body, &invalid, &j.reminder.assignee);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    make(r, &invalid, &k);
}

void route_contact_reminder(request_t *r)
{
    with_body(r, post_reminder);
}

/* ---- gifts ---- */

typedef struct {
    gift_t gift;
    bool dated;
    int64_t contact, id;
} gift_job_t;

static int add_gift(tx_t *tx, void *arg)
{
    gift_job_t *j = arg;
    int rc = contact_now(tx, j->contact, &j->contact);

    if (!j->dated) {
        j->gift.day = tx->today;
    }
    if (rc == WERR_OK) {
        rc = donor_add_gift(tx, j->contact, &j->gift, &j->id);
    }
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "donation.add",
                                                     .contact = j->contact,
                                                     .object = j->id})
                         : rc;
}

static void read_date(const request_t *r, const json_t *body,
                      invalid_t *invalid, gift_job_t *j)
{
    const domain_settings_t *set = &r->options->domain->settings;
    const char *text = invalid_string(invalid, body, "date", false);

    if (text == NULL) {
        return;
    }
    j->dated = clock_parse_day(text, strlen(text), &j->gift.day);
    if (!j->dated) {
        invalid_add(invalid, "date", "The date field must be a valid date.");
    } else if (j->gift.day > clock_day_of(clock_now_ms(), set->utc_offset_s)) {
        invalid_add(invalid, "date",
                    "The date field must not be a date after today.");
    } else if (j->gift.day < 0) {
        invalid_add(invalid, "date",
                    "The date field must not be a date before 1970.");
    }
}

static void read_amount(const json_t *body, invalid_t *invalid, int64_t *amount)
{
    const json_t *v = json_object_get(body, "amount");

    if (v == NULL || json_is_null(v)) {
        invalid_add(invalid, "amount", "The amount field is required.");
    } else if (!jsonr_i64(body, "amount", amount)) {
        invalid_add(invalid, "amount", "The amount field must be an integer.");
    } else if (*amount < 1 || *amount > AMOUNT_MAX) {
        invalid_add(invalid, "amount",
                    "The amount field must be between 1 and %lld.",
                    (long long)AMOUNT_MAX);
    }
}

static void read_gift(const request_t *r, const json_t *body,
                      invalid_t *invalid, gift_job_t *j)
{
    gift_t *g = &j->gift;

    read_amount(body, invalid, &g->amount);
    read_date(r, body, invalid, j);
    g->fund = read_text(invalid, body, "fund", FIELD_MAX, false);
    g->campaign = read_text(invalid, body, "campaign", FIELD_MAX, false);
    g->method = read_text(invalid, body, "method", FIELD_MAX, false);
    g->ref = read_text(invalid, body, "ref", FIELD_MAX, false);
    g->note = read_text(invalid, body, "note", FIELD_MAX, false);
    g->cs_id = r->user.id;
}

static int write_gift(tx_t *tx, void *arg, buf_t *out)
{
    const gift_job_t *j = arg;
    int rc = donation_write(tx->db, j->id, out, "data");

    return rc == WERR_OK ? contact_write_metrics(tx->db, tx->domain, j->contact,
                                                 out, "metrics")
                         : rc;
}

static void post_gift(request_t *r, int64_t contact, const json_t *body)
{
    invalid_t invalid = {0};
    gift_job_t j = {.contact = contact};
    keyed_t k = {add_gift, write_gift, &j, 201, &j.contact};

    int rc;

    read_gift(r, body, &invalid, &j);
    rc = keyed_request(r, &invalid, &k);
    if (rc == WERR_CONFLICT) {
        response_conflict(&r->response, "duplicate_ref",
                          "A donation with this reference is there already.",
                          NULL, 0);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    }
}

void route_contact_donation(request_t *r)
{
    with_body(r, post_gift);
}
