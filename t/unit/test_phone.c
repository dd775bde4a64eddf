#include "base/phone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text, *want; /* NULL: refused */
} numbers[] = {
    {"081234567890", "6281234567890"},
    {"0812-3456-7890", "6281234567890"},
    {"(0812) 3456.7890", "6281234567890"},
    {"81234567890", "6281234567890"},
    {"812345678", "62812345678"},
    {"6281234567890", "6281234567890"},
    {"+62 812 3456 7890", "6281234567890"},
    {"62081234567890", "6281234567890"},
    {"+62 (0)812-3456-7890", "6281234567890"},
    {"006281234567890", "6281234567890"},
    {"0218765432", "62218765432"}, /* a landline of Jakarta */
    {"  081234567890\n", "6281234567890"},
    {"\u202a+62 812\u20113456\u20117890\u202c", "6281234567890"},
    {"+62\u00a0812 3456 7890", "6281234567890"},
    {"+84 91 234 56 78", "84912345678"}, /* with +: not ours */
    {"0084912345678", "84912345678"},
    {"+86 138 0013 8000", "8613800138000"},
    {"8613800138000", "8613800138000"}, /* 13 digits: no 8X of ours */
    {"+1 415 555 2671", "14155552671"},
    {"6591234567", "6591234567"},
    {"6281234567890@s.whatsapp.net", "6281234567890"},
    {"6281234567890:12@s.whatsapp.net", "6281234567890"},
    {"6281234567890@c.us", "6281234567890"},
    {"", NULL},
    {"   ", NULL},
    {"+", NULL},
    {"++6281234567890", NULL},
    {"62+81234567890", NULL},
    {"abc", NULL},
    {"0812345678x", NULL},
    {"0812345", NULL},
    {"12345678", NULL},
    {"1234567890123456", NULL},
    {"000812345678", NULL},
    {"+62 (0)0812 3456 789", NULL}, /* nor with one 0 after another */
    {"+0812345678", NULL},
    {"0812345678901234567890123456789", NULL},
    {"103899771998284@lid", NULL},
    {"120363041234567890@g.us", NULL},
    {"123456789@c.us", NULL},
    {"6281234567890@example.org", NULL},
    {"０８１２３４５６７８９０", NULL},
};

static void typed(void **state)
{
    char out[PHONE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        bool ok =
            phone_from_typed(numbers[i].text, strlen(numbers[i].text), out);

        if (ok != (numbers[i].want != NULL)) {
            fail_msg("%s: %s", numbers[i].text, ok ? out : "refused");
        }
        if (ok) {
            assert_string_equal(out, numbers[i].want);
        }
    }
    assert_false(phone_from_typed("08123\0004567890", 13, out));
}

static const struct {
    const char *text;
    jid_kind_t kind;
    const char *want;
} addresses[] = {
    {"6281234567890", JID_PHONE, "6281234567890"},
    {"+6281234567890", JID_PHONE, "6281234567890"},
    {"+62 812-3456-7890", JID_PHONE, "6281234567890"},
    {"6281234567890@s.whatsapp.net", JID_PHONE, "6281234567890"},
    {"6281234567890:27@s.whatsapp.net", JID_PHONE, "6281234567890"},
    {"6281234567890.0:27@s.whatsapp.net", JID_PHONE, "6281234567890"},
    {"6281234567890_1:27@s.whatsapp.net", JID_PHONE, "6281234567890"},
    {"6281234567890:27", JID_PHONE, "6281234567890"},
    {"6281234567890@c.us", JID_PHONE, "6281234567890"},
    {"6281234567890@hosted", JID_PHONE, "6281234567890"},
    /* nothing is completed: Vietnam stays Vietnam */
    {"84912345678@s.whatsapp.net", JID_PHONE, "84912345678"},
    {"81234567890@c.us", JID_PHONE, "81234567890"},
    {"620812345678@c.us", JID_PHONE, "620812345678"},
    {"2901234@c.us", JID_PHONE, "2901234"},
    {"103899771998284@lid", JID_ALIAS, "103899771998284@lid"},
    {"103899771998284:3@lid", JID_ALIAS, "103899771998284@lid"},
    {"103899771998284@hosted.lid", JID_ALIAS, "103899771998284@lid"},
    {"US.13491208655302741918", JID_ALIAS, "US.13491208655302741918"},
    {"ID.ENT.11815799212886844830", JID_ALIAS, "ID.ENT.11815799212886844830"},
    {"120363041234567890@g.us", JID_GROUP, NULL},
    {"6281234567890-1590000000@g.us", JID_GROUP, NULL},
    {"status@broadcast", JID_BROADCAST, NULL},
    {"1590000000@broadcast", JID_BROADCAST, NULL},
    {"120363041234567890@newsletter", JID_BROADCAST, NULL},
    {"", JID_INVALID, NULL},
    {"@s.whatsapp.net", JID_INVALID, NULL},
    {"0@s.whatsapp.net", JID_INVALID, NULL},
    {"081234567890", JID_INVALID, NULL},
    {"123456", JID_INVALID, NULL},
    {"1234567890123456", JID_INVALID, NULL},
    {"abc@s.whatsapp.net", JID_INVALID, NULL},
    {"abc@lid", JID_INVALID, NULL},
    {"@lid", JID_INVALID, NULL},
    {"6281234567890@S.WHATSAPP.NET.evil", JID_INVALID, NULL},
    {"us.1349", JID_INVALID, NULL},
    {"US.13/49", JID_INVALID, NULL},
    {"US.", JID_INVALID, NULL},
};

static void jids(void **state)
{
    char out[ALIAS_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        jid_kind_t kind =
            phone_from_jid(addresses[i].text, strlen(addresses[i].text), out);

        if (kind != addresses[i].kind) {
            fail_msg("%s: kind %d", addresses[i].text, (int)kind);
        }
        if (addresses[i].want) {
            assert_string_equal(out, addresses[i].want);
        }
    }
}

static void long_aliases(void **state)
{
    char text[400], out[ALIAS_MAX];

    (void)state;
    memset(text, '7', sizeof(text));
    memcpy(text + 155, "@lid", 4);
    assert_int_equal(phone_from_jid(text, 159, out), JID_ALIAS);
    assert_int_equal(strlen(out), 159);
    memcpy(text + 156, "@lid", 4);
    text[155] = '7';
    assert_int_equal(phone_from_jid(text, 160, out), JID_INVALID);
    memset(text, 'A', sizeof(text));
    text[2] = '.';
    assert_int_equal(phone_from_jid(text, ALIAS_MAX - 1, out), JID_ALIAS);
    assert_int_equal(phone_from_jid(text, ALIAS_MAX, out), JID_INVALID);
}

static void expect_format(const char *phone, const char *want)
{
    char out[64];

    phone_format(phone, out, sizeof(out));
    assert_string_equal(out, want);
}

static void formats(void **state)
{
    char small[8];

    (void)state;
    expect_format("6281234567890", "+62 812-3456-7890");
    expect_format("628123456789", "+62 812-3456-789");
    expect_format("6221876543", "+62 218-7654-3");
    expect_format("84912345678", "+84912345678");
    expect_format("103899771998284@lid", "Kontak ...284");
    expect_format("US.13491208655302741918", "Kontak ...918");
    expect_format("7@lid", "Kontak ...7");
    expect_format("", "Kontak ...");
    phone_format("6281234567890", small, sizeof(small));
    assert_string_equal(small, "+62 812");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed),
        cmocka_unit_test(jids),
        cmocka_unit_test(long_aliases),
        cmocka_unit_test(formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
