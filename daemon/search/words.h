/*
 * words.h - text into words, by the very tokenizer of the index: unicode61,
 * without case and accents.
 */
#ifndef WACRM_SEARCH_WORDS_H
#define WACRM_SEARCH_WORDS_H

#include <stddef.h>

#include "base/error.h"

#define WORDS_TOKENIZER "unicode61"
#define WORDS_OPTION    "remove_diacritics"
#define WORDS_VALUE     "2"

typedef struct words_s words_t;

/* For one thread at a time. */
int words_open(words_t **out) WACRM_CHECKED;
void words_close(words_t **words);

/* A word as it is indexed, and its place in the text. Not 0: enough. */
typedef int (*word_fn)(void *arg, const char *word, size_t len, size_t start,
                       size_t end);

/* WERR_OK also when fn had enough. */
int words_each(words_t *w, const char *text, size_t len, word_fn fn,
               void *arg) WACRM_CHECKED;

#endif
