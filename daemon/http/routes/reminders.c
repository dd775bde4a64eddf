/* reminders.c - the list of reminders, and their end. */
#include <string.h>

#include "domain/audit.h"
#include "domain/contact_visible.h"
#include "domain/reminder.h"
#include "http/paging.h"
#include "http/routes/routes.h"

static void write_page(request_t *r, const reminder_query_t *q)
{
    buf_t *b = &r->response.body;
    int64_t at = 0, id = 0;
    bool more = false;
    int rc;

    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = reminder_page(r->db, q, b, "data", &more, &at, &id);
    page_meta(b, more, at, id);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_reminders(request_t *r)
{
    invalid_t invalid = {0};
    const char *state = request_query(r, "state");
    const char *before = request_query(r, "before");
    reminder_query_t q = {.state = state != NULL ? state : "open",
                          .limit = page_limit(r, &invalid),
                          .user = r->user.id,
                          .all = r->user.role != ROLE_CS};

    if (strcmp(q.state, "open") != 0 && strcmp(q.state, "done") != 0 &&
        strcmp(q.state, "cancelled") != 0) {
        invalid_add(&invalid, "state", "The selected state is invalid.");
    }
    if (before != NULL && !cursor_read(before, &q.after_at, &q.after_id)) {
        invalid_add(&invalid, "before", "The before field is not a cursor.");
    }
    if (!invalid_answer(&invalid, &r->response)) {
        write_page(r, &q);
    }
}

typedef struct {
    int64_t id;
    const char *state;
} close_t;

static int close_reminder(tx_t *tx, void *arg)
{
    const close_t *c = arg;
    int64_t contact;
    int rc = reminder_contact(tx->db, c->id, &contact);

    if (rc == WERR_OK) {
        rc = reminder_close(tx, c->id, c->state);
    }
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "reminder.close",
                                                     .contact = contact,
                                                     .object = c->id,
                                                     .detail = c->state})
                         : rc;
}

static void patch(request_t *r, int64_t id, const json_t *body)
{
    invalid_t invalid = {0};
    close_t c = {.id = id,
                 .state = invalid_string(&invalid, body, "state", true)};
    buf_t *b = &r->response.body;
    int rc = WERR_CONFLICT;

    if (c.state != NULL &&
        (strcmp(c.state, "done") == 0 || strcmp(c.state, "cancelled") == 0)) {
        rc = domain_write(r->options->domain, close_reminder, &c);
    }
    if (rc == WERR_CONFLICT) {
        invalid_add(&invalid, "state", "The selected state is invalid.");
        (void)invalid_answer(&invalid, &r->response);
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    if (rc >= 0) {
        rc = reminder_write(r->db, id, b, "data");
    }
    jw_close_object(b);
    if (rc < 0) {
        response_error(&r->response, rc);
    }
}

void route_reminder_patch(request_t *r)
{
    int64_t id, contact;
    json_t *body;
    int rc = request_id(r, 0, &id) ? reminder_contact(r->db, id, &contact)
                                   : WERR_NOTFOUND;

    if (rc == WERR_OK) {
        rc = contact_visible(r->db, &r->user, contact);
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Reminder not found.");
        return;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    body = request_json(r);
    if (body != NULL) {
        patch(r, id, body);
        json_decref(body);
    }
}
