/*
 * driver.h - what the drivers share: memory of an event list, paths of URLs,
 * meanings of HTTP answers. For files of this room only.
 */
#ifndef WACRM_GATEWAY_DRIVER_H
#define WACRM_GATEWAY_DRIVER_H

#include <sys/types.h>

#include <jansson.h>

#include "gateway/gateway.h"

/* Memory of a gw_events_t: takes root over (also on failure) and makes room
 * for n events. */
int gw_events_init(gw_events_t *ev, json_t *root, size_t n) WACRM_CHECKED;
/*
 * When all has been read: frees ev unless rc is WERR_OK; else keeps only what
 * the events say, in one piece, and gives root back, which is many times as
 * large. Returns rc, or WERR_NOMEM with ev freed.
 */
int gw_events_end(gw_events_t *ev, int rc) WACRM_CHECKED;
/* A copy that lives as long as ev; NULL: no memory. */
const char *gw_events_dup(gw_events_t *ev, const char *s, size_t len);

/* Percent-encodes everything but RFC 3986's unreserved characters. */
void gw_url_add(buf_t *url, const char *text);

/* A member of the body; the Base64 of file ends its value, if there is one. */
void gw_body_str(gw_request_t *r, const char *key, const char *value,
                 gw_file_t *file);
/* Bytes of the body, with its file. */
int64_t gw_body_size(const gw_request_t *r);
/* Up to n of them from `at` on; -1: the file cannot be read. Asks nothing of
 * what was read before. */
ssize_t gw_body_read(const gw_request_t *r, int64_t at, char *out, size_t n);

/* What is at the first of the paths "a.b|c|d", which then begins with the
 * second; NULL: nothing. */
const json_t *gw_next(const json_t *j, const char **paths);
/* First string among the paths; NULL: none, or empty. */
const char *gw_first_str(const json_t *j, const char *paths);
const json_t *gw_first(const json_t *j, const char *paths);
bool gw_first_time(const json_t *j, const char *paths, int64_t *ms);

/*
 * What an HTTP status says about a send, where the body adds nothing: 2xx
 * accepted; 429, 425, 503 and redirects retry; 401 unauthorised; 408 and all
 * other 5xx unknown; other 4xx refused.
 */
gw_outcome_t gw_outcome_of(int http_status);

/* Copies text, cut at a character's boundary. */
void gw_copy(char *out, size_t size, const char *text);

#endif
