/*
 * event.h - what has changed, as numbered rows in commit order.
 */
#ifndef WACRM_DOMAIN_EVENT_H
#define WACRM_DOMAIN_EVENT_H

#include "domain/domain.h"

typedef enum {
    EVENT_MESSAGE_RECEIVED = 1, /* NewMessageReceived; ref = message */
    EVENT_MESSAGE_SENT = 2,     /* MessageSent; ref = message */
    EVENT_MESSAGE_STATUS = 3,   /* MessageStatusUpdated; ref = message */
    EVENT_SESSION_STATUS = 4,   /* SessionStatusChanged */
    EVENT_CHAT = 5,             /* starred, history: the chat's line moved */
    EVENT_MESSAGE_CHANGED = 6,  /* reaction, edit, delete; ref = message */
    EVENT_CONTACT = 7,          /* name, merge, gifts; ref = contact */
    EVENT_REMINDER_DUE = 8,     /* ReminderDue; ref = reminder */
    EVENT_ACCESS = 9,           /* who may see what: members, roles, users */
    EVENT_TEMPLATES = 10,       /* made, changed, deleted; ref = template */
    EVENT_CONTACTS = 11,        /* many at once: import, midnight */
    EVENT_CHAT_READ = 12,       /* by somebody of us */
    EVENT_PROBE = 13,           /* of wacrmctl selftest; ref = its number */
    EVENT_KIND_END
} event_kind_t;

/* "digits.digits", as the handshake gives it to a socket; with its NUL. */
#define SOCKET_ID_MAX 44
bool socket_id_valid(const char *text);

/*
 * chat and ref may be 0 for none. The number is taken from tx. The same as
 * the one before it in tx is none: readers see the row as it is at the end.
 */
int event_raise(tx_t *tx, event_kind_t kind, int64_t session, int64_t chat,
                int64_t ref) WACRM_CHECKED;

/*
 * Between these two every EVENT_CONTACT becomes part of one EVENT_CONTACTS,
 * so that an import does not flood those who listen.
 */
void event_many_begin(tx_t *tx);
int event_many_end(tx_t *tx) WACRM_CHECKED;

#endif
