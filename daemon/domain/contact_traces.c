/* The events of a person as they came: found in the bytes by their number,
 * their aliases and the ids of their messages (an edit may name nothing
 * else), and blanked. */
#include "domain/contact_file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/phone.h"

#define PAGE     200
#define WORD_MIN 5
#define WORD_MAX 128

DB_QUERY(traces_words,
         "SELECT phone FROM contacts WHERE id = $1 UNION "
         "SELECT alias FROM contact_aliases WHERE contact_id = $1");
DB_QUERY(traces_messages, "SELECT m.wa_id FROM chats c CROSS JOIN messages m "
                          "ON m.chat_id = c.id WHERE c.contact_id = $1 "
                          "AND m.wa_id IS NOT NULL UNION ALL "
                          "SELECT f.wa_id FROM chats c CROSS JOIN messages m "
                          "ON m.chat_id = c.id CROSS JOIN former_ids f "
                          "ON f.message_id = m.id WHERE c.contact_id = $1");
DB_QUERY(traces_raw, "SELECT id, record FROM raw_events WHERE id > $1 "
                     "ORDER BY id LIMIT $2");
DB_QUERY(traces_dead, "SELECT id, record FROM dead_letters WHERE id > $1 "
                      "ORDER BY id LIMIT $2");
DB_QUERY(traces_parked, "SELECT id, payload FROM parked WHERE id > $1 "
                        "ORDER BY id LIMIT $2");
DB_QUERY(traces_raw_blank, "UPDATE raw_events SET record = $2 WHERE id = $1");
DB_QUERY(traces_dead_blank,
         "UPDATE dead_letters SET record = $2, reason = 'erased', "
         "state = 'dropped', updated_at = $3 WHERE id = $1");
DB_QUERY(traces_parked_delete, "DELETE FROM parked WHERE id = $1");

/* The longest run of letters and digits: of "103899771998284@lid" the number,
 * which is met without its server, too. */
static size_t longest_run(const char *text, const char **begin)
{
    size_t best = 0;

    while (*text != '\0') {
        size_t n = 0;

        while (isalnum((unsigned char)text[n])) {
            n++;
        }
        if (n > best) {
            best = n;
            *begin = text;
        }
        text += n + (text[n] != '\0');
    }
    return best;
}

static int add_word(traces_t *t, const char *text)
{
    const char *begin = text;
    size_t len = longest_run(text, &begin);
    char **grown;

    /* what has no digit is a word of everybody's: "erased-7" */
    if (len < WORD_MIN || len > WORD_MAX ||
        strcspn(begin, "0123456789") >= len) {
        return WERR_OK;
    }
    if ((t->nwords & (t->nwords - 1)) == 0) { /* 0, 1, 2, 4, 8 ... */
        grown = realloc(t->words, (2 * t->nwords + 1) * sizeof(*grown));
        if (grown == NULL) {
            return WERR_NOMEM;
        }
        t->words = grown;
    }
    t->words[t->nwords] = strndup(begin, len);
    if (t->words[t->nwords] == NULL) {
        return WERR_NOMEM;
    }
    t->nwords++;
    return WERR_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_words(db_t *db, const db_query_t *q, int64_t contact,
                     traces_t *t)
{
    db_stmt_t *s = db_stmt(db, q);
    int rc;

    db_bind_i64(s, 1, contact);
    while ((rc = db_step(s)) == DB_ROW) {
        rc = add_word(t, db_text(s, 0));
        if (rc != WERR_OK) {
            db_done(s);
            break;
        }
    }
    return rc;
}

int traces_init(db_t *db, int64_t contact, traces_t *t)
{
    int rc;

    memset(t, 0, sizeof(*t));
    buf_init(&t->raw, 0);
    buf_init(&t->dead, 0);
    buf_init(&t->parked, 0);
    rc = add_words(db, &traces_words, contact, t);
    if (rc == WERR_OK) {
        rc = add_words(db, &traces_messages, contact, t);
    }
    if (t->nwords > 0) {
        qsort(t->words, t->nwords, sizeof(*t->words), compare);
    }
    return rc;
}

void traces_free(traces_t *t)
{
    for (size_t i = 0; i < t->nwords; i++) {
        free(t->words[i]);
    }
    free(t->words);
    buf_free(&t->raw);
    buf_free(&t->dead);
    buf_free(&t->parked);
    memset(t, 0, sizeof(*t));
}

static bool same_words(const traces_t *a, const traces_t *b)
{
    bool same = a->nwords == b->nwords;

    for (size_t i = 0; same && i < a->nwords; i++) {
        same = strcmp(a->words[i], b->words[i]) == 0;
    }
    return same;
}

int traces_again(db_t *db, int64_t contact, traces_t *t)
{
    traces_t now;
    int rc = traces_init(db, contact, &now);

    if (rc == WERR_OK && !same_words(&now, t)) {
        traces_free(t);
        *t = now;
    } else {
        traces_free(&now);
    }
    return rc;
}

static bool known(const traces_t *t, const char *word)
{
    return t->nwords > 0 && bsearch(&word, t->words, t->nwords,
                                    sizeof(*t->words), compare) != NULL;
}

/* 0813..., +62 (813) ..., 0062813...: the same number. */
static bool known_number(const traces_t *t, const char *digits)
{
    char phone[PHONE_MAX];
    size_t zeros = strspn(digits, "0");

    return known(t, digits) || (zeros > 0 && known(t, digits + zeros)) ||
           (phone_from_typed(digits, strlen(digits), phone) && known(t, phone));
}

/* One character of JSON: \u0036 is a 6. Others than ASCII are a 0. */
static char next_char(const char **at, const char *end)
{
    const char *p = *at;
    char hex[5] = "", *stop;
    unsigned long code;

    *at = p + 1;
    if (*p != '\\' || end - p < 6 || p[1] != 'u') {
        return *p;
    }
    memcpy(hex, p + 2, 4);
    code = strtoul(hex, &stop, 16);
    if (stop != hex + 4) {
        return *p;
    }
    *at = p + 6;
    return code < 0x80 ? (char)code : '\0';
}

/* A run that is being read; too long to be a word: len > WORD_MAX. */
typedef struct {
    char text[WORD_MAX + 1];
    size_t len;
} run_t;

static void run_add(run_t *r, char c)
{
    if (r->len < WORD_MAX) {
        r->text[r->len] = c;
    }
    r->len += r->len <= WORD_MAX;
}

static bool run_ends(run_t *r)
{
    bool is_word = r->len >= WORD_MIN && r->len <= WORD_MAX;

    r->text[r->len <= WORD_MAX ? r->len : 0] = '\0';
    r->len = 0;
    return is_word;
}

/* Words are runs of letters and digits, never parts of longer ones; numbers
 * also as people write them. */
static bool names_them(const traces_t *t, const char *data, size_t len)
{
    const char *at = data, *end = data + len;
    run_t word = {.len = 0}, number = {.len = 0};
    bool found = false;

    while (at < end && !found) {
        char c = next_char(&at, end);

        if (isalnum((unsigned char)c)) {
            run_add(&word, c);
        } else if (run_ends(&word)) {
            found = known(t, word.text);
        }
        if (isdigit((unsigned char)c)) {
            run_add(&number, c);
        } else if (c == '\0' || strchr(" ()+-.", c) == NULL) {
            found =
                (run_ends(&number) && known_number(t, number.text)) || found;
        }
    }
    return found || (run_ends(&word) && known(t, word.text)) ||
           (run_ends(&number) && known_number(t, number.text));
}

static int look_through(db_t *db, const db_query_t *q, const traces_t *t,
                        int64_t *seen, buf_t *out)
{
    int rc = DB_ROW;

    while (rc == DB_ROW) {
        db_stmt_t *s = db_stmt(db, q);
        int64_t id = *seen;
        int n = 0;

        db_bind_i64(s, 1, id);
        db_bind_i64(s, 2, PAGE);
        while ((rc = db_step(s)) == DB_ROW) {
            size_t len;
            const void *data = db_blob(s, 1, &len);

            id = db_i64(s, 0);
            if (names_them(t, data, len)) {
                buf_add(out, &id, sizeof(id));
            }
            n++;
        }
        *seen = id;
        if (rc == DB_DONE && n == PAGE) {
            rc = DB_ROW;
        }
    }
    return rc < 0 ? rc : out->failed ? WERR_NOMEM : WERR_OK;
}

int traces_find(db_t *db, traces_t *t)
{
    int rc = look_through(db, &traces_raw, t, &t->seen_raw, &t->raw);

    if (rc == WERR_OK) {
        rc = look_through(db, &traces_dead, t, &t->seen_dead, &t->dead);
    }
    if (rc == WERR_OK) {
        rc = look_through(db, &traces_parked, t, &t->seen_parked, &t->parked);
    }
    return rc;
}

static int each(tx_t *tx, const db_query_t *q, const buf_t *ids, bool blank,
                bool dated)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < ids->len / sizeof(int64_t); i++) {
        db_stmt_t *s = db_stmt(tx->db, q);
        int64_t id;

        memcpy(&id, ids->data + i * sizeof(id), sizeof(id));
        db_bind_i64(s, 1, id);
        if (blank) {
            db_bind_blob(s, 2, "", 0);
        }
        if (dated) {
            db_bind_i64(s, 3, tx->now);
        }
        rc = db_exec(s);
    }
    return rc;
}

int traces_blank(tx_t *tx, const traces_t *t)
{
    int rc = each(tx, &traces_raw_blank, &t->raw, true, false);

    if (rc == WERR_OK) {
        rc = each(tx, &traces_dead_blank, &t->dead, true, true);
    }
    return rc == WERR_OK
               ? each(tx, &traces_parked_delete, &t->parked, false, false)
               : rc;
}
