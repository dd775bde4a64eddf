/*
 * The sets of frequent words: what the inbox's search finds by them, against a
 * list of all messages kept here, while the index is built and sealed, while
 * messages come, go, change and are moved, and blocks are opened and sealed
 * again.
 */
#include "index_fixture.h"
#include "quiet_log.h"

#include <sqlite3.h>

#include "search/word_sets.h"

#define CHATS    2500
#define MANY     (11 * WORD_BLOCK + 3000)
#define MESSAGES (MANY + 20000)
#define WORDS    400
#define WORD     80
#define HAS      5 /* words of a message, at most */
#define TERMS    3
#define FEW      1024 /* may lack a set */

typedef struct {
    uint16_t chat;
    uint8_t n;
    bool gone;
    uint16_t words[HAS];
} message_t;

typedef struct {
    indexed_t x;
    char words[WORDS][WORD];
    message_t messages[MESSAGES + 1]; /* by id */
    int last;
    message_t was; /* the last one that was changed, before */
    int changed;   /* its id */
} desk_t;

typedef struct {
    char text[TERMS][WORD];
    bool prefix[TERMS];
    int n;
    char typed[(WORD + 3) * TERMS];
} query_t;

/* ---- words ---- */

static bool is_word(const desk_t *d, int n, const char *word)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(d->words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void make_words(desk_t *d)
{
    static const char *const odd[] = {"a",      "ka",    "kas",  "сбор",
                                      "сборка", "сбоку", "捐款", "捐款人"};
    static const char *const parts[] = {"ka", "sih", "te",  "ri",  "ma",
                                        "do", "na",  "ber", "ter", "kat"};
    int n = 0;

    for (; n < 8; n++) {
        snprintf(d->words[n], WORD, "%s", odd[n]);
    }
    for (; n < 12; n++) { /* longer than a key, alike in it */
        memset(d->words[n], 'k', 66);
        snprintf(d->words[n] + 66, WORD - 66, "%d", n);
    }
    while (n < WORDS) {
        char *word = d->words[n];

        word[0] = '\0';
        for (int k = 1 + rand() % 3; k >= 0; k--) {
            snprintf(word + strlen(word), WORD - strlen(word), "%s",
                     parts[rand() % 10]);
        }
        n += !is_word(d, n, word);
    }
    for (int i = WORDS - 1; i > 0; i--) {
        int k = rand() % (i + 1);
        char swap[WORD];

        memcpy(swap, d->words[i], WORD);
        memmove(d->words[i], d->words[k], WORD);
        memcpy(d->words[k], swap, WORD);
    }
}

/* The first are in many messages. */
static int any_word(void)
{
    double x = (double)rand() / ((double)RAND_MAX + 1);

    return (int)(x * x * x * x * WORDS);
}

static void choose_words(message_t *m)
{
    m->n = (uint8_t)(1 + rand() % HAS);
    for (int i = 0; i < m->n; i++) {
        m->words[i] = (uint16_t)any_word();
    }
}

static void write_body(const desk_t *d, const message_t *m,
                       char out[HAS * (WORD + 1)])
{
    out[0] = '\0';
    for (int i = 0; i < m->n; i++) {
        snprintf(out + strlen(out), HAS * (WORD + 1) - strlen(out), "%s%s",
                 i > 0 ? " " : "", d->words[m->words[i]]);
    }
}

/* ---- messages ---- */

static void make_chats(desk_t *d)
{
    char text[600];

    snprintf(text, sizeof(text),
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
             "WHERE i < %d) INSERT INTO contacts (id, phone, name, created_at, "
             "updated_at) SELECT i, '62812' || printf('%%06d', i), 'xyzzy', 0, "
             "0 FROM n; INSERT INTO chats (id, session_id, contact_id) "
             "SELECT id, 1, id FROM contacts;",
             CHATS);
    sql(&d->x, text);
}

static void add_messages(desk_t *d, int n)
{
    char body[HAS * (WORD + 1)];
    sqlite3_stmt *s;

    assert_int_equal(
        sqlite3_prepare_v2(d->x.db,
                           "INSERT INTO messages (id, session_id, chat_id, "
                           "direction, ts, type, body, status, created_at) "
                           "VALUES (?1, 1, ?2, 0, ?1, 'text', ?3, 3, 1)",
                           -1, &s, NULL),
        SQLITE_OK);
    sql(&d->x, "BEGIN");
    for (; n > 0 && d->last < MESSAGES; n--) {
        message_t *m = &d->messages[++d->last];

        m->chat = (uint16_t)(1 + rand() % CHATS);
        choose_words(m);
        write_body(d, m, body);
        sqlite3_bind_int(s, 1, d->last);
        sqlite3_bind_int(s, 2, m->chat);
        sqlite3_bind_text(s, 3, body, -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(s), SQLITE_DONE);
        sqlite3_reset(s);
    }
    sql(&d->x, "COMMIT");
    sqlite3_finalize(s);
}

static void change_one(desk_t *d, int id)
{
    message_t *m = &d->messages[id];
    char body[HAS * (WORD + 1)], text[HAS * (WORD + 1) + 100];

    d->was = *m;
    d->changed = id;
    switch (rand() % 4) {
    case 0:
        m->gone = true;
        snprintf(text, sizeof(text),
                 "UPDATE messages SET deleted_at = 1 WHERE id = %d", id);
        break;
    case 1:
        m->gone = true;
        snprintf(text, sizeof(text), "DELETE FROM messages WHERE id = %d", id);
        break;
    case 2: /* as a merge does */
        m->chat = (uint16_t)(1 + rand() % CHATS);
        snprintf(text, sizeof(text),
                 "UPDATE messages SET chat_id = %d WHERE id = %d", m->chat, id);
        break;
    default:
        choose_words(m);
        write_body(d, m, body);
        snprintf(text, sizeof(text),
                 "UPDATE messages SET body = '%s' WHERE id = %d", body, id);
        break;
    }
    sql(&d->x, text);
}

/* The last ones more often. */
static void change_some(desk_t *d)
{
    int of = rand() % 3 == 0 ? 3000 : d->last;

    sql(&d->x, "BEGIN");
    for (int n = rand() % 6; n >= 0; n--) {
        change_one(d, d->last - rand() % of);
    }
    sql(&d->x, "COMMIT");
    if (rand() % 3 == 0) {
        add_messages(d, 1 + rand() % 400);
    }
}

/* ---- queries ---- */

static void add_term(desk_t *d, query_t *q, bool last)
{
    const char *word = d->words[rand() % 2 == 0 ? any_word() : rand() % WORDS];
    size_t len = strlen(word);
    char *out = q->text[q->n];

    snprintf(out, WORD, "%s", word);
    /* a lone letter is a word; two of these have four bytes, or six */
    q->prefix[q->n] = rand() % 2 == 0 && len > 1;
    if (q->prefix[q->n]) {
        size_t kept = word[0] == '\xd1'   ? 4
                      : word[0] == '\xe6' ? 6
                                          : 2 + (size_t)rand() % (len - 1);
        out[kept] = '\0';
    }
    snprintf(q->typed + strlen(q->typed), sizeof(q->typed) - strlen(q->typed),
             "%s%s", out,
             !q->prefix[q->n]          ? " "
             : last && rand() % 2 == 0 ? ""
                                       : "* ");
    q->n++;
}

static void make_query(desk_t *d, query_t *q)
{
    int n = 1 + rand() % TERMS;

    memset(q, 0, sizeof(*q));
    for (int i = 0; i < n; i++) {
        add_term(d, q, i == n - 1);
    }
}

/* Words that the message has, or had. */
static void make_query_of(desk_t *d, const message_t *m, query_t *q)
{
    memset(q, 0, sizeof(*q));
    for (; q->n < TERMS && q->n < m->n; q->n++) {
        const char *word = d->words[m->words[m->n - 1 - q->n]];

        snprintf(q->text[q->n], WORD, "%s", word);
        snprintf(q->typed + strlen(q->typed),
                 sizeof(q->typed) - strlen(q->typed), "%s ", word);
    }
}

static bool has_term(const desk_t *d, const message_t *m, const query_t *q,
                     int term)
{
    const char *text = q->text[term];

    for (int i = 0; i < m->n; i++) {
        const char *word = d->words[m->words[i]];

        if (q->prefix[term] ? strncmp(word, text, strlen(text)) == 0
                            : strcmp(word, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Marks the chats with a hit; how many. */
static size_t find_here(const desk_t *d, const query_t *q, bool hit[CHATS + 1])
{
    size_t n = 0;

    memset(hit, 0, CHATS + 1);
    for (int id = 1; id <= d->last; id++) {
        const message_t *m = &d->messages[id];
        int met = 0;

        while (!m->gone && !hit[m->chat] && met < q->n &&
               has_term(d, m, q, met)) {
            met++;
        }
        if (met == q->n) {
            hit[m->chat] = true;
            n++;
        }
    }
    return n;
}

static void agrees(desk_t *d, const query_t *q, bool *all)
{
    bool wanted[CHATS + 1];
    size_t n = find_here(d, q, wanted);
    search_look_t *look;
    search_hits_t hits;

    assert_int_equal(search_begin(d->x.search, d->x.f->db, q->typed, &look),
                     WERR_OK);
    assert_int_equal(search_hits(look, &hits), WERR_OK);
    *all = hits.all;
    if (hits.all && hits.nchats != n) {
        fail_msg("\"%s\": %zu chats instead of %zu", q->typed, hits.nchats, n);
    }
    for (size_t i = 0; i < hits.nchats; i++) {
        assert_true(wanted[hits.chats[i]]);
    }
    for (int chat = 1; chat <= CHATS; chat++) {
        bool hit;

        assert_int_equal(search_in_chat(look, chat, chat, true, &hit), WERR_OK);
        if (hit != wanted[chat]) {
            fail_msg("\"%s\": chat %d %s", q->typed, chat,
                     hit ? "has no hit" : "has a hit");
        }
    }
    search_end(&look);
}

static int agree(desk_t *d, int n)
{
    int nall = 0;

    for (int i = 0; i < n; i++) {
        query_t q;
        bool all;

        make_query(d, &q);
        agrees(d, &q, &all);
        nall += all;
    }
    return nall;
}

/* What was changed last is found as it is, and no more as it was. */
static void agree_on_changed(desk_t *d)
{
    query_t q;
    bool all;

    make_query_of(d, &d->was, &q);
    agrees(d, &q, &all);
    make_query_of(d, &d->messages[d->changed], &q);
    agrees(d, &q, &all);
}

/* ---- the index ---- */

static bool is_sealed(desk_t *d)
{
    search_stat_t st;

    search_wake(d->x.search);
    search_stat(d->x.search, &st);
    return st.position == d->last && st.sealed > st.position - FEW;
}

static void wait_sealed(desk_t *d)
{
    for (int i = 0; i < 120000; i++) {
        if (is_sealed(d) && ASK(d->x.f, "SELECT count(*) FROM search_changes "
                                        "WHERE body IS NOT NULL") == 0) {
            return;
        }
        usleep(1000);
    }
    fail_msg("not sealed");
}

static void as_the_list_says(void **state)
{
    desk_t *d = *state;
    search_stat_t st;
    query_t dense = {.n = 1, .prefix = {true}};
    bool all;

    srand(17);
    make_words(d);
    make_chats(d);
    add_messages(d, MANY);
    assert_true(d->last > 11 * WORD_BLOCK);
    (void)agree(d, 5); /* half built */
    wait_sealed(d);
    assert_true(agree(d, 120) > 60); /* by the sets, nearly all */
    snprintf(dense.text[0], WORD, "%.2s", d->words[0]);
    snprintf(dense.typed, sizeof(dense.typed), "%s", dense.text[0]);
    agrees(d, &dense, &all);
    assert_false(all); /* of each block an eighth: the newest */
    for (int i = 0; i < 60; i++) {
        change_some(d);
        if (rand() % 2 == 0) {
            search_wake(d->x.search);
        }
        agree_on_changed(d);
        (void)agree(d, 2);
    }
    search_stat(d->x.search, &st);
    assert_true(st.position > MANY); /* it has been at work meanwhile */
    wait_sealed(d);
    (void)agree(d, 60);
    /* one block only */
    change_one(d, WORD_BLOCK + 7);
    wait_sealed(d);
    (void)agree(d, 20);
    search_stat(d->x.search, &st);
    assert_int_equal(st.rebuilds, 0);
    assert_int_equal(st.faults, 0);
}

static int setup(void **state)
{
    desk_t *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    index_open(&d->x);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    desk_t *d = *state;
    int rc = index_close(&d->x);

    free(d);
    return rc;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(as_the_list_says),
    };

    return cmocka_run_group_tests(tests, quiet, loud);
}
