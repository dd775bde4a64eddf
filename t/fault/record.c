/*
 * record.c - writes down what a program writes and syncs, for LD_PRELOAD.
 *
 *   WACRM_RECORD_LOG  the log (t/fault/crash/log.h), appended to
 *   WACRM_RECORD_DIR  only files below this directory
 *   WACRM_RECORD_LOSE_SYNC  from this sync on, counted from 1, none is logged:
 *                           a disk that lies
 *
 * An operation is logged once it has returned: nobody counts on it before.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t/fault/crash/log.h"
#include "t/fault/real.h"

void wacrm_record_mark(const void *data, size_t len);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;
static char names[CRASH_FILES][64];
static uint32_t nnames;

static void die(const char *what)
{
    fprintf(stderr, "record: %s: %s\n", what, strerror(errno));
    abort();
}

/* Straight to the kernel: our own write() would record itself. */
static void put(const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = syscall(SYS_write, out, p, len);

        if (n <= 0) {
            die("log");
        }
        p += n;
        len -= (size_t)n;
    }
}

static void put_op(crash_kind_t kind, uint32_t file, uint64_t at,
                   const void *data, size_t len)
{
    static const char zeros[sizeof(uint64_t)];
    crash_op_t op = {kind, file, at, len};

    put(&op, sizeof(op));
    if (len > 0) {
        put(data, len);
        put(zeros, CRASH_PADDED(len) - len);
    }
}

static bool open_log(void)
{
    const char *path = getenv("WACRM_RECORD_LOG");

    if (out < 0 && path != NULL) {
        out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (out < 0) {
            die(path);
        }
    }
    return out >= 0;
}

/* The number of a descriptor's file; false: it is none of ours. */
static bool of_file(int fd, uint32_t *file)
{
    const char *dir = getenv("WACRM_RECORD_DIR");
    char link[32];
    char path[512];
    const char *base;
    ssize_t n;
    uint32_t i;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (dir == NULL || n <= 0 || !open_log()) {
        return false;
    }
    path[n] = '\0';
    if (strncmp(path, dir, strlen(dir)) != 0 || path[strlen(dir)] != '/') {
        return false;
    }
    base = path + strlen(dir) + 1;
    for (i = 0; i < nnames && strcmp(names[i], base) != 0; i++) {
        ;
    }
    if (i == nnames) {
        if (i == CRASH_FILES || strlen(base) >= sizeof(names[i])) {
            die("too many files");
        }
        snprintf(names[nnames++], sizeof(names[i]), "%s", base);
        put_op(CRASH_NAME, i, 0, base, strlen(base));
    }
    *file = i;
    return true;
}

static crash_kind_t kind_of(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_DSYNC) != 0 ? CRASH_WRITE_SYNCED
                                                : CRASH_WRITE;
}

static void wrote(int fd, const struct iovec *iov, int n, off_t at,
                  ssize_t written)
{
    uint32_t file;

    for (int i = 0; i < n && written > 0; i++) {
        size_t len =
            iov[i].iov_len < (size_t)written ? iov[i].iov_len : (size_t)written;

        if (of_file(fd, &file)) {
            put_op(kind_of(fd), file, (uint64_t)at, iov[i].iov_base, len);
        }
        at += (off_t)len;
        written -= (ssize_t)len;
    }
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t);
    struct iovec iov = {(void *)buf, len};
    ssize_t n;

    *(void **)&next = real("pwrite");
    pthread_mutex_lock(&lock);
    n = next(fd, buf, len, at);
    wrote(fd, &iov, 1, at, n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t at)
{
    return pwrite(fd, buf, len, at);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
    ssize_t (*next)(int, const struct iovec *, int, off_t);
    ssize_t n;

    *(void **)&next = real("pwritev");
    pthread_mutex_lock(&lock);
    n = next(fd, iov, count, at);
    wrote(fd, iov, count, at, n);
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    ssize_t (*next)(int, const struct iovec *, int);
    ssize_t n;

    *(void **)&next = real("writev");
    pthread_mutex_lock(&lock);
    n = next(fd, iov, count);
    if (n > 0) {
        wrote(fd, iov, count, lseek(fd, 0, SEEK_CUR) - n, n);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

ssize_t write(int fd, const void *buf, size_t len)
{
    ssize_t (*next)(int, const void *, size_t);
    struct iovec iov = {(void *)buf, len};
    ssize_t n;

    *(void **)&next = real("write");
    pthread_mutex_lock(&lock);
    n = next(fd, buf, len);
    if (n > 0) {
        wrote(fd, &iov, 1, lseek(fd, 0, SEEK_CUR) - n, n);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

int ftruncate(int fd, off_t len)
{
    int (*next)(int, off_t);
    uint32_t file;
    int rc;

    *(void **)&next = real("ftruncate");
    pthread_mutex_lock(&lock);
    rc = next(fd, len);
    if (rc == 0 && of_file(fd, &file)) {
        put_op(CRASH_TRUNCATE, file, (uint64_t)len, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int ftruncate64(int fd, off_t len)
{
    return ftruncate(fd, len);
}

static bool lost(void)
{
    static unsigned long syncs;
    const char *from = getenv("WACRM_RECORD_LOSE_SYNC");

    syncs++;
    return from != NULL && syncs >= strtoul(from, NULL, 10);
}

static int synced(const char *name, int fd)
{
    int (*next)(int);
    uint32_t file;
    int rc;

    *(void **)&next = real(name);
    pthread_mutex_lock(&lock);
    rc = next(fd);
    if (rc == 0 && of_file(fd, &file) && !lost()) {
        put_op(CRASH_SYNC, file, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int fdatasync(int fd)
{
    return synced("fdatasync", fd);
}

int fsync(int fd)
{
    return synced("fsync", fd);
}

void wacrm_record_mark(const void *data, size_t len)
{
    pthread_mutex_lock(&lock);
    if (open_log()) {
        put_op(CRASH_MARK, 0, 0, data, len);
    }
    pthread_mutex_unlock(&lock);
}
