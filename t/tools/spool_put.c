/*
 * spool_put SPOOL < BYTES
 *
 * Appends what comes on stdin as one record, be it one or not.
 */
#include "spool/spool.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static char data[65536];
    spool_options_t opt = {.size = 0};
    spool_t *spool = NULL;
    spool_str_t rec = {data, fread(data, 1, sizeof(data), stdin)};
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: spool_put SPOOL\n");
        return 2;
    }
    rc = spool_open(&spool, argv[1], &opt);
    if (rc == SPOOL_OK) {
        rc = spool_append(spool, &rec, 1, NULL);
        spool_close(&spool);
    }
    if (rc != SPOOL_OK) {
        fprintf(stderr, "spool_put: %s %s\n", spool_strerror(rc), opt.error);
        return 1;
    }
    return 0;
}
