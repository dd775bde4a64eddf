/*
 * message_row.h - a stored message as a change needs it. Private to domain/.
 */
#ifndef WACRM_DOMAIN_MESSAGE_ROW_H
#define WACRM_DOMAIN_MESSAGE_ROW_H

#include "domain/domain.h"
#include "domain/status.h"

typedef struct {
    int64_t id, session, chat, contact;
    bool outgoing;
    bool bound;  /* its wa_id is known */
    bool former; /* has one, but of an attempt before message_retry() */
    status_t status;
    int64_t edited_at, deleted_at; /* 0: never */
} message_row_t;

int message_row_get(db_t *db, int64_t id, message_row_t *out) WACRM_CHECKED;
int message_row_find(db_t *db, int64_t session, bool outgoing,
                     const char *wa_id, message_row_t *out) WACRM_CHECKED;
/* One of ours that a gateway has called by this id, too: by that of an attempt
 * before it was retried, or of an echo that its answer did not bear out. */
int message_row_find_former(db_t *db, int64_t session, const char *wa_id,
                            message_row_t *out) WACRM_CHECKED;

/*
 * Moves the status if the lattice allows it, and with it the chat's count of
 * failed sends, the outbox row and the event; the chat's last message where
 * this one was withdrawn. code and title: of an error.
 */
int message_move(tx_t *tx, message_row_t *m, status_t to, const char *code,
                 const char *title) WACRM_CHECKED;
/* The same without asking the lattice: a retry. */
int message_set_status(tx_t *tx, message_row_t *m, status_t to,
                       const char *code, const char *title) WACRM_CHECKED;

/*
 * The gateway has told the id of a message of ours: keeps it, takes it from
 * another message or a row of its own that an echo was taken for, applies what
 * was parked for it. NULL: it has told none. What it replaces goes to
 * former_ids.
 */
int message_bind(tx_t *tx, message_row_t *m, const char *wa_id) WACRM_CHECKED;

/* Changes of a message that is there. */
int message_apply_reaction(tx_t *tx, const message_row_t *m, const char *sender,
                           const char *emoji, int64_t ts) WACRM_CHECKED;
int message_apply_edit(tx_t *tx, message_row_t *m, const char *text,
                       int64_t ts) WACRM_CHECKED;
int message_apply_delete(tx_t *tx, message_row_t *m, int64_t ts) WACRM_CHECKED;

#endif
