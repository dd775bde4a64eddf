/*
 * backfill.c - fetches a gateway's history of a session.
 */
#include "control/command.h"
#include "domain/backfill.h"

DB_QUERY(backfill_session, "SELECT id FROM sessions WHERE session_id = $1");

bool command_backfill(command_t *c, const json_t *json)
{
    const char *name = command_arg(c, json, "session");
    int64_t session = 0;
    db_stmt_t *s;
    buf_t b;
    int rc;

    if (!name) {
        return false;
    }
    s = db_stmt(c->db, &backfill_session);
    db_bind_text(s, 1, name);
    rc = db_first_i64(s, &session);
    if (rc == WERR_OK) {
        rc = backfill_ask(c->domain, session);
    }
    if (rc == WERR_NOTFOUND) {
        return command_fail(c, "no session \"%s\"", name);
    }
    if (rc < 0) {
        return command_fail(c, "%s", werr_text(rc));
    }
    buf_init(&b, 0);
    rc = backfill_write_json(c->db, session, &b, NULL);
    if (rc == WERR_OK) {
        command_emit(c, &b);
    }
    buf_free(&b);
    return rc == WERR_OK || command_fail(c, "%s", werr_text(rc));
}
