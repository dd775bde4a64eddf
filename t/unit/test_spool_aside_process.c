/*
 * A damaged spool is put aside while others have it open: whatever got its
 * SPOOL_OK is in the new one, or was in the damaged one before it went.
 */
#include "spool_damage.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "spool/internal.h"

#define WRITERS 4
#define OPENERS 6
#define NOTES   20000

static const spool_options_t with_aside = {
    .size = 64 * MIB, .create = true, .set_aside = true};

static int open_anew(spool_t **s, spool_options_t *opt)
{
    *opt = with_aside;
    return spool_open(s, dir.spool, opt);
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

/* The first bytes of both meta pages: data that running writers never write,
 * and never look at. */
static void harm(const char *name, char kept[2][8])
{
    bytes_t b = slurp(name);

    memcpy(kept[0], b.data + 16, 8);
    memcpy(kept[1], b.data + PAGE + 16, 8);
    free(b.data);
    junk(name, 0, 8, 16);
    junk(name, 0, 8, PAGE + 16);
}

static void heal(const char *name, char kept[2][8])
{
    overwrite(name, kept[0], 8, 16);
    overwrite(name, kept[1], 8, PAGE + 16);
}

/* ---- one who has it open ---- */

static void test_old_handle(void **state)
{
    spool_revoked_t entry = {.id = "jti", .expires = INT64_MAX};
    char path[SPOOL_ASIDE_LEN + 16];
    spool_options_t opt;
    int go[2], done[2];
    char kept[2][8];
    bytes_t before;
    spool_t *old;
    spool_t *s;
    int status;
    pid_t pid;
    char byte;

    (void)state;
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(done), 0);
    old = open_sized(8 * MIB);
    assert_int_equal(append(old, 1, 3, 100, NULL), SPOOL_OK);
    harm("data.mdb", kept);
    before = slurp("data.mdb");
    pid = fork();
    if (pid == 0) {
        if (open_anew(&s, &opt) != SPOOL_OK || opt.aside[0] == '\0' ||
            write(done[1], opt.aside, sizeof(opt.aside)) < 0 ||
            read(go[0], &byte, 1) != 1) {
            _exit(1);
        }
        /* what came after it was put aside is in the new one */
        _exit(check_all(s, 0, 99) != 1);
    }
    assert_int_equal(read(done[0], opt.aside, sizeof(opt.aside)),
                     sizeof(opt.aside));
    snprintf(path, sizeof(path), "%s/data.mdb", opt.aside);
    assert_true(spool_moved(old));
    assert_int_equal(append(old, 9, 1, 10, NULL), SPOOL_IO);
    assert_int_equal(spool_revoke(old, &entry, 1), SPOOL_IO);
    assert_int_equal(spool_delete(old, 3), SPOOL_IO);
    assert_same(&before, path);
    free(before.data);
    /* nobody is given another spool under a handle that he knows */
    assert_int_equal(open_anew(&s, &opt), SPOOL_IO);
    assert_non_null(strstr(opt.error, "another spool"));
    assert_true(spool_moved(old));
    spool_close(&old);
    assert_int_equal(open_anew(&s, &opt), SPOOL_OK);
    assert_string_equal(opt.aside, "");
    assert_int_equal(append(s, 100, 1, 10, NULL), SPOOL_OK);
    spool_close(&s);
    assert_int_equal(write(go[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* By hand, the whole directory, or its files, under who has it open. */
static void test_by_hand(void **state)
{
    char other[sizeof(dir.spool) + 8];
    spool_t *old;
    spool_t *s;

    (void)state;
    old = open_sized(8 * MIB);
    assert_int_equal(append(old, 1, 1, 10, NULL), SPOOL_OK);
    snprintf(other, sizeof(other), "%s.old", dir.spool);
    assert_int_equal(rename(dir.spool, other), 0);
    assert_int_equal(append(old, 2, 1, 10, NULL), SPOOL_IO);
    s = open_sized(8 * MIB);
    assert_int_equal(append(s, 2, 1, 10, NULL), SPOOL_OK);
    spool_close(&old);
    assert_int_equal(rename(in_spool("data.mdb"), in_spool("away")), 0);
    assert_int_equal(append(s, 3, 1, 10, NULL), SPOOL_IO);
    spool_close(&s);
    /* new data never comes under locks that others may have */
    old = open_sized(8 * MIB);
    assert_int_equal(append(old, 3, 1, 10, NULL), SPOOL_OK);
    spool_close(&old);
    test_dir_drop(&dir);
    snprintf(dir.spool, sizeof(dir.spool), "%s/spool.old", dir.base);
    assert_int_equal(check_all((old = open_sized(8 * MIB)), 0, 0), 1);
    spool_close(&old);
}

/* An I/O error, and damage when it is opened again: not under the handle. */
static void test_again(void **state)
{
    spool_options_t opt;
    char kept[2][8];
    spool_t *s;
    spool_t *second;

    (void)state;
    s = open_sized(8 * MIB);
    assert_int_equal(append(s, 1, 1, 10, NULL), SPOOL_OK);
    assert_false(spool_damaged(s));
    harm("data.mdb", kept);
    atomic_store(&s->failed, EIO);
    assert_int_equal(open_anew(&second, &opt), SPOOL_CORRUPT);
    assert_int_equal(copies(), 0);
    assert_true(spool_damaged(s));
    assert_int_equal(append(s, 2, 1, 10, NULL), SPOOL_IO);
    spool_close(&s);
    assert_int_equal(open_anew(&s, &opt), SPOOL_OK);
    assert_string_not_equal(opt.aside, "");
    assert_false(spool_damaged(s));
    spool_close(&s);
}

/* Nobody knows what is revoked until wacrmd has said so. */
static void test_revoked(void **state)
{
    spool_str_t none = {"x", 1};
    spool_options_t opt;
    char kept[2][8];
    spool_t *s;
    int status;
    pid_t pid;

    (void)state;
    s = open_sized(8 * MIB);
    assert_int_equal(spool_revoke(s, NULL, 0), SPOOL_OK);
    assert_int_equal(spool_revoked(s, none, none, 1), 0);
    spool_close(&s);
    harm("data.mdb", kept);
    assert_int_equal(open_anew(&s, &opt), SPOOL_OK);
    assert_int_equal(spool_revoked(s, none, none, 1), SPOOL_BUSY);
    spool_close(&s);
    assert_int_equal(open_anew(&s, &opt), SPOOL_OK);
    assert_int_equal(spool_revoked(s, none, none, 1), SPOOL_BUSY);
    pid = fork();
    if (pid == 0) {
        spool_t *other;

        _exit(open_anew(&other, &opt) != SPOOL_OK ||
              spool_revoked(other, none, none, 1) != SPOOL_BUSY ||
              spool_revoke(other, NULL, 0) != SPOOL_OK ||
              spool_revoked(other, none, none, 1) != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(spool_revoked(s, none, none, 1), 0);
    spool_close(&s);
}

/* ---- damage in the midst, which LMDB meets ---- */

static void harm_middle(int byte)
{
    bytes_t all = slurp("data.mdb");

    for (size_t at = 2 * PAGE; at + PAGE <= all.len; at += PAGE) {
        spool_str_t rec = {all.data + at + PAGE - 700, 700};
        uint64_t n = test_record_get(rec);

        /* leaves hold their first record at their end */
        if (n > 800 && n < 1200 && ((const char *)rec.data)[699] == 'x') {
            junk("data.mdb", byte, PAGE, (off_t)at);
        }
    }
    free(all.data);
}

/* It is harmed under one who reads; ends as LMDB lets it. */
static int read_all(int byte)
{
    spool_batch_t b;
    uint64_t after = 0;
    spool_t *s = open_sized(8 * MIB);
    int rc;

    if (freopen("/dev/null", "w", stderr) == NULL ||
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) != 0) {
        return 1;
    }
    harm_middle(byte);
    while ((rc = spool_read(s, after, 10, 1 << 20, &b)) == SPOOL_OK) {
        after = b.items[b.n - 1].seq;
        spool_batch_free(&b);
    }
    return rc == SPOOL_CORRUPT ? 42 : 2;
}

static void fill_many(void)
{
    spool_t *s = open_sized(8 * MIB);

    for (int i = 0; i < 125; i++) {
        assert_int_equal(append(s, 1 + (uint64_t)i * BATCH, BATCH, 700, NULL),
                         SPOOL_OK);
    }
    spool_close(&s);
}

static void test_middle(void **state)
{
    static const int bytes[] = {0, 0xff, 0x6a};

    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        spool_options_t opt;
        int status;
        spool_t *s;
        pid_t pid;

        fill_many();
        pid = fork();
        if (pid == 0) {
            _exit(read_all(bytes[i]));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 42);
        assert_int_equal(copies(), 0);
        assert_true(is_there(SPOOL_SUSPECT));
        assert_int_equal(open_anew(&s, &opt), SPOOL_OK);
        assert_string_not_equal(opt.aside, "");
        assert_int_equal(copies(), 1);
        assert_false(is_there(SPOOL_SUSPECT));
        spool_close(&s);
        assert_int_equal(teardown_aside(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

/* ---- many at once ---- */

typedef struct {
    _Atomic unsigned n;
    atomic_bool stop;
    _Atomic unsigned asides;
    struct {
        char id[SPOOL_ID_LEN + 1];
        uint64_t seq, value;
    } note[WRITERS][NOTES];
    _Atomic unsigned notes[WRITERS];
} shared_t;

static shared_t *share(void)
{
    shared_t *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(sh != MAP_FAILED);
    return sh;
}

static int open_at_once(shared_t *sh)
{
    spool_options_t opt;
    spool_t *s;
    int rc;

    atomic_fetch_add(&sh->n, 1);
    while (atomic_load(&sh->n) < OPENERS) {
        nap();
    }
    do { /* on a slow machine some wait too long for the others */
        rc = open_anew(&s, &opt);
    } while (rc == SPOOL_BUSY);
    if (rc != SPOOL_OK) {
        return 1;
    }
    atomic_fetch_add(&sh->asides, opt.aside[0] != '\0');
    return append(s, 1, 1, 10, NULL) != SPOOL_OK;
}

static void test_openers(void **state)
{
    shared_t *sh = share();
    pid_t pid[OPENERS];
    char kept[2][8];
    spool_stat_t st;
    spool_t *s;

    (void)state;
    s = open_sized(8 * MIB);
    spool_close(&s);
    harm("data.mdb", kept);
    for (int i = 0; i < OPENERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            _exit(open_at_once(sh));
        }
    }
    for (int i = 0; i < OPENERS; i++) {
        int status;

        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sh->asides, 1);
    assert_int_equal(copies(), 1);
    s = open_sized(8 * MIB);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.records, OPENERS);
    spool_close(&s);
    munmap(sh, sizeof(*sh));
}

/* As the module does it: what fails is closed and opened again. */
static int write_on(shared_t *sh, unsigned me)
{
    uint64_t value = (uint64_t)me << 32;
    spool_t *s = NULL;
    spool_options_t opt;
    unsigned n = 0;

    while (!atomic_load(&sh->stop) && n < NOTES) {
        uint64_t seq;
        int rc;

        if (s == NULL && open_anew(&s, &opt) != SPOOL_OK) {
            s = NULL;
            nap();
            continue;
        }
        rc = append(s, ++value, 1, 200, &seq);
        if (rc == SPOOL_OK) {
            memcpy(sh->note[me][n].id, spool_id(s), SPOOL_ID_LEN + 1);
            sh->note[me][n].seq = seq;
            sh->note[me][n].value = value;
            atomic_store(&sh->notes[me], ++n);
        } else if (rc == SPOOL_IO || rc == SPOOL_CORRUPT) {
            spool_close(&s);
        } else {
            return 1;
        }
        nap(); /* so that there are notes left when the parent comes to run */
    }
    return 0;
}

/* Each note of that spool is in it; how many there are. */
static unsigned find_notes(const shared_t *sh, spool_t *s)
{
    unsigned n = 0;

    for (unsigned w = 0; w < WRITERS; w++) {
        for (unsigned i = 0; i < sh->notes[w]; i++) {
            spool_batch_t b;

            if (strcmp(sh->note[w][i].id, spool_id(s)) != 0) {
                continue;
            }
            n++;
            assert_int_equal(spool_read(s, sh->note[w][i].seq - 1, 1, 1, &b),
                             SPOOL_OK);
            assert_true(b.items[0].seq == sh->note[w][i].seq);
            assert_true(test_record_get(b.items[0].data) ==
                        sh->note[w][i].value);
            spool_batch_free(&b);
        }
    }
    return n;
}

static void open_copy(void *ctx, const char *name, uint64_t bytes)
{
    (void)bytes;
    snprintf(ctx, SPOOL_ASIDE_LEN + 1, "%s", name);
}

static void wait_for_notes(const shared_t *sh, unsigned more)
{
    unsigned from[WRITERS];

    for (int w = 0; w < WRITERS; w++) {
        from[w] = sh->notes[w];
    }
    for (int w = 0; w < WRITERS; w++) {
        for (int i = 0; i < 10000 && sh->notes[w] < from[w] + more; i++) {
            nap();
        }
        assert_true(sh->notes[w] >= from[w] + more);
    }
}

/* The set-aside one with its first bytes back: an old spool, that opens. */
static unsigned notes_aside(const shared_t *sh, char kept[2][8])
{
    char name[SPOOL_ASIDE_LEN + 1] = "";
    char path[sizeof(name) + 16];
    spool_options_t opt = {0};
    unsigned n;
    spool_t *s;

    assert_int_equal(spool_aside_walk(dir.spool, open_copy, name), 1);
    snprintf(path, sizeof(path), "%s/data.mdb", name);
    heal(path, kept);
    assert_int_equal(spool_open(&s, in_spool(name), &opt), SPOOL_OK);
    n = find_notes(sh, s);
    spool_close(&s);
    snprintf(path, sizeof(path), "%s/open.lock", name);
    unlink(in_spool(path));
    snprintf(path, sizeof(path), "%s/write.lock", name);
    unlink(in_spool(path));
    return n;
}

static void test_writers(void **state)
{
    shared_t *sh = share();
    pid_t pid[WRITERS];
    unsigned in_old;
    unsigned in_new;
    unsigned all = 0;
    spool_options_t opt;
    char kept[2][8];
    spool_t *s;

    (void)state;
    for (unsigned i = 0; i < WRITERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            _exit(write_on(sh, i));
        }
    }
    wait_for_notes(sh, 10);
    harm("data.mdb", kept);
    wait_for_notes(sh, 2); /* they have not noticed */
    assert_int_equal(open_anew(&s, &opt), SPOOL_OK);
    assert_string_not_equal(opt.aside, "");
    wait_for_notes(sh, 10);
    atomic_store(&sh->stop, true);
    for (int i = 0; i < WRITERS; i++) {
        int status;

        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_int_equal(status, 0);
        all += sh->notes[i];
    }
    in_new = find_notes(sh, s);
    spool_close(&s);
    in_old = notes_aside(sh, kept);
    assert_true(in_old >= WRITERS * 12 && in_new >= WRITERS);
    assert_int_equal(in_old + in_new, all);
    munmap(sh, sizeof(*sh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ASIDE(test_old_handle), TEST_ASIDE(test_by_hand),
        TEST_ASIDE(test_again),      TEST_ASIDE(test_revoked),
        TEST_ASIDE(test_middle),     TEST_ASIDE(test_openers),
        TEST_ASIDE(test_writers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
