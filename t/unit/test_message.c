#include "short_memory.h"

#include "domain_fixture.h"

static void same_message_is_stored_once(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t a = say(f, "6281", "ID1", "halo", now, false);
    said_t b = say(f, "6281", "ID1", "halo", now, false);
    message_ref_t known;

    assert_true(a.ref.created && a.ref.first);
    assert_false(b.ref.created);
    assert_int_equal(a.ref.id, b.ref.id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 1"), 1);
    assert_int_equal(ASK(f, "SELECT unread FROM chats"), 1);
    assert_int_equal(message_known(f->db, f->session, false, "ID1", &known),
                     WERR_OK);
    assert_int_equal(message_known(f->db, f->session, true, "ID1", &known),
                     WERR_NOTFOUND);
    /* the same id of the other direction is another message */
    b = say(f, "6281", "ID1", "halo", now, true);
    assert_true(b.ref.created);
}

static void older_message_does_not_lead_the_chat(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t a = say(f, "6281", "a", "new", now, false);

    say(f, "6281", "b", "old", now - 60000, false);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), a.ref.id);
    assert_int_equal(ASK(f, "SELECT unread FROM chats"), 2);
}

/* Times on the wire are whole seconds: by them and the ids everybody must come
 * to the order in which the chat is told. */
static void within_a_second_they_stand_as_they_came(void **state)
{
    fixture_t *f = *state;
    int64_t second = clock_now_ms() / 1000 * 1000, a, b;
    said_t s;

    say(f, "6281", "a", "ada yang bisa dibantu?", second, false);
    a = queue(f, "6281", "sudah kami terima");
    second =
        ASK(f, "SELECT ts / 1000 * 1000 FROM messages WHERE direction = 1");
    s = say(f, "6281", "b", "terima kasih", second, false);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), s.ref.id);
    assert_int_equal(
        ASK(f, "SELECT id FROM messages ORDER BY ts DESC, id DESC"), s.ref.id);
    assert_int_equal(ASK(f, "SELECT max(ts) / 1000 - min(ts / 1000) <= 1 "
                            "FROM messages"),
                     1);
    /* also where the chat has gone on since */
    say(f, "6281", "c", "besok", second + 5000, false);
    s = say(f, "6281", "d", "terlambat", second, false);
    assert_int_equal(
        ASK(f, "SELECT count(*) FROM messages m JOIN messages n ON n.id > m.id "
               "AND n.ts / 1000 = m.ts / 1000 AND n.ts < m.ts"),
        0);
    /* the gateway's clock is ahead: our answer stands behind all the same */
    say(f, "6282", "e", "halo", clock_now_ms() + 200000, false);
    b = queue(f, "6282", "halo juga");
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats c JOIN contacts "
                            "k ON k.id = c.contact_id WHERE k.phone = '6282'"),
                     b);
    assert_true(a < b);
}

/* As the outbox does: the attempt is begun before the echo can come. */
static void begin_attempts(fixture_t *f)
{
    RUN(f, "UPDATE outbox SET state = 1, attempts = 1, attempt_id = 'x'");
}

static void echo_binds_to_ours(void **state)
{
    fixture_t *f = *state;
    int64_t a = queue(f, "6281", "terima kasih");
    int64_t b = queue(f, "6281", "terima kasih");
    int64_t now = clock_now_ms();
    said_t e;

    begin_attempts(f);
    e = say(f, "6281", "E1", "terima kasih", now, true);
    assert_int_equal(e.ref.id, a); /* oldest first */
    assert_false(e.ref.created);
    e = say(f, "6281", "E1", "terima kasih", now, true);
    assert_int_equal(e.ref.id, a);
    e = say(f, "6281", "E2", "terima kasih", now + 1000, true);
    assert_int_equal(e.ref.id, b);
    assert_int_equal(status_of(f, a), STATUS_SENT);
    e = say(f, "6281", "E3", "terima kasih", now + 2000, true);
    assert_true(e.ref.created); /* said on the phone */
    move(f, "E2", STATUS_READ);
    assert_int_equal(status_of(f, b), STATUS_READ);
}

static void echo_does_not_bind_beyond_60_s_or_before_a_try(void **state)
{
    fixture_t *f = *state;
    said_t e;

    queue(f, "6281", "salam");
    e = say(f, "6281", "E0", "salam", clock_now_ms(), true);
    assert_true(e.ref.created); /* nothing of ours has left yet */
    begin_attempts(f);
    e = say(f, "6281", "E1", "salam", clock_now_ms() + 200000, true);
    assert_true(e.ref.created);
    e = say(f, "6281", "E2", "salam", clock_now_ms() - 200000, true);
    assert_true(e.ref.created);
    e = say(f, "6281", "E3", "salam", clock_now_ms() - 30000, true);
    assert_false(e.ref.created);
}

static void echo_ends_an_unknown(void **state)
{
    fixture_t *f = *state;

    queue(f, "6281", "salam");
    RUN(f, "UPDATE outbox SET state = 2, attempts = 1");
    RUN(f, "UPDATE messages SET status = 1");
    RUN(f, "UPDATE chats SET failed = 1");
    say(f, "6281", "E1", "salam", clock_now_ms(), true);
    assert_int_equal(ASK(f, "SELECT state FROM outbox"), 4);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 0);
}

static void parked_statuses_in_any_order(void **state)
{
    static const status_t orders[][3] = {
        {STATUS_SENT, STATUS_DELIVERED, STATUS_READ},
        {STATUS_READ, STATUS_DELIVERED, STATUS_SENT},
        {STATUS_DELIVERED, STATUS_READ, STATUS_SENT},
        {STATUS_READ, STATUS_SENT, STATUS_FAILED},
    };
    fixture_t *f = *state;
    int64_t now = clock_now_ms();

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        char id[24];
        said_t s;

        snprintf(id, sizeof(id), "P%zu", i);
        for (int k = 0; k < 3; k++) {
            move(f, id, orders[i][k]);
        }
        assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 3);
        s = say(f, "6281", id, "x", now + (int64_t)i, true);
        assert_int_equal(status_of(f, s.ref.id), STATUS_READ);
        assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
    }
}

typedef struct {
    said_t said;
    long skip, hits;
} short_said_t;

static int say_with_short_memory(tx_t *tx, void *arg)
{
    short_said_t *s = arg;
    int rc;

    short_memory_begin(s->skip, 1);
    rc = say_tx(tx, &s->said);
    s->hits = short_memory_end();
    return rc;
}

/* What is parked is applied, or still there for the next try. */
static void parked_status_outlives_want_of_memory(void **state)
{
    fixture_t *f = *state;
    short_said_t s = {.hits = 1};

    if (!short_memory()) {
        skip();
    }
    for (; s.hits > 0; s.skip++) {
        char id[24];
        int rc;

        assert_true(s.skip < 2000);
        snprintf(id, sizeof(id), "M%ld", s.skip);
        move(f, id, STATUS_READ);
        s.said = (said_t){.hint = {.phone = "6281"},
                          .in = {.session = f->session,
                                 .from_me = true,
                                 .wa_id = id,
                                 .ts = clock_now_ms(),
                                 .type = "text",
                                 .text = id,
                                 .live = true}};
        rc = domain_write(&f->d, say_with_short_memory, &s);
        if (rc != WERR_OK) {
            assert_int_equal(rc, WERR_NOMEM);
            assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 1);
            s.said = say(f, "6281", id, id, clock_now_ms(), true);
        }
        assert_int_equal(status_of(f, s.said.ref.id), STATUS_READ);
        assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
    }
    assert_true(s.skip > 1);
}

static void status_only_moves_forward(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "S1", "x", clock_now_ms(), true);
    said_t in = say(f, "6281", "S2", "x", clock_now_ms(), false);
    int64_t events;

    move(f, "S1", STATUS_FAILED);
    assert_int_equal(status_of(f, s.ref.id), STATUS_FAILED);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages "
                            "WHERE error_code = '131'"),
                     1);
    move(f, "S1", STATUS_READ); /* proves the failure wrong */
    assert_int_equal(status_of(f, s.ref.id), STATUS_READ);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages "
                            "WHERE error_code = '131'"),
                     0);
    events = ASK(f, "SELECT count(*) FROM events");
    move(f, "S1", STATUS_DELIVERED);
    move(f, "S1", STATUS_FAILED);
    assert_int_equal(status_of(f, s.ref.id), STATUS_READ);
    /* a status of theirs changes nothing, and is not parked */
    move(f, "S2", STATUS_READ);
    assert_int_equal(status_of(f, in.ref.id), STATUS_DELIVERED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events"), events);
}

typedef struct {
    int64_t session;
    const char *wa_id, *text;
    int64_t ts;
    char what;
} change_t;

static int change_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;

    switch (c->what) {
    case 'r':
        return message_react(tx, c->session, c->wa_id, "6281", c->text, c->ts);
    case 'e':
        return message_edit(tx, c->session, c->wa_id, c->text, c->ts);
    default:
        return message_delete(tx, c->session, c->wa_id, c->ts);
    }
}

static void change(fixture_t *f, char what, const char *wa_id, const char *text,
                   int64_t ts)
{
    change_t c = {f->session, wa_id, text, ts, what};

    assert_int_equal(domain_write(&f->d, change_tx, &c), WERR_OK);
}

static void newest_change_wins(void **state)
{
    fixture_t *f = *state;

    say(f, "6281", "M", "satu", 1000000, false);
    change(f, 'r', "M", "\xf0\x9f\x91\x8d", 2000000);
    change(f, 'r', "M", "x", 1500000);
    assert_int_equal(ASK(f, "SELECT ts FROM reactions"), 2000000);
    change(f, 'r', "M", "", 3000000);
    change(f, 'r', "M", "late", 2500000);
    assert_int_equal(ASK(f, "SELECT count(*) FROM reactions "
                            "WHERE emoji = ''"),
                     1);
    change(f, 'e', "M", "tiga", 3000000);
    change(f, 'e', "M", "dua", 2000000);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages "
                            "WHERE body = 'tiga' AND edited_at = 3000000"),
                     1);
    change(f, 'd', "M", NULL, 4000000);
    change(f, 'd', "M", NULL, 5000000);
    assert_int_equal(ASK(f, "SELECT deleted_at FROM messages"), 4000000);
}

static void changes_before_their_message(void **state)
{
    fixture_t *f = *state;

    change(f, 'd', "M", NULL, 4000000);
    change(f, 'e', "M", "dua", 2000000);
    change(f, 'r', "M", "x", 2000000);
    say(f, "6281", "M", "satu", 1000000, false);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE "
                            "body = 'dua' AND deleted_at = 4000000"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM reactions"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
}

static int retry_tx(tx_t *tx, void *arg)
{
    return message_retry(tx, *(int64_t *)arg);
}

static void retry_only_from_failed_or_unknown(void **state)
{
    fixture_t *f = *state;
    int64_t id = queue(f, "6281", "x"), none = 999;

    assert_int_equal(domain_write(&f->d, retry_tx, &id), WERR_CONFLICT);
    assert_int_equal(domain_write(&f->d, retry_tx, &none), WERR_NOTFOUND);
    RUN(f, "UPDATE outbox SET state = 5, attempts = 3");
    RUN(f, "UPDATE messages SET status = 6, error_code = 'e'");
    RUN(f, "UPDATE chats SET failed = 1");
    assert_int_equal(domain_write(&f->d, retry_tx, &id), WERR_OK);
    assert_int_equal(status_of(f, id), STATUS_QUEUED);
    assert_int_equal(ASK(f, "SELECT state + attempts FROM outbox"), 0);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 0);
    /* its outbox row was tidied away: it gets a new one */
    RUN(f, "DELETE FROM outbox");
    RUN(f, "UPDATE messages SET status = 1");
    assert_int_equal(domain_write(&f->d, retry_tx, &id), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox"), 1);
}

static void events_are_numbered_in_commit_order(void **state)
{
    fixture_t *f = *state;
    int64_t seq = atomic_load(&f->d.last_seq), version;

    say(f, "6281", "a", "x", clock_now_ms(), false);
    assert_int_equal(atomic_load(&f->d.last_seq), seq + 1);
    version = domain_version(&f->d);
    queue(f, "6281", "x");
    assert_true(domain_version(&f->d) > version);
    assert_int_equal(ASK(f, "SELECT max(seq) FROM events"), seq + 2);
    assert_int_equal(ASK(f, "SELECT value FROM counters "
                            "WHERE name = 'event_seq'"),
                     seq + 2);
}

static int fail_tx(tx_t *tx, void *arg)
{
    int rc = queue_tx(tx, arg);

    return rc == WERR_OK ? WERR_DENIED : rc;
}

static void nothing_of_a_failed_transaction_stays(void **state)
{
    fixture_t *f = *state;
    int64_t seq = atomic_load(&f->d.last_seq);
    queued_t q = {.out = {.session = f->session,
                          .phone = "6281",
                          .type = "text",
                          .text = "x",
                          .source = "agent"}};

    assert_int_equal(domain_write(&f->d, fail_tx, &q), WERR_DENIED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts"), 0);
    assert_int_equal(atomic_load(&f->d.last_seq), seq);
    queue(f, "6281", "x");
    assert_int_equal(atomic_load(&f->d.last_seq), seq + 1);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(same_message_is_stored_once),
        TEST(older_message_does_not_lead_the_chat),
        TEST(within_a_second_they_stand_as_they_came),
        TEST(echo_binds_to_ours),
        TEST(echo_does_not_bind_beyond_60_s_or_before_a_try),
        TEST(echo_ends_an_unknown),
        TEST(parked_statuses_in_any_order),
        TEST(parked_status_outlives_want_of_memory),
        TEST(status_only_moves_forward),
        TEST(newest_change_wins),
        TEST(changes_before_their_message),
        TEST(retry_only_from_failed_or_unknown),
        TEST(events_are_numbered_in_commit_order),
        TEST(nothing_of_a_failed_transaction_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
