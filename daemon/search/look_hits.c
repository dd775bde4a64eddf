/*
 * The hits of a look-up, as the chats they are in.
 *
 * By the sets of the frequent words they are all known (look_sets.c). Where
 * there are no sets, or a phrase is asked for: the newest hits tell how many
 * there are about. If reading them all is cheaper than the bodies of the chats
 * that a page is looked for in, they are read, oldest first, as FTS5 goes that
 * way at two thirds of the cost, and the chats of all are known. If not, nearly
 * every chat has one.
 */
#include <limits.h>
#include <stdlib.h>

#include "search/internal.h"

#define NEWEST 100
/*
 * Measured, with a million messages: a quarter of a microsecond a hit, three
 * a body. A page of W chats wants W / (part that are hits) bodies. So to read
 * all H hits of N messages is cheaper while H * H < N * W * 3 / 0.25.
 */
#define COST 400
/* People are gathered up to so many, in blocks, */
#define PEOPLE_MAX   20000
#define PEOPLE_BLOCK 4000
/* no more where a block is that close that nearly everybody is a hit. */
#define CLOSE_PART 10 /* of all ids */

DB_QUERY(search_chat_of, "SELECT chat_id FROM messages WHERE id = $1");
DB_QUERY(search_last_chat, "SELECT coalesce(max(id), 0) FROM chats");

/* ---- messages ---- */

static int read_number(db_stmt_t *s, int64_t *out)
{
    int rc = db_first(s);

    *out = 0;
    if (rc == DB_ROW) {
        *out = db_i64(s, 0);
        db_done(s);
    }
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int look_note_row(search_look_t *l, int64_t id)
{
    db_stmt_t *s = db_stmt(l->db, &search_chat_of);
    int64_t chat;

    db_bind_i64(s, 1, id);
    int rc = read_number(s, &chat);
    chat_set_add(&l->chats, chat);
    return rc;
}

/* It is in the index, and has not changed since. */
int look_note(search_look_t *l, int64_t id)
{
    int64_t chat = 0;
    int rc = chat_map_get(&l->reader->chats, id, &chat);

    if (rc == WERR_OK && chat == 0) {
        return look_note_row(l, id);
    }
    chat_set_add(&l->chats, chat);
    return rc;
}

static int note_newest(search_look_t *l, const changes_t *changes,
                       const int64_t *ids, size_t n)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        bool indexed = l->reader->db != NULL && ids[i] <= l->state.position &&
                       !changes_have(changes, ids[i]);

        rc = indexed ? look_note(l, ids[i]) : look_note_row(l, ids[i]);
    }
    return rc;
}

int look_upwards(search_look_t *l, const upwards_t *u)
{
    sqlite3_stmt *s = l->reader->find_up;
    int code, rc = WERR_OK;
    bool enough = false;

    if (u->match->failed || u->match->len > INT_MAX) {
        return WERR_NOMEM;
    }
    (void)sqlite3_reset(s);
    code = sqlite3_bind_text(s, 1, u->match->data, (int)u->match->len,
                             SQLITE_STATIC);
    if (code == SQLITE_OK) {
        code = sqlite3_bind_int64(s, 2, u->before);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_bind_int64(s, 3, u->from);
    }
    while (code == SQLITE_OK && rc == WERR_OK && !enough &&
           (code = sqlite3_step(s)) == SQLITE_ROW) {
        rc = u->each(u->arg, sqlite3_column_int64(s, 0), &enough);
        code = SQLITE_OK;
    }
    if (code != SQLITE_OK && code != SQLITE_DONE) {
        rc = sqlite_fail(l->reader->db, code);
    }
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    return rc;
}

typedef struct {
    search_look_t *look;
    const changes_t *changes;
    int64_t most;
} rest_t;

static int note_one(void *arg, int64_t id, bool *enough)
{
    rest_t *r = arg;

    r->look->upto = id;
    *enough = --r->most == 0;
    return changes_have(r->changes, id) ? WERR_OK : look_note(r->look, id);
}

/* Those below l->from, upwards, `most` at most. */
static int note_rest(finding_t *f, const changes_t *changes, int64_t most)
{
    search_look_t *l = f->look;
    rest_t r = {.look = l, .changes = changes, .most = most};
    buf_t match;
    upwards_t u = {
        .match = &match, .before = l->from, .each = note_one, .arg = &r};
    int rc;

    buf_init(&match, 0);
    look_match(f, &match);
    rc = look_upwards(l, &u);
    if (rc == WERR_OK && r.most > 0) {
        l->from = 0;
    }
    for (size_t i = 0; rc == WERR_OK && i < changes->n; i++) {
        if (changes->rows[i].hit) {
            rc = look_note_row(l, changes->rows[i].id);
        }
    }
    buf_free(&match);
    return rc;
}

/* About how many hits there are, by how close the newest lie; 0: not to be
 * gathered. */
static int64_t count_about(const search_look_t *l, const int64_t *ids)
{
    int64_t span = ids[0] - ids[NEWEST - 1] + 1;
    int64_t hits = ids[0] / span * NEWEST;

    return l->reader->db != NULL && l->from <= l->state.position + 1 &&
                   hits < INT32_MAX && hits * hits < COST * ids[0]
               ? hits
               : 0;
}

/* The newest, and the rest if it is not too much. */
static int gather_some(search_look_t *l, const changes_t *changes)
{
    finding_t f = {.look = l, .before = INT64_MAX};
    int64_t ids[NEWEST], hits = 0;
    size_t n = NEWEST;
    int rc = search_find(l, NULL, 0, ids, &n);

    if (rc != WERR_OK || n == 0) {
        l->from = rc == WERR_OK ? 0 : l->from;
        return rc;
    }
    rc = note_newest(l, changes, ids, n);
    l->from = n < NEWEST ? 0 : ids[NEWEST - 1];
    if (rc == WERR_OK && n == NEWEST && (hits = count_about(l, ids)) > 0) {
        /* older ones may lie closer */
        rc = note_rest(&f, changes, hits * 2);
    }
    return rc;
}

static int gather_messages(search_look_t *l)
{
    finding_t f = {.look = l, .before = INT64_MAX};
    changes_t changes = {0};
    bool done = false;
    int rc = look_changes(&f, &changes);

    if (rc == WERR_OK) {
        rc = look_by_sets(l, &changes, &done);
    }
    if (rc == WERR_OK && !done) {
        rc = gather_some(l, &changes);
    }
    free(changes.rows);
    return rc;
}

static int find_chats(search_look_t *l)
{
    int64_t last;
    int rc = read_number(db_stmt(l->db, &search_last_chat), &last);

    if (rc == WERR_OK) {
        rc = chat_set_init(&l->chats, last);
    }
    if (rc != WERR_OK || l->chats.size == 0 || l->terms.nterms == 0) {
        l->from = l->terms.nterms == 0 ? 0 : l->from;
        return rc;
    }
    rc = gather_messages(l);
    if (rc != WERR_OK && rc != WERR_NOMEM && l->reader->db != NULL) {
        finding_t f = {.look = l};

        look_without_index(&f, rc);
        chat_set_clear(&l->chats);
        l->from = INT64_MAX;
        l->upto = 0;
        rc = WERR_OK;
    }
    return rc;
}

/* ---- people ---- */

static bool are_close(const int64_t *ids, size_t n)
{
    return ids[0] - ids[n - 1] < ids[0] / CLOSE_PART;
}

static int find_people(search_look_t *l)
{
    search_hits_t *h = &l->hits;
    int rc = WERR_OK;

    l->people = calloc(PEOPLE_MAX, sizeof(*l->people));
    if (l->people == NULL) {
        return WERR_NOMEM;
    }
    h->contacts = l->people;
    do {
        int64_t *ids = l->people + h->ncontacts;
        size_t more = PEOPLE_BLOCK;

        rc = search_people(l, NULL, true, h->ncontacts > 0 ? l->from_people : 0,
                           ids, &more);
        h->ncontacts += more;
        l->from_people = more == PEOPLE_BLOCK ? ids[more - 1] : 0;
    } while (rc == WERR_OK && l->from_people > 0 && h->ncontacts < PEOPLE_MAX &&
             !are_close(l->people, h->ncontacts));
    return rc;
}

int search_hits(search_look_t *l, search_hits_t *out)
{
    search_hits_t *h = &l->hits;
    int rc = WERR_OK;

    if (l->people == NULL) {
        rc = find_chats(l);
        if (rc == WERR_OK) {
            rc = find_people(l);
        }
        h->all = rc == WERR_OK && l->from == 0 && l->from_people == 0;
    }
    if (h->all && h->chats == NULL) {
        h->chats = l->list = chat_set_list(&l->chats);
        h->nchats = l->chats.n;
        rc = l->list != NULL ? WERR_OK : WERR_NOMEM;
    }
    *out = *h;
    return rc;
}
