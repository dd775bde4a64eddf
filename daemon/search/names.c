#include "search/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The index has all threes of characters. */
#define PART_MIN   3
#define BEGINNING  "  "
#define DIGITS     "0123456789"
#define PHONE      DIGITS "+-. ()"
#define DIGITS_MAX 63
/* Fewer digits in several pieces may be something else: "RT 05 12". */
#define PHONE_MIN 7
/* What "0812" stands for in international form begins with it. */
#define COUNTRY "62"

static size_t characters(const char *text, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return n;
}

/* Keeps a string made of these two; 0: no room. */
static uint16_t keep(names_t *n, const char *before, const char *word,
                     size_t len)
{
    size_t at = n->used, head = strlen(before);

    if (head + len + 1 > sizeof(n->text) - at) {
        return 0;
    }
    memcpy(n->text + at, before, head);
    memcpy(n->text + at + head, word, len);
    n->text[at + head + len] = '\0';
    n->used = at + head + len + 1;
    return (uint16_t)at;
}

/* A word as a part of others, or where one begins if it is too short. */
static uint16_t keep_word(names_t *n, const char *word, size_t len)
{
    return keep(n, characters(word, len) < PART_MIN ? BEGINNING : "", word,
                len);
}

/* Digits as they are dialled: "0812" at home, "0062812" from abroad, without
 * their zeros; a short one at home begins the number after the country's. */
static uint16_t keep_dialled(names_t *n, const char *word, size_t len)
{
    size_t zeros = strspn(word, "0");
    bool brief = len - zeros < PART_MIN;

    if (zeros == 0 || zeros > 2 || zeros == len || (zeros == 2 && brief) ||
        strspn(word, DIGITS) != len) {
        return 0;
    }
    return keep(n, brief ? BEGINNING COUNTRY : "", word + zeros, len - zeros);
}

static int add_word(void *arg, const char *word, size_t len, size_t start,
                    size_t end)
{
    names_t *n = arg;
    name_word_t *t = &n->words[n->nwords];
    char text[DIGITS_MAX + 1] = "";

    (void)start;
    (void)end;
    if (n->nwords == NAMES_WORDS_MAX) {
        return 1;
    }
    *t = (name_word_t){.needle = keep_word(n, word, len)};
    if (len <= DIGITS_MAX) {
        memcpy(text, word, len);
        t->other = keep_dialled(n, text, len);
    }
    n->nwords += t->needle != 0;
    return t->needle == 0;
}

/* "+62 812-34" and "0812 34": one number, however it is written. */
static void read_phone(names_t *n, const char *text)
{
    char digits[DIGITS_MAX + 1] = "";
    size_t len = 0;

    if (strspn(text, PHONE) != strlen(text)) {
        return;
    }
    for (; *text != '\0' && len < DIGITS_MAX; text++) {
        if (*text >= '0' && *text <= '9') {
            digits[len++] = *text;
        }
    }
    if (strspn(digits, "0") != len) {
        n->phone.needle = keep_word(n, digits, len);
        n->phone.other = keep_dialled(n, digits, len);
    }
    if (len >= PHONE_MIN && n->nwords > 1) {
        n->nwords = 0; /* its pieces are no words */
    }
}

int names_read(names_t *n, words_t *w, const char *text)
{
    int rc;

    memset(n, 0, sizeof(*n));
    n->used = 1;
    rc = words_each(w, text, strlen(text), add_word, n);
    if (rc == WERR_OK) {
        read_phone(n, text);
    }
    return rc;
}

bool names_are_none(const names_t *n)
{
    return n->nwords == 0 && n->phone.needle == 0;
}

static int fold_word(void *arg, const char *word, size_t len, size_t start,
                     size_t end)
{
    buf_t *out = arg;

    (void)start;
    (void)end;
    buf_adds(out, BEGINNING);
    buf_add(out, word, len);
    return 0;
}

int names_fold(words_t *w, const char *text, size_t len, buf_t *out)
{
    int rc = words_each(w, text, len, fold_word, out);

    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}

static bool has(const names_t *n, const name_word_t *t, const char *text)
{
    return (t->needle != 0 && strstr(text, n->text + t->needle) != NULL) ||
           (t->other != 0 && strstr(text, n->text + t->other) != NULL);
}

bool names_test(const names_t *n, const char *text)
{
    if (has(n, &n->phone, text)) {
        return true;
    }
    for (size_t i = 0; i < n->nwords; i++) {
        if (!has(n, &n->words[i], text)) {
            return false;
        }
    }
    return n->nwords > 0;
}

/* ---- for the index ---- */

void names_scope_text(int64_t session, char out[NAMES_SCOPE_MAX])
{
    (void)snprintf(out, NAMES_SCOPE_MAX, " s%" PRId64 " ", session);
}

/* A word has no quotation mark in it: the tokenizer leaves letters and
 * digits. */
static void add_either(const names_t *n, const name_word_t *t, buf_t *out)
{
    buf_addf(out, "(\"%s\"", n->text + t->needle);
    if (t->other != 0) {
        buf_addf(out, " OR \"%s\"", n->text + t->other);
    }
    buf_addc(out, ')');
}

static void add_scope(const names_scope_t *scope, buf_t *out)
{
    char text[NAMES_SCOPE_MAX];
    size_t n = scope->sessions->n + scope->alone;

    buf_adds(out, " AND scope : (");
    for (size_t i = 0; i < n; i++) {
        names_scope_text(i < scope->sessions->n ? scope->sessions->ids[i] : 0,
                         text);
        buf_addf(out, "%s\"%s\"", i > 0 ? " OR " : "", text);
    }
    buf_addc(out, ')');
}

void names_match(const names_t *n, const names_scope_t *scope, buf_t *out)
{
    buf_adds(out, "text : (");
    if (n->phone.needle != 0) {
        add_either(n, &n->phone, out);
        buf_adds(out, n->nwords > 0 ? " OR " : "");
    }
    for (size_t i = 0; i < n->nwords; i++) {
        buf_adds(out, i > 0 ? " AND " : "(");
        add_either(n, &n->words[i], out);
    }
    buf_adds(out, n->nwords > 0 ? "))" : ")");
    if (scope->sessions != NULL) {
        add_scope(scope, out);
    }
}
