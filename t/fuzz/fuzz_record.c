/*
 * fuzz_record.c - bytes as a spool record: decoded, looked at, encoded again.
 * libFuzzer: clang -fsanitize=fuzzer,address,undefined -I. t/fuzz/fuzz_record.c
 * spool/record.c spool/wire.c -lmsgpackc
 */
#include <stdlib.h>
#include <string.h>

#include "spool/record.h"
#include "spool/spool.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void inside(const uint8_t *data, size_t len, spool_str_t s)
{
    const uint8_t *p = (const uint8_t *)s.data;

    if (s.data != NULL && (p < data || s.len > (size_t)(data + len - p))) {
        abort();
    }
}

static void all_inside(const uint8_t *data, size_t len,
                       const spool_record_t *rec)
{
    inside(data, len, rec->source);
    inside(data, len, rec->remote);
    inside(data, len, rec->signature);
    inside(data, len, rec->method);
    inside(data, len, rec->path);
    inside(data, len, rec->query);
    inside(data, len, rec->content_type);
    inside(data, len, rec->body);
    for (size_t i = 0; i < rec->nheaders; i++) {
        inside(data, len, rec->headers[i].name);
        inside(data, len, rec->headers[i].value);
    }
}

/* What was decoded can be encoded, and decodes to the same again. */
static void round_trip(const spool_record_t *rec)
{
    size_t bound = spool_record_bound(rec);
    char *buf = malloc(bound);
    spool_record_t again;
    size_t n;

    if (buf == NULL) {
        return;
    }
    n = spool_record_encode(rec, buf, bound);
    if (n == 0 || spool_record_decode(buf, n, &again) != SPOOL_OK ||
        again.body.len != rec->body.len ||
        again.received_us != rec->received_us ||
        again.nheaders != rec->nheaders ||
        (rec->body.len > 0 &&
         memcmp(again.body.data, rec->body.data, rec->body.len) != 0)) {
        abort();
    }
    free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    spool_record_t rec;
    int rc = spool_record_decode(data, len, &rec);

    if (rc == SPOOL_OK) {
        all_inside(data, len, &rec);
        round_trip(&rec);
        fuzz_through();
    } else if (rc != SPOOL_CORRUPT && rc != SPOOL_FUTURE) {
        abort();
    }
    return 0;
}
