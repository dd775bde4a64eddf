/* templates.c - the team's templates: all may read them, leads write them. */
#include <string.h>

#include "domain/audit.h"
#include "domain/template.h"
#include "http/invalid.h"
#include "http/keyed.h"
#include "http/paging.h"
#include "http/routes/contact.h"
#include "http/routes/draft.h"
#include "http/routes/routes.h"

#define SEARCH_MAX       200 /* bytes */
#define GATEWAY_NAME_MAX 100 /* characters */
#define LANGUAGE_MAX     20

typedef struct {
    int64_t user;
    int64_t id; /* 0: a new one */
    int64_t saved;
    const json_t *body;
    template_t fields; /* of body; NULL: not told */
} template_job_t;

static const char *read_text(invalid_t *invalid, const json_t *body,
                             const char *field, bool required, size_t max)
{
    const char *text = invalid_string(invalid, body, field, required);

    if (text != NULL && draft_characters(text) > max) {
        invalid_add(invalid, field,
                    "The %s field must not be greater than %zu characters.",
                    field, max);
    }
    return text;
}

static bool has(const json_t *body, const char *field)
{
    return json_object_get(body, field) != NULL;
}

/* Of a new one all that must be is required; of another what is there. */
static void read_fields(template_job_t *j, invalid_t *invalid)
{
    bool all = j->id == 0;

    j->fields = (template_t){
        .name = read_text(invalid, j->body, "name", all || has(j->body, "name"),
                          TEMPLATE_NAME_MAX),
        .content =
            read_text(invalid, j->body, "content",
                      all || has(j->body, "content"), TEMPLATE_CONTENT_MAX),
        .gateway_name = read_text(invalid, j->body, "gateway_name", false,
                                  GATEWAY_NAME_MAX),
        .language =
            read_text(invalid, j->body, "language", false, LANGUAGE_MAX),
    };
}

/* What is there, with the fields that were told in its place. */
static int change(tx_t *tx, template_job_t *j)
{
    template_row_t row;
    template_t t = j->fields;
    int rc = template_get(tx->db, j->id, &row);

    if (rc != WERR_OK) {
        return rc;
    }
    t.name = t.name != NULL ? t.name : row.name;
    t.content = t.content != NULL ? t.content : row.content;
    t.gateway_name =
        has(j->body, "gateway_name") ? t.gateway_name : row.gateway_name;
    t.language = has(j->body, "language") ? t.language : row.language;
    rc = template_set(tx, j->id, &t);
    template_free(&row);
    return rc;
}

static int save(tx_t *tx, void *arg)
{
    template_job_t *j = arg;
    int64_t id = j->id;
    int rc = id == 0 ? template_add(tx, &j->fields, &id) : change(tx, j);

    if (rc == WERR_OK) {
        rc = audit_note(tx, &(audit_t){.user = j->user,
                                       .action = j->id == 0 ? "template.create"
                                                            : "template.update",
                                       .object = id});
    }
    j->saved = id;
    return rc;
}

static void answer_one(request_t *r, int status, int64_t id)
{
    buf_t *b = &r->response.body;
    int rc;

    response_reset(&r->response, status);
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = template_write(r->db, id, b, "data");
    jw_close_object(b);
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Template not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

static int write_saved(tx_t *tx, void *arg, buf_t *out)
{
    const template_job_t *j = arg;

    return template_write(tx->db, j->saved, out, "data");
}

static void write_one(request_t *r, int64_t id)
{
    invalid_t invalid = {0};
    template_job_t j = {.user = r->user.id, .id = id};
    keyed_t k = {save, write_saved, &j, id == 0 ? 201 : 200, NULL};
    json_t *body = contact_by_lead(r) ? request_json(r) : NULL;
    int rc;

    if (body == NULL) {
        return;
    }
    j.body = body;
    read_fields(&j, &invalid);
    rc = keyed_request(r, &invalid, &k);
    if (rc == WERR_CONFLICT) {
        invalid_add(&invalid, "name", "The name has already been taken.");
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Template not found.");
    } else if (rc < 0) {
        response_error(&r->response, rc);
    }
    json_decref(body);
}

void route_templates(request_t *r)
{
    invalid_t invalid = {0};
    const char *search = request_query(r, "search");
    int limit = page_limit(r, &invalid), rc;
    buf_t *b = &r->response.body;

    if (search != NULL && strlen(search) > SEARCH_MAX) {
        invalid_add(&invalid, "search",
                    "The search field must not be greater than %d bytes.",
                    SEARCH_MAX);
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = template_list(r->db, search != NULL && *search != '\0' ? search : NULL,
                       limit, b, "data");
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_template_add(request_t *r)
{
    write_one(r, 0);
}

void route_template(request_t *r)
{
    int64_t id;

    if (request_id(r, 0, &id)) {
        answer_one(r, 200, id);
    } else {
        response_not_found(&r->response, "Template not found.");
    }
}

void route_template_change(request_t *r)
{
    int64_t id;

    if (request_id(r, 0, &id)) {
        write_one(r, id);
    } else if (contact_by_lead(r)) {
        response_not_found(&r->response, "Template not found.");
    }
}

static int drop(tx_t *tx, void *arg)
{
    const template_job_t *j = arg;
    int rc = template_remove(tx, j->id);

    return rc == WERR_OK
               ? audit_note(tx, &(audit_t){.user = j->user,
                                           .action = "template.delete",
                                           .object = j->id})
               : rc;
}

void route_template_delete(request_t *r)
{
    template_job_t j = {.user = r->user.id};
    int rc;

    if (!contact_by_lead(r)) {
        return;
    }
    rc = request_id(r, 0, &j.id) ? domain_write(r->options->domain, drop, &j)
                                 : WERR_NOTFOUND;
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Template not found.");
    } else if (rc < 0) {
        response_error(&r->response, rc);
    } else {
        response_done(&r->response, "Template deleted");
    }
}
