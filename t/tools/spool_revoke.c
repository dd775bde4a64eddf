/*
 * spool_revoke SPOOL jti ID EXPIRES
 * spool_revoke SPOOL sub ID EXPIRES NOT_BEFORE
 *
 * Revokes one token, or those of a subject, as wacrmd does.
 */
#include "spool/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    spool_options_t opt = {.size = 0};
    spool_revoked_t entry = {0};
    spool_t *spool = NULL;
    int rc;

    if (argc < 5) {
        fprintf(stderr, "usage: spool_revoke SPOOL jti|sub ID EXPIRES "
                        "[NOT_BEFORE]\n");
        return 2;
    }
    entry.subject = strcmp(argv[2], "sub") == 0;
    entry.id = argv[3];
    entry.expires = strtoll(argv[4], NULL, 10);
    entry.not_before = argc > 5 ? strtoll(argv[5], NULL, 10) : 0;

    rc = spool_open(&spool, argv[1], &opt);
    if (rc == SPOOL_OK) {
        rc = spool_revoke(spool, &entry, 1);
        spool_close(&spool);
    }
    if (rc != SPOOL_OK) {
        fprintf(stderr, "spool_revoke: %s %s\n", spool_strerror(rc), opt.error);
        return 1;
    }
    return 0;
}
