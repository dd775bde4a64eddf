/*
 * client_call.c - one call on libcurl.
 */
#include "gateway/client_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "gateway/driver.h"

#define ANSWER_MAX   (1024 * 1024)
#define CONNECT_MS   10000L
#define IDLE_REUSE_S 3L
#define AGENT        "wacrm/1"

gw_call_t *gw_call_new(gw_client_t *c, gw_login_t *login, gw_request_t *request)
{
    gw_call_t *call = calloc(1, sizeof(*call));

    if (call) {
        call->request = *request;
        gw_request_init(request);
        call->easy = curl_easy_init();
        call->client = c;
        call->login = login;
        buf_init(&call->body, ANSWER_MAX);
    }
    if (call && call->easy && !call->request.url.failed &&
        !call->request.headers.failed && !call->request.body.failed) {
        return call;
    }
    gw_request_free(request);
    gw_call_free(call);
    return NULL;
}

void gw_call_free(gw_call_t *call)
{
    if (!call) {
        return;
    }
    if (call->running) {
        (void)curl_multi_remove_handle(call->client->multi, call->easy);
    }
    if (call->easy) {
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    gw_request_free(&call->request);
    buf_free(&call->body);
    free(call);
}

/* ---- libcurl's callbacks ---- */

/* Into the file of who asked. */
static size_t to_sink(gw_call_t *call, const char *data, size_t n)
{
    if ((int64_t)n > call->request.sink_max - call->sunk) {
        call->too_big = true;
        return 0;
    }
    if (!io_write_all(call->request.sink, data, n)) {
        return 0;
    }
    call->sunk += (int64_t)n;
    return n;
}

static size_t on_write(char *data, size_t one, size_t n, void *arg)
{
    gw_call_t *call = arg;

    if (call->request.sink >= 0) {
        return to_sink(call, data, one * n);
    }
    if (n > ANSWER_MAX - call->body.len) {
        call->too_big = true;
        return 0;
    }
    buf_add(&call->body, data, one * n);
    return call->body.failed ? 0 : n;
}

static size_t on_read(char *data, size_t one, size_t n, void *arg)
{
    gw_call_t *call = arg;
    ssize_t got = gw_body_read(&call->request, call->uploaded, data, one * n);

    if (got < 0) {
        return CURL_READFUNC_ABORT;
    }
    call->uploaded += got;
    return (size_t)got;
}

/*
 * libcurl sends a request again by itself when a reused connection dies
 * without an answer. The gateway may have acted on it: a body that cannot be
 * rewound makes libcurl give up instead.
 */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    (void)arg;
    (void)offset;
    (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

/* The address that is connected to in fact: a name that leads elsewhere the
 * second time gains nothing. */
static curl_socket_t on_open(void *arg, curlsocktype purpose,
                             struct curl_sockaddr *a)
{
    gw_call_t *call = arg;

    if (purpose != CURLSOCKTYPE_IPCXN ||
        !call->request.may_connect(call->request.connect_arg, &a->addr)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- preparation ---- */

static bool add_header(gw_call_t *call, const char *line)
{
    struct curl_slist *list = curl_slist_append(call->headers, line);

    if (list) {
        call->headers = list;
    }
    return list != NULL;
}

/* Those of the request itself. */
static bool add_own(gw_call_t *call)
{
    const char *at = call->request.headers.data;
    bool ok = true;

    while (ok && at && *at) {
        size_t n = strcspn(at, "\n");
        char *line = strndup(at, n);

        ok = line && add_header(call, line);
        free(line);
        at += n + (at[n] == '\n');
    }
    return ok;
}

static bool set_headers(gw_call_t *call)
{
    char bearer[GW_TOKEN_MAX + 32];
    bool ok;

    curl_slist_free_all(call->headers);
    call->headers = NULL;
    ok = add_header(call, call->request.sink >= 0
                              ? "Accept: */*"
                              : "Accept: application/json") &&
         add_header(call, "Expect:") && add_own(call);
    if (ok && call->request.body.len > 0) {
        ok = add_header(call, "Content-Type: application/json");
    }
    if (ok && call->request.authorised && call->login->token[0]) {
        (void)snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s",
                       call->login->token);
        ok = add_header(call, bearer);
        explicit_bzero(bearer, sizeof(bearer));
    }
    return ok;
}

#define SET(option, value) \
    (ok = ok && curl_easy_setopt(call->easy, option, value) == CURLE_OK)

static bool set_body(gw_call_t *call)
{
    const gw_request_t *r = &call->request;
    bool ok = true;

    if (strcmp(r->method, "GET") == 0) {
        SET(CURLOPT_HTTPGET, 1L);
        return ok;
    }
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)gw_body_size(r));
    if (r->body.len == 0) {
        SET(CURLOPT_POSTFIELDS, "");
    } else {
        SET(CURLOPT_READFUNCTION, on_read);
        SET(CURLOPT_READDATA, call);
        SET(CURLOPT_SEEKFUNCTION, on_seek);
    }
    if (strcmp(r->method, "POST") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    }
    return ok;
}

static bool set_limits(gw_call_t *call)
{
    bool ok = true;

    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_MAXFILESIZE_LARGE, call->request.sink >= 0
                                       ? (curl_off_t)call->request.sink_max
                                       : (curl_off_t)ANSWER_MAX);
    SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)call->login->account->timeout_s * 1000);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    /* Node's servers close after 5 s idle: a request that crosses with the
     * close would be neither sent nor not sent */
    SET(CURLOPT_MAXAGE_CONN, IDLE_REUSE_S);
    return ok;
}

/* A connection that another call has opened was asked nothing. */
static bool set_guard(gw_call_t *call)
{
    bool ok = true;

    call->refused = false;
    if (call->request.may_connect != NULL) {
        SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
        SET(CURLOPT_OPENSOCKETDATA, call);
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
    }
    return ok;
}

/* What an attempt before this one has written goes. */
static bool empty_sink(gw_call_t *call)
{
    int fd = call->request.sink;

    call->sunk = 0;
    return fd < 0 || (ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
}

int gw_call_prepare(gw_call_t *call)
{
    bool ok = set_headers(call) && empty_sink(call);

    curl_easy_reset(call->easy);
    buf_reset(&call->body);
    call->uploaded = 0;
    call->too_big = false;
    call->error[0] = '\0';
    call->generation = call->login->generation;
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_URL, call->request.url.data);
    SET(CURLOPT_USERAGENT, AGENT);
    SET(CURLOPT_HTTPHEADER, call->headers);
    SET(CURLOPT_WRITEFUNCTION, on_write);
    SET(CURLOPT_WRITEDATA, call);
    return ok && set_limits(call) && set_guard(call) && set_body(call)
               ? WERR_OK
               : WERR_NOMEM;
}

/* The gateway, or the way to it, is away. Somebody on the way may swallow what
 * is sent, or take a connection and drop it before its TLS is there. */
static bool unconnected(CURLcode code, bool bytes_sent)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return true;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
        return !bytes_sent;
    default:
        return false;
    }
}

void gw_call_result(gw_call_t *call, CURLcode code, gw_result_t *out)
{
    curl_off_t retry_after = 0;
    long status = 0, request_size = 0;

    memset(out, 0, sizeof(*out));
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &request_size);
    out->bytes_sent = request_size > 0;
    out->no_connection = unconnected(code, out->bytes_sent);
    out->no_memory = code == CURLE_OUT_OF_MEMORY || call->body.nomem;
    out->timed_out = code == CURLE_OPERATION_TIMEDOUT;
    out->refused = call->refused && code != CURLE_OK;
    out->too_big = call->too_big || code == CURLE_FILESIZE_EXCEEDED;
    if (code != CURLE_OK) {
        /* half an answer is none */
        (void)snprintf(out->error, sizeof(out->error), "%s",
                       out->too_big     ? "the answer is too large"
                       : call->error[0] ? call->error
                                        : curl_easy_strerror(code));
        return;
    }
    (void)curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &retry_after);
    out->http_status = (int)status;
    out->body = call->body.data ? call->body.data : "";
    out->len = call->body.len;
    out->retry_after_s = retry_after > 86400 ? 86400
                         : retry_after < 0   ? 0
                                             : (int)retry_after;
}
