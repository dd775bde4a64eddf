/* audit.c - who did what, for administrators. */
#include "domain/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/paging.h"
#include "http/routes/contact.h"
#include "http/routes/routes.h"

#define ACTION_MAX 64

static void read_id(const request_t *r, invalid_t *invalid, const char *name,
                    int64_t *out)
{
    const char *text = request_query(r, name);

    if (text != NULL && !parse_int(text, 1, INT64_MAX, out)) {
        invalid_add(invalid, name, "The %s field must be an integer.", name);
    }
}

/* *nobody: of a contact that is not there. */
static int read_query(const request_t *r, invalid_t *invalid, audit_query_t *q,
                      bool *nobody)
{
    const char *contact = request_query(r, "contact");
    contact_named_t c;
    int rc = WERR_OK;

    q->limit = page_limit(r, invalid);
    q->action = request_query(r, "action");
    if (q->action != NULL && *q->action == '\0') {
        q->action = NULL;
    } else if (q->action != NULL && strlen(q->action) > ACTION_MAX) {
        invalid_add(invalid, "action", "The selected action is invalid.");
    }
    read_id(r, invalid, "user", &q->user);
    read_id(r, invalid, "before", &q->before);
    if (contact != NULL && *contact != '\0') {
        rc = contact_of_text(r, contact, &c);
        *nobody = rc == WERR_INVALID || (rc == WERR_OK && c.id == 0);
        q->contact = rc == WERR_OK ? c.id : 0;
        rc = rc == WERR_INVALID ? WERR_OK : rc;
    }
    return rc;
}

void route_audit(request_t *r)
{
    invalid_t invalid = {0};
    audit_query_t q = {0};
    buf_t *b = &r->response.body;
    int64_t last = 0;
    bool more = false, nobody = false;
    char next[24] = "";
    int rc = read_query(r, &invalid, &q, &nobody);

    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    if (nobody) {
        jw_open_array(b, "data");
        jw_close_array(b);
    } else {
        rc = audit_list(r->db, &q, b, "data", &more, &last);
    }
    snprintf(next, sizeof(next), "%" PRId64, last);
    jw_open_object(b, "meta");
    jw_bool(b, "hasMore", more);
    jw_str(b, "next", more ? next : NULL);
    jw_close_object(b);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}
