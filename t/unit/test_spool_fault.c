/*
 * Runs itself again under t/fault/shim.c, with one system call failing, for
 * every such call that a few appends and deletions make. The child tells by a
 * pipe what it was told is stored; the parent opens the spool without the shim
 * and counts.
 *
 * The shim: WACRM_SHIM, else shim.so beside this program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>

#include "t/unit/spool_dir.h"

#define SIZE    ((uint64_t)4 << 20)
#define RECORDS 3 /* of each append */
#define ROUNDS  6
#define NOTE_FD 3

/* What the child says, in this order of bytes on the pipe. */
typedef struct {
    uint64_t acknowledged; /* sequence of the last record */
    uint64_t deleted;      /* upto, asked for at least */
    uint32_t failed;       /* a call answered SPOOL_IO */
    uint32_t broken;       /* line of what should not have been, or 0 */
    uint32_t calls;        /* that the shim counted */
} note_t;

static test_dir_t dir;
static char self[PATH_MAX];
static char shim[PATH_MAX];

/* ---- the child ---- */

static note_t note;

#define EXPECT(cond)                       \
    do {                                   \
        if (!(cond) && note.broken == 0) { \
            note.broken = __LINE__;        \
        }                                  \
    } while (0)

static int append_some(spool_t *s)
{
    char buf[RECORDS][5000];
    spool_str_t recs[RECORDS];
    uint64_t first = 0;
    int rc;

    for (size_t i = 0; i < RECORDS; i++) {
        test_record_put(buf[i], sizeof(buf[i]), 0);
        recs[i] = (spool_str_t){buf[i], 500 + i * 2000};
    }
    rc = spool_append(s, recs, RECORDS, &first);
    if (rc == SPOOL_OK) {
        /* After a commit whose end is unknown there may be more than was
         * acknowledged; never less. */
        EXPECT(first > note.acknowledged);
        note.acknowledged = first + RECORDS - 1;
    }
    return rc;
}

/* From the failure on everything answers SPOOL_IO. */
static void expect_dead(spool_t *s)
{
    spool_str_t jti = {"a", 1};
    spool_batch_t batch;
    spool_stat_t st;

    note.failed = 1;
    EXPECT(append_some(s) == SPOOL_IO);
    EXPECT(spool_read(s, 0, 1, 1, &batch) == SPOOL_IO);
    EXPECT(spool_delete(s, 1) == SPOOL_IO);
    EXPECT(spool_stat(s, &st) == SPOOL_IO);
    EXPECT(spool_revoked(s, jti, jti, 0) == SPOOL_IO);
    EXPECT(spool_reader_check(s) == SPOOL_IO);
}

static int work(spool_t *s)
{
    int rc = SPOOL_OK;

    for (int i = 0; i < ROUNDS && rc == SPOOL_OK; i++) {
        rc = append_some(s);
        if (rc == SPOOL_OK && i % 2 == 1) {
            uint64_t upto = note.acknowledged - 2;

            note.deleted = upto;
            rc = spool_delete(s, upto);
        }
    }
    EXPECT(rc == SPOOL_OK || rc == SPOOL_IO);
    return rc;
}

/* again: the handle stays open with a second user, who opens it again. */
static void run_child(const char *path, bool again)
{
    spool_options_t opt = {.size = SIZE, .create = true};
    unsigned (*count)(void);
    spool_t *second = NULL;
    spool_t *s;
    int rc;

    rc = spool_open(&s, path, &opt);
    if (rc != SPOOL_OK) {
        EXPECT(rc == SPOOL_IO && opt.error[0] != '\0');
        note.failed = 1;
        rc = spool_open(&s, path, &opt); /* the fault has passed */
        EXPECT(rc == SPOOL_OK);
    }
    if (rc == SPOOL_OK && work(s) == SPOOL_IO) {
        expect_dead(s);
        if (again) {
            EXPECT(spool_open(&second, path, &opt) == SPOOL_OK);
            EXPECT(second == s);
        } else {
            spool_close(&s);
            EXPECT(spool_open(&s, path, &opt) == SPOOL_OK);
        }
        EXPECT(s != NULL && work(s) == SPOOL_OK);
    }
    spool_close(&second);
    spool_close(&s);
    *(void **)&count = dlsym(RTLD_DEFAULT, "wacrm_fault_count");
    EXPECT(count != NULL);
    note.calls = count != NULL ? count() : 0;
}

static int child_main(const char *path, bool again)
{
    run_child(path, again);
    return write(NOTE_FD, &note, sizeof(note)) == sizeof(note) ? 0 : 1;
}

/* ---- the parent ---- */

typedef struct {
    const char *call;
    const char *err;
    unsigned nth;
    bool again;
} fault_t;

static void exec_child(const fault_t *f, int out)
{
    char nth[16];

    snprintf(nth, sizeof(nth), "%u", f->nth);
    setenv("LD_PRELOAD", shim, 1);
    setenv("WACRM_FAULT_CALL", f->call, 1);
    setenv("WACRM_FAULT_ERRNO", f->err, 1);
    setenv("WACRM_FAULT_NTH", nth, 1);
    /* Built with ASan: its library comes after the shim, which is harmless. */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
    if (out != NOTE_FD) {
        dup2(out, NOTE_FD);
    }
    execl(self, self, f->again ? "--again" : "--child", dir.spool,
          (char *)NULL);
    _exit(127);
}

static note_t run(const fault_t *f)
{
    note_t n;
    int status;
    int fds[2];
    pid_t pid;

    memset(&n, 0, sizeof(n));
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        exec_child(f, fds[1]);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &n, sizeof(n)), sizeof(n));
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    if (n.broken != 0) {
        print_error("%s %u %s: line %u\n", f->call, f->nth, f->err, n.broken);
    }
    assert_int_equal(n.broken, 0);
    return n;
}

/* Everything acknowledged and not deleted is there, in order. */
static void check_spool(const note_t *n)
{
    spool_options_t opt = {.create = false};
    spool_stat_t st;
    spool_batch_t b;
    uint64_t seq;
    spool_t *s;

    assert_int_equal(spool_open(&s, dir.spool, &opt), SPOOL_OK);
    assert_int_equal(spool_read(s, 0, 1000, 1 << 20, &b), SPOOL_OK);
    seq = b.items[0].seq;
    assert_true(seq <= n->deleted + 1);
    for (size_t i = 0; i < b.n; i++) {
        assert_true(b.items[i].seq == seq + i);
        assert_int_equal(b.items[i].data.len,
                         500 + (b.items[i].seq - 1) % RECORDS * 2000);
    }
    assert_true(seq + b.n - 1 >= n->acknowledged);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.records == b.n && st.next_seq == seq + b.n);
    spool_batch_free(&b);
    spool_close(&s);
}

static note_t run_fresh(const fault_t *f)
{
    note_t n;

    assert_int_equal(test_dir_make(&dir), 0);
    n = run(f);
    check_spool(&n);
    test_dir_drop(&dir);
    return n;
}

/* Fails each of the calls once, and both ways of opening again. told: somebody
 * is told of it, rather than that the call is made once more. */
static void sweep_told(const char *call, const char *err, unsigned at_least,
                       bool told)
{
    fault_t f = {.call = call, .err = err};
    note_t n = run_fresh(&f);
    unsigned calls = n.calls;

    assert_int_equal(n.failed, 0);
    assert_true(calls >= at_least);
    for (f.nth = 1; f.nth <= calls; f.nth++) {
        f.again = f.nth % 2 == 0;
        n = run_fresh(&f);
        if (n.failed != told) {
            print_error("%s %u %s: %s\n", call, f.nth, err,
                        told ? "unnoticed" : "not tried again");
        }
        assert_int_equal(n.failed, told);
        assert_true(told || n.calls == calls + 1);
    }
}

static void sweep(const char *call, const char *err, unsigned at_least)
{
    sweep_told(call, err, at_least, true);
}

static void test_fdatasync(void **state)
{
    (void)state;
    sweep("fdatasync", "EIO", ROUNDS);
}

static void test_fdatasync_enospc(void **state)
{
    (void)state;
    sweep("fdatasync", "ENOSPC", ROUNDS);
}

static void test_pwrite(void **state)
{
    (void)state;
    sweep("pwrite", "EIO", ROUNDS);
}

/* What was only interrupted: LMDB writes again, but a sync has failed. */
static void test_interrupted(void **state)
{
    (void)state;
    sweep_told("pwrite", "EINTR", ROUNDS, false);
    sweep_told("meta", "EINTR", ROUNDS, false);
    sweep_told("writev", "EINTR", ROUNDS, false);
    sweep("fdatasync", "EINTR", ROUNDS);
}

static void test_writev(void **state)
{
    (void)state;
    sweep("writev", "ENOSPC", ROUNDS);
}

static void test_meta(void **state)
{
    (void)state;
    sweep("meta", "EIO", ROUNDS);
}

/* LMDB must not use what we do not count on: an msync() would mean a writable
 * map, an fsync() of data.mdb another build of LMDB. */
static void test_not_used(void **state)
{
    static const char *const calls[] = {"msync", "fsync", "pwritev"};

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        fault_t f = {.call = calls[i], .err = "EIO", .nth = 1};
        note_t n = run_fresh(&f);

        /* Where it is used after all, its failure is noticed. */
        assert_int_equal(n.failed != 0, n.calls != 0);
        if (strcmp(calls[i], "msync") == 0) {
            assert_int_equal(n.calls, 0);
        }
    }
}

static bool find_shim(void)
{
    const char *env = getenv("WACRM_SHIM");
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n < 0) {
        return false;
    }
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (env != NULL) {
        snprintf(shim, sizeof(shim), "%s", env);
    } else {
        snprintf(shim, sizeof(shim), "%.*s/shim.so", (int)(slash - self), self);
    }
    return access(shim, R_OK) == 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fdatasync),
        cmocka_unit_test(test_fdatasync_enospc),
        cmocka_unit_test(test_pwrite),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_writev),
        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_not_used),
    };

    if (argc == 3) {
        return child_main(argv[2], strcmp(argv[1], "--again") == 0);
    }
    if (!find_shim()) {
        fprintf(stderr, "no shim at %s\n", shim);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
