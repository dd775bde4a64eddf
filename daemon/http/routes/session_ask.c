/* Routes of a session whose answer is the gateway's: QR code, status,
 * disconnecting, reconnecting. */
#include "http/routes/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "domain/audit.h"

#define QR_WAIT_MS     2000
#define STATUS_WAIT_MS 5000

/* How its gateway is reached. */
typedef struct {
    const gateway_account_t *account;
    const gw_driver_t *driver;
    char remote[200];
} session_line_t;

/* false: answered with 400. */
static bool find_line(request_t *r, int64_t session, session_line_t *out)
{
    int rc = request_account(r, session, &out->account, out->remote,
                             sizeof(out->remote));
    if (rc == WERR_NOTFOUND || rc == WERR_TOOBIG) {
        response_bad(&r->response, "The session's gateway is not configured.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        out->driver = gw_driver(out->account->driver);
        if (out->driver == NULL) {
            response_error(&r->response, WERR_SYSTEM);
            rc = WERR_SYSTEM;
        }
    }
    return rc == WERR_OK;
}

/* What `then` needs to know of its session. */
typedef struct {
    session_row_t row;
    session_line_t line;
    bool anew;         /* reconnecting: has been made anew */
    char refusal[256]; /* and the gateway's words, if it would not */
} ask_t;

/* NULL: answered. manage: only for who may change the session. */
static ask_t *new_ask(request_t *r, bool manage)
{
    ask_t *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        response_error(&r->response, WERR_NOMEM);
    } else if (!route_session_found(r, &a->row) ||
               !find_line(r, a->row.id, &a->line) ||
               (manage && !route_session_managed(r, &a->row))) {
        free(a);
        a = NULL;
    }
    return a;
}

/* For a second question: the first one's state ends with its answer. */
static ask_t *ask_again(request_t *r, const ask_t *a)
{
    ask_t *again = malloc(sizeof(*again));
    if (again == NULL) {
        response_error(&r->response, WERR_NOMEM);
        return NULL;
    }
    *again = *a;
    return again;
}

/* A request of the driver about one session. */
typedef int (*build_fn)(const gateway_account_t *account, const char *session,
                        gw_request_t *request);

/* Takes over a and, once the driver has written it, the request. */
static void await_reply(request_t *r, ask_t *a, int rc, gw_request_t *request,
                        int64_t wait_ms, await_fn then)
{
    if (rc != WERR_OK) {
        gw_request_free(request);
        free(a);
        response_error(&r->response, rc);
        return;
    }
    request_await(r, a->line.account, request, wait_ms, then, a);
}

static void ask(request_t *r, ask_t *a, build_fn build, int64_t wait_ms,
                await_fn then)
{
    gw_request_t request;
    gw_request_init(&request);
    int rc = build(a->line.account, a->line.remote, &request);
    await_reply(r, a, rc, &request, wait_ms, then);
}

typedef struct {
    int64_t id;
    const char *raw, *phone;
    int wanted; /* 0, 1; -1: as it is */
} told_t;

static int write_told(tx_t *tx, void *arg)
{
    const told_t *t = arg;
    int rc = t->raw != NULL ? session_set_status(tx, t->id, t->raw, t->phone)
                            : WERR_OK;
    if (rc == WERR_OK && t->wanted >= 0) {
        rc = session_set_wanted(tx, t->id, t->wanted != 0);
    }
    if (rc == WERR_OK && t->wanted >= 0) {
        rc = audit_note(tx, &(audit_t){.action = t->wanted != 0
                                                     ? "session.reconnect"
                                                     : "session.delete",
                                       .session = t->id});
    }
    return rc;
}

/* ---- QR ---- */

static void on_qr(request_t *r, const await_result_t *result, void *state)
{
    const ask_t *a = state;
    gw_answer_t answer;
    buf_t data;
    buf_init(&data, 0);
    a->line.driver->qr_reply(result->http_status, result->body, result->len,
                             &answer, &data);
    /* whoever has it takes the number over */
    response_header(&r->response, "Cache-Control", "no-store");
    route_session_answer(r, answer.ok, answer.ok ? &data : NULL,
                         answer.message);
    buf_free(&data);
}

void route_session_qr(request_t *r)
{
    ask_t *a = new_ask(r, false);
    if (a != NULL) {
        ask(r, a, a->line.driver->session_qr, QR_WAIT_MS, on_qr);
    }
}

/* ---- status ---- */

static void write_status(const session_row_t *row, buf_t *b)
{
    jw_open_object(b, NULL);
    jw_str(b, "session_id", row->wire);
    jw_str(b, "status", row->status);
    jw_str(b, "raw_status", row->raw[0] != '\0' ? row->raw : NULL);
    jw_str(b, "phone_number", row->phone[0] != '\0' ? row->phone : NULL);
    jw_close_object(b);
}

static void on_status(request_t *r, const await_result_t *result, void *state)
{
    const ask_t *a = state;
    gw_answer_t answer;
    gw_session_t told;
    session_row_t row;
    buf_t data;
    a->line.driver->status_reply(result->http_status, result->body, result->len,
                                 &answer, &told);
    if (!answer.ok) {
        route_session_answer(r, false, NULL, answer.message);
        return;
    }
    told_t t = {a->row.id, told.status, told.phone[0] ? told.phone : NULL, -1};
    int rc = domain_write(r->options->domain, write_told, &t);
    if (rc >= 0) {
        rc = session_get(r->db, a->row.id, &row);
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
        return;
    }
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    buf_init(&data, 0);
    write_status(&row, &data);
    route_session_answer(r, true, &data, answer.message);
    buf_free(&data);
}

void route_session_status(request_t *r)
{
    ask_t *a = new_ask(r, false);
    if (a != NULL) {
        ask(r, a, a->line.driver->session_status, STATUS_WAIT_MS, on_status);
    }
}

/* ---- disconnecting ---- */

static void on_delete(request_t *r, const await_result_t *result, void *state)
{
    const ask_t *a = state;
    gw_answer_t answer;
    a->line.driver->session_reply(result->http_status, result->body,
                                  result->len, &answer);
    /* what the gateway does not know is gone already */
    if (!answer.ok && result->http_status != 404) {
        response_bad(&r->response, answer.message);
        return;
    }
    told_t t = {a->row.id, "disconnected", NULL, 0};
    int rc = domain_write(r->options->domain, write_told, &t);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    log_info("http", "msg=\"session disconnected\" session=%s user=%lld",
             log_str(a->row.wire), (long long)r->user.id);
    response_done(&r->response, "Session disconnected");
}

void route_session_delete(request_t *r)
{
    ask_t *a = new_ask(r, true);
    if (a != NULL) {
        ask(r, a, a->line.driver->session_delete, 0, on_delete);
    }
}

/* ---- reconnecting ---- */

static void on_reconnect(request_t *r, const await_result_t *result,
                         void *state);

/* A gateway that cannot reconnect, or does not know it any more, makes it
 * anew. */
static void make_anew(request_t *r, const ask_t *a)
{
    char url[WEBHOOK_URL_MAX];
    gw_request_t request;
    int rc;
    ask_t *again = ask_again(r, a);
    if (again == NULL) {
        return;
    }
    again->anew = true;
    if (!route_webhook_url(r, a->line.account, url)) {
        free(again);
        return;
    }
    gw_request_init(&request);
    rc = a->line.driver->session_create(a->line.account, a->line.remote, url,
                                        &request);
    await_reply(r, again, rc, &request, 0, on_reconnect);
}

static void reconnecting(request_t *r, const ask_t *a, const char *raw)
{
    told_t t = {a->row.id, raw, NULL, 1};
    int rc = domain_write(r->options->domain, write_told, &t);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    route_session_show(r, a->row.id, "Session reconnecting");
}

static void on_refused(request_t *r, const await_result_t *result, void *state)
{
    const ask_t *a = state;
    gw_answer_t answer;
    gw_session_t told;
    a->line.driver->status_reply(result->http_status, result->body, result->len,
                                 &answer, &told);
    if (answer.ok &&
        strcmp(session_status_of(told.status), "disconnected") != 0) {
        reconnecting(r, a, told.status);
    } else {
        response_bad(&r->response, a->refusal);
    }
}

/* What the gateway does not begin anew may be under way, or done: it says. */
static void refused(request_t *r, const ask_t *a, const char *why)
{
    ask_t *again = ask_again(r, a);
    if (again == NULL) {
        return;
    }
    snprintf(again->refusal, sizeof(again->refusal), "%s", why);
    ask(r, again, a->line.driver->session_status, STATUS_WAIT_MS, on_refused);
}

static void on_reconnect(request_t *r, const await_result_t *result,
                         void *state)
{
    const ask_t *a = state;
    gw_answer_t answer;
    a->line.driver->session_reply(result->http_status, result->body,
                                  result->len, &answer);
    if ((result->http_status == 404 || result->http_status == 405) &&
        !a->anew) {
        make_anew(r, a);
        return;
    }
    if (answer.ok) {
        reconnecting(r, a,
                     strcmp(a->row.status, "connected") != 0 ? "connecting"
                                                             : NULL);
    } else if (result->http_status >= 400 && result->http_status < 500) {
        refused(r, a, answer.message);
    } else {
        response_bad(&r->response, answer.message);
    }
}

void route_session_reconnect(request_t *r)
{
    ask_t *a = new_ask(r, true);
    if (a != NULL) {
        ask(r, a, a->line.driver->session_reconnect, 0, on_reconnect);
    }
}
