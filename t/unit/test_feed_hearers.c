/* event_feed: who gets what, and which socket a request leaves out. */
#include "feed_fixture.h"

#include "domain/session_row.h"

/* ---- who ---- */

typedef struct {
    fixture_t *f;
    const char *remote;
    int64_t id, owner;
} number_t;

static int number_tx(tx_t *tx, void *arg)
{
    number_t *n = arg;
    int rc = ensure_session(tx, "seed", n->remote, &n->id);

    return rc == WERR_OK ? session_set_owner(tx, n->id, n->owner) : rc;
}

static visibility_t *sees(fixture_t *f, int64_t user)
{
    visibility_t *v;

    assert_int_equal(visibility_of(f->db, user, &v), WERR_OK);
    return v;
}

/* Read in pages of three. */
static size_t count_heard(fixture_t *f, int64_t since, const visibility_t *v)
{
    heard_t *h = listen_to(f, since, 3, v);
    size_t n = h->n;

    forget(h);
    return n;
}

/* The fixture's own session is everyone's. */
static void everyone_gets_what_they_may_see(void **state)
{
    fixture_t *f = *state;
    number_t one = {.f = f, .remote = "satu"}, two = {.f = f, .remote = "dua"};
    int64_t boss, since, home = f->session;
    visibility_t *v1, *v2, *all, *none;
    about_t a = {.text = "telepon"};
    said_t s;

    assert_int_equal(user_add(&f->d, "Satu", "satu@test.example", ROLE_CS,
                              "rahasia-sekali", &one.owner),
                     WERR_OK);
    assert_int_equal(user_add(&f->d, "Dua", "dua@test.example", ROLE_CS,
                              "rahasia-sekali", &two.owner),
                     WERR_OK);
    assert_int_equal(user_add(&f->d, "Bos", "bos@test.example", ROLE_SUPERVISOR,
                              "rahasia-sekali", &boss),
                     WERR_OK);
    assert_int_equal(domain_write(&f->d, number_tx, &one), WERR_OK);
    assert_int_equal(domain_write(&f->d, number_tx, &two), WERR_OK);
    v1 = sees(f, one.owner);
    v2 = sees(f, two.owner);
    all = sees(f, boss);
    assert_true(visibility_has(v1, one.id) && !visibility_has(v1, two.id));
    assert_true(visibility_has(v2, two.id) && !visibility_has(v2, one.id));
    assert_true(visibility_has(v1, home) && visibility_has(v2, home));
    assert_true(all->all && !visibility_same(v1, v2));
    assert_int_equal(visibility_of(f->db, 999, &none), WERR_NOTFOUND);
    assert_null(none);

    since = now_at(f);
    f->session = one.id;
    s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    a.contact = s.contact.id;
    give(f, a.contact, 12000000);
    assert_int_equal(domain_write(&f->d, remind_tx, &a), WERR_OK);
    assert_int_equal(reminder_fire(&f->d), 1);
    assert_int_equal(count_heard(f, since, v1), 4);
    assert_int_equal(count_heard(f, since, all), 4);
    assert_int_equal(count_heard(f, since, v2), 0);

    /* talked with in the other one, too: now it is theirs as well */
    f->session = two.id;
    say(f, "6281", "ID2", "halo", clock_now_ms(), false);
    assert_int_equal(count_heard(f, since, v2),
                     4); /* gift, reminder, its firing, message */

    /* nobody talks with them: everybody may know them */
    since = now_at(f);
    RUN(f, "INSERT INTO contacts (id, phone, name, created_at, updated_at) "
           "VALUES (777, '62777', 'X', 0, 0)");
    a.contact = 777;
    give(f, a.contact, 12000000);
    assert_int_equal(count_heard(f, since, v1), 1);
    free(v1);
    free(v2);
    free(all);
    f->session = home;
}

/* ---- whose request ---- */

static void request_leaves_its_socket(void **state)
{
    fixture_t *f = *state;
    said_t s = say(f, "6281", "ID1", "halo", clock_now_ms(), false);
    int64_t since = now_at(f);
    heard_t *h;

    domain_caused_by("123.456", 3);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    domain_caused_by(NULL, 0);
    assert_int_equal(domain_write(&f->d, star_tx, &s.ref.chat), WERR_OK);
    h = listen_to(f, since, FEED_ROWS, NULL);
    assert_int_equal(h->n, 2);
    assert_string_equal(h->e[0].socket, "123.456");
    assert_int_equal(h->e[0].socket_user, 3);
    assert_string_equal(h->e[1].socket, "");
    forget(h);
}

static void socket_ids(void **state)
{
    static const char *const good[] = {
        "1.2", "123456789.987654321",
        "18446744073709551615.18446744073709551615"};
    static const char *const bad[] = {"",
                                      "1",
                                      ".",
                                      "1.",
                                      ".1",
                                      "1.2.3",
                                      "1.2 ",
                                      "a.1",
                                      "-1.2",
                                      "1,2",
                                      "1.2\n3",
                                      "1.2\"x",
                                      "undefined.",
                                      "1 .2",
                                      "118446744073709551615.1",
                                      "1.118446744073709551615"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(socket_id_valid(good[i]));
        assert_true(strlen(good[i]) < SOCKET_ID_MAX);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(socket_id_valid(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(everyone_gets_what_they_may_see),
        T(request_leaves_its_socket),
        cmocka_unit_test(socket_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
