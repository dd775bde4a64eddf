#include "domain/status.h"

#include <strings.h>
#include <stddef.h>

static const char *const names[] = {
    [STATUS_QUEUED] = "queued",       [STATUS_UNKNOWN] = "unknown",
    [STATUS_SENT] = "sent",           [STATUS_DELIVERED] = "delivered",
    [STATUS_READ] = "read",           [STATUS_PLAYED] = "played",
    [STATUS_FAILED] = "failed",       [STATUS_SCHEDULED] = "queued",
    [STATUS_CANCELLED] = "cancelled",
};

static const struct {
    const char *word;
    status_t status;
} words[] = {
    {"queued", STATUS_QUEUED},
    {"pending", STATUS_QUEUED},
    {"unknown", STATUS_UNKNOWN},
    {"sent", STATUS_SENT},
    {"server_ack", STATUS_SENT},
    {"delivered", STATUS_DELIVERED},
    {"delivery_ack", STATUS_DELIVERED},
    {"received", STATUS_DELIVERED},
    {"read", STATUS_READ},
    {"seen", STATUS_READ},
    {"viewed", STATUS_READ},
    {"played", STATUS_PLAYED},
    {"failed", STATUS_FAILED},
    {"error", STATUS_FAILED},
};

const char *status_name(status_t s)
{
    if ((size_t)s >= sizeof(names) / sizeof(names[0])) {
        return "unknown";
    }
    return names[s];
}

bool status_parse(const char *word, status_t *out)
{
    if (word == NULL) {
        return false;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(word, words[i].word) == 0) {
            *out = words[i].status;
            return true;
        }
    }
    return false;
}

/* Unknown may have gone out or not: it ranks with queued. */
static int rank(status_t s)
{
    return s == STATUS_UNKNOWN ? STATUS_QUEUED : (int)s;
}

bool status_may_move(status_t from, status_t to)
{
    switch (to) {
    case STATUS_QUEUED:
    case STATUS_SCHEDULED:
    case STATUS_CANCELLED:
        return false;
    case STATUS_UNKNOWN:
        return from == STATUS_QUEUED;
    case STATUS_FAILED:
        return from == STATUS_QUEUED || from == STATUS_UNKNOWN ||
               from == STATUS_SENT;
    default:
        break;
    }
    if (from == STATUS_FAILED || from == STATUS_CANCELLED) {
        return to != STATUS_SENT;
    }
    if (from >= STATUS_UNSAID) {
        return false;
    }
    return rank(to) > rank(from);
}
