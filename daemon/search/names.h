/*
 * names.h - what was typed, against names, phones and aliases: as an
 * expression for the index, and against one person.
 *
 * A person's text is all their words, folded as those of messages are, each
 * with two blanks before it: "  siti  aminah  6281234567890". So three
 * letters and more are looked for anywhere in a word, and one or two where a
 * word begins ("  si"), both by one trigram index.
 */
#ifndef WACRM_SEARCH_NAMES_H
#define WACRM_SEARCH_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "domain/session.h"
#include "search/words.h"

/* What comes after these is not looked at. */
#define NAMES_WORDS_MAX 16
#define NAMES_BYTES_MAX 2048

/* Places in text; 0: none. */
typedef struct {
    uint16_t needle, other; /* one of the two is in the person's text */
} name_word_t;

typedef struct {
    char text[NAMES_BYTES_MAX]; /* terminated strings, from 1 */
    size_t used;
    name_word_t words[NAMES_WORDS_MAX]; /* each of them, */
    size_t nwords;
    name_word_t phone; /* or this one: all of it as a phone, "0812-34" */
} names_t;

int names_read(names_t *n, words_t *w, const char *text) WACRM_CHECKED;
/* true: no word in it, nobody can be found. */
bool names_are_none(const names_t *n);

/* Appends the words of a name, a phone or an alias to a person's text. */
int names_fold(words_t *w, const char *text, size_t len,
               buf_t *out) WACRM_CHECKED;
/* text: a person's, terminated. */
bool names_test(const names_t *n, const char *text);

/* Whom it may be: with a chat in one of these sessions (NULL: anybody), and
 * alone: also those without any chat. */
typedef struct {
    const session_set_t *sessions;
    bool alone;
} names_scope_t;

/* What stands in the index for a session, and for no chat at all (0). */
#define NAMES_SCOPE_MAX 24
void names_scope_text(int64_t session, char out[NAMES_SCOPE_MAX]);
/* The MATCH expression. */
void names_match(const names_t *n, const names_scope_t *scope, buf_t *out);

#endif
