/*
 * follower.h - the thread that keeps the index up to date: what its files
 * share.
 */
#ifndef WACRM_SEARCH_FOLLOWER_H
#define WACRM_SEARCH_FOLLOWER_H

#include <sys/stat.h>

#include "search/internal.h"

/* Messages of a round, and people. */
#define FOLLOWER_BATCH 2000

typedef struct {
    search_t *s;
    db_t *db; /* reads the messages */
    words_t *words;
    index_t index;
    index_state_t state;
    /* rows up to these are gone from the database; 0: not known */
    int64_t dropped, dropped_people;
    struct stat file;
    int64_t generations;
    int64_t since_merge;
    bool merging;
    int64_t seal_again_at; /* not before, by the monotonic clock */
    int64_t calm_at;       /* and nothing is sealed before, in a flood */
} follower_t;

/* The thread; arg: a search_t. */
void *follower_run(void *arg);

/* ---- follow_file.c ---- */

/* There is a file, of this database; it is made anew if it has to be. */
int follower_ensure(follower_t *f) WACRM_CHECKED;
void follower_close(follower_t *f);
/* Tells the look-ups how far the index is. */
void follower_publish(follower_t *f, int64_t generation);
/* How far the index could be. */
int follower_last(db_t *db, index_state_t *out) WACRM_CHECKED;

/* ---- follow_fill.c ---- */

/* In the index's transaction and one state of the messages. */
int follower_fill(follower_t *f, int64_t *n, int64_t *people) WACRM_CHECKED;

#endif
