/*
 * session.h - what the routes of sessions share.
 */
#ifndef WACRM_HTTP_ROUTES_SESSION_H
#define WACRM_HTTP_ROUTES_SESSION_H

#include "domain/session_row.h"
#include "gateway/gateway.h"
#include "http/await.h"
#include "http/invalid.h"
#include "http/routes/routes.h"

/* The session of path parameter 0, if the caller may see it; false:
 * answered. */
bool route_session_found(request_t *r, session_row_t *out);
/* Its owner, a supervisor or an administrator; false: answered with 403. */
bool route_session_managed(request_t *r, const session_row_t *s);

/* Where the gateway of account shall send events; false: answered with 400,
 * as public_url is not known. */
#define WEBHOOK_URL_MAX 1024
bool route_webhook_url(request_t *r, const gateway_account_t *account,
                       char out[WEBHOOK_URL_MAX]);

/* A name of people, NULL too: up to SESSION_NAME_MAX characters. */
void route_check_name(invalid_t *invalid, const char *name);

/* 200 {success, data, message}; data is JSON, or NULL for null. */
void route_session_answer(request_t *r, bool success, const buf_t *data,
                          const char *message);
/* The same with the Session as data. */
void route_session_show(request_t *r, int64_t id, const char *message);

#endif
