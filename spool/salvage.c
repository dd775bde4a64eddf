#include "spool/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/pages.h"

typedef struct {
    spool_salvage_cb cb;
    void *ctx;
    uint64_t records, quarantined;
    int rc; /* of cb */
} found_t;

static int found(void *ctx, uint64_t seq, bool quarantined, const void *data,
                 size_t len)
{
    found_t *f = ctx;

    f->records += !quarantined;
    f->quarantined += quarantined;
    if (f->cb != NULL) {
        f->rc = f->cb(f->ctx, seq, quarantined, (spool_str_t){data, len});
    }
    return f->rc;
}

int spool_salvage(const char *path, const char *name, spool_salvage_cb cb,
                  void *ctx, spool_salvage_t *out)
{
    found_t f = {.cb = cb, .ctx = ctx};
    spool_pages_t p = {.cb = found, .ctx = &f};
    char file[PATH_MAX];
    int fd;
    int rc;

    memset(out, 0, sizeof(*out));
    if (!spool_aside_name(name) ||
        snprintf(file, sizeof(file), "%s/%s/data.mdb", path, name) >=
            (int)sizeof(file)) {
        return SPOOL_INVAL;
    }
    fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return spool_errno_code(errno);
    }
    rc = spool_pages_check(fd, &p);
    close(fd);
    out->records = f.records;
    out->quarantined = f.quarantined;
    out->bad = p.bad;
    memcpy(out->id, p.id, sizeof(out->id));
    memcpy(out->why, p.why, sizeof(out->why));
    if (f.rc != SPOOL_OK) {
        return f.rc;
    }
    return rc == SPOOL_CORRUPT && f.records + f.quarantined > 0 ? SPOOL_OK : rc;
}
