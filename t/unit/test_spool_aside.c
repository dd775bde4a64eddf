/*
 * A damaged spool is put aside, whole, and a new one begun; what is no damage
 * leaves everything where it is.
 */
#include "spool_harm.h"

#include <sys/syscall.h>

/* ---- what a disk, or the rights, may answer ---- */

static int pread_errno;
static int mkdir_errno;
static int rename_errno;

/* Before libc's. */
ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
    if (pread_errno != 0) {
        errno = pread_errno;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, n, at);
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    if (mkdir_errno != 0) {
        errno = mkdir_errno;
        return -1;
    }
    return (int)syscall(SYS_mkdirat, fd, path, mode);
}

int renameat(int from, const char *old, int to, const char *path)
{
    if (rename_errno != 0) {
        errno = rename_errno;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from, old, to, path, 0);
}

static const struct {
    const char *name;
    void (*harm)(void);
} damages[] = {
    {"empty", empty},
    {"few bytes", few_bytes},
    {"one page", one_page},
    {"half", half},
    {"no file of ours", no_file_of_ours},
    {"first meta page", first_meta},
    {"second meta page", second_meta},
    {"roots", roots},
    {"page size", page_size},
    {"trees", trees},
    {"trees of ones", trees_of_ones},
};

/* Those who must not, and LMDB's answer to the same. */
static void assert_only_refused(const char *what, const bytes_t *kept)
{
    spool_options_t opt = {.size = 8 * MIB, .create = true};
    spool_t *s = NULL;
    int rc = spool_open(&s, dir.spool, &opt);

    if (rc != SPOOL_CORRUPT || opt.error[0] == '\0') {
        print_error("%s: %d %s\n", what, rc, opt.error);
    }
    assert_int_equal(rc, SPOOL_CORRUPT);
    assert_non_null(strstr(opt.error, "damaged"));
    opt = (spool_options_t){.set_aside = true};
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_CORRUPT);
    assert_int_equal(copies(), 0);
    assert_same(kept, "data.mdb");
}

static void one_damage(size_t i)
{
    char path[SPOOL_ASIDE_LEN + 16];
    char old[SPOOL_ID_LEN + 1];
    spool_options_t opt;
    spool_stat_t st;
    bytes_t kept;
    spool_t *s;

    fill();
    s = open_sized(8 * MIB);
    snprintf(old, sizeof(old), "%s", spool_id(s));
    spool_close(&s);
    damages[i].harm();
    kept = slurp("data.mdb");
    assert_only_refused(damages[i].name, &kept);
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_int_equal(strncmp(opt.aside, "corrupt-20", 10), 0);
    assert_non_null(strstr(opt.error, opt.aside));
    assert_non_null(strstr(opt.error, "nothing of it was deleted"));
    snprintf(path, sizeof(path), "%s/data.mdb", opt.aside);
    assert_same(&kept, path);
    free(kept.data);
    assert_int_equal(mode_of(opt.aside), 02770);
    assert_int_equal(mode_of("data.mdb"), 0660);
    assert_int_equal(mode_of("lock.mdb"), 0660);
    assert_string_not_equal(spool_id(s), old);
    assert_int_equal(append(s, 1, 1, 10, NULL), SPOOL_OK);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.next_seq == 2 && st.records == 1);
    spool_close(&s);
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_string_equal(opt.error, "");
    assert_int_equal(copies(), 1);
    spool_close(&s);
}

static void test_damages(void **state)
{
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        one_damage(i);
        assert_int_equal(teardown_aside(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

/* The table of the spool itself: LMDB reads it without a fault. */
static void test_own_table(void **state)
{
    spool_options_t opt;
    spool_t *s = open_sized(MIB);
    MDB_val key = {2, (void *)(uintptr_t) "id"};
    MDB_txn *txn;

    (void)state;
    assert_int_equal(spool_txn_begin(s, 0, &txn), SPOOL_OK);
    assert_int_equal(mdb_del(txn, s->meta, &key, NULL), MDB_SUCCESS);
    assert_int_equal(spool_txn_commit(s, &txn), SPOOL_OK);
    spool_close(&s);
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_string_not_equal(opt.aside, "");
    spool_close(&s);
}

/* ---- no damage ---- */

static void test_faults(void **state)
{
    static const int errors[] = {EIO, EACCES, ENOMEM, EAGAIN};

    (void)state;
    fill();
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        spool_options_t opt;
        spool_t *s;

        pread_errno = errors[i];
        assert_int_equal(reopen(&s, &opt), SPOOL_IO);
        pread_errno = 0;
        assert_int_equal(copies(), 0);
    }
    assert_sound_again();
}

static void test_rights(void **state)
{
    spool_options_t opt;
    spool_t *s;

    (void)state;
    fill();
    if (geteuid() == 0) {
        return; /* who has all of them */
    }
    assert_int_equal(chmod(in_spool("data.mdb"), 0), 0);
    assert_int_equal(reopen(&s, &opt), SPOOL_INVAL);
    assert_int_equal(copies(), 0);
    assert_int_equal(chmod(in_spool("data.mdb"), 0660), 0);
    assert_sound_again();
}

/* Of LMDB's next format, and of ours. */
static void test_later_version(void **state)
{
    spool_options_t opt;
    spool_t *s;
    unsigned char layout[8];
    MDB_val key = {6, (void *)(uintptr_t) "layout"};
    MDB_val val = {sizeof(layout), layout};
    MDB_txn *txn;

    (void)state;
    fill();
    junk("data.mdb", 2, 1, 16 + 4);
    assert_left_alone(SPOOL_FUTURE);
    junk("data.mdb", 1, 1, 16 + 4);
    assert_sound_again();
    s = open_sized(8 * MIB);
    assert_int_equal(spool_txn_begin(s, 0, &txn), SPOOL_OK);
    spool_put64(layout, SPOOL_LAYOUT + 1);
    assert_int_equal(mdb_put(txn, s->meta, &key, &val, 0), MDB_SUCCESS);
    assert_int_equal(spool_txn_commit(s, &txn), SPOOL_OK);
    spool_close(&s);
    assert_int_equal(reopen(&s, &opt), SPOOL_FUTURE);
    assert_int_equal(copies(), 0);
}

static void test_size(void **state)
{
    spool_options_t opt = {.size = MIB, .create = true, .set_aside = true};
    spool_t *s;

    (void)state;
    fill();
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_OK);
    assert_string_equal(opt.aside, "");
    spool_close(&s);
    opt.size = 100;
    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_INVAL);
    assert_int_equal(copies(), 0);
    assert_sound_again();
}

/* Somebody else's database, which a wrong path leads to. */
static void test_foreign(void **state)
{
    MDB_val key = {3, (void *)(uintptr_t) "abc"};
    spool_t *s = open_sized(MIB);
    MDB_txn *txn;

    (void)state;
    assert_int_equal(append(s, 1, 1, 10, NULL), SPOOL_OK);
    assert_int_equal(spool_txn_begin(s, 0, &txn), SPOOL_OK);
    assert_int_equal(mdb_drop(txn, s->meta, 0), MDB_SUCCESS);
    assert_int_equal(mdb_put(txn, s->meta, &key, &key, 0), MDB_SUCCESS);
    assert_int_equal(spool_txn_commit(s, &txn), SPOOL_OK);
    spool_close(&s);
    assert_left_alone(SPOOL_INVAL);
}

/* The locks of others are not the data. */
static void test_locks(void **state)
{
    spool_options_t opt;
    spool_t *s;
    int ready[2];
    int go[2];
    pid_t pid;
    char byte;

    (void)state;
    fill();
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid = fork();
    if (pid == 0) {
        s = open_sized(8 * MIB);
        _exit(write(ready[1], "x", 1) != 1 || read(go[0], &byte, 1) != 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    junk("lock.mdb", 'l', 8, 0);
    assert_int_equal(reopen(&s, &opt), SPOOL_CORRUPT);
    assert_int_equal(copies(), 0);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_sound_again();
}

/* LMDB has met something; a look at all of it finds nothing. */
static void test_suspected(void **state)
{
    (void)state;
    fill();
    close(open(in_spool(SPOOL_SUSPECT), O_CREAT | O_WRONLY, 0660));
    assert_sound_again();
    assert_false(is_there(SPOOL_SUSPECT));
}

/* What was cut off was free: no record is lost, so it is used on. */
static void test_free_end(void **state)
{
    spool_t *s;
    struct stat st;
    spool_options_t opt;
    spool_stat_t stat_now;

    (void)state;
    fill();
    s = open_sized(8 * MIB);
    assert_int_equal(spool_delete(s, RECORDS), SPOOL_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(append(s, RECORDS + 1, 1, 10, NULL), SPOOL_OK);
        assert_int_equal(spool_delete(s, RECORDS + 1 + (uint64_t)i), SPOOL_OK);
    }
    assert_int_equal(append(s, RECORDS + 1, 1, 10, NULL), SPOOL_OK);
    spool_close(&s);
    assert_int_equal(stat(in_spool("data.mdb"), &st), 0);
    assert_int_equal(
        truncate(in_spool("data.mdb"), st.st_size - (off_t)100 * PAGE), 0);
    assert_int_equal(reopen(&s, &opt), SPOOL_OK);
    assert_string_equal(opt.error, "");
    assert_int_equal(append(s, 1, BATCH, 5000, NULL), SPOOL_OK);
    assert_int_equal(spool_stat(s, &stat_now), SPOOL_OK);
    assert_int_equal(stat_now.records, 1 + BATCH);
    spool_close(&s);
}

/* ---- it cannot be put aside ---- */

static void test_no_room(void **state)
{
    spool_options_t opt;
    bytes_t kept;
    spool_t *s;

    (void)state;
    fill();
    first_meta();
    kept = slurp("data.mdb");
    mkdir_errno = ENOSPC;
    assert_int_equal(reopen(&s, &opt), SPOOL_CORRUPT);
    mkdir_errno = 0;
    assert_non_null(strstr(opt.error, "cannot be put aside: No space"));
    rename_errno = EACCES;
    assert_int_equal(reopen(&s, &opt), SPOOL_CORRUPT);
    rename_errno = 0;
    assert_non_null(strstr(opt.error, "cannot be put aside: Permission"));
    assert_int_equal(copies(), 0);
    assert_same(&kept, "data.mdb");
    free(kept.data);
}

/* One after the other: a disk that dies is not filled by it. */
static void test_many(void **state)
{
    spool_options_t opt;
    spool_t *s;
    int n = 0;

    (void)state;
    s = open_sized(MIB);
    spool_close(&s);
    for (int i = 0; i < 20; i++) {
        first_meta();
        if (reopen(&s, &opt) != SPOOL_OK) {
            break;
        }
        n++;
        spool_close(&s);
    }
    assert_int_equal(n, 16);
    assert_int_equal(copies(), 16);
    assert_non_null(strstr(opt.error, "lie there already"));
    assert_true(is_there("data.mdb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ASIDE(test_damages),       TEST_ASIDE(test_own_table),
        TEST_ASIDE(test_faults),        TEST_ASIDE(test_rights),
        TEST_ASIDE(test_later_version), TEST_ASIDE(test_size),
        TEST_ASIDE(test_foreign),       TEST_ASIDE(test_locks),
        TEST_ASIDE(test_suspected),     TEST_ASIDE(test_free_end),
        TEST_ASIDE(test_no_room),       TEST_ASIDE(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
