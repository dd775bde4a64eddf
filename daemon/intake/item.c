#include "intake/item.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "intake/probe.h"

static const gateway_account_t *find_account(const gateway_account_t *accounts,
                                             size_t n, spool_str_t name)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(accounts[i].name) == name.len &&
            memcmp(accounts[i].name, name.data, name.len) == 0) {
            return &accounts[i];
        }
    }
    return NULL;
}

static void kill_item(item_t *item, const char *code, const char *reason)
{
    item->dead = code;
    if (reason != item->reason) {
        snprintf(item->reason, sizeof(item->reason), "%s", reason);
    }
}

int item_prepare(item_t *item, const gateway_account_t *accounts, size_t n,
                 uint64_t seq, char *data, size_t len)
{
    const gw_driver_t *driver;
    spool_record_t rec;
    int rc;

    memset(item, 0, sizeof(*item));
    item->seq = seq;
    item->data = (spool_str_t){data, len};
    rc = spool_record_decode(data, len, &rec);
    if (rc == SPOOL_NOMEM) {
        return WERR_NOMEM;
    }
    if (rc != SPOOL_OK) {
        kill_item(item, DEAD_RECORD, spool_strerror(rc));
        return WERR_OK;
    }
    item->source = rec.source;
    item->body = rec.body;
    item->received = (int64_t)(rec.received_us / 1000);
    item->probe = probe_read(rec.body.data, rec.body.len);
    if (item->probe != 0) {
        item->received_us = (int64_t)rec.received_us;
        item->taken_us = clock_now_us();
        return WERR_OK;
    }
    item->account = find_account(accounts, n, rec.source);
    driver = item->account == NULL ? NULL : gw_driver(item->account->driver);
    if (driver == NULL) {
        kill_item(item, DEAD_SOURCE, "no [gateway] of that name");
        return WERR_OK;
    }
    rc = driver->parse(&rec, &item->events, item->reason, sizeof(item->reason));
    if (rc != WERR_OK) {
        if (werr_is_fault(rc)) {
            return rc;
        }
        kill_item(item, DEAD_PARSE, item->reason);
    }
    if (driver->redact != NULL && rec.body.len > 0) {
        driver->redact(data + (rec.body.data - data), rec.body.len);
    }
    return WERR_OK;
}

void item_free(item_t *item)
{
    gw_events_free(&item->events);
}
