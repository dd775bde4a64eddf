#include "inbox_fixture.h"

/* By what was found: each chat once, in the order of the inbox, with the
 * filter and the sessions. */
static void found(void **state)
{
    fixture_t *f = *state;
    int64_t ids[300], none = 0, two[3] = {3, 5, 3};
    inbox_search_t all = {.chats = ids, .nchats = 300};
    inbox_search_t some = {
        .chats = ids, .nchats = 2, .contacts = two, .ncontacts = 3};
    inbox_search_t nothing = {0};
    inbox_query_t q = {.search = &all, .limit = 7};
    size_t total = 0;
    page_t p;

    many(f, 60);
    for (int64_t i = 0; i < 300; i++) {
        ids[i] = 300 - i; /* most of them are no chats */
    }
    do {
        p = inbox(f, q);
        for (size_t i = 0; i < json_array_size(p.rows); i++, total++) {
            char phone[24];

            snprintf(phone, sizeof(phone), "62810000%04zu", 59 - total);
            assert_string_equal(text(p.rows, i, "phone"), phone);
        }
        q.before_ts = p.ts;
        q.before_id = p.id;
        json_decref(p.root);
    } while (p.more);
    assert_int_equal(total, 60);
    ids[0] = 4;
    ids[1] = 5;
    assert_int_equal(count(f, (inbox_query_t){.search = &some}), 3);
    assert_int_equal(count(f, (inbox_query_t){.search = &nothing}), 0);
    assert_int_equal(
        count(f, (inbox_query_t){.search = &all, .filter = INBOX_STARRED}), 0);
    RUN(f, "UPDATE chats SET starred = 1 WHERE id = 5");
    assert_int_equal(
        count(f, (inbox_query_t){.search = &some, .filter = INBOX_STARRED}), 1);
    session_set_t other = {.ids = &none, .n = 1};
    assert_int_equal(
        count(f, (inbox_query_t){.search = &all, .sessions = &other}), 0);
}

typedef struct {
    size_t asked, closed;
    int64_t every;
} judge_t;

static int has(void *arg, int64_t chat, int64_t contact, bool open, bool *hit)
{
    judge_t *j = arg;

    (void)contact;
    j->asked++;
    j->closed += !open;
    *hit = chat % j->every == 0;
    return WERR_OK;
}

/* Chat by chat: no more of them than the page needs, none left out. */
static void asked_one_by_one(void **state)
{
    fixture_t *f = *state;
    judge_t j = {.every = 2};
    inbox_search_t search = {.partial = true, .has = has, .arg = &j};
    inbox_query_t q = {.search = &search, .limit = 10};
    page_t p;

    many(f, 300);
    p = inbox(f, q);
    assert_int_equal(json_array_size(p.rows), 10);
    assert_true(p.more);
    assert_in_range(j.asked, 21, 23);
    json_decref(p.root);
    assert_int_equal(count_pages(f, q), 150);
    j.every = 299; /* far down */
    assert_int_equal(count(f, (inbox_query_t){.search = &search}), 1);
    q = (inbox_query_t){.search = &search, .filter = INBOX_STARRED};
    assert_int_equal(count(f, q), 0);
    RUN(f, "UPDATE chats SET starred = 1 WHERE id = 299");
    j.asked = 0;
    assert_int_equal(count(f, q), 1);
    assert_int_equal(j.asked, 1);
}

/* Their contact is found by what the record tells: it is not enough. */
static void closed_ones_are_asked_of(void **state)
{
    fixture_t *f = *state;
    int64_t ids[] = {1, 2, 3, 4}, other = 2;
    judge_t j = {.every = 2};
    inbox_search_t search = {
        .contacts = ids, .ncontacts = 4, .has = has, .arg = &j};
    inbox_search_t chats = {.chats = ids, .nchats = 4, .has = has, .arg = &j};
    session_set_t own = {.ids = &f->session, .n = 1};
    session_set_t theirs = {.ids = &other, .n = 1};

    many(f, 4);
    RUN(f, "INSERT INTO sessions (id, account_id, remote_id, session_id, name, "
           "created_at, updated_at) SELECT 2, account_id, 'x', 'x', 'x', 0, 0 "
           "FROM sessions");
    RUN(f, "INSERT INTO chats (id, session_id, contact_id, last_ts) "
           "SELECT id + 100, 2, contact_id, last_ts FROM chats");
    assert_int_equal(
        count(f, (inbox_query_t){.search = &search, .sessions = &own}), 4);
    assert_int_equal(j.closed, 0);
    assert_int_equal(
        count(f, (inbox_query_t){.search = &search, .sessions = &theirs}), 2);
    assert_int_equal(j.closed, 4);
    search.has = NULL;
    assert_int_equal(
        count(f, (inbox_query_t){.search = &search, .sessions = &theirs}), 0);
    search = (inbox_search_t){.partial = true, .has = has, .arg = &j};
    j.closed = 0;
    assert_int_equal(
        count(f, (inbox_query_t){.search = &search, .sessions = &theirs}), 2);
    assert_int_equal(j.closed, 4);
    j.closed = 0;
    ids[0] = 101; /* a message of it is a hit */
    assert_int_equal(
        count(f, (inbox_query_t){.search = &chats, .sessions = &theirs}), 1);
    assert_int_equal(j.closed, 0);
    RUN(f, "UPDATE chats SET live = 1 WHERE session_id = 2");
    assert_int_equal(
        count(f, (inbox_query_t){.search = &search, .sessions = &theirs}), 2);
    assert_int_equal(j.closed, 0);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(found),
        TEST(asked_one_by_one),
        TEST(closed_ones_are_asked_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
