/*
 * terms.h - what was typed, as terms; as an expression for the index; and
 * against a body.
 */
#ifndef WACRM_SEARCH_TERMS_H
#define WACRM_SEARCH_TERMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "domain/session.h"
#include "search/words.h"

/* What comes after these is not looked at. */
#define TERMS_WORDS_MAX 64
#define TERMS_BYTES_MAX 1024
/* Further words that end in * are taken as they stand. */
#define TERMS_PREFIX_MAX 4

/* A word, or several in a row: a phrase. */
typedef struct {
    uint8_t first, n; /* of words */
    bool prefix;      /* its last word may go on */
} term_t;

typedef struct {
    char text[TERMS_BYTES_MAX]; /* of the words, one after the other */
    size_t used;
    struct {
        uint16_t at, len;
    } words[TERMS_WORDS_MAX];
    size_t nwords;
    term_t terms[TERMS_WORDS_MAX];
    size_t nterms;
    /* a bit for each word */
    uint64_t starts, ends, prefixes;
} terms_t;

int terms_read(terms_t *t, words_t *w, const char *text) WACRM_CHECKED;

/*
 * The words of the index that begin with prefix: tells each of them to add().
 * false: too many, or a fault; nothing that was told counts then.
 */
typedef struct {
    bool (*expand)(void *arg, const char *prefix, size_t len,
                   void (*add)(void *to, const char *word, size_t n), void *to);
    void *arg;
} terms_vocabulary_t;

/* The MATCH expression: these terms (a bit for each), one at least; */
#define TERMS_ALL UINT64_MAX
void terms_match(const terms_t *t, uint64_t which, const terms_vocabulary_t *v,
                 buf_t *out);
/* and, after it, one of the sessions. */
void terms_scope(const session_set_t *sessions, buf_t *out);

typedef struct {
    size_t start, end; /* bytes of the body */
} hit_t;

/*
 * *matches: every term is in the body. Up to *nhits hits, in the order of
 * their ends, then their number; both NULL: only whether it matches.
 */
int terms_test(const terms_t *t, words_t *w, const char *body, size_t len,
               bool *matches, hit_t *hits, size_t *nhits) WACRM_CHECKED;

#endif
