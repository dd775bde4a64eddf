/* merges.c - contacts that are one person, and are not after all. */
#include <string.h>

#include "domain/contact.h"
#include "domain/contact_json.h"
#include "domain/contact_merge.h"
#include "http/keyed.h"
#include "http/paging.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"

typedef struct {
    int64_t into, from, user, id;
    const char *gone; /* the field whose contact is there no more */
} merge_job_t;

/* Neither merged by somebody else meanwhile, nor erased. */
static int check_side(tx_t *tx, merge_job_t *j, const char *field, int64_t id)
{
    int64_t now;
    int rc = contact_now(tx, id, &now);

    if (rc == WERR_OK && now != id) {
        rc = WERR_NOTFOUND;
    }
    j->gone = rc == WERR_NOTFOUND ? field : NULL;
    return rc;
}

static int do_merge(tx_t *tx, void *arg)
{
    merge_job_t *j = arg;
    int rc = check_side(tx, j, "from", j->from);

    if (rc == WERR_OK) {
        rc = check_side(tx, j, "into", j->into);
    }
    return rc == WERR_OK
               ? contact_merge_by(tx, j->into, j->from, j->user, &j->id)
               : rc;
}

static int do_undo(tx_t *tx, void *arg)
{
    merge_job_t *j = arg;

    return contact_unmerge(tx, j->id, j->user, &j->into, &j->from);
}

static void refuse_side(invalid_t *invalid, const char *field)
{
    invalid_add(invalid, field, "The selected %s is invalid.", field);
}

/* Who a field names. 0: answered, or noted in invalid. */
static int64_t read_side(request_t *r, const json_t *body, invalid_t *invalid,
                         const char *field)
{
    contact_named_t c = {.id = 0};
    const char *text = invalid_string(invalid, body, field, true);
    int rc = text != NULL ? contact_of_text(r, text, &c) : WERR_OK;

    if (rc == WERR_INVALID || (rc == WERR_OK && c.id == 0)) {
        refuse_side(invalid, field);
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
    return c.id;
}

static int write_data(db_t *db, const domain_t *d, const merge_job_t *j,
                      bool undone, buf_t *b)
{
    int rc;

    jw_open_object(b, "data");
    jw_i64(b, "id", j->id);
    rc = contact_write_brief(db, d, j->into, b, "into");
    if (rc == WERR_OK && undone) {
        rc = contact_write_brief(db, d, j->from, b, "from");
    }
    jw_close_object(b);
    return rc;
}

static int write_merged(tx_t *tx, void *arg, buf_t *out)
{
    return write_data(tx->db, tx->domain, arg, false, out);
}

static void answer_undone(request_t *r, const merge_job_t *j)
{
    buf_t *b = &r->response.body;
    int rc;

    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = write_data(r->db, r->options->domain, j, true, b);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

static void merge(request_t *r, const json_t *body)
{
    invalid_t invalid = {0};
    merge_job_t j = {.user = r->user.id};
    keyed_t k = {do_merge, write_merged, &j, 200, &j.into};
    int rc;

    j.from = read_side(r, body, &invalid, "from");
    j.into = read_side(r, body, &invalid, "into");
    if (j.from != 0 && j.from == j.into) {
        invalid_add(&invalid, "into",
                    "The into field and from must be different.");
    }
    if (invalid.n == 0 && (j.from == 0 || j.into == 0)) {
        return; /* a fault, and answered */
    }
    rc = keyed_request(r, &invalid, &k);
    if (rc == WERR_NOTFOUND && j.gone != NULL) {
        refuse_side(&invalid, j.gone);
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    }
}

void route_contact_merge(request_t *r)
{
    json_t *body = contact_by_lead(r) ? request_json(r) : NULL;

    if (body != NULL) {
        merge(r, body);
        json_decref(body);
    }
}

void route_merge_undo(request_t *r)
{
    merge_job_t j = {.user = r->user.id};
    int rc;

    if (!contact_by_lead(r)) {
        return;
    }
    rc = request_id(r, 0, &j.id) ? domain_write(r->options->domain, do_undo, &j)
                                 : WERR_NOTFOUND;
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Merge not found.");
    } else if (rc == WERR_CONFLICT) {
        response_conflict(&r->response, "not_undoable",
                          "It is undone already, or something newer stands "
                          "in the way: undo later merges first.",
                          NULL, 0);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    } else {
        answer_undone(r, &j);
    }
}

void route_merges(request_t *r)
{
    invalid_t invalid = {0};
    int64_t ts, before = INT64_MAX, last = 0;
    int limit = page_limit(r, &invalid), rc;
    const char *text = request_query(r, "before");
    bool more = false;
    buf_t *b = &r->response.body;

    if (text != NULL && !cursor_read(text, &ts, &before)) {
        invalid_add(&invalid, "before", "The before field is not a cursor.");
    }
    if (!contact_by_lead(r) || invalid_answer(&invalid, &r->response)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = merge_page(r->db, limit, before, b, "data", &more, &last);
    page_meta(b, more, 0, last);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}
