#include "http/request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "base/jsonr.h"
#include "http/server.h"

const char *request_header(const request_t *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const char *request_query(const request_t *r, const char *name)
{
    return query_get(&r->query, name);
}

bool parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
    size_t len = strlen(text);
    int64_t v = 0;
    if (len == 0 || len > 18) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        v = v * 10 + (text[i] - '0');
    }
    *out = v;
    return v >= min && v <= max;
}

bool request_stopping(const request_t *r)
{
    return atomic_load(&r->server->stopping);
}

bool request_id(const request_t *r, size_t i, int64_t *id)
{
    char text[24];
    const route_param_t *p = &r->match.params[i];
    if (p->len >= sizeof(text) || !query_decode(p->text, p->len, false, text)) {
        return false;
    }
    return text[0] != '0' && parse_int(text, 1, INT64_MAX, id);
}

const char *request_session(const request_t *r)
{
    const char *id = request_query(r, "session_id");
    if (id == NULL) {
        id = request_header(r, "X-Session-Id");
    }
    return id != NULL && *id != '\0' ? id : NULL;
}

/* Absent, application/json or application/...+json, whatever parameters. */
static bool is_json(const char *type)
{
    static const char prefix[] = "application/";
    if (type == NULL || *type == '\0') {
        return true;
    }
    size_t len = strcspn(type, " \t;");
    if (len < sizeof(prefix) - 1 ||
        strncasecmp(type, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    return (len == 16 && strncasecmp(type + 12, "json", 4) == 0) ||
           (len > 17 && strncasecmp(type + len - 5, "+json", 5) == 0);
}

json_t *request_json(request_t *r)
{
    return request_json_text(r, r->body.data, r->body.len);
}

json_t *request_json_text(request_t *r, const char *text, size_t len)
{
    char reason[128];
    if (!is_json(request_header(r, "Content-Type"))) {
        response_message(&r->response, 415,
                         "The content type must be application/json.");
        return NULL;
    }
    if (len == 0) {
        json_t *empty = json_object();
        if (empty == NULL) {
            response_error(&r->response, WERR_NOMEM);
        }
        return empty;
    }
    json_t *json = jsonr_parse(text, len, reason, sizeof(reason));
    if (json == NULL && errno == ENOMEM) {
        response_error(&r->response, WERR_NOMEM);
    } else if (json == NULL) {
        response_bad(&r->response, "The body is not valid JSON.");
    } else if (!json_is_object(json)) {
        json_decref(json);
        json = NULL;
        response_bad(&r->response, "The body must be a JSON object.");
    }
    return json;
}
