/*
 * backfill_run.h - the run, for those who apply its pages. Private to domain/.
 */
#ifndef WACRM_DOMAIN_BACKFILL_RUN_H
#define WACRM_DOMAIN_BACKFILL_RUN_H

#include "domain/domain.h"

/* The run is done if none of its chats is open. */
int backfill_settle(tx_t *tx, int64_t session) WACRM_CHECKED;

#endif
