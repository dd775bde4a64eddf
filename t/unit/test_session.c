#include "domain_fixture.h"

#include "domain/user.h"

static void one_row_for_each_number(void **state)
{
    fixture_t *f = *state;
    int64_t other;

    assert_int_equal(session_of(&f->d, "seed", "cs-1"), f->session);
    other = session_of(&f->d, "two", "cs-1");
    assert_int_not_equal(other, f->session);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions "
                            "WHERE session_id = 'two:cs-1'"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions "
                            "WHERE session_id = 'cs-1' AND name = 'cs-1'"),
                     1);
}

typedef struct {
    int64_t session;
    const char *raw, *phone;
} told_t;

static int tell_tx(tx_t *tx, void *arg)
{
    const told_t *t = arg;

    return session_set_status(tx, t->session, t->raw, t->phone);
}

static void status_raises_an_event_on_change_only(void **state)
{
    fixture_t *f = *state;
    told_t t = {f->session, "open", "6281234567890:27@s.whatsapp.net"};

    assert_int_equal(domain_write(&f->d, tell_tx, &t), WERR_OK);
    assert_int_equal(domain_write(&f->d, tell_tx, &t), WERR_OK);
    t.phone = NULL;
    assert_int_equal(domain_write(&f->d, tell_tx, &t), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 4"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions WHERE "
                            "status = 'connected' AND raw_status = 'open' "
                            "AND phone_number = '6281234567890'"),
                     1);
    t.raw = "QR";
    assert_int_equal(domain_write(&f->d, tell_tx, &t), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions "
                            "WHERE status = 'connecting'"),
                     1);
    t.raw = "banned";
    assert_int_equal(domain_write(&f->d, tell_tx, &t), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM sessions "
                            "WHERE status = 'disconnected'"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 4"), 3);
}

static size_t seen_by(fixture_t *f, role_t role, int64_t id)
{
    user_t user = {.id = id, .role = role, .active = true};
    session_set_t set = {0};
    size_t n;

    assert_int_equal(session_visible(f->db, &user, &set), WERR_OK);
    n = set.n;
    for (size_t i = 0; i < n; i++) {
        assert_true(session_set_has(&set, set.ids[i]));
    }
    assert_false(session_set_has(&set, -1));
    /* it is filled again, not longer */
    assert_int_equal(session_visible(f->db, &user, &set), WERR_OK);
    assert_int_equal(set.n, n);
    session_set_free(&set);
    return n;
}

static void who_sees_what(void **state)
{
    fixture_t *f = *state;
    int64_t second = session_of(&f->d, "seed", "cs-2"), third;

    third = session_of(&f->d, "seed", "cs-3");
    assert_true(second > 0 && third > 0);
    RUN(f, "INSERT INTO users (id, name, email, password_hash, role, "
           "created_at, updated_at) VALUES (1, 'a', 'a', '', 'cs', 0, 0), "
           "(2, 'b', 'b', '', 'cs', 0, 0)");
    RUN(f, "UPDATE sessions SET user_id = 1 WHERE remote_id = 'cs-2'");
    RUN(f, "INSERT INTO session_members SELECT id, 1 FROM sessions "
           "WHERE remote_id = 'cs-3'");
    /* none is configured: the first one is everyone's */
    assert_int_equal(seen_by(f, ROLE_CS, 1), 3);
    assert_int_equal(seen_by(f, ROLE_CS, 2), 1);
    assert_int_equal(seen_by(f, ROLE_SUPERVISOR, 9), 3);
    assert_int_equal(seen_by(f, ROLE_ADMIN, 9), 3);
}

/* There is no number of sessions above which one is not seen. */
static void all_of_many(void **state)
{
    fixture_t *f = *state;

    RUN(f, "INSERT INTO users (id, name, email, password_hash, role, "
           "created_at, updated_at) VALUES (1, 'a', 'a', '', 'cs', 0, 0)");
    RUN(f, "INSERT INTO sessions (account_id, remote_id, session_id, name, "
           "user_id, created_at, updated_at) WITH RECURSIVE n (i) AS (SELECT 1 "
           "UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT 1, 'many-' || "
           "i, 'many-' || i, 'x', CASE WHEN i <= 700 THEN 1 END, 0, 0 FROM n");
    assert_int_equal(seen_by(f, ROLE_ADMIN, 9), 1001);
    assert_int_equal(seen_by(f, ROLE_CS, 1), 701);
    assert_int_equal(seen_by(f, ROLE_CS, 2), 1);
}

static void default_follows_the_settings(void **state)
{
    fixture_t *f = *state;

    session_of(&f->d, "seed", "cs-2");
    assert_int_equal(seen_by(f, ROLE_CS, 5), 1);
    f->d.settings.default_session = "cs-2";
    f->d.settings.default_account = "other";
    session_of(&f->d, "seed", "cs-2");
    assert_int_equal(seen_by(f, ROLE_CS, 5), 1);
    f->d.settings.default_account = "seed";
    session_of(&f->d, "seed", "cs-2");
    assert_int_equal(seen_by(f, ROLE_CS, 5), 2);
    f->d.settings.default_everyone = false;
    session_of(&f->d, "seed", "cs-2");
    assert_int_equal(seen_by(f, ROLE_CS, 5), 1);
}

static void acting_session(void **state)
{
    fixture_t *f = *state;
    int64_t second = session_of(&f->d, "seed", "cs-2"), id = 0;
    session_set_t both = {.ids = (int64_t[]){f->session, second}, .n = 2};
    session_set_t one = {.ids = &f->session, .n = 1};
    user_t user = {.id = 1};

    assert_int_equal(session_acting(f->db, &f->d, &user, &both, "cs-2", &id),
                     WERR_OK);
    assert_int_equal(id, second);
    assert_int_equal(session_acting(f->db, &f->d, &user, &one, "cs-2", &id),
                     WERR_NOTFOUND);
    assert_int_equal(session_acting(f->db, &f->d, &user, &one, "x", &id),
                     WERR_NOTFOUND);
    assert_int_equal(session_acting(f->db, &f->d, &user, &both, NULL, &id),
                     WERR_NOTFOUND);
    assert_int_equal(session_acting(f->db, &f->d, &user, &one, NULL, &id),
                     WERR_OK);
    assert_int_equal(id, f->session);
    f->d.settings.default_session = "cs-2";
    f->d.settings.default_account = "seed";
    assert_int_equal(session_acting(f->db, &f->d, &user, &both, "", &id),
                     WERR_OK);
    assert_int_equal(id, second);
    user.active_session = f->session;
    assert_int_equal(session_acting(f->db, &f->d, &user, &both, NULL, &id),
                     WERR_OK);
    assert_int_equal(id, f->session);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_row_for_each_number),
        TEST(status_raises_an_event_on_change_only),
        TEST(who_sees_what),
        TEST(all_of_many),
        TEST(default_follows_the_settings),
        TEST(acting_session),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
