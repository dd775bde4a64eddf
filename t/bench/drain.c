/*
 * drain.c - how fast a backlog in the spool becomes rows: intake, driver and
 * domain and the search index against a bare loop of prepared statements that
 * writes the same rows in the same batches, and the same index.
 *
 *   drain [EVENTS [ROUNDS]]      (20000, 3; prints the median round)
 *
 * Prints: drain ratio=R events_per_s=N bare_per_s=N
 */
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "intake/intake.h"
#include "search/search.h"

#define BATCH     1024
#define APPEND    1000
#define BODY_MAX  2048
#define PER_CHAT  10
#define ROUND_MAX 15

typedef struct {
    int n;
    int64_t now;
    char dir[128];
} bench_t;

typedef struct {
    char phone[24], id[40], text[400];
    int64_t ts;
} event_t;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "drain: %s: %s\n", what, why);
    exit(1);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Event i of the backlog, the same for both sides. */
static void make_event(const bench_t *b, int i, event_t *e)
{
    static const char *const words[] = {
        "assalamualaikum", "kak",   "saya",  "mau", "konfirmasi",
        "transfer",        "zakat", "bulan", "ini", "terima"};
    uint64_t h = ((uint64_t)i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    int chats = b->n / PER_CHAT > 0 ? b->n / PER_CHAT : 1;
    size_t at = 0;

    snprintf(e->phone, sizeof(e->phone), "62812%08d",
             (int)((h >> 33) % (uint64_t)chats));
    snprintf(e->id, sizeof(e->id), "3EB0%016" PRIX64 "%04X", h, i & 0xffff);
    e->ts = b->now - (int64_t)(b->n - i) * 1000;
    while (at < 30) {
        h = h * UINT64_C(6364136223846793005) + 1442695040888963407u;
        at += (size_t)snprintf(e->text + at, sizeof(e->text) - at, "%s ",
                               words[(h >> 33) % 10]);
    }
}

/* The form that the gateway's code really sends, some 600 bytes. */
static size_t make_body(const event_t *e, char *out, size_t size)
{
    int n = snprintf(
        out, size,
        "{\"event\":\"message.received\",\"timestamp\":"
        "\"2026-03-01T04:05:06.000Z\",\"session_id\":\"cs-1\",\"data\":{"
        "\"message\":{\"session_id\":\"cs-1\",\"message_id\":\"%s\","
        "\"remote_jid\":\"%s@s.whatsapp.net\",\"from_me\":false,"
        "\"timestamp\":%" PRId64 ",\"type\":\"text\",\"content\":\"%s\","
        "\"status\":\"received\",\"metadata\":{\"push_name\":\"Donatur %s\","
        "\"broadcast\":false}},\"raw\":{\"key\":{"
        "\"remoteJid\":\"%s@s.whatsapp.net\",\"fromMe\":false,\"id\":\"%s\"},"
        "\"messageTimestamp\":%" PRId64 ",\"message\":{\"conversation\":"
        "\"%s\"}}}}",
        e->id, e->phone, e->ts / 1000, e->text, e->phone + 8, e->phone, e->id,
        e->ts / 1000, e->text);

    if (n < 0 || (size_t)n >= size) {
        die("body", "too long");
    }
    return (size_t)n;
}

#define STR(s) ((spool_str_t){s, sizeof(s) - 1})

static size_t make_record(const bench_t *b, int i, char *out, size_t size)
{
    char body[BODY_MAX];
    event_t e;
    spool_record_t rec = {
        .source = STR("seed"),
        .received_us = (uint64_t)b->now * 1000,
        .remote = STR("127.0.0.1"),
        .signature = STR("waapi"),
        .method = STR("POST"),
        .path = STR("/api/webhook/whatsapp"),
        .query = STR(""),
        .content_type = STR("application/json"),
    };

    make_event(b, i, &e);
    rec.body.len = make_body(&e, body, sizeof(body));
    rec.body.data = body;
    return spool_record_encode(&rec, out, size);
}

static void fill(const bench_t *b, spool_t *spool)
{
    static char data[APPEND][BODY_MAX + 512];
    static spool_str_t recs[APPEND];
    uint64_t first;

    for (int i = 0; i < b->n;) {
        size_t n = 0;

        for (; n < APPEND && i < b->n; n++, i++) {
            recs[n].len = make_record(b, i, data[n], sizeof(data[n]));
            recs[n].data = data[n];
        }
        if (spool_append(spool, recs, n, &first) != SPOOL_OK) {
            die("spool", "append failed");
        }
    }
}

static store_t *open_store(const char *path)
{
    store_options_t o = {.path = path};
    store_t *store;

    if (store_open(&store, &o) != WERR_OK) {
        die(path, o.error);
    }
    return store;
}

static double run_intake(const bench_t *b, const char *path)
{
    static const gateway_account_t account = {
        .name = "seed", .driver = "waapi", .base_url = "http://127.0.0.1"};
    intake_options_t o = {.accounts = &account, .naccounts = 1};
    spool_options_t so = {.size = (uint64_t)512 << 20, .create = true};
    char where[160];
    domain_settings_t set;
    store_t *store = open_store(path);
    domain_t d;
    spool_t *spool;
    intake_t *in;
    search_t *search;
    search_stat_t found = {0};
    double started, took;

    snprintf(where, sizeof(where), "%s/spool", b->dir);
    domain_settings_default(&set);
    set.welcome = false;
    if (domain_init(&d, store, &set) != WERR_OK ||
        spool_open(&spool, where, &so) != SPOOL_OK) {
        die("open", so.error);
    }
    fill(b, spool);
    snprintf(where, sizeof(where), "%s/search.db", b->dir);
    started = seconds();
    if (intake_start(&in, &d, spool, &o) != WERR_OK ||
        search_start(&search, store, where) != WERR_OK) {
        die("intake", "start failed");
    }
    while (atomic_load(&intake_counters(in)->events) < b->n ||
           found.position < b->n) {
        usleep(500);
        search_wake(search);
        search_stat(search, &found);
        if (seconds() - started > 120) {
            die("intake", "stuck");
        }
    }
    took = seconds() - started;
    search_stop(&search);
    intake_stop(&in);
    spool_close(&spool);
    store_close(&store);
    return took;
}

/* ---- the bare loop ---- */

enum {
    FIND,
    NEW_CONTACT,
    TALK,
    FIND_CHAT,
    NEW_CHAT,
    MESSAGE,
    CHAT,
    EVENT,
    RAW,
    COUNTER,
    POSITION,
    INDEX,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [FIND] = "SELECT id, name, talk_points, talk_at, talk_day FROM contacts "
             "WHERE phone = ?1",
    [NEW_CONTACT] = "INSERT INTO contacts (phone, name, donor, created_at, "
                    "updated_at) VALUES (?1, ?2, 1, ?3, ?3)",
    [TALK] = "UPDATE contacts SET talk_points = 4, talk_at = ?2, "
             "talk_day = ?3 WHERE id = ?1",
    [FIND_CHAT] = "SELECT id, last_ts, last_message_id FROM chats "
                  "WHERE session_id = 1 AND contact_id = ?1",
    [NEW_CHAT] = "INSERT INTO chats (session_id, contact_id, last_ts) "
                 "VALUES (1, ?1, ?2)",
    [MESSAGE] = "INSERT INTO messages (session_id, chat_id, direction, wa_id, "
                "ts, type, body, status, created_at) "
                "VALUES (1, ?1, 0, ?2, ?3, 'text', ?4, 3, ?5)",
    [CHAT] = "UPDATE chats SET last_message_id = ?2, last_ts = ?3, "
             "unread = unread + ?4 WHERE id = ?1",
    [EVENT] = "INSERT INTO events (seq, kind, session_id, chat_id, ref, "
              "created_at) VALUES (?1, 1, 1, ?2, ?3, ?4)",
    [RAW] = "INSERT INTO raw_events (spool, seq, received_at, record) "
            "VALUES (1, ?1, ?2, ?3)",
    [COUNTER] = "UPDATE counters SET value = ?1 WHERE name = 'event_seq'",
    [POSITION] = "INSERT INTO spool_positions (spool_id, position, "
                 "updated_at) VALUES ('x', ?1, 0) ON CONFLICT (spool_id) "
                 "DO UPDATE SET position = excluded.position",
    [INDEX] = "INSERT INTO message_index (rowid, body, scope) "
              "VALUES (?1, ?2, 's1')",
};

typedef struct {
    int64_t chat, message, ts, unread;
} touched_t;

typedef struct {
    sqlite3 *db, *index;
    sqlite3_stmt *s[STATEMENTS];
    touched_t touched[4 * BATCH]; /* open addressing by chat */
} bare_t;

static void sql_on(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
        die(text, sqlite3_errmsg(db));
    }
}

static void sql(bare_t *w, const char *text)
{
    sql_on(w->db, text);
}

static int64_t run(bare_t *w, int which)
{
    if (sqlite3_step(w->s[which]) != SQLITE_DONE) {
        die(texts[which], sqlite3_errmsg(sqlite3_db_handle(w->s[which])));
    }
    sqlite3_reset(w->s[which]);
    return sqlite3_last_insert_rowid(w->db);
}

static int64_t find(bare_t *w, int which, int64_t *talk_day)
{
    int64_t id = 0;

    if (sqlite3_step(w->s[which]) == SQLITE_ROW) {
        id = sqlite3_column_int64(w->s[which], 0);
        if (talk_day != NULL) {
            *talk_day = sqlite3_column_int64(w->s[which], 4);
        }
    }
    sqlite3_reset(w->s[which]);
    return id;
}

static int64_t bare_contact(bare_t *w, const event_t *e)
{
    int64_t day = clock_day_of(e->ts, 25200), talked = 0, id;
    sqlite3_stmt *s = w->s[FIND];

    sqlite3_bind_text(s, 1, e->phone, -1, SQLITE_STATIC);
    id = find(w, FIND, &talked);
    if (id == 0) {
        s = w->s[NEW_CONTACT];
        sqlite3_bind_text(s, 1, e->phone, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, e->phone, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, e->ts);
        id = run(w, NEW_CONTACT);
    }
    if (talked < day) {
        s = w->s[TALK];
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_int64(s, 2, e->ts);
        sqlite3_bind_int64(s, 3, day);
        run(w, TALK);
    }
    return id;
}

static int64_t bare_chat(bare_t *w, const event_t *e)
{
    int64_t contact = bare_contact(w, e), id;

    sqlite3_bind_int64(w->s[FIND_CHAT], 1, contact);
    id = find(w, FIND_CHAT, NULL);
    if (id == 0) {
        sqlite3_bind_int64(w->s[NEW_CHAT], 1, contact);
        sqlite3_bind_int64(w->s[NEW_CHAT], 2, e->ts);
        id = run(w, NEW_CHAT);
    }
    return id;
}

static void touch(bare_t *w, int64_t chat, int64_t message, int64_t ts)
{
    size_t i = (size_t)chat % (4 * BATCH);

    while (w->touched[i].chat != 0 && w->touched[i].chat != chat) {
        i = (i + 1) % (4 * BATCH);
    }
    w->touched[i].chat = chat;
    w->touched[i].message = message;
    w->touched[i].ts = ts;
    w->touched[i].unread++;
}

static void bare_event(bare_t *w, const bench_t *b, int i, const char *record,
                       size_t len)
{
    int64_t chat, message;
    sqlite3_stmt *s;
    event_t e;

    make_event(b, i, &e);
    chat = bare_chat(w, &e);
    s = w->s[MESSAGE];
    sqlite3_bind_int64(s, 1, chat);
    sqlite3_bind_text(s, 2, e.id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, e.ts);
    sqlite3_bind_text(s, 4, e.text, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, b->now);
    message = run(w, MESSAGE);
    s = w->s[EVENT];
    sqlite3_bind_int64(s, 1, i + 1);
    sqlite3_bind_int64(s, 2, chat);
    sqlite3_bind_int64(s, 3, message);
    sqlite3_bind_int64(s, 4, b->now);
    run(w, EVENT);
    s = w->s[RAW];
    sqlite3_bind_int64(s, 1, i + 1);
    sqlite3_bind_int64(s, 2, b->now);
    sqlite3_bind_blob(s, 3, record, (int)len, SQLITE_STATIC);
    run(w, RAW);
    s = w->s[INDEX];
    sqlite3_bind_int64(s, 1, message);
    sqlite3_bind_text(s, 2, e.text, -1, SQLITE_STATIC);
    run(w, INDEX);
    touch(w, chat, message, e.ts);
}

static void bare_commit(bare_t *w, int upto)
{
    for (size_t i = 0; i < 4 * BATCH; i++) {
        touched_t *t = &w->touched[i];

        if (t->chat != 0) {
            sqlite3_bind_int64(w->s[CHAT], 1, t->chat);
            sqlite3_bind_int64(w->s[CHAT], 2, t->message);
            sqlite3_bind_int64(w->s[CHAT], 3, t->ts);
            sqlite3_bind_int64(w->s[CHAT], 4, t->unread);
            run(w, CHAT);
            *t = (touched_t){0};
        }
    }
    sqlite3_bind_int64(w->s[COUNTER], 1, upto);
    run(w, COUNTER);
    sqlite3_bind_int64(w->s[POSITION], 1, upto);
    run(w, POSITION);
    sql(w, "COMMIT");
    sql_on(w->index, "COMMIT");
}

static void bare_open(bare_t *w, const char *path)
{
    store_t *store = open_store(path); /* makes the tables */
    char index[200];

    store_close(&store);
    snprintf(index, sizeof(index), "%.180s.index", path);
    if (sqlite3_open(path, &w->db) != SQLITE_OK ||
        sqlite3_open(index, &w->index) != SQLITE_OK) {
        die(path, "open");
    }
    sql_on(w->index,
           "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
           "PRAGMA cache_size = -4000; PRAGMA wal_autocheckpoint = 2000; "
           "CREATE VIRTUAL TABLE message_index USING fts5 (body, scope, "
           "content = '', columnsize = 0, prefix = '2 3', "
           "tokenize = 'unicode61 remove_diacritics 2')");
    sql(w, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
           "PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; "
           "PRAGMA temp_store = 2; PRAGMA wal_autocheckpoint = 8000;"
           "INSERT INTO accounts (name) VALUES ('seed');"
           "INSERT INTO sessions (account_id, remote_id, session_id, name, "
           "created_at, updated_at) VALUES (1, 'cs-1', 'cs-1', 'x', 0, 0)");
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3 *db = i == INDEX ? w->index : w->db;

        if (sqlite3_prepare_v2(db, texts[i], -1, &w->s[i], NULL) != SQLITE_OK) {
            die(texts[i], sqlite3_errmsg(db));
        }
    }
}

/* The records are made before the clock starts, as the spool was filled. */
static double run_bare(const bench_t *b, const char *path)
{
    bare_t *w = calloc(1, sizeof(*w));
    char *records = malloc((size_t)b->n * (BODY_MAX / 2 + 256));
    size_t *at = calloc((size_t)b->n + 1, sizeof(*at));
    double started, took;

    if (w == NULL || records == NULL || at == NULL) {
        die("bare", "memory");
    }
    for (int i = 0; i < b->n; i++) {
        at[i + 1] = at[i] + make_record(b, i, records + at[i], BODY_MAX / 2);
    }
    bare_open(w, path);
    started = seconds();
    for (int i = 0; i < b->n; i++) {
        if (i % BATCH == 0) {
            sql(w, "BEGIN IMMEDIATE");
            sql_on(w->index, "BEGIN IMMEDIATE");
        }
        bare_event(w, b, i, records + at[i], at[i + 1] - at[i]);
        if ((i + 1) % BATCH == 0 || i + 1 == b->n) {
            bare_commit(w, i + 1);
        }
    }
    took = seconds() - started;
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(w->s[i]);
    }
    sqlite3_close(w->db);
    sqlite3_close(w->index);
    free(records);
    free(at);
    free(w);
    return took;
}

/* ---- */

static int64_t rows(const char *path, const char *text)
{
    sqlite3_stmt *s = NULL;
    sqlite3 *db = NULL;
    int64_t n = -1;

    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, text, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        n = sqlite3_column_int64(s, 0);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

/* Both indexes know the same. */
static void compare_index(const bench_t *b, const char *bare)
{
    static const char text[] = "SELECT count(*) FROM message_index WHERE "
                               "message_index MATCH 'zakat scope : s1'";
    char mine[160], other[200];

    snprintf(mine, sizeof(mine), "%s/search.db", b->dir);
    snprintf(other, sizeof(other), "%.180s.index", bare);
    if (rows(mine, text) <= 0 || rows(mine, text) != rows(other, text)) {
        die(text, "the indexes differ");
    }
}

/* A ratio counts only if both have done the same. */
static void compare(const char *a, const char *b)
{
    static const char *const counts[] = {
        "SELECT count(*) FROM messages", "SELECT count(*) FROM contacts",
        "SELECT count(*) FROM chats",
        /* not who may see what: only one of them makes agents */
        "SELECT count(*) FROM events WHERE kind <> 9",
        "SELECT count(*) FROM raw_events", "SELECT sum(unread) FROM chats",
        "SELECT sum(last_message_id) FROM chats",
        "SELECT round(sum(talk_points)) FROM contacts",
        "SELECT sum(length(record)) FROM raw_events"};

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (rows(a, counts[i]) != rows(b, counts[i])) {
            fprintf(stderr, "drain: %s: %lld against %lld\n", counts[i],
                    (long long)rows(a, counts[i]),
                    (long long)rows(b, counts[i]));
            exit(1);
        }
    }
}

static int remove_entry(const char *path, const struct stat *st, int kind,
                        struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

typedef struct {
    double ratio, intake, bare;
} result_t;

static result_t run_round(bench_t *b)
{
    const char *tmp = getenv("TMPDIR");
    char mine[160], bare[160];
    result_t r;

    snprintf(b->dir, sizeof(b->dir), "%.90s/wacrm-drain-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(b->dir) == NULL) {
        die(b->dir, "mkdtemp");
    }
    snprintf(mine, sizeof(mine), "%s/intake.db", b->dir);
    snprintf(bare, sizeof(bare), "%s/bare.db", b->dir);
    r.bare = run_bare(b, bare);
    r.intake = run_intake(b, mine);
    r.ratio = r.bare / r.intake;
    compare(mine, bare);
    compare_index(b, bare);
    (void)nftw(b->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return r;
}

static int by_ratio(const void *a, const void *b)
{
    const result_t *x = a, *y = b;

    return (x->ratio > y->ratio) - (x->ratio < y->ratio);
}

int main(int argc, char **argv)
{
    bench_t b = {.n = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 20000};
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 3;
    result_t results[ROUND_MAX], *r;

    heap_keep_small(); /* as wacrmd does */
    if (b.n < 1 || b.n > 1000000 || rounds < 1 || rounds > ROUND_MAX) {
        die("usage", "drain [EVENTS [ROUNDS]]");
    }
    log_setup(LOG_WARN, 2);
    /* Noon, so that no day begins among the events. */
    b.now = clock_day_start(clock_day_of(clock_now_ms(), 25200) - 1, 25200) +
            DAY_MS - 60000;
    for (int i = 0; i < rounds; i++) {
        results[i] = run_round(&b);
    }
    qsort(results, (size_t)rounds, sizeof(results[0]), by_ratio);
    r = &results[rounds / 2];
    printf("drain ratio=%.2f events_per_s=%.0f bare_per_s=%.0f\n", r->ratio,
           b.n / r->intake, b.n / r->bare);
    return 0;
}
