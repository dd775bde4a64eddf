/* The events of a person as they came: found by their number and aliases in
 * the bytes, and blanked. */
#include "domain/contact_file.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 200

DB_QUERY(traces_words,
         "SELECT phone FROM contacts WHERE id = $1 UNION "
         "SELECT alias FROM contact_aliases WHERE contact_id = $1");
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

/* "103899771998284@lid" is met without its server, too. */
static int add_word(traces_t *t, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    size_t len = text[digits] == '@' ? digits : strlen(text);
    char **grown;

    if (len < 5) {
        return WERR_OK;
    }
    grown = realloc(t->words, (t->nwords + 1) * sizeof(*grown));
    if (grown == NULL) {
        return WERR_NOMEM;
    }
    t->words = grown;
    t->words[t->nwords] = strndup(text, len);
    if (t->words[t->nwords] == NULL) {
        return WERR_NOMEM;
    }
    t->nwords++;
    return WERR_OK;
}

int traces_init(db_t *db, int64_t contact, traces_t *t)
{
    db_stmt_t *s = db_stmt(db, &traces_words);
    int rc;

    memset(t, 0, sizeof(*t));
    buf_init(&t->raw, 0);
    buf_init(&t->dead, 0);
    buf_init(&t->parked, 0);
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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Not within a longer number. */
static bool stands_there(const char *data, size_t len, const char *word)
{
    size_t n = strlen(word);
    const char *from = data, *end = data + len, *at;

    while (from < end &&
           (at = memmem(from, (size_t)(end - from), word, n)) != NULL) {
        if ((at == data || !is_digit(at[-1])) &&
            (at + n == end || !is_digit(at[n]))) {
            return true;
        }
        from = at + 1;
    }
    return false;
}

static bool names_them(const traces_t *t, const char *data, size_t len)
{
    for (size_t i = 0; i < t->nwords; i++) {
        if (stands_there(data, len, t->words[i])) {
            return true;
        }
    }
    return false;
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
