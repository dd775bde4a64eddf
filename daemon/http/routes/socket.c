#include <string.h>

#include "http/routes/routes.h"

/* What is wrong with it is told through the socket, where pusher-js hears
 * it; 0: nothing. */
static int refusal(const request_t *r, const realtime_options_t *o)
{
    const route_param_t *key = &r->match.params[0];
    const char *protocol = request_query(r, "protocol");

    if (key->len != strlen(o->key) ||
        memcmp(key->text, o->key, key->len) != 0) {
        return REALTIME_NO_APP;
    }
    if (protocol == NULL) {
        return REALTIME_VERSION_MISSING;
    }
    return strcmp(protocol, "7") == 0 ? 0 : REALTIME_VERSION_UNKNOWN;
}

void route_socket(request_t *r)
{
    realtime_t *rt = r->options->realtime;

    if (rt == NULL || !realtime_open(rt)) {
        response_busy(&r->response, "Service Unavailable", 1);
    } else if (upgrade_wanted(r)) {
        const realtime_options_t *o = realtime_options(rt);

        if (!upgrade_origin_ok(o->origins, request_header(r, "Origin"),
                               request_header(r, "Host"))) {
            response_message(&r->response, 403,
                             "Pages of this origin may not connect.");
            return;
        }
        r->upgrade.refuse = refusal(r, o);
        r->upgrade.wanted = true;
    }
}
