/* dashboard: figures of today, by a clock of the test; users as changed. */
#include "crm_fixture.h"

#include "base/clock.h"
#include "domain/dashboard.h"

#define OFFSET 25200
#define MINUTE INT64_C(60000)

DB_QUERY(test_contact, "INSERT INTO contacts (id, phone, name, created_at, "
                       "updated_at) VALUES ($1, $2, 'x', 0, 0)");
DB_QUERY(test_chat, "INSERT INTO chats (id, session_id, contact_id, last_ts, "
                    "last_direction, failed) VALUES ($1, $2, $3, $4, $5, $6)");
DB_QUERY(test_message,
         "INSERT INTO messages (session_id, chat_id, direction, ts, type, "
         "body, status, source, created_at) "
         "VALUES ($1, $2, $3, $4, 'text', '', 3, $5, 0)");

static crm_t crm;
static int64_t now, today, mine, theirs;

typedef struct {
    int64_t session, chat, failed;
    struct {
        int64_t ts;
        const char *source; /* NULL: incoming */
    } said[8];
    size_t n;
} talk_t;

static int add_message(tx_t *tx, const talk_t *t, size_t i)
{
    db_stmt_t *s = db_stmt(tx->db, &test_message);
    db_bind_i64(s, 1, t->session);
    db_bind_i64(s, 2, t->chat);
    db_bind_i64(s, 3, t->said[i].source != NULL);
    db_bind_i64(s, 4, t->said[i].ts);
    if (t->said[i].source != NULL) {
        db_bind_text(s, 5, t->said[i].source);
    }
    return db_exec(s);
}

static int add_talk(tx_t *tx, void *arg)
{
    const talk_t *t = arg;
    char phone[32];
    snprintf(phone, sizeof(phone), "62811000%lld", (long long)t->chat);
    db_stmt_t *s = db_stmt(tx->db, &test_contact);
    db_bind_i64(s, 1, t->chat);
    db_bind_text(s, 2, phone);
    int rc = db_exec(s);
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &test_chat);
        db_bind_i64(s, 1, t->chat);
        db_bind_i64(s, 2, t->session);
        db_bind_i64(s, 3, t->chat);
        db_bind_i64(s, 4, t->said[t->n - 1].ts);
        db_bind_i64(s, 5, t->said[t->n - 1].source != NULL);
        db_bind_i64(s, 6, t->failed);
        rc = db_exec(s);
    }
    for (size_t i = 0; rc == WERR_OK && i < t->n; i++) {
        rc = add_message(tx, t, i);
    }
    return rc;
}

static void talk(talk_t t)
{
    assert_int_equal(domain_write(&crm.domain, add_talk, &t), WERR_OK);
}

static int setup(void **state)
{
    (void)state;
    crm_open(&crm);
    mine = crm_session(&crm, "satu", 0);
    theirs = crm_session(&crm, "dua", 0);
    today = clock_day_start(20000, OFFSET);
    now = today + 10 * 60 * MINUTE;
    crm.domain.settings.utc_offset_s = OFFSET;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    crm_close(&crm);
    return 0;
}

static dashboard_t read_figures(void)
{
    session_set_t visible = {.ids = &mine, .n = 1};
    dashboard_t d;
    db_t *db;
    assert_int_equal(store_reader(crm.store, &db), WERR_OK);
    assert_int_equal(
        dashboard_read(db, &crm.domain.settings, &visible, now, &d), WERR_OK);
    store_reader_close(&db);
    return d;
}

static void test_nothing(void **state)
{
    (void)state;
    dashboard_t d = read_figures();
    assert_int_equal(d.responses, 0);
    assert_int_equal(d.median_s, -1);
    assert_int_equal(d.unanswered, 0);
    assert_int_equal(d.oldest, 0);
}

static void test_figures(void **state)
{
    (void)state;
    /* answered after 10 and, by a machine in between, after 30 minutes */
    talk((talk_t){mine,
                  1,
                  2,
                  {{today + MINUTE, NULL},
                   {today + 2 * MINUTE, NULL},
                   {today + 11 * MINUTE, "agent"},
                   {today + 12 * MINUTE, "agent"},
                   {today + 60 * MINUTE, NULL},
                   {today + 61 * MINUTE, "auto"},
                   {today + 90 * MINUTE, "template"}},
                  7});
    /* began yesterday: no response of today's */
    talk((talk_t){mine,
                  2,
                  0,
                  {{today - 30 * MINUTE, NULL},
                   {today + 5 * MINUTE, NULL},
                   {today + 6 * MINUTE, "agent"}},
                  3});
    /* nobody has answered */
    talk((talk_t){mine, 3, 0, {{today + 120 * MINUTE, NULL}}, 1});
    talk((talk_t){mine, 4, 0, {{now - 31 * DAY_MS, NULL}}, 1});
    talk((talk_t){theirs, 5, 9, {{today + 130 * MINUTE, NULL}}, 1});
    dashboard_t d = read_figures();
    assert_int_equal(d.responses, 2);
    assert_int_equal(d.median_s, 600);
    assert_int_equal(d.p90_s, 1800);
    assert_int_equal(d.in[0], 3);
    assert_int_equal(d.in[1], 1);
    assert_int_equal(d.in[2], 1);
    assert_int_equal(d.out[0], 3);
    assert_int_equal(d.out[1], 2);
    assert_int_equal(d.unanswered, 1);
    assert_int_equal(d.oldest, today + 120 * MINUTE);
    assert_int_equal(d.failed, 2);
    assert_int_equal(d.queued, 0);
}

static void test_last_admin(void **state)
{
    const role_t cs = ROLE_CS;
    const bool off = false;
    user_change_t c = {.role = &cs};
    (void)state;
    crm_user(&crm, 1, "admin", ROLE_ADMIN, true);
    crm_user(&crm, 2, "former", ROLE_ADMIN, false);
    assert_int_equal(user_change(&crm.domain, 1, &c), WERR_CONFLICT);
    assert_true(c.last_admin);
    c = (user_change_t){.active = &off};
    assert_int_equal(user_change(&crm.domain, 1, &c), WERR_CONFLICT);
    crm_user(&crm, 3, "second", ROLE_ADMIN, true);
    assert_int_equal(user_change(&crm.domain, 1, &c), WERR_OK);
    assert_false(c.last_admin);
    assert_int_equal(user_change(&crm.domain, 99, &c), WERR_NOTFOUND);
    c = (user_change_t){.name = ""};
    assert_int_equal(user_change(&crm.domain, 3, &c), WERR_INVALID);
    c = (user_change_t){.password = "short"};
    assert_int_equal(user_change(&crm.domain, 3, &c), WERR_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),
        TEST(test_figures),
        TEST(test_last_admin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
