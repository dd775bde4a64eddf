#include "search/terms.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

/* The index knows prefixes of 2 and 3 characters; a lone letter is taken as
 * a word of its own. */
#define PREFIX_MIN     2
#define PREFIX_INDEXED 3
/* Words of one group of alternatives. */
#define GROUP 12

/* ---- reading ---- */

typedef struct {
    terms_t *t;
    size_t end; /* of the last word */
} reading_t;

static int add_word(void *arg, const char *word, size_t len, size_t start,
                    size_t end)
{
    reading_t *r = arg;
    terms_t *t = r->t;

    (void)start;
    if (t->nwords == TERMS_WORDS_MAX || len > sizeof(t->text) - t->used) {
        return 1;
    }
    memcpy(t->text + t->used, word, len);
    t->words[t->nwords].at = (uint16_t)t->used;
    t->words[t->nwords++].len = (uint16_t)len;
    t->used += len;
    r->end = end;
    return 0;
}

static size_t characters(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

static bool may_go_on(const terms_t *t, size_t word)
{
    size_t n = 0;

    for (size_t i = 0; i < t->nterms; i++) {
        n += t->terms[i].prefix;
    }
    return n < TERMS_PREFIX_MAX && characters(t->text + t->words[word].at,
                                              t->words[word].len) >= PREFIX_MIN;
}

/* The words of one piece of the text: one term. open: it may go on, if it
 * ends with a word. */
static int read_piece(terms_t *t, words_t *w, const char *piece, size_t len,
                      bool open)
{
    reading_t r = {.t = t};
    size_t first = t->nwords;
    bool star = len > 0 && piece[len - 1] == '*';
    int rc = words_each(w, piece, len, add_word, &r);

    if (rc != WERR_OK || t->nwords == first) {
        return rc;
    }
    term_t term = {.first = (uint8_t)first, .n = (uint8_t)(t->nwords - first)};
    term.prefix =
        (open || star) && r.end == len - star && may_go_on(t, t->nwords - 1);
    t->starts |= UINT64_C(1) << first;
    t->ends |= UINT64_C(1) << (t->nwords - 1);
    if (term.prefix) {
        t->prefixes |= UINT64_C(1) << (t->nwords - 1);
    }
    t->terms[t->nterms++] = term;
    return WERR_OK;
}

int terms_read(terms_t *t, words_t *w, const char *text)
{
    int rc = WERR_OK;

    memset(t, 0, sizeof(*t));
    while (rc == WERR_OK && *text != '\0' && t->nwords < TERMS_WORDS_MAX) {
        bool quoted = *text == '"';
        size_t len;

        if (isspace((unsigned char)*text)) {
            text++;
            continue;
        }
        text += quoted;
        len = strcspn(text, quoted ? "\"" : "\" \t\r\n\v\f");
        rc = read_piece(t, w, text, len, text[len] == '\0');
        text += len;
        text += quoted && *text == '"';
    }
    return rc;
}

/* ---- for the index ---- */

static void add_quoted(buf_t *out, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '"') {
            buf_addc(out, '"'); /* no word has one; and if: doubled */
        }
        buf_addc(out, word[i]);
    }
}

typedef struct {
    const terms_t *t;
    const term_t *term;
    buf_t *out;
    size_t n;
} alternatives_t;

/* "the words of the term", the last one replaced by last. */
static void add_phrase(const alternatives_t *a, const char *last, size_t len)
{
    const terms_t *t = a->t;

    buf_addc(a->out, '"');
    for (size_t i = a->term->first; i + 1 < a->term->first + a->term->n; i++) {
        add_quoted(a->out, t->text + t->words[i].at, t->words[i].len);
        buf_addc(a->out, ' ');
    }
    add_quoted(a->out, last, len);
    buf_addc(a->out, '"');
}

/*
 * FTS5 makes one node of all that OR joins, and looks at each part of it at
 * each step: 128 words take twice the time of groups of 12. What keeps a group
 * a node of its own is NOT, of nothing.
 */
static void add_alternative(void *to, const char *word, size_t len)
{
    alternatives_t *a = to;

    if (a->n % GROUP == 0) {
        buf_adds(a->out, a->n == 0 ? "(((" : ") NOT \"\") OR ((");
    } else {
        buf_adds(a->out, " OR ");
    }
    a->n++;
    add_phrase(a, word, len);
}

/*
 * FTS5 reads all of a prefix's rows before the first answer unless an index
 * has the prefix; a list of words is read as far as needed.
 */
static bool add_expanded(const alternatives_t *a, const terms_vocabulary_t *v,
                         const char *last, size_t len)
{
    size_t before = a->out->len;
    alternatives_t each = *a;

    if (v != NULL && v->expand(v->arg, last, len, add_alternative, &each)) {
        if (each.n == 0) {
            add_phrase(a, last, len);
        } else {
            buf_adds(a->out, ") NOT \"\"))");
        }
        return true;
    }
    if (!a->out->failed) {
        a->out->len = before;
    }
    return false;
}

static void add_term(const terms_t *t, const term_t *term,
                     const terms_vocabulary_t *v, buf_t *out)
{
    alternatives_t a = {.t = t, .term = term, .out = out};
    size_t i = (size_t)term->first + term->n - 1;
    const char *last = t->text + t->words[i].at;
    size_t len = t->words[i].len;

    if (term->prefix && characters(last, len) > PREFIX_INDEXED &&
        add_expanded(&a, v, last, len)) {
        return;
    }
    add_phrase(&a, last, len);
    if (term->prefix) {
        buf_adds(out, " *");
    }
}

/* A word as a scope is: "s1", and "s12", which begins so. */
static bool is_like_scope(const terms_t *t, size_t word)
{
    const char *text = t->text + t->words[word].at;
    size_t len = t->words[word].len, i = 1;

    while (i < len && isdigit((unsigned char)text[i])) {
        i++;
    }
    return text[0] == 's' && len > 1 && i == len;
}

/* Only where it matters, as to look for the column takes a tenth. */
static bool may_be_scope(const terms_t *t)
{
    for (size_t i = 0; i < t->nwords; i++) {
        if (is_like_scope(t, i)) {
            return true;
        }
    }
    return false;
}

void terms_match(const terms_t *t, uint64_t which, const terms_vocabulary_t *v,
                 buf_t *out)
{
    bool first = true;

    buf_adds(out, may_be_scope(t) ? "body : (" : "(");
    for (size_t i = 0; i < t->nterms; i++) {
        if ((which >> i & 1) == 0) {
            continue;
        }
        if (!first) {
            buf_adds(out, " AND ");
        }
        first = false;
        add_term(t, &t->terms[i], v, out);
    }
    buf_addc(out, ')');
}

void terms_scope(const session_set_t *sessions, buf_t *out)
{
    buf_adds(out, " AND scope : (");
    for (size_t i = 0; i < sessions->n; i++) {
        buf_addf(out, "%s\"s%" PRId64 "\"", i > 0 ? " OR " : "",
                 sessions->ids[i]);
    }
    buf_addc(out, ')');
}

/* ---- against a body ---- */

typedef struct {
    const terms_t *t;
    uint64_t state; /* a bit: this word of a term fits here, and all before */
    uint64_t found; /* ends of the terms that were met */
    size_t at;      /* number of the word */
    size_t starts[TERMS_WORDS_MAX]; /* of the last words, by at */
    hit_t *hits;
    size_t nhits, max;
} testing_t;

/* A bit for each word of the query that this word is. */
static uint64_t equals(const terms_t *t, const char *word, size_t len)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < t->nwords; i++) {
        uint64_t bit = UINT64_C(1) << i;
        size_t n = t->words[i].len;

        if ((n == len || (n < len && (t->prefixes & bit))) &&
            memcmp(word, t->text + t->words[i].at, n) == 0) {
            bits |= bit;
        }
    }
    return bits;
}

static void note_hits(testing_t *s, uint64_t ended, size_t end)
{
    for (size_t i = 0; i < s->t->nterms && s->nhits < s->max; i++) {
        const term_t *term = &s->t->terms[i];

        if ((ended >> (term->first + term->n - 1) & 1) != 0) {
            size_t first = s->at - (term->n - 1u);

            s->hits[s->nhits++] =
                (hit_t){s->starts[first % TERMS_WORDS_MAX], end};
            return; /* one mark for one place */
        }
    }
}

static int test_word(void *arg, const char *word, size_t len, size_t start,
                     size_t end)
{
    testing_t *s = arg;
    uint64_t ended;

    s->starts[s->at % TERMS_WORDS_MAX] = start;
    s->state = (s->state << 1 | s->t->starts) & equals(s->t, word, len);
    ended = s->state & s->t->ends;
    s->found |= ended;
    if (ended != 0) {
        note_hits(s, ended, end);
    }
    s->at++;
    return s->found == s->t->ends && s->nhits == s->max;
}

/* A body of ASCII cannot match if a word is not even a part of it: nearly
 * all bodies are done with here. */
static bool may_match(const terms_t *t, const char *body, size_t len)
{
    char word[TERMS_BYTES_MAX + 1];

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)body[i] >= 0x80 || body[i] == '\0') {
            return true;
        }
    }
    for (size_t i = 0; i < t->nwords; i++) {
        memcpy(word, t->text + t->words[i].at, t->words[i].len);
        word[t->words[i].len] = '\0';
        if (strcasestr(body, word) == NULL) {
            return false;
        }
    }
    return true;
}

int terms_test(const terms_t *t, words_t *w, const char *body, size_t len,
               bool *matches, hit_t *hits, size_t *nhits)
{
    testing_t s = {.t = t, .hits = hits, .max = nhits != NULL ? *nhits : 0};
    int rc = WERR_OK;

    if (t->nterms > 0 && may_match(t, body, len)) {
        rc = words_each(w, body, len, test_word, &s);
    }
    *matches = t->nterms > 0 && s.found == t->ends;
    if (nhits != NULL) {
        *nhits = s.nhits;
    }
    return rc;
}
