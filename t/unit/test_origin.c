#include "gateway/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "short_memory.h"

static void origins(void **state)
{
    static const struct {
        const char *url, *origin;
        bool secure;
    } good[] = {
        {"https://cdn.example.org/a.png", "cdn.example.org:443", true},
        {"HTTPS://CDN.Example.ORG:443/a", "cdn.example.org:443", true},
        {"http://cdn.example.org?x", "cdn.example.org:80", false},
        {"http://10.0.0.1:8080/", "10.0.0.1:8080", false},
        {"http://[2001:db8::1]/x", "[2001:db8::1]:80", false},
        /* what a browser takes for an address is one */
        {"http://0x7f.1/x", "127.0.0.1:80", false},
        {"http://2130706433/x", "127.0.0.1:80", false},
    };
    static const char *const bad[] = {"",
                                      "cdn.example.org/a",
                                      "ftp://cdn.example.org/a",
                                      "file:///etc/passwd",
                                      "https://a:b@cdn.example.org/",
                                      "https://cdn.example.org@evil.example/",
                                      "gopher://cdn.example.org/",
                                      "data:text/plain,x",
                                      "https://cdn.example.org:99999/",
                                      "javascript:alert(1)"};
    origin_t o;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(origin_of(good[i].url, &o), WERR_OK);
        assert_string_equal(o.text, good[i].origin);
        assert_int_equal(o.secure, good[i].secure);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (origin_of(bad[i], &o) != WERR_INVALID) {
            fail_msg("%s is %s", bad[i], o.text);
        }
    }
}

/* What nobody could look at is neither good nor bad. */
static void origins_with_little_memory(void **state)
{
    static const struct {
        const char *url;
        int rc;
    } cases[] = {
        {"https://cdn.example.org/a.png", WERR_OK},
        {"https://a:b@cdn.example.org/", WERR_INVALID},
        {"ftp://cdn.example.org/a", WERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (long skip = 0, hits = short_memory(); hits > 0; skip++) {
            origin_t o;
            int rc;

            short_memory_begin(skip, 1);
            rc = origin_of(cases[i].url, &o);
            hits = short_memory_end();
            if (rc != WERR_NOMEM || hits == 0) {
                assert_int_equal(rc, cases[i].rc);
            }
        }
    }
}

static bool listed(const char *list, const char *url)
{
    origin_t o;

    return origin_of(url, &o) == WERR_OK && origin_listed(list, &o);
}

static void lists(void **state)
{
    (void)state;
    assert_true(listed("cdn.example.org", "https://cdn.example.org/a"));
    assert_true(listed(" a \tCDN.example.org ", "https://cdn.example.org/a"));
    assert_true(listed("cdn.example.org", "http://cdn.example.org/a"));
    assert_true(listed("x:8443", "https://x:8443/a"));
    assert_false(listed("x:8443", "https://x/a"));
    assert_false(listed("x", "https://x:8443/a"));
    assert_false(listed("x", "https://x:80/a"));
    assert_false(listed("", "https://x/a"));
    assert_false(listed("example.org", "https://cdn.example.org/a"));
    assert_false(listed("cdn.example.org", "https://cdn.example.org.evil/a"));
    assert_false(listed("cdn.example.org", "https://cdn.example.org./a"));
    assert_false(listed("cdn.example.org", "https://evil/cdn.example.org"));
}

static bool may(const char *list, const char *address)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;

    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, &v6->sin6_addr), 1);
        v6->sin6_family = AF_INET6;
    }
    return origin_may_connect(list, (struct sockaddr *)&to);
}

static void addresses(void **state)
{
    static const char *const public[] = {
        "1.1.1.1",       "9.255.255.255",   "11.0.0.0",        "100.63.255.255",
        "100.128.0.0",   "126.255.255.255", "128.0.0.0",       "172.15.255.255",
        "172.32.0.0",    "192.167.255.255", "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",    "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
        "::ffff:1.1.1.1"};
    static const char *const special[] = {
        "0.0.0.0",      "0.1.2.3",     "10.0.0.1",         "100.64.0.1",
        "127.0.0.1",    "127.9.9.9",   "169.254.169.254",  "172.16.0.1",
        "172.31.9.9",   "192.168.1.1", "192.0.0.1",        "192.0.2.1",
        "192.88.99.1",  "198.18.0.1",  "198.19.255.255",   "198.51.100.7",
        "203.0.113.7",  "224.0.0.1",   "240.0.0.1",        "255.255.255.255",
        "::",           "::1",         "fe80::1",          "fc00::1",
        "fd12::1",      "ff02::1",     "64:ff9b::a00:1",   "2001::1",
        "2002:a00:1::", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::127.0.0.1",  "fec0::1",     "3fff::1"};

    (void)state;
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
        if (!may("", public[i])) {
            fail_msg("%s is refused", public[i]);
        }
    }
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (may("cdn.example.org 10.0.0.2 [fe80::2]", special[i])) {
            fail_msg("%s is taken", special[i]);
        }
    }
    /* listed itself */
    assert_true(may("files 10.0.0.1", "10.0.0.1"));
    assert_true(may("10.0.0.1:8080", "10.0.0.1"));
    assert_true(may("10.0.0.1:8080", "::ffff:10.0.0.1"));
    assert_true(may("x [fd12::1]:8080", "fd12::1"));
    assert_true(may("[::1]", "::1"));
    assert_false(may("10.0.0.10", "10.0.0.1"));
    assert_false(may("10.0.0.1", "10.0.0.10"));
    assert_false(may("110.0.0.1", "10.0.0.1"));
    assert_false(may("10.0.0.1.example", "10.0.0.1"));
    assert_false(may("[::1]", "::2"));
    assert_false(may("localhost", "127.0.0.1"));
}

static void other_families(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    (void)state;
    assert_false(origin_may_connect("x", (struct sockaddr *)&un));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins),
        cmocka_unit_test(origins_with_little_memory),
        cmocka_unit_test(lists),
        cmocka_unit_test(addresses),
        cmocka_unit_test(other_families),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
