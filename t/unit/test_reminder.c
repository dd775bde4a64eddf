#include "domain_fixture.h"

#include "domain/reminder.h"

typedef struct {
    reminder_t r;
    int64_t id;
    const char *state;
} job_t;

static int add_tx(tx_t *tx, void *arg)
{
    job_t *j = arg;

    return reminder_add(tx, &j->r, &j->id);
}

static int close_tx(tx_t *tx, void *arg)
{
    const job_t *j = arg;

    return reminder_close(tx, j->id, j->state);
}

static int64_t add(fixture_t *f, int64_t contact, int64_t at)
{
    job_t j = {.r = {.contact = contact, .at = at, .note = "telepon kembali"}};

    assert_int_equal(domain_write(&f->d, add_tx, &j), WERR_OK);
    return j.id;
}

static int end(fixture_t *f, int64_t id, const char *state)
{
    job_t j = {.id = id, .state = state};

    return domain_write(&f->d, close_tx, &j);
}

#define FIRED "SELECT count(*) FROM events WHERE kind = 8"

static void fires_once(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t a = say(f, "6281", "a", "hi", now - 1000, false);
    int64_t id = add(f, a.contact.id, now - 5);
    int64_t later = add(f, a.contact.id, now + 3600000);

    assert_int_equal(atomic_load(&f->d.reminder_due), 0); /* unknown yet */
    assert_int_equal(reminder_fire(&f->d), 1);
    assert_int_equal(atomic_load(&f->d.reminder_due), now + 3600000);
    assert_int_equal(ASK(f, FIRED), 1);
    assert_int_equal(ASK(f, "SELECT ref FROM events WHERE kind = 8"), id);
    assert_int_equal(ASK(f, "SELECT session_id FROM events WHERE kind = 8"),
                     f->session);
    assert_int_equal(ASK(f, "SELECT chat_id FROM events WHERE kind = 8"),
                     a.ref.chat);
    assert_int_equal(reminder_fire(&f->d), 0);
    /* a sooner one is heard of at once */
    assert_int_equal(end(f, later, "done"), WERR_OK);
    (void)add(f, a.contact.id, now + 1000);
    assert_int_equal(atomic_load(&f->d.reminder_due), now + 1000);
    /* and after a restart */
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(reminder_fire(&f->d), 0);
    assert_int_equal(ASK(f, FIRED), 1);
    assert_int_equal(atomic_load(&f->d.reminder_due), now + 1000);
}

static void late_ones_fire_at_start(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t a = say(f, "6281", "a", "hi", now - 1000, false);

    for (int i = 0; i < 250; i++) {
        (void)add(f, a.contact.id, now - 1000 + i);
    }
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(reminder_fire(&f->d), 250);
    assert_int_equal(ASK(f, FIRED), 250);
    assert_int_equal(ASK(f, "SELECT count(DISTINCT ref) FROM events "
                            "WHERE kind = 8"),
                     250);
    assert_true(atomic_load(&f->d.reminder_due) == INT64_MAX);
}

static void closed_ones_are_silent(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t a = say(f, "6281", "a", "hi", now - 1000, false);
    int64_t done = add(f, a.contact.id, now - 1);
    int64_t gone = add(f, a.contact.id, now - 1);

    assert_int_equal(end(f, done, "done"), WERR_OK);
    assert_int_equal(end(f, gone, "cancelled"), WERR_OK);
    assert_int_equal(end(f, gone, "cancelled"), WERR_OK);
    assert_int_equal(end(f, gone, "done"), WERR_CONFLICT);
    assert_int_equal(end(f, 999, "done"), WERR_NOTFOUND);
    assert_int_equal(reminder_fire(&f->d), 0);
    assert_int_equal(ASK(f, FIRED), 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fires_once),
        TEST(late_ones_fire_at_start),
        TEST(closed_ones_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
