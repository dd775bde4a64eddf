/* contact_file.c - what is kept of a person, on their request: told, or
 * erased. For administrators. */
#include "domain/contact_file.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "domain/audit.h"
#include "http/invalid.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"
#include "http/spill.h"

/* On disk first, as a long chat may be of any size. */
static int answer_export(request_t *r, int64_t contact)
{
    const media_viewer_t viewer = {r->options->domain, r->user.id};
    FILE *out = NULL;
    int rc = spill_file(r->options->domain, &out);

    if (rc == WERR_OK) {
        rc = db_read_begin(r->db);
    }
    if (rc == WERR_OK) {
        rc = contact_export(r->db, &viewer, contact, out);
        db_read_end(r->db);
    }
    if (rc == WERR_OK) {
        rc = response_file(&r->response, fileno(out), RESPONSE_JSON);
    }
    if (out != NULL) {
        (void)fclose(out);
    }
    return rc;
}

void route_contact_export(request_t *r)
{
    audit_t a = {.user = r->user.id, .action = "contact.export"};
    contact_named_t c;
    char name[64];
    int rc;

    if (!contact_there(r, &c)) {
        return;
    }
    a.contact = c.id;
    rc = audit_write(r->options->domain, &a);
    if (rc >= 0) {
        rc = answer_export(r, c.id);
    }
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    snprintf(name, sizeof(name), "attachment; filename=\"contact-%lld.json\"",
             (long long)c.id);
    response_header(&r->response, "Content-Disposition", name);
    response_header(&r->response, "Cache-Control", "no-store");
}

static void erase(request_t *r, const contact_named_t *c, const json_t *body)
{
    invalid_t invalid = {0};
    const char *confirm = invalid_string(&invalid, body, "confirm", true);
    contact_named_t other;
    int rc;

    if (confirm != NULL &&
        (contact_of_text(r, confirm, &other) != WERR_OK || other.id != c->id)) {
        invalid_add(&invalid, "confirm",
                    "The confirm field must be the phone of the contact.");
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    rc = contact_erase(r->options->domain, r->db, c->id, r->user.id);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    log_info("http", "msg=\"contact erased\" contact=%lld user=%lld",
             (long long)c->id, (long long)r->user.id);
    response_done(&r->response, "Contact erased");
}

void route_contact_erase(request_t *r)
{
    contact_named_t c;
    json_t *body = contact_there(r, &c) ? request_json(r) : NULL;

    if (body != NULL) {
        erase(r, &c, body);
        json_decref(body);
    }
}
