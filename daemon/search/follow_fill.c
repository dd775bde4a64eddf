/* A round's work: what has changed, and what is new, into the index. */
#include <string.h>

#include "search/follower.h"

DB_QUERY(search_above,
         "SELECT id, session_id, body, "
         "CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END, "
         "chat_id FROM messages WHERE id > $1 ORDER BY id LIMIT $2");
/* Of each message the oldest of its changes: that body is in the index. */
DB_QUERY(search_handed_over,
         "SELECT s.message_id, s.session_id, s.body, m.session_id, m.body, "
         "CASE WHEN m.id IS NULL OR m.deleted_at IS NOT NULL THEN 1 ELSE 0 "
         "END, m.chat_id "
         "FROM search_changes s LEFT JOIN messages m ON m.id = s.message_id "
         "WHERE s.id > $1 AND NOT EXISTS (SELECT 1 FROM search_changes e "
         "WHERE e.message_id = s.message_id AND e.id > $1 AND e.id < s.id) "
         "ORDER BY s.id");

/* Its words stay as they are. */
static bool is_moved_only(db_stmt_t *s)
{
    const char *was = db_text(s, 2), *is = db_text(s, 4);
    size_t len = db_text_len(s, 4);

    return db_row_whole(s) && db_i64(s, 5) == 0 && was != NULL && is != NULL &&
           db_i64(s, 1) == db_i64(s, 3) && db_text_len(s, 2) == len &&
           memcmp(was, is, len) == 0;
}

static int take_change(follower_t *f, db_stmt_t *s)
{
    int64_t id = db_i64(s, 0);
    int rc = WERR_OK;

    if (!db_is_null(s, 2)) {
        rc = index_forget(&f->index, id, db_i64(s, 1), db_text(s, 2),
                          db_text_len(s, 2));
    }
    return rc == WERR_OK && db_i64(s, 5) == 0
               ? index_add(&f->index, id, db_i64(s, 3), db_text(s, 4),
                           db_text_len(s, 4))
               : rc;
}

static int take_changes(follower_t *f)
{
    db_stmt_t *s = db_stmt(f->db, &search_handed_over);
    int rc;

    db_bind_i64(s, 1, f->state.changes);
    while ((rc = db_step(s)) == DB_ROW) {
        int64_t id = db_i64(s, 0);

        if (id > f->state.position) {
            continue; /* is read as it now is */
        }
        rc = is_moved_only(s) ? WERR_OK : take_change(f, s);
        if (rc == WERR_OK) {
            rc = chat_map_put(&f->index.chats, id, db_i64(s, 6));
        }
        if (rc != WERR_OK) {
            db_done(s);
            return rc;
        }
    }
    return rc;
}

static int take_messages(follower_t *f, int64_t *n)
{
    db_stmt_t *s = db_stmt(f->db, &search_above);
    int rc;

    *n = 0;
    db_bind_i64(s, 1, f->state.position);
    db_bind_i64(s, 2, FOLLOWER_BATCH);
    while ((rc = db_step(s)) == DB_ROW) {
        rc = WERR_OK;
        if (db_i64(s, 3) == 0) {
            rc = index_add(&f->index, db_i64(s, 0), db_i64(s, 1), db_text(s, 2),
                           db_text_len(s, 2));
        }
        if (rc == WERR_OK) {
            rc = chat_map_put(&f->index.chats, db_i64(s, 0), db_i64(s, 4));
        }
        if (rc != WERR_OK) {
            db_done(s);
            return rc;
        }
        f->state.position = db_i64(s, 0);
        (*n)++;
    }
    return rc;
}

/* ---- people ---- */

static int take_person(follower_t *f, const person_t *person, bool known)
{
    int rc = known ? index_forget_person(&f->index, person->id) : WERR_OK;

    if (person->erased) {
        f->state.purge = INDEX_PURGE_TABLES;
    }
    return rc == WERR_OK && !person->gone ? index_add_person(&f->index, person)
                                          : rc;
}

/* The people of a result; known: the index has them already. */
static int take_people(follower_t *f, people_t *p, bool known, int64_t *last,
                       int64_t *n)
{
    person_t person;
    int rc;

    person_init(&person);
    while ((rc = people_next(p, &person)) == DB_ROW) {
        rc = take_person(f, &person, known);
        if (rc != WERR_OK) {
            break;
        }
        *last = person.id;
        (*n)++;
    }
    people_end(p);
    person_free(&person);
    return rc;
}

static int fill_people(follower_t *f, const index_state_t *last, int64_t *n)
{
    int64_t id = 0, changed = 0;
    people_t p;
    int rc = WERR_OK;

    *n = 0;
    if (last->people_changes > f->state.people_changes) {
        people_changed(&p, f->db, f->words, f->state.people_changes,
                       f->state.people, INT64_MAX);
        rc = take_people(f, &p, true, &id, &changed);
    }
    f->state.people_changes = last->people_changes;
    if (rc == WERR_OK) {
        people_above(&p, f->db, f->words, f->state.people, FOLLOWER_BATCH);
        rc = take_people(f, &p, false, &f->state.people, n);
    }
    if (f->state.people > last->people) {
        f->state.people = last->people;
    }
    return rc;
}

int follower_fill(follower_t *f, int64_t *n, int64_t *people)
{
    index_state_t last = {0};
    int rc = follower_last(f->db, &last);

    if (rc == WERR_OK && last.changes > f->state.changes) {
        rc = take_changes(f);
    }
    f->state.changes = last.changes;
    if (rc == WERR_OK) {
        rc = take_messages(f, n);
    }
    /* the id of a deleted last message is given out again */
    if (rc == WERR_OK && f->state.position > last.position) {
        f->state.position = last.position;
    }
    if (rc == WERR_OK) {
        rc = fill_people(f, &last, people);
    }
    return rc == WERR_OK ? index_commit(&f->index, &f->state) : rc;
}
