/*
 * search: what is typed, against the index and against the messages alone;
 * catching up, changes, scope, pages, damage.
 */
#include "search/search.h"

#include "domain_fixture.h"

#include <fcntl.h>
#include <inttypes.h>

#include <sqlite3.h>

#include "base/log.h"

#define MINUTE INT64_C(60000)
#define IDS    1000

typedef struct {
    fixture_t *f;
    search_t *search; /* with an index */
    search_t *bare;   /* cannot have one: reads the messages */
    char path[200];
    int64_t now;
    int said;
} desk_t;

static int64_t newest(desk_t *d)
{
    return ASK(d->f, "SELECT coalesce(max(id), 0) FROM messages");
}

/* All is indexed, and all changes are taken. */
static void wait_caught_up(desk_t *d)
{
    search_stat_t st;

    for (int i = 0; i < 10000; i++) {
        search_wake(d->search);
        search_stat(d->search, &st);
        if (st.position == newest(d) &&
            ASK(d->f, "SELECT count(*) FROM search_changes "
                      "WHERE body IS NOT NULL") == 0) {
            return;
        }
        usleep(1000);
    }
    fail_msg("the index has not caught up");
}

static void start(desk_t *d)
{
    assert_int_equal(search_start(&d->search, d->f->store, d->path), WERR_OK);
}

static int setup(void **state)
{
    desk_t *d = calloc(1, sizeof(*d));
    void *f;

    assert_non_null(d);
    assert_int_equal(fixture_setup(&f), 0);
    d->f = f;
    d->now = clock_now_ms() - 600 * MINUTE;
    snprintf(d->path, sizeof(d->path), "%s/search.db", d->f->dir);
    start(d);
    assert_int_equal(
        search_start(&d->bare, d->f->store, "/nowhere/at/all/search.db"),
        WERR_OK);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    desk_t *d = *state;
    void *f = d->f;

    search_stop(&d->search);
    search_stop(&d->bare);
    free(d);
    return fixture_teardown(&f);
}

static int64_t tell(desk_t *d, const char *text)
{
    char id[32];

    snprintf(id, sizeof(id), "S%d", ++d->said);
    return say(d->f, "628120000001", id, text, d->now + d->said * 1000, false)
        .ref.id;
}

typedef struct {
    int64_t session;
    char wa_id[32];
    const char *text;
} change_t;

static int change_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;

    return c->text != NULL
               ? message_edit(tx, c->session, c->wa_id, c->text, tx->now)
               : message_delete(tx, c->session, c->wa_id, tx->now);
}

/* The text of message `said` becomes text; NULL: it is deleted. */
static void change(desk_t *d, int said, const char *text)
{
    change_t c = {.session = d->f->session, .text = text};

    snprintf(c.wa_id, sizeof(c.wa_id), "S%d", said);
    assert_int_equal(domain_write(&d->f->d, change_tx, &c), WERR_OK);
}

static size_t find(search_t *s, db_t *db, const char *text,
                   const session_set_t *sessions, int64_t before, int64_t *ids,
                   size_t n)
{
    search_look_t *look;

    assert_int_equal(search_begin(s, db, text, &look), WERR_OK);
    assert_int_equal(search_find(look, sessions, before, ids, &n), WERR_OK);
    search_end(&look);
    return n;
}

/* Both ways to answer give the same; how many. */
static size_t both(desk_t *d, const char *text)
{
    int64_t a[IDS], b[IDS];
    size_t n = find(d->search, d->f->db, text, NULL, 0, a, IDS);
    size_t m = find(d->bare, d->f->db, text, NULL, 0, b, IDS);

    if (n != m || memcmp(a, b, n * sizeof(a[0])) != 0) {
        fail_msg("\"%s\": %zu by the index, %zu by the messages", text, n, m);
    }
    for (size_t i = 1; i < n; i++) {
        assert_true(a[i] < a[i - 1]);
    }
    return n;
}

/* ---- what is typed ---- */

static void words_are_found(void **state)
{
    static const struct {
        const char *text;
        size_t n;
    } cases[] = {
        {"zakat", 2},
        {"ZAKAT", 2},
        {"zakat maal", 1},
        {"maal zakat", 1},
        {"zakat infak", 0},
        {"zak", 2},
        {"za", 2},
        {"z", 0}, /* a lone letter is a word */
        {"zak ", 0},
        {"zak maal", 0}, /* only the last one may be unfinished */
        {"zak* maal", 1},
        {"\"terima kasih\"", 1},
        {"\"kasih terima\"", 0},
        {"\"terima ka", 1},
        {"\"terima ka\"", 0},
        {"terima-kasih", 1},
        {"kasih terima", 1},
        {"cafe", 1},
        {"CAF\xc3\x89", 1},
        {"081234", 1},
        {"50.000", 1},
        {"50.001", 0},
        {"sedekah subuh.", 1},
        {"\xd9\x85\xd8\xad\xd9\x85\xd8\xaf", 1},
        {"\xf0\x9f\x99\x8f", 0},
        {"s1", 1},
        {"s2", 0},
        {"amanahnya", 1},
        {"aman", 1},
        {"amanahnyalah", 0},
    };
    desk_t *d = *state;

    tell(d, "Saya mau bayar zakat maal bulan ini");
    tell(d, "Zakat sudah ditransfer 50.000");
    tell(d, "Terima kasih, kak");
    tell(d, "ketemu di caf\xc3\xa9 ya");
    tell(d, "nomor saya 08123456789, s1 teknik");
    tell(d, "sedekah subuh");
    tell(d, "\xd9\x85\xd8\xad\xd9\x85\xd8\xaf \xf0\x9f\x99\x8f amanahnya");
    tell(d, "");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            size_t n = both(d, cases[i].text);

            if (n != cases[i].n) {
                fail_msg("\"%s\": %zu, not %zu", cases[i].text, n, cases[i].n);
            }
        }
        wait_caught_up(d);
    }
}

static void nothing_breaks_it(void **state)
{
    static const char *const nasty[] = {
        "",
        " ",
        "\"",
        "\"\"",
        "\"\"\"",
        "a\"b\"c",
        "*",
        "**",
        "za**",
        "* za",
        "AND",
        "OR",
        "NOT",
        "NEAR",
        "zakat AND",
        "zakat OR infak",
        "zakat NOT infak",
        "NEAR(zakat infak)",
        "NEAR(\"zakat",
        "body:zakat",
        "scope:s1",
        "body : (zakat)",
        "{body scope}:s1",
        "^zakat",
        "-zakat",
        "+zakat +maal",
        "(zakat",
        ")zakat(",
        "zakat)",
        "zakat' OR 1=1 --",
        "'; DROP TABLE messages; --",
        "zakat\\",
        "\\\"zakat",
        "%",
        "_",
        "zak%",
        "z\xc3",
        "\xff\xfe",
        "\xed\xa0\x80",
        "\t\n\r\v\f",
        ("a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 "
         "9 "
         "0 a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 "
         "8"),
        "a* b* c* da* ea* fa* ga* ha*",
        "zakat* maal* bayar* saya* bulan* ini*",
        "\"zakat\" \"maal\"*",
        "\"zakat maal\"bulan",
        "sedekah\xe2\x80\x9c subuh\xe2\x80\x9d",
    };
    desk_t *d = *state;
    char text[900];

    tell(d, "Saya mau bayar zakat maal bulan ini AND OR NOT NEAR");
    tell(d, "a b c d e f g h i j k l m n o p q r s t u v w x y z");
    tell(d, "\"zakat' OR 1=1 -- %_\\ (body:zakat) {scope}");
    tell(d, "z\xc3 \xff zakat");
    wait_caught_up(d);
    for (size_t i = 0; i < sizeof(nasty) / sizeof(nasty[0]); i++) {
        (void)both(d, nasty[i]);
    }
    assert_int_equal(both(d, "NOT"), 1);
    assert_int_equal(both(d, "body:zakat"), 1);
    srand(7);
    for (int i = 0; i < 2000; i++) {
        static const char signs[] = "\"*()-+^:{}az zakat maal bulan ANDOR\\'";
        size_t n = (size_t)rand() % 40;

        for (size_t k = 0; k < n; k++) {
            text[k] = signs[(size_t)rand() % (sizeof(signs) - 1)];
        }
        text[n] = '\0';
        (void)both(d, text);
    }
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(both(d, text), 0);
    memset(text, '"', sizeof(text) - 1);
    assert_int_equal(both(d, text), 0);
}

/* More words than are looked up one by one. */
static void many_words_begin_alike(void **state)
{
    desk_t *d = *state;
    char text[64];

    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "panjang%03d kata%c", i, 'a' + i % 26);
        tell(d, text);
    }
    wait_caught_up(d);
    assert_int_equal(both(d, "panjang"), 200);
    assert_int_equal(both(d, "panjang1"), 100);
    assert_int_equal(both(d, "katac panj"), 8);
    assert_int_equal(both(d, "panjang1* kataa"), 4);
}

/* One more each time: the words are handed over in groups. */
static void as_many_words_as_there_are(void **state)
{
    desk_t *d = *state;
    char text[64];

    for (int i = 1; i <= 40; i++) {
        snprintf(text, sizeof(text), "awalan%02d kata", i);
        tell(d, text);
        wait_caught_up(d);
        assert_int_equal(both(d, "awal"), i);
        assert_int_equal(both(d, "kata awalan"), i);
        assert_int_equal(both(d, "awal* kata"), i);
    }
}

/* ---- catching up and changes ---- */

static void complete_while_it_catches_up(void **state)
{
    desk_t *d = *state;
    int64_t lag = -1;

    for (int i = 0; i < 50; i++) {
        tell(d, "pesan lama");
    }
    wait_caught_up(d);
    search_stop(&d->search);
    for (int i = 0; i < 30; i++) {
        tell(d, "pesan baru");
    }
    start(d);
    assert_int_equal(both(d, "pesan"), 80);
    assert_int_equal(both(d, "pesan baru"), 30);
    wait_caught_up(d);
    assert_int_equal(search_lag(d->search, d->f->db, &lag), WERR_OK);
    assert_int_equal(lag, 0);
    assert_int_equal(search_lag(d->bare, d->f->db, &lag), WERR_OK);
    assert_int_equal(lag, 80);
    assert_int_equal(both(d, "pesan"), 80);
    search_stat_t st;
    search_stat(d->search, &st);
    assert_int_equal(st.rebuilds, 0); /* it went on where it was */
    assert_true(st.indexed <= 30);
}

/* More than the thread takes at a time. */
static void a_long_backlog(void **state)
{
    desk_t *d = *state;

    tell(d, "pesan pertama");
    wait_caught_up(d);
    RUN(d->f, "INSERT INTO messages (session_id, chat_id, direction, ts, type, "
              "body, status, created_at) WITH RECURSIVE n (i) AS (SELECT 1 "
              "UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
              "SELECT 1, 1, 0, i, 'text', 'pesan nomor ' || i, 3, i FROM n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(both(d, "nomor 49"), 111);
        assert_int_equal(both(d, "pertama"), 1);
        wait_caught_up(d);
    }
}

static void edits_and_deletions(void **state)
{
    desk_t *d = *state;

    for (int i = 0; i < 10; i++) {
        tell(d, "kata pertama");
    }
    wait_caught_up(d);
    change(d, 3, "kata kedua");
    change(d, 5, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(both(d, "kata"), 9);
        assert_int_equal(both(d, "pertama"), 8);
        assert_int_equal(both(d, "kedua"), 1);
        wait_caught_up(d);
    }
    search_stop(&d->search);
    change(d, 3, "kata ketiga");
    change(d, 4, "kata keempat");
    RUN(d->f, "UPDATE messages SET body = 'kata kelima' WHERE wa_id = 'S4'");
    tell(d, "kata baru");
    change(d, 11, "kata lain");
    change(d, 6, NULL);
    RUN(d->f, "DELETE FROM chats WHERE 1 = 0");
    start(d);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(both(d, "kata"), 9);
        assert_int_equal(both(d, "kedua"), 0);
        assert_int_equal(both(d, "ketiga"), 1);
        assert_int_equal(both(d, "keempat"), 0);
        assert_int_equal(both(d, "kelima"), 1);
        assert_int_equal(both(d, "baru"), 0);
        assert_int_equal(both(d, "lain"), 1);
        assert_int_equal(both(d, "pertama"), 6);
        wait_caught_up(d);
    }
    /* what was handed over is gone, but for the number */
    assert_int_equal(ASK(d->f, "SELECT count(*) FROM search_changes"), 1);
}

static void an_id_is_used_again(void **state)
{
    desk_t *d = *state;
    int64_t id;

    tell(d, "satu");
    RUN(d->f, "UPDATE chats SET last_message_id = NULL");
    id = tell(d, "dua");
    wait_caught_up(d);
    RUN(d->f, "UPDATE chats SET last_message_id = NULL");
    RUN(d->f, "DELETE FROM messages WHERE wa_id = 'S2'");
    assert_int_equal(both(d, "dua"), 0);
    wait_caught_up(d);
    assert_int_equal(tell(d, "tiga"), id);
    assert_int_equal(both(d, "tiga"), 1);
    wait_caught_up(d);
    assert_int_equal(both(d, "tiga"), 1);
    RUN(d->f, "UPDATE chats SET last_message_id = NULL");
    RUN(d->f, "DELETE FROM messages WHERE wa_id = 'S3'");
    assert_int_equal(tell(d, "empat"), id);
    assert_int_equal(both(d, "tiga"), 0);
    assert_int_equal(both(d, "empat"), 1);
    wait_caught_up(d);
    assert_int_equal(both(d, "tiga"), 0);
    assert_int_equal(both(d, "empat"), 1);
}

/* Everything at once, the thread at work between any two of them. */
static void any_order_of_things(void **state)
{
    static const char *const words[] = {"zakat", "infak",    "wakaf",  "sudah",
                                        "belum", "transfer", "terima", "kasih"};
    desk_t *d = *state;
    char text[100];

    srand(11);
    for (int i = 0; i < 600; i++) {
        int what = rand() % 10;

        snprintf(text, sizeof(text), "%s %s %s", words[rand() % 8],
                 words[rand() % 8], words[rand() % 8]);
        if (what < 5 || d->said == 0) {
            tell(d, text);
        } else if (what < 8) {
            change(d, 1 + rand() % d->said, text);
        } else {
            change(d, 1 + rand() % d->said, NULL);
        }
        if (rand() % 4 == 0) {
            search_wake(d->search);
        }
        snprintf(text, sizeof(text), rand() % 2 ? "%s %s" : "\"%s %s\"",
                 words[rand() % 8], words[rand() % 8]);
        (void)both(d, text);
    }
    wait_caught_up(d);
    for (int i = 0; i < 8; i++) {
        assert_true(both(d, words[i]) > 0);
    }
    search_stop(&d->search);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO message_index (message_index) "
                                  "VALUES ('integrity-check')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

/* ---- scope and pages ---- */

static int second_session(tx_t *tx, void *arg)
{
    desk_t *d = arg;

    return session_ensure(tx, d->f->account, "cs-2", &d->f->session);
}

static void only_what_may_be_seen(void **state)
{
    desk_t *d = *state;
    int64_t two[2] = {d->f->session};
    session_set_t first = {.ids = &two[0], .n = 1};
    session_set_t second = {.ids = &two[1], .n = 1};
    session_set_t none = {.n = 0}, all = {.ids = two, .n = 2};
    int64_t ids[IDS];
    search_t *searches[2] = {d->search, d->bare};

    tell(d, "rahasia satu");
    assert_int_equal(domain_write(&d->f->d, second_session, d), WERR_OK);
    tell(d, "rahasia dua");
    tell(d, "rahasia tiga");
    two[1] = d->f->session;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            search_t *s = searches[i];
            db_t *db = d->f->db;

            assert_int_equal(find(s, db, "rahasia", NULL, 0, ids, IDS), 3);
            assert_int_equal(find(s, db, "rahasia", &all, 0, ids, IDS), 3);
            assert_int_equal(find(s, db, "rahasia", &first, 0, ids, IDS), 1);
            assert_int_equal(find(s, db, "rahasia", &second, 0, ids, IDS), 2);
            assert_int_equal(find(s, db, "rahasia", &none, 0, ids, IDS), 0);
            assert_int_equal(find(s, db, "satu", &second, 0, ids, IDS), 0);
        }
        wait_caught_up(d);
    }
    /* a change does not open what was closed */
    change(d, 2, "rahasia satu lagi");
    assert_int_equal(find(d->search, d->f->db, "satu", &first, 0, ids, IDS), 1);
    wait_caught_up(d);
    assert_int_equal(find(d->search, d->f->db, "satu", &first, 0, ids, IDS), 1);
    assert_int_equal(find(d->search, d->f->db, "satu", NULL, 0, ids, IDS), 2);
}

static void pages_without_gaps(void **state)
{
    desk_t *d = *state;
    int64_t ids[8], before = 0, last = 0;
    size_t n, seen = 0;

    for (int i = 0; i < 300; i++) {
        tell(d, i % 3 == 0 ? "tidak ada" : "pesan untuk halaman");
        if (i == 150) {
            wait_caught_up(d);
        }
    }
    change(d, 20, "pesan untuk halaman");
    change(d, 1, "pesan untuk halaman");
    change(d, 2, "sudah lain");
    change(d, 3, NULL);
    do {
        n = find(d->search, d->f->db, "pesan halaman", NULL, before, ids, 7);
        for (size_t i = 0; i < n; i++) {
            assert_true(last == 0 || ids[i] < last);
            last = ids[i];
        }
        seen += n;
        before = last;
        if (seen == 70) {
            wait_caught_up(d);
        }
        tell(d, "pesan untuk halaman"); /* not on a page below */
    } while (n == 7);
    assert_int_equal(seen, 199);
}

/* ---- damage ---- */

static void damage(const char *path, off_t from, size_t len)
{
    char noise[4096];
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    memset(noise, 0xa5, sizeof(noise));
    for (size_t done = 0; done < len; done += sizeof(noise)) {
        assert_int_equal(pwrite(fd, noise, sizeof(noise), from + (off_t)done),
                         (ssize_t)sizeof(noise));
    }
    close(fd);
}

static void wait_rebuilt(desk_t *d, int64_t rebuilds)
{
    search_stat_t st;

    for (int i = 0; i < 10000; i++) {
        search_wake(d->search);
        search_stat(d->search, &st);
        if (st.rebuilds >= rebuilds && st.position == newest(d)) {
            return;
        }
        usleep(1000);
    }
    fail_msg("not made anew");
}

static void a_damaged_file(void **state)
{
    desk_t *d = *state;
    char wal[220];

    for (int i = 0; i < 400; i++) {
        tell(d, i % 2 == 0 ? "pesan yang ganjil" : "pesan yang genap");
    }
    wait_caught_up(d);
    /* while nobody has it open */
    search_stop(&d->search);
    damage(d->path, 0, 4096);
    start(d);
    assert_int_equal(both(d, "pesan genap"), 200);
    wait_rebuilt(d, 1);
    assert_int_equal(both(d, "pesan genap"), 200);
    /* behind the header, under our hands */
    search_stop(&d->search);
    start(d);
    wait_caught_up(d);
    snprintf(wal, sizeof(wal), "%s-wal", d->path);
    search_stop(&d->search);
    (void)unlink(wal);
    damage(d->path, 4096, 8 * 4096);
    start(d);
    assert_int_equal(both(d, "pesan ganjil"), 200);
    tell(d, "pesan yang ganjil");
    wait_rebuilt(d, 1);
    assert_int_equal(both(d, "pesan ganjil"), 201);
}

static void a_lost_file(void **state)
{
    desk_t *d = *state;

    for (int i = 0; i < 20; i++) {
        tell(d, "pesan biasa");
    }
    wait_caught_up(d);
    assert_int_equal(unlink(d->path), 0);
    assert_int_equal(both(d, "biasa"), 20);
    wait_rebuilt(d, 1);
    assert_int_equal(access(d->path, R_OK), 0);
    assert_int_equal(both(d, "biasa"), 20);
    search_rebuild(d->search);
    assert_int_equal(both(d, "biasa"), 20);
    wait_rebuilt(d, 2);
    assert_int_equal(both(d, "biasa"), 20);
}

/* A backup of the database was put in its place. */
static void another_database(void **state)
{
    desk_t *d = *state;
    search_stat_t st;

    for (int i = 0; i < 20; i++) {
        tell(d, "pesan biasa");
    }
    wait_caught_up(d);
    search_stop(&d->search);
    RUN(d->f, "UPDATE chats SET last_message_id = NULL");
    RUN(d->f, "DROP TRIGGER search_changes_delete");
    RUN(d->f, "DELETE FROM messages WHERE id > 15");
    start(d);
    assert_int_equal(both(d, "biasa"), 15);
    wait_rebuilt(d, 1);
    assert_int_equal(both(d, "biasa"), 15);
    search_stop(&d->search);
    RUN(d->f, "UPDATE schema_version SET applied_at = 1 WHERE version = 1");
    start(d);
    wait_rebuilt(d, 1);
    search_stop(&d->search);
    start(d);
    wait_caught_up(d);
    search_stat(d->search, &st);
    assert_int_equal(st.rebuilds, 0);
}

/* ---- snippets ---- */

static void snippet_is(desk_t *d, const char *query, const char *body,
                       const char *expected)
{
    search_look_t *look;
    buf_t out;

    buf_init(&out, 0);
    assert_int_equal(search_begin(d->search, d->f->db, query, &look), WERR_OK);
    search_snippet(look, body, strlen(body), &out, NULL);
    search_end(&look);
    assert_string_equal(out.data, expected);
    buf_free(&out);
}

static void snippets(void **state)
{
    desk_t *d = *state;

    snippet_is(d, "zakat", "Bayar zakat, ZAKAT maal",
               "{\"text\":\"Bayar zakat, ZAKAT maal\","
               "\"marks\":[[6,5],[13,5]]}");
    snippet_is(d, "\"zakat maal\" bayar", "Bayar zakat maal",
               "{\"text\":\"Bayar zakat maal\",\"marks\":[[0,5],[6,10]]}");
    snippet_is(d, "zak", "\xf0\x9f\x99\x8f caf\xc3\xa9 <b>zakat</b>\nini",
               "{\"text\":\"\xf0\x9f\x99\x8f caf\xc3\xa9 <b>zakat</b> ini\","
               "\"marks\":[[11,5]]}");
    snippet_is(d, "tidak", "ada apa", "{\"text\":\"ada apa\",\"marks\":[]}");
    snippet_is(d, "ujung",
               "satu dua tiga empat lima enam tujuh delapan sembilan sepuluh "
               "sebelas dua belas tiga belas empat belas ujung sekali",
               "{\"text\":\"\xe2\x80\xa6"
               "dua belas tiga belas empat belas ujung sekali\","
               "\"marks\":[[34,5]]}");
    snippet_is(d, "awal",
               "awal "
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
               "{\"text\":\"awal "
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xe2\x80\xa6\","
               "\"marks\":[[0,4]]}");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(words_are_found),
        T(nothing_breaks_it),
        T(many_words_begin_alike),
        T(as_many_words_as_there_are),
        T(complete_while_it_catches_up),
        T(a_long_backlog),
        T(edits_and_deletions),
        T(an_id_is_used_again),
        T(any_order_of_things),
        T(only_what_may_be_seen),
        T(pages_without_gaps),
        T(a_damaged_file),
        T(a_lost_file),
        T(another_database),
        T(snippets),
    };

    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    log_setup(LOG_ERROR, null); /* faults are made on purpose */
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    close(null);
    return failed;
}
