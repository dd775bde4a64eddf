/*
 * clock.c - another time of day for one process, for LD_PRELOAD.
 *
 *   WACRM_CLOCK_FILE   nine 64-bit words, which a test may change at any
 *                      moment (Wacrm::Fault does):
 *                      0     which of the two states counts: 0 or 1
 *                      1..4  a state: what the calendar is ahead by (ns), how
 *                            fast both clocks run (1 = as always), since when
 *                            (CLOCK_MONOTONIC, ns), and what both have gained
 *                            before that (ns)
 *                      5..8  the other one
 *
 * The calendar alone jumps; a speed above 1 makes hours pass for both clocks,
 * and whoever sleeps sleeps that much less.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "real.h"

#define S  INT64_C(1000000000)
#define MS INT64_C(1000000)

typedef struct {
    int64_t ahead, speed, since, gained;
} state_t;

typedef struct {
    _Atomic int64_t which;
    state_t state[2];
} file_t;

static const file_t *file;
static int (*next_clock)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("WACRM_CLOCK_FILE");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0) {
        return;
    }
    map = mmap(NULL, sizeof(*file), PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) {
        file = map;
    }
    close(fd);
}

static int64_t as_ns(const struct timespec *ts)
{
    return (int64_t)ts->tv_sec * S + ts->tv_nsec;
}

static struct timespec as_timespec(int64_t ns)
{
    return (struct timespec){ns / S, ns % S};
}

static int real_clock(clockid_t id, struct timespec *ts)
{
    if (next_clock == NULL) {
        *(void **)&next_clock = real("clock_gettime");
    }
    return next_clock(id, ts);
}

static const state_t *now_counts(void)
{
    return &file->state[atomic_load(&file->which) & 1];
}

static int64_t speed(void)
{
    return file != NULL ? now_counts()->speed : 1;
}

/* ns that a clock is ahead of the true one. */
static int64_t ahead(bool calendar)
{
    const state_t *s = now_counts();
    struct timespec mono;
    int64_t n = s->gained + (calendar ? s->ahead : 0);

    if (s->speed > 1 && real_clock(CLOCK_MONOTONIC, &mono) == 0) {
        n += (as_ns(&mono) - s->since) * (s->speed - 1);
    }
    return n;
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    bool calendar = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    int rc = real_clock(id, ts);

    if (rc == 0 && file != NULL &&
        (calendar || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
        *ts = as_timespec(as_ns(ts) + ahead(calendar));
    }
    return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return (time_t)-1;
    }
    if (out != NULL) {
        *out = ts.tv_sec;
    }
    return ts.tv_sec;
}

/* ---- whoever sleeps ---- */

static int shorter(int ms)
{
    int64_t by = speed();

    return ms <= 0 || by <= 1 ? ms : (int)((ms + by - 1) / by);
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
    int (*next)(struct pollfd *, nfds_t, int);

    *(void **)&next = real("poll");
    return next(fds, n, shorter(ms));
}

int epoll_wait(int fd, struct epoll_event *events, int n, int ms)
{
    int (*next)(int, struct epoll_event *, int, int);

    *(void **)&next = real("epoll_wait");
    return next(fd, events, n, shorter(ms));
}

int sigtimedwait(const sigset_t *restrict set, siginfo_t *restrict info,
                 const struct timespec *restrict timeout)
{
    int (*next)(const sigset_t *, siginfo_t *, const struct timespec *);
    struct timespec ts;

    *(void **)&next = real("sigtimedwait");
    if (timeout == NULL) {
        return next(set, info, timeout);
    }
    ts = as_timespec(as_ns(timeout) / speed());
    return next(set, info, &ts);
}

/*
 * Whose condition goes by the calendar sleeps until the calendar is there, in
 * short naps; one that goes by CLOCK_MONOTONIC until that is.
 */
static int doze(pthread_cond_t *c, pthread_mutex_t *m,
                const struct timespec *until, clockid_t id)
{
    int (*next)(pthread_cond_t *, pthread_mutex_t *, clockid_t,
                const struct timespec *);
    struct timespec now, nap;
    int64_t left;
    int rc;

    *(void **)&next = real("pthread_cond_clockwait");
    if (clock_gettime(id, &now) != 0) {
        return EINVAL;
    }
    left = as_ns(until) - as_ns(&now);
    if (left <= 0) {
        return ETIMEDOUT;
    }
    (void)real_clock(CLOCK_MONOTONIC, &nap);
    left = left / speed() < 50 * MS ? left / speed() : 50 * MS;
    nap = as_timespec(as_ns(&nap) + left);
    rc = next(c, m, CLOCK_MONOTONIC, &nap);
    return rc == ETIMEDOUT ? 0 : rc; /* for no reason: that may always be */
}

/* What pthread_condattr_setclock() has chosen lies in the condition itself. */
int pthread_cond_timedwait(pthread_cond_t *restrict c,
                           pthread_mutex_t *restrict m,
                           const struct timespec *restrict until)
{
    bool monotonic = (c->__data.__wrefs & 2) != 0;

    return doze(c, m, until, monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME);
}

int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t id,
                           const struct timespec *until)
{
    return doze(c, m, until, id);
}
