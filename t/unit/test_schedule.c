#include "domain_fixture.h"

#include "domain/consent.h"
#include "domain/contact_merge.h"
#include "domain/delivery.h"
#include "domain/media_url.h"
#include "domain/schedule.h"

#define PHONE   "6281200000001"
#define HOUR_MS INT64_C(3600000)
#define MAX     8

static int64_t later(fixture_t *f, const char *phone, const char *text,
                     int64_t in_ms)
{
    queued_t q = {.out = {.session = f->session,
                          .phone = phone,
                          .type = "text",
                          .text = text,
                          .source = "agent",
                          .scheduled_at = clock_now_ms() + in_ms}};

    assert_int_equal(domain_write(&f->d, queue_tx, &q), WERR_OK);
    return q.id;
}

static int release_tx(tx_t *tx, void *arg)
{
    (void)arg;
    return schedule_release(tx, MAX);
}

static int release(fixture_t *f)
{
    return domain_write(&f->d, release_tx, NULL);
}

typedef struct {
    int64_t id, at;
} change_t;

static int cancel_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;

    return schedule_cancel(tx, c->id);
}

static int cancel(fixture_t *f, int64_t id)
{
    change_t c = {.id = id};

    return domain_write(&f->d, cancel_tx, &c);
}

static int move_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;

    return schedule_move(tx, c->id, c->at);
}

static int64_t next_of(fixture_t *f)
{
    int64_t next;

    assert_int_equal(schedule_next(f->db, &next), WERR_OK);
    return next;
}

/* The texts of the lanes' heads, which are then sent, until none is left. */
static void leave_all(fixture_t *f, const char *want)
{
    char got[256] = "";
    delivery_t d[MAX];
    int64_t next;
    size_t n;

    for (;;) {
        assert_int_equal(delivery_due(f->db, clock_now_ms(), d, MAX, &n, &next),
                         WERR_OK);
        if (n == 0) {
            break;
        }
        strncat(got, d[0].text, sizeof(got) - strlen(got) - 1);
        strncat(got, " ", sizeof(got) - strlen(got) - 1);
        delivery_free(d, n);
        RUN(f, "UPDATE messages SET status = 2 WHERE id = (SELECT message_id "
               "FROM outbox WHERE state = 0 ORDER BY id LIMIT 1)");
        RUN(f, "UPDATE outbox SET state = 4 WHERE id = (SELECT min(id) "
               "FROM outbox WHERE state = 0)");
    }
    assert_string_equal(got, want);
}

static void waits_and_leaves(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, PHONE, "A1", "halo", clock_now_ms() - 1000, false);
    int64_t id = later(f, PHONE, "nanti", HOUR_MS), at;

    assert_int_equal(status_of(f, id), STATUS_SCHEDULED);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), s.ref.id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 2"), 0);
    at = next_of(f);
    assert_int_equal(at, ASK(f, "SELECT scheduled_at FROM messages "
                                "WHERE scheduled_at IS NOT NULL"));
    assert_true(at > clock_now_ms());
    assert_int_equal(release(f), 0);
    /* in nobody's way */
    queue(f, PHONE, "sekarang");
    leave_all(f, "sekarang ");
    RUN(f, "UPDATE outbox SET not_before = 1 WHERE state = 7");
    queue(f, PHONE, "sebelumnya");
    assert_int_equal(release(f), 1);
    assert_int_equal(release(f), 0);
    assert_int_equal(status_of(f, id), STATUS_QUEUED);
    assert_int_equal(next_of(f), INT64_MAX);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), id);
    assert_true(ASK(f, "SELECT ts FROM messages WHERE body = 'nanti'") <=
                clock_now_ms() + MAX);
    leave_all(f, "sebelumnya nanti ");
    assert_int_equal(ASK(f, "SELECT max(ref) FROM events WHERE kind = 2 "
                            "AND seq = (SELECT max(seq) FROM events)"),
                     id);
}

static void by_due_time(void **state)
{
    fixture_t *f = *state;

    (void)later(f, PHONE, "c", 3 * HOUR_MS);
    (void)later(f, PHONE, "a", HOUR_MS);
    (void)later(f, PHONE, "b", 2 * HOUR_MS);
    RUN(f, "UPDATE outbox SET not_before = not_before - 99999999");
    assert_int_equal(release(f), 3);
    assert_int_equal(ASK(f, "SELECT count(*) FROM (SELECT body, row_number() "
                            "OVER (ORDER BY ts, id) AS n FROM messages) "
                            "WHERE (body = 'a' AND n = 1) "
                            "OR (body = 'b' AND n = 2) "
                            "OR (body = 'c' AND n = 3)"),
                     3);
    /* nobody has been written to: the first of them is the first one */
    assert_int_equal(ASK(f, "SELECT sum(o.first) FROM outbox o"), 1);
    assert_int_equal(ASK(f, "SELECT o.first FROM outbox o JOIN messages m ON "
                            "m.id = o.message_id WHERE m.body = 'a'"),
                     1);
    leave_all(f, "a b c ");
}

static void another_time(void **state)
{
    fixture_t *f = *state;
    change_t c = {later(f, PHONE, "x", HOUR_MS), clock_now_ms() + 9 * HOUR_MS};

    assert_int_equal(domain_write(&f->d, move_tx, &c), WERR_OK);
    assert_int_equal(next_of(f), c.at);
    assert_int_equal(ASK(f, "SELECT scheduled_at FROM messages"), c.at);
    assert_int_equal(ASK(f, "SELECT ts FROM messages"), c.at);
    RUN(f, "UPDATE outbox SET not_before = 1");
    assert_int_equal(release(f), 1);
    assert_int_equal(domain_write(&f->d, move_tx, &c), WERR_CONFLICT);
    c.id = 99999;
    assert_int_equal(domain_write(&f->d, move_tx, &c), WERR_CONFLICT);
}

static void cancelled(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, PHONE, "A1", "halo", clock_now_ms() - 1000, false);
    int64_t id = later(f, PHONE, "batal", HOUR_MS), waits;

    assert_int_equal(cancel(f, id), WERR_OK);
    assert_int_equal(status_of(f, id), STATUS_CANCELLED);
    assert_int_equal(cancel(f, id), WERR_CONFLICT);
    assert_int_equal(next_of(f), INT64_MAX);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox"), 0);
    assert_true(ASK(f, "SELECT ts FROM messages WHERE body = 'batal'") <=
                clock_now_ms());
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), s.ref.id);
    /* what has only been queued, too */
    waits = queue(f, PHONE, "antre");
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), waits);
    assert_int_equal(cancel(f, waits), WERR_OK);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), s.ref.id);
    assert_int_equal(ASK(f, "SELECT last_direction FROM chats"), 0);
    /* but not what is on its way, or was */
    waits = queue(f, PHONE, "jalan");
    RUN(f, "UPDATE outbox SET state = 1");
    assert_int_equal(cancel(f, waits), WERR_CONFLICT);
    assert_int_equal(status_of(f, waits), STATUS_QUEUED);
    RUN(f, "UPDATE messages SET status = 6 WHERE body = 'jalan'");
    assert_int_equal(cancel(f, waits), WERR_CONFLICT);
    assert_int_equal(cancel(f, s.ref.id), WERR_CONFLICT);
    assert_int_equal(cancel(f, 99999), WERR_NOTFOUND);
}

static int defer_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;

    return delivery_defer(tx, c->id, c->at);
}

/* What stood behind it was put off with it, and waits for nobody now. */
static void cancelled_head(void **state)
{
    fixture_t *f = *state;
    int64_t id = queue(f, PHONE, "kepala");
    change_t c;

    (void)queue(f, PHONE, "ekor");
    c = (change_t){ASK(f, "SELECT min(id) FROM outbox"),
                   clock_now_ms() + HOUR_MS};
    assert_int_equal(domain_write(&f->d, defer_tx, &c), WERR_OK);
    leave_all(f, "");
    assert_int_equal(cancel(f, id), WERR_OK);
    leave_all(f, "ekor ");
}

/* ---- who has opted out ---- */

static void stop_reaches_all_that_waits(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, PHONE, "A1", "halo", clock_now_ms() - 9000, false);
    int64_t waits = queue(f, PHONE, "antre");
    int64_t soon = later(f, PHONE, "nanti", HOUR_MS);
    int64_t other = queue(f, "6281200000002", "orang lain");

    s = say(f, PHONE, "A2", "STOP", clock_now_ms(), false);
    assert_int_equal(status_of(f, waits), STATUS_FAILED);
    assert_int_equal(status_of(f, soon), STATUS_FAILED);
    assert_int_equal(status_of(f, other), STATUS_QUEUED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE error_code = "
                            "'opted_out' AND error_title IS NOT NULL"),
                     2);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox WHERE state = 5"), 2);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox WHERE state IN "
                            "(0, 7)"),
                     1);
    assert_int_equal(ASK(f, "SELECT failed FROM chats WHERE failed > 0"), 2);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats WHERE "
                            "failed > 0"),
                     s.ref.id);
    assert_int_equal(next_of(f), INT64_MAX);
}

typedef struct {
    int64_t id;
    const char *attempt;
    char what;
    int rc;
} attempt_t;

static int attempt_tx(tx_t *tx, void *arg)
{
    attempt_t *a = arg;

    a->rc = a->what == 'b'
                ? delivery_start(tx, a->id, a->attempt)
                : delivery_retry(tx, a->id, a->attempt, tx->now, "503");
    return a->rc == WERR_DENIED ? WERR_OK : a->rc;
}

static int attempt(fixture_t *f, char what, int64_t id, const char *name)
{
    attempt_t a = {id, name, what, 0};

    assert_int_equal(domain_write(&f->d, attempt_tx, &a), WERR_OK);
    return a.rc;
}

/* It may have left before the STOP; it does not leave a second time. */
static void stop_while_in_flight(void **state)
{
    fixture_t *f = *state;
    int64_t id, row;

    (void)say(f, PHONE, "A1", "halo", clock_now_ms() - 9000, false);
    id = queue(f, PHONE, "jalan");
    row = ASK(f, "SELECT id FROM outbox");
    assert_int_equal(attempt(f, 'b', row, "t1"), WERR_OK);
    (void)say(f, PHONE, "A2", "STOP", clock_now_ms(), false);
    assert_int_equal(status_of(f, id), STATUS_QUEUED); /* it is out */
    assert_int_equal(attempt(f, 'r', row, "t1"), WERR_OK);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
    assert_int_equal(ASK(f, "SELECT state FROM outbox"), DELIVERY_FAILED);
    assert_int_equal(ASK(f, "SELECT error_code = 'opted_out' FROM messages "
                            "WHERE direction = 1"),
                     1);
}

/* Whatever else has set the flag: asked once more before it leaves. */
static void asked_before_it_leaves(void **state)
{
    fixture_t *f = *state;
    int64_t id, row;

    (void)say(f, PHONE, "A1", "halo", clock_now_ms() - 9000, false);
    RUN(f, "UPDATE contacts SET opted_out = 1");
    RUN(f, "INSERT INTO consents (contact_id, opted_out, how, since, "
           "created_at) SELECT id, 1, 'agent', 1, 1 FROM contacts");
    /* an answer to what they wrote since: it may leave */
    id = queue(f, PHONE, "balasan");
    row = ASK(f, "SELECT max(id) FROM outbox");
    assert_int_equal(attempt(f, 'b', row, "t1"), WERR_OK);
    RUN(f, "UPDATE outbox SET state = 4");
    RUN(f, "UPDATE messages SET status = 2 WHERE direction = 1");
    /* a greeting is no answer */
    id = queue(f, PHONE, "salam");
    RUN(f, "UPDATE messages SET source = 'auto' WHERE body = 'salam'");
    row = ASK(f, "SELECT max(id) FROM outbox");
    assert_int_equal(attempt(f, 'b', row, "t2"), WERR_DENIED);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
    /* a day later an answer is none either */
    id = queue(f, PHONE, "lama");
    RUN(f, "UPDATE messages SET ts = ts - 90000000 WHERE direction = 0");
    row = ASK(f, "SELECT max(id) FROM outbox");
    assert_int_equal(attempt(f, 'b', row, "t3"), WERR_DENIED);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
    /* nor is what stood there before they opted out */
    RUN(f, "UPDATE messages SET ts = ts + 90000000 WHERE direction = 0");
    id = queue(f, PHONE, "sebelum");
    RUN(f, "UPDATE outbox SET created_at = 0 WHERE state = 0");
    row = ASK(f, "SELECT max(id) FROM outbox");
    assert_int_equal(attempt(f, 'b', row, "t4"), WERR_DENIED);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
}

static void asked_again_when_due(void **state)
{
    fixture_t *f = *state;
    int64_t out, gone, down;

    (void)say(f, PHONE, "A1", "halo", clock_now_ms() - 9000, false);
    out = later(f, PHONE, "nanti", HOUR_MS);
    RUN(f, "UPDATE contacts SET opted_out = 1");
    RUN(f, "UPDATE outbox SET not_before = 1");
    assert_int_equal(release(f), 1);
    assert_int_equal(status_of(f, out), STATUS_QUEUED); /* they wrote since */
    RUN(f, "DELETE FROM outbox");
    RUN(f, "UPDATE messages SET status = 2 WHERE status = 0");
    out = later(f, PHONE, "nanti juga", HOUR_MS);
    RUN(f, "UPDATE outbox SET not_before = 1");
    RUN(f, "UPDATE messages SET ts = 5 WHERE direction = 0");
    assert_int_equal(release(f), 1);
    assert_int_equal(status_of(f, out), STATUS_FAILED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE "
                            "error_code = 'opted_out'"),
                     1);
    RUN(f, "UPDATE contacts SET opted_out = 0");
    /* somebody who is an agent no more */
    gone = later(f, PHONE, "pergi", HOUR_MS);
    RUN(f, "UPDATE messages SET cs_id = 77 WHERE body = 'pergi'");
    RUN(f, "UPDATE outbox SET not_before = 1 WHERE state = 7");
    assert_int_equal(release(f), 1);
    assert_int_equal(status_of(f, gone), STATUS_FAILED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE "
                            "error_code = 'not_allowed'"),
                     1);
    /* a number that has been disconnected by hand */
    down = later(f, PHONE, "putus", HOUR_MS);
    RUN(f, "UPDATE sessions SET wanted = 0");
    RUN(f, "UPDATE outbox SET not_before = 1 WHERE state = 7");
    assert_int_equal(release(f), 1);
    assert_int_equal(status_of(f, down), STATUS_FAILED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE "
                            "error_code = 'session_disconnected'"),
                     1);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), down);
}

/* ---- merge ---- */

typedef struct {
    int64_t into, from, merge;
} merge_t;

static int merge_tx(tx_t *tx, void *arg)
{
    merge_t *m = arg;

    return contact_merge_by(tx, m->into, m->from, 0, &m->merge);
}

static void merged(void **state)
{
    fixture_t *f = *state;
    said_t a = say(f, PHONE, "A1", "halo", clock_now_ms() - 9000, false);
    said_t b = say(f, "6281200000002", "B1", "hai", clock_now_ms(), false);
    int64_t id = later(f, PHONE, "nanti", HOUR_MS);
    merge_t m = {b.contact.id, a.contact.id, 0};

    assert_int_equal(domain_write(&f->d, merge_tx, &m), WERR_OK);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), b.ref.id);
    assert_int_equal(ASK(f, "SELECT o.chat_id = m.chat_id FROM outbox o "
                            "JOIN messages m ON m.id = o.message_id"),
                     1);
    RUN(f, "UPDATE outbox SET not_before = 1");
    assert_int_equal(release(f), 1);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), id);
    leave_all(f, "nanti ");
}

/* ---- the list ---- */

static void listed(void **state)
{
    fixture_t *f = *state;
    session_set_t all = {.ids = &f->session, .n = 1}, none = {.n = 0};
    schedule_query_t q = {.sessions = &all, .limit = 2};
    media_viewer_t viewer = {&f->d, 1};
    int64_t at = 0, id = 0;
    bool more;
    buf_t out;

    (void)later(f, PHONE, "ketiga", 3 * HOUR_MS);
    (void)later(f, PHONE, "pertama", HOUR_MS);
    (void)later(f, "6281200000002", "kedua", 2 * HOUR_MS);
    buf_init(&out, 0);
    assert_int_equal(
        schedule_list(f->db, &q, &viewer, &out, NULL, &more, &at, &id),
        WERR_OK);
    assert_true(more);
    assert_non_null(strstr(out.data, "pertama"));
    assert_true(strstr(out.data, "pertama") < strstr(out.data, "kedua"));
    assert_null(strstr(out.data, "ketiga"));
    buf_reset(&out);
    q.after_at = at;
    q.after_id = id;
    assert_int_equal(
        schedule_list(f->db, &q, &viewer, &out, NULL, &more, &at, &id),
        WERR_OK);
    assert_false(more);
    assert_non_null(strstr(out.data, "ketiga"));
    assert_null(strstr(out.data, "pertama"));
    buf_reset(&out);
    q = (schedule_query_t){.sessions = &none, .limit = 2};
    assert_int_equal(
        schedule_list(f->db, &q, &viewer, &out, NULL, &more, &at, &id),
        WERR_OK);
    assert_string_equal(out.data, "[]");
    buf_free(&out);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(waits_and_leaves),
        T(by_due_time),
        T(another_time),
        T(cancelled),
        T(cancelled_head),
        T(stop_reaches_all_that_waits),
        T(stop_while_in_flight),
        T(asked_before_it_leaves),
        T(asked_again_when_due),
        T(merged),
        T(listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
