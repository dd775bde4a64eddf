#include "intake/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BEFORE "{\"event\":\"wacrm.selftest\",\"probe\":\""
#define AFTER  "\"}"
#define DIGITS 18

int64_t probe_read(const char *body, size_t len)
{
    const size_t before = sizeof(BEFORE) - 1, after = sizeof(AFTER) - 1;
    size_t digits = len < before + after ? 0 : len - before - after;
    int64_t number = 0;

    if (digits < 1 || digits > DIGITS || memcmp(body, BEFORE, before) != 0 ||
        memcmp(body + len - after, AFTER, after) != 0) {
        return 0;
    }
    for (size_t i = 0; i < digits; i++) {
        char c = body[before + i];

        if (c < '0' || c > '9') {
            return 0;
        }
        number = number * 10 + (c - '0');
    }
    return number;
}

size_t probe_write(int64_t number, char out[PROBE_BODY_MAX])
{
    int n = snprintf(out, PROBE_BODY_MAX, BEFORE "%" PRId64 AFTER, number);

    return n > 0 ? (size_t)n : 0;
}
