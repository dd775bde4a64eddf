/* media: bytes once, rows for each, garbage. */
#include "media_fixture.h"
#include "short_memory.h"

#include <pthread.h>
#include <sys/stat.h>
#include <utime.h>

#include "domain/event.h"

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
    assert_int_equal(media_housekeep(&f->d), 1);
    assert_int_equal(media_housekeep(&f->d), 0);
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
    const unsigned hour = 5;
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
            found += strtoul((char[]){b.hash[0], '\0'}, NULL, 16) == hour;
        }
    }
    for (unsigned n = 0; n < 2 * MEDIA_SWEEPS; n++) {
        int rc = media_sweep(&f->d, 16 + hour, n % MEDIA_SWEEPS);

        assert_true(rc >= 0);
        found -= rc;
        assert_true(n != MEDIA_SWEEPS - 1 || found == 0);
    }
    assert_int_equal(found, 0);
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

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(stored_once),  T(refused),          T(settled),
        T(garbage_goes), T(held_by_somebody), T(orphans_are_swept),
        T(seen_by),      T(echo_of_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
