/*
 * domain.h - a domain on a database of its own, for targets that write.
 */
#ifndef WACRM_T_FUZZ_DOMAIN_H
#define WACRM_T_FUZZ_DOMAIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "domain/domain.h"

static char fuzz_dir[64];
static store_t *fuzz_store;

static inline void fuzz_domain_end(void)
{
    static const char *const files[] = {"wacrm.db", "wacrm.db-wal",
                                        "wacrm.db-shm"};
    char path[128];

    store_close(&fuzz_store);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", fuzz_dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(fuzz_dir);
}

/* Made at the first call, in memory where there is such a directory. */
static inline domain_t *fuzz_domain(void)
{
    static domain_t domain;
    static char path[128];
    domain_settings_t set;
    store_options_t o = {.path = path};

    if (fuzz_store != NULL) {
        return &domain;
    }
    (void)snprintf(fuzz_dir, sizeof(fuzz_dir), "%s/wacrm-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(fuzz_dir) == NULL) {
        abort();
    }
    (void)snprintf(path, sizeof(path), "%s/wacrm.db", fuzz_dir);
    domain_settings_default(&set);
    if (store_open(&fuzz_store, &o) != WERR_OK ||
        domain_init(&domain, fuzz_store, &set) != WERR_OK) {
        (void)fprintf(stderr, "no database: %s\n", o.error);
        abort();
    }
    (void)atexit(fuzz_domain_end);
    return &domain;
}

#endif
