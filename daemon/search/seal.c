#include "search/seal.h"

#include <stdlib.h>
#include <string.h>

/* Of a block: different words, and words of each message once. */
#define WORDS_MAX UINT16_MAX
#define SEEN_MAX  (1u << 20)
#define SLOTS     (1u << 17) /* power of two; twice as many as words */
#define NONE      UINT16_MAX
#define NODE_MIN  2 /* bytes: nobody asks for shorter beginnings */

DB_QUERY(search_block, "SELECT id, body FROM messages WHERE id >= $1 "
                       "AND id < $2 AND deleted_at IS NULL ORDER BY id");

typedef struct {
    uint32_t text; /* where it is */
    uint32_t n;    /* messages that have it */
    uint16_t last; /* of these */
    uint8_t len;   /* longer words are as long as the longest key */
} entry_t;

typedef struct {
    word_sets_t *sets;
    const word_block_t *block;
    char *text; /* of all words */
    size_t used, size;
    entry_t *words;
    size_t nwords, words_cap;
    uint16_t *slots; /* words by their hashes, open addressing */
    uint16_t *seen;  /* words of the messages, one message after the other */
    size_t nseen, seen_cap;
    uint32_t upto[WORD_BLOCK]; /* of seen: of this message and those before */
    uint16_t message;          /* that is read */
    bool full;
    int failed;
    uint16_t *sorted;   /* words by their bytes */
    uint32_t *first;    /* in messages, of each of sorted; and the end */
    uint16_t *messages; /* of all words, in the order of sorted */
    uint64_t set[WORD_SET];
} sealing_t;

/* ---- the words ---- */

/* Room for one more; NULL: no memory. */
static void *grown(void *list, size_t n, size_t *cap, size_t each)
{
    void *more = list;

    if (n == *cap) {
        size_t want = *cap == 0 ? 4096 : *cap * 2;

        more = realloc(list, want * each);
        if (more != NULL) {
            *cap = want;
        }
    }
    return more;
}

/* FNV-1a. */
static uint32_t hash(const char *word, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)word[i]) * 16777619u;
    }
    return h;
}

static int keep_text(sealing_t *s, const char *word, size_t len)
{
    if (s->used + len > s->size) {
        size_t size = s->size == 0 ? 65536 : s->size * 2;
        char *text = realloc(s->text, size);

        if (text == NULL) {
            return WERR_NOMEM;
        }
        s->text = text;
        s->size = size;
    }
    memcpy(s->text + s->used, word, len);
    s->used += len;
    return WERR_OK;
}

static int add_entry(sealing_t *s, uint16_t *slot, const char *word, size_t len)
{
    entry_t *words = grown(s->words, s->nwords, &s->words_cap, sizeof(*words));

    if (words == NULL) {
        return WERR_NOMEM;
    }
    s->words = words;
    words[s->nwords] =
        (entry_t){.text = (uint32_t)s->used, .len = (uint8_t)len, .last = NONE};
    *slot = (uint16_t)s->nwords++;
    return keep_text(s, word, len);
}

static uint16_t *find_slot(sealing_t *s, const char *word, size_t len)
{
    uint32_t at = hash(word, len) & (SLOTS - 1);

    while (s->slots[at] != NONE) {
        const entry_t *e = &s->words[s->slots[at]];

        if (e->len == len && memcmp(s->text + e->text, word, len) == 0) {
            break;
        }
        at = (at + 1) & (SLOTS - 1);
    }
    return &s->slots[at];
}

static int note(sealing_t *s, uint16_t word)
{
    uint16_t *seen;

    if (s->words[word].last == s->message) {
        return WERR_OK; /* twice in it */
    }
    seen = grown(s->seen, s->nseen, &s->seen_cap, sizeof(*seen));
    if (seen == NULL) {
        return WERR_NOMEM;
    }
    s->seen = seen;
    s->seen[s->nseen++] = word;
    s->words[word].last = s->message;
    s->words[word].n++;
    return WERR_OK;
}

static int add_word(void *arg, const char *word, size_t len, size_t start,
                    size_t end)
{
    sealing_t *s = arg;
    size_t kept = len < WORD_KEY_MAX ? len : WORD_KEY_MAX;
    uint16_t *slot = find_slot(s, word, kept);

    (void)start;
    (void)end;
    s->full = s->nseen == SEEN_MAX || (*slot == NONE && s->nwords == WORDS_MAX);
    if (!s->full && *slot == NONE) {
        s->failed = add_entry(s, slot, word, kept);
    }
    if (!s->full && s->failed == WERR_OK) {
        s->failed = note(s, *slot);
    }
    return s->full || s->failed != WERR_OK;
}

static int read_messages(sealing_t *s, db_t *db, words_t *words)
{
    db_stmt_t *q = db_stmt(db, &search_block);
    int64_t from = s->block->number * WORD_BLOCK;
    size_t at = 0;
    int rc = WERR_OK;

    db_bind_i64(q, 1, from);
    db_bind_i64(q, 2, s->block->upto);
    while (!s->full && (rc = db_step(q)) == DB_ROW) {
        s->message = (uint16_t)(db_i64(q, 0) - from);
        while (at < s->message) {
            s->upto[at++] = (uint32_t)s->nseen;
        }
        if (db_text_len(q, 1) > 0) {
            rc = words_each(words, db_text(q, 1), db_text_len(q, 1), add_word,
                            s);
        }
        rc = s->failed != WERR_OK ? s->failed : rc;
        if (rc < 0) {
            break;
        }
    }
    while (at < WORD_BLOCK) {
        s->upto[at++] = (uint32_t)s->nseen;
    }
    db_done(q);
    return rc == DB_ROW ? WERR_OK : rc;
}

/* ---- their messages, in the order of the words ---- */

static int by_bytes(const void *a, const void *b, void *arg)
{
    const sealing_t *s = arg;
    const entry_t *x = &s->words[*(const uint16_t *)a];
    const entry_t *y = &s->words[*(const uint16_t *)b];
    int order = memcmp(s->text + x->text, s->text + y->text,
                       x->len < y->len ? x->len : y->len);

    return order != 0 ? order : x->len - y->len;
}

static int sort_words(sealing_t *s)
{
    s->sorted = calloc(s->nwords + 1, sizeof(*s->sorted));
    s->first = calloc(s->nwords + 1, sizeof(*s->first));
    s->messages = calloc(s->nseen + 1, sizeof(*s->messages));
    if (s->sorted == NULL || s->first == NULL || s->messages == NULL) {
        return WERR_NOMEM;
    }
    for (size_t i = 0; i < s->nwords; i++) {
        s->sorted[i] = (uint16_t)i;
    }
    qsort_r(s->sorted, s->nwords, sizeof(*s->sorted), by_bytes, s);
    for (size_t i = 0; i < s->nwords; i++) {
        entry_t *e = &s->words[s->sorted[i]];

        s->first[i + 1] = s->first[i] + e->n;
        e->n = s->first[i]; /* where its next message comes */
    }
    for (size_t m = 0, i = 0; m < WORD_BLOCK; m++) {
        for (; i < s->upto[m]; i++) {
            s->messages[s->words[s->seen[i]].n++] = (uint16_t)m;
        }
    }
    return WERR_OK;
}

/* ---- the tree ---- */

static const entry_t *word_at(const sealing_t *s, size_t i)
{
    return &s->words[s->sorted[i]];
}

/* The byte after `depth` of them. */
static char branch(const sealing_t *s, size_t i, size_t depth)
{
    const entry_t *e = word_at(s, i);

    return depth < e->len ? s->text[e->text + depth] : WORD_END;
}

/* Bytes that the words from low up to high begin with. */
static size_t common(const sealing_t *s, size_t low, size_t high, size_t depth)
{
    while (branch(s, low, depth) == branch(s, high - 1, depth) &&
           branch(s, low, depth) != WORD_END) {
        depth++;
    }
    return depth;
}

/* Messages that have any of them. */
static size_t unite(sealing_t *s, size_t low, size_t high)
{
    size_t n = 0;

    memset(s->set, 0, sizeof(s->set));
    for (size_t i = s->first[low]; i < s->first[high]; i++) {
        s->set[s->messages[i] / 64] |= UINT64_C(1) << (s->messages[i] % 64);
    }
    for (size_t i = 0; i < WORD_SET; i++) {
        n += (size_t)__builtin_popcountll(s->set[i]);
    }
    return n;
}

/* The part of the tree whose words are these, which share depth bytes. What
 * is rare is left out, and all below it. */
static int put_nodes(sealing_t *s, size_t low, size_t high, size_t depth)
{
    bool leaf = high - low == 1;
    const entry_t *e = word_at(s, low);
    char key[WORD_KEY_MAX];
    int rc = WERR_OK;

    if (s->first[high] - s->first[low] < WORD_SET_MIN) {
        return WERR_OK;
    }
    depth = leaf ? e->len + 1u : common(s, low, high, depth);
    if (depth > WORD_KEY_MAX) {
        return WERR_OK;
    }
    if (depth >= NODE_MIN) {
        if (unite(s, low, high) < WORD_SET_MIN) {
            return WERR_OK;
        }
        memcpy(key, s->text + e->text, depth - leaf);
        if (leaf) {
            key[depth - 1] = WORD_END;
        }
        rc = word_sets_put(s->sets, s->block->number, key, depth, s->set);
    }
    for (size_t i = low, next; rc == WERR_OK && !leaf && i < high; i = next) {
        for (next = i + 1;
             next < high && branch(s, next, depth) == branch(s, i, depth);
             next++) {
        }
        rc = put_nodes(s, i, next, depth);
    }
    return rc;
}

static void free_all(sealing_t *s)
{
    free(s->text);
    free(s->words);
    free(s->slots);
    free(s->seen);
    free(s->sorted);
    free(s->first);
    free(s->messages);
    free(s);
}

int seal_block(word_sets_t *sets, db_t *db, words_t *words,
               const word_block_t *block)
{
    sealing_t *s = calloc(1, sizeof(*s));
    int rc = WERR_NOMEM;

    if (s == NULL) {
        return WERR_NOMEM;
    }
    s->sets = sets;
    s->block = block;
    s->slots = malloc(SLOTS * sizeof(*s->slots));
    if (s->slots != NULL) {
        memset(s->slots, 0xff, SLOTS * sizeof(*s->slots)); /* NONE */
        rc = read_messages(s, db, words);
    }
    if (rc == WERR_OK && !s->full && s->nwords > 0) {
        rc = sort_words(s);
        if (rc == WERR_OK) {
            rc = put_nodes(s, 0, s->nwords, 0);
        }
    }
    if (rc == WERR_OK) {
        rc = word_sets_seal(sets, block);
    }
    free_all(s);
    return rc;
}
