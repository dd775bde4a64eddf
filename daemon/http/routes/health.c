#include "http/routes/routes.h"

DB_QUERY(health_probe, "SELECT value FROM counters WHERE name = 'event_seq'");

void route_health(request_t *r)
{
    spool_stat_t st;
    db_stmt_t *s = db_stmt(r->db, &health_probe);
    bool ok = db_first(s) == DB_ROW;
    db_done(s);
    if (ok && r->options->spool != NULL) {
        ok = spool_stat(r->options->spool, &st) == SPOOL_OK;
    }
    if (!ok) {
        response_reset(&r->response, 503);
        response_header(&r->response, "Retry-After", "1");
    }
    jw_open_object(&r->response.body, NULL);
    jw_str(&r->response.body, "status", ok ? "ok" : "fail");
    jw_close_object(&r->response.body);
}
