#include "http/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <microhttpd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

void response_init(response_t *r)
{
    r->status = 200;
    r->type = RESPONSE_JSON;
    r->ready = NULL;
    r->file = -1;
    r->nheaders = 0;
    buf_init(&r->body, 0);
}

void response_free(response_t *r)
{
    buf_free(&r->body);
    ready_unref(&r->ready);
    if (r->file >= 0) {
        (void)close(r->file);
        r->file = -1;
    }
}

void response_reset(response_t *r, int status)
{
    response_free(r);
    response_init(r);
    r->status = status;
}

int response_file(response_t *r, int fd, const char *type)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return WERR_SYSTEM;
    }
    response_reset(r, 200);
    r->file = copy;
    r->type = type;
    return WERR_OK;
}

void response_header(response_t *r, const char *name, const char *value)
{
    size_t len = strlen(value);
    if (r->nheaders == RESPONSE_HEADERS_MAX ||
        len >= sizeof(r->headers[0].value)) {
        response_message(r, 500, "Server Error");
        return;
    }
    r->headers[r->nheaders].name = name;
    memcpy(r->headers[r->nheaders].value, value, len + 1);
    r->nheaders++;
}

void response_done(response_t *r, const char *message)
{
    jw_open_object(&r->body, NULL);
    jw_bool(&r->body, "success", true);
    jw_str(&r->body, "message", message);
    jw_close_object(&r->body);
}

void response_message(response_t *r, int status, const char *message)
{
    response_reset(r, status);
    jw_open_object(&r->body, NULL);
    jw_str(&r->body, "message", message);
    jw_close_object(&r->body);
}

void response_bad(response_t *r, const char *message)
{
    response_reset(r, 400);
    jw_open_object(&r->body, NULL);
    jw_bool(&r->body, "success", false);
    jw_null(&r->body, "data");
    jw_str(&r->body, "message", message);
    jw_close_object(&r->body);
}

void response_not_found(response_t *r, const char *message)
{
    response_reset(r, 404);
    jw_open_object(&r->body, NULL);
    jw_bool(&r->body, "success", false);
    jw_str(&r->body, "message", message);
    jw_close_object(&r->body);
}

void response_refusal(response_t *r, int status, const char *code,
                      const char *message, const char *data, size_t len)
{
    response_reset(r, status);
    jw_open_object(&r->body, NULL);
    jw_bool(&r->body, "success", false);
    if (data != NULL) {
        jw_raw(&r->body, "data", data, len);
    } else {
        jw_null(&r->body, "data");
    }
    jw_str(&r->body, "message", message);
    jw_str(&r->body, "code", code);
    jw_close_object(&r->body);
}

void response_conflict(response_t *r, const char *code, const char *message,
                       const char *data, size_t len)
{
    response_refusal(r, 409, code, message, data, len);
}

void response_busy(response_t *r, const char *message, int retry_after_s)
{
    char seconds[16];
    response_message(r, 503, message);
    snprintf(seconds, sizeof(seconds), "%d", retry_after_s);
    response_header(r, "Retry-After", seconds);
}

void response_too_many(response_t *r, const char *message,
                       int64_t retry_after_s)
{
    char seconds[24];
    response_message(r, 429, message);
    snprintf(seconds, sizeof(seconds), "%lld", (long long)retry_after_s);
    response_header(r, "Retry-After", seconds);
}

void response_error(response_t *r, int rc)
{
    switch (rc) {
    case WERR_NOTFOUND:
        response_not_found(r, "Not Found");
        break;
    case WERR_FULL:
    case WERR_IO:
        response_busy(r,
                      "The server cannot use its disk just now. Please try "
                      "again; if it lasts, tell your administrator.",
                      5);
        break;
    case WERR_BUSY:
    case WERR_TIMEOUT:
    case WERR_STOPPING:
        response_busy(r, "Service Unavailable", 1);
        break;
    case WERR_NOMEM:
        log_error("http", "msg=\"no memory for an answer\" do=\"give the "
                          "machine more, or look at what takes it\"");
        response_busy(r, "Service Unavailable", 1);
        break;
    default:
        response_message(r, 500, "Server Error");
        break;
    }
}

/* If-None-Match: "*", or a list of tags, weak ones match too. */
static bool tag_matches(const char *list, const char *tag)
{
    size_t len = strlen(tag);
    if (list == NULL || len == 0) {
        return false;
    }
    if (strcmp(list, "*") == 0) {
        return true;
    }
    for (const char *p = list; *p != '\0';) {
        p += strspn(p, " \t,");
        if (strncmp(p, "W/", 2) == 0) {
            p += 2;
        }
        size_t n = strcspn(p, " \t,");
        if (n == len && memcmp(p, tag, len) == 0) {
            return true;
        }
        p += n;
    }
    return false;
}

void response_tagged(response_t *r, const char *if_none_match)
{
    char tag[ETAG_MAX];
    if (r->body.failed) {
        response_message(r, 500, "Server Error");
        return;
    }
    ready_etag(r->body.data, r->body.len, tag);
    r->status = tag_matches(if_none_match, tag) ? 304 : 200;
    response_header(r, "ETag", tag);
    response_header(r, "Cache-Control", RESPONSE_PRIVATE);
    response_header(r, "Vary", "Authorization");
}

void response_ready(response_t *r, ready_t *ready, const char *if_none_match)
{
    response_reset(r, tag_matches(if_none_match, ready_tag(ready)) ? 304 : 200);
    r->ready = ready;
}

/* The body as libmicrohttpd takes it over. */
static struct MHD_Response *build_body(response_t *r)
{
    size_t len = 0;
    char *data = r->body.len > 0 ? buf_take(&r->body, &len) : NULL;
    struct MHD_Response *mhd = MHD_create_response_from_buffer(
        len, data != NULL ? data : "",
        data != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (mhd == NULL) {
        free(data);
    }
    return mhd;
}

static struct MHD_Response *build_file(response_t *r)
{
    struct MHD_Response *mhd = NULL;
    struct stat st;
    if (fstat(r->file, &st) == 0) {
        mhd = MHD_create_response_from_fd64((uint64_t)st.st_size, r->file);
    }
    if (mhd != NULL) {
        r->file = -1;
    }
    return mhd;
}

struct MHD_Response *response_build(response_t *r, bool *shared)
{
    *shared = r->ready != NULL;
    if (*shared) {
        return ready_response(r->ready);
    }
    if (r->body.failed) {
        response_message(r, 500, "Server Error");
    }
    struct MHD_Response *mhd = r->file >= 0 ? build_file(r) : build_body(r);
    if (mhd == NULL) {
        return NULL;
    }
    bool ok = r->type == NULL ||
              MHD_add_response_header(mhd, "Content-Type", r->type) == MHD_YES;
    for (size_t i = 0; ok && i < r->nheaders; i++) {
        ok = MHD_add_response_header(mhd, r->headers[i].name,
                                     r->headers[i].value) == MHD_YES;
    }
    if (!ok) {
        MHD_destroy_response(mhd);
        return NULL;
    }
    return mhd;
}
