/*
 * fuzz_query.c - bytes as a query string and as one of its values: what comes
 * out is UTF-8 without control characters, each name once, and found again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "http/query.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* jansson knows what UTF-8 is. */
static void check_text(const char *text)
{
    json_t *value = json_string(text);

    if (value == NULL) {
        abort();
    }
    json_decref(value);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r') ||
            *p == 0x7f) {
            abort();
        }
    }
}

static void pairs(const char *text)
{
    query_t q;

    bool good = query_parse(&q, text) == WERR_OK;

    if (q.n > QUERY_PAIRS_MAX) {
        abort();
    }
    for (size_t i = 0; good && i < q.n; i++) {
        check_text(q.names[i]);
        check_text(q.values[i]);
        /* a name that stood twice would find the first one */
        if (query_get(&q, q.names[i]) != q.values[i]) {
            abort();
        }
    }
    if (good && q.n > 0) {
        fuzz_through();
    }
    query_free(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *out = malloc(size + 1);

    if (text != NULL && out != NULL) {
        memcpy(text, data, size);
        text[size] = '\0';
        pairs(text);
        for (int plus = 0; plus < 2; plus++) {
            if (query_decode(text, size, plus, out)) {
                check_text(out);
            }
        }
    }
    free(text);
    free(out);
    return 0;
}
