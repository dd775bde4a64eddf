/* user: adding, passwords, roles, constant effort for strangers. */
#include "crm_fixture.h"

#include <time.h>

static crm_t crm;
static db_t *db;

static int setup(void **state)
{
    (void)state;
    crm_open(&crm);
    return store_reader(crm.store, &db);
}

static int teardown(void **state)
{
    (void)state;
    store_reader_close(&db);
    crm_close(&crm);
    return 0;
}

static void test_roles(void **state)
{
    role_t role;
    (void)state;
    assert_true(role_parse("supervisor", &role));
    assert_int_equal(role, ROLE_SUPERVISOR);
    assert_string_equal(role_name(ROLE_ADMIN), "admin");
    assert_false(role_parse("Admin", &role));
    assert_false(role_parse("", &role));
}

static void test_bad_input(void **state)
{
    static const char *const addresses[] = {
        "", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\n", "a@b\x7f"};
    int64_t id = 0;
    char long_one[700];
    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        assert_int_equal(
            user_add(&crm.domain, "A", addresses[i], ROLE_CS, "password1", &id),
            WERR_INVALID);
    }
    memset(long_one, 'a', sizeof(long_one));
    long_one[sizeof(long_one) - 1] = '\0';
    assert_int_equal(user_add(&crm.domain, "A", "a@b", ROLE_CS, "short77", &id),
                     WERR_INVALID);
    assert_int_equal(user_add(&crm.domain, "A", "a@b", ROLE_CS, long_one, &id),
                     WERR_INVALID);
    assert_int_equal(
        user_add(&crm.domain, "", "a@b", ROLE_CS, "password1", &id),
        WERR_INVALID);
    assert_int_equal(
        user_add(&crm.domain, "A", "a@b", (role_t)9, "password1", &id),
        WERR_INVALID);
    assert_int_equal(id, 0);
}

static void test_password(void **state)
{
    user_t u;
    int64_t id = 0, other = 0;
    (void)state;
    assert_int_equal(user_add(&crm.domain, "Siti", "Siti@Example.org", ROLE_CS,
                              "rahasia-123", &id),
                     WERR_OK);
    assert_true(id > 0);
    assert_int_equal(user_add(&crm.domain, "B", "siti@example.ORG", ROLE_CS,
                              "rahasia-123", &other),
                     WERR_CONFLICT);
    assert_int_equal(
        user_check_password(db, "SITI@example.org", "rahasia-123", &u),
        WERR_OK);
    assert_int_equal(u.id, id);
    assert_string_equal(u.email, "siti@example.org");
    assert_int_equal(
        user_check_password(db, "siti@example.org", "rahasia-124", &u),
        WERR_DENIED);
    assert_int_equal(u.id, 0); /* nothing of the user leaks out */
    assert_int_equal(user_check_password(db, "siti@example.org", "", &u),
                     WERR_DENIED);

    assert_int_equal(
        user_set_password(&crm.domain, "siti@example.org", "baru-baru"),
        WERR_OK);
    assert_int_equal(
        user_check_password(db, "siti@example.org", "rahasia-123", &u),
        WERR_DENIED);
    assert_int_equal(
        user_check_password(db, "siti@example.org", "baru-baru", &u), WERR_OK);
    assert_true(u.not_before > 0); /* older tokens are revoked */
    assert_int_equal(
        user_set_password(&crm.domain, "nobody@example.org", "baru-baru"),
        WERR_NOTFOUND);
}

DB_QUERY(switch_off, "UPDATE users SET active = 0 WHERE id = $1");

static int deactivate(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &switch_off);
    db_bind_i64(s, 1, *(int64_t *)arg);
    return db_exec(s);
}

static void test_inactive(void **state)
{
    user_t u;
    int64_t id;
    (void)state;
    assert_int_equal(user_add(&crm.domain, "Dewi", "dewi@example.org", ROLE_CS,
                              "rahasia-123", &id),
                     WERR_OK);
    assert_int_equal(
        user_check_password(db, "dewi@example.org", "rahasia-123", &u),
        WERR_OK);
    assert_int_equal(domain_write(&crm.domain, deactivate, &id), WERR_OK);
    assert_int_equal(
        user_check_password(db, "dewi@example.org", "rahasia-123", &u),
        WERR_DENIED);
    crm_user(&crm, 77, "gone", ROLE_CS, false);
    assert_int_equal(user_get(db, 77, &u), WERR_OK);
    assert_false(u.active);
    assert_int_equal(
        user_check_password(db, "gone@example.org", "whatever-1", &u),
        WERR_DENIED);
    assert_int_equal(user_get(db, 78, &u), WERR_NOTFOUND);
}

static double cpu_of(const char *email, const char *password)
{
    struct timespec a, b;
    user_t u;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    assert_int_equal(user_check_password(db, email, password, &u), WERR_DENIED);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) +
           (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void test_constant_effort(void **state)
{
    char long_one[700];
    int64_t id;
    (void)state;
    memset(long_one, 'a', sizeof(long_one));
    long_one[sizeof(long_one) - 1] = '\0';
    assert_int_equal(user_add(&crm.domain, "Budi", "budi@example.org", ROLE_CS,
                              "rahasia-123", &id),
                     WERR_OK);
    double known = cpu_of("budi@example.org", "wrong-wrong");
    assert_true(cpu_of("stranger@example.org", "wrong-wrong") > known / 4);
    assert_true(cpu_of("no address", "wrong-wrong") > known / 4);
    assert_true(cpu_of("budi@example.org", long_one) > known / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_inactive),
        cmocka_unit_test(test_constant_effort),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
