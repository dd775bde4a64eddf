/* search: what is typed, scope, pages, snippets; by the index and without. */
#include "search_fixture.h"

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

static void nothing_breaks_it(void **state)
{
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
    try_nonsense(d, "\"*()-+^:{}az zakat maal bulan ANDOR\\'", both);
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

/* ---- scope and pages ---- */

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
    d->f->session = session_of(&d->f->d, "seed", "cs-2");
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
    const struct CMUnitTest tests[] = {
        T(words_are_found),
        T(nothing_breaks_it),
        T(many_words_begin_alike),
        T(as_many_words_as_there_are),
        T(only_what_may_be_seen),
        T(pages_without_gaps),
        T(snippets),
    };
    return cmocka_run_group_tests(tests, quiet, loud);
}
