/* event_feed: lengths, pages, what was undone, what is no longer kept. */
#include "feed_fixture.h"

/* ---- limits ---- */

static char *repeat(const char *what, size_t n)
{
    size_t len = strlen(what);
    char *out = malloc(n * len + 1);

    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * len, what, len);
    }
    out[n * len] = '\0';
    return out;
}

static void check_cut(fixture_t *f, const char *id, const char *body,
                      bool whole)
{
    int64_t since = now_at(f);
    heard_t *h;
    json_t *d;

    say(f, "6281", id, body, clock_now_ms(), false);
    h = listen_to(f, since, FEED_ROWS, NULL);
    assert_int_equal(h->n, 1);
    d = h->e[0].data;
    assert_true(h->longest <= FEED_DATA_MAX);
    assert_true(json_is_true(member(d, "truncated")) == !whole);
    assert_string_equal(text(d, "message.donatur.phone"), "6281");
    if (whole) {
        assert_string_equal(text(d, "message.message"), body);
    }
    forget(h);
}

static void long_text_is_cut(void **state)
{
    fixture_t *f = *state;
    char *a = repeat("a", 1000), *b = repeat("a", 1001);
    char *face = repeat("\xf0\x9f\x98\x80", 50000);
    char *control = repeat("\x01", 200000);

    check_cut(f, "A", a, true);
    check_cut(f, "B", b, false);
    check_cut(f, "C", face, false);
    check_cut(f, "D", control, false);
    free(a);
    free(b);
    free(face);
    free(control);
}

/* Everything that others may write, as long and as costly as it may be. */
static void nothing_is_longer_than_allowed(void **state)
{
    fixture_t *f = *state;
    about_t a = {.text = repeat("\x01", 4000)};
    said_t s = say(f, "6281", "A", a.text, clock_now_ms(), false);
    int64_t since = now_at(f) - 1;
    heard_t *h;

    a.contact = s.contact.id;
    RUN(f, "UPDATE contacts SET name = replace(hex(zeroblob(2000)), '0', "
           "char(1))");
    RUN(f, "UPDATE messages SET wa_id = replace(hex(zeroblob(127)), '0', "
           "char(1)), error_code = wa_id, error_title = body");
    RUN(f, "INSERT INTO message_media (message_id, mime, filename) "
           "SELECT id, replace(hex(zeroblob(127)), '0', char(2)), body "
           "FROM messages");
    RUN(f, "INSERT INTO reactions (message_id, sender, emoji, ts) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 200) SELECT m.id, i, 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', "
           "0 FROM n JOIN messages m");
    RUN(f, "INSERT INTO contact_aliases (alias, contact_id) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 200) SELECT '9999999999999999999999999999999' || i, "
           "k.id FROM n JOIN contacts k");
    assert_int_equal(domain_write(&f->d, remind_tx, &a), WERR_OK);
    assert_int_equal(reminder_fire(&f->d), 1);
    h = listen_to(f, since, FEED_ROWS, NULL);
    assert_int_equal(h->n, 3);
    assert_true(h->longest <= FEED_DATA_MAX);
    assert_true(json_is_true(member(h->e[0].data, "truncated")));
    assert_string_equal(text(h->e[0].data, "message.donatur.phone"), "6281");
    assert_int_equal(json_array_size(member(h->e[1].data, "donatur.aliases")),
                     20);
    assert_true(json_is_true(member(h->e[2].data, "truncated")));
    forget(h);
    free((char *)(uintptr_t)a.text);
}

/* ---- order ---- */

static int flood_tx(tx_t *tx, void *arg)
{
    const fixture_t *f = arg;
    int rc = WERR_OK;

    for (int i = 0; rc == WERR_OK && i < 997; i++) {
        rc = i % 3 == 0 ? event_raise(tx, EVENT_CHAT, f->session, 1 + i % 2, 0)
             : i % 3 == 1 ? event_raise(tx, EVENT_MESSAGE_STATUS, f->session, 1,
                                        1 + i % 2)
                          : event_raise(tx, EVENT_CONTACT, 0, 0, 1 + i % 2);
    }
    return rc;
}

static void pages_miss_and_repeat_nothing(void **state)
{
    fixture_t *f = *state;
    static const size_t pages[] = {1, 7, 50, 199, 200};
    int64_t since;
    heard_t *h;
    int64_t next;

    say(f, "6281", "ID1", "satu", clock_now_ms(), false);
    say(f, "6282", "ID2", "dua", clock_now_ms(), false);
    since = now_at(f);
    assert_int_equal(domain_write(&f->d, flood_tx, f), WERR_OK);
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        h = listen_to(f, since, pages[i], NULL);
        assert_int_equal(h->n, 997);
        for (size_t k = 0; k < h->n; k++) {
            assert_int_equal(h->e[k].seq, since + 1 + (int64_t)k);
        }
        forget(h);
    }
    h = calloc(1, sizeof(*h));
    h->stop = 3;
    assert_int_equal(feed_read(f->db, &f->d, since, 50, NULL, hear, h, &next),
                     3);
    assert_int_equal(next, since + 3);
    forget(h);
}

static void the_same_again_is_told_once(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    int64_t since = now_at(f);

    /* each in a transaction of its own: twice */
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    json_decref(told(f, since, "ChatUpdated ChatUpdated"));
}

typedef struct {
    fixture_t *f;
    int64_t chat;
} undo_t;

/* What a savepoint took back is told when it happens after all. */
static int undone_tx(tx_t *tx, void *arg)
{
    const undo_t *u = arg;
    int64_t mark;
    int rc = domain_savepoint(tx, &mark);

    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CHAT, u->f->session, u->chat, 0);
    }
    if (rc == WERR_OK) {
        rc = domain_rollback(tx, mark);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CHAT, u->f->session, u->chat, 0);
    }
    return rc == WERR_OK
               ? event_raise(tx, EVENT_CHAT, u->f->session, u->chat, 0)
               : rc;
}

static void undone_is_not_told(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    undo_t u = {f, s.ref.chat};
    int64_t since = now_at(f);

    assert_int_equal(domain_write(&f->d, undone_tx, &u), WERR_OK);
    json_decref(told(f, since, "ChatUpdated"));
    assert_int_equal(now_at(f), since + 1);
}

static void position_knows_what_is_gone(void **state)
{
    fixture_t *f = *state;
    int64_t last, end;
    bool resync;

    say(f, "6281", "ID1", "satu", clock_now_ms(), false);
    say(f, "6281", "ID2", "dua", clock_now_ms(), false);
    say(f, "6281", "ID3", "tiga", clock_now_ms(), false);
    end = now_at(f);
#define POSITION(since, want)                                            \
    assert_int_equal(feed_position(f->db, &f->d, since, &resync, &last), \
                     WERR_OK);                                           \
    assert_int_equal(resync, want);                                      \
    assert_int_equal(last, end)
    POSITION(0, false);
    POSITION(end - 1, false);
    POSITION(end, false);
    POSITION(end + 1, true);
    RUN(f, "DELETE FROM events WHERE seq <= 2");
    POSITION(0, true);
    POSITION(1, true);
    POSITION(2, false);
    POSITION(3, false);
    RUN(f, "DELETE FROM events");
    POSITION(end - 1, true);
    POSITION(end, false);
    POSITION(0, true);
#undef POSITION
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(long_text_is_cut),
        T(nothing_is_longer_than_allowed),
        T(pages_miss_and_repeat_nothing),
        T(the_same_again_is_told_once),
        T(undone_is_not_told),
        T(position_knows_what_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
