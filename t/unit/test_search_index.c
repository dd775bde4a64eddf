/* search: the index catches up, follows changes, and is made anew. */
#include "search_fixture.h"

#include <sqlite3.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(complete_while_it_catches_up),
        T(a_long_backlog),
        T(edits_and_deletions),
        T(an_id_is_used_again),
        T(any_order_of_things),
        T(a_damaged_file),
        T(a_lost_file),
        T(another_database),
    };
    return cmocka_run_group_tests(tests, quiet, loud);
}
