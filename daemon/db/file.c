/*
 * file.c - copies of the database.
 */
#include "db/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "db/sqlite.h"

static int from_errno(db_t *db, const char *path)
{
    int e = errno;

    (void)snprintf(db->message, sizeof(db->message), "%s: %s", path,
                   strerrordesc_np(e));
    if (e == ENOSPC || e == EDQUOT || e == EFBIG) {
        return WERR_FULL;
    }
    return e == EEXIST ? WERR_CONFLICT : WERR_IO;
}

int file_sync_dir(const char *path)
{
    char *copy = strdup(path);
    int fd, rc = WERR_IO;

    if (!copy) {
        return WERR_NOMEM;
    }
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        rc = fsync(fd) == 0 ? WERR_OK : WERR_IO;
        (void)close(fd);
    }
    free(copy);
    return rc;
}

static int fill(db_t *db, const char *part)
{
    int fd, rc;

    if (unlink(part) != 0 && errno != ENOENT) {
        return from_errno(db, part);
    }
    /* VACUUM INTO takes an empty file: so it never is anybody else's */
    fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return from_errno(db, part);
    }
    rc = sqlite_copy(db, part);
    if (rc == WERR_OK && fsync(fd) != 0) {
        rc = from_errno(db, part);
    }
    (void)close(fd);
    return rc;
}

int file_copy_database(db_t *db, const char *path, bool replace)
{
    char *part;
    int rc;

    if (!replace && access(path, F_OK) == 0) {
        errno = EEXIST;
        return from_errno(db, path);
    }
    if (asprintf(&part, "%s.part", path) < 0) {
        return WERR_NOMEM;
    }
    rc = fill(db, part);
    if (rc == WERR_OK &&
        !(replace ? rename(part, path) == 0 : place_new(part, path))) {
        rc = from_errno(db, path);
    }
    if (rc < 0) {
        (void)unlink(part);
    } else {
        rc = file_sync_dir(path);
    }
    free(part);
    return rc;
}
