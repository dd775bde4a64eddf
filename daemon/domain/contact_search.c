#include "domain/contact_search.h"

#include <string.h>

#include "domain/contact_visible.h"
#include "domain/like.h"

#define WORDS_MAX 4
#define BLANKS    " \t\r\n"

/* All of them are looked at: 100,000 take 20 ms and more. */
DB_QUERY(
    contact_search_rows,
    "SELECT k.id, k.phone, k.name, k.segment FROM contacts k "
    "WHERE k.id < $1 AND ((lower(k.name) LIKE $2 ESCAPE '!' "
    "AND lower(k.name) LIKE $3 ESCAPE '!' AND lower(k.name) LIKE $4 ESCAPE '!' "
    "AND lower(k.name) LIKE $5 ESCAPE '!') OR ($6 <> '' "
    "AND k.phone LIKE $6 ESCAPE '!')) "
    "AND " CONTACT_VISIBLE(
        "k.id", "$7", "$8") " AND ($9 = 0 OR EXISTS (SELECT 1 FROM chats w "
                            "WHERE w.contact_id = k.id AND w.session_id = $9)) "
                            "ORDER BY k.id DESC LIMIT $10");

/* A pattern for each word; what is more belongs to the last one. "%" where
 * there is no word. */
static void make_words(const char *text, char out[WORDS_MAX][LIKE_MAX])
{
    for (size_t i = 0; i < WORDS_MAX; i++) {
        size_t len;

        text += strspn(text, BLANKS);
        len = i + 1 < WORDS_MAX ? strcspn(text, BLANKS) : strlen(text);
        if (len == 0) {
            memcpy(out[i], "%", 2);
        } else {
            like_text(text, len, out[i]);
        }
        text += len;
    }
}

static db_stmt_t *bind(db_t *db, const user_t *user, const contact_search_t *q,
                       char words[WORDS_MAX][LIKE_MAX], const char *phone)
{
    db_stmt_t *s = db_stmt(db, &contact_search_rows);

    db_bind_i64(s, 1, q->before != 0 ? q->before : INT64_MAX);
    for (int i = 0; i < WORDS_MAX; i++) {
        db_bind_text(s, i + 2, words[i]);
    }
    db_bind_text(s, 6, phone);
    db_bind_i64(s, 7, user->id);
    db_bind_i64(s, 8, user->role != ROLE_CS);
    db_bind_i64(s, 9, q->session);
    db_bind_i64(s, 10, q->limit + 1);
    return s;
}

int contact_search(db_t *db, const user_t *user, const contact_search_t *q,
                   buf_t *out, const char *key, int64_t *next)
{
    char words[WORDS_MAX][LIKE_MAX], phone[LIKE_MAX];
    int64_t last = 0;
    db_stmt_t *s;
    int n = 0, rc;

    *next = 0;
    make_words(q->text, words);
    phone[0] = '\0';
    if (strpbrk(q->text, "0123456789") != NULL) {
        like_phone(q->text, phone);
    }
    s = bind(db, user, q, words, phone);
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        if (n++ == q->limit) {
            *next = last;
            db_done(s);
            rc = WERR_OK;
            break;
        }
        last = db_i64(s, 0);
        jw_open_object(out, NULL);
        jw_str(out, "phone", db_text(s, 1));
        jw_str(out, "name", db_text(s, 2));
        jw_str(out, "segment", db_text(s, 3));
        jw_close_object(out);
    }
    jw_close_array(out);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}
