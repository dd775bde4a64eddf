/*
 * history.h - what the search is measured with: messages of Indonesian-looking
 * words by Zipf's law, of as many people as a tenth of them.
 */
#ifndef WACRM_T_BENCH_HISTORY_H
#define WACRM_T_BENCH_HISTORY_H

#include <stdint.h>

#define HISTORY_WORDS    40000
#define HISTORY_WORD     20
#define HISTORY_PER_CHAT 10 /* messages */
#define HISTORY_SESSIONS 4
#define HISTORY_TEXT     400

typedef struct {
    int messages; /* there are to be */
    int written;
    char words[HISTORY_WORDS][HISTORY_WORD]; /* the most frequent first */
    double upto[HISTORY_WORDS];              /* of Zipf's law, added up */
    uint64_t random;
} history_t;

_Noreturn void die(const char *what, const char *why);

/* messages is the caller's; the rest is the same at each call. */
void history_init(history_t *h);
/* A database that is not there yet, its people, */
void history_begin(history_t *h, const char *path);
/* and so many messages in it, with those that it has. */
void history_go_on(history_t *h, const char *path, int upto);

/* From 0, below n. */
int history_below(history_t *h, int n);
/* One of the words, by Zipf's law. */
int history_word(history_t *h);
const char *history_first_name(history_t *h);
const char *history_last_name(history_t *h);

#endif
