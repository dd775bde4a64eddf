/*
 * A look-up: what the index has, and what it lacks, as one list. The two
 * files have a snapshot each; what was changed between them is judged by the
 * messages themselves.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "search/internal.h"

#define TRIES 5
/* After so many hits that may not be seen the index has to leave them out. */
#define UNSEEN_MAX 400

DB_QUERY(search_newest, "SELECT coalesce(max(id), 0) FROM messages");
DB_QUERY(search_tail,
         "SELECT id, session_id, body FROM messages "
         "WHERE id > $1 AND id < $2 AND deleted_at IS NULL ORDER BY id DESC");
DB_QUERY(search_changed,
         "SELECT s.message_id, m.session_id, m.body, "
         "CASE WHEN m.id IS NULL OR m.deleted_at IS NOT NULL THEN 1 ELSE 0 END "
         "FROM search_changes s LEFT JOIN messages m ON m.id = s.message_id "
         "WHERE s.message_id < $1 AND s.message_id <= $2 AND +s.id > $3 "
         "ORDER BY s.message_id DESC");

DB_QUERY(search_session, "SELECT session_id FROM messages WHERE id = $1");

/* ---- snapshots ---- */

static void end_snapshots(search_look_t *l)
{
    if (l->reader != NULL && l->reader->db != NULL) {
        sqlite_reset_all(l->reader->db);
        chat_map_drop(&l->reader->chats);
        if (sqlite_in_transaction(l->reader->db)) {
            (void)sqlite3_exec(l->reader->db->handle, "ROLLBACK", NULL, NULL,
                               NULL);
        }
    }
    if (l->reading) {
        db_read_end(l->db);
    }
    l->reading = false;
}

static int read_newest(db_t *db, int64_t *out)
{
    db_stmt_t *s = db_stmt(db, &search_newest);
    int rc = db_first(s);

    if (rc == DB_ROW) {
        *out = db_i64(s, 0);
        db_done(s);
        rc = WERR_OK;
    }
    return rc;
}

/* The index first: so the messages know at least what it knows. */
static int take_snapshots(search_look_t *l)
{
    search_reader_t *r = l->reader;
    int rc = WERR_OK;

    l->state = (index_state_t){0};
    if (r->db != NULL) {
        rc = sqlite_run(r->db, "BEGIN");
        if (rc == WERR_OK) {
            rc = index_state(r->db, &l->state);
        }
        if (rc != WERR_OK) {
            reader_drop(l->search, r, rc);
            l->state = (index_state_t){0};
        }
    }
    rc = db_read_begin(l->db);
    if (rc == WERR_OK) {
        l->reading = true;
        rc = read_newest(l->db, &l->newest); /* begins it in truth */
    }
    return rc;
}

/* The thread has gone on between the two: what it has told the index may be
 * gone from search_changes already. */
static bool is_torn(const search_look_t *l)
{
    return l->reader->db != NULL &&
           (l->search->generation != l->reader->generation ||
            l->search->changes != l->state.changes ||
            l->search->people_changes != l->state.people_changes);
}

static int settle(search_look_t *l)
{
    int rc = take_snapshots(l);

    for (int i = 0; rc == WERR_OK && i < TRIES && is_torn(l); i++) {
        end_snapshots(l);
        if (l->search->generation != l->reader->generation) {
            reader_give(l->search, l->reader);
            l->reader = NULL;
            rc = reader_take(l->search, &l->reader);
        }
        if (rc == WERR_OK) {
            rc = take_snapshots(l);
        }
    }
    return rc;
}

int search_begin(search_t *s, db_t *db, const char *text, search_look_t **out)
{
    search_look_t *l = calloc(1, sizeof(*l));
    int rc;

    if (l == NULL) {
        return WERR_NOMEM;
    }
    l->search = s;
    l->db = db;
    l->from = l->from_people = INT64_MAX;
    buf_init(&l->match, 0);
    rc = reader_take(s, &l->reader);
    if (rc == WERR_OK) {
        rc = terms_read(&l->terms, l->reader->words, text);
    }
    if (rc == WERR_OK) {
        rc = names_read(&l->names, l->reader->words, text);
    }
    if (rc == WERR_OK) {
        rc = settle(l);
    }
    if (rc != WERR_OK) {
        search_end(&l);
        return rc;
    }
    *out = l;
    return WERR_OK;
}

void search_end(search_look_t **look)
{
    search_look_t *l = *look;

    if (l == NULL) {
        return;
    }
    end_snapshots(l);
    if (l->reader != NULL) {
        reader_give(l->search, l->reader);
    }
    buf_free(&l->match);
    chat_set_free(&l->chats);
    free(l->list);
    free(l->people);
    free(l);
    *look = NULL;
}

/* ---- what the index lacks ---- */

static int test_row(const finding_t *f, db_stmt_t *s, bool *hit)
{
    const search_look_t *l = f->look;

    *hit = false;
    if (f->sessions != NULL && !session_set_has(f->sessions, db_i64(s, 1))) {
        return WERR_OK;
    }
    return terms_test(&l->terms, l->reader->words, db_text(s, 2),
                      db_text_len(s, 2), hit, NULL, NULL);
}

int look_rows(finding_t *f, int64_t above)
{
    db_stmt_t *s = db_stmt(f->look->db, &search_tail);
    int rc = WERR_OK;

    db_bind_i64(s, 1, above);
    db_bind_i64(s, 2, f->before);
    while (f->n < f->want && (rc = db_step(s)) == DB_ROW) {
        bool hit;

        rc = test_row(f, s, &hit);
        if (rc != WERR_OK) {
            break;
        }
        if (hit) {
            f->ids[f->n++] = db_i64(s, 0);
        }
    }
    db_done(s);
    return rc;
}

int changes_add(changes_t *c, int64_t id, bool hit)
{
    changed_t *rows = c->rows;

    if (c->n > 0 && rows[c->n - 1].id == id) {
        return WERR_OK; /* changed twice */
    }
    if (c->n == c->cap) {
        size_t cap = c->cap == 0 ? 16 : c->cap * 2;

        rows = realloc(rows, cap * sizeof(*rows));
        if (rows == NULL) {
            return WERR_NOMEM;
        }
        c->rows = rows;
        c->cap = cap;
    }
    rows[c->n++] = (changed_t){.id = id, .hit = hit};
    return WERR_OK;
}

bool changes_have(const changes_t *changes, int64_t id)
{
    size_t low = 0, high = changes->n;

    while (low < high) { /* newest first */
        size_t mid = low + (high - low) / 2;

        if (changes->rows[mid].id > id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < changes->n && changes->rows[low].id == id;
}

int look_changes(const finding_t *f, changes_t *changes)
{
    db_stmt_t *s = db_stmt(f->look->db, &search_changed);
    int rc;

    db_bind_i64(s, 1, f->before);
    db_bind_i64(s, 2, f->look->state.position);
    db_bind_i64(s, 3, f->look->state.changes);
    while ((rc = db_step(s)) == DB_ROW) {
        bool hit = false;

        rc = db_i64(s, 3) != 0 ? WERR_OK : test_row(f, s, &hit);
        if (rc == WERR_OK) {
            rc = changes_add(changes, db_i64(s, 0), hit);
        }
        if (rc != WERR_OK) {
            db_done(s);
            break;
        }
    }
    return rc;
}

/* ---- what the index has ---- */

static int keep_seen(finding_t *f, int64_t id)
{
    bool seen = true;
    int rc = WERR_OK;

    if (f->may_see != NULL && !f->scoped) {
        rc = f->may_see(f, id, &seen);
    }
    if (rc == WERR_OK && seen) {
        f->ids[f->n++] = id;
    }
    f->unseen += !seen;
    return rc;
}

/* The index's ids, with the changed rows in their places. f->before goes
 * along. */
static int merge_found(finding_t *f, sqlite3_stmt *s, const changes_t *changes)
{
    size_t at = 0;
    int code = SQLITE_ROW, rc = WERR_OK;

    while (at < changes->n && changes->rows[at].id >= f->before) {
        at++;
    }
    while (rc == WERR_OK && f->n < f->want && f->unseen < UNSEEN_MAX &&
           code == SQLITE_ROW) {
        int64_t id = 0;
        bool known = false;

        code = sqlite3_step(s);
        if (code == SQLITE_ROW) {
            id = sqlite3_column_int64(s, 0);
        }
        for (; at < changes->n && changes->rows[at].id >= id && f->n < f->want;
             at++) {
            known |= changes->rows[at].id == id;
            if (changes->rows[at].hit) {
                f->ids[f->n++] = changes->rows[at].id;
            }
        }
        if (code == SQLITE_ROW && !known && f->n < f->want) {
            rc = keep_seen(f, id);
        }
        f->before = id;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        rc = sqlite_fail(f->look->reader->db, code);
        f->index_failed = true;
    }
    return rc;
}

static int run_match(finding_t *f, sqlite3_stmt *s, const buf_t *match,
                     const changes_t *changes)
{
    int code, rc;

    if (match->failed || match->len > INT_MAX) {
        return WERR_NOMEM;
    }
    (void)sqlite3_reset(s);
    code = sqlite3_bind_text(s, 1, match->data, (int)match->len, SQLITE_STATIC);
    if (code == SQLITE_OK) {
        code = sqlite3_bind_int64(s, 2, f->before);
    }
    if (code == SQLITE_OK) {
        rc = merge_found(f, s, changes);
    } else {
        rc = sqlite_fail(f->look->reader->db, code);
        f->index_failed = true;
    }
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    return rc;
}

int find_indexed(finding_t *f, sqlite3_stmt *s,
                 void (*match)(const finding_t *f, buf_t *out),
                 const changes_t *changes)
{
    buf_t text;
    int rc;

    buf_init(&text, 0);
    match(f, &text);
    rc = run_match(f, s, &text, changes);
    if (rc == WERR_OK && f->unseen >= UNSEEN_MAX && f->n < f->want) {
        f->scoped = true;
        f->unseen = 0;
        buf_reset(&text);
        match(f, &text);
        rc = run_match(f, s, &text, changes);
    }
    buf_free(&text);
    return rc;
}

static int may_see(finding_t *f, int64_t id, bool *out)
{
    db_stmt_t *s = db_stmt(f->look->db, &search_session);
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    *out = rc == DB_ROW && session_set_has(f->sessions, db_i64(s, 0));
    db_done(s);
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int find_in_index(finding_t *f)
{
    changes_t changes = {0};
    int rc = look_changes(f, &changes);

    if (rc == WERR_OK) {
        rc = find_indexed(f, f->look->reader->find, look_match, &changes);
    }
    free(changes.rows);
    return rc;
}

void look_without_index(finding_t *f, int rc)
{
    search_look_t *l = f->look;

    log_warn("search", "msg=\"the index failed\" error=%s",
             log_str(db_message(l->reader->db)));
    reader_drop(l->search, l->reader, rc);
    l->state = (index_state_t){0};
    f->index_failed = false;
}

int search_find(search_look_t *l, const session_set_t *sessions, int64_t before,
                int64_t *ids, size_t *n)
{
    finding_t f = {
        .look = l,
        .sessions = sessions,
        .before = before != 0 ? before : INT64_MAX,
        .ids = ids,
        .want = *n,
        .may_see = sessions != NULL ? may_see : NULL,
    };
    int64_t from = f.before;
    int rc = WERR_OK;

    *n = 0;
    if (l->terms.nterms == 0 || (sessions != NULL && sessions->n == 0)) {
        return WERR_OK;
    }
    rc = look_rows(&f, l->state.position);
    if (rc == WERR_OK && f.n < f.want && l->reader->db != NULL) {
        size_t of_tail = f.n;

        rc = find_in_index(&f);
        if (rc != WERR_OK && f.index_failed) {
            f.n = of_tail;
            f.before = from;
            if (f.before > l->state.position) {
                f.before = l->state.position + 1;
            }
            look_without_index(&f, rc);
            rc = look_rows(&f, l->state.position);
        }
    }
    *n = rc == WERR_OK ? f.n : 0;
    return rc;
}

int look_test(search_look_t *l, const char *body, size_t len, bool *matches,
              hit_t *hits, size_t *n)
{
    return terms_test(&l->terms, l->reader->words, body, len, matches, hits, n);
}

int search_lag(search_t *s, db_t *db, int64_t *out)
{
    int64_t newest = 0;
    int rc = read_newest(db, &newest);

    *out = newest > s->position ? newest - s->position : 0;
    return rc;
}
