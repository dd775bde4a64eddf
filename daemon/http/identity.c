#include "http/identity.h"

#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "http/request.h"

static const char prefix[] = "X-Wacrm-";

typedef struct {
    const char *values[3];
    size_t seen;
    bool refused;
} headers_t;

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind,
                               const char *key, const char *value)
{
    static const char *const names[] = {"User", "Token-Id", "Token-Exp"};
    headers_t *h = cls;
    (void)kind;
    if (strncasecmp(key, prefix, sizeof(prefix) - 1) != 0) {
        return MHD_YES;
    }
    if (strcasecmp(key + sizeof(prefix) - 1, "Client") == 0) {
        return MHD_YES; /* says where they are, not who */
    }
    for (size_t i = 0; i < 3; i++) {
        if (strcasecmp(key + sizeof(prefix) - 1, names[i]) == 0) {
            h->refused = h->refused || h->values[i] != NULL || value == NULL;
            h->values[i] = value;
            h->seen++;
            return MHD_YES;
        }
    }
    h->refused = true;
    return MHD_YES;
}

/* Printable ASCII: it goes into the log and the database. */
static bool copy_jti(const char *value, char out[IDENTITY_JTI_MAX])
{
    size_t len = strlen(value);
    if (len == 0 || len >= IDENTITY_JTI_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] <= ' ' || value[i] > '~') {
            return false;
        }
    }
    memcpy(out, value, len + 1);
    return true;
}

identity_result_t identity_read(struct MHD_Connection *connection,
                                identity_t *out)
{
    headers_t h = {0};
    memset(out, 0, sizeof(*out));
    MHD_get_connection_values(connection, MHD_HEADER_KIND, collect, &h);
    if (h.refused) {
        return IDENTITY_REFUSED;
    }
    if (h.seen == 0) {
        return IDENTITY_NONE;
    }
    if (h.seen != 3 || !parse_int(h.values[0], 1, INT64_MAX, &out->user) ||
        !copy_jti(h.values[1], out->jti) ||
        !parse_int(h.values[2], 1, INT64_MAX, &out->exp)) {
        return IDENTITY_REFUSED;
    }
    return IDENTITY_OK;
}
