/* media: what lies at a gateway and is to come. */
#include "media_fixture.h"

#include "db/migrate.h"
#include "db/sqlite.h"

static int64_t hear(fixture_t *f, const char *wa_id, const char *url)
{
    media_t media = {.remote_url = url, .filename = "a/b.jpg", .size = -1};
    said_t s = {.hint = {.phone = "6281", .wrote = true},
                .in = {.session = f->session,
                       .wa_id = wa_id,
                       .ts = clock_now_ms(),
                       .type = "image",
                       .text = "",
                       .media = &media,
                       .live = true}};

    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    return s.ref.id;
}

static int not_tx(tx_t *tx, void *arg)
{
    const job_t *j = arg;

    return media_not_fetched(tx, j->fetch, j->again, j->tried, "reason");
}

static int fetched_tx(tx_t *tx, void *arg)
{
    const job_t *j = arg;

    return media_fetched(tx, j->fetch, j->blob);
}

static void to_be_fetched(void **state)
{
    fixture_t *f = *state;
    int64_t a = hear(f, "A", "http://x/a"), next, now = clock_now_ms() + 10;
    media_fetch_t due[2];
    media_blob_t b;
    job_t j = {
        .fetch = &due[0], .blob = &b, .again = now + 5000, .tried = true};
    size_t n;

    (void)hear(f, "B", NULL);
    (void)hear(f, "C", "http://x/c");
    assert_int_equal(media_due(f->db, now, due, 1, &n, &next), WERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(due[0].message, a);
    assert_string_equal(due[0].url, "http://x/a");
    assert_string_equal(due[0].account, "seed");
    assert_true(next <= now);
    /* later, then never */
    assert_int_equal(domain_write(&f->d, not_tx, &j), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 6"), 0);
    media_fetch_free(due, n);
    assert_int_equal(media_due(f->db, now, due, 2, &n, &next), WERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(next, j.again);
    j.tried = false; /* there was no memory to try it */
    assert_int_equal(domain_write(&f->d, not_tx, &j), WERR_OK);
    assert_int_equal(ASK(f, "SELECT max(fetch_tries) FROM message_media"), 1);
    j.again = 0;
    assert_int_equal(domain_write(&f->d, not_tx, &j), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 6"), 1);
    media_fetch_free(due, n);
    /* and here */
    assert_int_equal(media_due(f->db, INT64_MAX - 1, due, 2, &n, &next),
                     WERR_OK);
    assert_int_equal(n, 1);
    assert_int_equal(due[0].tries, 1);
    assert_int_equal(media_store(&f->d, PNG, strlen(PNG), &b), WERR_OK);
    assert_int_equal(domain_write(&f->d, fetched_tx, &j), WERR_OK);
    media_release(&b);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 6"), 2);
    assert_int_equal(ASK(f, "SELECT count(*) FROM message_media x JOIN media m "
                            "ON m.id = x.media_id WHERE m.used = 1 "
                            "AND x.filename = 'b.jpg' "
                            "AND x.mime = 'image/png'"),
                     1);
    /* twice changes nothing */
    assert_int_equal(domain_write(&f->d, not_tx, &j), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 6"), 2);
    media_fetch_free(due, n);
    assert_int_equal(media_due(f->db, INT64_MAX - 1, due, 2, &n, &next),
                     WERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(next, INT64_MAX);
}

/* A database of before: what donors sent is fetched now. */
static void migrated(void **state)
{
    fixture_t *f = *state;
    store_options_t o = {.path = f->path};
    char error[256];
    db_t *db;

    fixture_close(f);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(
        sqlite_open(&db, f->path, SQLITE_ROLE_WRITER, error, sizeof(error)),
        WERR_OK);
    assert_int_equal(
        migrate_run(db, f->path, true, schema_files, 2, error, sizeof(error)),
        WERR_OK);
    assert_int_equal(
        sqlite_run(
            db,
            "INSERT INTO accounts (id, name) VALUES (1, 'a');"
            "INSERT INTO sessions (id, account_id, remote_id, session_id,"
            " name, created_at, updated_at) VALUES (1, 1, 'r', 'r', 'r', 0, 0);"
            "INSERT INTO contacts (id, phone, name, created_at, updated_at)"
            " VALUES (1, '6281', 'x', 0, 0);"
            "INSERT INTO chats (id, session_id, contact_id) VALUES (1, 1, 1);"
            "INSERT INTO messages (id, session_id, chat_id, direction, ts,"
            " type, body, status, created_at) VALUES"
            " (1, 1, 1, 0, 0, 'image', '', 3, 0),"
            " (2, 1, 1, 0, 0, 'image', '', 3, 0);"
            "INSERT INTO message_media (message_id, remote_url) VALUES"
            " (1, 'http://x/a'), (2, NULL)"),
        WERR_OK);
    sqlite_shut(&db);
    assert_int_equal(store_open(&f->store, &o), WERR_OK);
    assert_int_equal(store_reader(f->store, &f->db), WERR_OK);
    assert_int_equal(ASK(f, "SELECT sum(message_id) FROM message_media "
                            "WHERE fetch_state = 1 AND media_id IS NULL"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM media"), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(to_be_fetched),
        T(migrated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
