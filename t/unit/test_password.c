/* password: what is hashed, what is the same, and whom no password opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "domain/password.h"
#include "short_memory.h"

static void fits(void **state)
{
    char text[600];
    (void)state;
    assert_false(password_fits(""));
    assert_false(password_fits("1234567"));
    assert_true(password_fits("12345678"));
    memset(text, 'x', sizeof(text));
    text[511] = '\0';
    assert_true(password_fits(text));
    text[511] = 'x';
    text[512] = '\0';
    assert_false(password_fits(text));
}

static void same_and_other(void **state)
{
    char hash[PASSWORD_HASH_MAX], again[PASSWORD_HASH_MAX];
    bool same = false;
    (void)state;
    assert_int_equal(password_hash("rahasia-123", hash), WERR_OK);
    assert_int_equal(password_hash("rahasia-123", again), WERR_OK);
    assert_memory_equal(hash, "$y$", 3);
    assert_string_not_equal(hash, again); /* each has a salt of its own */
    assert_int_equal(password_check("rahasia-123", hash, &same), WERR_OK);
    assert_true(same);
    assert_int_equal(password_check("rahasia-124", hash, &same), WERR_OK);
    assert_false(same);
    assert_int_equal(password_check("", hash, &same), WERR_OK);
    assert_false(same);
}

static void nobodys(void **state)
{
    static const char *const locked[] = {"",
                                         "x",
                                         "*0",
                                         "!$y$j9T$abc",
                                         "$y$",
                                         "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$",
                                         "$1$abcdefgh$x"};
    char longer[600], hash[PASSWORD_HASH_MAX];
    bool same = true;
    (void)state;
    assert_int_equal(password_check("rahasia-123", NULL, &same), WERR_OK);
    assert_false(same);
    for (size_t i = 0; i < sizeof(locked) / sizeof(locked[0]); i++) {
        same = true;
        assert_int_equal(password_check(locked[i], locked[i], &same), WERR_OK);
        assert_false(same);
    }
    /* What crypt(3) would not read to its end is not even tried. */
    memset(longer, 'x', sizeof(longer));
    longer[599] = '\0';
    assert_int_equal(password_hash("rahasia-123", hash), WERR_OK);
    same = true;
    assert_int_equal(password_check(longer, hash, &same), WERR_OK);
    assert_false(same);
}

/* What this process has mapped, in bytes; 0: nobody knows. */
static size_t mapped(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    size_t pages = 0;

    if (f == NULL || fscanf(f, "%zu", &pages) != 1) {
        pages = 0;
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* In the child: 0, or which of them was told something else. */
static int with_little_memory(const char *hash)
{
    const struct rlimit less = {mapped() + (1 << 20), RLIM_INFINITY};
    char out[PASSWORD_HASH_MAX];
    bool same = true;

    if (less.rlim_cur <= 1 << 20 || setrlimit(RLIMIT_AS, &less) != 0) {
        return 1;
    }
    if (password_check("rahasia-123", hash, &same) != WERR_NOMEM || same) {
        return 2;
    }
    if (password_check("rahasia-123", NULL, &same) != WERR_NOMEM || same) {
        return 3;
    }
    if (password_hash("rahasia-123", out) != WERR_NOMEM) {
        return 4;
    }
    /* and this one needs none */
    return password_check("rahasia-123", "*0", &same) == WERR_OK && !same ? 0
                                                                          : 5;
}

/* A right password is not a wrong one because there is no memory. */
static void short_of_memory(void **state)
{
    char hash[PASSWORD_HASH_MAX];
    int status = -1;
    pid_t child;

    (void)state;
    if (!short_memory()) {
        skip(); /* a sanitizer maps more than any limit */
    }
    assert_int_equal(password_hash("rahasia-123", hash), WERR_OK);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(with_little_memory(hash));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits),
        cmocka_unit_test(same_and_other),
        cmocka_unit_test(nobodys),
        cmocka_unit_test(short_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
