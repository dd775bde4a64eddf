#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "domain/audit.h"
#include "http/routes/session.h"
#include "http/server.h"

#define NAME_BYTES (SESSION_NAME_MAX * 4)
#define LOOK_MS    5000 /* for the state of what may have been made */

void route_sessions(request_t *r)
{
    buf_t *b = &r->response.body;
    buf_t list;
    buf_init(&list, 0);
    int rc = session_list(r->db, &r->visible, false, &list, NULL);
    if (rc == WERR_OK && list.failed) {
        rc = WERR_NOMEM;
    }
    if (rc == WERR_OK) {
        jw_open_object(b, NULL);
        jw_bool(b, "success", true);
        jw_raw(b, "data", list.data, list.len);
        jw_close_object(b);
    } else {
        response_error(&r->response, rc);
    }
    buf_free(&list);
}

/* ---- a new one ---- */

/* Goes into paths and headers as it is. */
static bool is_plain(const char *name)
{
    return strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == strlen(name) &&
           name[0] != '.';
}

/* The gateway named, else the default one, else the first. */
static const gateway_account_t *account_of(request_t *r, const char *name)
{
    const http_options_t *o = r->options;
    if (name == NULL) {
        name = o->domain->settings.default_account;
    }
    for (size_t i = 0; i < o->naccounts; i++) {
        if (name == NULL || strcmp(o->accounts[i].name, name) == 0) {
            return &o->accounts[i];
        }
    }
    return NULL;
}

typedef struct {
    session_new_t row;
    const gateway_account_t *account;
    char remote[SESSION_REMOTE_MAX + 1], name[NAME_BYTES + 1];
    bool in_time; /* the gateway is not at it any more */
} new_t;

/* The body's fields; false: answered. */
static bool read_new(request_t *r, const json_t *body, new_t *n)
{
    invalid_t invalid = {0};
    const char *remote = invalid_string(&invalid, body, "session_name", true);
    const char *name = invalid_string(&invalid, body, "name", false);
    const char *gateway = invalid_string(&invalid, body, "gateway", false);
    if (remote != NULL &&
        (strlen(remote) > SESSION_REMOTE_MAX || !is_plain(remote))) {
        invalid_add(&invalid, "session_name",
                    "The session name field must be up to %d letters, digits, "
                    "dots, dashes and underscores.",
                    SESSION_REMOTE_MAX);
    }
    route_check_name(&invalid, name);
    n->account = account_of(r, gateway);
    if (gateway != NULL && n->account == NULL) {
        invalid_add(&invalid, "gateway", "The selected gateway is invalid.");
    }
    if (invalid_answer(&invalid, &r->response)) {
        return false;
    }
    if (n->account == NULL) {
        response_bad(&r->response, "No gateway is configured.");
        return false;
    }
    snprintf(n->remote, sizeof(n->remote), "%s", remote);
    snprintf(n->name, sizeof(n->name), "%s", name != NULL ? name : remote);
    n->row =
        (session_new_t){n->account->name, n->remote, n->name, r->user.id, 0};
    return true;
}

static int create(tx_t *tx, void *arg)
{
    session_new_t *n = arg;
    int rc = session_create(tx, n);
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "session.create",
                                                     .session = n->id})
                         : rc;
}

static int discard(tx_t *tx, void *arg)
{
    const session_new_t *n = arg;
    return session_discard(tx, n->id);
}

static void made(request_t *r, const new_t *n, const char *message)
{
    log_info("http", "msg=\"session created\" session=%s user=%lld",
             log_str(n->remote), (long long)r->user.id);
    route_session_show(r, n->row.id, message);
}

static void not_made(request_t *r, new_t *n, const char *message)
{
    int rc = domain_write(r->options->domain, discard, &n->row);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    response_bad(&r->response, message);
}

static const char unanswered[] =
    "The gateway has not answered. If the number does not come, reconnect it.";

/* The request left, and nothing tells what became of it. */
static bool is_unknown(const await_result_t *result)
{
    switch (result->http_status) {
    case 0:
        return !result->not_sent;
    case 408:
    case 502:
    case 504:
        return true;
    default:
        return false;
    }
}

/* Nobody waited for its end: it may be about to be made. */
static bool is_late(const await_result_t *result)
{
    return result->timed_out || result->http_status == 408 ||
           result->http_status == 504;
}

/*
 * It may be there, and only its events tell: they find an owner. So is kept
 * what is not there yet; who waits in vain reconnects it, or deletes it.
 */
static void on_looked(request_t *r, const await_result_t *result, void *state)
{
    new_t *n = state;
    gw_answer_t answer;
    gw_session_t told;
    gw_driver(n->account->driver)
        ->status_reply(result->http_status, result->body, result->len, &answer,
                       &told);
    if (result->http_status == 404 && n->in_time) {
        not_made(r, n, "The gateway did not answer, and has not made it.");
    } else {
        made(r, n, answer.ok ? "Success" : unanswered);
    }
}

static void not_looked(request_t *r, void *state)
{
    response_reset(&r->response, 200);
    made(r, state, unanswered);
}

static void look(request_t *r, const new_t *n, bool in_time)
{
    gw_request_t request;
    new_t *again = malloc(sizeof(*again));
    if (again == NULL) {
        made(r, n, "The gateway has not answered.");
        return;
    }
    *again = *n;
    again->in_time = in_time;
    again->row.remote = again->remote;
    again->row.name = again->name;
    gw_request_init(&request);
    int rc = gw_driver(n->account->driver)
                 ->session_status(n->account, n->remote, &request);
    if (rc != WERR_OK) {
        gw_request_free(&request);
        free(again);
        response_error(&r->response, rc);
        return;
    }
    request_await_or(r, n->account, &request, LOOK_MS, on_looked, not_looked,
                     again);
}

static void on_created(request_t *r, const await_result_t *result, void *state)
{
    new_t *n = state;
    gw_answer_t answer;
    gw_driver(n->account->driver)
        ->session_reply(result->http_status, result->body, result->len,
                        &answer);
    if (answer.ok) {
        made(r, n, answer.message);
    } else if (is_unknown(result)) {
        look(r, n, !is_late(result));
    } else {
        not_made(r, n, answer.message);
    }
}

/* The gateway will not be asked: the name is free again. */
static void not_asked(request_t *r, void *state)
{
    new_t *n = state;
    int rc = domain_write(r->options->domain, discard, &n->row);
    if (rc < 0) {
        response_error(&r->response, rc);
    }
}

/* The row is there before the gateway is asked: its first events find it. */
static void start(request_t *r, new_t *n)
{
    invalid_t invalid = {0};
    char url[WEBHOOK_URL_MAX];
    gw_request_t request;
    const gw_driver_t *driver = gw_driver(n->account->driver);
    if (!route_webhook_url(r, n->account, url)) {
        free(n);
        return;
    }
    gw_request_init(&request);
    int rc = driver != NULL
                 ? driver->session_create(n->account, n->remote, url, &request)
                 : WERR_SYSTEM;
    if (rc == WERR_OK && r->options->gateway != NULL) {
        rc = domain_write(r->options->domain, create, &n->row);
    }
    if (rc == WERR_CONFLICT) {
        invalid_add(&invalid, "session_name",
                    "The session name has already been taken.");
        (void)invalid_answer(&invalid, &r->response);
    } else if (rc < 0) {
        response_error(&r->response, rc);
    }
    if (rc < 0) {
        gw_request_free(&request);
        free(n);
        return;
    }
    request_await_or(r, n->account, &request, 0, on_created, not_asked, n);
}

void route_session_create(request_t *r)
{
    json_t *body = request_json(r);
    if (body == NULL) {
        return;
    }
    new_t *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        response_error(&r->response, WERR_NOMEM);
    } else if (read_new(r, body, n)) {
        start(r, n);
    } else {
        free(n);
    }
    json_decref(body);
}

/* ---- signing in at the gateway ---- */

static void on_login(request_t *r, const await_result_t *result, void *state)
{
    const gateway_account_t *account = *(const gateway_account_t **)state;
    char token[4096] = "";
    if (result->http_status >= 200 && result->http_status < 300) {
        gw_driver(account->driver)
            ->login_reply(result->body, result->len, token, sizeof(token));
    }
    if (token[0] == '\0') {
        response_message(&r->response, 400, "Failed to connect");
        return;
    }
    int rc = outbox_use_token(r->options->outbox, account->name, token);
    explicit_bzero(token, sizeof(token));
    if (rc >= 0) {
        rc = audit_write(
            r->options->domain,
            &(audit_t){.action = "gateway.connect", .detail = account->name});
    }
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    log_info("http", "msg=\"signed in at the gateway\" account=%s user=%lld",
             log_str(account->name), (long long)r->user.id);
    response_message(&r->response, 200, "Connected successfully");
}

static void sign_in(request_t *r, const gateway_account_t *account,
                    const char *email, const char *password)
{
    gateway_account_t with = *account;
    const gw_driver_t *driver = gw_driver(account->driver);
    const gateway_account_t **state = malloc(sizeof(const gateway_account_t *));
    gw_request_t request;
    gw_request_init(&request);
    with.email = email;
    with.password = password;
    int rc = state == NULL ? WERR_NOMEM
             : driver == NULL || r->options->outbox == NULL
                 ? WERR_BUSY
                 : driver->login(&with, &request);
    if (rc != WERR_OK) {
        gw_request_free(&request);
        free(state);
        response_error(&r->response, rc);
        return;
    }
    *state = account;
    request_await(r, account, &request, 0, on_login, state);
}

void route_connect(request_t *r)
{
    invalid_t invalid = {0};
    json_t *body = request_json(r);
    if (body == NULL) {
        return;
    }
    const char *email = invalid_string(&invalid, body, "email", true);
    const char *password = invalid_string(&invalid, body, "password", true);
    const char *name = invalid_string(&invalid, body, "gateway", false);
    const gateway_account_t *account = account_of(r, name);
    if (name != NULL && account == NULL) {
        invalid_add(&invalid, "gateway", "The selected gateway is invalid.");
    }
    if (!invalid_answer(&invalid, &r->response)) {
        if (account != NULL) {
            sign_in(r, account, email, password);
        } else {
            response_message(&r->response, 400, "Failed to connect");
        }
    }
    json_decref(body);
}
