/* spool: several processes on one; killed ones, readers, a larger map. */
#include "spool_fixture.h"

#include <grp.h>
#include <sys/wait.h>

#include "spool/internal.h"

/* Runs fn in a child; its exit status. */
static int in_child(int (*fn)(int), int arg)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(fn(arg));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static spool_t *child_open(void)
{
    spool_options_t opt = {.size = 8 * MIB, .create = true};
    spool_t *s;

    return spool_open(&s, dir.spool, &opt) == SPOOL_OK ? s : NULL;
}

static int child_append(int n)
{
    spool_t *s = child_open();
    char buf[100];
    spool_str_t rec = {buf, sizeof(buf)};
    int rc = SPOOL_OK;

    if (s == NULL) {
        return 1;
    }
    for (int i = 0; i < n && rc == SPOOL_OK; i++) {
        memset(buf, 'c', sizeof(buf));
        rc = spool_append(s, &rec, 1, NULL);
    }
    spool_close(&s);
    return rc == SPOOL_OK ? 0 : 2;
}

static spool_t *inherited;

static int child_inherits(int arg)
{
    spool_t *old = inherited;
    spool_stat_t st;
    spool_t *s;

    (void)arg;
    if (spool_stat(old, &st) != SPOOL_INVAL ||
        spool_revoked(old, str("a"), str("b"), 0) != SPOOL_INVAL) {
        return 3;
    }
    spool_close(&old);
    s = child_open();
    if (s == NULL || s == inherited) {
        return 4;
    }
    spool_close(&s);
    return child_append(2);
}

static void test_fork(void **state)
{
    spool_t *s;

    (void)state;
    assert_int_equal(in_child(child_append, 3), 0); /* nothing open here */
    s = open_sized(8 * MIB);
    assert_true(append(s, 1, 1, 50, NULL) == SPOOL_OK);
    inherited = s; /* forbidden, but it does no harm */
    assert_int_equal(in_child(child_inherits, 0), 0);
    assert_int_equal(append(s, 1, 1, 50, NULL), SPOOL_OK);
    assert_int_equal(spool_delete(s, 6), SPOOL_OK);
    spool_close(&s);
    s = open_sized(8 * MIB);
    assert_true(check_all(s, 6, -6) == 7);
    spool_close(&s);
}

/* Another user of the directory's group: nginx's worker and wacrmd. */
static int child_other_user(int gid)
{
    gid_t group = (gid_t)gid;

    umask(077);
    if (setgroups(1, &group) != 0 || setgid(65534) != 0 || setuid(65534) != 0) {
        return 9;
    }
    return child_append(3);
}

static void test_two_users(void **state)
{
    const int group = 54321;
    char path[220];
    struct stat st;
    spool_t *s;

    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(dir.base, 0711), 0);
    assert_int_equal(mkdir(dir.spool, 0770), 0);
    assert_int_equal(chown(dir.spool, 0, (gid_t)group), 0);
    assert_int_equal(chmod(dir.spool, 02770), 0);
    /* Made by the other one, under its umask; then both go on. */
    assert_int_equal(in_child(child_other_user, group), 0);
    snprintf(path, sizeof(path), "%s/lock.mdb", dir.spool);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_gid, group);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(mode_of("lock.mdb"), 0660);
    s = open_sized(8 * MIB);
    assert_int_equal(append(s, 4, 1, 100, NULL), SPOOL_OK);
    assert_int_equal(in_child(child_other_user, group), 0);
    assert_int_equal(spool_delete(s, 6), SPOOL_OK);
    assert_int_equal(append(s, 8, 1, 100, NULL), SPOOL_OK);
    assert_true(check_all(s, 7, 0) == 8);
    spool_close(&s);
}

/* Two processes append while this one drains: no gap, nothing twice. */
static void test_two_processes(void **state)
{
    spool_t *s;
    spool_batch_t b;
    uint64_t last = 0;
    int status;
    pid_t pids[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            _exit(child_append(100));
        }
    }
    s = open_sized(8 * MIB);
    while (last < 200) {
        if (spool_read(s, last, 7, 10000, &b) == SPOOL_OK) {
            assert_true(b.items[0].seq == last + 1);
            last = b.items[b.n - 1].seq;
            assert_true(b.items[0].seq + b.n - 1 == last);
            spool_batch_free(&b);
            assert_int_equal(spool_delete(s, last), SPOOL_OK);
        } else {
            usleep(500);
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    spool_close(&s);
}

/* Appends batches and tells the pipe the first sequence of each, when it has
 * been acknowledged. Ends by a signal. */
static void append_forever(int out, uint64_t round)
{
    spool_t *s = child_open();
    char buf[BATCH][700];
    spool_str_t recs[BATCH];
    uint64_t first;

    for (uint64_t n = 0; s != NULL; n++) {
        size_t count = 1 + n % BATCH;

        for (size_t i = 0; i < count; i++) {
            test_record_put(buf[i], sizeof(buf[i]), round);
            recs[i] = (spool_str_t){buf[i], 60 + (n * 37 + i) % 600};
        }
        if (spool_append(s, recs, count, &first) != SPOOL_OK) {
            break;
        }
        first = first << 8 | count;
        if (write(out, &first, sizeof(first)) != sizeof(first)) {
            break;
        }
    }
    _exit(1);
}

/* The number of records a round has in the spool, without a gap. */
static uint64_t count_round(spool_t *s, uint64_t after, uint64_t round)
{
    spool_batch_t b;
    uint64_t n = 0;

    while (spool_read(s, after, 1000, 1 << 20, &b) == SPOOL_OK) {
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.items[i].seq == ++after);
            assert_true(test_record_get(b.items[i].data) == round);
            n++;
        }
        spool_batch_free(&b);
    }
    return n;
}

static void test_kill(void **state)
{
    uint64_t done = 0;
    uint64_t acknowledged = 0;

    (void)state;
    for (uint64_t round = 1; round <= 50; round++) {
        struct timespec nap = {0, 3000000 + (long)(round * 7919 % 23) * 700000};
        uint64_t last = done;
        uint64_t note;
        uint64_t n;
        spool_t *s;
        int fds[2];
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            append_forever(fds[1], round);
        }
        close(fds[1]);
        /* From the first acknowledgement on, it dies at any moment. */
        assert_int_equal(read(fds[0], &note, sizeof(note)), sizeof(note));
        assert_true(note >> 8 == last + 1);
        last += note & 255;
        nanosleep(&nap, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(fds[0], &note, sizeof(note)) == sizeof(note)) {
            assert_true(note >> 8 == last + 1);
            last += note & 255;
        }
        close(fds[0]);
        assert_int_equal(waitpid(pid, NULL, 0), pid);

        s = open_sized(8 * MIB);
        n = count_round(s, done, round);
        /* All that were acknowledged, and at most one batch more. */
        assert_in_range(done + n, last, last + BATCH);
        acknowledged += last - done;
        done += n;
        assert_int_equal(spool_delete(s, done), SPOOL_OK);
        spool_close(&s);
    }
    assert_true(acknowledged > 100);
}

/* A child that has begun a transaction, and waits in it to be killed. */
static pid_t child_in_txn(unsigned flags)
{
    spool_t *s;
    MDB_txn *txn;
    char go;
    int fds[2];
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        s = child_open();
        if (s == NULL || spool_txn_begin(s, flags, &txn) != SPOOL_OK ||
            write(fds[1], "x", 1) != 1) {
            _exit(1);
        }
        pause();
        _exit(1);
    }
    close(fds[1]); /* a child that ends early ends the wait, too */
    assert_int_equal(read(fds[0], &go, 1), 1);
    close(fds[0]);
    return pid;
}

/* Killed while it holds the writers' mutex: the next writer takes it over. */
static void test_kill_in_write(void **state)
{
    spool_t *s;
    pid_t pid;

    (void)state;
    s = open_sized(MIB);
    pid = child_in_txn(0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(append(s, 1, 2, 100, NULL), SPOOL_OK);
    assert_true(check_all(s, 0, 0) == 2);
    spool_close(&s);
}

static void test_dead_reader(void **state)
{
    spool_stat_t st;
    spool_t *s;
    pid_t pid;

    (void)state;
    s = open_sized(MIB);
    pid = child_in_txn(MDB_RDONLY);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.readers, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(spool_reader_check(s), 1);
    assert_int_equal(spool_reader_check(s), 0);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_int_equal(st.readers, 0);
    spool_close(&s);
}

/* The slots of a dead process are taken back when the last one is asked for;
 * with living readers in all of them the answer is SPOOL_BUSY. */
static void test_readers_full(void **state)
{
    enum { SLOTS = 512 };
    MDB_txn *txns[SLOTS];
    spool_t *s;
    int status;
    size_t n;
    pid_t pid;

    (void)state;
    s = open_sized(MIB);
    assert_int_equal(spool_revoke(s, NULL, 0), SPOOL_OK);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        spool_t *mine = child_open();
        MDB_txn *txn;

        for (n = 0; mine != NULL && n < SLOTS; n++) {
            if (spool_txn_begin(mine, MDB_RDONLY, &txn) != SPOOL_OK) {
                break;
            }
        }
        _exit(n == SLOTS ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (n = 0; n < SLOTS; n++) {
        assert_int_equal(spool_txn_begin(s, MDB_RDONLY, &txns[n]), SPOOL_OK);
    }
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), SPOOL_BUSY);
    while (n-- > 0) {
        spool_txn_abort(s, &txns[n]);
    }
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), 0);
    spool_close(&s);
}

static int child_grow(int arg)
{
    spool_options_t opt = {.size = 16 * MIB};
    spool_t *s;
    int rc;

    (void)arg;
    if (spool_open(&s, dir.spool, &opt) != SPOOL_OK) {
        return 1;
    }
    do {
        char buf[60000];
        spool_str_t rec = {buf, sizeof(buf)};

        memset(buf, 'g', sizeof(buf));
        rc = spool_append(s, &rec, 1, NULL);
    } while (rc == SPOOL_OK);
    spool_close(&s);
    return rc == SPOOL_FULL ? 0 : 2;
}

/* Another process opened it larger, and filled it beyond our map. */
static void test_map_resized(void **state)
{
    spool_t *s = open_sized(MIB);
    spool_stat_t st;

    (void)state;
    assert_int_equal(spool_revoke(s, NULL, 0), SPOOL_OK);
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), 0);
    assert_int_equal(in_child(child_grow, 0), 0);
    assert_int_equal(spool_revoked(s, str("a"), str("b"), 1), 0);
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.size == 16 * MIB);
    assert_true(st.records > 200);
    assert_int_equal(append(s, 1, 1, 60000, NULL), SPOOL_FULL);
    assert_int_equal(spool_delete(s, UINT64_MAX), SPOOL_OK);
    assert_int_equal(append(s, 1, 1, 60000, NULL), SPOOL_OK);
    spool_close(&s);
    s = open_sized(0); /* 0: what it has */
    assert_int_equal(spool_stat(s, &st), SPOOL_OK);
    assert_true(st.size == 16 * MIB);
    spool_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fork),          TEST(test_two_users),
        TEST(test_two_processes), TEST(test_kill),
        TEST(test_kill_in_write), TEST(test_dead_reader),
        TEST(test_readers_full),  TEST(test_map_resized),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
