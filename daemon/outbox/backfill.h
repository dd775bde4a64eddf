/*
 * backfill.h - fetches what domain/backfill.h asks for: on the gateway
 * client's thread, one account at a time, paced, two calls at once. The lanes
 * go on beside it. Private to outbox/.
 */
#ifndef WACRM_OUTBOX_BACKFILL_H
#define WACRM_OUTBOX_BACKFILL_H

#include "domain/domain.h"
#include "gateway/client.h"
#include "outbox/outbox.h"

typedef struct backfill_s backfill_t;

/* db: a read connection of that thread, the caller's; counters too. */
int backfill_new(backfill_t **out, domain_t *d, db_t *db,
                 const gateway_account_t *accounts, size_t n,
                 outbox_counters_t *counters) WACRM_CHECKED;
/* After the client has ended. */
void backfill_free(backfill_t **b);

/* Starts what is due; *wait: ms until it wants to be called again, INT64_MAX
 * after the next call that ends. */
int backfill_step(backfill_t *b, gw_client_t *client,
                  int64_t *wait) WACRM_CHECKED;

#endif
