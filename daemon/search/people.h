/*
 * people.h - contacts as the index has them: their words, and where they may
 * be seen.
 */
#ifndef WACRM_SEARCH_PEOPLE_H
#define WACRM_SEARCH_PEOPLE_H

#include "db/db.h"
#include "search/names.h"

typedef struct {
    int64_t id;
    bool gone;   /* there is no such contact (any more) */
    bool erased; /* all that is left is a row without a name */
    bool alone;  /* no chat */
    buf_t text;  /* names.h */
    buf_t scope; /* names_scope_text() of each session, or of none */
} person_t;

/* A result that has several rows for a person. */
typedef struct {
    db_stmt_t *stmt;
    words_t *words;
    buf_t alias;
    int rc; /* of the last step: DB_ROW is a row of the next person */
    bool begun;
} people_t;

/* Up to n above `position`, in the order of their ids. */
void people_above(people_t *p, db_t *db, words_t *w, int64_t position,
                  int64_t n);
/* Above `position` and below `before`, the newest first. */
void people_between(people_t *p, db_t *db, words_t *w, int64_t position,
                    int64_t before);
/* Those of contact_changes above `change` that are not above `position` and
 * below `before`, the newest first. */
void people_changed(people_t *p, db_t *db, words_t *w, int64_t change,
                    int64_t position, int64_t before);
/* That one. */
void people_one(people_t *p, db_t *db, words_t *w, int64_t id);

void person_init(person_t *person);
void person_free(person_t *person);
/* The next one: DB_ROW, DB_DONE or an error. */
int people_next(people_t *p, person_t *out) WACRM_CHECKED;
void people_end(people_t *p);

bool person_in(const person_t *person, const names_scope_t *scope);

#endif
