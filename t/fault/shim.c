/*
 * shim.c - makes one system call fail, for LD_PRELOAD.
 *
 *   WACRM_FAULT_CALL   pwrite, pwritev, writev, fdatasync, fsync, msync, or
 *                      meta: a pwrite of LMDB's meta page (below 8192)
 *   WACRM_FAULT_NTH    the one that fails, from 1; 0 = none
 *   WACRM_FAULT_ERRNO  EIO (default), ENOSPC or EINTR
 *   WACRM_FAULT_FILE   only on descriptors whose path ends so (default
 *                      data.mdb)
 *   WACRM_FAULT_STICKY if set, every later one fails, too
 *
 * wacrm_fault_count() tells a program that looks it up how many such calls
 * there were.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "real.h"

unsigned wacrm_fault_count(void);

static atomic_uint count;

unsigned wacrm_fault_count(void)
{
    return atomic_load(&count);
}

static bool of_file(int fd)
{
    const char *want = getenv("WACRM_FAULT_FILE");
    char link[32];
    char path[512];
    size_t wlen;
    ssize_t n;

    want = want != NULL ? want : "data.mdb";
    wlen = strlen(want);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path));
    return n >= (ssize_t)wlen && memcmp(path + n - wlen, want, wlen) == 0;
}

static int wanted_errno(void)
{
    const char *err = getenv("WACRM_FAULT_ERRNO");

    if (err == NULL || strcmp(err, "EIO") == 0) {
        return EIO;
    }
    if (strcmp(err, "ENOSPC") == 0) {
        return ENOSPC;
    }
    if (strcmp(err, "EINTR") == 0) {
        return EINTR;
    }
    abort();
}

/* Whether this one has to fail; errno is set then. */
static bool fails(const char *call)
{
    const char *want = getenv("WACRM_FAULT_CALL");
    const char *nth = getenv("WACRM_FAULT_NTH");
    unsigned n;
    unsigned at;

    if (want == NULL || strcmp(want, call) != 0) {
        return false;
    }
    n = atomic_fetch_add(&count, 1) + 1;
    at = nth != NULL ? (unsigned)strtoul(nth, NULL, 10) : 0;
    if (at == 0 || n < at || (n > at && getenv("WACRM_FAULT_STICKY") == NULL)) {
        return false;
    }
    errno = wanted_errno();
    return true;
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t);

    if (of_file(fd) &&
        ((at < 8192 && len < 4096 && fails("meta")) || fails("pwrite"))) {
        return -1;
    }
    *(void **)&next = real("pwrite");
    return next(fd, buf, len, at);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t (*next)(int, const struct iovec *, int);

    if (of_file(fd) && fails("writev")) {
        return -1;
    }
    *(void **)&next = real("writev");
    return next(fd, iov, n);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    ssize_t (*next)(int, const struct iovec *, int, off_t);

    if (of_file(fd) && fails("pwritev")) {
        return -1;
    }
    *(void **)&next = real("pwritev");
    return next(fd, iov, n, at);
}

int fdatasync(int fd)
{
    int (*next)(int);

    if (of_file(fd) && fails("fdatasync")) {
        return -1;
    }
    *(void **)&next = real("fdatasync");
    return next(fd);
}

int fsync(int fd)
{
    int (*next)(int);

    if (of_file(fd) && fails("fsync")) {
        return -1;
    }
    *(void **)&next = real("fsync");
    return next(fd);
}

int msync(void *addr, size_t len, int flags)
{
    int (*next)(void *, size_t, int);

    if (fails("msync")) {
        return -1;
    }
    *(void **)&next = real("msync");
    return next(addr, len, flags);
}
