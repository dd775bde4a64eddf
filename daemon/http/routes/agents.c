#include <string.h>

#include "http/invalid.h"
#include "http/routes/routes.h"

static void show(request_t *r, int status, int64_t id)
{
    buf_t *b = &r->response.body;
    response_reset(&r->response, status);
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = id != 0 ? user_write(r->db, id, "data", b)
                     : user_list(r->db, "data", b);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_agents(request_t *r)
{
    show(r, 200, 0);
}

static void check_texts(invalid_t *invalid, const char *name,
                        const char *password)
{
    if (name != NULL && strlen(name) >= USER_TEXT_MAX) {
        invalid_add(invalid, "name",
                    "The name field must not be greater than %d bytes.",
                    USER_TEXT_MAX - 1);
    }
    invalid_password(invalid, "password", password);
}

/* false: none, or a wrong one. */
static bool read_role(invalid_t *invalid, const json_t *body, bool required,
                      role_t *role)
{
    const char *text = invalid_string(invalid, body, "role", required);
    if (text == NULL || role_parse(text, role)) {
        return text != NULL;
    }
    invalid_add(invalid, "role", "The selected role is invalid.");
    return false;
}

static void add(request_t *r, const json_t *body)
{
    invalid_t invalid = {0};
    role_t role = ROLE_CS;
    int64_t id = 0;
    const char *name = invalid_string(&invalid, body, "name", true);
    const char *email = invalid_string(&invalid, body, "email", true);
    const char *password = invalid_string(&invalid, body, "password", true);
    (void)read_role(&invalid, body, true, &role);
    check_texts(&invalid, name, password);
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    int rc = user_add(r->options->domain, name, email, role, password, &id);
    if (rc == WERR_CONFLICT) {
        invalid_add(&invalid, "email", "The email has already been taken.");
    } else if (rc == WERR_INVALID) {
        invalid_add(&invalid, "email",
                    "The email field must be a valid email address.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    if (!invalid_answer(&invalid, &r->response)) {
        show(r, 201, id);
    }
}

void route_agent_add(request_t *r)
{
    json_t *body = request_json(r);
    if (body != NULL) {
        add(r, body);
    }
    json_decref(body);
}

/* There, but of no use as it is. */
static void check_present(invalid_t *invalid, const json_t *body,
                          const char *field, bool taken)
{
    if (!taken && json_object_get(body, field) != NULL) {
        invalid_add(invalid, field, "The %s field must not be empty.", field);
    }
}

static void change(request_t *r, int64_t id, const json_t *body)
{
    invalid_t invalid = {0};
    role_t role;
    const json_t *active = json_object_get(body, "active");
    bool on = json_is_true(active);
    user_change_t c = {0};
    c.name = invalid_string(&invalid, body, "name", false);
    c.password = invalid_string(&invalid, body, "password", false);
    if (read_role(&invalid, body, false, &role)) {
        c.role = &role;
    }
    if (json_is_boolean(active)) {
        c.active = &on;
    } else if (active != NULL) {
        invalid_add(&invalid, "active",
                    "The active field must be true or false.");
    }
    check_texts(&invalid, c.name, c.password);
    check_present(&invalid, body, "name", c.name != NULL);
    check_present(&invalid, body, "role", c.role != NULL);
    check_present(&invalid, body, "password", c.password != NULL);
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    int rc = user_change(r->options->domain, id, &c);
    if (rc == WERR_CONFLICT && c.last_admin) {
        response_conflict(&r->response, "last_admin",
                          "The last administrator stays.", NULL, 0);
    } else if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Agent not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        show(r, 200, id);
    }
}

void route_agent_change(request_t *r)
{
    int64_t id;
    user_t user;
    int rc = request_id(r, 0, &id) ? user_get(r->db, id, &user) : WERR_NOTFOUND;
    if (rc != WERR_OK) {
        if (rc == WERR_NOTFOUND) {
            response_not_found(&r->response, "Agent not found.");
        } else {
            response_error(&r->response, rc);
        }
        return;
    }
    json_t *body = request_json(r);
    if (body != NULL) {
        change(r, id, body);
    }
    json_decref(body);
}

void route_agent_logout(request_t *r)
{
    int64_t id;
    bool read = request_id(r, 0, &id);
    if (r->user.role != ROLE_ADMIN && (!read || id != r->user.id)) {
        response_message(&r->response, 403, "Forbidden.");
        return;
    }
    int rc = read ? user_logout(r->options->domain, id) : WERR_NOTFOUND;
    if (rc == WERR_OK) {
        show(r, 200, id);
    } else if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Agent not found.");
    } else {
        response_error(&r->response, rc);
    }
}
