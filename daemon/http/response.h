/*
 * response.h - what a route answers: status, headers, a body of its own or a
 * ready one. A route fills it; the I/O thread sends it.
 */
#ifndef WACRM_HTTP_RESPONSE_H
#define WACRM_HTTP_RESPONSE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "http/ready.h"

#define RESPONSE_JSON    "application/json"
#define RESPONSE_PRIVATE "private, no-cache"

#define RESPONSE_HEADERS_MAX 6
#define RESPONSE_VALUE_MAX   640 /* a file name, percent-encoded */

typedef struct {
    int status;
    const char *type; /* of body; static */
    buf_t body;
    ready_t *ready; /* instead of body; one reference */
    int file;       /* instead of body; -1: none */
    struct {
        const char *name; /* static */
        char value[RESPONSE_VALUE_MAX];
    } headers[RESPONSE_HEADERS_MAX];
    size_t nheaders;
} response_t;

void response_init(response_t *r);
void response_free(response_t *r);

/* Values of RESPONSE_VALUE_MAX bytes or more are a fault: 500. */
void response_header(response_t *r, const char *name, const char *value);

/* Empties the body and starts anew with this status. */
void response_reset(response_t *r, int status);

/* Makes the file the answer, 200, whole: fd is dup()ed. */
int response_file(response_t *r, int fd, const char *type) WACRM_CHECKED;

/* {"success": true, "message": ...}, and no data: what was asked is done. */
void response_done(response_t *r, const char *message);

/* The error shapes of the contract. */
void response_message(response_t *r, int status, const char *message);
void response_bad(response_t *r, const char *message);
void response_not_found(response_t *r, const char *message);
/* With a code for programs. data: JSON or NULL. */
void response_refusal(response_t *r, int status, const char *code,
                      const char *message, const char *data, size_t len);
/* The same with 409. */
void response_conflict(response_t *r, const char *code, const char *message,
                       const char *data, size_t len);
void response_busy(response_t *r, const char *message, int retry_after_s);
void response_too_many(response_t *r, const char *message,
                       int64_t retry_after_s);
/* By a WERR_*: 404, 503 or 500. */
void response_error(response_t *r, int rc);

/*
 * Makes body, or a ready answer (whose reference is taken over), the answer:
 * 200, or 304 if the client has it. libmicrohttpd sends a 304 without the
 * body and with its length, as RFC 9110 wants it.
 */
void response_tagged(response_t *r, const char *if_none_match);
void response_ready(response_t *r, ready_t *ready, const char *if_none_match);

/* The finished answer; NULL: no memory. Only ready's own is not the caller's
 * (*shared). */
struct MHD_Response *response_build(response_t *r, bool *shared);

#endif
