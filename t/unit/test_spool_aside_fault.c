/*
 * A damaged spool is put aside, and it is interrupted: killed, no room, a disk
 * that does not answer. Nothing that was revoked becomes valid by it, and
 * somebody is told.
 */
#include "spool_damage.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "spool/internal.h"

/* ---- what happens at a call of the system's; before libc's ---- */

#define KILLED (-1)

static const char *rename_name; /* of the file that is to have another one */
static int rename_errno;        /* or KILLED */
static int fsync_errno;         /* of directories */
static void (*before_flock)(void);

int renameat(int from, const char *old, int to, const char *path)
{
    if (rename_name != NULL && strcmp(old, rename_name) == 0) {
        if (rename_errno == KILLED) {
            _exit(0);
        }
        errno = rename_errno;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from, old, to, path, 0);
}

int fsync(int fd)
{
    struct stat st;

    if (fsync_errno != 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = fsync_errno;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int flock(int fd, int how)
{
    void (*hook)(void) = before_flock;

    before_flock = NULL;
    if (hook != NULL) {
        hook();
    }
    return (int)syscall(SYS_flock, fd, how);
}

/* ---- fixtures ---- */

static int reopen(spool_t **s, spool_options_t *opt)
{
    *opt =
        (spool_options_t){.size = 8 * MIB, .create = true, .set_aside = true};
    return spool_open(s, dir.spool, opt);
}

static int setup_sound(void **state)
{
    rename_name = NULL;
    fsync_errno = 0;
    before_flock = NULL;
    return setup(state);
}

/* A damaged one, in which a token is revoked. */
static void damaged(void)
{
    spool_revoked_t entry = {.id = "jti", .expires = INT64_MAX};
    spool_t *s = open_sized(8 * MIB);

    assert_int_equal(append(s, 1, BATCH, 700, NULL), SPOOL_OK);
    assert_int_equal(spool_revoke(s, &entry, 1), SPOOL_OK);
    spool_close(&s);
    junk("data.mdb", 0, PAGE, 0);
}

/* Whoever comes after it: he says it once, and no token is let in. */
static void assert_told_and_unsettled(void)
{
    spool_revoked_t entry = {.id = "jti", .expires = INT64_MAX};
    spool_options_t opt;
    spool_t *s;

    assert_false(is_there("data.mdb"));
    assert_int_equal(copies(), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(reopen(&s, &opt), SPOOL_OK);
        assert_int_equal(strncmp(opt.aside, "corrupt-20", 10) == 0, i == 0);
        assert_int_equal(strstr(opt.error, "corrupt-20") != NULL, i == 0);
        assert_int_equal(spool_revoked(s, str("jti"), str(""), 0), SPOOL_BUSY);
        assert_int_equal(append(s, 1, 1, 10, NULL), SPOOL_OK);
        spool_close(&s);
    }
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_int_equal(spool_revoke(s, &entry, 1), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str("jti"), str(""), 0), 1);
    assert_int_equal(spool_revoked(s, str("other"), str(""), 0), 0);
    spool_close(&s);
    assert_int_equal(copies(), 1);
}

/* ---- interrupted ---- */

static void test_killed(void **state)
{
    spool_options_t opt;
    spool_t *s;
    int status;
    pid_t pid;

    (void)state;
    damaged();
    pid = fork();
    if (pid == 0) {
        rename_name = "data.mdb.new";
        rename_errno = KILLED;
        (void)reopen(&s, &opt);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_told_and_unsettled();
}

static void test_no_room(void **state)
{
    spool_options_t opt;
    spool_t *s;

    (void)state;
    damaged();
    rename_name = "data.mdb.new";
    rename_errno = ENOSPC;
    assert_int_equal(reopen(&s, &opt), SPOOL_IO);
    rename_name = NULL;
    assert_string_not_equal(opt.aside, "");
    assert_non_null(strstr(opt.error, "damaged"));
    assert_non_null(strstr(opt.error, opt.aside));
    assert_non_null(strstr(opt.error, "No space"));
    assert_told_and_unsettled();
}

/* Both have gone, but perhaps not for good. */
static void test_no_sync(void **state)
{
    spool_options_t opt;
    spool_t *s;

    (void)state;
    damaged();
    fsync_errno = EIO;
    assert_int_equal(reopen(&s, &opt), SPOOL_IO);
    fsync_errno = 0;
    assert_string_not_equal(opt.aside, "");
    assert_non_null(strstr(opt.error, opt.aside));
    assert_non_null(strstr(opt.error, "synced: Input/output error"));
    assert_told_and_unsettled();
}

/* ---- while one waits for the lock ---- */

static char elsewhere[200];

static void another_takes_its_place(void)
{
    static const char *const files[] = {"lock.mdb", "data.mdb"};
    char path[220];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", elsewhere, files[i]);
        assert_int_equal(rename(in_spool(files[i]), in_spool("away")), 0);
        assert_int_equal(rename(path, in_spool(files[i])), 0);
    }
}

/* Nobody is given another spool under a handle that he knows. */
static void test_replaced_meanwhile(void **state)
{
    spool_options_t opt = {.size = 8 * MIB, .create = true};
    char id[SPOOL_ID_LEN + 1];
    test_dir_t other = dir;
    spool_t *second = NULL;
    spool_t *s;

    (void)state;
    snprintf(elsewhere, sizeof(elsewhere), "%s/other", dir.base);
    snprintf(other.spool, sizeof(other.spool), "%s/other", dir.base);
    assert_int_equal(spool_open(&s, elsewhere, &opt), SPOOL_OK);
    spool_close(&s);
    s = open_sized(8 * MIB);
    snprintf(id, sizeof(id), "%s", spool_id(s));
    atomic_store(&s->failed, EIO);
    before_flock = another_takes_its_place;
    assert_int_equal(reopen(&second, &opt), SPOOL_IO);
    assert_null(before_flock);
    assert_string_equal(spool_id(s), id);
    assert_non_null(strstr(opt.error, "another spool"));
    assert_int_equal(append(s, 1, 1, 10, NULL), SPOOL_IO);
    spool_close(&s);
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_string_not_equal(spool_id(s), id);
    spool_close(&s);
    test_dir_drop(&other);
}

#define TEST_FAULT(f) \
    cmocka_unit_test_setup_teardown(f, setup_sound, teardown_aside)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FAULT(test_killed),
        TEST_FAULT(test_no_room),
        TEST_FAULT(test_no_sync),
        TEST_FAULT(test_replaced_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
