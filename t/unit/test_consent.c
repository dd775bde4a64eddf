/* consent: lone words, the ledger by its own time, answers, merges. */
#include "domain_fixture.h"

#include "domain/consent.h"
#include "domain/contact_merge.h"

#define PHONE "6281111111111"

static void test_words(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"STOP", true},
        {"stop", true},
        {" Stop. ", true},
        {"*STOP*", true},
        {"STOP!!!\n", true},
        {"berhenti", true},
        {"cukup sudah", true},
        {"STOP please", false},
        {"jangan stop", false},
        {"STOPP", false},
        {"STO", false},
        {"", false},
        {" . ", false},
        {"cukup", false},
        {"STOP, BERHENTI", false},
        {"\xf0\x9f\x9b\x91", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (consent_is_word("STOP,  berhenti ,cukup sudah, ,", cases[i].text) !=
            cases[i].is) {
            fail_msg("\"%s\"", cases[i].text);
        }
    }
    assert_false(consent_is_word("", "STOP"));
    assert_false(consent_is_word(",,", ""));
    assert_false(consent_is_word(NULL, "STOP"));
}

typedef struct {
    consent_t c;
    int64_t chat;
    bool may;
} job_t;

static int record(tx_t *tx, void *arg)
{
    const job_t *j = arg;

    return consent_record(tx, &j->c);
}

static int may_reply(tx_t *tx, void *arg)
{
    job_t *j = arg;

    return consent_may_reply(tx, j->c.contact, j->chat, tx->now, &j->may);
}

static bool opted_out(fixture_t *f, int64_t contact)
{
    bool out = false;

    assert_int_equal(consent_opted_out(f->db, contact, &out), WERR_OK);
    return out;
}

static bool may(fixture_t *f, int64_t contact, int64_t chat)
{
    job_t j = {.c = {.contact = contact}, .chat = chat};

    assert_int_equal(domain_write(&f->d, may_reply, &j), WERR_OK);
    return j.may;
}

static void test_by_time(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    int64_t who = say(f, PHONE, "A1", "START", now - 5000, false).contact.id;

    assert_false(opted_out(f, who));
    say(f, PHONE, "A2", "stop", now - 9000, false);
    assert_false(opted_out(f, who)); /* said before the START */
    say(f, PHONE, "A3", "stop", now - 2000, false);
    assert_true(opted_out(f, who));
    say(f, PHONE, "A3", "stop", now - 2000, false); /* the same again */
    assert_int_equal(ASK(f, "SELECT count(*) FROM consents"), 3);
    say(f, PHONE, "A4", "START", now + 200000, false); /* a clock ahead */
    assert_false(opted_out(f, who));
    job_t j = {.c = {.contact = who, .opted_out = true, .how = "agent"}};
    assert_int_equal(domain_write(&f->d, record, &j), WERR_OK);
    assert_true(opted_out(f, who)); /* not held off by it */
    /* our own words are none of theirs */
    say(f, PHONE, "A5", "START", now, true);
    assert_true(opted_out(f, who));
    assert_int_equal(ASK(f, "SELECT count(*) FROM audit WHERE action LIKE "
                            "'consent.%'"),
                     5);
}

static void test_reply(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    said_t s = say(f, PHONE, "B1", "halo", now - 3000, false);

    s = say(f, PHONE, "B2", "STOP", now - 2000, false);
    assert_false(may(f, s.contact.id, s.ref.chat));
    say(f, PHONE, "B3", "dari HP", now - 1000, true); /* ours */
    assert_false(may(f, s.contact.id, s.ref.chat));
    /* said before, and not in the same second: gateways tell no more */
    say(f, PHONE, "B4", "terlambat", now - 3500, false);
    assert_false(may(f, s.contact.id, s.ref.chat));
    say(f, PHONE, "B5", "kwitansi?", now - 1000, false);
    assert_true(may(f, s.contact.id, s.ref.chat));
    assert_false(may(f, s.contact.id, s.ref.chat + 1));
    say(f, PHONE, "B6", "STOP", now - 500, false);
    assert_false(may(f, s.contact.id, s.ref.chat));
    say(f, PHONE, "B7", "ya?", now - 400, false);
    assert_true(may(f, s.contact.id, s.ref.chat));
    RUN(f, "UPDATE messages SET ts = ts - 86400000");
    RUN(f, "UPDATE consents SET since = since - 86400000");
    assert_false(may(f, s.contact.id, s.ref.chat));
}

typedef struct {
    int64_t into, from, merge, a, b;
} merge_t;

static int merge(tx_t *tx, void *arg)
{
    merge_t *m = arg;

    return contact_merge_by(tx, m->into, m->from, 1, &m->merge);
}

static int unmerge(tx_t *tx, void *arg)
{
    merge_t *m = arg;

    return contact_unmerge(tx, m->merge, 1, &m->a, &m->b);
}

static void test_merge(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    merge_t m = {
        .into = say(f, PHONE, "C1", "START", now - 1000, false).contact.id,
        .from = say(f, "6282222222222", "C2", "STOP", now - 2000, false)
                    .contact.id};

    assert_false(opted_out(f, m.into));
    assert_true(opted_out(f, m.from));
    assert_int_equal(domain_write(&f->d, merge, &m), WERR_OK);
    assert_true(opted_out(f, m.into)); /* one of both: the person */
    assert_int_equal(ASK(f, "SELECT count(*) FROM consents"), 3);
    assert_int_equal(ASK(f, "SELECT count(*) FROM audit WHERE action = "
                            "'contact.merge'"),
                     2);
    assert_int_equal(domain_write(&f->d, unmerge, &m), WERR_OK);
    assert_int_equal(m.a, m.into);
    assert_false(opted_out(f, m.a));
    assert_true(opted_out(f, m.b));
    assert_int_equal(ASK(f, "SELECT count(*) FROM consents c JOIN contacts k "
                            "ON k.id = c.contact_id WHERE c.opted_out = "
                            "k.opted_out"),
                     2);
}

int main(void)
{
#define T(name) \
    cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        T(test_by_time),
        T(test_reply),
        T(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
