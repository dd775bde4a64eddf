/*
 * A process that waits to write is killed: those behind it are not forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "spool/internal.h"
#include "t/unit/spool_dir.h"

#define ROUNDS     10
#define PATIENCE_S 60 /* one of them is SCHED_IDLE */
#define SETTLED    3  /* looks at a process that sleeps */

static test_dir_t dir;

typedef struct {
    pid_t pid;
    int go; /* write: append */
} child_t;

static int setup(void **state)
{
    (void)state;
    return test_dir_make(&dir);
}

static int teardown(void **state)
{
    (void)state;
    test_dir_drop(&dir);
    return 0;
}

static spool_t *open_spool(void)
{
    spool_options_t opt = {.size = 1 << 20, .create = true};
    spool_t *s;

    return spool_open(&s, dir.spool, &opt) == SPOOL_OK ? s : NULL;
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 10000000}, NULL);
}

/* The nth of the processors that there are; n counts round. */
static void pin(int n)
{
    cpu_set_t all;
    cpu_set_t one;

    if (sched_getaffinity(0, sizeof(all), &all) != 0) {
        return;
    }
    n %= CPU_COUNT(&all);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all) && n-- == 0) {
            CPU_ZERO(&one);
            CPU_SET(i, &one);
            (void)sched_setaffinity(0, sizeof(one), &one);
            return;
        }
    }
}

static int append_one(spool_t *s)
{
    char buf[16];
    spool_str_t rec = {buf, sizeof(buf)};

    test_record_put(buf, sizeof(buf), 1);
    return spool_append(s, &rec, 1, NULL);
}

/* In a child: it does not outlive the test. */
static void follow(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(1);
    }
}

/* A process that opens the spool, and appends when it is told to. */
static child_t start_child(int cpu, int policy)
{
    struct sched_param param = {0};
    int ready[2];
    int go[2];
    pid_t parent = getpid();
    child_t c;
    char byte;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        spool_t *s;

        follow(parent);
        s = open_spool();
        close(go[1]);
        pin(cpu);
        (void)sched_setscheduler(0, policy, &param);
        if (s == NULL || write(ready[1], "x", 1) != 1 ||
            read(go[0], &byte, 1) != 1) {
            _exit(1);
        }
        _exit(append_one(s) != SPOOL_OK);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    c.go = go[1];
    return c;
}

static pid_t start_busy(int cpu)
{
    pid_t parent = getpid(), pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        follow(parent);
        pin(cpu);
        for (volatile unsigned turns = 0;; turns++) {
        }
    }
    return pid;
}

static bool asleep(pid_t pid)
{
    char path[40];
    char state = '?';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    f = fopen(path, "r");
    if (f != NULL) {
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1) {
            state = '?';
        }
        fclose(f);
    }
    return state == 'S';
}

/* Lets it append, which has to wait: until it sleeps. */
static void set_waiting(child_t *c)
{
    int seen = 0;

    assert_int_equal(write(c->go, "x", 1), 1);
    for (int i = 0; i < PATIENCE_S * 100 && seen < SETTLED; i++) {
        nap();
        seen = asleep(c->pid) ? seen + 1 : 0;
    }
    close(c->go);
    assert_int_equal(seen, SETTLED); /* else nobody waits for the lock */
}

/* Its exit status, or -1 if it does not end. */
static int ended(pid_t pid)
{
    int status;

    for (int i = 0; i < PATIENCE_S * 100; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return status;
        }
        nap();
    }
    kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return -1;
}

/*
 * The lock is given to the one that has waited longest, which is killed before
 * it gets a processor; meanwhile it is taken by the one that has just had it.
 */
static int killed_before_it_runs(void)
{
    child_t first = start_child(0, SCHED_IDLE);
    child_t second = start_child(1, SCHED_OTHER);
    spool_t *s = open_spool();
    MDB_txn *txn;
    pid_t busy;
    int status;

    assert_non_null(s);
    assert_int_equal(spool_txn_begin(s, 0, &txn), SPOOL_OK);
    set_waiting(&first);
    set_waiting(&second);
    busy = start_busy(0);
    spool_txn_abort(s, &txn);
    assert_int_equal(spool_txn_begin(s, 0, &txn), SPOOL_OK);
    kill(first.pid, SIGKILL);
    kill(busy, SIGKILL);
    assert_int_equal(waitpid(first.pid, NULL, 0), first.pid);
    assert_int_equal(waitpid(busy, NULL, 0), busy);
    spool_txn_abort(s, &txn);
    status = ended(second.pid);
    spool_close(&s);
    return status;
}

static void test_waiter_killed(void **state)
{
    cpu_set_t all;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    pin(1);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(killed_before_it_runs(), 0);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waiter_killed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
