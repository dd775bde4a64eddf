#include "domain_fixture.h"

#define LID "103899771998284@lid"

typedef struct {
    contact_hint_t hint;
    contact_ref_t ref;
} ensured_t;

static int ensure_tx(tx_t *tx, void *arg)
{
    ensured_t *e = arg;

    return contact_ensure(tx, &e->hint, &e->ref);
}

static contact_ref_t ensure(fixture_t *f, contact_hint_t hint)
{
    ensured_t e = {.hint = hint};

    assert_int_equal(domain_write(&f->d, ensure_tx, &e), WERR_OK);
    return e.ref;
}

static void name_is(fixture_t *f, const char *want)
{
    static const db_query_t q = {"SELECT name FROM contacts", "n", "", "t"};
    db_stmt_t *s = db_stmt(f->db, &q);

    assert_int_equal(db_first(s), DB_ROW);
    assert_string_equal(db_text(s, 0), want);
    db_done(s);
}

static void first_or_create(void **state)
{
    fixture_t *f = *state;
    contact_ref_t a = ensure(f, (contact_hint_t){.phone = "6281", .wrote = 1});
    contact_ref_t b = ensure(f, (contact_hint_t){.phone = "6281", .wrote = 1});

    assert_true(a.created && a.newcomer);
    assert_false(b.created || b.newcomer);
    assert_int_equal(a.id, b.id);
    assert_string_equal(b.phone, "6281");
    assert_int_equal(ASK(f, "SELECT donor FROM contacts"), 1);
}

static void names_give_way_or_stay(void **state)
{
    fixture_t *f = *state;

    ensure(f, (contact_hint_t){.phone = "6281234567890"});
    name_is(f, "+62 812-3456-7890");
    ensure(f, (contact_hint_t){.phone = "6281234567890", .name = "Budi"});
    name_is(f, "Budi");
    ensure(f, (contact_hint_t){.phone = "6281234567890", .name = "Spam"});
    name_is(f, "Budi");
    RUN(f, "UPDATE contacts SET name = 'Unknown'");
    ensure(f, (contact_hint_t){.phone = "6281234567890", .name = "Sari"});
    name_is(f, "Sari");
}

static void sent_to_is_no_donor_until_they_write(void **state)
{
    fixture_t *f = *state;
    contact_ref_t c;

    queue(f, "6281", "salam");
    assert_int_equal(ASK(f, "SELECT donor FROM contacts"), 0);
    c = ensure(f, (contact_hint_t){.phone = "6281", .wrote = true});
    assert_false(c.newcomer); /* we wrote first */
    assert_int_equal(ASK(f, "SELECT donor FROM contacts"), 1);
}

static void alias_is_bound_to_phone(void **state)
{
    fixture_t *f = *state;
    contact_ref_t a = ensure(f, (contact_hint_t){.alias = LID});
    contact_ref_t b;
    int64_t id;

    assert_string_equal(a.phone, LID);
    b = ensure(f, (contact_hint_t){.phone = "6281", .alias = LID});
    assert_int_equal(a.id, b.id);
    assert_string_equal(b.phone, "6281");
    b = ensure(f, (contact_hint_t){.alias = LID});
    assert_int_equal(a.id, b.id);
    assert_string_equal(b.phone, "6281");
    assert_int_equal(contact_find(f->db, LID, &id), WERR_OK);
    assert_int_equal(id, a.id);
    assert_int_equal(contact_find(f->db, "6281", &id), WERR_OK);
    assert_int_equal(contact_find(f->db, "6299", &id), WERR_NOTFOUND);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts"), 1);
}

static said_t say_by(fixture_t *f, contact_hint_t hint, const char *wa_id,
                     int64_t ts)
{
    said_t s = {.hint = hint,
                .in = {.session = f->session,
                       .wa_id = wa_id,
                       .ts = ts,
                       .type = "text",
                       .text = wa_id,
                       .live = true}};

    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    return s;
}

static void two_chats_become_one(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t a = say_by(f, (contact_hint_t){.phone = "6281", .wrote = true}, "p1",
                      now - 5000);
    said_t b =
        say_by(f, (contact_hint_t){.alias = LID, .name = "Ani", .wrote = true},
               "l1", now - 1000);
    contact_ref_t c;

    assert_int_not_equal(a.contact.id, b.contact.id);
    give(f, b.contact.id, 50000);
    c = ensure(f, (contact_hint_t){.phone = "6281", .alias = LID});
    assert_int_equal(c.id, a.contact.id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM chats"), 1);
    assert_int_equal(ASK(f, "SELECT unread FROM chats"), 2);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), b.ref.id);
    assert_int_equal(ASK(f, "SELECT last_ts FROM chats"), now - 1000);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages m "
                            "JOIN chats c ON c.id = m.chat_id"),
                     2);
    assert_int_equal(ASK(f, "SELECT gift_sum FROM contacts"), 50000);
    assert_int_equal(ASK(f, "SELECT round(talk_points) FROM contacts"), 8);
    name_is(f, "Ani");
    /* and the next message of either finds it */
    b = say_by(f, (contact_hint_t){.alias = LID, .wrote = true}, "l2", now);
    assert_int_equal(b.contact.id, c.id);
    assert_int_equal(b.ref.chat, a.ref.chat);
}

static void merge_within_one_transaction(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t s;

    say_by(f, (contact_hint_t){.alias = LID, .wrote = true}, "l1", now - 9);
    say_by(f, (contact_hint_t){.phone = "6281", .wrote = true}, "p1", now - 8);
    s = say_by(f,
               (contact_hint_t){.phone = "6281", .alias = LID, .wrote = true},
               "b1", now);
    assert_int_equal(ASK(f, "SELECT unread FROM chats"), 3);
    assert_int_equal(ASK(f, "SELECT last_message_id FROM chats"), s.ref.id);
}

/* The told phone is who it is: an alias that moved takes nobody along. */
static void alias_with_another_number_moves_alone(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms(), id;
    said_t a = say_by(f, (contact_hint_t){.phone = "6281", .alias = LID}, "p1",
                      now - 9);
    contact_ref_t b;
    char phone[ALIAS_MAX];

    give(f, a.contact.id, 50000);
    b = ensure(f, (contact_hint_t){.phone = "6282", .alias = LID, .wrote = 1});
    assert_true(b.created);
    assert_string_equal(b.phone, "6282");
    assert_int_equal(ASK(f, "SELECT count(*) FROM merges"), 0);
    assert_int_equal(contact_find(f->db, "6281", &id), WERR_OK);
    assert_int_equal(id, a.contact.id);
    assert_int_equal(contact_phone(f->db, "6281", phone), WERR_OK);
    assert_string_equal(phone, "6281");
    assert_int_equal(contact_find(f->db, LID, &id), WERR_OK);
    assert_int_equal(id, b.id);
    /* and back, to one that is known: both keep what is theirs */
    give(f, b.id, 50000);
    b = ensure(f, (contact_hint_t){.phone = "6281", .alias = LID});
    assert_int_equal(b.id, a.contact.id);
    assert_string_equal(b.phone, "6281");
    assert_int_equal(contact_find(f->db, LID, &id), WERR_OK);
    assert_int_equal(id, a.contact.id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM merges"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts "
                            "WHERE gift_sum = 50000"),
                     2);
}

/* A history tells whose the alias was, not whose it is. */
static void alias_stays_where_only_the_past_is_told(void **state)
{
    fixture_t *f = *state;
    contact_ref_t a, b;
    int64_t id;

    a = ensure(f, (contact_hint_t){.phone = "6282", .alias = LID});
    b = ensure(f,
               (contact_hint_t){.phone = "6281", .alias = LID, .past = true});
    assert_string_equal(b.phone, "6281");
    assert_int_not_equal(a.id, b.id);
    assert_int_equal(contact_find(f->db, LID, &id), WERR_OK);
    assert_int_equal(id, a.id);
}

static void nobody_is_refused(void **state)
{
    fixture_t *f = *state;
    ensured_t e = {.hint = {.name = "x"}};

    assert_int_equal(domain_write(&f->d, ensure_tx, &e), WERR_INVALID);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_or_create),
        TEST(names_give_way_or_stay),
        TEST(sent_to_is_no_donor_until_they_write),
        TEST(alias_is_bound_to_phone),
        TEST(two_chats_become_one),
        TEST(merge_within_one_transaction),
        TEST(alias_with_another_number_moves_alone),
        TEST(alias_stays_where_only_the_past_is_told),
        TEST(nobody_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
