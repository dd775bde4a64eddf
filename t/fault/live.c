/*
 * live.c - faults that a test arms and disarms in a running program, for
 * LD_PRELOAD: its system calls on files, and its memory.
 *
 *   WACRM_FAULT_CONTROL   a file with a fault_t (Wacrm::Fault writes it)
 *
 * Not below AddressSanitizer, which has a malloc() of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "real.h"

enum {
    ON_PWRITE = 1, /* and pwritev, writev */
    ON_SYNC = 2,   /* fdatasync, fsync */
    ON_WRITE = 4,
    ON_MALLOC = 8, /* and calloc, realloc */
    ON_OPEN = 16,  /* to write or to make it; and ftruncate */
};

typedef struct {
    _Atomic int32_t calls; /* ON_ bits; 0: disarmed */
    _Atomic int32_t skip;  /* calls that go well first */
    _Atomic int32_t run;   /* and how many fail then */
    _Atomic int32_t hits;  /* that have failed, in all processes */
    int32_t err; /* errno; < 0: it is late by so many ms, and goes well */
    /* how the path ends; with a * at its end: how its last part begins; "": any
     * file */
    char file[108];
} fault_t;

static fault_t *control;
static _Thread_local bool looking; /* what ends_so() needs must not fail */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("WACRM_FAULT_CONTROL");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map;

    if (fd < 0) {
        return;
    }
    map =
        mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) {
        control = map;
    }
    close(fd);
}

static bool is_meant(const char *path, const char *want)
{
    const char *last = strrchr(path, '/');
    size_t n = strlen(path), wlen = strlen(want);

    if (wlen > 0 && want[wlen - 1] == '*') {
        return strncmp(last != NULL ? last + 1 : path, want, wlen - 1) == 0;
    }
    return n >= wlen && strcmp(path + n - wlen, want) == 0;
}

static bool is_open_as(int fd, const char *want)
{
    char link[32];
    char path[512];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    return is_meant(path, want);
}

/* Whether this one has to fail; errno is set then. fd -1: what has the path;
 * NULL: memory. */
static bool fails_at(int call, int fd, const char *path)
{
    bool ours;

    if (control == NULL || looking || !(atomic_load(&control->calls) & call)) {
        return false;
    }
    looking = true;
    ours = control->file[0] == '\0' ||
           (fd >= 0 ? is_open_as(fd, control->file)
                    : path == NULL || is_meant(path, control->file));
    looking = false;
    if (!ours || atomic_fetch_sub(&control->skip, 1) > 0 ||
        atomic_fetch_sub(&control->run, 1) <= 0) {
        return false;
    }
    atomic_fetch_add(&control->hits, 1);
    if (control->err < 0) {
        usleep((useconds_t)-control->err * 1000);
        return false;
    }
    errno = control->err;
    return true;
}

static bool fails(int call, int fd)
{
    return fails_at(call, fd, NULL);
}

/* ---- files ---- */

ssize_t pwrite(int fd, const void *buf, size_t len, off_t at)
{
    ssize_t (*next)(int, const void *, size_t, off_t);

    *(void **)&next = real("pwrite");
    return fails(ON_PWRITE, fd) ? -1 : next(fd, buf, len, at);
}

/* As SQLite calls it. */
ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
    ssize_t (*next)(int, const void *, size_t, off64_t);

    *(void **)&next = real("pwrite64");
    return fails(ON_PWRITE, fd) ? -1 : next(fd, buf, len, at);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    ssize_t (*next)(int, const struct iovec *, int, off_t);

    *(void **)&next = real("pwritev");
    return fails(ON_PWRITE, fd) ? -1 : next(fd, iov, n, at);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t (*next)(int, const struct iovec *, int);

    *(void **)&next = real("writev");
    return fails(ON_PWRITE, fd) ? -1 : next(fd, iov, n);
}

ssize_t write(int fd, const void *buf, size_t len)
{
    ssize_t (*next)(int, const void *, size_t);

    *(void **)&next = real("write");
    return fails(ON_WRITE, fd) ? -1 : next(fd, buf, len);
}

int fdatasync(int fd)
{
    int (*next)(int);

    *(void **)&next = real("fdatasync");
    return fails(ON_SYNC, fd) ? -1 : next(fd);
}

int fsync(int fd)
{
    int (*next)(int);

    *(void **)&next = real("fsync");
    return fails(ON_SYNC, fd) ? -1 : next(fd);
}

static bool opens_to_write(const char *path, int flags)
{
    return (flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0 &&
           fails_at(ON_OPEN, -1, path);
}

/* As SQLite calls it. */
int open64(const char *path, int flags, ...)
{
    int (*next)(const char *, int, ...);
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
        mode = va_arg(args, mode_t);
    }
    va_end(args);
    *(void **)&next = real("open64");
    return opens_to_write(path, flags) ? -1 : next(path, flags, mode);
}

int ftruncate64(int fd, off64_t size)
{
    int (*next)(int, off64_t);

    *(void **)&next = real("ftruncate64");
    return fails(ON_OPEN, fd) ? -1 : next(fd, size);
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return fails(ON_MALLOC, -1) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails(ON_MALLOC, -1) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return fails(ON_MALLOC, -1) ? NULL : __libc_realloc(old, size);
}
