/* people: the index follows changes, merges, erasures and imports. */
#include "people_fixture.h"

#include <sqlite3.h>

#include "domain/contact_file.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(changes_are_followed),      T(merges_are_followed),
        T(an_id_is_used_again),       T(any_order_of_things),
        T(an_erasure_leaves_nothing), T(many_by_an_import),
    };

    return cmocka_run_group_tests(tests, quiet, loud);
}
