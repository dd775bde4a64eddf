/* contacts.c - profiles of contacts, their list, what is known of them. */
#include <string.h>

#include "domain/audit.h"
#include "domain/contact.h"
#include "domain/contact_json.h"
#include "domain/contact_visible.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "http/paging.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"

#define NAME_MAX_LETTERS 200
#define SEARCH_MAX       200

DB_QUERY(contact_rename,
         "UPDATE contacts SET name = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(contact_set_vip,
         "UPDATE contacts SET vip = $2, updated_at = $3 WHERE id = $1");

int contact_of_text(const request_t *r, const char *text, contact_named_t *out)
{
    size_t len = strlen(text);
    int rc;

    memset(out, 0, sizeof(*out));
    out->number = phone_from_typed(text, len, out->phone);
    if (!out->number) {
        if (len == 0 || len >= sizeof(out->phone)) {
            return WERR_INVALID;
        }
        memcpy(out->phone, text, len + 1);
    }
    rc = contact_find_visible(r->db, &r->user, out->phone, &out->id);
    if (rc == WERR_NOTFOUND) {
        out->id = 0;
        rc = out->number ? WERR_OK : WERR_INVALID;
    }
    return rc;
}

bool contact_of_path(request_t *r, contact_named_t *out)
{
    const route_param_t *p = &r->match.params[0];
    invalid_t invalid = {0};
    char text[3 * ALIAS_MAX] = "";
    int rc = WERR_INVALID;

    if (p->len < sizeof(text) && query_decode(p->text, p->len, false, text)) {
        rc = contact_of_text(r, text, out);
    }
    if (rc == WERR_INVALID) {
        invalid_add(&invalid, "phone",
                    "The phone field must be a phone number.");
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
    return rc == WERR_OK;
}

bool contact_there(request_t *r, contact_named_t *out)
{
    if (!contact_of_path(r, out)) {
        return false;
    }
    if (out->id == 0) {
        response_not_found(&r->response, "Contact not found.");
    }
    return out->id != 0;
}

bool contact_by_lead(request_t *r)
{
    if (r->user.role == ROLE_CS) {
        response_message(&r->response, 403, "Forbidden.");
    }
    return r->user.role != ROLE_CS;
}

void contact_answer_profile(request_t *r, const contact_named_t *c,
                            const char *whatsapp, size_t len)
{
    const domain_t *d = r->options->domain;
    buf_t *b = &r->response.body;
    int rc;

    response_reset(&r->response, 200);
    jw_open_object(b, NULL);
    if (len > 0) {
        jw_raw(b, "whatsapp", whatsapp, len);
    } else {
        jw_null(b, "whatsapp");
    }
    rc = db_read_begin(r->db);
    if (rc == WERR_OK) {
        rc = c->id != 0 ? contact_write(r->db, d, c->id, b, "donatur")
                        : WERR_NOTFOUND;
        if (rc == WERR_NOTFOUND) {
            jw_null(b, "donatur");
            rc = WERR_OK;
        }
        if (rc == WERR_OK) {
            rc = contact_write_metrics(r->db, d, c->id, b, "metrics");
        }
        db_read_end(r->db);
    }
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_contact(request_t *r)
{
    contact_named_t c;
    const char *ask = request_query(r, "whatsapp");

    if (!contact_of_path(r, &c)) {
        return;
    }
    if (ask != NULL && strcmp(ask, "0") == 0) {
        contact_answer_profile(r, &c, NULL, 0);
    } else {
        contact_ask_profile(r, &c);
    }
}

/* ---- the list ---- */

/* Those whom the index finds. */
static int write_found(request_t *r, const contact_query_t *q, const char *text,
                       bool *more, int64_t *last)
{
    search_look_t *look = NULL;
    int64_t ids[PAGE_MAX + 1];
    size_t n = (size_t)q->limit + 1;
    int rc = search_begin(r->options->search, r->db, text, &look);

    if (rc == WERR_OK) {
        rc = search_people(look, q->all ? NULL : &r->visible, true,
                           q->before != INT64_MAX ? q->before : 0, ids, &n);
    }
    if (rc == WERR_OK) {
        *more = n > (size_t)q->limit;
        n -= *more;
        *last = n > 0 ? ids[n - 1] : 0;
        rc = contact_page_of(r->db, r->options->domain, ids, n,
                             &r->response.body, "data");
    }
    search_end(&look);
    return rc;
}

static void write_page(request_t *r, const contact_query_t *q,
                       const char *search)
{
    buf_t *b = &r->response.body;
    int64_t last = 0;
    bool more = false;
    int rc;

    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    if (search != NULL) {
        rc = write_found(r, q, search, &more, &last);
    } else {
        rc = db_read_begin(r->db);
        if (rc == WERR_OK) {
            rc = contact_page(r->db, r->options->domain, q, b, "data", &more,
                              &last);
            db_read_end(r->db);
        }
    }
    page_meta(b, more, 0, last);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_contacts(request_t *r)
{
    invalid_t invalid = {0};
    int64_t ts;
    const char *search = request_query(r, "search");
    contact_query_t q = {.limit = page_limit(r, &invalid),
                         .user = r->user.id,
                         .all = r->user.role != ROLE_CS,
                         .before = INT64_MAX};
    const char *before = request_query(r, "before");

    if (search != NULL && strlen(search) > SEARCH_MAX) {
        invalid_add(&invalid, "search",
                    "The search field must not be greater than %d bytes.",
                    SEARCH_MAX);
    } else if (search != NULL && search[strspn(search, " \t\r\n")] == '\0') {
        search = NULL;
    }
    if (before != NULL && !cursor_read(before, &ts, &q.before)) {
        invalid_add(&invalid, "before", "The before field is not a cursor.");
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    if (search != NULL && r->options->search == NULL) {
        response_busy(&r->response, "The search is not running.", 5);
        return;
    }
    write_page(r, &q, search);
}

/* ---- changes ---- */

typedef struct {
    int64_t contact;
    const char *name; /* NULL: as it is */
    bool set_vip, vip;
} change_t;

static int change_contact(tx_t *tx, void *arg)
{
    change_t *c = arg;
    int rc = contact_now(tx, c->contact, &c->contact);

    if (rc == WERR_OK && c->name != NULL) {
        db_stmt_t *s = db_stmt(tx->db, &contact_rename);

        db_bind_i64(s, 1, c->contact);
        db_bind_text(s, 2, c->name);
        db_bind_i64(s, 3, tx->now);
        rc = db_exec(s);
    }
    if (rc == WERR_OK && c->set_vip) {
        db_stmt_t *s = db_stmt(tx->db, &contact_set_vip);

        db_bind_i64(s, 1, c->contact);
        db_bind_i64(s, 2, c->vip);
        db_bind_i64(s, 3, tx->now);
        rc = db_exec(s);
        if (rc == WERR_OK) {
            rc = donor_refresh(tx, c->contact);
        }
    }
    if (rc == WERR_OK) {
        rc = audit_note(tx,
                        &(audit_t){.action = "contact.change",
                                   .contact = c->contact,
                                   .detail = !c->set_vip       ? "name"
                                             : c->name == NULL ? "vip"
                                                               : "name vip"});
    }
    return rc == WERR_OK ? event_raise(tx, EVENT_CONTACT, 0, 0, c->contact)
                         : rc;
}

static void apply_change(request_t *r, change_t *c)
{
    buf_t *b = &r->response.body;
    int rc = domain_write(r->options->domain, change_contact, c);

    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    if (rc >= 0) {
        rc = contact_write_brief(r->db, r->options->domain, c->contact, b,
                                 "data");
    }
    jw_close_object(b);
    if (rc < 0) {
        response_error(&r->response, rc);
    }
}

static void patch(request_t *r, int64_t contact, const json_t *body)
{
    invalid_t invalid = {0};
    const json_t *vip = json_object_get(body, "vip");
    change_t c = {.contact = contact,
                  .name = invalid_string(&invalid, body, "name", false),
                  .set_vip = vip != NULL,
                  .vip = json_is_true(vip)};

    if (c.name != NULL && strlen(c.name) > NAME_MAX_LETTERS) {
        invalid_add(&invalid, "name",
                    "The name field must not be greater than %d bytes.",
                    NAME_MAX_LETTERS);
    }
    if (vip != NULL && !json_is_boolean(vip)) {
        invalid_add(&invalid, "vip", "The vip field must be true or false.");
    }
    if (c.name == NULL && vip == NULL) {
        invalid_add(&invalid, "name", "The name field is required.");
    }
    if (c.set_vip && !contact_by_lead(r)) {
        return;
    }
    if (!invalid_answer(&invalid, &r->response)) {
        apply_change(r, &c);
    }
}

void route_contact_patch(request_t *r)
{
    contact_named_t c;
    json_t *body = contact_there(r, &c) ? request_json(r) : NULL;

    if (body != NULL) {
        patch(r, c.id, body);
        json_decref(body);
    }
}
