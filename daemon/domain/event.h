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
    EVENT_CHAT = 5,             /* read, starred: the chat's line moved */
    EVENT_MESSAGE_CHANGED = 6,  /* reaction, edit, delete; ref = message */
    EVENT_CONTACT = 7,          /* name, merge, gifts; ref = contact */
    EVENT_REMINDER_DUE = 8,     /* ReminderDue; ref = reminder */
    EVENT_ACCESS = 9,           /* who may see what: members, roles, users */
    EVENT_TEMPLATES = 10,       /* made, changed, deleted; ref = template */
    EVENT_CONTACTS = 11,        /* many at once: an import */
} event_kind_t;

/* chat and ref may be 0 for none. The number is taken from tx. */
int event_raise(tx_t *tx, event_kind_t kind, int64_t session, int64_t chat,
                int64_t ref) WACRM_CHECKED;

#endif
