/* audit: rows, who acts, filters, append-only; and a person erased. */
#include "domain_fixture.h"

#include <pthread.h>

#include "domain/audit.h"
#include "domain/contact_file.h"

static void test_mask(void **state)
{
    static const struct {
        const char *email, *masked;
    } cases[] = {
        {"siti@example.org", "s***@example.org"},
        {"@example.org", "***"},
        {"nobody", "***"},
        {"", "***"},
        {"\xc3\xa9va@x.id", "\xc3\xa9***@x.id"},
        {"a@b@c.id", "a***@c.id"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        audit_mask_email(cases[i].email, out, sizeof(out));
        assert_string_equal(out, cases[i].masked);
    }
}

static void note(fixture_t *f, int64_t user, const char *action,
                 int64_t contact)
{
    assert_int_equal(audit_write(&f->d, &(audit_t){.user = user,
                                                   .action = action,
                                                   .contact = contact}),
                     WERR_OK);
}

static size_t found(fixture_t *f, audit_query_t q, bool more, int64_t *last)
{
    bool has_more;
    size_t n = 0;
    buf_t b;

    buf_init(&b, 0);
    assert_int_equal(audit_list(f->db, &q, &b, NULL, &has_more, last), WERR_OK);
    assert_int_equal(has_more, more);
    for (const char *p = b.data; (p = strstr(p, "\"action\"")) != NULL; p++) {
        n++;
    }
    buf_free(&b);
    return n;
}

static void test_list(void **state)
{
    fixture_t *f = *state;
    int64_t last = 0;
    int64_t who = say(f, "6281111111111", "A1", "halo", 1000, false).contact.id;

    note(f, 1, "a", who);
    note(f, 2, "a", who);
    note(f, 1, "b", 0);
    note(f, 1, "a", who + 1); /* of somebody who is not there */
    assert_int_equal(found(f, (audit_query_t){.limit = 10}, false, &last), 4);
    assert_int_equal(found(f, (audit_query_t){.limit = 3}, true, &last), 3);
    assert_int_equal(
        found(f, (audit_query_t){.limit = 3, .before = last}, false, &last), 1);
    assert_int_equal(
        found(f, (audit_query_t){.limit = 4, .user = 1}, false, &last), 3);
    assert_int_equal(
        found(f, (audit_query_t){.limit = 9, .contact = who}, false, &last), 2);
    assert_int_equal(
        found(f,
              (audit_query_t){
                  .limit = 9, .contact = who, .user = 2, .action = "a"},
              false, &last),
        1);
    assert_int_equal(
        found(f, (audit_query_t){.limit = 9, .action = "b"}, false, &last), 1);
    assert_int_equal(
        found(f, (audit_query_t){.limit = 9, .user = 1, .action = "c"}, false,
              &last),
        0);
    /* an id that somebody had before them */
    RUN(f, "UPDATE contacts SET created_at = created_at + 1000000");
    assert_int_equal(
        found(f, (audit_query_t){.limit = 9, .contact = who}, false, &last), 0);
}

static void *elsewhere(void *arg)
{
    note(arg, 0, "other", 0);
    return NULL;
}

static void test_who(void **state)
{
    fixture_t *f = *state;
    pthread_t thread;

    note(f, 0, "none", 0);
    audit_as(0, AUDIT_CTL);
    note(f, 0, "ctl", 0);
    audit_as(7, NULL);
    note(f, 0, "user", 0);
    assert_int_equal(pthread_create(&thread, NULL, elsewhere, f), 0);
    pthread_join(thread, NULL);
    audit_as(0, NULL);
    assert_int_equal(ASK(f, "SELECT count(*) FROM audit WHERE "
                            "(action, who) IN (('none', 'system'), "
                            "('ctl', 'wacrmctl'), ('user', 'user'), "
                            "('other', 'system'))"),
                     4);
    assert_int_equal(ASK(f, "SELECT user_id FROM audit WHERE who = 'user'"), 7);
}

static int refused(tx_t *tx, void *arg)
{
    int rc = run_query(tx, arg);

    assert_true(rc < 0);
    return rc;
}

static void test_append_only(void **state)
{
    static const db_query_t queries[] = {
        {"UPDATE audit SET who = 'x'", "u", __FILE__, "test"},
        {"DELETE FROM audit", "d", __FILE__, "test"},
    };
    fixture_t *f = *state;

    note(f, 1, "a", 0);
    for (size_t i = 0; i < 2; i++) {
        assert_true(
            domain_write(&f->d, refused, (void *)(uintptr_t)&queries[i]) < 0);
    }
    assert_int_equal(ASK(f, "SELECT count(*) FROM audit WHERE who = 'user'"),
                     1);
}

static void test_erase(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t s = say(f, "6281111111111", "E1", "rahasia", now - 9, false);
    said_t other = say(f, "62811111111112", "E2", "tetap", now - 8, false);

    queue(f, "6281111111111", "menunggu");
    RUN(f, "INSERT INTO contact_aliases (alias, contact_id) SELECT "
           "'103899771998284@lid', id FROM contacts WHERE phone = "
           "'6281111111111'");
    RUN(f, "INSERT INTO raw_events (spool, seq, received_at, record) VALUES "
           "(1, 1, 0, CAST('x6281111111111@' AS BLOB)), "
           "(1, 2, 0, CAST('+6281111111111' AS BLOB)), "
           "(1, 3, 0, CAST('62811111111112 162811111111116281111111111' AS "
           "BLOB)), (1, 4, 0, CAST('a103899771998284:3@lid' AS BLOB))");
    RUN(f, "WITH RECURSIVE i(n) AS (SELECT 5 UNION ALL SELECT n + 1 FROM i "
           "WHERE n < 450) INSERT INTO raw_events (spool, seq, received_at, "
           "record) SELECT 1, n, 0, CAST(CASE WHEN n = 450 THEN "
           "'6281111111111' ELSE 'nobody' END AS BLOB) FROM i");
    assert_int_equal(contact_erase(&f->d, f->db, s.contact.id, 7), WERR_OK);
    assert_int_equal(
        ASK(f, "SELECT sum(seq) FROM raw_events WHERE length(record) = 0"),
        1 + 2 + 4 + 450);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages WHERE body <> ''"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM outbox WHERE state < 4"), 0);
    assert_int_equal(ASK(f, "SELECT failed FROM chats WHERE contact_id = 1"),
                     1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contact_aliases"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM audit WHERE action = "
                            "'contact.erase' AND user_id = 7"),
                     1);
    /* once more does no harm, and nobody else was touched */
    RUN(f, "INSERT INTO raw_events (spool, seq, received_at, record) VALUES "
           "(1, 451, 0, CAST('an erased one' AS BLOB))");
    assert_int_equal(contact_erase(&f->d, f->db, s.contact.id, 7), WERR_OK);
    assert_int_equal(ASK(f, "SELECT length(record) FROM raw_events "
                            "WHERE seq = 451"),
                     13);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts WHERE phone = "
                            "'62811111111112' AND opted_out = 0"),
                     1);
    assert_true(other.contact.id != s.contact.id);
}

int main(void)
{
#define T(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask), T(test_list),  T(test_who),
        T(test_append_only),         T(test_erase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
