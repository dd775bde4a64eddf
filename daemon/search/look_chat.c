/*
 * A look-up of chats. A chat is judged by the hits that were gathered, by ids
 * alone; only what is older than those is read.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "search/internal.h"

/* So many hits of each kind are gathered at most, */
#define HITS_MAX   20000
#define HITS_BLOCK 4000
/* no more where a block is that close that nearly every chat has a hit, */
#define CLOSE_PART 10 /* of all ids */
/* nor after that time: to read bodies is quicker then. */
#define GATHER_MS 8

DB_QUERY(search_ids_of_chat, "SELECT id FROM messages WHERE chat_id = $1 "
                             "ORDER BY ts DESC, id DESC");
DB_QUERY(search_of_chat, "SELECT body FROM messages WHERE chat_id = $1 "
                         "AND id < $2 AND deleted_at IS NULL "
                         "ORDER BY ts DESC, id DESC");

/* ---- gathering ---- */

typedef int (*find_fn)(search_look_t *l, int64_t before, int64_t *ids,
                       size_t *n);

static int find_messages(search_look_t *l, int64_t before, int64_t *ids,
                         size_t *n)
{
    return search_find(l, NULL, before, ids, n);
}

static int find_people(search_look_t *l, int64_t before, int64_t *ids,
                       size_t *n)
{
    return search_people(l, NULL, true, before, ids, n);
}

static bool are_close(const int64_t *ids, size_t n)
{
    return ids[0] - ids[n - 1] < ids[0] / CLOSE_PART;
}

/* *from: all hits that are not below it are among them. */
static int gather(search_look_t *l, find_fn find, int64_t *ids, size_t *n,
                  int64_t *from)
{
    int64_t started = clock_mono_ms();
    int rc = WERR_OK;

    *n = 0;
    *from = INT64_MAX;
    while (rc == WERR_OK && *from > 0) {
        size_t more = HITS_BLOCK;

        rc = find(l, *n > 0 ? *from : 0, ids + *n, &more);
        *n += more;
        *from = more == HITS_BLOCK ? ids[*n - 1] : 0;
        if (*n == HITS_MAX || (*n > 0 && are_close(ids, *n)) ||
            clock_mono_ms() - started >= GATHER_MS) {
            break;
        }
    }
    return rc;
}

int search_hits(search_look_t *l, search_hits_t *out)
{
    search_hits_t *h = &l->hits;
    int rc = WERR_OK;

    if (l->ids == NULL) {
        l->ids = calloc(HITS_MAX, 2 * sizeof(*l->ids));
        if (l->ids == NULL) {
            return WERR_NOMEM;
        }
        h->messages = l->ids;
        h->contacts = l->ids + HITS_MAX;
        rc = gather(l, find_messages, l->ids, &h->nmessages, &l->from);
        if (rc == WERR_OK) {
            rc = gather(l, find_people, l->ids + HITS_MAX, &h->ncontacts,
                        &l->from_people);
        }
        h->all = l->from == 0 && l->from_people == 0;
    }
    *out = *h;
    return rc;
}

/* ---- one chat ---- */

static int by_age(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

static bool is_among(const int64_t *ids, size_t n, int64_t id)
{
    return n > 0 && bsearch(&id, ids, n, sizeof(id), by_age) != NULL;
}

static int test_contact(search_look_t *l, int64_t contact, bool *hit)
{
    person_t person;
    people_t p;
    int rc;

    *hit = is_among(l->hits.contacts, l->hits.ncontacts, contact);
    if (contact >= l->from_people) {
        return WERR_OK;
    }
    person_init(&person);
    people_one(&p, l->db, l->reader->words, contact);
    rc = people_next(&p, &person);
    *hit =
        rc == DB_ROW && !person.gone && names_test(&l->names, person.text.data);
    people_end(&p);
    person_free(&person);
    return rc == DB_ROW ? WERR_OK : rc;
}

/* *unknown: there are messages that nothing is known of. */
static int test_ids(search_look_t *l, int64_t chat, bool *hit, bool *unknown)
{
    db_stmt_t *s = db_stmt(l->db, &search_ids_of_chat);
    int rc = DB_ROW;

    *unknown = false;
    db_bind_i64(s, 1, chat);
    while (!*hit && (rc = db_step(s)) == DB_ROW) {
        int64_t id = db_i64(s, 0);

        *hit = is_among(l->hits.messages, l->hits.nmessages, id);
        *unknown |= id < l->from;
    }
    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}

static int test_bodies(search_look_t *l, int64_t chat, bool *hit)
{
    db_stmt_t *s = db_stmt(l->db, &search_of_chat);
    int rc = DB_ROW;

    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, l->from);
    while (!*hit && (rc = db_step(s)) == DB_ROW) {
        rc = look_test(l, db_text(s, 0), db_text_len(s, 0), hit, NULL, NULL);
        if (rc != WERR_OK) {
            break;
        }
    }
    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}

int search_in_chat(search_look_t *l, int64_t chat, int64_t contact, bool *hit)
{
    bool unknown = false;
    int rc = test_contact(l, contact, hit);

    if (rc == WERR_OK && !*hit && l->terms.nterms > 0) {
        rc = test_ids(l, chat, hit, &unknown);
    }
    if (rc == WERR_OK && !*hit && unknown) {
        rc = test_bodies(l, chat, hit);
    }
    return rc;
}
