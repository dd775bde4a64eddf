/* scheduled.c - what has not left yet: the list of what is scheduled, another
 * time for it, and withdrawing it; and files that did not come. */
#include <string.h>

#include "base/clock.h"
#include "domain/audit.h"
#include "domain/media.h"
#include "domain/media_url.h"
#include "domain/schedule.h"
#include "http/invalid.h"
#include "http/keyed.h"
#include "http/paging.h"
#include "http/routes/draft.h"
#include "http/routes/routes.h"

/* ---- the list ---- */

static void list(request_t *r, const session_set_t *sessions, int limit,
                 int64_t at, int64_t id)
{
    const media_viewer_t viewer = {r->options->domain, r->user.id};
    schedule_query_t q = {sessions, limit, at, id};
    buf_t *b = &r->response.body;
    bool more = false;
    int rc;

    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = schedule_list(r->db, &q, &viewer, b, "data", &more, &at, &id);
    page_meta(b, more, at, id);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_scheduled(request_t *r)
{
    invalid_t invalid = {0};
    const char *state = request_query(r, "state");
    const char *after = request_query(r, "before");
    const char *wire = request_session(r);
    int64_t at = 0, id = 0, session = 0;
    session_set_t one = {.ids = &session, .n = 1};
    int limit = page_limit(r, &invalid), rc = WERR_OK;

    if (state == NULL || strcmp(state, "scheduled") != 0) {
        invalid_add(&invalid, "state", "The selected state is invalid.");
    }
    if (after != NULL && !cursor_read(after, &at, &id)) {
        invalid_add(&invalid, "before", "The before field is not a cursor.");
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    if (wire != NULL && strcmp(wire, "*") != 0) {
        rc = session_acting(r->db, r->options->domain, &r->user, &r->visible,
                            wire, &session);
    }
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        list(r, session != 0 ? &one : &r->visible, limit, at, id);
    }
}

/* ---- one of them ---- */

typedef struct {
    int64_t message, at, user;
    const domain_t *domain;
    const char *action;
    int (*change)(tx_t *tx, int64_t message, int64_t at);
} change_t;

static int change(tx_t *tx, void *arg)
{
    const change_t *c = arg;
    int rc = c->change(tx, c->message, c->at);

    return rc == WERR_OK ? audit_message(tx, &(audit_t){.user = c->user,
                                                        .action = c->action,
                                                        .object = c->message})
                         : rc;
}

static int answer(tx_t *tx, void *arg, buf_t *out)
{
    const change_t *c = arg;
    const media_viewer_t viewer = {c->domain, c->user};
    int rc = message_write_json_for(tx->db, c->message, &viewer, out, "data");

    jw_str(out, "message", "Success");
    return rc;
}

/* Path parameter 0, if the caller may see it. false: answered. */
static bool message_there(request_t *r, int64_t *id)
{
    int64_t session, chat;
    int rc = request_id(r, 0, id) ? message_place(r->db, *id, &session, &chat)
                                  : WERR_NOTFOUND;

    if (rc == WERR_NOTFOUND ||
        (rc == WERR_OK && !session_set_has(&r->visible, session))) {
        response_not_found(&r->response, "Message not found.");
        return false;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
    return rc == WERR_OK;
}

static void run(request_t *r, change_t *c, invalid_t *invalid, const char *code,
                const char *conflict)
{
    keyed_t k = {change, answer, c, 200, NULL};
    int rc;

    c->user = r->user.id;
    c->domain = r->options->domain;
    rc = keyed_request(r, invalid, &k);
    if (rc == WERR_CONFLICT) {
        response_conflict(&r->response, code, conflict, NULL, 0);
    } else if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Message not found.");
    } else if (rc < 0) {
        response_error(&r->response, rc);
    }
}

static int do_cancel(tx_t *tx, int64_t message, int64_t at)
{
    (void)at;
    return schedule_cancel(tx, message);
}

void route_message_cancel(request_t *r)
{
    change_t c = {.action = "message.cancel", .change = do_cancel};
    invalid_t invalid = {0};

    if (message_there(r, &c.message)) {
        run(r, &c, &invalid, "not_cancellable",
            "Only a message that has not left can be cancelled.");
    }
}

void route_message_move(request_t *r)
{
    change_t c = {.action = "message.reschedule", .change = schedule_move};
    invalid_t invalid = {0};
    json_t *body = message_there(r, &c.message) ? request_json(r) : NULL;

    if (body == NULL) {
        return;
    }
    c.at = draft_schedule(body, &invalid);
    if (c.at == 0) {
        invalid_add(&invalid, "scheduled_at",
                    "The scheduled_at field is required.");
    }
    run(r, &c, &invalid, "not_scheduled",
        "Only a scheduled message can be given another time.");
    json_decref(body);
}

static int do_fetch(tx_t *tx, int64_t message, int64_t at)
{
    (void)at;
    return media_fetch_again(tx, message);
}

void route_media_retry(request_t *r)
{
    change_t c = {.action = "media.retry", .change = do_fetch};
    invalid_t invalid = {0};

    if (message_there(r, &c.message)) {
        run(r, &c, &invalid, "not_retryable",
            "Only a donor's file that could not be fetched can be fetched "
            "again.");
    }
}
