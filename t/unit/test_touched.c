/* What a commit has changed, as SQLite tells it: by topic and by chat, however
 * the rows were changed; and when it can be seen. */
#include <pthread.h>
#include <stdatomic.h>

#include "store_fixture.h"

static int run_sql(db_t *db, void *arg)
{
    return sqlite_run(db, arg);
}

static void change(const char *sql)
{
    if (store_write(store, run_sql, (void *)(uintptr_t)sql) != WERR_OK) {
        fail_msg("failed: %s", sql);
    }
}

/* Two numbers, two people; 101 writes to both of them, 102 to the first. */
static int setup_desk(void **state)
{
    if (setup(state) != 0) {
        return -1;
    }
    change("INSERT INTO accounts (id, name) VALUES (1, 'main');"
           "INSERT INTO sessions (id, account_id, remote_id, session_id, name,"
           " created_at, updated_at) VALUES (1, 1, 'a', 'a', 'a', 0, 0),"
           " (2, 1, 'b', 'b', 'b', 0, 0);"
           "INSERT INTO users (id, name, email, password_hash, role,"
           " created_at, updated_at) VALUES (1, 'u', 'u@x', 'h', 'cs', 0, 0);"
           "INSERT INTO contacts (id, phone, name, created_at, updated_at)"
           " VALUES (101, '1', 'x', 0, 0), (102, '2', 'y', 0, 0);"
           "INSERT INTO chats (id, session_id, contact_id) VALUES"
           " (11, 1, 101), (12, 2, 101), (13, 1, 102);"
           "INSERT INTO messages (id, session_id, chat_id, direction, ts, type,"
           " body, status, created_at) VALUES"
           " (1, 1, 11, 0, 5, 'text', 'hi', 1, 5)");
    return 0;
}

typedef struct {
    bool first, second, access;           /* topics */
    bool chat11, chat12, chat13, chat999; /* with their contacts */
} seen_t;

static seen_t seen_of(const char *sql)
{
    int64_t v = store_version(store);

    change(sql);
    assert_int_equal(store_version(store), v + 1);
    assert_int_equal(store_changed(store, STORE_ANY_COMMIT), v + 1);
    return (seen_t){
        store_changed(store, store_topic_session(1)) > v,
        store_changed(store, store_topic_session(2)) > v,
        store_changed(store, STORE_ACCESS) > v,
        store_chat_changed(store, 11, 101) > v,
        store_chat_changed(store, 12, 101) > v,
        store_chat_changed(store, 13, 102) > v,
        store_chat_changed(store, 999, 998) > v,
    };
}

static void assert_seen(const char *sql, seen_t want)
{
    seen_t got = seen_of(sql);

    if (memcmp(&got, &want, sizeof(got)) != 0) {
        fail_msg("%s: sessions %d %d access %d chats %d %d %d %d", sql,
                 got.first, got.second, got.access, got.chat11, got.chat12,
                 got.chat13, got.chat999);
    }
}

static const seen_t everything = {true, true, true, true, true, true, true};

static void by_row(void **state)
{
    (void)state;
    assert_seen("UPDATE chats SET unread = 1 WHERE id = 11",
                (seen_t){.first = true, .chat11 = true});
    assert_seen(
        "UPDATE chats SET starred = 1 WHERE contact_id = 101",
        (seen_t){
            .first = true, .second = true, .chat11 = true, .chat12 = true});
    assert_seen("UPDATE messages SET body = 'ha' WHERE id = 1",
                (seen_t){.first = true, .chat11 = true});
    /* from one to the other: both */
    assert_seen(
        "UPDATE messages SET chat_id = 12, session_id = 2",
        (seen_t){
            .first = true, .second = true, .chat11 = true, .chat12 = true});
    assert_seen("DELETE FROM messages", /* all: SQLite would just truncate */
                (seen_t){.second = true, .chat12 = true});
    /* in whichever lists they are, and in no other */
    assert_seen("UPDATE contacts SET name = 'z' WHERE id = 102",
                (seen_t){.first = true, .chat13 = true});
    assert_seen(
        "UPDATE contacts SET vip = 1 WHERE id = 101",
        (seen_t){
            .first = true, .second = true, .chat11 = true, .chat12 = true});
    assert_seen("DELETE FROM chats WHERE id = 13",
                (seen_t){.first = true, .chat13 = true});
    assert_seen("INSERT OR REPLACE INTO chats (id, session_id, contact_id)"
                " VALUES (14, 1, 101)", /* 11 goes */
                (seen_t){.first = true, .chat11 = true});
}

/* One chat being live decides what the others of that person show. */
static void by_person(void **state)
{
    (void)state;
    assert_seen(
        "UPDATE chats SET live = 1 WHERE id = 11",
        (seen_t){
            .first = true, .second = true, .chat11 = true, .chat12 = true});
    assert_seen("UPDATE chats SET live = 1, unread = 2 WHERE id = 11",
                (seen_t){.first = true, .chat11 = true});
    assert_seen("UPDATE chats SET contact_id = 102 WHERE id = 12",
                (seen_t){.first = true,
                         .second = true,
                         .chat11 = true,
                         .chat12 = true,
                         .chat13 = true});
    assert_seen("DELETE FROM chats WHERE id = 13", /* was not live */
                (seen_t){.first = true, .chat13 = true});
    assert_seen("INSERT INTO chats (id, session_id, contact_id, live)"
                " VALUES (13, 1, 102, 1)",
                (seen_t){.first = true, .second = true, .chat13 = true});
}

static void by_access(void **state)
{
    (void)state;
    assert_seen("UPDATE users SET role = 'admin'", (seen_t){.access = true});
    assert_seen("UPDATE users SET active = 0", (seen_t){.access = true});
    assert_seen("INSERT INTO session_members VALUES (1, 1)",
                (seen_t){.access = true});
    assert_seen("DELETE FROM session_members", (seen_t){.access = true});
    assert_seen("UPDATE sessions SET user_id = 1 WHERE id = 2",
                (seen_t){.access = true});
}

static void of_no_list(void **state)
{
    (void)state;
    assert_seen("UPDATE counters SET value = value + 1", (seen_t){0});
    assert_seen("INSERT INTO notes (contact_id, note, created_at)"
                " VALUES (101, 'n', 0)",
                (seen_t){0});
}

static void unknown_is_everything(void **state)
{
    (void)state;
    assert_seen("INSERT INTO test_rows (seq, data) VALUES (1, x'00')",
                everything);
    assert_seen("CREATE TEMP TABLE chats (id INTEGER PRIMARY KEY, n INTEGER);"
                "INSERT INTO temp.chats VALUES (1, 1); DROP TABLE temp.chats",
                everything);
    /* so rare that nobody has judged it */
    assert_seen("INSERT INTO settings (name, value) VALUES ('s', 'v')",
                everything);
    /* more people than are looked up */
    assert_seen("INSERT INTO contacts (phone, name, created_at, updated_at)"
                " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                " FROM n WHERE i < 65) SELECT 'p' || i, 'n', 0, 0 FROM n",
                everything);
    assert_seen("DELETE FROM contacts WHERE phone = 'p7'", (seen_t){0});
}

static int give_nothing(db_t *db, void *arg)
{
    (void)db;
    (void)arg;
    return WERR_OK;
}

DB_QUERY(hits_nothing, "UPDATE chats SET unread = 1 WHERE id = 12345");

static int hit_nothing(db_t *db, void *arg)
{
    (void)arg;
    return db_exec(db_stmt(db, &hits_nothing));
}

static void without_rows(void **state)
{
    int64_t v = store_version(store);

    (void)state;
    assert_int_equal(store_write(store, hit_nothing, NULL), WERR_OK);
    assert_int_equal(store_version(store), v + 1);
    assert_int_equal(store_changed(store, store_topic_session(1)) <= v, true);
    /* no statement: settings that are read anew, under the writer's lock */
    assert_int_equal(store_write(store, give_nothing, NULL), WERR_OK);
    assert_int_equal(store_changed(store, store_topic_session(1)), v + 2);
    assert_int_equal(store_changed(store, STORE_ACCESS), v + 2);
    assert_int_equal(store_chat_changed(store, 999, 999), v + 2);
}

static int undone(db_t *db, void *arg)
{
    (void)arg;
    assert_int_equal(sqlite_run(db, "UPDATE users SET active = 0"), WERR_OK);
    return WERR_INVALID;
}

static void what_is_undone(void **state)
{
    int64_t v = store_version(store);

    (void)state;
    assert_int_equal(store_write(store, undone, NULL), WERR_INVALID);
    assert_int_equal(store_version(store), v);
    assert_true(store_changed(store, STORE_ACCESS) <= v);
    /* and is not kept for the next commit */
    assert_seen("UPDATE chats SET unread = 3 WHERE id = 12",
                (seen_t){.second = true, .chat12 = true});
}

/* ---- at the same time ---- */

DB_QUERY(unread_of, "SELECT unread FROM chats WHERE id = 11");

static _Atomic int64_t told;
static _Atomic bool ended;

/*
 * An answer is kept with the version that was read before it was, and given
 * as long as that holds: it is never older than what the writer has told.
 */
static void *keep_and_give(void *arg)
{
    store_topics_t topics = store_topic_session(1);
    int64_t kept = -1, version = -1;
    _Atomic int *stale = arg;
    db_t *db = NULL;

    if (store_reader(store, &db) != WERR_OK) {
        (*stale)++;
        return NULL;
    }
    while (!ended) {
        int64_t least = told;

        if (version < 0 || store_changed(store, topics) > version) {
            version = store_version(store);
            db_stmt_t *s = db_stmt(db, &unread_of);
            kept = db_first(s) == DB_ROW ? db_i64(s, 0) : -1;
            db_done(s);
        }
        *stale += kept < least;
    }
    store_reader_close(&db);
    return NULL;
}

static void never_older(void **state)
{
    pthread_t readers[2];
    _Atomic int stale = 0;
    char sql[80];

    (void)state;
    change("UPDATE chats SET unread = 0");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            pthread_create(&readers[i], NULL, keep_and_give, &stale), 0);
    }
    for (int i = 1; i <= 400; i++) {
        (void)snprintf(sql, sizeof(sql),
                       "UPDATE chats SET unread = %d WHERE id = %d",
                       i % 3 == 0 ? i : i / 3 * 3, i % 3 == 0 ? 11 : 12);
        change(sql);
        told = i / 3 * 3;
    }
    ended = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    assert_int_equal(stale, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(by_row, setup_desk, teardown),
        cmocka_unit_test_setup_teardown(by_person, setup_desk, teardown),
        cmocka_unit_test_setup_teardown(by_access, setup_desk, teardown),
        cmocka_unit_test_setup_teardown(of_no_list, setup_desk, teardown),
        cmocka_unit_test_setup_teardown(unknown_is_everything, setup_desk,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_rows, setup_desk, teardown),
        cmocka_unit_test_setup_teardown(what_is_undone, setup_desk, teardown),
        cmocka_unit_test_setup_teardown(never_older, setup_desk, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
