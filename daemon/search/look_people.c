/* A look-up of people: as of messages, by names; and one within a chat. */
#include <stdlib.h>

#include "search/internal.h"

DB_QUERY(search_of_chat, "SELECT body FROM messages WHERE chat_id = $1 "
                         "AND deleted_at IS NULL ORDER BY ts DESC, id DESC");

static bool is_hit(const search_look_t *l, const person_t *person,
                   const names_scope_t *scope)
{
    return !person->gone && person_in(person, scope) &&
           names_test(&l->names, person->text.data);
}

/* Those above the index's position. */
static int find_above(finding_t *f, const names_scope_t *scope)
{
    const search_look_t *l = f->look;
    person_t person;
    people_t p;
    int rc = DB_ROW;

    person_init(&person);
    people_between(&p, l->db, l->reader->words, l->state.people, f->before);
    while (f->n < f->want && (rc = people_next(&p, &person)) == DB_ROW) {
        if (is_hit(l, &person, scope)) {
            f->ids[f->n++] = person.id;
        }
    }
    people_end(&p);
    person_free(&person);
    return rc == DB_ROW ? WERR_OK : rc;
}

static int read_changed(const finding_t *f, const names_scope_t *scope,
                        changes_t *changes)
{
    const search_look_t *l = f->look;
    person_t person;
    people_t p;
    int rc;

    person_init(&person);
    people_changed(&p, l->db, l->reader->words, l->state.people_changes,
                   l->state.people, f->before);
    while ((rc = people_next(&p, &person)) == DB_ROW) {
        rc = changes_add(changes, person.id, is_hit(l, &person, scope));
        if (rc != WERR_OK) {
            break;
        }
    }
    people_end(&p);
    person_free(&person);
    return rc;
}

static int find_below(finding_t *f, const names_scope_t *scope)
{
    changes_t changes = {0};
    buf_t match;
    int rc = read_changed(f, scope, &changes);

    buf_init(&match, 0);
    if (rc == WERR_OK) {
        names_match(&f->look->names, scope, &match);
        rc = find_indexed(f, f->look->reader->find_person, &match, &changes);
    }
    buf_free(&match);
    free(changes.rows);
    return rc;
}

int search_people(search_look_t *l, const session_set_t *sessions, bool alone,
                  int64_t before, int64_t *ids, size_t *n)
{
    names_scope_t scope = {.sessions = sessions, .alone = alone};
    finding_t f = {
        .look = l,
        .before = before != 0 ? before : INT64_MAX,
        .ids = ids,
        .want = *n,
    };
    int rc;

    *n = 0;
    if (names_are_none(&l->names) ||
        (sessions != NULL && sessions->n == 0 && !alone)) {
        return WERR_OK;
    }
    rc = find_above(&f, &scope);
    if (rc == WERR_OK && f.n < f.want && l->reader->db != NULL) {
        size_t above = f.n;

        rc = find_below(&f, &scope);
        if (rc != WERR_OK && f.index_failed) {
            f.n = above;
            if (f.before > l->state.people) {
                f.before = l->state.people + 1;
            }
            look_without_index(&f, rc);
            rc = find_above(&f, &scope);
        }
    }
    *n = rc == WERR_OK ? f.n : 0;
    return rc;
}

/* ---- one chat ---- */

static int test_contact(search_look_t *l, int64_t contact, bool *hit)
{
    const names_scope_t anybody = {0};
    person_t person;
    people_t p;
    int rc;

    person_init(&person);
    people_one(&p, l->db, l->reader->words, contact);
    rc = people_next(&p, &person);
    *hit = rc == DB_ROW && is_hit(l, &person, &anybody);
    people_end(&p);
    person_free(&person);
    return rc == DB_ROW ? WERR_OK : rc;
}

int search_in_chat(search_look_t *l, int64_t chat, int64_t contact, bool *hit)
{
    db_stmt_t *s;
    int rc = test_contact(l, contact, hit);

    if (rc != WERR_OK || *hit || l->terms.nterms == 0) {
        return rc;
    }
    s = db_stmt(l->db, &search_of_chat);
    db_bind_i64(s, 1, chat);
    while (!*hit && (rc = db_step(s)) == DB_ROW) {
        rc = look_test(l, db_text(s, 0), db_text_len(s, 0), hit, NULL, NULL);
        if (rc != WERR_OK) {
            break;
        }
    }
    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}
