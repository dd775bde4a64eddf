/*
 * lock.c - the lock of a state directory.
 */
#include "control/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void tell_owner(int fd, const char *dir, char *error, size_t size)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    (void)snprintf(error, size,
                   "another wacrmd uses this state directory: %s (process "
                   "%s); stop it first",
                   dir, pid[0] ? pid : "unknown");
}

/*
 * The edge's workers come in by the group, whatever the umask says. The mode
 * follows, as a sandbox without set-id modes (RestrictSUIDSGID of systemd)
 * refuses one before it looks whether the directory is there. Without it the
 * directory goes: the next start would take it as it is.
 */
static bool make_dir(const char *dir)
{
    int e;

    if (mkdir(dir, 0700) != 0) {
        return errno == EEXIST;
    }
    if (chmod(dir, 02770) == 0) {
        return true;
    }
    e = errno;
    (void)rmdir(dir);
    errno = e;
    return false;
}

int state_lock(const char *dir, int *fd, char *error, size_t size)
{
    char path[4096];
    int lock;

    if (!make_dir(dir)) {
        (void)snprintf(error, size, "cannot make the state directory %s: %s",
                       dir, strerrordesc_np(errno));
        return WERR_IO;
    }
    (void)snprintf(path, sizeof(path), "%s/wacrmd.lock", dir);
    lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        (void)snprintf(error, size, "%s: %s", path, strerrordesc_np(errno));
        return WERR_IO;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        int rc = errno == EWOULDBLOCK ? WERR_BUSY : WERR_IO;

        if (rc == WERR_BUSY) {
            tell_owner(lock, dir, error, size);
        } else {
            (void)snprintf(error, size, "%s: %s", path, strerrordesc_np(errno));
        }
        (void)close(lock);
        return rc;
    }
    /* only for the message above */
    if (ftruncate(lock, 0) == 0) {
        (void)dprintf(lock, "%d\n", (int)getpid());
    }
    *fd = lock;
    return WERR_OK;
}

void state_unlock(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

int state_in_place(const char *database, const char *search_index, char *error,
                   size_t size)
{
    struct stat db, index;

    if (stat(database, &db) != 0 || db.st_size > 0 ||
        stat(search_index, &index) != 0 || index.st_size == 0) {
        return WERR_OK;
    }
    (void)snprintf(error, size,
                   "%s: is empty, though it was in use: restore a backup "
                   "(wacrmctl restore FILE); to begin anew, delete it first",
                   database);
    return WERR_CORRUPT;
}
