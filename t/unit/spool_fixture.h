/*
 * spool_fixture.h - a spool in a directory of its own for each test; records
 * that say which they are.
 */
#ifndef WACRM_T_SPOOL_FIXTURE_H
#define WACRM_T_SPOOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "spool_dir.h"

#define MIB   ((uint64_t)1 << 20)
#define BATCH 16

static test_dir_t dir;

static inline int setup(void **state)
{
    (void)state;
    return test_dir_make(&dir);
}

static inline int teardown(void **state)
{
    (void)state;
    test_dir_drop(&dir);
    return 0;
}

static inline spool_t *open_sized(uint64_t size)
{
    spool_options_t opt = {.size = size, .create = true};
    spool_t *s;
    int rc = spool_open(&s, dir.spool, &opt);

    if (rc != SPOOL_OK) {
        print_error("spool_open: %d %s\n", rc, opt.error);
    }
    assert_int_equal(rc, SPOOL_OK);
    assert_string_equal(opt.error, "");
    return s;
}

/* Appends n records of len bytes that hold from, from + 1 ... */
static inline int append(spool_t *s, uint64_t from, size_t n, size_t len,
                         uint64_t *first)
{
    spool_str_t recs[BATCH];
    char *buf = malloc(n * len);
    int rc;

    assert_non_null(buf);
    assert_true(n <= BATCH);
    for (size_t i = 0; i < n; i++) {
        test_record_put(buf + i * len, len, from + i);
        recs[i] = (spool_str_t){buf + i * len, len};
    }
    rc = spool_append(s, recs, n, first);
    free(buf);
    return rc;
}

/* The last of the records, and that each holds what its sequence says. */
static inline uint64_t check_all(spool_t *s, uint64_t after, int64_t offset)
{
    spool_batch_t b;
    int rc;

    while ((rc = spool_read(s, after, 100, 1 << 20, &b)) == SPOOL_OK) {
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.items[i].seq == after + 1);
            after = b.items[i].seq;
            assert_true(test_record_get(b.items[i].data) ==
                        after + (uint64_t)offset);
        }
        spool_batch_free(&b);
    }
    assert_int_equal(rc, SPOOL_EMPTY);
    return after;
}

static inline spool_str_t str(const char *s)
{
    return (spool_str_t){s, strlen(s)};
}

static inline unsigned mode_of(const char *name)
{
    struct stat st;
    char path[220];

    snprintf(path, sizeof(path), "%s/%s", dir.spool, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
