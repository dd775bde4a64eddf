/* What was typed, as an expression for the index. */
#include <string.h>

#include "search/internal.h"

/* More words than these begin alike: FTS5 has to do it. */
#define WORDS_ALIKE 128
#define WORD_MAX    1024

/* After all that begins so, and after the word itself. */
#define PREFIX_END "\xf4\x8f\xbf\xbf"
#define WORD_NEXT  '\x01'

/* The first word of the index from `from` on and before `upto`. */
static int seek(sqlite3_stmt *s, const char *from, size_t n, const char *upto,
                size_t m)
{
    int code;

    (void)sqlite3_reset(s);
    code = sqlite3_bind_text(s, 1, from, (int)n, SQLITE_STATIC);
    if (code == SQLITE_OK) {
        code = sqlite3_bind_text(s, 2, upto, (int)m, SQLITE_STATIC);
    }
    return code == SQLITE_OK ? sqlite3_step(s) : code;
}

/* From word to word: a seek for each, however many messages have it. */
static bool expand(void *arg, const char *prefix, size_t len,
                   void (*add)(void *to, const char *word, size_t n), void *to)
{
    sqlite3_stmt *s = ((search_look_t *)arg)->reader->vocabulary;
    char from[WORD_MAX + 1], upto[WORD_MAX + 4];
    size_t n = len, found = 0;
    int code = SQLITE_ROW;

    if (len >= WORD_MAX) {
        return false;
    }
    memcpy(from, prefix, len);
    memcpy(upto, prefix, len);
    memcpy(upto + len, PREFIX_END, 4);
    while (found <= WORDS_ALIKE && n < WORD_MAX) {
        const char *word;

        code = seek(s, from, n, upto, len + 4);
        if (code != SQLITE_ROW) {
            break;
        }
        word = (const char *)sqlite3_column_text(s, 0);
        n = (size_t)sqlite3_column_bytes(s, 0);
        if (word == NULL || n >= WORD_MAX) {
            break;
        }
        add(to, word, n);
        found++;
        memcpy(from, word, n);
        from[n++] = WORD_NEXT; /* the next one that there can be */
    }
    (void)sqlite3_reset(s);
    return code == SQLITE_DONE;
}

bool look_has_word(search_look_t *l, const term_t *term)
{
    sqlite3_stmt *s = l->reader->vocabulary;
    size_t len = l->terms.words[term->first].len;
    char upto[WORD_MAX + 4];
    int code;

    if (len >= WORD_MAX) {
        return true;
    }
    memcpy(upto, l->terms.text + l->terms.words[term->first].at, len);
    upto[len] = WORD_NEXT;
    if (term->prefix) {
        memcpy(upto + len, PREFIX_END, 4);
    }
    code = seek(s, upto, len, upto, len + (term->prefix ? 4 : 1));
    (void)sqlite3_reset(s);
    return code != SQLITE_DONE;
}

void look_match_terms(search_look_t *l, uint64_t which, buf_t *out)
{
    terms_vocabulary_t v = {.expand = expand, .arg = l};

    terms_match(&l->terms, which, &v, out);
}

/* The words that begin alike are looked up once. */
void look_match(const finding_t *f, buf_t *out)
{
    search_look_t *l = f->look;

    if (l->match.len == 0) {
        look_match_terms(l, TERMS_ALL, &l->match);
    }
    buf_add(out, l->match.data, l->match.len);
    out->failed |= l->match.failed;
    if (f->scoped) {
        terms_scope(f->sessions, out);
    }
}
