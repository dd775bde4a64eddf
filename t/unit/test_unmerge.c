/* Merges at the wish of a user, and their way back. */
#include "domain_fixture.h"

#include "domain/contact_file.h"
#include "domain/contact_merge.h"
#include "domain/note.h"
#include "domain/reminder.h"

#define A   "6281000000001"
#define B   "6281000000002"
#define LID "103899771998284@lid"

typedef struct {
    int64_t into, from, merge;
} merged_t;

static int merge_tx(tx_t *tx, void *arg)
{
    merged_t *m = arg;

    return contact_merge_by(tx, m->into, m->from, 7, &m->merge);
}

static int undo_tx(tx_t *tx, void *arg)
{
    merged_t *m = arg;

    return contact_unmerge(tx, m->merge, 7, &m->into, &m->from);
}

static merged_t merge(fixture_t *f, int64_t into, int64_t from)
{
    merged_t m = {.into = into, .from = from};

    assert_int_equal(domain_write(&f->d, merge_tx, &m), WERR_OK);
    return m;
}

static int undo(fixture_t *f, merged_t *m)
{
    return domain_write(&f->d, undo_tx, m);
}

static int note_tx(tx_t *tx, void *arg)
{
    int64_t id, contact = *(int64_t *)arg;
    reminder_t r = {
        .contact = contact, .at = tx->now + 1000000, .note = "telepon"};
    int rc = note_add(tx, contact, "catatan", 0, &id);

    return rc == WERR_OK ? reminder_add(tx, &r, &id) : rc;
}

/* A gift, a note and a reminder. */
static void give_and_note(fixture_t *f, int64_t contact, int64_t amount)
{
    give(f, contact, amount);
    assert_int_equal(domain_write(&f->d, note_tx, &contact), WERR_OK);
}

/* A, then B, some seconds ago; now. */
static int64_t two_wrote(fixture_t *f, said_t *a, said_t *b)
{
    int64_t now = clock_now_ms();

    *a = say(f, A, "a1", "salam", now - 9000, false);
    *b = say(f, B, "b1", "halo", now - 5000, false);
    return now;
}

/* All that a merge and its undoing may touch, as one text. */
static char *picture(fixture_t *f)
{
    static const db_query_t q = {
        "SELECT group_concat(x, char(10)) FROM ("
        "SELECT 'k ' || id || phone || name || donor || gift_sum || "
        "gift_count || coalesce(gift_last, 0) || segment || vip || opted_out "
        "|| round(talk_points, 6) || coalesce(talk_day, -1) AS x FROM contacts "
        "UNION ALL SELECT 'c ' || id || ' ' || session_id || ' ' || contact_id "
        "|| ' ' || coalesce(last_message_id, 0) || ' ' || last_ts || ' ' || "
        "last_direction || ' ' || unread || ' ' || starred || ' ' || failed "
        "|| ' ' || live "
        "FROM chats UNION ALL SELECT 'm ' || id || ' ' || chat_id FROM "
        "messages "
        "UNION ALL SELECT 'a ' || alias || ' ' || contact_id "
        "FROM contact_aliases UNION ALL SELECT 'd ' || id || ' ' || contact_id "
        "FROM donations UNION ALL SELECT 'n ' || id || ' ' || contact_id "
        "FROM notes UNION ALL SELECT 'r ' || id || ' ' || contact_id "
        "FROM reminders UNION ALL SELECT 's ' || id || ' ' || contact_id "
        "FROM segment_changes UNION ALL SELECT 'o ' || id || ' ' || chat_id "
        "FROM outbox UNION ALL SELECT 'i ' || key || ' ' || contact_id "
        "FROM idempotency ORDER BY x)",
        "picture", "", "test"};
    db_stmt_t *s = db_stmt(f->db, &q);
    char *text;

    assert_int_equal(db_first(s), DB_ROW);
    text = strdup(db_text(s, 0));
    db_done(s);
    assert_non_null(text);
    return text;
}

static void back_to_what_it_was(fixture_t *f, merged_t *m, const char *before)
{
    char *after;

    assert_int_equal(undo(f, m), WERR_OK);
    after = picture(f);
    assert_string_equal(after, before);
    free(after);
    assert_int_equal(undo(f, m), WERR_CONFLICT); /* only once */
}

static void there_and_back(fixture_t *f, int64_t into, int64_t from)
{
    char *before = picture(f);
    merged_t m = merge(f, into, from);

    back_to_what_it_was(f, &m, before);
    free(before);
}

/* One of each contact, under a key. */
static void keep_answers(fixture_t *f)
{
    RUN(f, "INSERT INTO idempotency (user_id, key, request, status, response, "
           "created_at, contact_id) SELECT 1, 'k' || id, '', 200, "
           "'kept of ' || name, 0, id FROM contacts");
}

static void exact_undo(void **state)
{
    fixture_t *f = *state;
    said_t a, b;
    int64_t now = two_wrote(f, &a, &b);
    char *before;
    merged_t m;

    say(f, A, "a2", "lagi", now - 1000, false);
    say(f, B, "b2", "dari ponsel", now - 2000, true);
    queue(f, B, "terima kasih");
    give_and_note(f, a.contact.id, 50000);
    give_and_note(f, b.contact.id, 70000);
    keep_answers(f);
    RUN(f,
        "UPDATE chats SET starred = 1 WHERE id = (SELECT max(id) FROM chats)");
    before = picture(f);
    m = merge(f, a.contact.id, b.contact.id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM contacts"), 1);
    assert_int_equal(ASK(f, "SELECT count(*) FROM chats"), 1);
    assert_int_equal(ASK(f, "SELECT gift_sum FROM contacts"), 120000);
    assert_int_equal(ASK(f, "SELECT unread FROM chats"), 3);
    assert_int_equal(ASK(f, "SELECT starred FROM chats"), 1);
    back_to_what_it_was(f, &m, before);
    free(before);
}

static void chat_that_moved_whole(void **state)
{
    fixture_t *f = *state;
    said_t b = say(f, B, "b1", "halo", clock_now_ms() - 5000, false);
    char *before;
    merged_t m;

    queue(f, A, "salam");
    RUN(f, "DELETE FROM outbox");
    RUN(f, "DELETE FROM messages WHERE direction = 1");
    RUN(f,
        "DELETE FROM chats WHERE contact_id <> (SELECT min(id) FROM contacts)");
    before = picture(f);
    m = merge(f, ASK(f, "SELECT max(id) FROM contacts"), b.contact.id);
    assert_int_equal(ASK(f, "SELECT contact_id FROM chats"), m.into);
    back_to_what_it_was(f, &m, before);
    free(before);
}

/* The number goes to the one that had only an alias, and comes back. */
static void number_is_adopted(void **state)
{
    fixture_t *f = *state;
    said_t a = {.hint = {.alias = LID, .wrote = true},
                .in = {.session = f->session,
                       .wa_id = "l1",
                       .ts = clock_now_ms() - 1000,
                       .type = "text",
                       .text = "l1",
                       .live = true}};
    said_t b = say(f, B, "b1", "halo", clock_now_ms() - 5000, false);
    char *before;
    int64_t id;
    merged_t m;

    assert_int_equal(domain_write(&f->d, say_tx, &a), WERR_OK);
    before = picture(f);
    m = merge(f, a.contact.id, b.contact.id);
    assert_int_equal(contact_find(f->db, B, &id), WERR_OK);
    assert_int_equal(id, a.contact.id);
    assert_int_equal(ASK(f, "SELECT phone = '" B "' FROM contacts"), 1);
    back_to_what_it_was(f, &m, before);
    free(before);
}

/* Chats that the phone has told of, and of which no message is here; and one
 * in which nothing was said at all. */
static void without_messages(void **state)
{
    fixture_t *f = *state;
    said_t a, b;
    int64_t now = two_wrote(f, &a, &b);

    (void)say(f, "6281000000003", "c1", "halo", now - 5000, false);
    RUN(f, "UPDATE chats SET last_message_id = NULL, last_ts = 0, unread = 0,"
           " last_direction = 0 WHERE contact_id IN (SELECT id FROM contacts"
           " WHERE phone < '6281000000003')");
    RUN(f, "DELETE FROM messages WHERE wa_id IN ('a1', 'b1')");
    RUN(f, "INSERT INTO backfill_chats (session_id, jid) SELECT id, '" B
           "@s.whatsapp.net' FROM sessions");
    RUN(f, "UPDATE chats SET live = 0 WHERE contact_id = (SELECT id FROM"
           " contacts WHERE phone = '" A "')");
    there_and_back(f, a.contact.id, b.contact.id);
    assert_int_equal(ASK(f, "SELECT sum(live) FROM chats"), 2);
}

/* Whom the phone lists by an alias: the alias is the other's while they are
 * one, and must not open a chat of theirs when they part. */
static void listed_by_an_alias(void **state)
{
    fixture_t *f = *state;
    said_t a, b;

    (void)two_wrote(f, &a, &b);
    RUN(f, "UPDATE chats SET last_message_id = NULL, last_ts = 0, unread = 0,"
           " last_direction = 0");
    RUN(f, "DELETE FROM messages");
    RUN(f, "INSERT INTO contact_aliases (alias, contact_id) SELECT '" LID
           "', id FROM contacts WHERE phone = '" B "'");
    RUN(f, "INSERT INTO backfill_chats (session_id, jid) SELECT id, '" LID
           "' FROM sessions");
    RUN(f, "UPDATE chats SET live = 0 WHERE contact_id = (SELECT id FROM"
           " contacts WHERE phone = '" A "')");
    there_and_back(f, a.contact.id, b.contact.id);
    assert_int_equal(ASK(f, "SELECT sum(live) FROM chats"), 1);
}

static void what_came_after_stays(void **state)
{
    fixture_t *f = *state;
    said_t a, b;
    int64_t now = two_wrote(f, &a, &b);
    merged_t m = merge(f, a.contact.id, b.contact.id);
    said_t c = say(f, B, "b2", "baru", now, false);

    /* the number of the one that went finds the one that stays */
    assert_int_equal(c.contact.id, a.contact.id);
    assert_false(c.contact.created);
    assert_int_equal(c.ref.chat, a.ref.chat);
    give_and_note(f, a.contact.id, 10000);
    assert_int_equal(undo(f, &m), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages m JOIN chats c "
                            "ON c.id = m.chat_id JOIN contacts k ON k.id = "
                            "c.contact_id WHERE k.phone = '" B "'"),
                     1);
    assert_int_equal(ASK(f, "SELECT gift_sum FROM contacts "
                            "WHERE phone = '" A "'"),
                     10000);
    c = say(f, B, "b3", "lagi", now + 1, false);
    assert_int_equal(c.contact.id, m.from);
    assert_int_equal(ASK(f, "SELECT count(*) FROM (SELECT c.id FROM chats c "
                            "WHERE c.last_message_id IS NOT (SELECT id FROM "
                            "messages m WHERE m.chat_id = c.id ORDER BY ts "
                            "DESC, id DESC LIMIT 1))"),
                     0);
}

static void ids_taken_meanwhile(void **state)
{
    fixture_t *f = *state;
    said_t a, b;
    int64_t now = two_wrote(f, &a, &b);
    merged_t m = merge(f, a.contact.id, b.contact.id);
    said_t c;

    /* as it was before fresh_id.h: SQLite gives the highest again */
    RUN(f, "DELETE FROM counters WHERE name LIKE '%gone'");
    c = say(f, "6281000000003", "c1", "orang lain", now, false);
    assert_int_equal(c.contact.id, b.contact.id);
    /* nor those of others that were erased since */
    RUN(f, "INSERT INTO counters (name, value) VALUES ('contacts_gone', 70), "
           "('chats_gone', 80)");
    assert_int_equal(undo(f, &m), WERR_OK);
    assert_int_equal(m.from, 71);
    assert_int_equal(ASK(f, "SELECT max(id) FROM chats"), 81);
    assert_int_equal(ASK(f, "SELECT count(*) FROM chats"), 3);
    assert_int_equal(ASK(f, "SELECT count(DISTINCT chat_id) FROM messages"), 3);
}

static void in_order_only(void **state)
{
    fixture_t *f = *state;
    said_t a, b;
    int64_t now = two_wrote(f, &a, &b);
    said_t c = say(f, "6281000000003", "c1", "hai", now, false);
    char *before = picture(f);
    merged_t one = merge(f, b.contact.id, c.contact.id);
    merged_t two = merge(f, a.contact.id, b.contact.id);
    merged_t none = {.merge = 999};

    assert_int_equal(undo(f, &one), WERR_CONFLICT);
    assert_int_equal(undo(f, &none), WERR_NOTFOUND);
    assert_int_equal(undo(f, &two), WERR_OK);
    back_to_what_it_was(f, &one, before);
    free(before);
}

/* Who is erased takes along whom they were merged with, one by one. */
static void erased_with_all_that_they_were(void **state)
{
    fixture_t *f = *state;
    said_t a, b;
    int64_t now = two_wrote(f, &a, &b);
    said_t c = say(f, "6281000000003", "c1", "hai", now, false);
    said_t d = say(f, "6281000000004", "d1", "hai", now, false);
    merged_t undone;

    keep_answers(f);
    undone = merge(f, c.contact.id, d.contact.id);
    assert_int_equal(undo(f, &undone), WERR_OK);
    (void)merge(f, b.contact.id, c.contact.id);
    (void)merge(f, a.contact.id, b.contact.id);
    assert_int_equal(contact_erase(&f->d, f->db, a.contact.id, 7), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM idempotency "
                            "WHERE response LIKE 'kept of%'"),
                     1);
    assert_int_equal(ASK(f, "SELECT contact_id FROM idempotency "
                            "WHERE response LIKE 'kept of%'"),
                     d.contact.id);
    assert_int_equal(ASK(f, "SELECT count(*) FROM merges"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM merge_contacts"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM merge_aliases"), 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exact_undo),
        TEST(chat_that_moved_whole),
        TEST(number_is_adopted),
        TEST(what_came_after_stays),
        TEST(without_messages),
        TEST(listed_by_an_alias),
        TEST(ids_taken_meanwhile),
        TEST(in_order_only),
        TEST(erased_with_all_that_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
