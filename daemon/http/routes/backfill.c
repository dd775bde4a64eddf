/* A gateway's history of a session: fetch it, and how far that is. */
#include "domain/backfill.h"

#include "http/routes/session.h"

static void show(request_t *r, int64_t session, const char *message)
{
    buf_t data;
    buf_init(&data, 0);
    int rc = backfill_write_json(r->db, session, &data, NULL);
    if (rc == WERR_OK && data.failed) {
        rc = WERR_NOMEM;
    }
    if (rc == WERR_OK) {
        route_session_answer(r, true, &data, message);
    } else {
        response_error(&r->response, rc);
    }
    buf_free(&data);
}

void route_backfill(request_t *r)
{
    session_row_t session;
    if (route_session_found(r, &session)) {
        show(r, session.id, "Success");
    }
}

void route_backfill_start(request_t *r)
{
    session_row_t session;
    if (!route_session_found(r, &session)) {
        return;
    }
    if (r->user.role == ROLE_CS) {
        response_message(&r->response, 403, "Forbidden.");
        return;
    }
    int rc = backfill_ask(r->options->domain, session.id);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    show(r, session.id, "Backfill started");
}
