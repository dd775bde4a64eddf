/*
 * A look-up of one chat: by the hits that were gathered, and by the bodies of
 * the messages that they say nothing about.
 */
#include <stdlib.h>

#include "search/internal.h"

DB_QUERY(search_of_chat, "SELECT body FROM messages WHERE chat_id = $1 "
                         "AND id < $2 AND id > $3 AND deleted_at IS NULL "
                         "ORDER BY ts DESC, id DESC");

DB_QUERY(search_phone_of, "SELECT phone FROM contacts WHERE id = $1");

static int by_age(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

static bool is_among(const int64_t *ids, size_t n, int64_t id)
{
    return n > 0 && bsearch(&id, ids, n, sizeof(id), by_age) != NULL;
}

/* Who may not see the contact knows the number they write to. */
static int test_phone(search_look_t *l, int64_t contact, bool *hit)
{
    db_stmt_t *s = db_stmt(l->db, &search_phone_of);
    buf_t text;
    int rc;

    buf_init(&text, 0);
    db_bind_i64(s, 1, contact);
    rc = db_first(s);
    if (rc == DB_ROW) {
        rc = names_fold(l->reader->words, db_text(s, 0), db_text_len(s, 0),
                        &text);
        *hit =
            rc == WERR_OK && text.len > 0 && names_test(&l->names, text.data);
        db_done(s);
    }
    buf_free(&text);
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int test_contact(search_look_t *l, int64_t contact, bool open, bool *hit)
{
    person_t person;
    people_t p;
    int rc;

    *hit = is_among(l->hits.contacts, l->hits.ncontacts, contact);
    if (contact >= l->from_people && (open || !*hit)) {
        return WERR_OK;
    }
    *hit = false;
    if (!open) {
        return test_phone(l, contact, hit);
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

static int test_bodies(search_look_t *l, int64_t chat, bool *hit)
{
    db_stmt_t *s = db_stmt(l->db, &search_of_chat);
    int rc = DB_ROW;

    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, l->from);
    db_bind_i64(s, 3, l->upto);
    while (!*hit && (rc = db_step(s)) == DB_ROW) {
        rc = look_test(l, db_text(s, 0), db_text_len(s, 0), hit, NULL, NULL);
        if (rc != WERR_OK) {
            break;
        }
    }
    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}

int search_in_chat(search_look_t *l, int64_t chat, int64_t contact, bool open,
                   bool *hit)
{
    int rc = WERR_OK;

    *hit = chat_set_has(&l->chats, chat);
    if (!*hit) {
        rc = test_contact(l, contact, open, hit);
    }
    if (rc == WERR_OK && !*hit && l->from > 0 && l->terms.nterms > 0) {
        rc = test_bodies(l, chat, hit);
    }
    return rc;
}
