/*
 * fuzz_multipart.c - bytes as a form: what is read lies inside the body, and
 * names end. The first line is the boundary.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/sniff.h"
#include "http/multipart.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void form(const char *type, const char *body, size_t len)
{
    static multipart_t m;

    if (multipart_parse(&m, type, body, len) != NULL) {
        if (m.n != 0) {
            abort();
        }
        return;
    }
    for (size_t i = 0; i < m.n; i++) {
        const multipart_part_t *p = &m.parts[i];

        if (p->data < body || p->data + p->len > body + len ||
            strlen(p->name) >= sizeof(p->name) ||
            strlen(p->filename) >= sizeof(p->filename) ||
            multipart_get(&m, p->name) != p) {
            abort();
        }
        (void)sniff(p->data, p->len);
    }
    if (m.n > 0) {
        fuzz_through();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char type[160], *copy = malloc(len > 0 ? len : 1);
    size_t n = 0, size = 0;

    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, len);
    (void)sniff(copy, len);
    free(base64_decode(copy, len, &size));
    while (n < len && n < 100 && copy[n] != '\n' && copy[n] != '\0') {
        n++;
    }
    snprintf(type, sizeof(type), "multipart/form-data; boundary=%.*s", (int)n,
             copy);
    n += n < len;
    form(type, copy + n, len - n);
    form("multipart/form-data; boundary=x", copy, len);
    free(copy);
    return 0;
}
