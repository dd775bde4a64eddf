#include "http/router.h"

#include <stdio.h>
#include <string.h>

static bool match(const char *pattern, const char *path, size_t len,
                  route_param_t params[ROUTE_PARAMS_MAX])
{
    const char *end = path + len;
    size_t n = 0;
    while (*pattern != '\0') {
        if (*pattern != '{') {
            if (path == end || *path != *pattern) {
                return false;
            }
            path++;
            pattern++;
            continue;
        }
        const char *stop = memchr(path, '/', (size_t)(end - path));
        stop = stop != NULL ? stop : end;
        if (stop == path || n == ROUTE_PARAMS_MAX) {
            return false;
        }
        params[n].text = path;
        params[n++].len = (size_t)(stop - path);
        path = stop;
        pattern = strchr(pattern, '}') + 1;
    }
    return path == end;
}

static void add_allow(char *allow, size_t size, const char *method)
{
    size_t len = strlen(allow);
    snprintf(allow + len, size - len, "%s%s%s", len > 0 ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

route_result_t router_match(const route_t *routes, size_t n, const char *method,
                            const char *path, size_t len, route_match_t *out)
{
    memset(out, 0, sizeof(*out));
    if (strcmp(method, "HEAD") == 0) {
        method = "GET";
    }
    for (size_t i = 0; i < n; i++) {
        if (!match(routes[i].pattern, path, len, out->params)) {
            continue;
        }
        if (strcmp(routes[i].method, method) == 0) {
            out->route = &routes[i];
            return ROUTE_FOUND;
        }
        add_allow(out->allow, sizeof(out->allow), routes[i].method);
    }
    return out->allow[0] != '\0' ? ROUTE_METHOD : ROUTE_UNKNOWN;
}
