/*
 * All hits of a look-up, by the sets of frequent words (word_sets.h): the sets
 * of the terms are met, block by block; FTS5 is asked for what has none there,
 * each rare term by itself. Messages that no set knows are read.
 */
#include <stdlib.h>
#include <string.h>

#include "search/internal.h"

/* More messages than these without sets: the other way is the better one. */
#define OPEN_MAX     20000
#define OPEN_AT_ONCE 1000
/*
 * Measured: to ask FTS5 once more costs as much as so many hits of a word, and
 * more where it is the beginning of many. So blocks between two of which it is
 * asked are asked for as well, if they have no more.
 */
#define GAP_WORD   200
#define GAP_PREFIX 2000
/* One of so many messages is a hit, in every block: then nearly every chat has
 * one, most among the newest messages, and reading on where these have none
 * is cheaper than all chats. */
#define DENSE        8
#define DENSE_BLOCKS 10

typedef struct {
    search_look_t *look;
    const changes_t *changes;
    word_block_t *blocks; /* sealed, upwards */
    size_t nblocks, at;
    uint64_t (*hits)[WORD_SET];  /* of each block */
    uint64_t (*found)[WORD_SET]; /* the same, as FTS5 has answered */
    uint16_t *counts; /* of each term, of each block: messages; 0: no set */
    bool *empty;      /* no hit is left in the block */
} sets_t;

static uint16_t *counts_of(const sets_t *s, size_t term)
{
    return &s->counts[term * s->nblocks];
}

/* ---- blocks ---- */

/* Messages that no set knows. */
static int64_t count_open(const sets_t *s)
{
    int64_t n = s->look->newest + 1;

    for (size_t i = 0; i < s->nblocks; i++) {
        n -= s->blocks[i].upto - s->blocks[i].number * WORD_BLOCK;
    }
    return n;
}

static bool has_phrase(const terms_t *t)
{
    for (size_t i = 0; i < t->nterms; i++) {
        if (t->terms[i].n > 1) {
            return true;
        }
    }
    return false;
}

static int init(sets_t *s)
{
    size_t n = s->nblocks;

    s->hits = malloc(n * sizeof(*s->hits));
    s->found = malloc(n * sizeof(*s->found));
    s->counts = calloc(n * s->look->terms.nterms, sizeof(*s->counts));
    s->empty = calloc(n, sizeof(*s->empty));
    if (s->hits == NULL || s->found == NULL || s->counts == NULL ||
        s->empty == NULL) {
        return WERR_NOMEM;
    }
    memset(s->hits, 0xff, n * sizeof(*s->hits));
    return WERR_OK;
}

static void free_all(sets_t *s)
{
    free(s->blocks);
    free(s->hits);
    free(s->found);
    free(s->counts);
    free(s->empty);
}

/* ---- meeting ---- */

static void meet(sets_t *s, size_t block, const uint64_t set[WORD_SET])
{
    uint64_t any = 0;

    for (size_t i = 0; i < WORD_SET; i++) {
        s->hits[block][i] &= set[i];
        any |= s->hits[block][i];
    }
    s->empty[block] = any == 0;
}

/* The terms that have a set there. */
static int meet_sets(sets_t *s, size_t block)
{
    const terms_t *t = &s->look->terms;
    uint64_t set[WORD_SET];
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < t->nterms && !s->empty[block];
         i++) {
        size_t word = (size_t)t->terms[i].first, n = 0;

        rc = word_sets_get(&s->look->reader->sets, s->blocks[block].number,
                           t->text + t->words[word].at, t->words[word].len,
                           t->terms[i].prefix, set, &n);
        if (rc == WERR_OK && n > 0) {
            counts_of(s, i)[block] = (uint16_t)n;
            meet(s, block, set);
        }
    }
    return rc;
}

/* ---- what has no set ---- */

static bool lacks(const sets_t *s, size_t block, size_t term)
{
    return !s->empty[block] && counts_of(s, term)[block] == 0;
}

/* The next block, from `from` on, in which the term has no set. */
static size_t next_lacking(const sets_t *s, size_t from, size_t term)
{
    while (from < s->nblocks && !lacks(s, from, term)) {
        from++;
    }
    return from;
}

/* FTS5 tells them upwards. */
static int take_found(void *arg, int64_t id, bool *enough)
{
    sets_t *s = arg;
    int64_t block = id / WORD_BLOCK;

    (void)enough;
    while (s->at < s->nblocks && s->blocks[s->at].number < block) {
        s->at++;
    }
    if (s->at < s->nblocks && s->blocks[s->at].number == block) {
        s->found[s->at][id % WORD_BLOCK / 64] |= UINT64_C(1) << (id % 64);
    }
    return WERR_OK;
}

/* Blocks up to which one question is asked. */
static size_t end_of_question(const sets_t *s, size_t from, size_t term)
{
    size_t most = s->look->terms.terms[term].prefix ? GAP_PREFIX : GAP_WORD;
    size_t end = from + 1, gap = 0;

    for (size_t i = from + 1; i < s->nblocks && gap <= most; i++) {
        if (lacks(s, i, term)) {
            end = i + 1;
            gap = 0;
        } else {
            gap += counts_of(s, term)[i] > 0 ? counts_of(s, term)[i]
                                             : WORD_SET_MIN;
        }
    }
    return end;
}

/* Terms that have no set where this one, the first of them, has none. */
static int ask(sets_t *s, uint64_t which, size_t term)
{
    buf_t match;
    upwards_t u = {.match = &match, .each = take_found, .arg = s};
    int rc = WERR_OK;

    buf_init(&match, 0);
    look_match_terms(s->look, which, &match);
    memset(s->found, 0, s->nblocks * sizeof(*s->found));
    s->at = 0;
    for (size_t i = next_lacking(s, 0, term), end;
         rc == WERR_OK && i < s->nblocks; i = next_lacking(s, end, term)) {
        end = end_of_question(s, i, term);
        u.from = s->blocks[i].number * WORD_BLOCK;
        u.before = s->blocks[end - 1].upto;
        rc = look_upwards(s->look, &u);
    }
    for (size_t i = 0; rc == WERR_OK && i < s->nblocks; i++) {
        if (lacks(s, i, term)) {
            meet(s, i, s->found[i]);
        }
    }
    buf_free(&match);
    return rc;
}

static bool is_rare(const sets_t *s, size_t term)
{
    for (size_t i = 0; i < s->nblocks; i++) {
        if (counts_of(s, term)[i] > 0) {
            return false;
        }
    }
    return true;
}

/* Those that are rare everywhere at once: they leave little to ask for. */
static int ask_for_rare(sets_t *s)
{
    size_t first = s->look->terms.nterms;
    uint64_t rare = 0;

    for (size_t i = s->look->terms.nterms; i-- > 0;) {
        if (is_rare(s, i)) {
            rare |= UINT64_C(1) << i;
            first = i;
        }
    }
    return rare != 0 ? ask(s, rare, first) : WERR_OK;
}

/* A word that no message has: a name, mostly. */
static bool has_unknown(search_look_t *l)
{
    for (size_t i = 0; i < l->terms.nterms; i++) {
        if (!look_has_word(l, &l->terms.terms[i])) {
            return true;
        }
    }
    return false;
}

static int meet_all(sets_t *s)
{
    size_t nterms = s->look->terms.nterms;
    int rc = WERR_OK;

    if (has_unknown(s->look)) {
        memset(s->empty, true, s->nblocks * sizeof(*s->empty));
        return WERR_OK;
    }
    for (size_t i = 0; rc == WERR_OK && i < s->nblocks; i++) {
        rc = meet_sets(s, i);
    }
    if (rc == WERR_OK) {
        rc = ask_for_rare(s);
    }
    for (size_t i = 0; rc == WERR_OK && i < nterms; i++) {
        if (!is_rare(s, i) && next_lacking(s, 0, i) < s->nblocks) {
            rc = ask(s, UINT64_C(1) << i, i);
        }
    }
    return rc;
}

/* ---- the chats ---- */

/* Those that have changed since are none of the sets'. */
static void take_out_changed(sets_t *s)
{
    size_t at = s->nblocks;

    for (size_t i = 0; i < s->changes->n; i++) { /* downwards */
        int64_t id = s->changes->rows[i].id, block = id / WORD_BLOCK;

        while (at > 0 && s->blocks[at - 1].number > block) {
            at--;
        }
        if (at > 0 && s->blocks[at - 1].number == block) {
            s->hits[at - 1][id % WORD_BLOCK / 64] &=
                ~(UINT64_C(1) << (id % 64));
        }
    }
}

/* Of 64 messages. */
static int note_word(search_look_t *l, int64_t first, uint64_t bits)
{
    const uint8_t *chats = NULL;
    int64_t end = 0; /* of chats */
    int rc = WERR_OK;

    for (; rc == WERR_OK && bits != 0; bits &= bits - 1) {
        int64_t id = first + __builtin_ctzll(bits), chat = 0;

        if (id >= end) {
            rc = chat_map_read(&l->reader->chats, id / CHAT_MAP_MESSAGES,
                               &chats);
            end = (id / CHAT_MAP_MESSAGES + 1) * CHAT_MAP_MESSAGES;
        }
        if (rc == WERR_OK) {
            chat = chat_map_at(chats, (size_t)(id - end + CHAT_MAP_MESSAGES));
        }
        if (chat != 0) {
            chat_set_add(&l->chats, chat);
        } else if (rc == WERR_OK) {
            rc = look_note_row(l, id);
        }
    }
    return rc;
}

/* Nothing is known of what lies above the block's end. */
static int note_block(sets_t *s, size_t block)
{
    int64_t first = s->blocks[block].number * WORD_BLOCK;
    int rc = WERR_OK;

    for (int i = 0; rc == WERR_OK && i < WORD_SET; i++) {
        rc = note_word(s->look, first + i * 64, s->hits[block][i]);
    }
    return rc;
}

/* A hit that was read: the index knows its chat, too, or not yet. */
static int note_read(const sets_t *s, int64_t id)
{
    return id <= s->look->state.position && !changes_have(s->changes, id)
               ? look_note(s->look, id)
               : look_note_row(s->look, id);
}

/* Above `above` and below `before`, row by row. */
static int note_rows(const sets_t *s, int64_t above, int64_t before)
{
    int64_t ids[OPEN_AT_ONCE];
    finding_t f = {.look = s->look,
                   .before = before,
                   .ids = ids,
                   .n = OPEN_AT_ONCE,
                   .want = OPEN_AT_ONCE};
    int rc = WERR_OK;

    while (rc == WERR_OK && f.n == f.want) {
        f.n = 0;
        rc = look_rows(&f, above);
        for (size_t i = f.n; rc == WERR_OK && i > 0; i--) {
            rc = note_read(s, ids[i - 1]);
        }
        f.before = f.n > 0 ? ids[f.n - 1] : 0;
    }
    return rc;
}

/* What no set knows. */
static int note_open(sets_t *s)
{
    int64_t from = 0;
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i <= s->nblocks; i++) {
        int64_t before =
            i < s->nblocks ? s->blocks[i].number * WORD_BLOCK : INT64_MAX;

        if (from < before) {
            rc = note_rows(s, from - 1, before);
        }
        from = i < s->nblocks ? s->blocks[i].upto : 0;
    }
    for (size_t i = 0; rc == WERR_OK && i < s->changes->n; i++) {
        if (s->changes->rows[i].hit) {
            rc = look_note_row(s->look, s->changes->rows[i].id);
        }
    }
    return rc;
}

static size_t count_hits(const uint64_t set[WORD_SET])
{
    size_t n = 0;

    for (size_t i = 0; i < WORD_SET; i++) {
        n += (size_t)__builtin_popcountll(set[i]);
    }
    return n;
}

static bool is_dense(const sets_t *s)
{
    for (size_t i = 0; i < s->nblocks; i++) {
        int64_t size = s->blocks[i].upto - s->blocks[i].number * WORD_BLOCK;

        if (s->empty[i] || (int64_t)count_hits(s->hits[i]) * DENSE < size) {
            return false;
        }
    }
    return true;
}

static int note_all(sets_t *s)
{
    size_t from = 0;
    int rc = note_open(s);

    take_out_changed(s);
    if (s->nblocks > DENSE_BLOCKS && is_dense(s)) {
        from = s->nblocks - DENSE_BLOCKS;
    }
    s->look->from = from > 0 ? s->blocks[from].number * WORD_BLOCK : 0;
    for (size_t i = from; rc == WERR_OK && i < s->nblocks; i++) {
        if (!s->empty[i]) {
            rc = note_block(s, i);
        }
    }
    return rc;
}

int look_by_sets(search_look_t *l, const changes_t *changes, bool *done)
{
    sets_t s = {.look = l, .changes = changes};
    int rc;

    *done = false;
    if (l->reader->db == NULL || has_phrase(&l->terms)) {
        return WERR_OK;
    }
    rc = word_sets_sealed(&l->reader->sets, &s.blocks, &s.nblocks);
    if (rc == WERR_OK && s.nblocks > 0 && count_open(&s) <= OPEN_MAX) {
        *done = true;
        rc = init(&s);
        if (rc == WERR_OK) {
            rc = meet_all(&s);
        }
        if (rc == WERR_OK) {
            rc = note_all(&s);
        }
    }
    free_all(&s);
    return rc;
}
