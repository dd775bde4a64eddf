#include "spool/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "spool/pages.h"

#define PREFIX   "corrupt-"
#define DIR_MODE 02770

/* A disk that damages one spool after the other is not to be filled by it. */
#define ASIDE_MAX 16

/* Pages of each tree from either end: those that are used next. */
#define ENDS 4096

/* Seconds from a look without an answer to the next, doubled each time. */
#define LOOK_WAIT     60
#define LOOK_WAIT_MAX 960

static const char *const files[] = {"lock.mdb", "data.mdb"};

void spool_suspect(const spool_dir_t *dir)
{
    int fd = openat(dir->fd, SPOOL_SUSPECT,
                    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);

    if (fd >= 0) {
        close(fd);
    }
}

static bool is_suspect(const spool_dir_t *dir)
{
    return faccessat(dir->fd, SPOOL_SUSPECT, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int look(spool_t *s, bool all, char *error, size_t size)
{
    spool_pages_t p = {.budget = all ? 0 : ENDS};
    int fd = openat(s->dir.fd, "data.mdb", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int rc;

    if (fd < 0) {
        snprintf(error, size, "%s", strerror(errno));
        return spool_errno_code(errno);
    }
    rc = spool_pages_check(fd, &p);
    close(fd);
    if (rc == SPOOL_CORRUPT || rc == SPOOL_INVAL) {
        snprintf(error, size, "%s", p.why);
    } else if (rc != SPOOL_OK) {
        snprintf(error, size, "cannot be looked at: %s", spool_strerror(rc));
    }
    return rc;
}

int spool_examine(spool_t *s, bool all, char *error, size_t size)
{
    bool suspect = is_suspect(&s->dir);
    int rc = spool_writer_enter(s);

    if (rc != SPOOL_OK) {
        snprintf(error, size, "%s", spool_strerror(rc));
        return rc;
    }
    rc = look(s, all || suspect, error, size);
    if (rc == SPOOL_OK && suspect) {
        (void)unlinkat(s->dir.fd, SPOOL_SUSPECT, 0);
    }
    spool_writer_leave(s);
    return rc;
}

static int64_t seconds(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* A look without an answer, say at a bad sector, comes after ever longer
 * times: nobody writes while it lasts. */
static void put_off(spool_t *s, bool answered)
{
    int64_t wait = atomic_load(&s->look_wait);

    wait = answered ? 0 : wait == 0 ? LOOK_WAIT : 2 * wait;
    wait = wait > LOOK_WAIT_MAX ? LOOK_WAIT_MAX : wait;
    atomic_store(&s->look_wait, wait);
    atomic_store(&s->look_after, seconds() + wait);
}

bool spool_damaged(spool_t *s)
{
    char error[128];
    int rc;

    if (!is_suspect(&s->dir) || seconds() < atomic_load(&s->look_after) ||
        spool_same_data(s) != 1) {
        return false;
    }
    rc = spool_examine(s, true, error, sizeof(error));
    put_off(s, rc == SPOOL_OK || rc == SPOOL_CORRUPT);
    return rc == SPOOL_CORRUPT;
}

/* ---- what lies aside ---- */

bool spool_aside_name(const char *name)
{
    return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
           strlen(name) <= SPOOL_ASIDE_LEN && strchr(name, '/') == NULL;
}

static uint64_t size_of(int dir, const char *name)
{
    char path[NAME_MAX + 16];
    uint64_t bytes = 0;
    struct stat st;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", name, files[i]);
        if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            bytes += (uint64_t)st.st_size;
        }
    }
    return bytes;
}

int spool_aside_walk(const char *path, spool_aside_cb cb, void *ctx)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    int n = 0;

    if (dir == NULL) {
        return spool_errno_code(errno);
    }
    while ((e = readdir(dir)) != NULL) {
        if (!spool_aside_name(e->d_name)) {
            continue;
        }
        n++;
        if (cb != NULL) {
            cb(ctx, e->d_name, size_of(dirfd(dir), e->d_name));
        }
    }
    closedir(dir);
    return n;
}

static void keep_last(void *ctx, const char *name, uint64_t bytes)
{
    char *last = ctx;

    (void)bytes;
    if (strcmp(name, last) > 0) {
        snprintf(last, SPOOL_ASIDE_LEN + 1, "%s", name);
    }
}

bool spool_aside_last(const spool_t *s, char name[SPOOL_ASIDE_LEN + 1])
{
    name[0] = '\0';
    return spool_aside_walk(s->dir.path, keep_last, name) != 0;
}

/* ---- putting aside ---- */

/* A directory that was not there before; its descriptor, or -1. */
static int make_aside(const spool_dir_t *dir, char name[SPOOL_ASIDE_LEN + 1])
{
    time_t now = time(NULL);
    struct tm tm;
    size_t len;
    int fd;

    if (gmtime_r(&now, &tm) == NULL) {
        return -1;
    }
    len = strftime(name, SPOOL_ASIDE_LEN + 1, PREFIX "%Y%m%dT%H%M%SZ", &tm);
    for (int i = 2; mkdirat(dir->fd, name, 0700) != 0; i++) {
        if (errno != EEXIST || i > ASIDE_MAX + 1) {
            return -1;
        }
        snprintf(name + len, SPOOL_ASIDE_LEN + 1 - len, "-%d", i);
    }
    fd = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fchmod(fd, DIR_MODE) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    (void)unlinkat(dir->fd, name, AT_REMOVEDIR);
    return -1;
}

/*
 * lock.mdb first: should it end between the two, data.mdb is still damaged,
 * and goes next time. The other way round a new data.mdb would come under the
 * old locks, which others have mapped together with the old data.
 */
static int rename_files(const spool_dir_t *dir, int to)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (renameat(dir->fd, files[i], to, files[i]) != 0 &&
            !(errno == ENOENT && i == 0)) {
            return -1;
        }
    }
    return 0;
}

/* SPOOL_CORRUPT: not renamed. SPOOL_IO: renamed, but not for certain. */
static int move_files(const spool_dir_t *dir, int to, char *error, size_t size)
{
    if (rename_files(dir, to) != 0) {
        snprintf(error, size, "%s", strerror(errno));
        return SPOOL_CORRUPT;
    }
    (void)unlinkat(dir->fd, SPOOL_SUSPECT, 0);
    if (fsync(to) != 0 || fsync(dir->fd) != 0) {
        snprintf(error, size, "cannot be synced: %s", strerror(errno));
        return SPOOL_IO;
    }
    return SPOOL_OK;
}

static int put_aside(spool_t *s, char name[SPOOL_ASIDE_LEN + 1], char *error,
                     size_t size)
{
    int rc;
    int fd;

    if (spool_aside_walk(s->dir.path, NULL, NULL) >= ASIDE_MAX) {
        snprintf(error, size, "%d damaged ones lie there already", ASIDE_MAX);
        return SPOOL_CORRUPT;
    }
    fd = make_aside(&s->dir, name);
    if (fd < 0) {
        snprintf(error, size, "%s", strerror(errno));
        return SPOOL_CORRUPT;
    }
    rc = move_files(&s->dir, fd, error, size);
    close(fd);
    if (rc == SPOOL_CORRUPT) {
        /* stays where something is in it */
        (void)unlinkat(s->dir.fd, name, AT_REMOVEDIR);
    }
    return rc;
}

int spool_set_aside(spool_t *s, char name[SPOOL_ASIDE_LEN + 1], char *error,
                    size_t size)
{
    int rc = spool_writer_enter(s);

    if (rc != SPOOL_OK) {
        snprintf(error, size, "%s", spool_strerror(rc));
        return rc;
    }
    rc = put_aside(s, name, error, size);
    spool_writer_leave(s);
    if (rc == SPOOL_CORRUPT) {
        name[0] = '\0';
    }
    return rc;
}
