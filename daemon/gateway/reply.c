/*
 * reply.c - what is common to reading answers and deliveries.
 */
#include "gateway/driver.h"

#include <string.h>

#include "base/jsonr.h"

gw_outcome_t gw_outcome_of(int http_status)
{
    if (http_status >= 200 && http_status < 300) {
        return GW_ACCEPTED;
    }
    if (http_status == 429 || http_status == 425 || http_status == 503 ||
        (http_status >= 300 && http_status < 400)) {
        return GW_RETRY;
    }
    if (http_status == 401) {
        return GW_UNAUTHORISED;
    }
    if (http_status >= 400 && http_status < 500 && http_status != 408) {
        return GW_REFUSED;
    }
    return GW_UNKNOWN;
}

void gw_copy(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);

    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    memcpy(out, text, len);
    out[len] = '\0';
}

const json_t *gw_next(const json_t *j, const char **paths)
{
    const char *path = *paths;
    size_t len = strcspn(path, "|");

    *paths = path[len] == '|' ? path + len + 1 : path + len;
    return jsonr_path_n(j, path, len);
}

const json_t *gw_first(const json_t *j, const char *paths)
{
    while (*paths) {
        const json_t *v = gw_next(j, &paths);

        if (v && !json_is_null(v)) {
            return v;
        }
    }
    return NULL;
}

const char *gw_first_str(const json_t *j, const char *paths)
{
    while (*paths) {
        const char *s = json_string_value(gw_next(j, &paths));

        if (s && *s) {
            return s;
        }
    }
    return NULL;
}

bool gw_first_time(const json_t *j, const char *paths, int64_t *ms)
{
    while (*paths) {
        if (jsonr_as_time(gw_next(j, &paths), ms)) {
            return true;
        }
    }
    return false;
}
