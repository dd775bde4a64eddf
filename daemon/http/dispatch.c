#include "http/dispatch.h"

#include "base/clock.h"
#include "http/server.h"

/* Who arrived while one was rendering may need the next one, and that may
 * fail. */
#define FOLLOW_MAX 3

/* What needs no worker; false: it needs one. */
static bool answer_at_once(request_t *r)
{
    if (r->found == ROUTE_UNKNOWN) {
        response_not_found(&r->response, "Not Found");
    } else if (r->found == ROUTE_METHOD) {
        response_message(&r->response, 405, "Method Not Allowed");
        response_header(&r->response, "Allow", r->match.allow);
    } else if (r->body.domain == NULL || spill_end(&r->body) == WERR_OK) {
        return false;
    } else if (r->body.rc == WERR_TOOBIG) {
        response_message(&r->response, 413, "The body is too large.");
    } else {
        response_error(&r->response, r->body.rc);
    }
    return true;
}

enum MHD_Result request_send(request_t *r)
{
    if (r->mhd == NULL) {
        return MHD_NO; /* no memory for an answer */
    }
    if (r->closing && !r->shared) {
        (void)MHD_add_response_header(r->mhd, "Connection", "close");
    }
    long row = r->match.route != NULL ? r->match.route - http_routes : -1;
    stats_count(&r->server->stats, row, r->response.status,
                clock_mono_us() - r->started_us);
    r->state = REQUEST_SENT;
    return MHD_queue_response(r->connection, (unsigned)r->response.status,
                              r->mhd);
}

/* Which view it is, if it has been asked for so before and nothing that
 * decides it has changed since. Who asks is read from each request. */
static bool find_view(request_t *r, view_t *view)
{
    http_server_t *s = r->server;
    if ((r->match.route->flags & ROUTE_VIEW) == 0 ||
        identity_read(r->connection, &r->identity) != IDENTITY_OK) {
        return false;
    }
    const view_ask_t ask = {r->identity.user, request_header(r, "X-Session-Id"),
                            r->target};
    return views_find(s->views, &ask, view) &&
           view->day == domain_today(s->options.domain);
}

/*
 * From the cache, if what it has is of the time when the request came, or
 * later. What has been committed since does not count: else commits that come
 * faster than bodies would keep all of them waiting. Unless the list is of
 * something else by now: what happened there before is not known.
 */
static bool answer_view(request_t *r, const view_t *view)
{
    http_server_t *s = r->server;
    if (r->followed == 0 || view->topics != r->topics) {
        int64_t changed = store_changed(s->options.domain->store, view->topics);
        r->needed = changed > r->needed ? changed : r->needed;
        r->topics = view->topics;
    }
    ready_t *ready = cache_peek(s->cache, view->key, view->len, r->needed);
    if (ready == NULL) {
        return false;
    }
    response_ready(&r->response, ready, request_header(r, "If-None-Match"));
    atomic_fetch_add_explicit(&s->stats.at_once, 1, memory_order_relaxed);
    answer_log(r, clock_mono_us() - r->started_us);
    return true;
}

/* false: there is no place. */
static bool pass_on(request_t *r, const view_t *view)
{
    http_server_t *s = r->server;
    bool heavy = (r->match.route->flags & ROUTE_HEAVY) != 0;
    if (!jobs_reserve(s->jobs, heavy)) {
        return false;
    }
    MHD_suspend_connection(r->connection);
    if (view != NULL) {
        flights_lead(s->flights, r, view);
    }
    jobs_put(s->jobs, &r->job, heavy);
    return true;
}

enum MHD_Result request_dispatch(request_t *r)
{
    http_server_t *s = r->server;
    bool again = r->state == REQUEST_FOLLOWS;
    if (!again) {
        atomic_fetch_add(&s->open, 1);
    }
    r->state = REQUEST_QUEUED;
    if (again || !answer_at_once(r)) {
        view_t view;
        /* who ends refuses all that comes, and closes */
        bool known = !atomic_load(&s->stopping) && find_view(r, &view);
        if (known && answer_view(r, &view)) {
            r->mhd = response_build(&r->response, &r->shared);
            return request_send(r);
        }
        if (known && r->followed < FOLLOW_MAX) {
            r->state = REQUEST_FOLLOWS;
            bool first = r->followed++ == 0;
            if (flights_follow(s->flights, r, &view)) {
                atomic_fetch_add_explicit(&s->stats.followed, first,
                                          memory_order_relaxed);
                return MHD_YES;
            }
            r->state = REQUEST_QUEUED;
        }
        if (pass_on(r, known ? &view : NULL)) {
            return MHD_YES;
        }
        atomic_fetch_add(&s->stats.queue_full, 1);
        response_busy(&r->response, "Service Unavailable", 1);
        r->closing = atomic_load(&s->stopping);
    }
    r->mhd = response_build(&r->response, &r->shared);
    return request_send(r);
}
