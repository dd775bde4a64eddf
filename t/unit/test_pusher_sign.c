/* pusher_sign: signatures against what Pusher and RFC 6455 publish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "http/upgrade.h"
#include "realtime/sign.h"

#define KEY    "278d425bdf160c739803"
#define SECRET "7ad3773142a6692b25b8"

static const char foobar[] = "1234.1234";
static const char user[] = "1234.1234::user::{\"id\":\"12345\"}";
static const char member[] =
    "{\"user_id\":10,\"user_info\":{\"name\":\"Mr. Channels\"}}";

static void test_published_channels(void **state)
{
    char hex[SIGN_HEX];
    (void)state;
    assert_true(sign_channel(SECRET, foobar, "private-foobar", NULL, hex));
    assert_string_equal(hex, "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f"
                             "135bf843651c3a4");
    assert_true(sign_channel(SECRET, foobar, "presence-foobar", member, hex));
    assert_string_equal(hex, "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba"
                             "239c03ca481bc80");
    assert_true(sign_hex(SECRET, user, sizeof(user) - 1, hex));
    assert_string_equal(hex, "4708d583dada6a56435fb8bc611c77c359a31eebde13337c1"
                             "6ab43aa6de336ba");
}

static bool good(const char *auth)
{
    return sign_channel_ok(KEY, SECRET, auth, foobar, "private-foobar", NULL);
}

static void test_channel_forgeries(void **state)
{
    static const char right[] = KEY ":58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba"
                                    "48f5369f135bf843651c3a4";
    char wrong[sizeof(right) + 1];
    (void)state;
    assert_true(good(right));
    for (size_t i = 0; i < sizeof(right) - 1; i++) {
        memcpy(wrong, right, sizeof(right));
        wrong[i] ^= 1;
        assert_false(good(wrong));
        memcpy(wrong, right, sizeof(right));
        wrong[i] = '\0';
        assert_false(good(wrong));
    }
    memcpy(wrong, right, sizeof(right));
    memcpy(wrong + sizeof(right) - 1, "0", 2);
    assert_false(good(wrong));
    /* that of another socket, channel, member */
    assert_false(sign_channel_ok(KEY, SECRET, right, "1234.1235",
                                 "private-foobar", NULL));
    assert_false(
        sign_channel_ok(KEY, SECRET, right, foobar, "private-foobaz", NULL));
    assert_false(
        sign_channel_ok(KEY, SECRET, right, foobar, "private-foobar", "{}"));
}

#define BODY                                                  \
    "{\"name\":\"foo\",\"channels\":[\"project-3\"],\"data\"" \
    ":\"{\\\"some\\\":\\\"data\\\"}\"}"

static const char *ask(const char *signature, const char *md5,
                       const char *stamp, const char *body, int64_t now)
{
    sign_pair_t pairs[] = {{"auth_signature", signature},
                           {"body_md5", md5},
                           {"auth_version", "1.0"},
                           {"auth_timestamp", stamp},
                           {"auth_key", KEY}};
    return sign_request(KEY, SECRET, "POST", "/apps/3/events", 14, pairs, 5,
                        body, strlen(body), now);
}

static void test_published_request(void **state)
{
    static const char right[] = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e"
                                "7430e47a1f3f457e6c";
    static const char md5[] = "ec365a775a4cd0599faeb73354201b6f";
    static const char at[] = "1353088179";
    (void)state;
    assert_null(ask(right, md5, at, BODY, 1353088179));
    assert_null(ask(right, md5, at, BODY, 1353088179 + SIGN_WINDOW_S));
    assert_null(ask(right, md5, at, BODY, 1353088179 - SIGN_WINDOW_S));
    assert_non_null(ask(right, md5, at, BODY, 1353088180 + SIGN_WINDOW_S));
    assert_non_null(ask(right, md5, at, BODY, 1353088178 - SIGN_WINDOW_S));
    assert_non_null(ask(right, md5, at, BODY " ", 1353088179));
    assert_non_null(ask(right, md5, "1353088178", BODY, 1353088179));
    assert_non_null(ask(right, md5, "x", BODY, 1353088179));
    assert_non_null(ask("", md5, at, BODY, 1353088179));
    assert_non_null(
        ask(right, "ec365a775a4cd0599faeb73354201b60", at, BODY, 1353088179));
}

static void test_names_are_sorted_in_lower_case(void **state)
{
    sign_pair_t a[] = {{"auth_key", KEY},
                       {"auth_timestamp", "1"},
                       {"auth_version", "1.0"},
                       {"auth_signature", ""},
                       {"Info", "user_count"}};
    char hex[SIGN_HEX];
    static const char text[] = "GET\n/apps/3/channels\nauth_key=" KEY
                               "&auth_timestamp=1&auth_version=1.0"
                               "&info=user_count";
    (void)state;
    assert_true(sign_hex(SECRET, text, sizeof(text) - 1, hex));
    a[3].value = hex;
    assert_null(sign_request(KEY, SECRET, "GET", "/apps/3/channels", 16, a, 5,
                             NULL, 0, 1));
    /* a body without its body_md5 is not signed */
    assert_non_null(sign_request(KEY, SECRET, "GET", "/apps/3/channels", 16, a,
                                 5, "{}", 2, 1));
}

static void test_handshake(void **state)
{
    static const char *const bad[] = {"",
                                      "dGhlIHNhbXBsZSBub25jZQ=",
                                      "dGhlIHNhbXBsZSBub25jZQ===",
                                      "dGhlIHNhbXBsZSBub25jZQAA",
                                      "dGhlIHNhbXBsZSB=b25jZQ==",
                                      "dGhlIHNhbXBsZSBub25jZ\r\n="};
    char accept[SIGN_ACCEPT];
    (void)state;
    assert_true(sign_accept("dGhlIHNhbXBsZSBub25jZQ==", accept));
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sign_accept(bad[i], accept));
    }
}

static void test_origins(void **state)
{
    static const char two[] = "https://crm.example.org, https://b.example";
    (void)state;
    assert_true(upgrade_origin_ok(NULL, NULL, "crm.example.org"));
    assert_true(
        upgrade_origin_ok(NULL, "https://crm.example.org", "CRM.example.org"));
    assert_true(upgrade_origin_ok(NULL, "http://[::1]:8080", "[::1]:8080"));
    assert_false(upgrade_origin_ok(NULL, "http://a:8080", "a"));
    assert_false(upgrade_origin_ok(NULL, "https://evil.example", "a"));
    assert_false(upgrade_origin_ok(NULL, "https://crm.example.org.evil.example",
                                   "crm.example.org"));
    assert_false(upgrade_origin_ok(NULL, "null", "null"));
    assert_false(upgrade_origin_ok(NULL, "https://a", NULL));
    assert_true(upgrade_origin_ok("*", "null", "a"));
    assert_true(upgrade_origin_ok(two, "https://crm.example.org", "a"));
    assert_true(upgrade_origin_ok(two, "https://b.example", "a"));
    assert_false(upgrade_origin_ok(two, "https://b.example.evil", "a"));
    assert_false(upgrade_origin_ok(two, "http://b.example", "b.example"));
    assert_false(upgrade_origin_ok(two, "", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_channels),
        cmocka_unit_test(test_channel_forgeries),
        cmocka_unit_test(test_published_request),
        cmocka_unit_test(test_names_are_sorted_in_lower_case),
        cmocka_unit_test(test_handshake),
        cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
