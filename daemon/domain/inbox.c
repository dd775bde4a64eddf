/*
 * The list of conversations. Two steps: the order, from the index of each
 * session, newest first and merged here, or from what a search has found;
 * then one statement for the lines of up to 50 chats.
 */
#include <stdlib.h>

#include "domain/chat_line.h"
#include "domain/contact_visible.h"
#include "domain/some_ids.h"

#define LIMIT_MAX 200

/* After the place ($2,$3) of the order. */
#define PLACES       "WHERE c.session_id = $1 AND (c.last_ts, c.id) < ($2, $3) "
#define NEWEST_FIRST "ORDER BY c.last_ts DESC, c.id DESC "

#define INBOX_ROWS(name, columns, condition)                                  \
    DB_QUERY(inbox_##name,                                                    \
             "SELECT " columns " FROM chats c " PLACES condition NEWEST_FIRST \
             "LIMIT $4")
#define IS_OPEN "CASE WHEN " CHAT_OPENS("c") " THEN 1 ELSE 0 END "
/* Without the contact the index alone is read. */
#define INBOX_QUERY(name, condition)                      \
    INBOX_ROWS(name, "c.last_ts, c.id, 0, 1", condition); \
    INBOX_ROWS(name##_of, "c.last_ts, c.id, c.contact_id, " IS_OPEN, condition)

INBOX_QUERY(all, "");
INBOX_QUERY(unread, "AND c.unread > 0 ");
INBOX_QUERY(starred, "AND c.starred = 1 ");
INBOX_QUERY(failed, "AND c.failed > 0 ");

DB_QUERY(inbox_last, "SELECT coalesce(max(id), 0) FROM chats");
#define FOUND                                                     \
    "SELECT c.last_ts, c.id, c.session_id, c.unread, c.starred, " \
    "c.failed, c.contact_id, "
DB_QUERY(inbox_of_chats, FOUND "1 FROM chats c WHERE c.id " SOME_IDS);
DB_QUERY(inbox_of_contacts,
         FOUND IS_OPEN "FROM chats c WHERE c.contact_id " SOME_IDS);

typedef struct {
    const inbox_query_t *q;
    place_t from; /* newer ones are on pages before */
    place_t rows[LIMIT_MAX + 1];
    size_t n, want; /* want: limit + 1, to see whether there are more */
} order_t;

/* And with the contacts. */
static const db_query_t *const queries[][2] = {
    [INBOX_ALL] = {&inbox_all, &inbox_all_of},
    [INBOX_UNREAD] = {&inbox_unread, &inbox_unread_of},
    [INBOX_STARRED] = {&inbox_starred, &inbox_starred_of},
    [INBOX_FAILED] = {&inbox_failed, &inbox_failed_of},
};

static bool newer(place_t a, place_t b)
{
    return a.ts > b.ts || (a.ts == b.ts && a.id > b.id);
}

/* Found twice: by the contact, too. */
static bool is_kept(const order_t *o, place_t row)
{
    for (size_t i = 0; o->q->search != NULL && i < o->n; i++) {
        if (o->rows[i].id == row.id) {
            return true;
        }
    }
    return false;
}

static void keep(order_t *o, place_t row)
{
    size_t i = o->n;

    if (is_kept(o, row)) {
        return;
    }
    if (o->n == o->want) {
        if (!newer(row, o->rows[o->n - 1])) {
            return;
        }
        i = o->n - 1;
    } else {
        o->n++;
    }
    while (i > 0 && newer(row, o->rows[i - 1])) {
        o->rows[i] = o->rows[i - 1];
        i--;
    }
    o->rows[i] = row;
}

/* Of one session, as many as may be on the page. */
static int collect(db_t *db, order_t *o, int64_t session)
{
    db_stmt_t *s = db_stmt(db, queries[o->q->filter][0]);
    int rc;

    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, o->from.ts);
    db_bind_i64(s, 3, o->from.id);
    db_bind_i64(s, 4, (int64_t)o->want);
    while ((rc = db_step(s)) == DB_ROW) {
        place_t row = {db_i64(s, 0), db_i64(s, 1)};

        if (o->n == o->want && !newer(row, o->rows[o->n - 1])) {
            break;
        }
        keep(o, row);
    }
    db_done(s);
    return rc < 0 ? rc : WERR_OK;
}

/* ---- chat by chat ---- */

#define BLOCK_FIRST 8
#define BLOCK_MAX   64

/* The list of a session, read a block at a time. */
typedef struct {
    int64_t session;
    place_t rows[BLOCK_MAX];
    int64_t contacts[BLOCK_MAX];
    bool open[BLOCK_MAX];
    size_t at, n, size;
} list_t;

static int read_block(db_t *db, const order_t *o, list_t *l)
{
    place_t from = l->n > 0 ? l->rows[l->n - 1] : o->from;
    const inbox_search_t *found = o->q->search;
    bool of = found->partial || found->ncontacts > 0;
    db_stmt_t *s = db_stmt(db, queries[o->q->filter][of]);
    int rc;

    l->size = l->n == 0 ? BLOCK_FIRST : l->n < BLOCK_MAX ? l->n * 2 : BLOCK_MAX;
    db_bind_i64(s, 1, l->session);
    db_bind_i64(s, 2, from.ts);
    db_bind_i64(s, 3, from.id);
    db_bind_i64(s, 4, (int64_t)l->size);
    l->at = l->n = 0;
    while ((rc = db_step(s)) == DB_ROW && l->n < l->size) {
        l->rows[l->n] = (place_t){db_i64(s, 0), db_i64(s, 1)};
        l->contacts[l->n] = db_i64(s, 2);
        l->open[l->n++] = db_i64(s, 3) != 0;
    }
    db_done(s);
    return rc < 0 ? rc : WERR_OK;
}

/* The list whose turn it is; NULL: all are at their end. */
static list_t *choose(list_t *lists, size_t n)
{
    list_t *best = NULL;

    for (size_t i = 0; i < n; i++) {
        list_t *l = &lists[i];

        if (l->at < l->n &&
            (best == NULL || newer(l->rows[l->at], best->rows[best->at]))) {
            best = l;
        }
    }
    return best;
}

/* Asks of chats in the order of the page. *full: the page is, or there are no
 * more; else `most` chats were not enough. */
static int ask(db_t *db, order_t *o, list_t *lists, size_t most, bool *full)
{
    const inbox_search_t *search = o->q->search;
    size_t n = o->q->sessions->n;
    list_t *l;
    int rc = WERR_OK;

    while (rc == WERR_OK && o->n < o->want && (l = choose(lists, n)) != NULL) {
        bool hit = false;

        *full = most-- > 0;
        if (!*full) {
            break;
        }
        rc = search->has(search->arg, l->rows[l->at].id, l->contacts[l->at],
                         l->open[l->at], &hit);
        if (hit) {
            o->rows[o->n++] = l->rows[l->at];
        }
        l->at++;
        if (rc == WERR_OK && l->at == l->n && l->n == l->size) {
            rc = read_block(db, o, l);
        }
    }
    return rc;
}

static int ask_all(db_t *db, order_t *o, size_t most, bool *full)
{
    const session_set_t *set = o->q->sessions;
    list_t *lists = calloc(set->n + 1, sizeof(*lists));
    int rc = lists != NULL ? WERR_OK : WERR_NOMEM;

    *full = true;
    for (size_t i = 0; rc == WERR_OK && i < set->n; i++) {
        lists[i].session = set->ids[i];
        rc = read_block(db, o, &lists[i]);
    }
    if (rc == WERR_OK) {
        rc = ask(db, o, lists, most, full);
    }
    free(lists);
    return rc;
}

/* ---- hit by hit ---- */

static bool passes(const order_t *o, db_stmt_t *s)
{
    place_t row = {db_i64(s, 0), db_i64(s, 1)};

    switch (o->q->filter) {
    case INBOX_UNREAD:
        if (db_i64(s, 3) == 0) {
            return false;
        }
        break;
    case INBOX_STARRED:
        if (db_i64(s, 4) == 0) {
            return false;
        }
        break;
    case INBOX_FAILED:
        if (db_i64(s, 5) == 0) {
            return false;
        }
        break;
    default:
        break;
    }
    return session_set_has(o->q->sessions, db_i64(s, 2)) && newer(o->from, row);
}

/* A closed chat is not found by what only its contact's record tells. */
static int is_found(const order_t *o, db_stmt_t *s, bool *hit)
{
    const inbox_search_t *found = o->q->search;

    *hit = db_i64(s, 7) != 0;
    return *hit || found->has == NULL
               ? WERR_OK
               : found->has(found->arg, db_i64(s, 1), db_i64(s, 6), false, hit);
}

/* The chats that these rows belong to. */
static int collect_found(db_t *db, order_t *o, const db_query_t *query,
                         const int64_t *ids, size_t n)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < n; i += SOME) {
        db_stmt_t *s = db_stmt(db, query);

        bind_some_ids(s, &ids[i], n - i);
        while ((rc = db_step(s)) == DB_ROW) {
            bool hit = false;

            rc = passes(o, s) ? is_found(o, s, &hit) : WERR_OK;
            if (rc != WERR_OK) {
                db_done(s);
                break;
            }
            if (hit) {
                keep(o, (place_t){db_i64(s, 0), db_i64(s, 1)});
            }
        }
    }
    return rc;
}

/* Chats that may be asked of: to look one up costs about four times that, with
 * its contact twice. 0: a page is not expected of them. */
static int count_asks(db_t *db, const order_t *o, size_t *out)
{
    const inbox_search_t *found = o->q->search;
    size_t hits = found->nchats + found->ncontacts;
    db_stmt_t *s = db_stmt(db, &inbox_last);
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    *out = hits * (found->ncontacts > 0 ? 2 : 4);
    if (found->partial) {
        *out = SIZE_MAX;
    } else if (found->has == NULL ||
               o->want * (size_t)db_i64(s, 0) > hits * *out) {
        *out = 0;
    }
    db_done(s);
    return WERR_OK;
}

/* Chat by chat, or hit by hit, whichever is expected to be quicker. */
static int find_hits(db_t *db, order_t *o)
{
    const inbox_search_t *found = o->q->search;
    size_t most = 0;
    bool full = false;
    int rc = count_asks(db, o, &most);

    if (rc == WERR_OK && most > 0) {
        rc = ask_all(db, o, most, &full);
    }
    if (rc != WERR_OK || full) {
        return rc;
    }
    o->n = 0;
    rc = collect_found(db, o, &inbox_of_chats, found->chats, found->nchats);
    return rc != WERR_OK ? rc
                         : collect_found(db, o, &inbox_of_contacts,
                                         found->contacts, found->ncontacts);
}

static int find_order(db_t *db, order_t *o)
{
    const session_set_t *set = o->q->sessions;
    int rc = WERR_OK;

    if (o->q->search != NULL) {
        return find_hits(db, o);
    }
    for (size_t i = 0; rc == WERR_OK && i < set->n; i++) {
        rc = collect(db, o, set->ids[i]);
    }
    return rc;
}

int chat_inbox(db_t *db, const domain_t *d, const inbox_query_t *q, buf_t *out,
               bool *more, int64_t *next_ts, int64_t *next_id)
{
    order_t o = {
        .q = q,
        .from = {INT64_MAX, INT64_MAX},
    };
    size_t n;
    int rc;

    if (q->limit < 1 || q->limit > LIMIT_MAX ||
        (size_t)q->filter >= sizeof(queries) / sizeof(queries[0])) {
        return WERR_INVALID;
    }
    o.want = (size_t)q->limit + 1;
    if (q->before_id != 0) {
        o.from = (place_t){q->before_ts, q->before_id};
    }
    rc = find_order(db, &o);
    if (rc != WERR_OK) {
        return rc;
    }
    n = o.n < o.want ? o.n : o.want - 1;
    *more = o.n == o.want;
    *next_ts = *more ? o.rows[n - 1].ts : 0;
    *next_id = *more ? o.rows[n - 1].id : 0;
    return chat_lines(db, d, q, o.rows, n, out);
}
