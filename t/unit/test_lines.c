/* Lines of the list that are kept: after whatever change, the list made of
 * them is, byte for byte, the one that the database gives. */
#include "routes_fixture.h"
#include "short_memory.h"

#include "base/clock.h"
#include "domain/chat.h"
#include "domain/lines.h"

DB_QUERY(lines_star, "UPDATE chats SET starred = 1 - starred WHERE id = $1");
DB_QUERY(lines_read, "UPDATE chats SET unread = 0 WHERE contact_id = $1");
DB_QUERY(lines_edit, "UPDATE messages SET body = body || '.' "
                     "WHERE id = (SELECT last_message_id FROM chats "
                     "WHERE id = $1)");
DB_QUERY(lines_delete, "UPDATE messages SET deleted_at = 5 "
                       "WHERE id = (SELECT last_message_id FROM chats "
                       "WHERE id = $1)");
DB_QUERY(lines_name, "UPDATE contacts SET name = name || '!' "
                     "WHERE id = (SELECT contact_id FROM chats WHERE id = $1)");
DB_QUERY(lines_gift, "UPDATE contacts SET donor = 1, gift_count = 1, "
                     "gift_sum = gift_sum + 5 WHERE id = $1");
DB_QUERY(lines_session, "UPDATE sessions SET session_id = session_id || 'x' "
                        "WHERE id = $1");
DB_QUERY(lines_swap, "UPDATE chats SET contact_id = 3 - contact_id "
                     "WHERE session_id = $1 AND contact_id IN (1, 2)");

typedef struct {
    const db_query_t *query;
    int64_t id;
} step_t;

static int step_tx(tx_t *tx, void *arg)
{
    const step_t *a = arg;
    db_stmt_t *s = db_stmt(tx->db, a->query);

    db_bind_i64(s, 1, a->id);
    return db_exec(s);
}

static void list_with(lines_t *lines, inbox_filter_t filter, buf_t *out)
{
    int64_t ids[] = {mine, theirs}, ts, id;
    const session_set_t set = {.ids = ids, .n = 2};
    const inbox_query_t q = {
        .sessions = &set,
        .filter = filter,
        .limit = 40,
        .lines = lines,
        .version = store_version(web.crm.store),
    };
    bool more;

    buf_init(out, 0);
    assert_int_equal(db_read_begin(db), WERR_OK);
    assert_int_equal(chat_inbox(db, &web.crm.domain, &q, out, &more, &ts, &id),
                     WERR_OK);
    db_read_end(db);
}

static void assert_same(lines_t *lines, const char *after)
{
    for (int filter = INBOX_ALL; filter <= INBOX_FAILED; filter++) {
        buf_t kept, read;

        list_with(lines, (inbox_filter_t)filter, &kept);
        list_with(NULL, (inbox_filter_t)filter, &read);
        if (kept.len != read.len ||
            memcmp(kept.data, read.data, kept.len) != 0) {
            fail_msg("after %s:\n%s\n%s", after, kept.data, read.data);
        }
        buf_free(&kept);
        buf_free(&read);
    }
}

static void test_any_change(void **state)
{
    static const db_query_t *const steps[] = {
        &lines_star, &lines_read, &lines_edit, &lines_delete,
        &lines_name, &lines_gift, &lines_swap, &lines_session};
    enum { N = sizeof(steps) / sizeof(steps[0]), PEOPLE = 60 };
    unsigned seed = 7;
    char phone[24];
    lines_t *lines;

    (void)state;
    assert_int_equal(lines_new(&lines, web.crm.store), WERR_OK);
    for (int i = 0; i < PEOPLE; i++) {
        snprintf(phone, sizeof(phone), "62811111111%02d", i);
        hear(i % 3 == 0 ? theirs : mine, phone, "halo", 1000000 + i);
    }
    assert_same(lines, "nothing");
    for (int i = 0; i < 400; i++) {
        unsigned which = (unsigned)rand_r(&seed) % (N + 2);
        unsigned who = (unsigned)rand_r(&seed) % PEOPLE;

        if (which >= N) {
            snprintf(phone, sizeof(phone), "62811111111%02u", who);
            hear(which > N ? theirs : mine, phone, "lagi", 2000000 + i);
        } else if (which < N - 2 || i % 20 == 0) {
            step_t a = {steps[which], which < N - 2 ? who + 1 : mine};
            int rc = domain_write(&web.crm.domain, step_tx, &a);
            assert_true(rc == WERR_OK || rc == WERR_CONFLICT);
        }
        assert_same(lines, which < N ? steps[which]->name : "a message");
    }
    lines_free(&lines);
    assert_null(lines);
}

/* A line of which a part found no memory is of nobody's use later. */
static void test_short_of_memory(void **state)
{
    int64_t ids[] = {mine, theirs}, ts, id;
    const session_set_t set = {.ids = ids, .n = 2};
    lines_t *lines;
    bool more;
    long hits = 1;

    (void)state;
    if (!short_memory()) {
        skip();
    }
    hear(mine, "6281111111101", "halo", 1000000);
    hear(theirs, "6281111111102", "apa kabar", 1000001);
    for (long skip = 0; hits > 0; skip++) {
        assert_int_equal(lines_new(&lines, web.crm.store), WERR_OK);
        const inbox_query_t q = {
            .sessions = &set,
            .filter = INBOX_ALL,
            .limit = 40,
            .lines = lines,
            .version = store_version(web.crm.store),
        };
        buf_t b;

        buf_init(&b, 0);
        if (db_read_begin(db) == WERR_OK) {
            short_memory_begin(skip, 1);
            int rc = chat_inbox(db, &web.crm.domain, &q, &b, &more, &ts, &id);
            hits = short_memory_end();
            assert_true(rc == WERR_OK || rc == WERR_NOMEM);
            db_read_end(db);
        }
        buf_free(&b);
        assert_same(lines, "a failed allocation");
        lines_free(&lines);
    }
}

static const char one[] = "{\"id\":\"1\"}";

static bool has(lines_t *l, int64_t chat, int64_t ts, int64_t day)
{
    buf_t b;

    buf_init(&b, 0);
    bool found = lines_copy(l, chat, ts, day, &b);
    assert_int_equal(b.len, found ? sizeof(one) - 1 : 0);
    buf_free(&b);
    return found;
}

static void test_what_holds(void **state)
{
    int64_t v = store_version(web.crm.store);
    line_of_t of = {.chat = 1, .contact = 2, .ts = 3, .day = 4, .version = v};
    static char long_one[4000];
    lines_t *l;

    (void)state;
    assert_int_equal(lines_new(&l, web.crm.store), WERR_OK);
    assert_false(has(l, 1, 3, 4));
    lines_keep(l, &of, one, sizeof(one) - 1);
    assert_true(has(l, 1, 3, 4));
    assert_false(has(l, 1, 3, 5));        /* tomorrow */
    assert_false(has(l, 1, 2, 4));        /* another place */
    assert_false(has(l, 1 + 1024, 3, 4)); /* another chat */
    of.version = v - 1;
    of.ts = 9;
    lines_keep(l, &of, one, sizeof(one) - 1); /* read before: not kept */
    assert_true(has(l, 1, 3, 4));
    hear(mine, "6281111111111", "halo", 1000000);
    step_t a = {&lines_session, theirs};
    assert_int_equal(domain_write(&web.crm.domain, step_tx, &a), WERR_OK);
    assert_false(has(l, 1, 3, 4));
    of.version = store_version(web.crm.store);
    lines_keep(l, &of, long_one, sizeof(long_one)); /* too long */
    assert_false(has(l, 1, 9, 4));
    lines_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_any_change),
        T(test_what_holds),
        T(test_short_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
