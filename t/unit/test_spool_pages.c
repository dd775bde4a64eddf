/*
 * The reader of data.mdb that does without LMDB: what a look costs, and what
 * it makes of a disk, of a caller and of a database that are not as they
 * should be.
 */
#include "spool_damage.h"

#include <errno.h>
#include <sys/syscall.h>

#include "spool/internal.h"
#include "spool/pages.h"

/* ---- the disk; before libc's ---- */

static uint64_t reads;
static uint64_t bytes_read;
static off_t unreadable; /* the page there; 0: none */

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    reads++;
    bytes_read += n;
    if (unreadable != 0 && at < unreadable + PAGE &&
        unreadable < at + (off_t)n) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, n, at);
}

static int setup_disk(void **state)
{
    unreadable = 0;
    return setup(state);
}

static int look(uint64_t budget)
{
    spool_pages_t p = {.budget = budget};
    int fd = open(in_spool("data.mdb"), O_RDONLY);
    int rc;

    reads = 0;
    bytes_read = 0;
    assert_true(fd >= 0);
    rc = spool_pages_check(fd, &p);
    close(fd);
    return rc;
}

static void fill(size_t n, size_t len)
{
    spool_t *s = open_sized(64 * MIB);

    for (size_t i = 0; i < n / BATCH; i++) {
        assert_int_equal(append(s, 1 + i * BATCH, BATCH, len, NULL), SPOOL_OK);
    }
    spool_close(&s);
}

/* ---- what it costs ---- */

/* Records with pages of their own count, and of each its head is read. */
static void test_long_records(void **state)
{
    (void)state;
    fill(1600, 20000);
    assert_int_equal(look(50), SPOOL_OK);
    assert_in_range(reads, 50, 2 * (50 + 10) + 30);
    assert_in_range(bytes_read, 1, 100 * PAGE);
    assert_int_equal(look(0), SPOOL_OK);
    assert_in_range(reads, 1600, 1600 + 100);
    assert_in_range(bytes_read, 1, 100 * PAGE);
}

/* The head is looked at, and whether the file holds the rest. */
static void test_long_damage(void **state)
{
    struct stat st;
    off_t end;

    (void)state;
    fill(BATCH, 20000);
    assert_int_equal(stat(in_spool("data.mdb"), &st), 0);
    end = st.st_size;
    assert_int_equal(look(0), SPOOL_OK);
    /* the last pages are a record's: cut in the midst of it */
    assert_int_equal(truncate(in_spool("data.mdb"), 40 * PAGE), 0);
    assert_int_equal(look(0), SPOOL_CORRUPT);
    assert_int_equal(truncate(in_spool("data.mdb"), end), 0);
    assert_int_equal(look(0), SPOOL_CORRUPT);
}

#define TEST_PAGES(f) \
    cmocka_unit_test_setup_teardown(f, setup_disk, teardown_aside)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PAGES(test_long_records),
        TEST_PAGES(test_long_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
