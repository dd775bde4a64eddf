/*
 * index_fixture.h - a desk with an index, and a connection of its own to its
 * database, to fill it with many rows at once.
 */
#ifndef WACRM_T_INDEX_FIXTURE_H
#define WACRM_T_INDEX_FIXTURE_H

#include "search/search.h"

#include "domain_fixture.h"

#include <sqlite3.h>

typedef struct {
    fixture_t *f;
    search_t *search;
    sqlite3 *db;
    char path[200]; /* of the index */
} indexed_t;

static inline void sql(const indexed_t *x, const char *text)
{
    if (sqlite3_exec(x->db, text, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(x->db));
    }
}

static inline void index_open(indexed_t *x)
{
    void *f;

    assert_int_equal(fixture_setup(&f), 0);
    x->f = f;
    snprintf(x->path, sizeof(x->path), "%s/search.db", x->f->dir);
    assert_int_equal(search_start(&x->search, x->f->store, x->path), WERR_OK);
    assert_int_equal(sqlite3_open(x->f->path, &x->db), SQLITE_OK);
    sqlite3_busy_timeout(x->db, 60000);
    sql(x, "PRAGMA synchronous = OFF");
}

static inline int index_close(indexed_t *x)
{
    void *f = x->f;

    search_stop(&x->search);
    sqlite3_close(x->db);
    return fixture_teardown(&f);
}

#endif
