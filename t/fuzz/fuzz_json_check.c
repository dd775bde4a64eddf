/*
 * The check against jansson, and in two pieces against at once. NUL bytes are
 * left out: docs/json.md.
 */
#include "edge/json_check.h"
#include "through.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size > 0 ? data[0] % size : 0;
    bool good = json_check(data, size);
    json_check_t c;
    json_t *value;

    if (good) {
        fuzz_through();
    }
    json_check_init(&c);
    if ((json_check_update(&c, data, cut) &&
         json_check_update(&c, data + cut, size - cut) &&
         json_check_final(&c)) != good) {
        abort();
    }
    value = json_loadb((const char *)data, size,
                       JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value != NULL && !good && memchr(data, 0, size) == NULL) {
        abort();
    }
    json_decref(value);
    return 0;
}
