/*
 * people: what is typed against names, phones and aliases, by the index and
 * by the contacts alone; changes, merges, erasures; who may be seen; the
 * inbox, by what a search has found and chat by chat.
 */
#include "search_fixture.h"

#include <jansson.h>
#include <sqlite3.h>

#include "domain/contact_file.h"
#include "domain/contact_list.h"

#define PEOPLE 2000

static void wait_people(desk_t *d)
{
    search_stat_t st;

    for (int i = 0; i < 10000; i++) {
        search_wake(d->search);
        search_stat(d->search, &st);
        if (st.position ==
                ASK(d->f, "SELECT coalesce(max(id), 0) FROM messages") &&
            st.people ==
                ASK(d->f, "SELECT coalesce(max(id), 0) FROM contacts") &&
            ASK(d->f, "SELECT count(*) FROM contact_changes") <= 1) {
            return;
        }
        usleep(1000);
    }
    fail_msg("the index has not caught up");
}

static int64_t meet(desk_t *d, const char *phone, const char *alias,
                    const char *name, const char *text)
{
    char id[32];
    said_t s = {
        .hint = {.phone = phone, .alias = alias, .name = name, .wrote = true},
        .in = {.session = d->f->session,
               .wa_id = id,
               .ts = 1000000 + d->said * 1000,
               .type = "text",
               .text = text,
               .live = true},
    };

    snprintf(id, sizeof(id), "P%d", ++d->said);
    assert_int_equal(domain_write(&d->f->d, say_tx, &s), WERR_OK);
    return s.contact.id;
}

static size_t find_people(search_t *s, db_t *db, const char *text,
                          const session_set_t *sessions, bool alone,
                          int64_t before, int64_t *ids, size_t n)
{
    search_look_t *look;

    assert_int_equal(search_begin(s, db, text, &look), WERR_OK);
    assert_int_equal(search_people(look, sessions, alone, before, ids, &n),
                     WERR_OK);
    search_end(&look);
    return n;
}

/* Both ways to answer give the same; how many. */
static size_t people_in(desk_t *d, const char *text, const session_set_t *set,
                        bool alone)
{
    int64_t a[PEOPLE], b[PEOPLE];
    size_t n = find_people(d->search, d->f->db, text, set, alone, 0, a, PEOPLE);
    size_t m = find_people(d->bare, d->f->db, text, set, alone, 0, b, PEOPLE);

    check_same(text, a, n, b, m);
    return n;
}

static size_t people(desk_t *d, const char *text)
{
    return people_in(d, text, NULL, true);
}

/* ---- what is typed ---- */

static const struct {
    const char *text;
    size_t n;
} people_cases[] = {
    {"aminah", 2},
    {"AMINAH", 2},
    {"siti aminah", 1},
    {"aminah siti", 1},
    {"minah", 2}, /* a part of a word */
    {"ina", 2},
    {"am", 2}, /* two letters begin a word */
    {"in", 0},
    {"a", 3},
    {"s", 1},
    {"nur aini", 1},
    {"nur'aini", 1},
    {"jos\xc3\xa9", 1},
    {"jose", 1},
    {"JOS\xc3\x89", 1},
    {"siti jose", 0},
    {"0812-1000-0007", 1},
    {"+62 812 1000 0007", 1},
    {"081210000007", 1},
    {"6281210000007", 1},
    {"10000007", 1},
    {"000 7", 1},
    {"812", 3},
    {"0812", 3},
    {"081", 3},
    {"08", 3},
    {"62", 3},
    {"0", 0},
    {"0008", 0},
    {"0812-1000-0008", 0},
    {"0007 0812 1000", 0}, /* a number has its order */
    {"0062 812 1000 0007", 1},
    {"08 12", 3},
    {"99", 0}, /* no number begins with it */
    {"9999", 1},
    {"siti 0812", 1},
    {"siti 0813", 0},
    {"123456789012345", 1},
    {"lid", 1},
    {"%", 0},
    {"_", 0},
    {"\"", 0},
    {"aminah\" OR \"jose", 0},
    {"aminah AND siti", 0},
    {"text:aminah", 0},
    {"s1", 0},
    {"\xd9\x85\xd8\xad\xd9\x85\xd8\xaf", 1},
    {"", 0},
    {"  ", 0},
    {"-", 0},
};

static void people_are_found(void **state)
{
    desk_t *d = *state;

    meet(d, "6281210000007", NULL, "Hj. Siti Aminah", "a");
    meet(d, "6281299990001", NULL, "Aminah Tanpa-Obrolan", "b");
    meet(d, "6281210000009", NULL, "Nur'aini \xd9\x85\xd8\xad\xd9\x85\xd8\xaf",
         "c");
    meet(d, NULL, "123456789012345@lid", "Jos\xc3\xa9 (RT)", "d");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(people_cases) / sizeof(people_cases[0]);
             i++) {
            size_t n = people(d, people_cases[i].text);

            if (n != people_cases[i].n) {
                fail_msg("\"%s\": %zu, not %zu (round %d)",
                         people_cases[i].text, n, people_cases[i].n, round);
            }
        }
        wait_people(d);
    }
}

static void nothing_breaks_it(void **state)
{
    desk_t *d = *state;
    char text[900];

    meet(d, "6281210000007", NULL, "Hj. \"Siti\" (AND) *OR* \\ Aminah", "a");
    meet(d, "6281210000008", NULL, "a b c d e f g h i j k l m n o p q r s",
         "b");
    meet(d, "6281210000009", NULL, "!!!", "c");
    wait_people(d);
    try_nonsense(d, "\"*()-+^:{}az siti aminah 0812 ANDOR\\'", people);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(people(d, text), 0);
    memset(text, '7', sizeof(text) - 1);
    assert_int_equal(people(d, text), 0);
}

/* ---- changes ---- */

static void changes_are_followed(void **state)
{
    desk_t *d = *state;

    meet(d, "6281210000001", NULL, "Budi Santoso", "a");
    meet(d, "6281210000002", NULL, "Wati", "b");
    wait_people(d);
    RUN(d->f, "UPDATE contacts SET name = 'Budiman' WHERE id = 1");
    RUN(d->f, "UPDATE contacts SET phone = '6289900000002' WHERE id = 2");
    RUN(d->f, "INSERT INTO contact_aliases VALUES ('77777777@lid', 2)");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(people(d, "santoso"), 0);
        assert_int_equal(people(d, "budiman"), 1);
        assert_int_equal(people(d, "6281210000002"), 0);
        assert_int_equal(people(d, "08990"), 1);
        assert_int_equal(people(d, "7777777"), 1);
        wait_people(d);
    }
    RUN(d->f, "DELETE FROM contact_aliases");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(people(d, "7777777"), 0);
        wait_people(d);
    }
    /* what does not change what is found is no change */
    RUN(d->f, "UPDATE contacts SET vip = 1, name = name");
    assert_int_equal(ASK(d->f, "SELECT count(*) FROM contact_changes"), 1);
}

static int merge_tx(tx_t *tx, void *arg)
{
    const int64_t *ids = arg;

    return contact_merge(tx, ids[0], ids[1]);
}

static void merges_are_followed(void **state)
{
    desk_t *d = *state;
    int64_t ids[2] = {meet(d, "6281210000001", NULL, "Budi Santoso", "a"), 0};

    ids[1] = meet(d, "6281210000002", NULL, "Pak Budi", "b");
    wait_people(d);
    assert_int_equal(domain_write(&d->f->d, merge_tx, ids), WERR_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(people(d, "budi"), 1);
        assert_int_equal(people(d, "0812-1000-0002"), 1); /* is an alias now */
        assert_int_equal(people(d, "pak budi"), 0);
        wait_people(d);
    }
    meet(d, "6281210000003", NULL, "Orang Baru", "c");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(people(d, "budi"), 1);
        assert_int_equal(people(d, "orang baru"), 1);
        wait_people(d);
    }
}

#define INSERT_LAST(name)                                             \
    "INSERT INTO contacts (id, phone, name, created_at, updated_at) " \
    "VALUES (9, '628129', '" name "', 0, 0)"

/* The id of a deleted last one. */
static void an_id_is_used_again(void **state)
{
    desk_t *d = *state;

    meet(d, "6281210000001", NULL, "Budi", "a");
    RUN(d->f, INSERT_LAST("Orang Lama"));
    wait_people(d);
    RUN(d->f, "DELETE FROM contacts WHERE id = 9");
    assert_int_equal(people(d, "orang"), 0);
    wait_people(d);
    assert_int_equal(people(d, "orang"), 0);
    RUN(d->f, INSERT_LAST("Orang Baru"));
    assert_int_equal(people(d, "baru"), 1);
    wait_people(d);
    RUN(d->f, "DELETE FROM contacts WHERE id = 9");
    RUN(d->f, INSERT_LAST("Orang Ketiga"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(people(d, "orang"), 1);
        assert_int_equal(people(d, "baru"), 0);
        assert_int_equal(people(d, "ketiga"), 1);
        wait_people(d);
    }
}

/* Is it in the file, or in its log? */
static bool file_has(const char *path, const char *text)
{
    static const char *const parts[] = {"", "-wal"};
    bool found = false;

    for (size_t i = 0; i < 2; i++) {
        char name[240];
        struct stat st;

        snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        int fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        assert_int_equal(fstat(fd, &st), 0);
        char *data = malloc((size_t)st.st_size + 1);
        assert_non_null(data);
        assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
        found |= memmem(data, (size_t)st.st_size, text, strlen(text)) != NULL;
        free(data);
        close(fd);
    }
    return found;
}

static void wait_purged(desk_t *d)
{
    search_stat_t st;

    for (int i = 0; i < 10000; i++) {
        search_wake(d->search);
        search_stat(d->search, &st);
        if (st.purges > 0) {
            assert_int_equal(st.purges, 1);
            return;
        }
        usleep(1000);
    }
    fail_msg("the index was not written anew");
}

static void an_erasure_leaves_nothing(void **state)
{
    desk_t *d = *state;
    search_stat_t st;
    char text[64];
    int64_t id;

    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof(text), "Orang Nomor %d", i);
        char phone[24];
        snprintf(phone, sizeof(phone), "628110000%04d", i);
        meet(d, phone, NULL, text, "pesan biasa saja");
    }
    id = meet(d, "6281987654321", NULL, "Quxwortz Rahasiawan",
              "sandinya zyxwvutkata");
    wait_people(d);
    assert_true(file_has(d->path, "quxwortz"));
    assert_true(file_has(d->path, "6281987654321"));
    assert_true(file_has(d->path, "zyxwvutkata"));
    assert_int_equal(contact_erase(&d->f->d, d->f->db, id, 0), WERR_OK);
    wait_purged(d);
    assert_false(file_has(d->path, "quxwortz"));
    assert_false(file_has(d->path, "Quxwortz"));
    assert_false(file_has(d->path, "rahasiawan"));
    assert_false(file_has(d->path, "987654321"));
    assert_false(file_has(d->path, "zyxwvut"));
    assert_int_equal(people(d, "quxwortz"), 0);
    assert_int_equal(people(d, "orang nomor"), 300);
    /* an edit is none */
    RUN(d->f, "UPDATE contacts SET name = 'Lain' WHERE id = 1");
    wait_people(d);
    search_stat(d->search, &st);
    assert_int_equal(st.purges, 1);
    /* wacrmd died before it was done */
    search_stop(&d->search);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE state SET purge = 1", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    start(d);
    wait_purged(d);
}

static void any_order_of_things(void **state)
{
    static const char *const words[] = {"siti", "budi",   "dewi", "agus",
                                        "nur",  "aminah", "eko",  "rina"};
    desk_t *d = *state;
    char text[100], phone[24];

    srand(11);
    for (int i = 0; i < 600; i++) {
        int what = rand() % 10;

        snprintf(text, sizeof(text), "%s %s", words[rand() % 8],
                 words[rand() % 8]);
        snprintf(phone, sizeof(phone), "62812%04d", rand() % 60);
        if (what < 6) {
            meet(d, phone, NULL, text, "x");
            RUN(d->f, "UPDATE contacts SET name = name || ' x' WHERE id = "
                      "(SELECT max(id) FROM contacts)");
        } else if (what < 8) {
            RUN(d->f, "UPDATE contacts SET name = 'dewi baru' WHERE id = "
                      "(SELECT min(id) FROM contacts) + abs(random()) % 60");
        } else if (i > 20) {
            int64_t ids[2] = {1 + rand() % 20, 1 + rand() % 20};

            if (ids[0] != ids[1]) {
                (void)!domain_write(&d->f->d, merge_tx, ids);
            }
        }
        if (rand() % 4 == 0) {
            search_wake(d->search);
        }
        snprintf(text, sizeof(text), "%s %s", words[rand() % 8],
                 words[rand() % 8]);
        (void)people(d, text);
        (void)people(d, words[rand() % 8]);
    }
    wait_people(d);
    assert_true(people(d, "dewi") > 0);
    search_stop(&d->search);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(d->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO people_index (people_index) "
                                  "VALUES ('integrity-check')",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
}

/* More than the thread takes at a time, and nobody with a chat. */
static void many_by_an_import(void **state)
{
    desk_t *d = *state;
    int64_t ids[8], before = 0;
    size_t n, seen = 0;

    meet(d, "6281210000007", NULL, "Siti Pertama", "a");
    wait_people(d);
    search_stop(&d->search);
    RUN(d->f, "INSERT INTO contacts (phone, name, created_at, updated_at) "
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
              "WHERE i < 5000) SELECT 628990000000 + i, 'Donatur ' || i, 0, 0 "
              "FROM n");
    start(d);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(people(d, "donatur 4999"), 1);
        assert_int_equal(people(d, "pertama"), 1);
        wait_people(d);
    }
    do {
        n = find_people(d->search, d->f->db, "donatur 12", NULL, true, before,
                        ids, 7);
        before = n > 0 ? ids[n - 1] : 0;
        seen += n;
    } while (n == 7);
    assert_int_equal(seen, 111); /* 12, 120 .. 129, 1200 .. 1299 */
    assert_int_equal(people(d, "donatur 12"), 111);
}

/* ---- who may be seen ---- */

static int second_session(tx_t *tx, void *arg)
{
    desk_t *d = arg;

    return session_ensure(tx, d->f->account, "cs-2", &d->f->session);
}

static void only_who_may_be_seen(void **state)
{
    desk_t *d = *state;
    int64_t two[2] = {d->f->session};
    session_set_t first = {.ids = &two[0], .n = 1};
    session_set_t second = {.ids = &two[1], .n = 1};
    session_set_t all = {.ids = two, .n = 2}, none = {0};

    meet(d, "6281210000001", NULL, "Siti Satu", "a");
    assert_int_equal(domain_write(&d->f->d, second_session, d), WERR_OK);
    two[1] = d->f->session;
    meet(d, "6281210000002", NULL, "Siti Dua", "b");
    RUN(d->f, "INSERT INTO contacts (phone, name, created_at, updated_at) "
              "VALUES ('6281210000003', 'Siti Sendiri', 0, 0)");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(people_in(d, "siti", NULL, true), 3);
        assert_int_equal(people_in(d, "siti", &all, true), 3);
        assert_int_equal(people_in(d, "siti", &all, false), 2);
        assert_int_equal(people_in(d, "siti", &first, true), 2);
        assert_int_equal(people_in(d, "siti", &first, false), 1);
        assert_int_equal(people_in(d, "satu", &second, true), 0);
        assert_int_equal(people_in(d, "siti", &none, true), 1);
        assert_int_equal(people_in(d, "siti", &none, false), 0);
        wait_people(d);
    }
    /* a chat comes: no longer everybody's, and the second session's, too */
    meet(d, "6281210000001", NULL, NULL, "c");
    meet(d, "6281210000003", NULL, NULL, "d");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(people_in(d, "siti", &first, true), 1);
        assert_int_equal(people_in(d, "siti", &second, true), 3);
        assert_int_equal(people_in(d, "siti", &none, true), 0);
        wait_people(d);
    }
}

static void lists_are_written(void **state)
{
    desk_t *d = *state;
    int64_t ids[120];
    buf_t b;

    for (int i = 0; i < 120; i++) {
        char phone[24];

        snprintf(phone, sizeof(phone), "62811000%04d", i);
        ids[119 - i] = meet(d, phone, NULL, "Orang", "x");
    }
    buf_init(&b, 0);
    assert_int_equal(contact_write_list(d->f->db, ids, 120, &b, NULL), WERR_OK);
    json_t *list = json_loadb(b.data, b.len, 0, NULL);
    assert_int_equal(json_array_size(list), 120);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(list, 119), "phone")),
        "628110000000");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(list, 0), "phone")),
        "628110000119");
    json_decref(list);
    buf_free(&b);
}

/* ---- chats ---- */

static void in_a_chat(void **state)
{
    static const struct {
        const char *text;
        bool hit;
    } cases[] = {
        {"zakat", true},       {"zakat maal", true}, {"maal infak", false},
        {"aminah", true},      {"0812", true},       {"7654321", true},
        {"wakaf", false},      {"budi", false},      {"dihapus", false},
        {"siti zakat", false}, /* of one place */
    };
    desk_t *d = *state;
    int64_t contact = meet(d, "6281210000007", "7654321@lid", "Siti Aminah",
                           "bayar zakat maal");

    meet(d, "6281210000007", NULL, NULL, "infak saja");
    meet(d, "6281210000007", NULL, NULL, "ini dihapus");
    meet(d, "6281210000008", NULL, "Budi", "wakaf");
    RUN(d->f, "UPDATE messages SET deleted_at = 1 WHERE body LIKE '%dihapus'");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        search_look_t *look;
        bool hit;

        assert_int_equal(
            search_begin(d->search, d->f->db, cases[i].text, &look), WERR_OK);
        assert_int_equal(search_in_chat(look, 1, contact, &hit), WERR_OK);
        if (hit != cases[i].hit) {
            fail_msg("\"%s\": %d", cases[i].text, hit);
        }
        search_end(&look);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(people_are_found),
        T(nothing_breaks_it),
        T(changes_are_followed),
        T(merges_are_followed),
        T(an_id_is_used_again),
        T(any_order_of_things),
        T(an_erasure_leaves_nothing),
        T(many_by_an_import),
        T(only_who_may_be_seen),
        T(lists_are_written),
        T(in_a_chat),
    };

    return cmocka_run_group_tests(tests, quiet, loud);
}
