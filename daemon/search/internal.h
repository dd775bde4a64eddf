/*
 * internal.h - what the files of search share: the index as a file, its
 * readers, the thread.
 */
#ifndef WACRM_SEARCH_INTERNAL_H
#define WACRM_SEARCH_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/sqlite.h"
#include "search/chat_map.h"
#include "search/people.h"
#include "search/search.h"
#include "search/terms.h"
#include "search/word_sets.h"

/* ---- index.c: the file ---- */

typedef struct {
    int64_t born;           /* which database it is of */
    int64_t position;       /* messages up to this id are in it */
    int64_t changes;        /* rows of search_changes up to this id are done */
    int64_t people;         /* contacts up to this id are in it */
    int64_t people_changes; /* the same of contact_changes */
    int64_t purge; /* words of somebody erased are in the file: INDEX_PURGE_ */
} index_state_t;

enum {
    INDEX_PURGE_NOT,
    INDEX_PURGE_TABLES, /* and in the tables */
    INDEX_PURGE_LOG     /* in the write-ahead log only */
};

typedef struct {
    db_t *db;
    sqlite3_stmt *add, *forget, *add_person, *forget_person;
    chat_map_t chats;
    word_sets_t sets;
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
int index_add_person(index_t *ix, const person_t *person) WACRM_CHECKED;
int index_forget_person(index_t *ix, int64_t id) WACRM_CHECKED;
int index_commit(index_t *ix, const index_state_t *st) WACRM_CHECKED;
void index_rollback(index_t *ix);
/* All that was committed is on the disk: a power cut may undo a commit by
 * itself. Not within a transaction. */
int index_sync(index_t *ix) WACRM_CHECKED;
/* A step of putting its parts together; *more: there is more to do. */
int index_merge(index_t *ix, bool *more) WACRM_CHECKED;
/*
 * What was taken out of an FTS5 table stays in its older parts until they are
 * put together, and then in the log. Writes both anew, and st->purge as far
 * as it came: a look-up may hold the log, then it is to be called again.
 */
int index_purge(index_t *ix, index_state_t *st) WACRM_CHECKED;

/* ---- reader.c: connections of the look-ups ---- */

typedef struct search_reader_s {
    struct search_reader_s *next;
    int64_t generation; /* of the file; -1: it could not be opened */
    db_t *db;           /* NULL: none */
    sqlite3_stmt *find, *find_up, *vocabulary, *find_person;
    chat_map_t chats;
    word_sets_t sets;
    words_t *words;
} search_reader_t;

int reader_take(search_t *s, search_reader_t **out) WACRM_CHECKED;
void reader_give(search_t *s, search_reader_t *r);
void reader_free(search_reader_t *r);
/* It failed with rc: goes on without the file, which is made anew if it is
 * damaged. */
void reader_drop(search_t *s, search_reader_t *r, int rc);

/* ---- chat_set.c ---- */

typedef struct {
    uint64_t *bits;
    size_t size; /* chats below it fit; 0: too many to have a set of them */
    size_t n;    /* that are in */
} chat_set_t;

int chat_set_init(chat_set_t *set, int64_t last) WACRM_CHECKED;
void chat_set_free(chat_set_t *set);
static inline bool chat_set_has(const chat_set_t *set, int64_t chat)
{
    return chat >= 0 && (size_t)chat < set->size &&
           (set->bits[chat / 64] >> (chat % 64) & 1) != 0;
}

static inline void chat_set_add(chat_set_t *set, int64_t chat)
{
    if (chat >= 0 && (size_t)chat < set->size && !chat_set_has(set, chat)) {
        set->bits[chat / 64] |= UINT64_C(1) << (chat % 64);
        set->n++;
    }
}
void chat_set_clear(chat_set_t *set);
/* Their ids, upwards; to be freed. NULL: no memory. */
int64_t *chat_set_list(const chat_set_t *set);

/* ---- look.c ---- */

struct search_look_s {
    search_t *search;
    search_reader_t *reader;
    db_t *db;
    bool reading;   /* on db */
    int64_t newest; /* message in db */
    index_state_t state;
    terms_t terms;
    names_t names;
    buf_t match;         /* of terms, for the index; empty: not yet */
    search_hits_t hits;  /* search_hits(); first none */
    chat_set_t chats;    /* where messages are hits that were gathered: */
    int64_t from, upto;  /* all from here on, and all up to here */
    int64_t *list;       /* those chats, if they are all */
    int64_t *people;     /* contacts of hits */
    int64_t from_people; /* no hit from here on that is not in hits */
};

/* A row that the index has wrong, and whether it is a hit. */
typedef struct {
    int64_t id;
    bool hit;
} changed_t;

typedef struct {
    changed_t *rows; /* newest first */
    size_t n, cap;
} changes_t;

typedef struct finding_s {
    search_look_t *look;
    const session_set_t *sessions;
    int64_t before;
    int64_t *ids;
    size_t n, want;
    /* May this one of the index be seen? NULL: all may. */
    int (*may_see)(struct finding_s *f, int64_t id, bool *out);
    bool alone;        /* people: and who has no chat */
    size_t unseen;     /* hits that may not be seen */
    bool scoped;       /* the index is asked for those that may be seen */
    bool index_failed; /* and not the database */
} finding_t;

/* The next older one, or the last one again. */
int changes_add(changes_t *c, int64_t id, bool hit) WACRM_CHECKED;
bool changes_have(const changes_t *c, int64_t id);
/*
 * Runs one of the reader's statements, with what match() writes, and takes the
 * changed rows in their places. To ask FTS5 for words AND scopes costs ten
 * times what the words do, as each step is one in the list of every session:
 * so may_see() is asked of each hit first. Where most hits are of others, the
 * rest is asked for with f->scoped.
 */
int find_indexed(finding_t *f, sqlite3_stmt *s,
                 void (*match)(const finding_t *f, buf_t *out),
                 const changes_t *changes) WACRM_CHECKED;
/* The rows below f->before that have changed since they were indexed; to be
 * freed. */
int look_changes(const finding_t *f, changes_t *changes) WACRM_CHECKED;
/* Row by row: those above `above` and below f->before; f->n as far as f->want
 * allows. */
int look_rows(finding_t *f, int64_t above) WACRM_CHECKED;
/* The index failed: all of it from the database from now on. */
void look_without_index(finding_t *f, int rc);

/* terms_test() with what was typed. */
int look_test(search_look_t *l, const char *body, size_t len, bool *matches,
              hit_t *hits, size_t *n) WACRM_CHECKED;

/* ---- look_match.c: expressions for the index ---- */

/* Of all terms. */
void look_match(const finding_t *f, buf_t *out);
/* Does any message of the index have its first word, or one that begins so?
 * Not known: true. */
bool look_has_word(search_look_t *l, const term_t *term);
/* Of some: a bit for each. */
void look_match_terms(search_look_t *l, uint64_t which, buf_t *out);

/* ---- look_hits.c ---- */

/* Tells each() the messages of the index that match, from `from` on and below
 * `before`, upwards. */
typedef struct {
    const buf_t *match;
    int64_t from, before;
    int (*each)(void *arg, int64_t id, bool *enough);
    void *arg;
} upwards_t;
int look_upwards(search_look_t *l, const upwards_t *u) WACRM_CHECKED;

/* Puts the chat of a message into the set: as the index has it, for those that
 * have not changed since, */
int look_note(search_look_t *l, int64_t id) WACRM_CHECKED;
/* and as the database has it. */
int look_note_row(search_look_t *l, int64_t id) WACRM_CHECKED;

/* ---- look_sets.c ---- */

/* The hits of the look-up, from l->from on, by the sets of frequent words.
 * *done false: too little is sealed for that, or a phrase is asked for, and
 * none is noted. */
int look_by_sets(search_look_t *l, const changes_t *changes,
                 bool *done) WACRM_CHECKED;

/* ---- search.c ---- */

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
    _Atomic int64_t position, changes, people, people_changes;
    _Atomic int64_t indexed, rebuilds, faults, purges, sealed;
};

#endif
