/*
 * search.h - the words of all messages, and of people's names, phones and
 * aliases; newest first.
 *
 * The index is SQLite's FTS5 in a file of its own (search.db), which a thread
 * keeps up to date by message and contact id; it can be thrown away at any
 * time. Until the thread is there, and while the file is lost, damaged or
 * being made again, the rows that it lacks are read one by one: an answer is
 * always complete. When somebody is erased, the file is written anew without
 * their words. Backends that have a full-text search of their own (PostgreSQL)
 * need this header only; what it does and why: docs/database.md.
 */
#ifndef WACRM_SEARCH_SEARCH_H
#define WACRM_SEARCH_SEARCH_H

#include "base/buf.h"
#include "db/store.h"
#include "domain/session.h"

typedef struct search_s search_t;

/* path: of search.db. The store stays the caller's. */
int search_start(search_t **out, store_t *store,
                 const char *path) WACRM_CHECKED;
/* No look-up may be open. */
void search_stop(search_t **search);
/* There is something to index; without it the thread looks for itself, twice
 * a second. */
void search_wake(search_t *search);
/* Throws the index away; the thread makes it anew. */
void search_rebuild(search_t *search);
/* The same for the files of a wacrmd that does not run. */
int search_remove(const char *path) WACRM_CHECKED;

typedef struct {
    int64_t position; /* last message that is indexed */
    int64_t people;   /* last contact */
    int64_t indexed;  /* messages since the start */
    int64_t sealed;   /* messages whose frequent words have sets */
    int64_t purges;   /* times it was written anew after an erasure */
    int64_t rebuilds;
    int64_t faults;
} search_stat_t;
void search_stat(search_t *search, search_stat_t *st);
/* Messages that the index lacks yet. */
int search_lag(search_t *search, db_t *db, int64_t *out) WACRM_CHECKED;

/* ---- look-ups ---- */

typedef struct search_look_s search_look_t;

/*
 * What a person typed: words, of which each must be there, and "phrases".
 * The last one may be unfinished, and so may be one that ends in *. Case and
 * accents do not count; nothing else has a meaning. Begins a read
 * transaction on db, whose state all answers are of, until search_end().
 */
int search_begin(search_t *search, db_t *db, const char *text,
                 search_look_t **out) WACRM_CHECKED;
/*
 * Ids of messages that match, newest (highest) first, below `before` (0: from
 * the top), at most *n of them. sessions: those that may be seen; NULL: all.
 */
int search_find(search_look_t *look, const session_set_t *sessions,
                int64_t before, int64_t *ids, size_t *n) WACRM_CHECKED;
/*
 * The same of contacts. Each word is a part of their name, their phone or an
 * alias, or the beginning of a word where it has one or two letters; or all
 * of it is their phone as people write phones ("0812-34", "+62 812"). Only
 * who has a chat in one of the sessions (NULL: anybody), and, with alone,
 * who has none at all.
 */
int search_people(search_look_t *look, const session_set_t *sessions,
                  bool alone, int64_t before, int64_t *ids,
                  size_t *n) WACRM_CHECKED;
/*
 * Hits anywhere, whoever may see them: the chats of messages (`all` only), and
 * contacts, the newest first. They stay until search_end(). Where they are too
 * many, some are gathered, which search_in_chat() knows.
 */
typedef struct {
    const int64_t *chats, *contacts;
    size_t nchats, ncontacts;
    bool all; /* and there are no more */
} search_hits_t;
int search_hits(search_look_t *look, search_hits_t *out) WACRM_CHECKED;
/* Is there a hit in the chat: one of its messages, or its contact (open false:
 * their phone alone)? Reads what search_hits() has not told. */
int search_in_chat(search_look_t *look, int64_t chat, int64_t contact,
                   bool open, bool *hit) WACRM_CHECKED;
/*
 * Writes {"text":..., "marks":[[start, length], ...]} of a body: the piece
 * round the first hit, and where hits are in it, in UTF-16 units as the
 * strings of browsers count. No markup.
 */
void search_snippet(search_look_t *look, const char *body, size_t len,
                    buf_t *out, const char *key);
void search_end(search_look_t **look);

#endif
