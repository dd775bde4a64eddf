/*
 * reply.c - what is common to reading answers and deliveries.
 */
#include "gateway/driver.h"

#include <string.h>

#include "base/jsonr.h"

#define PATH_MAX_LEN 96

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

/* The next of "a|b|c" into path; false at the end. */
static bool next_path(const char **paths, char path[PATH_MAX_LEN])
{
    while (*paths && **paths) {
        size_t len = strcspn(*paths, "|");
        const char *from = *paths;

        *paths += len;
        if (**paths == '|') {
            ++*paths;
        }
        if (len == 0 || len >= PATH_MAX_LEN) {
            continue;
        }
        memcpy(path, from, len);
        path[len] = '\0';
        return true;
    }
    return false;
}

const json_t *gw_first(const json_t *j, const char *paths)
{
    char path[PATH_MAX_LEN];

    while (next_path(&paths, path)) {
        const json_t *v = jsonr_path(j, path);

        if (v && !json_is_null(v)) {
            return v;
        }
    }
    return NULL;
}

const char *gw_first_str(const json_t *j, const char *paths)
{
    char path[PATH_MAX_LEN];

    while (next_path(&paths, path)) {
        const char *s = jsonr_str(j, path);

        if (s) {
            return s;
        }
    }
    return NULL;
}

bool gw_first_time(const json_t *j, const char *paths, int64_t *ms)
{
    char path[PATH_MAX_LEN];

    while (next_path(&paths, path)) {
        if (jsonr_time(j, path, ms)) {
            return true;
        }
    }
    return false;
}
