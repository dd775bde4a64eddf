/* What the gateway tells of a message of ours: its id, its echo, and which of
 * several it means. */
#include "domain_fixture.h"

#include "domain/delivery.h"
#include "domain/schedule.h"

#define PHONE   "6281"
#define READ_BY "SELECT count(talk_read_day) FROM contacts"

DB_QUERY(outbox_of, "SELECT id FROM outbox WHERE message_id = $1");
DB_QUERY(state_of, "SELECT state FROM outbox WHERE message_id = $1");
DB_QUERY(wa_id_of, "SELECT coalesce(wa_id, '-') FROM messages WHERE id = $1");

typedef struct {
    char what; /* b(egin) s(ent) u(nknown) l(eft) a(gain) w(ithdrawn) */
    int64_t message;
    const char *attempt, *wa_id;
} step_t;

static int64_t number(db_t *db, const db_query_t *q, int64_t message)
{
    db_stmt_t *s = db_stmt(db, q);
    int64_t v;

    db_bind_i64(s, 1, message);
    assert_int_equal(db_first_i64(s, &v), WERR_OK);
    return v;
}

static void assert_wa_id(fixture_t *f, int64_t message, const char *expected)
{
    db_stmt_t *s = db_stmt(f->db, &wa_id_of);

    db_bind_i64(s, 1, message);
    assert_int_equal(db_first(s), DB_ROW);
    assert_string_equal(db_text(s, 0), expected);
    db_done(s);
}

static int step_tx(tx_t *tx, void *arg)
{
    const step_t *s = arg;
    int64_t id = number(tx->db, &outbox_of, s->message);

    switch (s->what) {
    case 'b':
        return delivery_start(tx, id, s->attempt);
    case 's':
        return delivery_sent(tx, id, s->attempt, s->wa_id);
    case 'u':
        return delivery_unknown(tx, id, s->attempt, tx->now, "timeout");
    case 'l':
        return delivery_expire(tx, tx->now);
    case 'w':
        return schedule_cancel(tx, s->message);
    default:
        return message_retry(tx, s->message);
    }
}

static void step(fixture_t *f, char what, int64_t message, const char *attempt,
                 const char *wa_id)
{
    step_t s = {what, message, attempt, wa_id};

    assert_int_equal(domain_write(&f->d, step_tx, &s), WERR_OK);
}

/* Sent as FIRST, which has failed since, and retried. */
static int64_t retried(fixture_t *f)
{
    int64_t id = queue(f, PHONE, "salam");

    step(f, 'b', id, "t1", NULL);
    step(f, 's', id, "t1", "FIRST");
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
    step(f, 'a', id, NULL, NULL);
    return id;
}

/* ---- what was retried ---- */

static void retry_gets_its_new_id(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    step(f, 'b', id, "t2", NULL);
    move(f, "SECOND", STATUS_DELIVERED);
    step(f, 's', id, "t2", "SECOND");
    assert_wa_id(f, id, "SECOND");
    assert_int_equal(status_of(f, id), STATUS_DELIVERED);
    say(f, PHONE, "SECOND", "salam", clock_now_ms(), true);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    move(f, "SECOND", STATUS_READ);
    assert_int_equal(status_of(f, id), STATUS_READ);
}

static void echo_of_a_retry_binds(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f), now = clock_now_ms();

    say(f, PHONE, "FIRST", "salam", now, true); /* told again */
    assert_int_equal(status_of(f, id), STATUS_QUEUED);
    step(f, 'b', id, "t2", NULL);
    step(f, 'u', id, "t2", NULL);
    say(f, PHONE, "FIRST", "salam", now, true);
    assert_int_equal(status_of(f, id), STATUS_UNKNOWN);
    say(f, PHONE, "SECOND", "salam", now, true);
    assert_wa_id(f, id, "SECOND");
    assert_int_equal(status_of(f, id), STATUS_SENT);
    assert_int_equal(number(f->db, &state_of, id), DELIVERY_SENT);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
}

/* The first attempt has failed, as we know: told again it says nothing of the
 * second one. */
static void first_id_cannot_fail_a_retry(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    move(f, "FIRST", STATUS_FAILED);
    move(f, "FIRST", STATUS_SENT);
    assert_int_equal(status_of(f, id), STATUS_QUEUED);
    step(f, 'b', id, "t2", NULL);
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_QUEUED);
    step(f, 'u', id, "t2", NULL);
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_UNKNOWN);
    step(f, 's', id, "t2", "SECOND");
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_SENT);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 0);
}

static void first_id_cannot_fail_a_retry_without_one(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    step(f, 'b', id, "t2", NULL);
    step(f, 's', id, "t2", NULL);
    assert_int_equal(status_of(f, id), STATUS_SENT);
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_SENT);
    say(f, PHONE, "SECOND", "salam", clock_now_ms(), true);
    assert_wa_id(f, id, "SECOND");
}

/* Whose id another one has taken is no message of the phone's. */
static void first_id_stays_known(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f), now = clock_now_ms();

    step(f, 'b', id, "t2", NULL);
    step(f, 's', id, "t2", "SECOND");
    assert_int_equal(say(f, PHONE, "FIRST", "salam", now, true).ref.id, id);
    assert_int_equal(say(f, PHONE, "SECOND", "salam", now, true).ref.id, id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    assert_wa_id(f, id, "SECOND");
    /* nor is it the echo of what is said with the same words */
    step(f, 'b', queue(f, PHONE, "salam"), "t3", NULL);
    assert_int_equal(say(f, PHONE, "FIRST", "salam", now, true).ref.id, id);
    assert_int_equal(ASK(f, "SELECT count(wa_id) FROM messages"), 1);
    move(f, "FIRST", STATUS_DELIVERED); /* as long as it is the only one */
    assert_int_equal(status_of(f, id), STATUS_DELIVERED);
    assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
    RUN(f, "DELETE FROM outbox");
    RUN(f, "UPDATE chats SET last_message_id = NULL");
    RUN(f, "DELETE FROM messages");
    assert_int_equal(ASK(f, "SELECT count(*) FROM former_ids"), 0);
}

/* Nor is it bound to a retry whose answer tells none. */
static void first_id_is_not_bound_again(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f), now = clock_now_ms();

    step(f, 'b', id, "t2", NULL);
    step(f, 's', id, "t2", NULL);
    say(f, PHONE, "FIRST", "salam", now, true);
    assert_wa_id(f, id, "-");
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_SENT);
    say(f, PHONE, "SECOND", "salam", now, true);
    assert_wa_id(f, id, "SECOND");
    move(f, "SECOND", STATUS_FAILED);
    step(f, 'a', id, NULL, NULL);
    step(f, 'b', id, "t3", NULL);
    step(f, 's', id, "t3", "THIRD");
    move(f, "FIRST", STATUS_FAILED);
    move(f, "SECOND", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_SENT);
    assert_int_equal(ASK(f, "SELECT count(*) FROM former_ids"), 2);
}

/* It had arrived after all: it need not go once more. */
static void first_id_delivered_ends_a_retry(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    move(f, "FIRST", STATUS_DELIVERED);
    assert_int_equal(status_of(f, id), STATUS_DELIVERED);
    assert_int_equal(number(f->db, &state_of, id), DELIVERY_SENT);
    assert_wa_id(f, id, "FIRST");
    move(f, "FIRST", STATUS_READ);
    assert_int_equal(status_of(f, id), STATUS_READ);
}

/* The second attempt had left already. */
static void first_id_delivered_while_the_second_leaves(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f), now = clock_now_ms();

    step(f, 'b', id, "t2", NULL);
    move(f, "FIRST", STATUS_DELIVERED);
    step(f, 's', id, "t2", "SECOND");
    assert_wa_id(f, id, "SECOND");
    assert_int_equal(say(f, PHONE, "SECOND", "salam", now, true).ref.id, id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    move(f, "SECOND", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_DELIVERED);
    move(f, "SECOND", STATUS_READ);
    assert_int_equal(status_of(f, id), STATUS_READ);
    assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
}

static void echo_of_the_second_before_its_answer(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f), now = clock_now_ms();

    step(f, 'b', id, "t2", NULL);
    move(f, "FIRST", STATUS_DELIVERED);
    say(f, PHONE, "SECOND", "salam", now, true);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 2);
    step(f, 's', id, "t2", "SECOND");
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    assert_wa_id(f, id, "SECOND");
    assert_int_equal(say(f, PHONE, "SECOND", "salam", now, true).ref.id, id);
    assert_int_equal(status_of(f, id), STATUS_DELIVERED);
}

static int change_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;
    int64_t now = clock_now_ms();
    int rc = message_react(tx, f->session, "FIRST", PHONE, "+", now);

    if (rc == WERR_OK) {
        rc = message_edit(tx, f->session, "FIRST", "salam!", now);
    }
    return rc;
}

/* They answer what they have, whichever attempt it came by. */
static void first_id_is_changed(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    step(f, 'b', id, "t2", NULL);
    step(f, 's', id, "t2", "SECOND");
    assert_int_equal(domain_write(&f->d, change_tx, f), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 0);
    assert_int_equal(ASK(f, "SELECT message_id FROM reactions"), id);
    assert_int_equal(
        ASK(f, "SELECT count(*) FROM messages WHERE body = 'salam!'"), 1);
}

static int delete_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return message_delete(tx, f->session, "FIRST", clock_now_ms());
}

/* On the phone it goes with what had failed: what leaves now is there. */
static void first_id_cannot_delete_a_retry(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    assert_int_equal(domain_write(&f->d, delete_tx, f), WERR_OK);
    step(f, 'b', id, "t2", NULL);
    assert_int_equal(domain_write(&f->d, delete_tx, f), WERR_OK);
    step(f, 's', id, "t2", "SECOND");
    assert_int_equal(status_of(f, id), STATUS_SENT);
    assert_int_equal(ASK(f, "SELECT deleted_at FROM messages"), -998);
}

/* Nor does what is deleted already leave once more, and stay so here. */
static void deleted_is_not_retried(void **state)
{
    fixture_t *f = *state;
    int64_t id = queue(f, PHONE, "salam");
    step_t again = {.what = 'a', .message = id};

    step(f, 'b', id, "t1", NULL);
    assert_int_equal(domain_write(&f->d, delete_tx, f), WERR_OK);
    step(f, 's', id, "t1", "FIRST");
    move(f, "FIRST", STATUS_FAILED);
    assert_int_not_equal(ASK(f, "SELECT deleted_at FROM messages"), -998);
    assert_int_equal(domain_write(&f->d, step_tx, &again), WERR_CONFLICT);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
}

/* Its first attempt had arrived: it was said. */
static void withdrawn_retry_had_arrived(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    step(f, 'w', id, NULL, NULL);
    assert_int_equal(ASK(f, "SELECT count(last_message_id) FROM chats"), 0);
    move(f, "FIRST", STATUS_SENT);
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_CANCELLED);
    move(f, "FIRST", STATUS_DELIVERED);
    assert_int_equal(status_of(f, id), STATUS_DELIVERED);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), id);
    assert_int_equal(ASK(f, "SELECT live FROM chats"), 1);
    move(f, "FIRST", STATUS_READ);
    assert_int_equal(status_of(f, id), STATUS_READ);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 0);
}

/* A status that comes before the echo which it belongs to. */
static void echo_of_what_has_failed(void **state)
{
    fixture_t *f = *state;
    int64_t id = queue(f, PHONE, "salam");

    step(f, 'b', id, "t1", NULL);
    step(f, 'u', id, "t1", NULL);
    move(f, "FIRST", STATUS_FAILED);
    say(f, PHONE, "FIRST", "salam", clock_now_ms(), true);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
    assert_int_equal(number(f->db, &state_of, id), DELIVERY_SENT);
}

/* It is read, whatever was thought of it before. */
static void failed_was_read(void **state)
{
    fixture_t *f = *state;
    int64_t id = queue(f, PHONE, "salam");

    step(f, 'b', id, "t1", NULL);
    step(f, 's', id, "t1", "FIRST");
    move(f, "FIRST", STATUS_FAILED);
    assert_int_equal(ASK(f, READ_BY), 0);
    move(f, "FIRST", STATUS_READ);
    assert_int_equal(status_of(f, id), STATUS_READ);
    assert_int_equal(ASK(f, READ_BY), 1);
}

/* A gateway that knows the message again tells the same id. */
static void retry_gets_the_same_id(void **state)
{
    fixture_t *f = *state;
    int64_t id = retried(f);

    step(f, 'b', id, "t2", NULL);
    step(f, 's', id, "t2", "FIRST");
    assert_wa_id(f, id, "FIRST");
    assert_int_equal(status_of(f, id), STATUS_SENT);
    move(f, "FIRST", STATUS_READ);
    assert_int_equal(status_of(f, id), STATUS_READ);
}

/* ---- several of the same words ---- */

/* Tried, unknown, and left by its lane. */
static int64_t left(fixture_t *f)
{
    int64_t id = queue(f, PHONE, "salam");

    step(f, 'b', id, "t1", NULL);
    step(f, 'u', id, "t1", NULL);
    return id;
}

static void echo_is_of_the_one_tried_then(void **state)
{
    fixture_t *f = *state;
    int64_t a = left(f), b;

    RUN(f, "UPDATE messages SET ts = ts - 160000");
    RUN(f, "UPDATE outbox SET updated_at = updated_at - 121000");
    step(f, 'l', a, NULL, NULL);
    assert_int_equal(number(f->db, &state_of, a), DELIVERY_UNKNOWN_LEFT);
    b = queue(f, PHONE, "salam");
    step(f, 'b', b, "t2", NULL);
    say(f, PHONE, "B", "salam", clock_now_ms(), true);
    assert_wa_id(f, b, "B");
    assert_int_equal(status_of(f, a), STATUS_UNKNOWN);
    step(f, 's', b, "t2", "B");
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 2);
    /* told late of the time of the first */
    say(f, PHONE, "A", "salam", clock_now_ms() - 125000, true);
    assert_wa_id(f, a, "A");
}

/* A retry is much later than what it says. */
static void echo_of_a_retry_that_was_left(void **state)
{
    fixture_t *f = *state;
    int64_t a;

    a = left(f);
    RUN(f, "UPDATE messages SET ts = ts - 160000");
    step(f, 'l', a, NULL, NULL);
    say(f, PHONE, "A", "salam", clock_now_ms(), true);
    assert_wa_id(f, a, "A");
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
}

/* Both may be meant: rather the one that is under way. */
static void echo_prefers_what_is_under_way(void **state)
{
    fixture_t *f = *state;
    int64_t a = left(f), b;

    step(f, 'l', a, NULL, NULL);
    b = queue(f, PHONE, "salam");
    step(f, 'b', b, "t2", NULL);
    say(f, PHONE, "B", "salam", clock_now_ms(), true);
    assert_wa_id(f, b, "B");
    assert_wa_id(f, a, "-");
}

static int64_t queue_template(fixture_t *f)
{
    static const message_template_t t = {.name = "salam", .variables = "[]"};
    queued_t q = {.out = {.session = f->session,
                          .phone = PHONE,
                          .type = "text",
                          .text = "salam",
                          .source = "template",
                          .template = &t}};

    assert_int_equal(domain_write(&f->d, queue_tx, &q), WERR_OK);
    return q.id;
}

/* The answer knows better than an echo; no message of ours goes for it. */
static void answer_takes_the_id_from_another(void **state)
{
    fixture_t *f = *state;
    int64_t a = queue_template(f), b;

    step(f, 'b', a, "t1", NULL);
    step(f, 'u', a, "t1", NULL);
    step(f, 'l', a, NULL, NULL);
    say(f, PHONE, "B", "salam", clock_now_ms(), true);
    move(f, "B", STATUS_READ);
    assert_wa_id(f, a, "B");
    b = queue(f, PHONE, "salam");
    step(f, 'b', b, "t2", NULL);
    step(f, 's', b, "t2", "B");
    assert_wa_id(f, b, "B");
    assert_int_equal(status_of(f, b), STATUS_READ);
    assert_wa_id(f, a, "-");
    assert_int_equal(status_of(f, a), STATUS_UNKNOWN);
    assert_int_equal(number(f->db, &state_of, a), DELIVERY_UNKNOWN_LEFT);
    assert_int_equal(ASK(f, "SELECT failed FROM chats"), 1);
    say(f, PHONE, "A", "salam", clock_now_ms(), true);
    assert_wa_id(f, a, "A");
}

/* What the gateway had accepted was sent all the same. */
static void answer_takes_the_id_from_one_sent(void **state)
{
    fixture_t *f = *state;
    int64_t a = queue(f, PHONE, "salam"), b;

    step(f, 'b', a, "t1", NULL);
    step(f, 's', a, "t1", NULL);
    b = queue(f, PHONE, "salam");
    step(f, 'b', b, "t2", NULL);
    say(f, PHONE, "B", "salam", clock_now_ms(), true);
    assert_wa_id(f, a, "B");
    step(f, 's', b, "t2", "B");
    assert_wa_id(f, b, "B");
    assert_wa_id(f, a, "-");
    assert_int_equal(status_of(f, a), STATUS_SENT);
    assert_int_equal(number(f->db, &state_of, a), DELIVERY_SENT);
}

/* It had that id before: what waits, or is under way, has not left by it. */
static void answer_takes_the_id_from_a_retry(void **state)
{
    fixture_t *f = *state;
    int64_t a = retried(f), b = queue(f, PHONE, "salam");

    step(f, 'b', b, "t2", NULL);
    step(f, 's', b, "t2", "FIRST");
    assert_wa_id(f, b, "FIRST");
    assert_int_equal(status_of(f, b), STATUS_SENT);
    assert_wa_id(f, a, "-");
    assert_int_equal(status_of(f, a), STATUS_QUEUED);
    assert_int_equal(number(f->db, &state_of, a), DELIVERY_QUEUED);
    step(f, 'b', a, "t3", NULL);
    step(f, 's', a, "t3", "SECOND");
    assert_wa_id(f, a, "SECOND");
    assert_wa_id(f, b, "FIRST");
}

/* Nor has what was withdrawn. */
static void answer_takes_the_id_from_one_withdrawn(void **state)
{
    fixture_t *f = *state;
    int64_t a = retried(f), b = queue(f, PHONE, "salam");

    step(f, 'w', a, NULL, NULL);
    step(f, 'b', b, "t2", NULL);
    step(f, 's', b, "t2", "FIRST");
    assert_wa_id(f, b, "FIRST");
    assert_wa_id(f, a, "-");
    assert_int_equal(status_of(f, a), STATUS_CANCELLED);
}

/* The phone has said the same meanwhile, and its echo came before our answer:
 * the answer's id is ours, and what becomes of it is seen. */
static void answer_knows_better_than_an_echo(void **state)
{
    fixture_t *f = *state;
    int64_t id = queue(f, PHONE, "salam"), now = clock_now_ms();

    step(f, 'b', id, "t1", NULL);
    say(f, PHONE, "PHONES", "salam", now, true);
    assert_wa_id(f, id, "PHONES");
    step(f, 's', id, "t1", "OURS");
    assert_wa_id(f, id, "OURS");
    assert_int_equal(say(f, PHONE, "PHONES", "salam", now, true).ref.id, id);
    assert_int_equal(say(f, PHONE, "OURS", "salam", now, true).ref.id, id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 1);
    move(f, "PHONES", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_SENT);
    move(f, "OURS", STATUS_FAILED);
    assert_int_equal(status_of(f, id), STATUS_FAILED);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(retry_gets_its_new_id),
        TEST(echo_of_a_retry_binds),
        TEST(first_id_cannot_fail_a_retry),
        TEST(first_id_cannot_fail_a_retry_without_one),
        TEST(first_id_stays_known),
        TEST(first_id_is_not_bound_again),
        TEST(first_id_delivered_ends_a_retry),
        TEST(first_id_delivered_while_the_second_leaves),
        TEST(echo_of_the_second_before_its_answer),
        TEST(first_id_is_changed),
        TEST(first_id_cannot_delete_a_retry),
        TEST(deleted_is_not_retried),
        TEST(withdrawn_retry_had_arrived),
        TEST(echo_of_what_has_failed),
        TEST(failed_was_read),
        TEST(retry_gets_the_same_id),
        TEST(echo_is_of_the_one_tried_then),
        TEST(echo_of_a_retry_that_was_left),
        TEST(echo_prefers_what_is_under_way),
        TEST(answer_takes_the_id_from_another),
        TEST(answer_takes_the_id_from_one_sent),
        TEST(answer_takes_the_id_from_a_retry),
        TEST(answer_takes_the_id_from_one_withdrawn),
        TEST(answer_knows_better_than_an_echo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
