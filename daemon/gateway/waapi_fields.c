/*
 * waapi_fields.c - what the readers of the driver share: who a delivery is
 * about, ids, times.
 */
#include "gateway/waapi.h"

#include <stdio.h>
#include <string.h>

#include "base/jsonr.h"

/* Other names of the person a message is exchanged with. Those of the sender
 * are our own in a message of ours. */
#define OTHER_SIDE                                                   \
    "phone_number|raw.key.remoteJidAlt|remote_jid_alt|remoteJidAlt|" \
    "message.metadata.remote_jid_alt"
#define SENDER                                                  \
    "raw.key.senderPn|raw.key.participantPn|raw.key.senderLid|" \
    "message.metadata.sender_pn|message.metadata.sender_lid|"   \
    "key.senderPn|senderPn|sender_pn|sender_lid"

int waapi_refuse(waapi_reading_t *r, const char *why)
{
    if (r->size > 0) {
        (void)snprintf(r->reason, r->size, "%s: %s",
                       r->name ? r->name : "event", why);
    }
    return WERR_INVALID;
}

const char *waapi_keep(waapi_reading_t *r, const char *s, size_t len, int *rc)
{
    const char *copy = gw_events_dup(r->out, s, len);

    if (!copy) {
        *rc = WERR_NOMEM;
    }
    return copy;
}

/* Fills phone or alias from one JID, where they are not known yet. */
jid_kind_t waapi_take_jid(waapi_reading_t *r, const char *jid, int *rc)
{
    char out[ALIAS_MAX];
    jid_kind_t kind = phone_from_jid(jid, strlen(jid), out);

    if (kind == JID_PHONE && !r->ev->phone) {
        r->ev->phone = waapi_keep(r, out, strlen(out), rc);
    } else if (kind == JID_ALIAS && !r->ev->alias) {
        r->ev->alias = waapi_keep(r, out, strlen(out), rc);
    }
    return kind;
}

static void take_others(waapi_reading_t *r, const char *paths, int *rc)
{
    while (*paths) {
        const char *jid = json_string_value(gw_next(r->data, &paths));

        if (jid && *jid) {
            (void)waapi_take_jid(r, jid, rc);
        }
    }
}

/* The chat and who is on its other side; a group makes the event OTHER. */
int waapi_take_chat(waapi_reading_t *r, const char *jid)
{
    jid_kind_t kind;
    int rc = WERR_OK;

    if (!jid) {
        return waapi_refuse(r, "no chat is told");
    }
    r->ev->chat = jid;
    kind = waapi_take_jid(r, jid, &rc);
    if (kind == JID_GROUP || kind == JID_BROADCAST) {
        r->ev->group = true;
        r->ev->kind = GW_OTHER;
        return rc;
    }
    take_others(r, r->ev->from_me ? OTHER_SIDE : OTHER_SIDE "|" SENDER, &rc);
    if (rc == WERR_OK && !r->ev->phone && !r->ev->alias) {
        return waapi_refuse(r, "chat is neither a phone, a LID nor a group");
    }
    return rc;
}

/* "true_62..@c.us_3EB0..": the third field; else all of it. */
const char *waapi_bare_id(waapi_reading_t *r, const char *id, int *rc)
{
    const char *second, *third;
    size_t len;

    if (!id || !strchr(id, '@')) {
        return id;
    }
    second = strchr(id, '_');
    third = second ? strchr(second + 1, '_') : NULL;
    if (!third || third[1] == '\0') {
        return id;
    }
    len = strcspn(third + 1, "_");
    return third[1 + len] == '\0' ? third + 1
                                  : waapi_keep(r, third + 1, len, rc);
}

bool waapi_truth(const json_t *j, const char *paths)
{
    return json_is_true(gw_first(j, paths));
}

int64_t waapi_time(const waapi_reading_t *r, const char *paths)
{
    int64_t ms;

    if (gw_first_time(r->data, paths, &ms) ||
        jsonr_time(r->root, "timestamp", &ms)) {
        return ms;
    }
    return 0;
}
