/* outbox: a database that cannot be read says neither yes nor no. */
#include "domain_fixture.h"

#include "outbox/internal.h"

/* What a reader then gets is an error. */
#define BREAK(f, table) RUN(f, "ALTER TABLE " table " RENAME TO broken")
#define MEND(f, table)  RUN(f, "ALTER TABLE broken RENAME TO " table)

static int asked;

static int no_lookup(const gateway_account_t *account, const gw_send_t *s,
                     gw_request_t *request)
{
    (void)account;
    (void)s;
    (void)request;
    asked++;
    return WERR_INVALID;
}

static const gw_driver_t driver = {.lookup = no_lookup};

static void known_or_not(void **state)
{
    fixture_t *f = *state;
    outbox_t o = {.db = f->db};
    attempt_t a = {.o = &o, .d = {.session = f->session, .message = 999}};
    said_t echo = say(f, "6281", "ID1", "halo", clock_now_ms(), true);
    bool known = false;

    assert_int_equal(lanes_known(&a, "ID1", &known), WERR_OK);
    assert_true(known);
    assert_int_equal(lanes_known(&a, "ID2", &known), WERR_OK);
    assert_false(known);
    a.d.message = echo.ref.id; /* its own */
    assert_int_equal(lanes_known(&a, "ID1", &known), WERR_OK);
    assert_false(known);
    BREAK(f, "messages");
    assert_true(lanes_known(&a, "ID1", &known) < 0);
}

/* An unknown message is watched on; one that is settled is not. */
static void watched_on(void **state)
{
    fixture_t *f = *state;
    outbox_t o = {.db = f->db, .options = {.unknown_hold_s = 60}};
    attempt_t *a = calloc(1, sizeof(*a));
    int64_t next;

    assert_non_null(a);
    asked = 0;
    a->o = &o;
    a->driver = &driver;
    a->until = clock_now_ms() + 60000;
    attempt_watch(a);
    assert_ptr_equal(o.lookups, a);
    a->lookup_at = 0;
    BREAK(f, "outbox");
    attempt_lookups(&o, &next);
    assert_int_equal(asked, 1);
    assert_ptr_equal(o.lookups, a);
    a->lookup_at = 0;
    MEND(f, "outbox");
    attempt_lookups(&o, &next); /* there is no such row: frees it */
    assert_int_equal(asked, 1);
    assert_null(o.lookups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_or_not, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(watched_on, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
