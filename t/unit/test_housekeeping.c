#include "domain_fixture.h"

#include "domain/housekeeping.h"

/* A whole round; what it deleted. No piece of it is long. */
static int64_t housekeep(fixture_t *f)
{
    housekeeping_t h;
    int64_t before = 0;
    bool left = true;

    housekeeping_begin(&h);
    while (left) {
        assert_int_equal(housekeeping_step(&f->d, &h, &left), WERR_OK);
        assert_in_range(h.deleted - before, 0, 500);
        before = h.deleted;
    }
    return h.deleted;
}

/* What an erasure took leaves holes, and a clock that was ahead rows that seem
 * young: neither stands in the way of the rest. */
static void holes_hold_up_nothing(void **state)
{
    fixture_t *f = *state;

    RUN(f, "INSERT INTO raw_events (spool, seq, received_at, record) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 5000) SELECT 1, i, CASE WHEN i = 7 "
           "THEN 9000000000000 ELSE 0 END, x'00' FROM n");
    RUN(f, "DELETE FROM raw_events WHERE seq % 100 = 1");
    RUN(f, "DELETE FROM events");
    RUN(f, "INSERT INTO events (seq, kind, session_id, created_at) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 3000) SELECT i, 1, 1, 0 FROM n WHERE i % 3 <> 1");
    assert_int_equal(housekeep(f), 4949 + 1999);
    assert_int_equal(ASK(f, "SELECT count(*) FROM raw_events"), 1);
    assert_int_equal(ASK(f, "SELECT min(seq) FROM events"), 3000);
}

static void old_rows_go_young_ones_stay(void **state)
{
    fixture_t *f = *state;

    f->d.settings.raw_retention_days = 2;
    /* 1200 old and 3 young raw events: more than two batches */
    RUN(f, "INSERT INTO raw_events (spool, seq, received_at, record) "
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
           "WHERE i < 1203) SELECT 1, i, CASE WHEN i <= 1200 THEN 0 "
           "ELSE 9000000000000 END, x'00' FROM n");
    RUN(f, "DELETE FROM events");
    RUN(f, "INSERT INTO events (seq, kind, session_id, created_at) VALUES "
           "(1, 1, 1, 0), (2, 1, 1, 0), (3, 1, 1, 9000000000000)");
    RUN(f, "INSERT INTO idempotency (user_id, key, request, status, response, "
           "created_at) VALUES (1, 'a', '', 200, '', 0), "
           "(1, 'b', '', 200, '', 9000000000000)");
    RUN(f, "INSERT INTO parked (session_id, wa_id, kind, payload, created_at) "
           "VALUES (1, 'a', 'edit', '{}', 0), "
           "(1, 'b', 'edit', '{}', 9000000000000)");
    RUN(f, "INSERT INTO dead_letters (spool_id, seq, source, received_at, "
           "code, reason, record, state, created_at, updated_at) VALUES "
           "('s', 1, '', 0, '', '', x'00', 'open', 0, 0), "
           "('s', 2, '', 0, '', '', x'00', 'replayed', 0, 0), "
           "('s', 3, '', 0, '', '', x'00', 'dropped', 0, 0), "
           "('s', 4, '', 0, '', '', x'00', 'dropped', 0, 9000000000000)");
    RUN(f, "INSERT INTO outbox (kind, session_id, chat_id, state, not_before, "
           "created_at, updated_at) VALUES ('read', 1, 1, 4, 0, 0, 0), "
           "('read', 1, 1, 0, 0, 0, 0), ('read', 1, 1, 2, 0, 0, 0), "
           "('read', 1, 1, 5, 0, 0, 9000000000000)");
    assert_int_equal(housekeep(f), 1200 + 2 + 1 + 1 + 2 + 1);
    assert_int_equal(housekeep(f), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM raw_events"), 3);
    assert_int_equal(ASK(f, "SELECT min(seq) FROM events"), 3);
    assert_int_equal(ASK(f, "SELECT count(*) FROM idempotency"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM parked"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM dead_letters"), 2);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox"), 3);
}

/* What a writer has seen keeps its time, however long nothing happens. */
static void the_newest_event_stays(void **state)
{
    fixture_t *f = *state;

    RUN(f, "DELETE FROM events");
    RUN(f, "INSERT INTO events (seq, kind, session_id, created_at) VALUES "
           "(7, 1, 1, 0), (8, 1, 1, 0)");
    assert_int_equal(housekeep(f), 1);
    assert_int_equal(ASK(f, "SELECT min(seq) FROM events"), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_rows_go_young_ones_stay,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(holes_hold_up_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(the_newest_event_stays, fixture_setup,
                                        fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
