/* A look-up of people: as of messages, by names. */
#include <stdlib.h>

#include "domain/contact_visible.h"
#include "search/internal.h"

DB_QUERY(
    search_sessions_of,
    "SELECT c.session_id FROM chats c WHERE c.contact_id = $1 AND " CHAT_OPENS(
        "c"));

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

static int may_see(finding_t *f, int64_t id, bool *out)
{
    db_stmt_t *s = db_stmt(f->look->db, &search_sessions_of);
    int rc, chats = 0;

    *out = false;
    db_bind_i64(s, 1, id);
    while (!*out && (rc = db_step(s)) == DB_ROW) {
        *out = session_set_has(f->sessions, db_i64(s, 0));
        chats++;
    }
    db_done(s);
    *out |= chats == 0 && f->alone;
    return rc == DB_ROW ? WERR_OK : rc;
}

static void write_match(const finding_t *f, buf_t *out)
{
    const names_scope_t scope = {.sessions = f->scoped ? f->sessions : NULL,
                                 .alone = f->alone};

    names_match(&f->look->names, &scope, out);
}

static int find_below(finding_t *f, const names_scope_t *scope)
{
    changes_t changes = {0};
    int rc = read_changed(f, scope, &changes);

    if (rc == WERR_OK) {
        rc = find_indexed(f, f->look->reader->find_person, write_match,
                          &changes);
    }
    free(changes.rows);
    return rc;
}

int search_people(search_look_t *l, const session_set_t *sessions, bool alone,
                  int64_t before, int64_t *ids, size_t *n)
{
    names_scope_t scope = {.sessions = sessions, .alone = alone};
    finding_t f = {
        .look = l,
        .sessions = sessions,
        .alone = alone,
        .before = before != 0 ? before : INT64_MAX,
        .ids = ids,
        .want = *n,
        .may_see = sessions != NULL ? may_see : NULL,
    };
    int64_t from = f.before;
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
            f.before = from;
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
