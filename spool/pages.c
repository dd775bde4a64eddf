#include "spool/pages.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "spool/internal.h"
#include "spool/walk.h"

#define DEPTH_MAX 32

/* Pages allocated last and given back within one transaction are counted in
 * the file's extent but never written; a sound file may lack that many. */
#define UNWRITTEN_PAGES 64

typedef enum {
    TREE_FREE,
    TREE_MAIN,
    TREE_EVENTS,
    TREE_META,
    TREE_QUARANTINE,
    TREE_OTHER
} tree_e;

typedef struct {
    size_t key;
    size_t ksize;
    unsigned flags;
    uint64_t child; /* of a branch */
    size_t data;
    uint64_t dsize;
} node_t;

/* true: nothing more is to be looked at. */
static bool over(const walk_t *w)
{
    return w->fault != SPOOL_OK ||
           (w->p->cb == NULL &&
            (w->p->bad > 0 || (w->p->budget > 0 && w->seen >= w->p->budget)));
}

static unsigned count(const unsigned char *page)
{
    return (get16(page + 12) - PAGE_HEAD) / 2u;
}

/* The head of a page of a tree. */
static bool sound_page(walk_t *w, const unsigned char *b, uint64_t page,
                       tree_e tree)
{
    unsigned kind = get16(b + 10) & P_KINDS;
    unsigned lower = get16(b + 12);
    unsigned upper = get16(b + 14);

    if (get64(b) != page || (kind != P_BRANCH && kind != P_LEAF)) {
        return spool_walk_bad(w->p, "page %llu is not what it must be",
                              (unsigned long long)page);
    }
    if (lower < PAGE_HEAD || lower > upper || upper > w->psize ||
        lower % 2 != 0) {
        return spool_walk_bad(w->p, "the head of page %llu is damaged",
                              (unsigned long long)page);
    }
    /* LMDB would end the process */
    if (kind == P_BRANCH && count(b) < (tree == TREE_FREE ? 1u : 2u)) {
        return spool_walk_bad(w->p, "page %llu leads nowhere",
                              (unsigned long long)page);
    }
    return true;
}

static bool sound_node(walk_t *w, const unsigned char *b, unsigned i, node_t *n)
{
    bool leaf = (get16(b + 10) & P_LEAF) != 0;
    size_t at = get16(b + PAGE_HEAD + 2 * (size_t)i);
    size_t end;

    if (at < get16(b + 14) || at + NODE_HEAD > w->psize) {
        return spool_walk_bad(w->p, "an entry of page %llu is damaged",
                              (unsigned long long)get64(b));
    }
    n->flags = get16(b + at + 4);
    n->ksize = get16(b + at + 6);
    n->key = at + NODE_HEAD;
    n->data = n->key + n->ksize;
    n->dsize = get32(b + at);
    n->child = leaf ? 0 : n->dsize | (uint64_t)n->flags << 32;
    end = n->data;
    if (leaf) {
        end += (n->flags & F_BIGDATA) != 0 ? sizeof(uint64_t) : n->dsize;
    }
    if (n->ksize > KEY_MAX || end > w->psize) {
        return spool_walk_bad(w->p, "an entry of page %llu is damaged",
                              (unsigned long long)get64(b));
    }
    return true;
}

/* As LMDB compares them: numbers of pages' lists, bytes else. */
static int compare(const unsigned char *b, const node_t *x, const node_t *y,
                   tree_e tree)
{
    size_t len = x->ksize < y->ksize ? x->ksize : y->ksize;
    int rc;

    if (tree == TREE_FREE && len == sizeof(uint64_t)) {
        uint64_t l = get64(b + x->key);
        uint64_t r = get64(b + y->key);

        return l < r ? -1 : l > r;
    }
    rc = memcmp(b + x->key, b + y->key, len);
    return rc != 0 ? rc : (x->ksize > y->ksize) - (x->ksize < y->ksize);
}

/* A long record, in pages of its own: the head of the first, and, where it is
 * wanted whole, the data behind it. Freed by the caller. The head comes first:
 * a length that is damaged is not to be believed. */
static unsigned char *long_data(walk_t *w, const unsigned char *b,
                                const node_t *n, bool whole)
{
    uint64_t page = get64(b + n->data);
    uint64_t pages = (PAGE_HEAD - 1 + n->dsize) / w->psize + 1;
    unsigned char *buf = spool_walk_load(w, page, pages, PAGE_HEAD);

    if (buf != NULL &&
        (get64(buf) != page || (get16(buf + 10) & P_KINDS) != P_OVERFLOW ||
         get32(buf + 12) < pages || !in_use(w, page, get32(buf + 12)))) {
        (void)spool_walk_bad(w->p, "page %llu is not what it must be",
                             (unsigned long long)page);
        free(buf);
        return NULL;
    }
    if (buf != NULL && !spool_walk_meet(w, page, get32(buf + 12))) {
        free(buf);
        return NULL;
    }
    if (buf == NULL || !whole) {
        return buf;
    }
    free(buf);
    return spool_walk_load(w, page, pages, PAGE_HEAD + n->dsize);
}

/* The numbers of free pages: how many, then each. LMDB gives them out. */
static void sound_list(walk_t *w, const unsigned char *data, size_t len)
{
    uint64_t n = len >= sizeof(n) ? get64(data) : UINT64_MAX;

    if (n > len / sizeof(n) - (len >= sizeof(n)) || len % sizeof(n) != 0) {
        (void)spool_walk_bad(w->p, "the list of free pages is damaged");
        return;
    }
    for (uint64_t i = 1; i <= n; i++) {
        uint64_t page = get64(data + i * sizeof(n));

        if (!in_use(w, page, 1)) {
            (void)spool_walk_bad(w->p, "the list of free pages is damaged");
            return;
        }
        if (!spool_walk_meet(w, page, 1)) {
            return;
        }
    }
}

static void walk_tree(walk_t *w, uint64_t root, tree_e tree);

static bool named(const unsigned char *b, const node_t *n, const char *name)
{
    return n->ksize == strlen(name) && memcmp(b + n->key, name, n->ksize) == 0;
}

static void found_tree(walk_t *w, const unsigned char *b, const node_t *n)
{
    walk_t below = *w;
    tree_e tree = TREE_OTHER;

    if (n->dsize != DB_LEN || (n->flags & F_BIGDATA) != 0) {
        (void)spool_walk_bad(w->p, "the entry of a table is damaged");
        return;
    }
    if (named(b, n, "events")) {
        tree = TREE_EVENTS;
        w->has_events = true;
    } else if (named(b, n, "meta")) {
        tree = TREE_META;
        w->has_meta = true;
    } else if (named(b, n, "quarantine")) {
        tree = TREE_QUARANTINE;
    }
    if (w->names) {
        return;
    }
    below.seen = 0;
    walk_tree(&below, get64(b + n->data + DB_ROOT), tree);
    w->fault = below.fault;
}

/* A reason, of one byte of length, stands before the record in quarantine. */
static void found_record(walk_t *w, const unsigned char *key, bool quarantined,
                         const unsigned char *data, size_t len)
{
    size_t before = 0;

    if (quarantined) {
        before = len > 0 ? 1 + (size_t)data[0] : 1;
        if (before > len || before > 1 + SPOOL_REASON_MAX) {
            (void)spool_walk_bad(w->p, "a record in quarantine is damaged");
            return;
        }
    }
    w->fault = w->p->cb(w->p->ctx, spool_get64(key), quarantined, data + before,
                        len - before);
}

static void found_data(walk_t *w, const unsigned char *b, const node_t *n,
                       tree_e tree)
{
    bool whole = w->p->cb != NULL || tree == TREE_FREE || tree == TREE_META;
    const unsigned char *data = b + n->data;
    unsigned char *own = NULL;

    if ((n->flags & F_BIGDATA) != 0) {
        own = long_data(w, b, n, whole);
        if (own == NULL) {
            return;
        }
        w->seen += !whole;
        data = own + PAGE_HEAD;
    }
    if (tree == TREE_FREE) {
        sound_list(w, data, n->dsize);
    } else if (tree == TREE_META && named(b, n, "id") &&
               n->dsize == SPOOL_ID_LEN) {
        memcpy(w->p->id, data, SPOOL_ID_LEN);
    } else if (tree == TREE_EVENTS || tree == TREE_QUARANTINE) {
        if (n->ksize != SPOOL_SEQ_LEN) {
            (void)spool_walk_bad(w->p, "a record without a number");
        } else if (w->p->cb != NULL) {
            found_record(w, b + n->key, tree == TREE_QUARANTINE, data,
                         n->dsize);
        }
    }
    free(own);
}

static void walk_page(walk_t *w, uint64_t page, tree_e tree, int depth);

static void walk_nodes(walk_t *w, const unsigned char *b, tree_e tree,
                       int depth)
{
    bool leaf = (get16(b + 10) & P_LEAF) != 0;
    unsigned n = count(b);
    node_t before = {0};
    node_t node;
    bool follows = false;

    for (unsigned i = 0; i < n && !over(w); i++) {
        unsigned at = w->backward ? n - 1 - i : i;

        if (!sound_node(w, b, at, &node)) {
            follows = false;
            continue;
        }
        /* nobody looks at the first key of a branch */
        if (follows && (leaf || at > 1 || (w->backward && at > 0)) &&
            (w->backward ? compare(b, &node, &before, tree)
                         : compare(b, &before, &node, tree)) >= 0) {
            (void)spool_walk_bad(w->p,
                                 "the entries of page %llu are out of order",
                                 (unsigned long long)get64(b));
        }
        before = node;
        follows = true;
        if (!leaf) {
            walk_page(w, node.child, tree, depth + 1);
        } else if (tree == TREE_MAIN) {
            if ((node.flags & F_SUBDATA) != 0) {
                found_tree(w, b, &node);
            }
        } else {
            found_data(w, b, &node, tree);
        }
    }
}

static void walk_page(walk_t *w, uint64_t page, tree_e tree, int depth)
{
    unsigned char *b;

    if (depth > DEPTH_MAX || ++w->seen > w->last) {
        (void)spool_walk_bad(w->p, "its pages lead in a ring");
        return;
    }
    b = spool_walk_load(w, page, 1, w->psize);
    if (b != NULL && sound_page(w, b, page, tree) &&
        spool_walk_meet(w, page, 1)) {
        walk_nodes(w, b, tree, depth);
    }
    free(b);
}

static void walk_tree(walk_t *w, uint64_t root, tree_e tree)
{
    if (root != NO_PAGE && !over(w)) {
        walk_page(w, root, tree, 0);
    }
}

static uint64_t root_of(const unsigned char *meta, int dbi)
{
    return get64(meta + META_DBS + (size_t)dbi * DB_LEN + DB_ROOT);
}

static void walk_from(walk_t *w, const unsigned char *meta, bool backward)
{
    w->backward = backward;
    w->seen = 0;
    walk_tree(w, root_of(meta, FREE_DBI), TREE_FREE);
    w->seen = 0;
    walk_tree(w, root_of(meta, MAIN_DBI), TREE_MAIN);
}

/* False: somebody else's, of which other kinds of pages are no damage. A new
 * one has no tables yet. */
static bool is_spool(walk_t *w, const unsigned char *meta)
{
    uint64_t root = root_of(meta, MAIN_DBI);
    bool sound;

    if (get16(meta + META_DBS + DB_LEN * MAIN_DBI + DB_FLAGS) != 0) {
        return false;
    }
    w->names = true;
    walk_tree(w, root, TREE_MAIN);
    w->names = false;
    sound = w->fault == SPOOL_OK && w->p->bad == 0;
    return root == NO_PAGE || !sound || (w->has_events && w->has_meta);
}

int spool_pages_check(int fd, spool_pages_t *p)
{
    walk_t w = {.p = p, .fd = fd};
    unsigned char metas[2][META_LEN];
    int rc;

    p->bad = 0;
    p->why[0] = '\0';
    p->id[0] = '\0';
    p->id[SPOOL_ID_LEN] = '\0';
    if (__BYTE_ORDER != __LITTLE_ENDIAN || sizeof(size_t) != sizeof(uint64_t)) {
        return SPOOL_OK;
    }
    rc = spool_walk_metas(&w, metas);
    if (rc != SPOOL_OK) {
        return rc;
    }
    if (w.last < 1 || w.last > (uint64_t)INT64_MAX / PAGE_MAX) {
        (void)spool_walk_bad(p, "the newer meta page is damaged");
        return SPOOL_CORRUPT;
    }
    if (w.pages + UNWRITTEN_PAGES < w.last + 1) {
        p->budget = 0; /* cut, perhaps: only what is free may be lacking */
    }
    if (p->cb == NULL && !is_spool(&w, metas[0])) {
        (void)snprintf(p->why, sizeof(p->why),
                       "holds a database, but no spool");
        return SPOOL_INVAL;
    }
    if (p->budget == 0 && p->cb == NULL && p->bad == 0) {
        w.met = calloc(w.pages / 8 + 1, 1);
        if (w.met == NULL) {
            return SPOOL_NOMEM;
        }
    }
    walk_from(&w, metas[0], false);
    if (p->budget > 0 && p->cb == NULL && p->bad == 0) {
        walk_from(&w, metas[0], true);
    }
    free(w.met);
    if (w.fault != SPOOL_OK) {
        return w.fault;
    }
    return p->bad > 0 ? SPOOL_CORRUPT : SPOOL_OK;
}
