/*
 * search.c - two words in a long history: messages of Indonesian-looking
 * words by Zipf's law, and as many people as a tenth of them, looked up by
 * what the routes call, to the JSON of a page of 50 with its snippets.
 *
 *   search [MESSAGES [QUERIES]]          (1000000, 400 of each kind)
 *   search MESSAGES QUERIES DB DIRECTORY
 *
 * Prints: search p99_ms=N p50_ms=N top_p99_ms=N top_cpu_p99_ms=N ... of
 * messages and people, cpu being what the processor had to do for them, top the
 * two most frequent words   prefix  the second one half typed names   two words
 * of a name           phone   some of its digits inbox   the search of the
 * inbox       bare    without an index With a database it measures nothing: it
 * fills that one, and writes into the directory a file for each kind with a
 * query a line, for a client.
 */
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/chat.h"
#include "domain/contact_list.h"
#include "domain/message.h"
#include "search/search.h"

#define WORDS      40000
#define PER_CHAT   10
#define SESSIONS   4
#define PAGE       50
#define PER_COMMIT 20000
#define TEXT_MAX   400

typedef struct {
    int messages, queries;
    char dir[128], db[160], index[160];
    char words[WORDS][20];
    double upto[WORDS]; /* of Zipf's law, added up */
    uint64_t random;
} bench_t;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "search: %s: %s\n", what, why);
    exit(1);
}

/* What the thread has been given: the others' work is none of ours. */
static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t next(bench_t *b)
{
    b->random = b->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return b->random >> 33;
}

static int below(bench_t *b, int n)
{
    return (int)(next(b) % (uint64_t)n);
}

/* ---- words ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void make_words(bench_t *b)
{
    static const char *const parts[] = {
        "ka",  "sih", "te",  "ri", "ma",  "do", "na",  "si",  "za",
        "kat", "in",  "fak", "ba", "yar", "me", "nga", "ber", "ter",
        "an",  "kan", "pe",  "la", "tu",  "di", "se",  "ku",  "bu",
        "pak", "ha",  "mi",  "ra", "go",  "lu"};
    size_t n = 0;

    do {
        for (; n < WORDS; n++) {
            size_t at = 0;

            for (int k = 1 + below(b, 4); k >= 0 && at < 15; k--) {
                at += (size_t)snprintf(b->words[n] + at, 20 - at, "%s",
                                       parts[below(b, 33)]);
            }
        }
        qsort(b->words, WORDS, sizeof(b->words[0]), by_text);
        for (size_t i = n = 1; i < WORDS; i++) {
            if (strcmp(b->words[i], b->words[n - 1]) != 0) {
                memmove(b->words[n++], b->words[i], sizeof(b->words[0]));
            }
        }
    } while (n < WORDS);
    for (int i = WORDS - 1; i > 0; i--) {
        int k = below(b, i + 1);
        char swap[20];

        memcpy(swap, b->words[i], 20);
        memmove(b->words[i], b->words[k], 20);
        memcpy(b->words[k], swap, 20);
    }
    for (int i = 0; i < WORDS; i++) {
        b->upto[i] = (i > 0 ? b->upto[i - 1] : 0) + 1.0 / (i + 1);
    }
}

static int zipf(bench_t *b)
{
    double x =
        (double)next(b) / (double)(UINT64_C(1) << 31) * b->upto[WORDS - 1];
    int low = 0, high = WORDS - 1;

    while (low < high) {
        int mid = (low + high) / 2;

        if (b->upto[mid] < x) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static int make_text(bench_t *b, char out[TEXT_MAX])
{
    int n = 3 + below(b, 17), at = 0;

    for (int i = 0; i < n && at < TEXT_MAX - 24; i++) {
        at += snprintf(out + at, TEXT_MAX - (size_t)at, "%s%s",
                       i > 0 ? " " : "", b->words[zipf(b)]);
    }
    return at;
}

/* ---- the history ---- */

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

static const char *first_name(bench_t *b)
{
    return first_names[below(b, 20)];
}

static const char *last_name(bench_t *b)
{
    return last_names[below(b, 15)];
}

static void make_contacts(bench_t *b, sqlite3 *db, int n)
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
        snprintf(name, sizeof(name), "%s %s %s", first_name(b),
                 b->words[1000 + below(b, WORDS - 1000)], last_name(b));
        sqlite3_bind_text(s, 1, phone, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
        if (sqlite3_step(s) != SQLITE_DONE) {
            die(insert, sqlite3_errmsg(db));
        }
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
}

static void make_people(bench_t *b, sqlite3 *db, int n)
{
    char text[1200];

    snprintf(text, sizeof(text),
             "BEGIN; INSERT INTO accounts (name) VALUES ('seed');"
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
             "WHERE i < %d) INSERT INTO sessions (account_id, remote_id, "
             "session_id, name, created_at, updated_at) SELECT 1, 'cs-' || i, "
             "'cs-' || i, 'x', 0, 0 FROM n;",
             SESSIONS);
    sql(db, text);
    make_contacts(b, db, n);
    snprintf(text, sizeof(text),
             "INSERT INTO chats (session_id, contact_id) "
             "SELECT id %% %d + 1, id FROM contacts; COMMIT",
             SESSIONS);
    sql(db, text);
}

static void make_messages(bench_t *b, sqlite3 *db, int chats)
{
    static const char insert[] =
        "INSERT INTO messages (session_id, chat_id, direction, wa_id, ts, "
        "type, body, status, created_at) VALUES "
        "(?1 % 4 + 1, ?1, 0, ?2, ?3, 'text', ?4, 3, ?3)";
    sqlite3_stmt *s = NULL;
    char id[40], text[TEXT_MAX];

    if (sqlite3_prepare_v2(db, insert, -1, &s, NULL) != SQLITE_OK) {
        die(insert, sqlite3_errmsg(db));
    }
    sql(db, "BEGIN");
    for (int i = 0; i < b->messages; i++) {
        int len = make_text(b, text);

        snprintf(id, sizeof(id), "3EB0%016d", i);
        sqlite3_bind_int(s, 1, 1 + below(b, chats));
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
}

static void make_history(bench_t *b)
{
    store_options_t o = {.path = b->db};
    int chats = b->messages / PER_CHAT > 0 ? b->messages / PER_CHAT : 1;
    store_t *store;
    sqlite3 *db;

    if (store_open(&store, &o) != WERR_OK) { /* makes the tables */
        die(b->db, o.error);
    }
    store_close(&store);
    if (sqlite3_open(b->db, &db) != SQLITE_OK) {
        die(b->db, "open");
    }
    sql(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -64000");
    make_people(b, db, chats);
    make_messages(b, db, chats);
    sql(db, "UPDATE chats SET (last_message_id, last_ts) = (SELECT id, ts FROM "
            "messages WHERE chat_id = chats.id ORDER BY ts DESC, id DESC "
            "LIMIT 1) WHERE id IN (SELECT chat_id FROM messages)");
    sqlite3_close(db);
}

/* ---- queries ---- */

typedef struct {
    bench_t *b;
    store_t *store;
    search_t *search;
    db_t *db;
    double cpu;
} desk_t;

enum { TOP, FREQUENT, MIXED, MEDIUM, SAME, PREFIX, NAMES, PHONE, KINDS };

static const char *const kinds[KINDS] = {"top",  "frequent", "mixed", "medium",
                                         "same", "prefix",   "names", "phone"};

static void write_snippet(void *arg, const char *body, size_t len, buf_t *out)
{
    search_snippet(arg, body, len, out, "snippet");
}

/* What the route does: ms, and those of the processor in d->cpu. */
static double look_up(desk_t *d, const char *text, const session_set_t *set)
{
    double cpu = cpu_seconds(), started = seconds();
    int64_t ids[PAGE + 1], people[PAGE + 1];
    size_t n = PAGE + 1, npeople = PAGE + 1;
    search_look_t *look;
    buf_t out;

    buf_init(&out, 0);
    if (search_begin(d->search, d->db, text, &look) != WERR_OK ||
        search_find(look, set, 0, ids, &n) != WERR_OK ||
        message_write_list(d->db, NULL, ids, n > PAGE ? PAGE : n, write_snippet,
                           look, &out, NULL) != WERR_OK ||
        search_people(look, set, true, 0, people, &npeople) != WERR_OK ||
        contact_write_list(d->db, people, npeople > PAGE ? PAGE : npeople, &out,
                           NULL) != WERR_OK) {
        die(text, "failed");
    }
    search_end(&look);
    buf_free(&out);
    d->cpu = (cpu_seconds() - cpu) * 1e3;
    return (seconds() - started) * 1e3;
}

static int look_into(void *arg, int64_t chat, int64_t contact, bool *hit)
{
    return search_in_chat(arg, chat, contact, hit);
}

/* The same of the inbox. */
static double look_up_inbox(desk_t *d, const char *text,
                            const session_set_t *set)
{
    static const domain_t domain;
    double cpu = cpu_seconds(), started = seconds();
    int64_t ts, id;
    search_look_t *look;
    search_hits_t hits;
    bool more;
    buf_t out;

    buf_init(&out, 0);
    if (search_begin(d->search, d->db, text, &look) != WERR_OK ||
        search_hits(look, &hits) != WERR_OK) {
        die(text, "failed");
    }
    inbox_search_t found = {.chats = hits.chats,
                            .contacts = hits.contacts,
                            .nchats = hits.nchats,
                            .ncontacts = hits.ncontacts,
                            .partial = !hits.all,
                            .has = look_into,
                            .arg = look};
    inbox_query_t q = {.sessions = set, .search = &found, .limit = PAGE};
    if (chat_inbox(d->db, &domain, &q, &out, &more, &ts, &id) != WERR_OK) {
        die(text, "failed");
    }
    search_end(&look);
    buf_free(&out);
    d->cpu = (cpu_seconds() - cpu) * 1e3;
    return (seconds() - started) * 1e3;
}

static void make_query(bench_t *b, int kind, char out[TEXT_MAX])
{
    int first = below(b, 30), second = below(b, 30);

    switch (kind) {
    case TOP:
        first = below(b, 2);
        second = 1 - first;
        break;
    case MIXED:
        second = 100 + below(b, 900);
        break;
    case MEDIUM:
        first = 30 + below(b, 270);
        second = 30 + below(b, 270);
        break;
    case SAME:
        first = zipf(b);
        second = zipf(b);
        break;
    case NAMES:
        snprintf(out, TEXT_MAX, "%s %s", first_name(b), last_name(b));
        return;
    case PHONE:
        snprintf(out, TEXT_MAX, "%d", 1000 + below(b, 1000000));
        return;
    default:
        break;
    }
    int len = (int)strlen(b->words[second]);
    if (kind == PREFIX && len > 2) {
        len = 2 + below(b, len - 2);
    }
    snprintf(out, TEXT_MAX, "%s %.*s", b->words[first], len, b->words[second]);
}

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double at(const double *times, size_t n, double part)
{
    return times[(size_t)((double)(n - 1) * part)];
}

/* Half of them by one who sees all, half by one with some sessions. */
static void run_kind(desk_t *d, int kind, bool inbox, double *times,
                     double *cpu)
{
    int64_t ids[SESSIONS] = {1, 2, 3, 4};
    char text[TEXT_MAX];

    for (int i = 0; i < d->b->queries; i++) {
        session_set_t set = {.ids = ids, .n = 1 + (size_t)below(d->b, 3)};
        const session_set_t *seen = i % 2 == 0 ? NULL : &set;

        make_query(d->b, kind, text);
        if (inbox) {
            set.n = i % 2 == 0 ? SESSIONS : set.n;
            times[i] = look_up_inbox(d, text, &set);
        } else {
            times[i] = look_up(d, text, seen);
        }
        cpu[i] = d->cpu;
    }
}

/* All kinds, of messages and people or of the inbox, and the sum of it. */
static void run_kinds(desk_t *d, bool inbox, double *times)
{
    size_t each = (size_t)d->b->queries, n = each * KINDS;
    const char *of = inbox ? "inbox_" : "";
    double *cpu = times + n;

    for (size_t kind = 0; kind < KINDS; kind++) {
        double *t = times + each * kind, *c = cpu + each * kind;

        run_kind(d, (int)kind, inbox, t, c);
        qsort(t, each, sizeof(*t), by_time);
        qsort(c, each, sizeof(*c), by_time);
        printf(" %s%s_p99_ms=%.2f %s%s_cpu_p99_ms=%.2f", of, kinds[kind],
               at(t, each, 0.99), of, kinds[kind], at(c, each, 0.99));
    }
    qsort(times, n, sizeof(*times), by_time);
    qsort(cpu, n, sizeof(*cpu), by_time);
    printf(" %scpu_p50_ms=%.2f %scpu_p99_ms=%.2f %sp50_ms=%.2f %sp99_ms=%.2f "
           "%smax_ms=%.2f",
           of, at(cpu, n, 0.5), of, at(cpu, n, 0.99), of, at(times, n, 0.5), of,
           at(times, n, 0.99), of, times[n - 1]);
}

static int64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void report(desk_t *d, double indexed)
{
    double *times = calloc((size_t)d->b->queries * KINDS, 2 * sizeof(*times));
    char text[TEXT_MAX];

    if (times == NULL) {
        die("report", "memory");
    }
    printf("search messages=%d contacts=%d", d->b->messages,
           d->b->messages / PER_CHAT);
    run_kinds(d, false, times);
    run_kinds(d, true, times);
    printf(" index_mb=%.0f us_per_message=%.1f",
           (double)size_of(d->b->index) / 1e6, indexed / d->b->messages * 1e6);
    search_stop(&d->search);
    if (search_start(&d->search, d->store, "/nowhere/search.db") != WERR_OK) {
        die("search", "start");
    }
    make_query(d->b, MEDIUM, text);
    printf(" bare_ms=%.0f\n", look_up(d, text, NULL));
    free(times);
}

static void wait_indexed(desk_t *d)
{
    double until = seconds() + 300;
    search_stat_t st;

    do {
        if (seconds() > until) {
            die("index", "stuck");
        }
        search_wake(d->search);
        usleep(10000);
        search_stat(d->search, &st);
    } while (st.position < d->b->messages ||
             st.people < d->b->messages / PER_CHAT);
}

static int remove_entry(const char *path, const struct stat *st, int kind,
                        struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static void run(bench_t *b)
{
    store_options_t o = {.path = b->db};
    desk_t d = {.b = b};
    double started;

    make_history(b);
    started = seconds();
    if (store_open(&d.store, &o) != WERR_OK ||
        store_reader(d.store, &d.db) != WERR_OK ||
        search_start(&d.search, d.store, b->index) != WERR_OK) {
        die(b->db, o.error);
    }
    wait_indexed(&d);
    started = seconds() - started;
    sleep(2); /* its parts are put together */
    report(&d, started);
    search_stop(&d.search);
    store_reader_close(&d.db);
    store_close(&d.store);
}

/* For a client: the blanks as they stand in a query string. */
static void write_queries(bench_t *b, const char *dir)
{
    char path[300], text[TEXT_MAX];

    for (int kind = 0; kind < KINDS; kind++) {
        snprintf(path, sizeof(path), "%.200s/%s", dir, kinds[kind]);
        FILE *f = fopen(path, "w");
        if (f == NULL) {
            die(path, "cannot be written");
        }
        for (int i = 0; i < b->queries; i++) {
            make_query(b, kind, text);
            for (char *blank = strchr(text, ' '); blank != NULL;
                 blank = strchr(blank, ' ')) {
                *blank = '+';
            }
            fprintf(f, "%s\n", text);
        }
        if (fclose(f) != 0) {
            die(path, "cannot be written");
        }
    }
}

static void measure(bench_t *b)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(b->dir, sizeof(b->dir), "%.90s/wacrm-search-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(b->dir) == NULL) {
        die(b->dir, "mkdtemp");
    }
    snprintf(b->db, sizeof(b->db), "%s/wacrm.db", b->dir);
    snprintf(b->index, sizeof(b->index), "%s/search.db", b->dir);
    run(b);
    (void)nftw(b->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    bench_t *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        die("start", "memory");
    }
    b->messages = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000;
    b->queries = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 400;
    b->random = 42;
    if (b->messages < 1000 || b->queries < 10 || b->queries > 100000) {
        die("usage", "search [MESSAGES [QUERIES [DB DIRECTORY]]]");
    }
    log_setup(LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    make_words(b);
    if (argc > 4) {
        snprintf(b->db, sizeof(b->db), "%.150s", argv[3]);
        make_history(b);
        write_queries(b, argv[4]);
    } else {
        measure(b);
    }
    free(b);
    return 0;
}
