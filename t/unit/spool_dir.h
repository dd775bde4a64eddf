/*
 * spool_dir.h - a directory of its own for one test, and records to put into
 * a spool there.
 */
#ifndef WACRM_T_SPOOL_DIR_H
#define WACRM_T_SPOOL_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/spool.h"

typedef struct {
    char base[128];
    char spool[160];
} test_dir_t;

static inline int test_dir_make(test_dir_t *d)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(d->base, sizeof(d->base), "%.90s/wacrm-spool-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(d->base) == NULL) {
        return -1;
    }
    snprintf(d->spool, sizeof(d->spool), "%s/spool", d->base);
    return 0;
}

static inline void test_dir_drop(const test_dir_t *d)
{
    DIR *dir = opendir(d->spool);
    struct dirent *e;

    if (dir != NULL) {
        while ((e = readdir(dir)) != NULL) {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
        closedir(dir);
    }
    rmdir(d->spool);
    rmdir(d->base);
}

/* A number as a record of len >= 8 bytes, and back. */
static inline void test_record_put(char *buf, size_t len, uint64_t n)
{
    memset(buf, 'x', len);
    memcpy(buf, &n, sizeof(n));
}

static inline uint64_t test_record_get(spool_str_t data)
{
    uint64_t n = 0;

    if (data.len >= sizeof(n)) {
        memcpy(&n, data.data, sizeof(n));
    }
    return n;
}

#endif
