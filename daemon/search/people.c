#include "search/people.h"

#include <string.h>

#include "domain/contact_visible.h"

#define COLUMNS "k.id, k.phone, k.name, a.alias, c.session_id "
#define THEIRS                                            \
    "LEFT JOIN contact_aliases a ON a.contact_id = k.id " \
    "LEFT JOIN chats c ON c.contact_id = k.id AND " CHAT_OPENS("c") " "
/* What contact_erase() leaves. */
#define ERASED "erased-"

DB_QUERY(people_above_rows,
         "SELECT " COLUMNS "FROM contacts k " THEIRS
         "WHERE k.id > $1 AND k.id <= (SELECT max(w.id) FROM (SELECT id FROM "
         "contacts WHERE id > $1 ORDER BY id LIMIT $2) AS w) ORDER BY k.id");
DB_QUERY(people_between_rows,
         "SELECT " COLUMNS "FROM contacts k " THEIRS
         "WHERE k.id > $1 AND k.id < $2 ORDER BY k.id DESC");
DB_QUERY_SCAN(people_changed_rows,
              "SELECT s.id, k.phone, k.name, a.alias, c.session_id "
              "FROM (SELECT DISTINCT contact_id AS id FROM contact_changes "
              "WHERE id > $1 AND contact_id <= $2 AND contact_id < $3) AS s "
              "LEFT JOIN contacts k ON k.id = s.id " THEIRS
              "ORDER BY s.id DESC",
              "sorts what the index has not taken in yet");
DB_QUERY(people_one_rows,
         "SELECT " COLUMNS "FROM contacts k " THEIRS "WHERE k.id = $1");

static void begin(people_t *p, db_t *db, words_t *w, const db_query_t *query)
{
    memset(p, 0, sizeof(*p));
    p->words = w;
    p->stmt = db_stmt(db, query);
    buf_init(&p->alias, 0);
}

void people_above(people_t *p, db_t *db, words_t *w, int64_t position,
                  int64_t n)
{
    begin(p, db, w, &people_above_rows);
    db_bind_i64(p->stmt, 1, position);
    db_bind_i64(p->stmt, 2, n);
}

void people_between(people_t *p, db_t *db, words_t *w, int64_t position,
                    int64_t before)
{
    begin(p, db, w, &people_between_rows);
    db_bind_i64(p->stmt, 1, position);
    db_bind_i64(p->stmt, 2, before);
}

void people_changed(people_t *p, db_t *db, words_t *w, int64_t change,
                    int64_t position, int64_t before)
{
    begin(p, db, w, &people_changed_rows);
    db_bind_i64(p->stmt, 1, change);
    db_bind_i64(p->stmt, 2, position);
    db_bind_i64(p->stmt, 3, before);
}

void people_one(people_t *p, db_t *db, words_t *w, int64_t id)
{
    begin(p, db, w, &people_one_rows);
    db_bind_i64(p->stmt, 1, id);
}

void people_end(people_t *p)
{
    if (p->stmt != NULL) {
        db_done(p->stmt);
    }
    buf_free(&p->alias);
}

void person_init(person_t *person)
{
    memset(person, 0, sizeof(*person));
    buf_init(&person->text, 0);
    buf_init(&person->scope, 0);
}

void person_free(person_t *person)
{
    buf_free(&person->text);
    buf_free(&person->scope);
}

static int fold(people_t *p, int column, buf_t *out)
{
    return names_fold(p->words, db_text(p->stmt, column),
                      db_text_len(p->stmt, column), out);
}

/* Each alias comes with each chat. */
static int add_alias(people_t *p, person_t *out)
{
    int rc;

    if (db_is_null(p->stmt, 3)) {
        return WERR_OK;
    }
    buf_reset(&p->alias);
    rc = fold(p, 3, &p->alias);
    if (rc == WERR_OK && p->alias.len > 0 && out->text.data != NULL &&
        strstr(out->text.data, p->alias.data) == NULL) {
        buf_add(&out->text, p->alias.data, p->alias.len);
    }
    return rc;
}

static void add_session(people_t *p, person_t *out)
{
    char text[NAMES_SCOPE_MAX];

    if (db_is_null(p->stmt, 4)) {
        return;
    }
    out->alone = false;
    names_scope_text(db_i64(p->stmt, 4), text);
    if (out->scope.len == 0 || strstr(out->scope.data, text) == NULL) {
        buf_adds(&out->scope, text);
    }
}

static int begin_person(people_t *p, person_t *out)
{
    int rc = WERR_OK;

    buf_reset(&out->text);
    buf_reset(&out->scope);
    buf_adds(&out->text, ""); /* there is a string, if an empty one */
    out->id = db_i64(p->stmt, 0);
    out->alone = true;
    out->erased = false;
    out->gone = db_is_null(p->stmt, 1);
    if (!out->gone) {
        const char *phone = db_text(p->stmt, 1);

        out->erased = strncmp(phone, ERASED, strlen(ERASED)) == 0;
        rc = fold(p, 2, &out->text);
        if (rc == WERR_OK) {
            rc = fold(p, 1, &out->text);
        }
    }
    return rc;
}

int people_next(people_t *p, person_t *out)
{
    char nowhere[NAMES_SCOPE_MAX];
    int rc;

    if (!p->begun) {
        p->begun = true;
        p->rc = db_step(p->stmt);
    }
    if (p->rc != DB_ROW) {
        return p->rc;
    }
    rc = begin_person(p, out);
    while (rc == WERR_OK && p->rc == DB_ROW && db_i64(p->stmt, 0) == out->id) {
        rc = add_alias(p, out);
        add_session(p, out);
        p->rc = db_step(p->stmt);
    }
    if (out->alone) {
        names_scope_text(0, nowhere);
        buf_adds(&out->scope, nowhere);
    }
    if (rc == WERR_OK && (out->text.failed || out->scope.failed)) {
        rc = WERR_NOMEM;
    }
    if (rc == WERR_OK && p->rc < 0) {
        rc = p->rc;
    }
    return rc == WERR_OK ? DB_ROW : rc;
}

bool person_in(const person_t *person, const names_scope_t *scope)
{
    char text[NAMES_SCOPE_MAX];

    if (scope->sessions == NULL || person->alone) {
        return scope->sessions == NULL || scope->alone;
    }
    for (size_t i = 0; i < scope->sessions->n; i++) {
        names_scope_text(scope->sessions->ids[i], text);
        if (strstr(person->scope.data, text) != NULL) {
            return true;
        }
    }
    return false;
}
