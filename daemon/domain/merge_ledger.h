/*
 * merge_ledger.h - what a merge is about to move. Private to domain/.
 */
#ifndef WACRM_DOMAIN_MERGE_LEDGER_H
#define WACRM_DOMAIN_MERGE_LEDGER_H

#include "domain/domain.h"

/* Both contacts, and all of `from` but its chats. */
int merge_ledger_open(tx_t *tx, int64_t into, int64_t from, int64_t user,
                      int64_t *merge) WACRM_CHECKED;
/* A chat of `from`; target: the chat that takes its messages, 0: none. */
int merge_ledger_chat(tx_t *tx, int64_t merge, int64_t chat,
                      int64_t target) WACRM_CHECKED;

#endif
