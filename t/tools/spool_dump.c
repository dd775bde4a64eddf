/*
 * spool_dump - prints the records of a spool, one a line, without deleting.
 *
 *   spool_dump [-c] PATH      -c: only their number
 *
 * A line is seq=N and the fields of the record as name=value, separated by
 * tabs; control characters, tabs and % are written as %XX. Headers are h.NAME.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spool/spool.h"

static void put(const char *name, spool_str_t value)
{
    printf("\t%s=", name);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (c < 0x20 || c == '%' || c == 0x7f) {
            printf("%%%02x", c);
        } else {
            putchar(c);
        }
    }
}

static int print(const spool_item_t *item)
{
    spool_record_t rec;
    int rc = spool_record_decode(item->data.data, item->data.len, &rec);

    printf("seq=%" PRIu64, item->seq);
    if (rc != SPOOL_OK) {
        printf("\terror=%s\n", spool_strerror(rc));
        return rc;
    }
    printf("\tv=%u\tat=%" PRIu64, rec.version, rec.received_us);
    put("src", rec.source);
    put("ip", rec.remote);
    put("sig", rec.signature);
    put("m", rec.method);
    put("path", rec.path);
    put("q", rec.query);
    put("ct", rec.content_type);
    for (size_t i = 0; i < rec.nheaders; i++) {
        char name[80];

        snprintf(name, sizeof(name), "h.%.*s", (int)rec.headers[i].name.len,
                 rec.headers[i].name.data);
        put(name, rec.headers[i].value);
    }
    put("body", rec.body);
    putchar('\n');
    return SPOOL_OK;
}

int main(int argc, char **argv)
{
    int count_only = argc == 3 && strcmp(argv[1], "-c") == 0;
    spool_options_t opt = {.create = false};
    spool_t *spool = NULL;
    spool_batch_t batch;
    uint64_t after = 0, count = 0;
    int rc;

    if (argc != 2 && !count_only) {
        fprintf(stderr, "usage: spool_dump [-c] PATH\n");
        return 2;
    }
    rc = spool_open(&spool, argv[argc - 1], &opt);
    if (rc != SPOOL_OK) {
        fprintf(stderr, "spool_dump: %s: %s\n", argv[argc - 1], opt.error);
        return 1;
    }
    while ((rc = spool_read(spool, after, 512, 8 << 20, &batch)) == SPOOL_OK) {
        for (size_t i = 0; i < batch.n; i++) {
            after = batch.items[i].seq;
            count++;
            if (!count_only) {
                print(&batch.items[i]);
            }
        }
        spool_batch_free(&batch);
    }
    spool_close(&spool);
    if (count_only) {
        printf("%" PRIu64 "\n", count);
    }
    return rc == SPOOL_EMPTY ? 0 : 1;
}
