/*
 * pages.h - what lies in a data.mdb, read without LMDB, which ends the process
 * where a page is not what it must be. Private to spool/.
 *
 * Format: lmdb.h and mdb.c of LMDB 0.9 (data version 1), on machines of 64
 * bits, little-endian; on others nothing is ever found to be damaged.
 *
 * To be called where nobody writes, that is under write.lock: a page that the
 * newest meta page leads to is not written before the next commit but one.
 */
#ifndef WACRM_SPOOL_PAGES_H
#define WACRM_SPOOL_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool/spool.h"

/* One record of `events`, or of `quarantine`, without its reason, that can be
 * read; other than 0 ends the walk, and is its result. data lives until it
 * returns. */
typedef int (*spool_pages_cb)(void *ctx, uint64_t seq, bool quarantined,
                              const void *data, size_t len);

typedef struct {
    /* Pages of each tree to look at, from either end, a long record, of which
     * the head is read, being one; 0: all of them. */
    uint64_t budget;
    /* NULL, or told of each record, whatever else is damaged; then the budget
     * does not count, and one sound meta page is enough. */
    spool_pages_cb cb;
    void *ctx;
    uint64_t bad;              /* out, with cb: places that were passed over */
    char why[120];             /* out: the first damage, in words */
    char id[SPOOL_ID_LEN + 1]; /* out: of the spool; "": not found */
} spool_pages_t;

/*
 * fd: of data.mdb, for reading. SPOOL_OK: sound as far as it was looked at;
 * which, where it is all of them without cb, is also that no page is used
 * twice; SPOOL_CORRUPT: damaged for certain (with cb: the walk went on beside
 * it); SPOOL_INVAL: sound, perhaps, but of no spool's tables (without cb);
 * SPOOL_FUTURE: of another version of LMDB; SPOOL_IO, SPOOL_NOMEM: cannot be
 * told; or what cb returned.
 */
int spool_pages_check(int fd, spool_pages_t *p);

#endif
