/* media: bytes once, rows for each, garbage, addresses, what is to come. */
#include "domain_fixture.h"
#include "short_memory.h"

#include <sys/stat.h>
#include <utime.h>

#include <openssl/hmac.h>

#include "db/migrate.h"
#include "db/sqlite.h"
#include "domain/event.h"
#include "domain/housekeeping.h"
#include "domain/media.h"
#include "domain/media_url.h"

#define PNG "\x89PNG\r\n\x1a\n0123"

static char dir[200];

static int setup(void **state)
{
    fixture_t *f;
    int rc = fixture_setup(state);

    f = *state;
    snprintf(dir, sizeof(dir), "%.150s/media", f->dir);
    f->d.settings.media_dir = dir;
    f->d.settings.media_base = "https://crm.example";
    memset(f->d.settings.media_key, 7, MEDIA_KEY_LEN);
    return rc;
}

typedef struct {
    const media_blob_t *blob;
    const char *name;
    int64_t user, message, media;
    media_fetch_t *fetch;
    int64_t again;
    media_row_t row;
} job_t;

static int add_tx(tx_t *tx, void *arg)
{
    job_t *j = arg;

    return media_add(tx, j->blob, j->name, j->user, &j->row);
}

/* Stores and adds. */
static media_row_t put(fixture_t *f, const char *data, const char *name,
                       int64_t user)
{
    media_blob_t b;
    job_t j = {.blob = &b, .name = name, .user = user};

    assert_int_equal(media_store(&f->d, data, strlen(data), &b), WERR_OK);
    assert_int_equal(domain_write(&f->d, add_tx, &j), WERR_OK);
    media_release(&b);
    return j.row;
}

static bool there(const char *hash)
{
    char path[300];

    snprintf(path, sizeof(path), "%.200s/%.2s/%.62s", dir, hash, hash + 2);
    return access(path, F_OK) == 0;
}

static void age(const char *hash)
{
    struct utimbuf old = {0, 0};
    char path[300];

    snprintf(path, sizeof(path), "%.200s/%.2s/%.62s", dir, hash, hash + 2);
    assert_int_equal(utime(path, &old), 0);
}

static void stored_once(void **state)
{
    fixture_t *f = *state;
    media_row_t a = put(f, PNG, "../x/foto\n.png", 1), b = put(f, PNG, NULL, 2);
    media_row_t got;
    char long_name[400], data[64];
    int fd;

    assert_string_equal(a.hash, b.hash);
    assert_string_not_equal(a.public_id, b.public_id);
    assert_string_equal(a.filename, "foto.png");
    assert_string_equal(b.filename, "");
    assert_string_equal(a.mime, "image/png");
    assert_true(there(a.hash));
    assert_int_equal(media_find(f->db, a.public_id, &got), WERR_OK);
    assert_int_equal(got.id, a.id);
    assert_int_equal(got.user, 1);
    assert_string_equal(got.filename, "foto.png");
    assert_int_equal(media_find(f->db, "x", &got), WERR_NOTFOUND);
    assert_int_equal(media_open(&f->d, a.hash, a.size, &fd), WERR_OK);
    assert_int_equal(read(fd, data, sizeof(data)), a.size);
    assert_memory_equal(data, PNG, (size_t)a.size);
    close(fd);
    assert_int_equal(media_open(&f->d, a.hash, a.size + 1, &fd), WERR_IO);
    assert_int_equal(fd, -1);
    a.hash[5] ^= 1;
    assert_int_equal(media_open(&f->d, a.hash, a.size, &fd), WERR_NOTFOUND);
    /* cut between characters */
    memset(long_name, 'x', 119);
    strncpy(long_name + 119, "\xc3\xa9\xc3\xa9", 20);
    a = put(f, "teks", long_name, 1);
    assert_int_equal(strlen(a.filename), 120);
    assert_string_equal(a.filename + 115, "x.txt");
    strncpy(long_name + 115, "\xc3\xa9\xc3\xa9", 20);
    a = put(f, "teks", long_name, 1);
    assert_string_equal(a.filename + 114, "x.txt");
}

static void refused(void **state)
{
    fixture_t *f = *state;
    char path[MEDIA_PATH_MAX];
    media_blob_t b;
    int fd;

    f->d.settings.media_max = 10;
    assert_int_equal(media_store(&f->d, "01234567890", 11, &b), WERR_TOOBIG);
    assert_int_equal(media_store(&f->d,
                                 "\x7f"
                                 "ELF",
                                 4, &b),
                     WERR_INVALID);
    assert_int_equal(media_store(&f->d, "", 0, &b), WERR_INVALID);
    assert_true(sniff_set_parse("pdf", &f->d.settings.media_types));
    assert_int_equal(media_store(&f->d, "teks", 4, &b), WERR_INVALID);
    assert_int_equal(media_temp(&f->d, path, &fd), WERR_OK);
    assert_int_equal(media_settle(&f->d, path, fd, &b), WERR_INVALID);
    assert_int_equal(access(path, F_OK), -1);
    close(fd);
    f->d.settings.media_dir = "/proc/no";
    assert_int_equal(media_store(&f->d, "%PDF-", 5, &b), WERR_IO);
    assert_false(b.held);
    f->d.settings.media_dir = NULL;
    assert_int_equal(media_store(&f->d, "%PDF-", 5, &b), WERR_INVALID);
    assert_int_equal(media_housekeep(&f->d), 0);
}

static void settled(void **state)
{
    fixture_t *f = *state;
    char path[MEDIA_PATH_MAX];
    media_blob_t b;
    int fd;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(media_temp(&f->d, path, &fd), WERR_OK);
        assert_int_equal(write(fd, "%PDF-1", 6), 6);
        assert_int_equal(media_settle(&f->d, path, fd, &b), WERR_OK);
        assert_string_equal(b.type->mime, "application/pdf");
        assert_true(there(b.hash));
        assert_int_equal(access(path, F_OK), -1);
        media_release(&b);
        close(fd);
    }
}

/* ---- messages ---- */

static int64_t send(fixture_t *f, int64_t media, const char *text)
{
    queued_t q = {.out = {.session = f->session,
                          .phone = "62811",
                          .type = "image",
                          .text = text,
                          .source = "agent",
                          .media = media}};

    assert_int_equal(domain_write(&f->d, queue_tx, &q), WERR_OK);
    return q.id;
}

static int detach_tx(tx_t *tx, void *arg)
{
    const job_t *j = arg;

    return media_detach(tx, j->message);
}

static void garbage_goes(void **state)
{
    fixture_t *f = *state;
    media_row_t used = put(f, PNG, "a", 1), twin = put(f, PNG, "b", 1);
    media_row_t lone = put(f, "teks", "c", 1), young = put(f, "muda", "d", 1);
    job_t j = {.message = send(f, used.id, "")};
    media_blob_t b;

    RUN(f, "UPDATE media SET created_at = 0 WHERE id < 4");
    assert_int_equal(media_housekeep(&f->d), 2);
    assert_true(there(used.hash)); /* the twin's row went, not its bytes */
    assert_false(there(lone.hash));
    assert_true(there(young.hash));
    assert_int_equal(ASK(f, "SELECT count(*) FROM media"), 2);
    assert_int_equal(media_find(f->db, twin.public_id, &twin), WERR_NOTFOUND);
    /* a message that goes lets go */
    assert_int_equal(domain_write(&f->d, detach_tx, &j), WERR_OK);
    assert_int_equal(ASK(f, "SELECT used FROM media WHERE id = 1"), 0);
    assert_int_equal(domain_housekeep(&f->d), 1);
    assert_false(there(used.hash));
    /* a file without a row, when it is old */
    assert_int_equal(media_store(&f->d, "yatim", 5, &b), WERR_OK);
    media_release(&b);
    assert_int_equal(media_discard(&f->d, young.hash), 0);
    assert_int_equal(media_discard(&f->d, b.hash), 1);
    assert_false(there(b.hash));
    assert_int_equal(media_discard(&f->d, b.hash), 0);
}

static void *release(void *blob)
{
    media_release(blob);
    return NULL;
}

/* Whoever holds a file holds up nobody but who would take that one away, and
 * may end on another thread than it began. */
static void held_by_somebody(void **state)
{
    fixture_t *f = *state;
    media_blob_t one, same, other;
    pthread_t thread;

    assert_int_equal(media_store(&f->d, "satu", 4, &one), WERR_OK);
    assert_int_equal(media_store(&f->d, "satu", 4, &same), WERR_OK);
    assert_int_equal(media_store(&f->d, "dua", 3, &other), WERR_OK);
    media_release(&other);
    assert_int_equal(media_discard(&f->d, other.hash), 1);
    assert_int_equal(media_discard(&f->d, one.hash), 0);
    assert_int_equal(pthread_create(&thread, NULL, release, &one), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    media_release(&one);
    assert_int_equal(media_discard(&f->d, same.hash), 0);
    assert_true(there(same.hash));
    media_release(&same);
    assert_int_equal(media_discard(&f->d, same.hash), 1);
    assert_false(there(same.hash));
}

static void orphans_are_swept(void **state)
{
    fixture_t *f = *state;
    unsigned part = (unsigned)(clock_now_ms() / 3600000) % 16;
    media_row_t kept = put(f, PNG, "a", 1);
    int found = 0;
    media_blob_t b;
    char text[32];

    age(kept.hash);
    for (int i = 0; i < 64; i++) {
        snprintf(text, sizeof(text), "yatim %d", i);
        assert_int_equal(media_store(&f->d, text, strlen(text), &b), WERR_OK);
        media_release(&b);
        if (i % 2 == 0) {
            age(b.hash);
            found += strtoul((char[]){b.hash[0], '\0'}, NULL, 16) == part;
        }
    }
    assert_int_equal(media_sweep(&f->d), found);
    assert_int_equal(media_sweep(&f->d), 0);
    assert_true(there(kept.hash));
}

static void seen_by(void **state)
{
    fixture_t *f = *state;
    media_row_t m = put(f, PNG, "a", 5);
    session_set_t none = {0};
    session_set_t all = {.n = 1, .ids = &f->session};

    assert_int_equal(media_visible(f->db, &m, 5, &none), WERR_OK);
    assert_int_equal(media_visible(f->db, &m, 6, &all), WERR_NOTFOUND);
    m.user = 0;
    assert_int_equal(media_visible(f->db, &m, 0, &all), WERR_NOTFOUND);
    send(f, m.id, "");
    assert_int_equal(media_visible(f->db, &m, 6, &none), WERR_NOTFOUND);
    assert_int_equal(media_visible(f->db, &m, 6, &all), WERR_OK);
}

/* An echo may tell the file's name as its text: it is ours all the same. */
static void echo_of_a_file(void **state)
{
    fixture_t *f = *state;
    media_row_t m = put(f, PNG, "a", 5);
    int64_t id = send(f, m.id, "keterangan");
    said_t s = {.hint = {.phone = "62811"},
                .in = {.session = f->session,
                       .from_me = true,
                       .wa_id = "ECHO0001",
                       .ts = clock_now_ms(),
                       .type = "image",
                       .text = "foto.png",
                       .live = true}};

    RUN(f, "UPDATE outbox SET attempts = 1, state = 2 WHERE id > 0");
    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    assert_int_equal(s.ref.id, id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM message_media"), 1);
}

/* ---- addresses ---- */

static const char id32[] = "0123456789abcdef0123456789abcdef";

/* What the address of that user and end is signed with. */
static void sign(const char *user, const char *expires, char out[65])
{
    unsigned char key[MEDIA_KEY_LEN], md[32];
    char text[128];
    unsigned n;

    memset(key, 7, sizeof(key));
    snprintf(text, sizeof(text), "%s\n%s\n%s", id32, user, expires);
    assert_non_null(HMAC(EVP_sha256(), key, sizeof(key),
                         (const unsigned char *)text, strlen(text), md, &n));
    for (size_t i = 0; i < 32; i++) {
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    }
}

static void addresses(void **state)
{
    fixture_t *f = *state;
    const media_viewer_t viewer = {&f->d, 12}, nobody = {&f->d, 0};
    char wanted[300], expires[32], mac[65], past[32];
    int64_t end = (clock_now_ms() / DAY_MS + 2) * 86400, user = -1;
    buf_t b;

    snprintf(expires, sizeof(expires), "%lld", (long long)end);
    sign("12", expires, mac);
    snprintf(wanted, sizeof(wanted),
             "/api/crm/media/%s?user=12&expires=%s&signature=%s", id32, expires,
             mac);
    buf_init(&b, 0);
    media_url_add(&b, &viewer, id32);
    assert_string_equal(b.data, wanted);
    assert_int_equal(media_url_check(&f->d, id32, "12", expires, mac, &user),
                     WERR_OK);
    assert_int_equal(user, 12);
    assert_int_equal(media_url_check(&f->d, id32, "13", expires, mac, &user),
                     WERR_DENIED);
    assert_int_equal(
        media_url_check(&f->d, id32, "12", "9999999999", mac, &user),
        WERR_DENIED);
    assert_int_equal(media_url_check(&f->d, "0123", "12", expires, mac, &user),
                     WERR_DENIED);
    assert_int_equal(media_url_check(&f->d, id32, NULL, expires, mac, &user),
                     WERR_DENIED);
    assert_int_equal(media_url_check(&f->d, id32, "12", expires, "", &user),
                     WERR_DENIED);
    f->d.settings.media_key[0] ^= 1;
    assert_int_equal(media_url_check(&f->d, id32, "12", expires, mac, &user),
                     WERR_DENIED);
    f->d.settings.media_key[0] ^= 1;
    /* its time is over */
    snprintf(past, sizeof(past), "%lld", (long long)clock_now_ms() / 1000 - 1);
    sign("12", past, mac);
    assert_int_equal(media_url_check(&f->d, id32, "12", past, mac, &user),
                     WERR_DENIED);
    sign("0", expires, mac);
    assert_int_equal(media_url_check(&f->d, id32, "0", expires, mac, &user),
                     WERR_DENIED);
    buf_reset(&b);
    media_url_add(&b, &nobody, id32);
    assert_string_equal(b.data, "/api/crm/media/0123456789abcdef"
                                "0123456789abcdef");
    buf_free(&b);
}

static void addresses_for_a_gateway(void **state)
{
    fixture_t *f = *state;
    char expires[32], mac[65];
    int64_t end = (clock_now_ms() / DAY_MS + 2) * 86400, user = -1;
    buf_t b;

    snprintf(expires, sizeof(expires), "%lld", (long long)end);
    sign("gateway", expires, mac);
    assert_int_equal(
        media_url_check(&f->d, id32, "gateway", expires, mac, &user), WERR_OK);
    assert_int_equal(user, 0);
    for (long skip = 0, hits = short_memory(); hits > 0; skip++) {
        short_memory_begin(skip, 1);
        int rc = media_url_check(&f->d, id32, "gateway", expires, mac, &user);
        hits = short_memory_end();
        assert_true(rc == WERR_OK || rc == WERR_NOMEM);
    }
    buf_init(&b, 0);
    media_url_add_gateway(&b, &f->d, id32);
    assert_non_null(strstr(b.data, mac));
    assert_memory_equal(b.data, "https://crm.example/api/", 24);
    buf_free(&b);
}

/* ---- what lies at a gateway ---- */

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

    return media_not_fetched(tx, j->fetch, j->again, "reason");
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
    job_t j = {.fetch = &due[0], .blob = &b, .again = now + 5000};
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
        migrate_run(db, f->path, schema_files, 2, error, sizeof(error)),
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
        T(stored_once),      T(refused),
        T(settled),          T(garbage_goes),
        T(held_by_somebody), T(orphans_are_swept),
        T(seen_by),          T(echo_of_a_file),
        T(addresses),        T(addresses_for_a_gateway),
        T(to_be_fetched),    T(migrated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
