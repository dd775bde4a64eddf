/*
 * parked.h - what came before the message it speaks of. Private to domain/.
 */
#ifndef WACRM_DOMAIN_PARKED_H
#define WACRM_DOMAIN_PARKED_H

#include "domain/message_row.h"

int parked_status(tx_t *tx, int64_t session, const char *wa_id, status_t to,
                  const char *code, const char *title) WACRM_CHECKED;
int parked_reaction(tx_t *tx, int64_t session, const char *wa_id,
                    const char *sender, const char *emoji,
                    int64_t ts) WACRM_CHECKED;
int parked_edit(tx_t *tx, int64_t session, const char *wa_id, const char *text,
                int64_t ts) WACRM_CHECKED;
int parked_delete(tx_t *tx, int64_t session, const char *wa_id,
                  int64_t ts) WACRM_CHECKED;

/* Applies what waits for m, in the order it came, and forgets it. */
int parked_apply(tx_t *tx, message_row_t *m, const char *wa_id) WACRM_CHECKED;

#endif
