/* session_members.c - whose a session is, who else sees it, which one is
 * meant. */
#include <stdlib.h>
#include <string.h>

#include "domain/audit.h"
#include "http/routes/session.h"

#define MEMBERS_MAX 500

/* ---- members ---- */

static void show_members(request_t *r, int64_t id)
{
    buf_t *b = &r->response.body;
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = session_members(r->db, id, "data", b);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_session_members(request_t *r)
{
    session_row_t row;
    if (route_session_found(r, &row)) {
        show_members(r, row.id);
    }
}

typedef struct {
    int64_t id;
    size_t n;
    int64_t users[MEMBERS_MAX];
} members_t;

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static bool read_members(const json_t *body, invalid_t *invalid, members_t *m)
{
    const json_t *list = json_object_get(body, "user_ids"), *v;
    size_t i;
    if (list == NULL) {
        invalid_add(invalid, "user_ids", "The user ids field is required.");
        return false;
    }
    if (!json_is_array(list) || json_array_size(list) > MEMBERS_MAX) {
        invalid_add(invalid, "user_ids",
                    "The user ids field must be a list of up to %d ids.",
                    MEMBERS_MAX);
        return false;
    }
    json_array_foreach(list, i, v)
    {
        if (!json_is_integer(v) || json_integer_value(v) < 1) {
            invalid_add(invalid, "user_ids",
                        "The user ids field must hold ids.");
            return false;
        }
        m->users[m->n++] = json_integer_value(v);
    }
    qsort(m->users, m->n, sizeof(m->users[0]), compare);
    size_t kept = 0;
    for (i = 0; i < m->n; i++) {
        if (kept == 0 || m->users[kept - 1] != m->users[i]) {
            m->users[kept++] = m->users[i];
        }
    }
    m->n = kept;
    return true;
}

static int set_members(tx_t *tx, void *arg)
{
    const members_t *m = arg;
    int rc = session_set_members(tx, m->id, m->users, m->n);
    return rc == WERR_OK
               ? audit_note(tx, &(audit_t){.action = "session.members",
                                           .session = m->id})
               : rc;
}

static void put_members(request_t *r, const json_t *body, members_t *m)
{
    invalid_t invalid = {0};
    if (!read_members(body, &invalid, m)) {
        (void)invalid_answer(&invalid, &r->response);
        return;
    }
    int rc = domain_write(r->options->domain, set_members, m);
    if (rc == WERR_NOTFOUND) {
        invalid_add(&invalid, "user_ids", "The selected user ids is invalid.");
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    } else {
        show_members(r, m->id);
    }
}

void route_session_set_members(request_t *r)
{
    session_row_t row;
    if (!route_session_found(r, &row) || !route_session_managed(r, &row)) {
        return;
    }
    json_t *body = request_json(r);
    members_t *m = calloc(1, sizeof(*m));
    if (body != NULL && m != NULL) {
        m->id = row.id;
        put_members(r, body, m);
    } else if (body != NULL) {
        response_error(&r->response, WERR_NOMEM);
    }
    free(m);
    json_decref(body);
}

/* ---- name and owner ---- */

typedef struct {
    int64_t id, owner;
    const char *name;
    bool new_owner;
} patch_t;

static int patch(tx_t *tx, void *arg)
{
    const patch_t *p = arg;
    int rc = WERR_OK;
    if (p->name != NULL) {
        rc = session_rename(tx, p->id, p->name);
    }
    if (rc == WERR_OK && p->new_owner) {
        rc = session_set_owner(tx, p->id, p->owner);
    }
    if (rc == WERR_OK) {
        rc = audit_note(tx,
                        &(audit_t){.action = "session.change",
                                   .session = p->id,
                                   .object = p->owner,
                                   .detail = !p->new_owner     ? "name"
                                             : p->name == NULL ? "owner"
                                                               : "name owner"});
    }
    return rc;
}

static void read_owner(const json_t *body, invalid_t *invalid, patch_t *p)
{
    const json_t *v = json_object_get(body, "user_id");
    p->new_owner = v != NULL;
    if (json_is_integer(v) && json_integer_value(v) > 0) {
        p->owner = json_integer_value(v);
    } else if (v != NULL && !json_is_null(v)) {
        invalid_add(invalid, "user_id", "The user id field must be an id.");
    }
}

static void change(request_t *r, const session_row_t *row, const json_t *body)
{
    invalid_t invalid = {0};
    patch_t p = {.id = row->id};
    p.name = invalid_string(&invalid, body, "name", false);
    if (p.name == NULL && json_object_get(body, "name") != NULL) {
        invalid_add(&invalid, "name", "The name field must not be empty.");
    }
    route_check_name(&invalid, p.name);
    read_owner(body, &invalid, &p);
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    /* an owner who gives it away could not take it back */
    if (p.new_owner && r->user.role == ROLE_CS) {
        response_message(&r->response, 403, "Forbidden.");
        return;
    }
    int rc = domain_write(r->options->domain, patch, &p);
    if (rc == WERR_NOTFOUND) {
        invalid_add(&invalid, "user_id", "The selected user id is invalid.");
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    } else {
        route_session_show(r, row->id, "Session updated");
    }
}

void route_session_change(request_t *r)
{
    session_row_t row;
    if (!route_session_found(r, &row) || !route_session_managed(r, &row)) {
        return;
    }
    json_t *body = request_json(r);
    if (body != NULL) {
        change(r, &row, body);
    }
    json_decref(body);
}

/* ---- the one that is meant ---- */

typedef struct {
    int64_t user, session;
} active_t;

static int activate(tx_t *tx, void *arg)
{
    const active_t *a = arg;
    return session_activate(tx, a->user, a->session);
}

void route_switch_session(request_t *r)
{
    invalid_t invalid = {0};
    active_t a = {.user = r->user.id};
    json_t *body = request_json(r);
    if (body == NULL) {
        return;
    }
    const char *wire = invalid_string(&invalid, body, "session_id", true);
    int rc = wire != NULL
                 ? session_find_visible(r->db, &r->visible, wire, &a.session)
                 : WERR_OK;
    if (rc == WERR_NOTFOUND) {
        invalid_add(&invalid, "session_id",
                    "The selected session id is invalid.");
        rc = WERR_OK;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else if (!invalid_answer(&invalid, &r->response)) {
        rc = domain_write(r->options->domain, activate, &a);
        if (rc < 0) {
            response_error(&r->response, rc);
        } else {
            response_done(&r->response, "Session switched");
        }
    }
    json_decref(body);
}
