/* loopback: what is this machine, and what only looks like it. */
#include "base/loopback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void hosts(void **state)
{
    static const char *const mine[] = {"localhost", "LOCALHOST:8080",
                                       "127.0.0.1", "127.1.2.3:80",
                                       "[::1]",     "[::1]:8080"};
    static const char *const others[] = {"",
                                         "crm.example.org",
                                         "127.0.0.1.example.org",
                                         "127.1",
                                         "128.0.0.1",
                                         "localhost.example.org",
                                         "[::2]",
                                         "[::1",
                                         "[::1]x",
                                         "10.0.0.1",
                                         "0.0.0.0",
                                         "::1",
                                         "localhos",
                                         "127.0.0.1@x",
                                         ":80"};

    (void)state;
    for (size_t i = 0; i < sizeof(mine) / sizeof(mine[0]); i++) {
        if (!loopback_host(mine[i])) {
            fail_msg("%s", mine[i]);
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (loopback_host(others[i])) {
            fail_msg("%s", others[i]);
        }
    }
}

static void urls(void **state)
{
    (void)state;
    assert_true(loopback_url("http://127.0.0.1:8080"));
    assert_true(loopback_url("https://localhost/x"));
    assert_true(loopback_url("http://[::1]:80/"));
    assert_false(loopback_url("https://crm.example.org"));
    assert_false(loopback_url("http://localhost@example.org/"));
    assert_false(loopback_url("http://127.0.0.1:x@example.org/"));
    assert_false(loopback_url("http://example.org/http://localhost"));
    assert_false(loopback_url("localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
