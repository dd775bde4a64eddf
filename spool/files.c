/* syncfs() */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "spool/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define DIR_MODE     02770
#define FILE_MODE    0660
#define LOCK_TRIES   500
#define LOCK_WAIT_NS 10000000 /* 10 ms: five seconds in all */

/* f_type as statfs(2) lists it. */
bool spool_fs_refused(long type)
{
    static const uint32_t remote[] = {
        0x00006969, /* nfs */
        0x0000517b, /* smb */
        0xff534d42, /* cifs */
        0xfe534d42, /* smb2 */
        0x01021997, /* 9p */
        0x65735546, /* fuse: sshfs, glusterfs and others */
        0x00c36400, /* ceph */
        0x5346414f, /* afs */
        0x6b414653, /* kafs */
        0x73757245, /* coda */
        0x0000564c, /* ncp */
        0x0bd00bd0, /* lustre */
        0x01161970, /* gfs2 */
        0x7461636f, /* ocfs2 */
        0x47504653, /* gpfs */
        0x786f4256, /* vboxsf */
    };

    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if ((uint32_t)type == remote[i]) {
            return true;
        }
    }
    return false;
}

static int fail(spool_options_t *opt, int rc, const char *path,
                const char *what, int err)
{
    snprintf(opt->error, sizeof(opt->error), "%.150s: %s%s%s", path, what,
             err != 0 ? ": " : "", err != 0 ? strerror(err) : "");
    return rc;
}

int spool_errno_code(int err)
{
    switch (err) {
    case ENOMEM:
        return SPOOL_NOMEM;
    case EIO:
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
        return SPOOL_IO;
    case EAGAIN:
    case EBUSY:
        return SPOOL_BUSY;
    default:
        return SPOOL_INVAL;
    }
}

int spool_dir_sync_parent(const spool_dir_t *dir)
{
    char *parent = strdup(dir->path);
    char *slash;
    int rc = SPOOL_OK;
    int fd;

    if (parent == NULL) {
        return SPOOL_NOMEM;
    }
    slash = strrchr(parent, '/');
    slash[slash == parent ? 1 : 0] = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(parent);
    if (fd < 0) {
        return errno == EACCES && syncfs(dir->fd) == 0
                   ? SPOOL_OK
                   : spool_errno_code(errno);
    }
    if (fsync(fd) != 0) {
        rc = spool_errno_code(errno);
    }
    close(fd);
    return rc;
}

static bool is_empty(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    bool empty = d != NULL;

    while (empty && (e = readdir(d)) != NULL) {
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    }
    if (d != NULL) {
        closedir(d);
    }
    return empty;
}

/* As mkdir() leaves it, so that only its owner comes in, who was killed before
 * he gave it its mode. One that holds anything is another's. */
static bool is_half_made(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & 01777) == 0700 &&
           is_empty(path);
}

static int set_mode(const char *path, spool_options_t *opt)
{
    return chmod(path, DIR_MODE) == 0
               ? SPOOL_OK
               : fail(opt, SPOOL_INVAL, path, "cannot set its mode", errno);
}

static int make_dir(const char *path, spool_options_t *opt)
{
    if (mkdir(path, 0700) == 0) {
        return set_mode(path, opt);
    }
    if (errno != EEXIST) {
        return fail(opt, spool_errno_code(errno), path,
                    "cannot make the directory", errno);
    }
    return is_half_made(path) ? set_mode(path, opt) : SPOOL_OK;
}

int spool_dir_open(spool_dir_t *dir, const char *path, spool_options_t *opt)
{
    struct statfs fs;
    struct stat st;
    int rc;

    memset(dir, 0, sizeof(*dir));
    dir->fd = -1;
    if (path == NULL || path[0] != '/') {
        return fail(opt, SPOOL_INVAL, path != NULL ? path : "(none)",
                    "not an absolute path", 0);
    }
    rc = opt->create ? make_dir(path, opt) : SPOOL_OK;
    if (rc != SPOOL_OK) {
        return rc;
    }
    dir->path = realpath(path, NULL);
    if (dir->path == NULL) {
        return fail(opt, spool_errno_code(errno), path, "no such directory",
                    errno);
    }
    dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0 || fstat(dir->fd, &st) != 0 || fstatfs(dir->fd, &fs) != 0) {
        return fail(opt, spool_errno_code(errno), path, "cannot be opened",
                    errno);
    }
    if (spool_fs_refused((long)fs.f_type)) {
        return fail(opt, SPOOL_INVAL, path,
                    "on a network or FUSE file system, where LMDB's locks "
                    "do not hold",
                    0);
    }
    dir->dev = st.st_dev;
    dir->ino = st.st_ino;
    return SPOOL_OK;
}

void spool_dir_close(spool_dir_t *dir)
{
    if (dir->fd >= 0) {
        close(dir->fd);
    }
    free(dir->path);
    dir->fd = -1;
    dir->path = NULL;
}

/* The file is chmod'ed before it gets its name, else another user's process
 * could meet it while the umask still keeps that user out. */
static int make_lock(const spool_dir_t *dir, const char *lock)
{
    char name[40];
    int err = 0;
    int fd;

    snprintf(name, sizeof(name), "%s.%ld", lock, (long)getpid());
    fd = openat(dir->fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    if (fchmod(fd, FILE_MODE) != 0 ||
        (linkat(dir->fd, name, dir->fd, lock, 0) != 0 && errno != EEXIST)) {
        err = errno;
    }
    unlinkat(dir->fd, name, 0);
    close(fd);
    return err;
}

/* The descriptor of a file that is there for its lock, made if it is not; or a
 * code < 0. */
static int lock_file(const spool_dir_t *dir, const char *lock, char *error,
                     size_t size)
{
    int err = 0;
    int fd;

    fd = openat(dir->fd, lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        err = make_lock(dir, lock);
        fd = openat(dir->fd, lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0) {
        err = err != 0 ? err : errno;
        snprintf(error, size, "%.150s/%s: %s", dir->path, lock, strerror(err));
        return spool_errno_code(err);
    }
    return fd;
}

static void nap(long ns)
{
    struct timespec ts = {0, ns};

    nanosleep(&ts, NULL);
}

int spool_lock_open(const spool_dir_t *dir, char *error, size_t size)
{
    int fd = lock_file(dir, "open.lock", error, size);

    if (fd < 0) {
        return fd;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return fd;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            break;
        }
        nap(LOCK_WAIT_NS);
    }
    snprintf(error, size, "%.150s/open.lock: held by another process",
             dir->path);
    close(fd);
    return SPOOL_BUSY;
}

int spool_writer_open(spool_t *s, char *error, size_t size)
{
    int fd = lock_file(&s->dir, "write.lock", error, size);

    if (fd < 0) {
        return fd;
    }
    s->writer_fd = fd;
    return SPOOL_OK;
}

int spool_writer_enter(spool_t *s)
{
    int rc;

    /* of one process, all threads share one lock of the file */
    if (pthread_mutex_lock(&s->writer_lock) != 0) {
        return SPOOL_BUSY;
    }
    do {
        rc = flock(s->writer_fd, LOCK_EX);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        pthread_mutex_unlock(&s->writer_lock);
        return SPOOL_BUSY;
    }
    return SPOOL_OK;
}

void spool_writer_leave(spool_t *s)
{
    (void)flock(s->writer_fd, LOCK_UN);
    pthread_mutex_unlock(&s->writer_lock);
}

/*
 * By name, because a descriptor of lock.mdb that is closed again would drop
 * the fcntl locks by which LMDB knows who is alive. Only the owner can; for
 * others the modes were set by the one who made the files.
 */
static int settle(const spool_dir_t *dir, const char *name)
{
    struct stat st;

    if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return -1;
    }
    if ((st.st_mode & 07777) == FILE_MODE || st.st_uid != geteuid()) {
        return 0;
    }
    return S_ISREG(st.st_mode) ? fchmodat(dir->fd, name, FILE_MODE, 0) : -1;
}

int spool_files_settle(const spool_dir_t *dir)
{
    if (settle(dir, "data.mdb") != 0 || settle(dir, "lock.mdb") != 0) {
        return spool_errno_code(errno);
    }
    /* LMDB syncs its file, but not the name of it. Whoever made the file may
     * have died before he came here. */
    if (fsync(dir->fd) != 0) {
        return spool_errno_code(errno);
    }
    return SPOOL_OK;
}

int spool_same_data(const spool_t *s)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s/data.mdb", s->dir.path);

    if (n < 0 || (size_t)n >= sizeof(path)) {
        return -1;
    }
    if (stat(path, &st) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    }
    return st.st_dev == s->data_dev && st.st_ino == s->data_ino;
}
