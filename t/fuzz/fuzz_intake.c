/*
 * fuzz_intake.c - bytes as what lies in the spool, from there through the
 * driver into the database, in a transaction that is undone. The first byte
 * chooses the driver, and whether the rest is a record or the body of one.
 */
#include <stdint.h>

#include "base/clock.h"
#include "domain.h"
#include "intake/apply.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An account for each driver. */
static const gateway_account_t accounts[] = {
    {.name = "waapi", .driver = "waapi", .base_url = "http://127.0.0.1"},
};
#define ACCOUNTS (sizeof(accounts) / sizeof(accounts[0]))

static const char *const events[] = {NULL, "message.received", "message.status",
                                     "session.status", "message.reaction"};
#define EVENTS (sizeof(events) / sizeof(events[0]))

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static int apply(tx_t *tx, void *arg)
{
    static welcome_pace_t pace;
    item_t *item = arg;
    apply_t a = {0};
    int rc;

    apply_begin(&a, true, &pace);
    rc = apply_item(&a, tx, item);
    require(!werr_is_fault(rc));
    require(rc == WERR_OK || a.reason[0] != '\0');
    if (rc == WERR_OK) {
        fuzz_through();
    }
    return WERR_INVALID; /* undone */
}

static void through(char *data, size_t len)
{
    item_t item;

    require(gw_driver(accounts[0].driver) != NULL);
    require(item_prepare(&item, accounts, ACCOUNTS, 1, data, len) == WERR_OK);
    if (item.dead != NULL) {
        require(item.reason[0] != '\0');
    } else {
        (void)domain_write(fuzz_domain(), apply, &item);
    }
    item_free(&item);
}

static void body_of_a_record(uint8_t choice, const uint8_t *data, size_t size)
{
    const gateway_account_t *a = &accounts[choice % ACCOUNTS];
    const char *event = events[choice / ACCOUNTS % EVENTS];
    spool_record_t rec = {
        .source = {a->name, strlen(a->name)},
        .received_us = (uint64_t)clock_now_ms() * 1000,
        .remote = {"127.0.0.1", 9},
        .signature = {"waapi", 5},
        .method = {"POST", 4},
        .path = {"/api/webhook/whatsapp", 21},
        .body = {(const char *)data, size},
    };
    size_t bound, len;
    char *copy;

    if (event != NULL) {
        rec.headers[0] =
            (spool_header_t){{"x-webhook-event", 15}, {event, strlen(event)}};
        rec.nheaders = 1;
    }
    bound = spool_record_bound(&rec);
    copy = malloc(bound);
    require(copy != NULL);
    len = spool_record_encode(&rec, copy, bound);
    require(len > 0);
    through(copy, len);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    log_setup(LOG_ERROR, 2);
    if (data[0] < 128) {
        body_of_a_record(data[0], data + 1, size - 1);
    } else {
        char *copy = malloc(size);

        require(copy != NULL);
        memcpy(copy, data + 1, size - 1);
        through(copy, size - 1);
        free(copy);
    }
    return 0;
}
