/*
 * request.h - one request on its way: made and freed on the I/O thread, in
 * between one worker's.
 */
#ifndef WACRM_HTTP_REQUEST_H
#define WACRM_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "domain/session.h"
#include "domain/user.h"
#include "http/http.h"
#include "http/identity.h"
#include "http/jobs.h"
#include "http/query.h"
#include "http/response.h"
#include "http/router.h"
#include "http/spill.h"
#include "http/upgrade.h"

struct MHD_Connection;

typedef enum {
    REQUEST_HEAD, /* the handler has not been called yet */
    REQUEST_BODY,
    REQUEST_QUEUED,
    REQUEST_FOLLOWS, /* flights.h */
    REQUEST_DONE,    /* answered by a worker */
    REQUEST_SENT
} request_state_t;

struct request_s {
    job_t job; /* first: a job_t is its request */
    http_server_t *server;
    const http_options_t *options;
    struct MHD_Connection *connection;
    request_state_t state;
    int64_t started_us;
    int64_t version; /* store_version() before anything was read for it */

    /* flights.h */
    bool leads;             /* others may follow it */
    unsigned char followed; /* how many others it has followed */
    int64_t needed;         /* the version its list must have at least, */
    store_topics_t topics;  /* by the changes of these */
    struct request_s *next; /* the next one that follows the same leader */

    char *target; /* as it came, not decoded */
    size_t path_len;
    char method[8];
    route_result_t found;
    route_match_t match;
    spill_t body; /* data is NULL where there is none */

    /* of the worker, while the route runs */
    db_t *db;
    query_t query;
    identity_t identity;
    user_t user;
    session_set_t visible; /* sessions of user */

    struct await_s *await; /* the call it waits for, or that has ended */
    response_t response;
    upgrade_t upgrade;        /* instead of response */
    struct MHD_Response *mhd; /* response, built */
    bool shared;              /* mhd belongs to a ready answer */
    bool closing;
};

/* A header of the request, or NULL. The first one if there are several. */
const char *request_header(const request_t *r, const char *name);
const char *request_query(const request_t *r, const char *name);

/* The server ends: what takes long is best left. */
bool request_stopping(const request_t *r);

/* Path parameter i as a row id: decimal, > 0. */
bool request_id(const request_t *r, size_t i, int64_t *id);

/* Makes that user the caller; false: answered already. For signed addresses
 * only. */
bool request_as(request_t *r, int64_t user);

/* ?session_id= or X-Session-Id, or NULL. */
const char *request_session(const request_t *r);

/*
 * The body as a JSON object, new reference. NULL: answered already (400 not
 * a JSON object, 415 another content type).
 */
json_t *request_json(request_t *r);
/* The same of another text than the body's. */
json_t *request_json_text(request_t *r, const char *text, size_t len);

/* Digits only, within min..max. */
bool parse_int(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
