/*
 * people: what is typed against names, phones and aliases; who may be seen;
 * the inbox, by what a search has found and chat by chat.
 */
#include "people_fixture.h"

#include <jansson.h>

#include "domain/contact_list.h"

/* ---- what is typed ---- */

static const struct {
    const char *text;
    size_t n;
} people_cases[] = {
    {"aminah", 2},
    {"AMINAH", 2},
    {"siti aminah", 1},
    {"aminah siti", 1},
    {"minah", 2}, /* a part of a word */
    {"ina", 2},
    {"am", 2}, /* two letters begin a word */
    {"in", 0},
    {"a", 3},
    {"s", 1},
    {"nur aini", 1},
    {"nur'aini", 1},
    {"jos\xc3\xa9", 1},
    {"jose", 1},
    {"JOS\xc3\x89", 1},
    {"siti jose", 0},
    {"0812-1000-0007", 1},
    {"+62 812 1000 0007", 1},
    {"081210000007", 1},
    {"6281210000007", 1},
    {"10000007", 1},
    {"000 7", 1},
    {"812", 3},
    {"0812", 3},
    {"081", 3},
    {"08", 3},
    {"62", 3},
    {"0", 0},
    {"0008", 0},
    {"0812-1000-0008", 0},
    {"0007 0812 1000", 0}, /* a number has its order */
    {"0062 812 1000 0007", 1},
    {"08 12", 3},
    {"99", 0}, /* no number begins with it */
    {"9999", 1},
    {"siti 0812", 1},
    {"siti 0813", 0},
    {"123456789012345", 1},
    {"lid", 1},
    {"%", 0},
    {"_", 0},
    {"\"", 0},
    {"aminah\" OR \"jose", 0},
    {"aminah AND siti", 0},
    {"text:aminah", 0},
    {"s1", 0},
    {"\xd9\x85\xd8\xad\xd9\x85\xd8\xaf", 1},
    {"", 0},
    {"  ", 0},
    {"-", 0},
};

static void people_are_found(void **state)
{
    desk_t *d = *state;

    meet(d, "6281210000007", NULL, "Hj. Siti Aminah", "a");
    meet(d, "6281299990001", NULL, "Aminah Tanpa-Obrolan", "b");
    meet(d, "6281210000009", NULL, "Nur'aini \xd9\x85\xd8\xad\xd9\x85\xd8\xaf",
         "c");
    meet(d, NULL, "123456789012345@lid", "Jos\xc3\xa9 (RT)", "d");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(people_cases) / sizeof(people_cases[0]);
             i++) {
            size_t n = people(d, people_cases[i].text);

            if (n != people_cases[i].n) {
                fail_msg("\"%s\": %zu, not %zu (round %d)",
                         people_cases[i].text, n, people_cases[i].n, round);
            }
        }
        wait_people(d);
    }
}

static void nothing_breaks_it(void **state)
{
    desk_t *d = *state;
    char text[900];

    meet(d, "6281210000007", NULL, "Hj. \"Siti\" (AND) *OR* \\ Aminah", "a");
    meet(d, "6281210000008", NULL, "a b c d e f g h i j k l m n o p q r s",
         "b");
    meet(d, "6281210000009", NULL, "!!!", "c");
    wait_people(d);
    try_nonsense(d, "\"*()-+^:{}az siti aminah 0812 ANDOR\\'", people);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(people(d, text), 0);
    memset(text, '7', sizeof(text) - 1);
    assert_int_equal(people(d, text), 0);
}

/* ---- who may be seen ---- */

static void only_who_may_be_seen(void **state)
{
    desk_t *d = *state;
    int64_t two[2] = {d->f->session};
    session_set_t first = {.ids = &two[0], .n = 1};
    session_set_t second = {.ids = &two[1], .n = 1};
    session_set_t all = {.ids = two, .n = 2}, none = {0};

    meet(d, "6281210000001", NULL, "Siti Satu", "a");
    d->f->session = session_of(&d->f->d, "seed", "cs-2");
    two[1] = d->f->session;
    meet(d, "6281210000002", NULL, "Siti Dua", "b");
    RUN(d->f, "INSERT INTO contacts (phone, name, created_at, updated_at) "
              "VALUES ('6281210000003', 'Siti Sendiri', 0, 0)");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(people_in(d, "siti", NULL, true), 3);
        assert_int_equal(people_in(d, "siti", &all, true), 3);
        assert_int_equal(people_in(d, "siti", &all, false), 2);
        assert_int_equal(people_in(d, "siti", &first, true), 2);
        assert_int_equal(people_in(d, "siti", &first, false), 1);
        assert_int_equal(people_in(d, "satu", &second, true), 0);
        assert_int_equal(people_in(d, "siti", &none, true), 1);
        assert_int_equal(people_in(d, "siti", &none, false), 0);
        wait_people(d);
    }
    /* a chat comes: no longer everybody's, and the second session's, too */
    meet(d, "6281210000001", NULL, NULL, "c");
    meet(d, "6281210000003", NULL, NULL, "d");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(people_in(d, "siti", &first, true), 1);
        assert_int_equal(people_in(d, "siti", &second, true), 3);
        assert_int_equal(people_in(d, "siti", &none, true), 0);
        wait_people(d);
    }
}

static void lists_are_written(void **state)
{
    desk_t *d = *state;
    int64_t ids[120];
    buf_t b;

    for (int i = 0; i < 120; i++) {
        char phone[24];

        snprintf(phone, sizeof(phone), "62811000%04d", i);
        ids[119 - i] = meet(d, phone, NULL, "Orang", "x");
    }
    buf_init(&b, 0);
    assert_int_equal(contact_write_list(d->f->db, ids, 120, &b, NULL), WERR_OK);
    json_t *list = json_loadb(b.data, b.len, 0, NULL);
    assert_int_equal(json_array_size(list), 120);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(list, 119), "phone")),
        "628110000000");
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(list, 0), "phone")),
        "628110000119");
    json_decref(list);
    buf_free(&b);
}

/* ---- chats ---- */

static void in_a_chat(void **state)
{
    static const struct {
        const char *text;
        bool hit;
    } cases[] = {
        {"zakat", true},       {"zakat maal", true}, {"maal infak", false},
        {"aminah", true},      {"0812", true},       {"7654321", true},
        {"wakaf", false},      {"budi", false},      {"dihapus", false},
        {"siti zakat", false}, /* of one place */
    };
    desk_t *d = *state;
    int64_t contact = meet(d, "6281210000007", "7654321@lid", "Siti Aminah",
                           "bayar zakat maal");

    meet(d, "6281210000007", NULL, NULL, "infak saja");
    meet(d, "6281210000007", NULL, NULL, "ini dihapus");
    meet(d, "6281210000008", NULL, "Budi", "wakaf");
    RUN(d->f, "UPDATE messages SET deleted_at = 1 WHERE body LIKE '%dihapus'");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        search_look_t *look;
        bool hit;

        assert_int_equal(
            search_begin(d->search, d->f->db, cases[i].text, &look), WERR_OK);
        assert_int_equal(search_in_chat(look, 1, contact, true, &hit), WERR_OK);
        if (hit != cases[i].hit) {
            fail_msg("\"%s\": %d", cases[i].text, hit);
        }
        search_end(&look);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(people_are_found),  T(nothing_breaks_it), T(only_who_may_be_seen),
        T(lists_are_written), T(in_a_chat),
    };

    return cmocka_run_group_tests(tests, quiet, loud);
}
