#include "spool/walk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* mdb.c: MDB_meta */
#define META_MAGIC   0xBEEFC0DEu
#define META_VERSION 1u
#define META_AT      16 /* in its page */
#define META_TXN     128
#define PAGE_MIN     512u

bool spool_walk_bad(spool_pages_t *p, const char *format, ...)
{
    va_list args;

    if (p->bad++ == 0) {
        va_start(args, format);
        (void)vsnprintf(p->why, sizeof(p->why), format, args);
        va_end(args);
    }
    return false;
}

/* False: w->fault says why; or, with cb, what lies there is passed over. */
static bool read_at(walk_t *w, void *to, size_t len, uint64_t at)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n =
            pread(w->fd, (char *)to + done, len - done, (off_t)(at + done));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EIO && w->p->cb != NULL) {
            return spool_walk_bad(w->p,
                                  "the disk does not give what is at byte %llu",
                                  (unsigned long long)(at + done));
        }
        if (n <= 0) {
            /* an end of the file that was not there before: nothing is sure */
            w->fault = SPOOL_IO;
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

unsigned char *spool_walk_load(walk_t *w, uint64_t page, uint64_t n, size_t len)
{
    unsigned char *buf;

    if (!in_use(w, page, n)) {
        (void)spool_walk_bad(w->p, "page %llu is not one of the spool's",
                             (unsigned long long)page);
        return NULL;
    }
    if (page + n > w->pages) {
        (void)spool_walk_bad(w->p, "the file ends before page %llu",
                             (unsigned long long)(page + n - 1));
        return NULL;
    }
    buf = malloc(len);
    if (buf == NULL) {
        w->fault = SPOOL_NOMEM;
        return NULL;
    }
    if (!read_at(w, buf, len, page * w->psize)) {
        free(buf);
        return NULL;
    }
    return buf;
}

bool spool_walk_meet(walk_t *w, uint64_t page, uint64_t n)
{
    if (w->met == NULL || w->names) {
        return true;
    }
    /* behind the end of the file lie free ones that nobody has written yet */
    for (uint64_t i = page; i < page + n && i < w->pages; i++) {
        unsigned char bit = (unsigned char)(1u << (i % 8));

        if ((w->met[i / 8] & bit) != 0) {
            return spool_walk_bad(w->p, "page %llu is used twice",
                                  (unsigned long long)i);
        }
        w->met[i / 8] |= bit;
    }
    return true;
}

/* One of the two meta pages, at that place of the file. */
static bool read_meta(walk_t *w, unsigned char *meta, uint64_t at, int *rc)
{
    unsigned char page[META_AT + META_LEN];

    *rc = SPOOL_CORRUPT;
    if (!read_at(w, page, sizeof(page), at)) {
        *rc = w->fault != SPOOL_OK ? w->fault : SPOOL_CORRUPT;
        return false;
    }
    memcpy(meta, page + META_AT, META_LEN);
    if (get32(meta) != META_MAGIC || (get16(page + 10) & P_META) == 0) {
        return spool_walk_bad(w->p, "meta page %d is no longer one", at > 0);
    }
    if (get32(meta + 4) != META_VERSION) {
        *rc = SPOOL_FUTURE;
        return false;
    }
    w->psize = get32(meta + META_DBS);
    if (w->psize < PAGE_MIN || w->psize > PAGE_MAX ||
        (w->psize & (w->psize - 1)) != 0) {
        return spool_walk_bad(w->p, "meta page %d is damaged", at > 0);
    }
    *rc = SPOOL_OK;
    return true;
}

/* The first is lost. Pages are almost always of the size of the machine's. */
static int read_second_alone(walk_t *w, unsigned char *meta, uint64_t size)
{
    unsigned psize = (unsigned)sysconf(_SC_PAGESIZE);
    int rc = SPOOL_CORRUPT;

    if (size < 2 * (uint64_t)psize || !read_meta(w, meta, psize, &rc)) {
        return rc;
    }
    if (w->psize != psize) {
        return SPOOL_CORRUPT;
    }
    w->pages = size / psize;
    w->last = get64(meta + META_LAST);
    return SPOOL_OK;
}

int spool_walk_metas(walk_t *w, unsigned char metas[2][META_LEN])
{
    struct stat st;
    unsigned psize;
    int rc;

    if (fstat(w->fd, &st) != 0) {
        return SPOOL_IO;
    }
    if (st.st_size < META_AT + META_LEN) {
        (void)spool_walk_bad(w->p, "data.mdb is %s",
                             st.st_size == 0 ? "empty"
                                             : "cut after a few bytes");
        return SPOOL_CORRUPT;
    }
    if (!read_meta(w, metas[0], 0, &rc)) {
        return w->p->cb != NULL && rc == SPOOL_CORRUPT
                   ? read_second_alone(w, metas[0], (uint64_t)st.st_size)
                   : rc;
    }
    psize = w->psize;
    w->pages = (uint64_t)st.st_size / psize;
    if (w->pages < 2) {
        (void)spool_walk_bad(w->p, "data.mdb is cut after its first page");
        return SPOOL_CORRUPT;
    }
    w->last = get64(metas[0] + META_LAST);
    if (!read_meta(w, metas[1], psize, &rc)) {
        w->psize = psize;
        return w->p->cb != NULL && rc == SPOOL_CORRUPT ? SPOOL_OK : rc;
    }
    if (w->psize != psize) {
        (void)spool_walk_bad(w->p, "its meta pages do not agree");
        return SPOOL_CORRUPT;
    }
    if (get64(metas[1] + META_TXN) > get64(metas[0] + META_TXN)) {
        memcpy(metas[0], metas[1], META_LEN);
        w->last = get64(metas[0] + META_LAST);
    }
    return SPOOL_OK;
}
