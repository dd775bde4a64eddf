/*
 * chat_changes.h - the chats that a transaction touches: each is looked up
 * once and written once, before the commit. Private to domain/.
 */
#ifndef WACRM_DOMAIN_CHAT_CHANGES_H
#define WACRM_DOMAIN_CHAT_CHANGES_H

#include "domain/domain.h"

typedef struct {
    int64_t session, contact;
    int64_t id;
    int64_t last_ts, last_message; /* last_message 0: none yet */
    int64_t unread;                /* to be added */
    bool last_outgoing;
    bool live;    /* something was received, or has left */
    bool to_live; /* to be written */
    bool changed;
} chat_entry_t;

/*
 * The chat of (session, contact), made if it is not there, with ts as the
 * time of its first message. *out is valid until the next call.
 */
int chat_touch(tx_t *tx, int64_t session, int64_t contact, int64_t ts,
               chat_entry_t **out, bool *created) WACRM_CHECKED;

/* The same for something that was received, or said on the phone: a chat that
 * is made for it is live. */
int chat_touch_live(tx_t *tx, int64_t session, int64_t contact, int64_t ts,
                    chat_entry_t **out, bool *created) WACRM_CHECKED;

/* A message of the chat was stored: it may be its last one now. */
void chat_note_message(chat_entry_t *chat, int64_t message, int64_t ts,
                       bool outgoing, bool unread);

/* Something was received in the chat. Whose record is closed by it, as the
 * first one that is live, is told of. */
void chat_note_live(chat_entry_t *chat);
/* Something has left in it: at once. Whose line is told anew where it opens a
 * record that was closed (contact_visible.h). */
int chat_set_live(tx_t *tx, int64_t session, int64_t chat) WACRM_CHECKED;

/* Adds delta to the number of failed sends. */
int chat_add_failed(tx_t *tx, int64_t chat, int delta) WACRM_CHECKED;

/* Writes what has changed; before another statement reads these columns. */
int chat_flush(tx_t *tx) WACRM_CHECKED;
/* What a message that moved or went leaves as the last one; flushes, and
 * forgets. */
int chat_settle_last(tx_t *tx, int64_t chat) WACRM_CHECKED;
/* Drops what was looked up: after a roll back, a merge, at the end. */
void chat_forget(tx_t *tx);

#endif
