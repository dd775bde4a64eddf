/*
 * waapi_parse.c - the envelope of a delivery, and who reads what is in it.
 */
#include "gateway/waapi.h"

#include <errno.h>
#include <string.h>

#include "base/jsonr.h"

static int read_nothing(waapi_reading_t *r)
{
    r->ev->kind = GW_OTHER;
    return WERR_OK;
}

/* A name that ends in a dot stands for all that begin with it. */
static const struct {
    const char *name;
    int (*read)(waapi_reading_t *r);
} readers[] = {
    {"message.received", waapi_message},
    {"message.sent", waapi_sent},
    {"message.status", waapi_status},
    {"message.delivered", waapi_status},
    {"message.read", waapi_status},
    {"message.played", waapi_status},
    {"message.failed", waapi_status},
    {"message.reaction", waapi_about},
    {"message.edited", waapi_about},
    {"message.deleted", waapi_about},
    {"message.revoked", waapi_about},
    {"qr.generated", waapi_qr},
    {"pairing.code_generated", waapi_qr},
    {"connection.qr_update", waapi_qr},
    {"session.", waapi_session},
    {"connection.", waapi_session},
    {"typing", waapi_typing},
    {"presence.update", waapi_typing},
    {"lid.mapping.resolved", waapi_alias},
};

static int dispatch(waapi_reading_t *r)
{
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        const char *name = readers[i].name;
        size_t len = strlen(name);
        bool all = name[len - 1] == '.';

        if (all ? strncmp(r->name, name, len) != 0
                : strcmp(r->name, name) != 0) {
            continue;
        }
        if (!json_is_object(r->data)) {
            return waapi_refuse(r, "data is not an object");
        }
        return readers[i].read(r);
    }
    return read_nothing(r);
}

/* ---- envelope ---- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Value of session= in a query string, decoded into out. */
static bool query_session(spool_str_t q, char *out, size_t size)
{
    static const char key[] = "session=";
    size_t at = 0, n = 0;

    while (at < q.len && (q.len - at < sizeof(key) - 1 ||
                          memcmp(q.data + at, key, sizeof(key) - 1) != 0)) {
        const char *amp = memchr(q.data + at, '&', q.len - at);

        if (!amp) {
            return false;
        }
        at = (size_t)(amp - q.data) + 1;
    }
    for (at += sizeof(key) - 1; at < q.len && q.data[at] != '&'; at++) {
        char c = q.data[at] == '+' ? ' ' : q.data[at];

        if (c == '%' && q.len - at > 2 && hex_of(q.data[at + 1]) >= 0 &&
            hex_of(q.data[at + 2]) >= 0) {
            c = (char)(hex_of(q.data[at + 1]) * 16 + hex_of(q.data[at + 2]));
            at += 2;
        }
        if (c == '\0' || n + 1 >= size) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return n > 0;
}

static int take_session(waapi_reading_t *r, const spool_record_t *rec)
{
    char name[200];
    int rc = WERR_OK;

    r->ev->session = gw_first_str(r->data, "sessionId");
    if (!r->ev->session) {
        r->ev->session =
            gw_first_str(r->root, "sessionId|session_id|instance_id");
    }
    if (!r->ev->session && query_session(rec->query, name, sizeof(name))) {
        r->ev->session = waapi_keep(r, name, strlen(name), &rc);
    }
    return rc;
}

/* The event's name and data; without an envelope the header names it. */
static int open_envelope(waapi_reading_t *r, const spool_record_t *rec)
{
    spool_str_t header = spool_record_header(rec, "x-webhook-event");
    int rc = WERR_OK;

    if (!json_is_object(r->root)) {
        return waapi_refuse(r, "not an object");
    }
    r->name = jsonr_str(r->root, "event");
    r->data = json_object_get(r->root, "data");
    if (!r->name && header.data && header.len > 0 && header.len < 128) {
        r->name = waapi_keep(r, header.data, header.len, &rc);
        if (!json_is_object(r->data)) {
            r->data = r->root;
        }
    }
    if (rc == WERR_OK && !r->name) {
        return waapi_refuse(r, "no event name");
    }
    r->ev->name = r->name;
    return rc;
}

int waapi_parse(const spool_record_t *rec, gw_events_t *out, char *reason,
                size_t size)
{
    waapi_reading_t r = {.out = out, .reason = reason, .size = size};
    json_t *root;
    int rc;

    memset(out, 0, sizeof(*out));
    root = jsonr_parse(rec->body.data, rec->body.len, reason, size);
    if (!root) {
        return errno == ENOMEM ? WERR_NOMEM : WERR_INVALID;
    }
    r.root = root;
    rc = gw_events_init(out, root, 1);
    if (rc != WERR_OK) {
        return rc;
    }
    r.ev = out->items;
    rc = open_envelope(&r, rec);
    if (rc == WERR_OK) {
        rc = take_session(&r, rec);
    }
    if (rc == WERR_OK) {
        rc = dispatch(&r);
    }
    return gw_events_end(out, rc);
}
