/*
 * walk.h - a data.mdb as it is read from the disk, under the walk over its
 * trees (pages.c): its numbers, its two meta pages, its pages. Private to both.
 */
#ifndef WACRM_SPOOL_WALK_H
#define WACRM_SPOOL_WALK_H

#include <string.h>

#include "spool/pages.h"

/* mdb.c: MDB_meta, MDB_db, MDB_page, MDB_node */
#define META_LEN  136
#define META_DBS  24 /* in a meta: the two of the environment */
#define META_LAST 120

#define DB_LEN   48
#define DB_FLAGS 4
#define DB_ROOT  40

#define PAGE_HEAD 16
#define NODE_HEAD 8
#define KEY_MAX   511

#define P_BRANCH   0x01u
#define P_LEAF     0x02u
#define P_OVERFLOW 0x04u
#define P_META     0x08u
#define P_KINDS    0xEFu /* all but P_DIRTY, which means nothing on disk */

#define F_BIGDATA 0x01u
#define F_SUBDATA 0x02u

#define NO_PAGE    UINT64_MAX
#define PAGE_MAX   32768u
#define PAGE_FIRST 2u /* behind the two meta pages */
#define FREE_DBI   0
#define MAIN_DBI   1

typedef struct {
    spool_pages_t *p;
    int fd;
    unsigned psize;
    uint64_t last;  /* page that is in use */
    uint64_t pages; /* in the file */
    uint64_t seen;  /* pages of this tree; a long record is one */
    unsigned char
        *met; /* a bit for each in the file; NULL: some are looked at */
    bool backward;
    bool names; /* the tables are only to be named */
    bool has_events, has_meta;
    int fault; /* what ends the walk: SPOOL_IO, SPOOL_NOMEM, the cb's */
} walk_t;

static inline uint16_t get16(const unsigned char *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t get32(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t get64(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline bool in_use(const walk_t *w, uint64_t page, uint64_t n)
{
    return page >= PAGE_FIRST && page <= w->last && n > 0 &&
           n - 1 <= w->last - page;
}

/* Counts a damage, and keeps the first in words; false. */
__attribute__((format(printf, 2, 3))) bool spool_walk_bad(spool_pages_t *p,
                                                          const char *format,
                                                          ...);
/* The first len bytes of n pages from that one on, into memory of the caller's,
 * freed by him; NULL: damaged, or w->fault says why. */
unsigned char *spool_walk_load(walk_t *w, uint64_t page, uint64_t n,
                               size_t len);
/*
 * Page by page, that nothing leads to one of these for the second time, nor to
 * one that is free: LMDB would give it out while it is in use. False: a damage.
 */
bool spool_walk_meet(walk_t *w, uint64_t page, uint64_t n);
/*
 * Both meta pages, as LMDB wants each to be one; metas[0] is the newer one
 * then. With cb either will do: the older one's pages are not used again before
 * the commit that would make it the newer one. SPOOL_OK, with psize, last and
 * pages set; else as spool_pages_check().
 */
int spool_walk_metas(walk_t *w, unsigned char metas[2][META_LEN]);

#endif
