#include "http/upgrade.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "base/log.h"
#include "http/request.h"
#include "realtime/sign.h"

#define SEPARATORS " \t,"

/* One of a comma-separated list, in any case. */
static bool has_token(const char *list, const char *token)
{
    size_t len = strlen(token);

    for (const char *p = list; p != NULL && *p != '\0';) {
        size_t n;

        p += strspn(p, SEPARATORS);
        n = strcspn(p, SEPARATORS);
        if (n == len && strncasecmp(p, token, len) == 0) {
            return true;
        }
        p += n;
    }
    return false;
}

bool upgrade_origin_ok(const char *allowed, const char *origin,
                       const char *host)
{
    const char *authority;

    if (origin == NULL) {
        return true;
    }
    if (allowed != NULL) {
        return strcmp(allowed, "*") == 0 || has_token(allowed, origin);
    }
    authority = strstr(origin, "://");
    return authority != NULL && host != NULL &&
           strcasecmp(authority + 3, host) == 0;
}

bool upgrade_wanted(request_t *r)
{
    const char *key = request_header(r, "Sec-WebSocket-Key");
    const char *version = request_header(r, "Sec-WebSocket-Version");

    if (strcmp(r->method, "GET") != 0 ||
        !has_token(request_header(r, "Upgrade"), "websocket") ||
        !has_token(request_header(r, "Connection"), "upgrade") || key == NULL ||
        !sign_accept(key, r->upgrade.accept)) {
        response_bad(&r->response, "This address is for WebSockets.");
        return false;
    }
    if (version == NULL || strcmp(version, "13") != 0) {
        response_message(&r->response, 426, "WebSocket version 13 is needed.");
        response_header(&r->response, "Sec-WebSocket-Version", "13");
        return false;
    }
    return true;
}

/*
 * On the I/O thread, after the 101. A kept handle would cost libmicrohttpd a
 * connection and its memory: the socket is duplicated, its own closed at once
 * (it only closes and does not shut down), and the connection forgotten.
 */
static void on_upgrade(void *cls, struct MHD_Connection *connection,
                       void *context, const char *early, size_t len,
                       MHD_socket socket, struct MHD_UpgradeResponseHandle *urh)
{
    const request_t *r = context;
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);

    (void)cls;
    (void)connection;
    if (fd >= 0) {
        realtime_take(r->options->realtime, fd, early, len, r->upgrade.refuse);
    } else {
        log_error("http", "msg=\"no descriptor for a WebSocket\"");
    }
    (void)MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

struct MHD_Response *upgrade_response(request_t *r)
{
    struct MHD_Response *mhd =
        MHD_create_response_for_upgrade(on_upgrade, NULL);

    r->response.status = MHD_HTTP_SWITCHING_PROTOCOLS;
    if (mhd != NULL &&
        (MHD_add_response_header(mhd, "Upgrade", "websocket") != MHD_YES ||
         MHD_add_response_header(mhd, "Sec-WebSocket-Accept",
                                 r->upgrade.accept) != MHD_YES)) {
        MHD_destroy_response(mhd);
        mhd = NULL;
    }
    return mhd;
}
