/* spool: its directory and files: made, moved, half made, damaged. */
#include "spool_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "spool/internal.h"

static void test_moved(void **state)
{
    char other[sizeof(dir.spool)], data[sizeof(dir.spool) + 16];
    spool_options_t opt = {.create = true, .size = MIB};
    spool_t *s = open_sized(MIB), *fresh;

    (void)state;
    snprintf(other, sizeof(other), "%s/old", dir.base);
    snprintf(data, sizeof(data), "%s/data.mdb", dir.spool);
    assert_false(spool_moved(s));
    assert_int_equal(rename(dir.spool, other), 0);
    assert_true(spool_moved(s));
    assert_int_equal(spool_open(&fresh, dir.spool, &opt), SPOOL_OK);
    assert_true(spool_moved(s)); /* another one lies there now */
    assert_false(spool_moved(fresh));
    assert_int_equal(unlink(data), 0);
    assert_true(spool_moved(fresh));
    spool_close(&fresh);
    spool_close(&s);
    /* both directories go */
    test_dir_drop(&dir);
    snprintf(dir.spool, sizeof(dir.spool), "%s", other);
}

/* Its power was cut while the first pages were written. */
static void test_half_made(void **state)
{
    char part[sizeof(dir.spool) + 16];
    spool_stat_t st;
    spool_t *s;
    FILE *f;

    (void)state;
    assert_int_equal(mkdir(dir.spool, 0700), 0);
    snprintf(part, sizeof(part), "%s/data.mdb.new", dir.spool);
    f = fopen(part, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "%512s", "half of it") == 512);
    assert_int_equal(fclose(f), 0);
    s = open_sized(2 * MIB);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.size == 2 * MIB && st.next_seq == 1);
    spool_close(&s);
}

/* Whoever made its directory was killed before he gave it its mode. */
static void test_half_made_dir(void **state)
{
    spool_options_t opt = {.size = MIB, .create = true};
    spool_t *s;

    (void)state;
    assert_int_equal(mkdir(dir.spool, 0700), 0);
    s = open_sized(MIB);
    assert_int_equal(mode_of("."), 02770);
    spool_close(&s);
    /* one that holds something has another's mode for his reasons */
    assert_int_equal(chmod(dir.spool, 0700), 0);
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_OK);
    assert_int_equal(mode_of("."), 0700);
    spool_close(&s);
}

/* Before libc's: what a disk may answer that is about to die. */
static bool stat_fails;

int fstatat(int dir_fd, const char *restrict path, struct stat *restrict st,
            int flags)
{
    if (stat_fails && strcmp(path, "data.mdb") == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_newfstatat, dir_fd, path, st, flags);
}

/* A file that cannot be looked at is not absent: none is put in its place. */
static void test_cannot_look(void **state)
{
    spool_options_t opt = {.size = MIB, .create = true};
    uint64_t first;
    spool_stat_t st;
    spool_t *s;

    (void)state;
    s = open_sized(MIB);
    assert_int_equal(append(s, 1, 1, 100, &first), SPOOL_OK);
    spool_close(&s);
    stat_fails = true;
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_IO);
    assert_non_null(strstr(opt.error, "data.mdb"));
    stat_fails = false;
    s = open_sized(MIB);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.records, 1);
    spool_close(&s);
}

/* Before libc's, too. */
static int syncfs_errno;
static unsigned syncs_of_all;

int syncfs(int fd)
{
    if (syncfs_errno != 0) {
        errno = syncfs_errno;
        return -1;
    }
    syncs_of_all++;
    return (int)syscall(SYS_syncfs, fd);
}

/* To make a directory one must be able to write its parent, not to read it. */
static void test_parent_not_read(void **state)
{
    const uid_t before = geteuid();
    const uid_t user = before == 0 ? 65534 : before;
    spool_options_t opt = {.size = MIB, .create = true};
    spool_t *s;
    int failed;
    int rc;

    (void)state;
    assert_int_equal(chown(dir.base, user, (gid_t)-1), 0);
    assert_int_equal(chmod(dir.base, 0300), 0);
    assert_int_equal(seteuid(user), 0);
    syncfs_errno = EIO;
    failed = spool_open(&s, dir.spool, &opt);
    syncfs_errno = 0;
    syncs_of_all = 0;
    rc = spool_open(&s, dir.spool, &opt);
    assert_int_equal(seteuid(before), 0);
    assert_int_equal(chmod(dir.base, 0700), 0);
    assert_int_equal(failed, SPOOL_IO);
    assert_int_equal(rc, SPOOL_OK);
    assert_int_equal(syncs_of_all, 1);
    spool_close(&s);
}

static void test_file_systems(void **state)
{
    (void)state;
    assert_true(spool_fs_refused(0x6969));
    assert_true(spool_fs_refused((long)0xff534d42));
    assert_true(spool_fs_refused((int)0xff534d42)); /* sign-extended */
    assert_true(spool_fs_refused(0x65735546));
    assert_false(spool_fs_refused(0xef53));
    assert_false(spool_fs_refused(0x58465342));
    assert_false(spool_lmdb_doubtful(0, 9, 24));
    assert_true(spool_lmdb_doubtful(0, 9, 26));
    assert_true(spool_lmdb_doubtful(0, 9, 31));
    assert_false(spool_lmdb_doubtful(0, 9, 32));
}

static void test_same_handle(void **state)
{
    spool_options_t opt = {.size = 2 * MIB};
    char other[200];
    spool_t *a = open_sized(MIB);
    spool_t *b;

    (void)state;
    snprintf(other, sizeof(other), "%s/../spool/.", dir.spool);
    assert_int_equal(spool_open(&b, other, &opt), SPOOL_OK);
    assert_ptr_equal(a, b);
    spool_close(&a);
    assert_int_equal(append(b, 1, 1, 10, NULL), SPOOL_OK);
    spool_close(&b);
}

/* A new directory under the name of one that is open is another spool. */
static void test_moved_away(void **state)
{
    spool_t *a = open_sized(MIB);
    char aside[200];
    test_dir_t old = dir;
    spool_t *b;

    (void)state;
    snprintf(aside, sizeof(aside), "%s.aside", dir.spool);
    assert_int_equal(rename(dir.spool, aside), 0);
    b = open_sized(MIB);
    assert_ptr_not_equal(a, b);
    assert_string_not_equal(spool_id(a), spool_id(b));
    spool_close(&a);
    spool_close(&b);
    snprintf(old.spool, sizeof(old.spool), "%s/spool.aside", dir.base);
    test_dir_drop(&old);
}

static void test_modes(void **state)
{
    mode_t before = umask(077);
    spool_t *s;

    (void)state;
    s = open_sized(MIB);
    umask(before);
    assert_int_equal(mode_of("."), 02770);
    assert_int_equal(mode_of("data.mdb"), 0660);
    assert_int_equal(mode_of("lock.mdb"), 0660);
    assert_int_equal(mode_of("open.lock"), 0660);
    assert_int_equal(mode_of("write.lock"), 0660);
    spool_close(&s);
}

/* The flags that would let a commit return before it is on disk. */
static void test_flags(void **state)
{
    spool_t *s = open_sized(MIB);
    unsigned flags;

    (void)state;
    assert_int_equal(mdb_env_get_flags(s->env, &flags), MDB_SUCCESS);
    assert_int_equal(flags & (MDB_NOSYNC | MDB_NOMETASYNC | MDB_MAPASYNC |
                              MDB_WRITEMAP | MDB_NOLOCK),
                     0);
    assert_true((flags & MDB_NOTLS) != 0);
    spool_close(&s);
}

static void write_file(const char *name, const char *data, size_t len, off_t at)
{
    char path[220];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir.spool, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, at), len);
    close(fd);
}

static void test_damaged(void **state)
{
    spool_options_t opt = {.create = true};
    char junk[8192];
    char path[220];
    struct stat st;
    spool_t *s = open_sized(4 * MIB);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(append(s, 1, BATCH, 6000, NULL), SPOOL_OK);
    }
    spool_close(&s);
    snprintf(path, sizeof(path), "%s/data.mdb", dir.spool);
    assert_int_equal(truncate(path, 16 * 4096), 0);
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_CORRUPT);
    assert_non_null(strstr(opt.error, "ends before"));
    memset(junk, 'j', sizeof(junk));
    write_file("data.mdb", junk, sizeof(junk), 0);
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_CORRUPT);
    assert_string_not_equal(opt.error, "");
    /* Who does not ask for it has nothing put aside. */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 16 * 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_moved),           TEST(test_half_made),
        TEST(test_cannot_look),     TEST(test_file_systems),
        TEST(test_same_handle),     TEST(test_moved_away),
        TEST(test_modes),           TEST(test_flags),
        TEST(test_damaged),         TEST(test_half_made_dir),
        TEST(test_parent_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
