#include "base/clock.h"
#include "domain/dashboard.h"
#include "domain/session_row.h"
#include "http/routes/routes.h"

static void write_seconds(buf_t *b, const char *key, int64_t seconds)
{
    if (seconds < 0) {
        jw_null(b, key);
    } else {
        jw_i64(b, key, seconds);
    }
}

static void write_figures(const dashboard_t *d, int64_t now, buf_t *b)
{
    jw_open_object(b, "today");
    jw_open_array(b, "hours");
    for (int hour = 0; hour < DASHBOARD_HOURS; hour++) {
        jw_open_object(b, NULL);
        jw_i64(b, "hour", hour);
        jw_i64(b, "incoming", d->in[hour]);
        jw_i64(b, "outgoing", d->out[hour]);
        jw_close_object(b);
    }
    jw_close_array(b);
    jw_open_object(b, "first_response");
    jw_i64(b, "count", d->responses);
    write_seconds(b, "median_seconds", d->median_s);
    write_seconds(b, "p90_seconds", d->p90_s);
    jw_close_object(b);
    jw_close_object(b);
    jw_open_object(b, "unanswered");
    jw_i64(b, "count", d->unanswered);
    write_seconds(b, "oldest_seconds",
                  d->oldest == 0    ? -1
                  : d->oldest > now ? 0
                                    : (now - d->oldest) / 1000);
    jw_close_object(b);
    jw_open_object(b, "sending");
    jw_i64(b, "queued", d->queued);
    jw_i64(b, "failed", d->failed);
    jw_close_object(b);
}

static int read_all(request_t *r, int64_t now, buf_t *list,
                    session_sums_t *sums, dashboard_t *d)
{
    int rc = db_read_begin(r->db);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = session_list(r->db, &r->visible, true, list, sums);
    if (rc == WERR_OK) {
        rc = dashboard_read(r->db, &r->options->domain->settings, &r->visible,
                            now, d);
    }
    db_read_end(r->db);
    return rc == WERR_OK && list->failed ? WERR_NOMEM : rc;
}

void route_dashboard(request_t *r)
{
    int64_t now = clock_now_ms();
    session_sums_t sums;
    dashboard_t figures;
    buf_t list;
    buf_t *b = &r->response.body;
    buf_init(&list, 0);
    int rc = read_all(r, now, &list, &sums, &figures);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else {
        jw_open_object(b, NULL);
        jw_bool(b, "success", true);
        jw_raw(b, "sessions", list.data, list.len);
        jw_open_object(b, "summary");
        jw_i64(b, "total_sessions", sums.sessions);
        jw_i64(b, "connected", sums.connected);
        jw_i64(b, "total_active_chats", sums.chats);
        jw_close_object(b);
        write_figures(&figures, now, b);
        jw_close_object(b);
    }
    buf_free(&list);
}
