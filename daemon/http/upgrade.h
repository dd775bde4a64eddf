/*
 * upgrade.h - from HTTP to WebSocket (RFC 6455, 4.2): the head is checked, the
 * 101 sent by libmicrohttpd, and its socket handed to realtime.
 */
#ifndef WACRM_HTTP_UPGRADE_H
#define WACRM_HTTP_UPGRADE_H

#include <stdbool.h>

typedef struct request_s request_t;
struct MHD_Response;

typedef struct {
    bool wanted;
    int refuse; /* the code it is closed with at once, or 0 */
    char accept[32];
} upgrade_t;

/* Whether the head asks for a WebSocket; false: answered already. */
bool upgrade_wanted(request_t *r);

/*
 * Whether a page of that origin may connect. allowed: origins with blanks or
 * commas between them, "*", or NULL: the host that was called. No origin: no
 * browser.
 */
bool upgrade_origin_ok(const char *allowed, const char *origin,
                       const char *host);

/* The 101, after which the socket is realtime's. NULL: no memory. */
struct MHD_Response *upgrade_response(request_t *r);

#endif
