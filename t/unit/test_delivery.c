#include "domain_fixture.h"

#include "db/sqlite.h"
#include "domain/delivery.h"

#define MAX 8

typedef struct {
    delivery_t d[MAX];
    size_t n;
    int64_t next;
} due_t;

static due_t due(fixture_t *f, int64_t now, size_t max)
{
    due_t u;

    assert_int_equal(delivery_due(f->db, now, u.d, max, &u.n, &u.next),
                     WERR_OK);
    return u;
}

static void due_free(due_t *u)
{
    delivery_free(u->d, u->n);
}

typedef struct {
    char what;
    int64_t id, when;
    const char *attempt, *text;
    int rc;
} step_t;

static int step_tx(tx_t *tx, void *arg)
{
    step_t *s = arg;

    switch (s->what) {
    case 'b':
        s->rc = delivery_start(tx, s->id, s->attempt);
        break;
    case 's':
        s->rc = delivery_sent(tx, s->id, s->attempt, s->text);
        break;
    case 'r':
        s->rc = delivery_retry(tx, s->id, s->attempt, s->when, s->text);
        break;
    case 'f':
        s->rc = delivery_failed(tx, s->id, s->attempt, "400", s->text);
        break;
    case 'u':
        s->rc = delivery_unknown(tx, s->id, s->attempt, s->when, s->text);
        break;
    case 'd':
        s->rc = delivery_defer(tx, s->id, s->when);
        break;
    case 'x':
        s->rc = delivery_expire(tx, s->when);
        break;
    default:
        s->rc = delivery_recover(tx, s->when);
        break;
    }
    return s->rc == WERR_CONFLICT ? WERR_OK : s->rc;
}

static int step(fixture_t *f, char what, int64_t id, const char *attempt,
                int64_t when, const char *text)
{
    step_t s = {what, id, when, attempt, text, 0};

    assert_int_equal(domain_write(&f->d, step_tx, &s), WERR_OK);
    return s.rc;
}

static void oldest_of_each_lane(void **state)
{
    fixture_t *f = *state;
    int64_t now;
    due_t u;

    queue(f, "6281", "a1");
    queue(f, "6281", "a2");
    queue(f, "6282", "b1");
    now = clock_now_ms();
    u = due(f, now, MAX);
    assert_int_equal(u.n, 2);
    assert_string_equal(u.d[0].text, "a1");
    assert_string_equal(u.d[1].text, "b1");
    assert_string_equal(u.d[0].phone, "6281");
    assert_string_equal(u.d[0].remote, "cs-1");
    assert_string_equal(u.d[0].account_name, "seed");
    assert_string_equal(u.d[0].kind, "message");
    assert_true(u.d[0].first);
    assert_int_equal(u.next, INT64_MAX);
    due_free(&u);
    u = due(f, now, 1);
    assert_int_equal(u.n, 1);
    assert_true(u.next <= now); /* more is due */
    due_free(&u);
}

static void lane_waits_for_its_head(void **state)
{
    fixture_t *f = *state;
    int64_t now, a;
    due_t u;

    queue(f, "6281", "a1");
    queue(f, "6281", "a2");
    now = clock_now_ms();
    u = due(f, now, MAX);
    a = u.d[0].id;
    due_free(&u);
    assert_int_equal(step(f, 'd', a, NULL, now + 500, NULL), WERR_OK);
    u = due(f, now, MAX);
    assert_int_equal(u.n, 0);
    assert_int_equal(u.next, now + 500);
    assert_int_equal(step(f, 'b', a, "t1", 0, NULL), WERR_OK);
    assert_int_equal(step(f, 'b', a, "t2", 0, NULL), WERR_CONFLICT);
    assert_int_equal(step(f, 'd', a, NULL, 0, NULL), WERR_CONFLICT);
    u = due(f, now + 10000, MAX);
    assert_int_equal(u.n, 0); /* in flight */
    assert_int_equal(step(f, 's', a, "wrong", 0, "W1"), WERR_CONFLICT);
    assert_int_equal(step(f, 's', a, "t1", 0, "W1"), WERR_OK);
    u = due(f, now + 10000, MAX);
    assert_int_equal(u.n, 1);
    assert_string_equal(u.d[0].text, "a2");
    assert_false(u.d[0].first);
    due_free(&u);
    assert_int_equal(ASK(f, "SELECT status FROM messages "
                            "WHERE wa_id = 'W1'"),
                     STATUS_SENT);
}

static int64_t start_one(fixture_t *f, const char *attempt)
{
    due_t u;
    int64_t id;

    queue(f, "6281", "x");
    u = due(f, clock_now_ms(), MAX);
    assert_int_equal(u.n, 1);
    id = u.d[0].id;
    due_free(&u);
    assert_int_equal(step(f, 'b', id, attempt, 0, NULL), WERR_OK);
    return id;
}

static void retry_is_due_later(void **state)
{
    fixture_t *f = *state;
    int64_t id = start_one(f, "t1"), now = clock_now_ms();
    due_t u;

    assert_int_equal(step(f, 'r', id, "t1", now + 10000, "503"), WERR_OK);
    u = due(f, now, MAX);
    assert_int_equal(u.n, 0);
    assert_int_equal(u.next, now + 10000);
    u = due(f, now + 10000, MAX);
    assert_int_equal(u.n, 1);
    assert_int_equal(u.d[0].attempts, 1);
    due_free(&u);
}

static void failure_shows_and_frees_the_lane(void **state)
{
    fixture_t *f = *state;
    int64_t id = start_one(f, "t1");
    delivery_stat_t st;
    due_t u;

    queue(f, "6281", "y");
    assert_int_equal(step(f, 'f', id, "t1", 0, "not on WhatsApp"), WERR_OK);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE status = 6 "
                            "AND error_code = '400' "
                            "AND error_title = 'not on WhatsApp'"),
                     1);
    u = due(f, clock_now_ms(), MAX);
    assert_int_equal(u.n, 1);
    due_free(&u);
    assert_int_equal(delivery_stat(f->db, &st), WERR_OK);
    assert_int_equal(st.failed, 1);
    assert_int_equal(st.queued, 1);
    assert_true(st.oldest > 0);
}

static void unknown_holds_until_its_deadline(void **state)
{
    fixture_t *f = *state;
    int64_t id = start_one(f, "t1"), now = clock_now_ms();
    due_t u;

    queue(f, "6281", "y");
    assert_int_equal(step(f, 'u', id, "t1", now + 120000, "time-out"), WERR_OK);
    assert_int_equal(ASK(f, "SELECT status FROM messages ORDER BY id"),
                     STATUS_UNKNOWN);
    u = due(f, now + 1000, MAX);
    assert_int_equal(u.n, 0);
    assert_int_equal(u.next, now + 120000);
    assert_int_equal(step(f, 'x', 0, NULL, now + 119999, NULL), WERR_OK);
    u = due(f, now + 1000, MAX);
    assert_int_equal(u.n, 0);
    assert_int_equal(step(f, 'x', 0, NULL, now + 120000, NULL), WERR_OK);
    u = due(f, now + 1000, MAX);
    assert_int_equal(u.n, 1);
    assert_string_equal(u.d[0].text, "y");
    due_free(&u);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox WHERE state = 6"), 1);
    /* a late answer of that very attempt is still the truth */
    assert_int_equal(step(f, 's', id, "t1", 0, "W1"), WERR_OK);
    assert_int_equal(ASK(f, "SELECT status FROM messages ORDER BY id"),
                     STATUS_SENT);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 0);
}

static void proof_beats_a_bad_answer(void **state)
{
    fixture_t *f = *state;
    int64_t id = start_one(f, "t1");

    say(f, "6281", "E1", "x", clock_now_ms(), true); /* the echo */
    move(f, "E1", STATUS_DELIVERED);
    assert_int_equal(step(f, 'u', id, "t1", 1, "time-out"), WERR_OK);
    assert_int_equal(ASK(f, "SELECT state FROM outbox"), DELIVERY_SENT);
    assert_int_equal(ASK(f, "SELECT status FROM messages"), STATUS_DELIVERED);
}

static void answer_takes_over_the_echo(void **state)
{
    fixture_t *f = *state;
    int64_t id = start_one(f, "t1"), now = clock_now_ms();

    say(f, "6281", "E1", "x (changed on its way)", now, true);
    move(f, "E1", STATUS_DELIVERED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(step(f, 's', id, "t1", 0, "E1"), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(ASK(f, "SELECT status FROM messages "
                            "WHERE wa_id = 'E1' AND body = 'x'"),
                     STATUS_DELIVERED);
    assert_int_equal(ASK(f, "SELECT last_message_id - (SELECT id "
                            "FROM messages) FROM chats"),
                     0);
}

static void early_status_waits_for_the_id(void **state)
{
    fixture_t *f = *state;
    int64_t id = start_one(f, "t1");

    move(f, "W1", STATUS_READ);
    assert_int_equal(step(f, 's', id, "t1", 0, "W1"), WERR_OK);
    assert_int_equal(ASK(f, "SELECT status FROM messages"), STATUS_READ);
}

static void crash_leaves_unknown(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();

    start_one(f, "t1");
    RUN(f, "INSERT INTO outbox (kind, session_id, chat_id, state, not_before, "
           "created_at, updated_at) VALUES ('read', 1, 99, 1, 0, 0, 0)");
    assert_int_equal(step(f, 'c', 0, NULL, now + 120000, NULL), WERR_OK);
    assert_int_equal(ASK(f, "SELECT state FROM outbox ORDER BY id"),
                     DELIVERY_UNKNOWN);
    assert_int_equal(ASK(f, "SELECT status FROM messages"), STATUS_UNKNOWN);
    assert_int_equal(ASK(f, "SELECT state FROM outbox WHERE kind = 'read'"),
                     DELIVERY_QUEUED);
    assert_int_equal(step(f, 'c', 0, NULL, now + 120000, NULL), WERR_OK);
}

static int read_tx(tx_t *tx, void *arg)
{
    return chat_mark_read(tx, *(int64_t *)arg, true);
}

static void one_receipt_for_all_unread(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t s = say(f, "6281", "a", "x", now, false);
    due_t u;

    assert_int_equal(domain_write(&f->d, read_tx, &s.ref.chat), WERR_OK);
    assert_int_equal(domain_write(&f->d, read_tx, &s.ref.chat), WERR_OK);
    say(f, "6281", "b", "x", now, false);
    assert_int_equal(domain_write(&f->d, read_tx, &s.ref.chat), WERR_OK);
    u = due(f, clock_now_ms(), MAX);
    assert_int_equal(u.n, 1);
    assert_string_equal(u.d[0].kind, "read");
    assert_int_equal(u.d[0].message, 0);
    due_free(&u);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox"), 1);
    assert_int_equal(ASK(f, "SELECT unread FROM chats"), 0);
}

/* ---- a long backlog ---- */

static int count_work(void *arg)
{
    ++*(int *)arg;
    return 0;
}

/* What SQLite does for a claim, in hundreds of its instructions. */
static int work(fixture_t *f, int64_t now)
{
    int n = 0;
    due_t u;

    sqlite3_progress_handler(f->db->handle, 100, count_work, &n);
    u = due(f, now, MAX);
    sqlite3_progress_handler(f->db->handle, 0, NULL, NULL);
    assert_int_equal(u.n, MAX);
    due_free(&u);
    return n;
}

/* What is claimed next is found as quickly of 100,000 that wait as of some,
 * also where the heads of long lanes wait for their next try. */
static void a_long_backlog_slows_no_claim(void **state)
{
    fixture_t *f = *state;
    int64_t now = 1000000;

    RUN(f, "INSERT INTO contacts (phone, name, created_at, updated_at) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 50000) SELECT 'x' || i, 'x', 0, 0 FROM n");
    RUN(f, "INSERT INTO chats (session_id, contact_id) "
           "SELECT 1, id FROM contacts");
    RUN(f, "INSERT INTO outbox (kind, session_id, chat_id, state, not_before, "
           "created_at, updated_at) SELECT 'read', 1, c.id, 0, 1000, 0, 0 "
           "FROM chats c, (SELECT 1 UNION ALL SELECT 2) ORDER BY c.id");
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox WHERE state = 0"),
                     100000);
    assert_in_range(work(f, now), 1, 50);
    /* ten heads wait, with two hundred behind each of them */
    RUN(f, "UPDATE outbox SET chat_id = 1 + id % 10 WHERE id <= 2000");
    for (int i = 0; i < 10; i++) {
        due_t u = due(f, now, 1);

        assert_int_equal(u.n, 1);
        assert_int_equal(step(f, 'd', u.d[0].id, NULL, now + 5000, NULL), 0);
        due_free(&u);
    }
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox WHERE chat_id <= 10 "
                            "AND not_before <= 1000000"),
                     0);
    assert_in_range(work(f, now), 1, 50);
}

/* A row whose message is gone does not keep the outbox from starting. */
static void start_without_a_message(void **state)
{
    fixture_t *f = *state;

    queue(f, "6281", "a1");
    RUN(f, "UPDATE outbox SET state = 1, attempt_id = 'x', attempts = 1");
    RUN(f, "INSERT INTO outbox (kind, message_id, session_id, chat_id, state, "
           "not_before, created_at, updated_at) SELECT 'message', 999, "
           "session_id, chat_id, 1, 0, 0, 0 FROM outbox");
    assert_int_equal(step(f, 'k', 0, NULL, 1, NULL), WERR_OK);
    assert_int_equal(ASK(f, "SELECT state FROM outbox WHERE message_id = 999"),
                     DELIVERY_FAILED);
    assert_int_equal(ASK(f, "SELECT state FROM outbox WHERE message_id < 999"),
                     DELIVERY_UNKNOWN);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(oldest_of_each_lane),
        TEST(lane_waits_for_its_head),
        TEST(retry_is_due_later),
        TEST(failure_shows_and_frees_the_lane),
        TEST(unknown_holds_until_its_deadline),
        TEST(proof_beats_a_bad_answer),
        TEST(answer_takes_over_the_echo),
        TEST(early_status_waits_for_the_id),
        TEST(crash_leaves_unknown),
        TEST(one_receipt_for_all_unread),
        TEST(a_long_backlog_slows_no_claim),
        TEST(start_without_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
