#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY (4u << 20)

static volatile sig_atomic_t signals;

static void on_alarm(int signo)
{
    (void)signo;
    signals++;
}

/* A child's: 0 if all came as it was sent. */
static int take_all(int fd)
{
    unsigned char piece[4096];
    size_t got = 0;
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < n; i++, got++) {
            if (piece[i] != (unsigned char)(got % 251)) {
                return 1;
            }
        }
        (void)usleep(100);
    }
    return got == MANY ? 0 : 2;
}

/* A signal ends a write early, or before its first byte. */
static void interrupted(void **state)
{
    const struct itimerval often = {{0, 2000}, {0, 2000}}, never = {0};
    struct sigaction action = {.sa_handler = on_alarm}, before;
    unsigned char *data = malloc(MANY);
    int fds[2], status;
    pid_t pid;

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < MANY; i++) {
        data[i] = (unsigned char)(i % 251);
    }
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[1]);
        _exit(take_all(fds[0]));
    }
    (void)close(fds[0]);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    assert_true(io_write_all(fds[1], data, MANY));
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    (void)close(fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    assert_int_equal(status, 0);
    assert_true(signals > 0);
    free(data);
}

static void full(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_true(io_write_all(fd, "", 0));
    assert_false(io_write_all(fd, "x", 1));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(close(fd), 0);
    assert_false(io_write_all(fd, "x", 1));
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interrupted),
        cmocka_unit_test(full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
