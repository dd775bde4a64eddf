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
