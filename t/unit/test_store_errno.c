/*
 * A write or a sync of the database's log fails, the first, the second and so
 * on to the last one of a few commits: each commit is told of as done and is
 * there, or as failed and is not; and the next one goes through.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "store_fixture.h"

#define COMMITS 4

/* ---- what happens at a call of SQLite's; before libc's ---- */

typedef enum { NO_CALL, WRITES, SYNCS } call_t;

static _Atomic int failing; /* a call_t */
static atomic_uint left;    /* calls until it fails; 0: it has, or none is to */
static int failing_errno;

static bool is_log(int fd)
{
    static const char suffix[] = "/wacrm.db-wal";
    char link[32], name[256];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, name, sizeof(name));
    return n >= (ssize_t)sizeof(suffix) - 1 &&
           memcmp(name + n - (sizeof(suffix) - 1), suffix,
                  sizeof(suffix) - 1) == 0;
}

static bool fails(call_t call, int fd)
{
    if ((call_t)atomic_load(&failing) != call || !is_log(fd) ||
        atomic_load(&left) == 0 || atomic_fetch_sub(&left, 1) != 1) {
        return false;
    }
    errno = failing_errno;
    return true;
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
    return fails(WRITES, fd) ? -1 : syscall(SYS_pwrite64, fd, buf, n, at);
}

int fdatasync(int fd)
{
    return fails(SYNCS, fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

static void arm(call_t call, int code, unsigned nth)
{
    atomic_store(&failing, NO_CALL);
    failing_errno = code;
    atomic_store(&left, nth);
    atomic_store(&failing, call);
}

/* ---- commits, of one page and of some ---- */

typedef struct {
    char name[24];
    size_t len;
} row_t;

static int put_row(db_t *db, void *arg)
{
    static char text[30000];
    const row_t *row = arg;

    memset(text, 'x', row->len);
    text[row->len] = '\0';
    return put_pair(db, row->name, text);
}

/* SQLite keeps no errno of a sync that a COMMIT has made. */
static int expected(void)
{
    return failing_errno == ENOSPC && atomic_load(&failing) == WRITES
               ? WERR_FULL
               : WERR_IO;
}

/* Whether it was done. */
static bool commit(db_t *r, unsigned id)
{
    row_t row = {.len = id % COMMITS == 1 ? 29000 : 100};
    int rc;

    (void)snprintf(row.name, sizeof(row.name), "row-%u", id);
    rc = store_write(store, put_row, &row);
    if (rc != WERR_OK) {
        assert_int_equal(rc, expected());
    }
    assert_int_equal(has(r, row.name), rc == WERR_OK);
    return rc == WERR_OK;
}

/* What was done is there when the database is opened once more. */
static void check_again(const bool *done, unsigned n)
{
    char name[24], reason[256];
    db_t *r = NULL;

    store_close(&store);
    open_store();
    assert_int_equal(store_check(store, reason, sizeof(reason)), WERR_OK);
    assert_int_equal(store_reader(store, &r), WERR_OK);
    for (unsigned id = 0; id < n; id++) {
        (void)snprintf(name, sizeof(name), "row-%u", id);
        assert_int_equal(has(r, name), done[id]);
    }
    store_reader_close(&r);
}

/* told: some of the commits fail by it; else all of them are done. */
static void sweep(call_t call, int code, unsigned at_least, bool told)
{
    static bool done[4000];
    unsigned id = 0, nth = 0, refused = 0;
    db_t *r = NULL;
    bool fired;

    assert_int_equal(store_reader(store, &r), WERR_OK);
    do {
        assert_true(id + COMMITS < sizeof(done));
        arm(call, code, ++nth);
        for (unsigned i = 1; i < COMMITS; i++, id++) {
            done[id] = commit(r, id);
            refused += !done[id];
        }
        fired = atomic_load(&left) == 0;
        arm(NO_CALL, 0, 0);
        done[id] = commit(r, id);
        assert_true(done[id++]);
    } while (fired);
    store_reader_close(&r);
    check_again(done, id);
    print_message("%u calls, %u of %u commits refused\n", nth - 1, refused, id);
    assert_true(nth > at_least);
    assert_true(told ? refused >= at_least : refused == 0);
}

static void writes_fail(void **state)
{
    (void)state;
    sweep(WRITES, EIO, COMMITS, true);
}

static void writes_find_no_room(void **state)
{
    (void)state;
    sweep(WRITES, ENOSPC, COMMITS, true);
}

/* SQLite writes again what was only interrupted. */
static void writes_are_interrupted(void **state)
{
    (void)state;
    sweep(WRITES, EINTR, COMMITS, false);
}

static void syncs_fail(void **state)
{
    (void)state;
    sweep(SYNCS, EIO, COMMITS - 1, true);
}

static void syncs_find_no_room(void **state)
{
    (void)state;
    sweep(SYNCS, ENOSPC, COMMITS - 1, true);
}

static void syncs_are_interrupted(void **state)
{
    (void)state;
    sweep(SYNCS, EINTR, COMMITS - 1, true);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(writes_fail), T(writes_find_no_room), T(writes_are_interrupted),
        T(syncs_fail),  T(syncs_find_no_room),  T(syncs_are_interrupted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
