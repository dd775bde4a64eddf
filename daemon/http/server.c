#include "http/server.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>
#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/dispatch.h"

#define QUEUE_MAX 512
/* More than a network may sign in at once (zone login of nginx.conf): else it
 * would be refused, and keep out all others. A body of theirs has 16 KiB. */
#define QUEUE_HEAVY_MAX 256
#define CACHE_ENTRIES   64
#define CACHE_BYTES     (8u << 20)
/* More than nginx keeps its upstream connections (60 s). */
#define IDLE_SECONDS 75
#define HEAD_BYTES   (32u << 10)
/* Parsed JSON takes up to seventy times its bytes: little of strangers. */
#define BODY_MAX        (128u << 10)
#define BODY_PUBLIC_MAX (16u << 10)

static void on_log(void *cls, const char *format, va_list ap)
{
    char text[256];
    (void)cls;
    vsnprintf(text, sizeof(text), format, ap);
    log_debug("http", "msg=\"libmicrohttpd\" text=%s", log_str(text));
}

/* A connection of a stranger ends before its first byte is read. */
static void on_connection(void *cls, struct MHD_Connection *connection,
                          void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    http_server_t *s = cls;
    if (code != MHD_CONNECTION_NOTIFY_STARTED) {
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info == NULL || !peers_allow(&s->peers, info->connect_fd)) {
        atomic_fetch_add(&s->stats.refused_peers, 1);
        *context = s; /* not NULL: refused */
        if (info != NULL) {
            shutdown(info->connect_fd, SHUT_RDWR);
        }
    }
}

/*
 * libmicrohttpd would read the arguments into the memory of the connection,
 * and where they are too many for it (800 times "&") it neither answers nor
 * closes. They are read by query.c alone: it sees an empty query. The bytes
 * are its own buffer's.
 */
static void hide_query(const char *target, size_t path_len)
{
    char *query = (char *)(uintptr_t)target + path_len;

    if (*query == '?') {
        query[1] = '\0';
    }
}

/* Called with the request line, before anything is decoded. */
static void *on_target(void *cls, const char *target,
                       struct MHD_Connection *connection)
{
    http_server_t *s = cls;
    request_t *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    r->target = strdup(target);
    if (r->target == NULL) {
        free(r);
        return NULL;
    }
    r->path_len = strcspn(target, "?");
    hide_query(target, r->path_len);
    r->server = s;
    r->options = &s->options;
    r->connection = connection;
    r->started_us = clock_mono_us();
    response_init(&r->response);
    return r;
}

static void on_completed(void *cls, struct MHD_Connection *connection,
                         void **context, enum MHD_RequestTerminationCode code)
{
    http_server_t *s = cls;
    request_t *r = *context;
    (void)connection;
    (void)code;
    *context = NULL;
    if (r == NULL) {
        return;
    }
    if (r->mhd != NULL && !r->shared) {
        MHD_destroy_response(r->mhd);
    }
    await_free(r);
    response_free(&r->response);
    query_free(&r->query);
    session_set_free(&r->visible);
    spill_free(&r->body);
    if (r->state >= REQUEST_QUEUED) {
        atomic_fetch_sub(&s->open, 1);
    }
    free(r->target);
    free(r);
}

static void find_route(request_t *r, const char *method)
{
    snprintf(r->method, sizeof(r->method), "%s", method);
    if (strlen(method) < sizeof(r->method)) {
        r->found = router_match(http_routes, http_nroutes, method, r->target,
                                r->path_len, &r->match);
    } else {
        r->found = router_match(http_routes, http_nroutes, "-", r->target,
                                r->path_len, &r->match);
    }
}

static size_t body_max(const request_t *r)
{
    const route_t *route = r->match.route;
    bool known =
        route->access != ACCESS_PUBLIC || (route->flags & ROUTE_BACKEND) != 0;
    size_t max = known ? BODY_MAX : BODY_PUBLIC_MAX;

    return (route->flags & ROUTE_FILE) != 0 && r->options->file_max > max
               ? r->options->file_max
               : max;
}

/* The whole body is taken in before anything is answered: an early answer
 * would reach nginx as a broken connection. */
static void take_body(request_t *r, const char *data, size_t len)
{
    if (r->found != ROUTE_FOUND) {
        return;
    }
    if (r->body.domain == NULL) {
        spill_init(&r->body, r->options->domain, body_max(r));
    }
    spill_add(&r->body, data, len);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *len, void **context)
{
    request_t *r = *context;
    (void)cls;
    (void)url;
    (void)version;
    const union MHD_ConnectionInfo *peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (r == NULL || peer == NULL || peer->socket_context != NULL) {
        return MHD_NO;
    }
    switch (r->state) {
    case REQUEST_HEAD:
        find_route(r, method);
        r->state = REQUEST_BODY;
        return MHD_YES;
    case REQUEST_BODY:
        if (*len > 0) {
            take_body(r, data, *len);
            *len = 0;
            return MHD_YES;
        }
        return request_dispatch(r);
    case REQUEST_FOLLOWS:
        return request_dispatch(r);
    case REQUEST_DONE:
        return request_send(r);
    default:
        return MHD_NO;
    }
}

/* A listening unix socket, 0660 before anybody can connect. */
static int listen_unix(const char *path, gid_t *group)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat st;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, len + 1);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        (void)unlink(path); /* left by a crash */
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        chmod(path, 0660) != 0 || stat(path, &st) != 0 ||
        listen(fd, 4096) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    *group = st.st_gid;
    return fd;
}

static int start_io(http_server_t *s)
{
    gid_t group = 0;
    int fd = listen_unix(s->socket_path, &group);
    if (fd < 0) {
        log_error("http", "msg=\"no socket\" path=%s reason=%s",
                  log_str(s->socket_path), log_str(strerror(errno)));
        return WERR_IO;
    }
    peers_init(&s->peers, group);
    s->mhd = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
    if (s->mhd == NULL) {
        close(fd);
        return WERR_SYSTEM;
    }
    return WERR_OK;
}

static int start_workers(http_server_t *s)
{
    int n = s->options.workers;
    n = n < 1 ? 1 : n > HTTP_WORKERS_MAX ? HTTP_WORKERS_MAX : n;
    while (s->nworkers < (size_t)n) {
        if (pthread_create(&s->workers[s->nworkers], NULL, worker_main, s) !=
            0) {
            return WERR_SYSTEM;
        }
        s->nworkers++;
    }
    return WERR_OK;
}

static int start_parts(http_server_t *s)
{
    sigset_t all, before;
    int rc = jobs_new(&s->jobs, QUEUE_MAX, QUEUE_HEAVY_MAX);
    if (rc == WERR_OK) {
        rc = cache_new(&s->cache, CACHE_ENTRIES, CACHE_BYTES);
    }
    if (rc == WERR_OK) {
        rc = views_new(&s->views, s->options.domain->store);
    }
    if (rc == WERR_OK) {
        rc = flights_new(&s->flights);
    }
    if (rc == WERR_OK) {
        rc = pace_new(&s->pace);
    }
    if (rc == WERR_OK) {
        rc = lines_new(&s->lines, s->options.domain->store);
    }
    if (rc == WERR_OK) {
        rc = awaits_new(&s->awaits, s->jobs);
    }
    if (rc == WERR_OK && s->options.spool != NULL) {
        rc = revocation_start(&s->revocation, s->options.domain,
                              s->options.spool, s->options.realtime);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = start_workers(s);
    if (rc == WERR_OK) {
        rc = start_io(s);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* The caller's strings may go when it reads its configuration anew. */
static int copy_options(http_server_t *s, const http_options_t *o)
{
    s->options = *o;
    s->socket_path = strdup(o->socket_path);
    s->secret = malloc(o->jwt_secret_len + 1);
    s->issuer = o->issuer != NULL ? strdup(o->issuer) : NULL;
    s->audience = o->audience != NULL ? strdup(o->audience) : NULL;
    if (s->socket_path == NULL || s->secret == NULL ||
        (o->issuer != NULL && s->issuer == NULL) ||
        (o->audience != NULL && s->audience == NULL)) {
        return WERR_NOMEM;
    }
    memcpy(s->secret, o->jwt_secret, o->jwt_secret_len);
    s->keys =
        (auth_keys_t){s->secret, o->jwt_secret_len, s->issuer, s->audience};
    s->options.socket_path = s->socket_path;
    s->options.jwt_secret = s->secret;
    s->options.issuer = s->issuer;
    s->options.audience = s->audience;
    return WERR_OK;
}

int http_start(http_server_t **out, const http_options_t *o)
{
    http_server_t *s = NULL;
    *out = NULL;
    if (o->jwt_secret_len < AUTH_SECRET_MIN) {
        return WERR_INVALID;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return WERR_NOMEM;
    }
    int rc = copy_options(s, o);
    if (rc == WERR_OK) {
        rc = start_parts(s);
    }
    if (rc != WERR_OK) {
        http_stop(&s, 0);
        return rc;
    }
    *out = s;
    log_info("http", "msg=\"listening\" path=%s workers=%zu",
             log_str(s->socket_path), s->nworkers);
    return WERR_OK;
}

void http_upkeep(http_server_t *s)
{
    if (s->revocation != NULL) {
        revocation_retry(s->revocation);
    }
}

static void wait_sent(http_server_t *s, int64_t timeout_ms)
{
    const struct timespec pause = {0, 1000000};
    int64_t until = clock_mono_ms() + timeout_ms;
    while (atomic_load(&s->open) > 0 && clock_mono_ms() < until) {
        nanosleep(&pause, NULL);
    }
}

/*
 * Nobody new; no suspension any more; who awaits the gateway waits no longer;
 * what runs is finished and resumed; what
 * is answered gets time to be read. Only then may libmicrohttpd stop: it
 * aborts the process if a connection is suspended, or if it was quiesced.
 */
void http_stop(http_server_t **server, int64_t timeout_ms)
{
    http_server_t *s = *server;
    *server = NULL;
    if (s == NULL) {
        return;
    }
    if (s->mhd != NULL) {
        (void)unlink(s->socket_path);
        atomic_store(&s->stopping, true);
        jobs_refuse(s->jobs);
        awaits_close(s->awaits);
        jobs_drain(s->jobs);
        wait_sent(s, timeout_ms);
        MHD_stop_daemon(s->mhd);
    }
    if (s->jobs != NULL) {
        jobs_close(s->jobs);
    }
    for (size_t i = 0; i < s->nworkers; i++) {
        pthread_join(s->workers[i], NULL);
    }
    revocation_stop(&s->revocation);
    awaits_leave(&s->awaits);
    jobs_free(&s->jobs);
    flights_free(&s->flights);
    lines_free(&s->lines);
    views_free(&s->views);
    pace_free(&s->pace);
    cache_free(&s->cache);
    free(s->socket_path);
    if (s->secret != NULL) {
        OPENSSL_cleanse(s->secret, s->options.jwt_secret_len);
    }
    free(s->secret);
    free(s->issuer);
    free(s->audience);
    free(s);
}
