/*
 * driver.c - the table of drivers.
 */
#include "gateway/gateway.h"

#include <string.h>

static const gw_driver_t *const drivers[] = {&gw_waapi};

const gw_driver_t *gw_driver(const char *name)
{
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(drivers[i]->name, name) == 0) {
            return drivers[i];
        }
    }
    return NULL;
}

const gateway_account_t *gateway_account(const gateway_account_t *accounts,
                                         size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(accounts[i].name, name) == 0) {
            return &accounts[i];
        }
    }
    return NULL;
}
