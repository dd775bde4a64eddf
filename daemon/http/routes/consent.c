/* consent.c - who does not want to be written to, as colleagues note it. */
#include <string.h>

#include "domain/consent.h"
#include "domain/contact.h"
#include "http/keyed.h"
#include "http/routes/contact.h"
#include "http/routes/draft.h"
#include "http/routes/routes.h"

void route_consent(request_t *r)
{
    contact_named_t c;
    buf_t *b = &r->response.body;
    int rc;

    if (!contact_there(r, &c)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = consent_write(r->db, c.id, b, "data");
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

static int record(tx_t *tx, void *arg)
{
    consent_t *c = arg;
    int rc = contact_now(tx, c->contact, &c->contact);

    return rc == WERR_OK ? consent_record(tx, c) : rc;
}

static void read_consent(const json_t *body, invalid_t *invalid, consent_t *c)
{
    const char *state = invalid_string(invalid, body, "state", true);

    c->opted_out = state != NULL && strcmp(state, "opt_out") == 0;
    if (state != NULL && !c->opted_out && strcmp(state, "opt_in") != 0) {
        invalid_add(invalid, "state", "The selected state is invalid.");
    }
    /* that somebody may be written to again needs its reason */
    c->note =
        invalid_string(invalid, body, "note", state != NULL && !c->opted_out);
    if (c->note != NULL && draft_characters(c->note) > CONSENT_NOTE_MAX) {
        invalid_add(invalid, "note",
                    "The note field must not be greater than %d characters.",
                    CONSENT_NOTE_MAX);
    }
}

static int write_ledger(tx_t *tx, void *arg, buf_t *out)
{
    const consent_t *c = arg;

    return consent_write(tx->db, c->contact, out, "data");
}

static void post(request_t *r, int64_t contact, const json_t *body)
{
    invalid_t invalid = {0};
    consent_t c = {.contact = contact, .how = "agent", .user = r->user.id};
    keyed_t k = {record, write_ledger, &c, 201, &c.contact};
    int rc;

    read_consent(body, &invalid, &c);
    if (invalid.n == 0 && !c.opted_out && !contact_by_lead(r)) {
        return;
    }
    rc = keyed_request(r, &invalid, &k);
    if (rc < 0) {
        response_error(&r->response, rc);
    }
}

void route_consent_set(request_t *r)
{
    contact_named_t c;
    json_t *body = contact_there(r, &c) ? request_json(r) : NULL;

    if (body != NULL) {
        post(r, c.id, body);
        json_decref(body);
    }
}
