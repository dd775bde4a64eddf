
#include <microhttpd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loopback.h"
#include "domain/audit.h"
#include "domain/event.h"
#include "http/server.h"

#define SLOW_US 200000

static bool unauthenticated(request_t *r)
{
    response_message(&r->response, 401, "Unauthenticated.");
    return false;
}

/* For development: everybody at this machine is one agent. The edge passes
 * the Host on, and asks for no token there (wacrm_jwt off). */
static bool know_anybody(request_t *r)
{
    const char *host = request_header(r, "Host");
    user_t user;
    if (r->options->without_sign_in == NULL || host == NULL ||
        !loopback_host(host)) {
        return unauthenticated(r);
    }
    int rc = user_by_email(r->db, r->options->without_sign_in, &user);
    if (rc == WERR_NOTFOUND) {
        log_warn("http", "msg=\"without_sign_in: there is no such agent\"");
        return unauthenticated(r);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return false;
    }
    return request_as(r, user.id);
}

/* Who is calling, and what they may see: from the database, each time. */
static bool know_user(request_t *r)
{
    switch (identity_read(r->connection, &r->identity)) {
    case IDENTITY_OK:
        break;
    case IDENTITY_NONE:
        return know_anybody(r);
    case IDENTITY_REFUSED:
        atomic_fetch_add(&r->server->stats.refused_identities, 1);
        log_warn("http", "msg=\"identity refused\" route=%s",
                 log_str(r->match.route->pattern));
        return unauthenticated(r);
    default:
        return unauthenticated(r);
    }
    return request_as(r, r->identity.user);
}

/* In whose name this thread writes, and by which of their sockets. */
static void act_as(const request_t *r, int64_t user)
{
    const char *socket = request_header(r, "X-Socket-ID");

    audit_as(user, NULL);
    domain_caused_by(socket != NULL && socket_id_valid(socket) ? socket : NULL,
                     user);
}

bool request_as(request_t *r, int64_t user)
{
    int rc = db_read_begin(r->db);
    if (rc == WERR_OK) {
        rc = user_get(r->db, user, &r->user);
        if (rc == WERR_OK && r->user.active) {
            rc = session_visible(r->db, &r->user, &r->visible);
        }
        db_read_end(r->db);
    }
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && !r->user.active)) {
        return unauthenticated(r);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return false;
    }
    if (r->match.route->access == ACCESS_ADMIN && r->user.role != ROLE_ADMIN) {
        response_message(&r->response, 403, "Forbidden.");
        return false;
    }
    act_as(r, user);
    return true;
}

static void serve(request_t *r)
{
    r->version = store_version(r->options->domain->store);
    int rc = query_parse(&r->query, r->target[r->path_len] == '?'
                                        ? r->target + r->path_len + 1
                                        : NULL);
    if (rc == WERR_INVALID) {
        response_bad(&r->response, "Malformed query string.");
        return;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    access_t access = r->match.route->access;
    bool is_signed =
        access == ACCESS_SIGNED && request_query(r, "signature") != NULL;
    if (access == ACCESS_PUBLIC || is_signed || know_user(r)) {
        r->match.route->handler(r);
    }
}

/* The route, or what it left for the gateway's answer. */
static void run(request_t *r)
{
    domain_caused_by(NULL, 0);
    (void)db_lost(r->db);
    if (r->await != NULL) {
        act_as(r, r->user.id);
        await_end(r);
    } else {
        audit_as(0, NULL);
        serve(r);
    }
    /* neither half a list nor a 401 or 404 for want of memory */
    bool lost = db_lost(r->db);
    r->upgrade.wanted = r->upgrade.wanted && !lost;
    if (lost && r->await != NULL) {
        await_refuse(r); /* what it answers has been looked up after that */
        lost = db_lost(r->db);
    }
    if (lost) {
        response_error(&r->response, WERR_NOMEM);
    }
}

/* Paths hold phone numbers: the log has the route's pattern. */
void answer_log(const request_t *r, int64_t run_us)
{
    log_level_t level = LOG_DEBUG;
    if (r->response.status == 503) {
        level = LOG_INFO; /* busy, or ending: who refuses says why */
    } else if (r->response.status >= 500) {
        level = LOG_ERROR;
    } else if (run_us > SLOW_US && (r->match.route->flags & ROUTE_HEAVY) == 0) {
        level = LOG_WARN;
    }
    log_write(level, "http", "msg=%s method=%s route=%s status=%d us=%lld",
              level == LOG_WARN ? "slow" : "answer", r->method,
              log_str(r->match.route->pattern), r->response.status,
              (long long)run_us);
}

/* true: r is another thread's by now. Else its answer is there. */
static bool waits(request_t *r)
{
    db_t *db = r->db;
    if (r->await == NULL) {
        return false;
    }
    r->db = NULL;
    if (await_begin(r)) {
        return true; /* it keeps its place; it may run elsewhere by now */
    }
    r->db = db;
    await_refuse(r);
    if (db_lost(r->db)) {
        response_error(&r->response, WERR_NOMEM);
    }
    return false;
}

/* They look into the cache again. */
static void resume_all(request_t *r)
{
    while (r != NULL) {
        request_t *next = r->next;
        MHD_resume_connection(r->connection);
        r = next;
    }
}

/* Two hundred hashes that wait would outlast the time that an end may take. */
static bool too_late(http_server_t *s, const job_t *job)
{
    return job->heavy && atomic_load(&s->stopping);
}

void *worker_main(void *arg)
{
    http_server_t *s = arg;
    db_t *db = NULL;
    job_t *job;
    (void)pthread_setname_np(pthread_self(), "http-worker");
    while ((job = jobs_take(s->jobs)) != NULL) {
        request_t *r = (request_t *)job;
        int64_t begin = clock_mono_us();
        bool heavy = job->heavy;
        /* at the first request, and again as long as it fails; logged */
        int rc =
            db != NULL ? WERR_OK : store_reader(s->options.domain->store, &db);
        if (rc == WERR_OK && too_late(s, job)) {
            response_busy(&r->response, "Service Unavailable", 1);
        } else if (rc == WERR_OK) {
            r->db = db;
            run(r);
            if (waits(r)) {
                continue;
            }
            r->db = NULL;
        } else {
            await_free(r);
            response_error(&r->response, rc);
        }
        answer_log(r, clock_mono_us() - begin);
        r->mhd = r->upgrade.wanted ? upgrade_response(r)
                                   : response_build(&r->response, &r->shared);
        r->state = REQUEST_DONE;
        request_t *followers = flights_end(s->flights, r);
        /* From here on the request is the I/O thread's, and soon gone. */
        MHD_resume_connection(r->connection);
        resume_all(followers);
        jobs_done(s->jobs, heavy);
    }
    store_reader_close(&db);
    return NULL;
}
