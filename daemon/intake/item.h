/*
 * item.h - one spool record made ready outside any transaction: decoded,
 * parsed by its driver, its bytes redacted. Private to intake/.
 */
#ifndef WACRM_INTAKE_ITEM_H
#define WACRM_INTAKE_ITEM_H

#include "gateway/gateway.h"
#include "spool/spool.h"

/* Why a record becomes a dead letter; static text of dead_letters.code. */
#define DEAD_SOURCE     "source"
#define DEAD_PARSE      "parse"
#define DEAD_CONSTRAINT "constraint"
/* Not for the dead letters but for the spool's quarantine. */
#define DEAD_RECORD "record"

#define REASON_MAX 200

typedef struct {
    uint64_t seq;
    spool_str_t data; /* the encoded record, redacted */
    spool_str_t source, body;
    int64_t received;              /* ms */
    int64_t received_us, taken_us; /* of a probe: since 1970 */
    const gateway_account_t *account;
    gw_events_t events;
    int64_t probe;           /* number of a self-test, 0: none; no events */
    const char *dead;        /* NULL: good so far */
    char reason[REASON_MAX]; /* of dead */
} item_t;

/*
 * data is written to: what a driver redacts is overwritten in place. Its
 * memory must outlive the item. WERR_OK also for a bad record (item->dead),
 * else a fault.
 */
int item_prepare(item_t *item, const gateway_account_t *accounts, size_t n,
                 uint64_t seq, char *data, size_t len) WACRM_CHECKED;
void item_free(item_t *item);

#endif
