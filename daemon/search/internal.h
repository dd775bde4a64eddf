/*
 * internal.h - what the files of search share: the index as a file, its
 * readers, the thread.
 */
#ifndef WACRM_SEARCH_INTERNAL_H
#define WACRM_SEARCH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/sqlite.h"
#include "search/search.h"
#include "search/terms.h"

/* ---- index.c: the file ---- */

typedef struct {
    int64_t born;     /* which database it is of */
    int64_t position; /* messages up to this id are in it */
    int64_t changes;  /* rows of search_changes up to this id are done */
} index_state_t;

typedef struct {
    db_t *db;
    sqlite3_stmt *add, *forget;
} index_t;

/* Opens it to write; makes it if it is not there. WERR_FUTURE: another
 * version of it. */
int index_open(index_t *ix, const char *path, index_state_t *st) WACRM_CHECKED;
void index_close(index_t *ix);
int index_state(db_t *db, index_state_t *st) WACRM_CHECKED;
int index_begin(index_t *ix) WACRM_CHECKED;
int index_add(index_t *ix, int64_t id, int64_t session, const char *body,
              size_t len) WACRM_CHECKED;
/* body: the very one that was added. */
int index_forget(index_t *ix, int64_t id, int64_t session, const char *body,
                 size_t len) WACRM_CHECKED;
int index_commit(index_t *ix, const index_state_t *st) WACRM_CHECKED;
void index_rollback(index_t *ix);
/* A step of putting its parts together; *more: there is more to do. */
int index_merge(index_t *ix, bool *more) WACRM_CHECKED;

/* ---- reader.c: connections of the look-ups ---- */

typedef struct search_reader_s {
    struct search_reader_s *next;
    int64_t generation; /* of the file; -1: it could not be opened */
    db_t *db;           /* NULL: none */
    sqlite3_stmt *find, *vocabulary;
    words_t *words;
} search_reader_t;

int reader_take(search_t *s, search_reader_t **out) WACRM_CHECKED;
void reader_give(search_t *s, search_reader_t *r);
void reader_free(search_reader_t *r);
/* It failed with rc: goes on without the file, which is made anew if it is
 * damaged. */
void reader_drop(search_t *s, search_reader_t *r, int rc);

/* ---- look.c ---- */

/* terms_test() with what was typed. */
int look_test(search_look_t *l, const char *body, size_t len, bool *matches,
              hit_t *hits, size_t *n) WACRM_CHECKED;

/* ---- search.c: the thread ---- */

struct search_s {
    store_t *store;
    char *path;
    pthread_t thread;
    bool runs;
    pthread_mutex_t mutex; /* of what follows, up to readers */
    pthread_cond_t cond;
    bool stopping, woken, rebuild;
    search_reader_t *readers; /* idle */
    size_t nreaders;
    _Atomic int64_t generation; /* of the file; 0: there is none */
    _Atomic int64_t position, changes;
    _Atomic int64_t indexed, rebuilds, faults;
};

#endif
