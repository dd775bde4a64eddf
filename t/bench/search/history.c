#include "t/bench/search/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "db/store.h"

#define PER_COMMIT 20000

_Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "search: %s: %s\n", what, why);
    exit(1);
}

static uint64_t next(history_t *h)
{
    h->random = h->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return h->random >> 33;
}

int history_below(history_t *h, int n)
{
    return (int)(next(h) % (uint64_t)n);
}

/* ---- words ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

void history_init(history_t *h)
{
    static const char *const parts[] = {
        "ka",  "sih", "te",  "ri", "ma",  "do", "na",  "si",  "za",
        "kat", "in",  "fak", "ba", "yar", "me", "nga", "ber", "ter",
        "an",  "kan", "pe",  "la", "tu",  "di", "se",  "ku",  "bu",
        "pak", "ha",  "mi",  "ra", "go",  "lu"};
    size_t n = 0;

    h->random = 42;
    do {
        for (; n < HISTORY_WORDS; n++) {
            size_t at = 0;

            for (int k = 1 + history_below(h, 4); k >= 0 && at < 15; k--) {
                at += (size_t)snprintf(h->words[n] + at, 20 - at, "%s",
                                       parts[history_below(h, 33)]);
            }
        }
        qsort(h->words, HISTORY_WORDS, sizeof(h->words[0]), by_text);
        for (size_t i = n = 1; i < HISTORY_WORDS; i++) {
            if (strcmp(h->words[i], h->words[n - 1]) != 0) {
                memmove(h->words[n++], h->words[i], sizeof(h->words[0]));
            }
        }
    } while (n < HISTORY_WORDS);
    for (int i = HISTORY_WORDS - 1; i > 0; i--) {
        int k = history_below(h, i + 1);
        char swap[20];

        memcpy(swap, h->words[i], 20);
        memmove(h->words[i], h->words[k], 20);
        memcpy(h->words[k], swap, 20);
    }
    for (int i = 0; i < HISTORY_WORDS; i++) {
        h->upto[i] = (i > 0 ? h->upto[i - 1] : 0) + 1.0 / (i + 1);
    }
}

int history_word(history_t *h)
{
    double x = (double)next(h) / (double)(UINT64_C(1) << 31) *
               h->upto[HISTORY_WORDS - 1];
    int low = 0, high = HISTORY_WORDS - 1;

    while (low < high) {
        int mid = (low + high) / 2;

        if (h->upto[mid] < x) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static int make_text(history_t *h, char out[HISTORY_TEXT])
{
    int n = 3 + history_below(h, 17), at = 0;

    for (int i = 0; i < n && at < HISTORY_TEXT - 24; i++) {
        at += snprintf(out + at, HISTORY_TEXT - (size_t)at, "%s%s",
                       i > 0 ? " " : "", h->words[history_word(h)]);
    }
    return at;
}

static void sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        die(text, sqlite3_errmsg(db));
    }
}

static const char *const first_names[] = {
    "Siti", "Budi",  "Ahmad", "Muhammad", "Nur",     "Dewi",  "Agus",
    "Sri",  "Eko",   "Rina",  "Yuni",     "Hendra",  "Putri", "Wahyu",
    "Andi", "Fitri", "Rahma", "Yusuf",    "Ibrahim", "Aisyah"};
static const char *const last_names[] = {
    "Santoso", "Wijaya",   "Lestari", "Rahayu",  "Pratama",
    "Saputra", "Hidayat",  "Nugroho", "Kusuma",  "Wati",
    "Susanti", "Setiawan", "Permata", "Gunawan", "Utami"};

const char *history_first_name(history_t *h)
{
    return first_names[history_below(h, 20)];
}

const char *history_last_name(history_t *h)
{
    return last_names[history_below(h, 15)];
}

static int count_chats(const history_t *h)
{
    int n = h->messages / HISTORY_PER_CHAT;

    return n > 0 ? n : 1;
}

static void make_contacts(history_t *h, sqlite3 *db, int n)
{
    static const char insert[] =
        "INSERT INTO contacts (phone, name, created_at, updated_at) "
        "VALUES (?1, ?2, 0, 0)";
    sqlite3_stmt *s = NULL;
    char phone[24], name[80];

    if (sqlite3_prepare_v2(db, insert, -1, &s, NULL) != SQLITE_OK) {
        die(insert, sqlite3_errmsg(db));
    }
    for (int i = 0; i < n; i++) {
        /* as people are numbered: no two alike, in no order */
        snprintf(phone, sizeof(phone), "628%010llu",
                 (unsigned long long)i * 7919 % 10000000000);
        snprintf(name, sizeof(name), "%s %s %s", history_first_name(h),
                 h->words[1000 + history_below(h, HISTORY_WORDS - 1000)],
                 history_last_name(h));
        sqlite3_bind_text(s, 1, phone, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_DONE) {
            die(insert, sqlite3_errmsg(db));
        }
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
}

static void make_people(history_t *h, sqlite3 *db, int n)
{
    char text[1200];

    snprintf(text, sizeof(text),
             "BEGIN; INSERT INTO accounts (name) VALUES ('seed');"
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
             "WHERE i < %d) INSERT INTO sessions (account_id, remote_id, "
             "session_id, name, created_at, updated_at) SELECT 1, 'cs-' || i, "
             "'cs-' || i, 'x', 0, 0 FROM n;",
             HISTORY_SESSIONS);
    sql(db, text);
    make_contacts(h, db, n);
    snprintf(text, sizeof(text),
             "INSERT INTO chats (session_id, contact_id) "
             "SELECT id %% %d + 1, id FROM contacts; COMMIT",
             HISTORY_SESSIONS);
    sql(db, text);
}

static void make_messages(history_t *h, sqlite3 *db, int upto)
{
    static const char insert[] =
        "INSERT INTO messages (session_id, chat_id, direction, wa_id, ts, "
        "type, body, status, created_at) VALUES "
        "(?1 % 4 + 1, ?1, 0, ?2, ?3, 'text', ?4, 3, ?3)";
    sqlite3_stmt *s = NULL;
    char id[40], text[HISTORY_TEXT];

    if (sqlite3_prepare_v2(db, insert, -1, &s, NULL) != SQLITE_OK) {
        die(insert, sqlite3_errmsg(db));
    }
    sql(db, "BEGIN");
    for (int i = h->written; i < upto; i++) {
        int len = make_text(h, text);

        snprintf(id, sizeof(id), "3EB0%016d", i);
        sqlite3_bind_int(s, 1, 1 + history_below(h, count_chats(h)));
        sqlite3_bind_text(s, 2, id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, INT64_C(1700000000000) + i * 1000);
        sqlite3_bind_text(s, 4, text, len, SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_DONE) {
            die(insert, sqlite3_errmsg(db));
        }
        sqlite3_reset(s);
        if (i % PER_COMMIT == PER_COMMIT - 1) {
            sql(db, "COMMIT; BEGIN");
        }
    }
    sql(db, "COMMIT");
    sqlite3_finalize(s);
    h->written = upto;
}

static sqlite3 *open_database(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK) {
        die(path, "open");
    }
    sqlite3_busy_timeout(db, 60000);
    sql(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -64000");
    return db;
}

void history_begin(history_t *h, const char *path)
{
    store_options_t o = {.path = path};
    store_t *store;
    sqlite3 *db;

    if (store_open(&store, &o) != WERR_OK) { /* makes the tables */
        die(path, o.error);
    }
    store_close(&store);
    db = open_database(path);
    make_people(h, db, count_chats(h));
    sqlite3_close(db);
}

void history_go_on(history_t *h, const char *path, int upto)
{
    sqlite3 *db = open_database(path);

    make_messages(h, db, upto);
    sql(db, "UPDATE chats SET (last_message_id, last_ts) = (SELECT id, ts FROM "
            "messages WHERE chat_id = chats.id ORDER BY ts DESC, id DESC "
            "LIMIT 1) WHERE id IN (SELECT chat_id FROM messages)");
    sqlite3_close(db);
}
