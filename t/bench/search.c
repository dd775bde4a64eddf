/*
 * search.c - two words in a long history: messages of Indonesian-looking
 * words by Zipf's law, and as many people as a tenth of them, looked up by
 * what the routes call, to the JSON of a page of 50 with its snippets.
 *
 *   search [MESSAGES [QUERIES]]          (1000000, 400 of each kind)
 *   search MESSAGES QUERIES DB DIRECTORY
 *
 * Prints: search p99_ms=N p50_ms=N top_p99_ms=N top_cpu_p99_ms=N ... of
 * messages and people, cpu being what the processor had to do for them, of:
 *
 *   top     the two most frequent words     frequent  two of the first 30
 *   mixed   one of them and a rarer one     medium    two of the next 270
 *   same    as frequent as in messages      prefix    one and a part of another
 *   names   two words of a name             phone     some of its digits
 *
 * inbox_... the same of the search of the inbox; index_mb and us_per_message of
 * the index, sealed_s until the frequent words had their sets, too; bare_ms
 * without an index. With a database it measures nothing: it fills that one,
 * and writes into the directory a file for each kind with a query a line, for
 * a client.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/chat.h"
#include "domain/contact_list.h"
#include "domain/message.h"
#include "search/search.h"
#include "t/bench/search/history.h"

#define PAGE 50
/* As many messages as may lack their words' sets in search.db come last. */
#define LAST 1023

typedef struct {
    history_t history;
    int queries;
    char dir[128], db[160], index[160];
} bench_t;

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

static int look_into(void *arg, int64_t chat, int64_t contact, bool open,
                     bool *hit)
{
    return search_in_chat(arg, chat, contact, open, hit);
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

static void make_query(bench_t *b, int kind, char out[HISTORY_TEXT])
{
    int first = history_below(&b->history, 30),
        second = history_below(&b->history, 30);

    switch (kind) {
    case TOP:
        first = history_below(&b->history, 2);
        second = 1 - first;
        break;
    case MIXED:
        second = 100 + history_below(&b->history, 900);
        break;
    case MEDIUM:
        first = 30 + history_below(&b->history, 270);
        second = 30 + history_below(&b->history, 270);
        break;
    case SAME:
        first = history_word(&b->history);
        second = history_word(&b->history);
        break;
    case NAMES:
        snprintf(out, HISTORY_TEXT, "%s %s", history_first_name(&b->history),
                 history_last_name(&b->history));
        return;
    case PHONE:
        snprintf(out, HISTORY_TEXT, "%d",
                 1000 + history_below(&b->history, 1000000));
        return;
    default:
        break;
    }
    int len = (int)strlen(b->history.words[second]);
    if (kind == PREFIX && len > 2) {
        len = 2 + history_below(&b->history, len - 2);
    }
    snprintf(out, HISTORY_TEXT, "%s %.*s", b->history.words[first], len,
             b->history.words[second]);
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
    int64_t ids[HISTORY_SESSIONS] = {1, 2, 3, 4};
    char text[HISTORY_TEXT];

    for (int i = 0; i < d->b->queries; i++) {
        session_set_t set = {.ids = ids,
                             .n = 1 + (size_t)history_below(&d->b->history, 3)};
        const session_set_t *seen = i % 2 == 0 ? NULL : &set;

        make_query(d->b, kind, text);
        if (inbox) {
            set.n = i % 2 == 0 ? HISTORY_SESSIONS : set.n;
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

static void report(desk_t *d, double indexed, double sealed)
{
    double *times = calloc((size_t)d->b->queries * KINDS, 2 * sizeof(*times));
    char text[HISTORY_TEXT];

    if (times == NULL) {
        die("report", "memory");
    }
    printf("search messages=%d contacts=%d", d->b->history.messages,
           d->b->history.messages / HISTORY_PER_CHAT);
    run_kinds(d, false, times);
    run_kinds(d, true, times);
    printf(" index_mb=%.0f us_per_message=%.1f sealed_s=%.1f",
           (double)size_of(d->b->index) / 1e6,
           indexed / (d->b->history.messages - LAST) * 1e6, sealed);
    search_stop(&d->search);
    if (search_start(&d->search, d->store, "/nowhere/search.db") != WERR_OK) {
        die("search", "start");
    }
    make_query(d->b, MEDIUM, text);
    printf(" bare_ms=%.0f\n", look_up(d, text, NULL));
    free(times);
}

static bool is_indexed(const desk_t *d, const search_stat_t *st)
{
    return st->position >= d->b->history.written &&
           st->people >= d->b->history.messages / HISTORY_PER_CHAT;
}

static bool is_sealed(const desk_t *d, const search_stat_t *st)
{
    return st->sealed >= d->b->history.written - LAST;
}

/* s that it took. */
static double wait_for(desk_t *d,
                       bool (*is)(const desk_t *d, const search_stat_t *st))
{
    double started = seconds();
    search_stat_t st;

    do {
        if (seconds() > started + 300) {
            die("index", "stuck");
        }
        search_wake(d->search);
        usleep(10000);
        search_stat(d->search, &st);
    } while (!is(d, &st));
    return seconds() - started;
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
    double indexed, sealed;

    history_begin(&b->history, b->db);
    history_go_on(&b->history, b->db, b->history.messages - LAST);
    if (store_open(&d.store, &o) != WERR_OK ||
        store_reader(d.store, &d.db) != WERR_OK ||
        search_start(&d.search, d.store, b->index) != WERR_OK) {
        die(b->db, o.error);
    }
    indexed = wait_for(&d, is_indexed);
    sealed = wait_for(&d, is_sealed);
    sleep(2); /* the last block, too, and its parts are put together */
    history_go_on(&b->history, b->db, b->history.messages);
    (void)wait_for(&d, is_indexed);
    report(&d, indexed, sealed);
    search_stop(&d.search);
    store_reader_close(&d.db);
    store_close(&d.store);
}

/* For a client: the blanks as they stand in a query string. */
static void write_queries(bench_t *b, const char *dir)
{
    char path[300], text[HISTORY_TEXT];

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
    b->history.messages = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000;
    b->queries = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 400;
    if (b->history.messages < 10000 || b->queries < 10 || b->queries > 100000) {
        die("usage", "search [MESSAGES [QUERIES [DB DIRECTORY]]]");
    }
    log_setup(LOG_ERROR, open("/dev/null", O_WRONLY | O_CLOEXEC));
    history_init(&b->history);
    if (argc > 4) {
        snprintf(b->db, sizeof(b->db), "%.150s", argv[3]);
        history_begin(&b->history, b->db);
        history_go_on(&b->history, b->db, b->history.messages);
        write_queries(b, argv[4]);
    } else {
        measure(b);
    }
    free(b);
    return 0;
}
