/* The bytes of media: files by their hash. */
#include "domain/media.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#define DIRS  256
#define OLD_S 86400

/* Files whose row comes, held off from who takes garbage away; who holds one
 * may wait for a transaction, so that the lock is never held for it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static media_blob_t *held; /* guarded by lock */

DB_QUERY(media_hash_used, "SELECT 1 FROM media WHERE hash = $1 LIMIT 1");

static int of_errno(const char *what)
{
    int e = errno;

    log_error("media", "msg=\"file\" call=%s error=%s", what,
              log_str(strerrordesc_np(e)));
    return e == ENOSPC || e == EDQUOT ? WERR_FULL : WERR_IO;
}

static int hash_of(const void *data, size_t len, char out[MEDIA_HASH])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(data, len, md, &n, EVP_sha256(), NULL) != 1) {
        return WERR_NOMEM;
    }
    for (unsigned i = 0; i < n && i < 32; i++) {
        snprintf(out + (size_t)2 * i, 3, "%02x", md[i]);
    }
    return WERR_OK;
}

/* false: too long. */
static bool path_of(const domain_t *d, const char *hash, char *out)
{
    int n = snprintf(out, MEDIA_PATH_MAX, "%s/%.2s/%s", d->settings.media_dir,
                     hash, hash + 2);

    return n > 0 && n < MEDIA_PATH_MAX;
}

static int sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = WERR_OK;

    if (fd < 0 || fsync(fd) != 0) {
        rc = of_errno("fsync of a directory");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

/* 0750 and the group of its parent: nginx reads there. */
static int make_dir(const char *path, const char *parent)
{
    if (mkdir(path, 0750) != 0) {
        return errno == EEXIST ? WERR_OK : of_errno("mkdir");
    }
    return sync_dir(parent);
}

static int make_dirs(const domain_t *d, const char *hash)
{
    char path[MEDIA_PATH_MAX];
    const char *dir = d->settings.media_dir;
    int rc = WERR_OK;

    if (access(dir, F_OK) != 0) {
        rc = mkdir(dir, 0750) == 0 || errno == EEXIST ? WERR_OK
                                                      : of_errno("mkdir");
    }
    if (rc != WERR_OK || hash == NULL) {
        return rc;
    }
    snprintf(path, sizeof(path), "%s/%.2s", dir, hash);
    return make_dir(path, dir);
}

/* ---- in ---- */

static int check(const domain_t *d, const void *data, size_t len,
                 media_blob_t *out)
{
    memset(out, 0, sizeof(*out));
    if (len > (size_t)d->settings.media_max) {
        return WERR_TOOBIG;
    }
    out->type = sniff(data, len);
    if (out->type == NULL ||
        !sniff_set_has(d->settings.media_types, out->type)) {
        return WERR_INVALID;
    }
    out->size = (int64_t)len;
    return hash_of(data, len, out->hash);
}

static void hold(media_blob_t *b)
{
    (void)pthread_mutex_lock(&lock);
    b->next = held;
    held = b;
    (void)pthread_mutex_unlock(&lock);
    b->held = true;
}

void media_release(media_blob_t *b)
{
    media_blob_t **at = &held;

    if (!b->held) {
        return;
    }
    (void)pthread_mutex_lock(&lock);
    while (*at != b) {
        at = &(*at)->next;
    }
    *at = b->next;
    (void)pthread_mutex_unlock(&lock);
    b->held = false;
}

/* Locked. */
static bool is_held(const char *hash)
{
    const media_blob_t *b = held;

    while (b != NULL && strcmp(b->hash, hash) != 0) {
        b = b->next;
    }
    return b != NULL;
}

static bool is_there(const domain_t *d, const media_blob_t *b)
{
    char path[MEDIA_PATH_MAX];
    struct stat st;

    return path_of(d, b->hash, path) && stat(path, &st) == 0 &&
           st.st_size == b->size;
}

int media_temp(const domain_t *d, char *path, int *fd)
{
    int n, rc;

    *fd = -1;
    if (d->settings.media_dir == NULL) {
        return WERR_INVALID;
    }
    rc = make_dirs(d, NULL);
    if (rc != WERR_OK) {
        return rc;
    }
    n = snprintf(path, MEDIA_PATH_MAX, "%s/tmp-XXXXXX", d->settings.media_dir);
    if (n < 0 || n >= MEDIA_PATH_MAX) {
        return WERR_INVALID;
    }
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd < 0 || fchmod(*fd, 0640) != 0) {
        return of_errno("mkostemp");
    }
    return WERR_OK;
}

/* Under its hash, for good. b is held. */
static int publish(const domain_t *d, const char *temp, int fd,
                   const media_blob_t *b)
{
    char path[MEDIA_PATH_MAX], dir[MEDIA_PATH_MAX];
    int rc = make_dirs(d, b->hash);

    if (rc != WERR_OK) {
        return rc;
    }
    if (!path_of(d, b->hash, path)) {
        return WERR_INVALID;
    }
    if (fsync(fd) != 0) {
        return of_errno("fsync");
    }
    if (rename(temp, path) != 0) {
        return of_errno("rename");
    }
    snprintf(dir, sizeof(dir), "%s/%.2s", d->settings.media_dir, b->hash);
    return sync_dir(dir);
}

int media_store(const domain_t *d, const void *data, size_t len,
                media_blob_t *out)
{
    char temp[MEDIA_PATH_MAX];
    int fd = -1, rc = check(d, data, len, out);

    if (rc != WERR_OK) {
        return rc;
    }
    hold(out);
    if (is_there(d, out)) {
        return WERR_OK;
    }
    rc = media_temp(d, temp, &fd);
    if (rc == WERR_OK && !io_write_all(fd, data, len)) {
        rc = of_errno("write");
    }
    if (rc == WERR_OK) {
        rc = publish(d, temp, fd, out);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (rc != WERR_OK) {
        media_release(out);
        if (fd >= 0) {
            (void)unlink(temp);
        }
    }
    return rc;
}

int media_settle(const domain_t *d, const char *path, int fd, media_blob_t *out)
{
    struct stat st;
    void *data = MAP_FAILED;
    int rc = WERR_INVALID;

    memset(out, 0, sizeof(*out));
    if (fstat(fd, &st) != 0) {
        rc = of_errno("fstat");
    } else if (st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        rc = data == MAP_FAILED ? of_errno("mmap")
                                : check(d, data, (size_t)st.st_size, out);
    }
    if (data != MAP_FAILED) {
        (void)munmap(data, (size_t)st.st_size);
    }
    if (rc == WERR_OK) {
        hold(out);
        if (!is_there(d, out)) {
            rc = publish(d, path, fd, out);
            if (rc != WERR_OK) {
                media_release(out);
            }
        }
    }
    (void)unlink(path); /* where it was not renamed */
    return rc;
}

int media_open(const domain_t *d, const char *hash, int64_t size, int *fd)
{
    char path[MEDIA_PATH_MAX];
    struct stat st;
    int rc = WERR_OK;

    *fd = -1;
    if (!path_of(d, hash, path)) {
        return WERR_INVALID;
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) {
        return errno == ENOENT ? WERR_NOTFOUND : of_errno("open");
    }
    if (fstat(*fd, &st) != 0) {
        rc = of_errno("fstat");
    } else if (st.st_size != size) {
        rc = WERR_IO;
    }
    if (rc != WERR_OK) {
        (void)close(*fd);
        *fd = -1;
    }
    return rc;
}

/* ---- out ---- */

/* Locked: nobody begins to hold it between the question and the answer. */
static int discard_locked(const domain_t *d, db_t *db, const char *hash)
{
    char path[MEDIA_PATH_MAX];
    db_stmt_t *s;
    int rc;

    if (is_held(hash)) {
        return 0;
    }
    s = db_stmt(db, &media_hash_used);
    db_bind_text(s, 1, hash);
    rc = db_first(s);
    db_done(s);
    if (rc != WERR_NOTFOUND) {
        return rc == DB_ROW ? 0 : rc;
    }
    if (!path_of(d, hash, path)) {
        return WERR_INVALID;
    }
    if (unlink(path) != 0) {
        return errno == ENOENT ? 0 : of_errno("unlink");
    }
    return 1;
}

/* Count of what went. */
static int discard(const domain_t *d, db_t *db, const char *hash)
{
    int rc;

    (void)pthread_mutex_lock(&lock);
    rc = discard_locked(d, db, hash);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int media_discard(domain_t *d, const char *hash)
{
    db_t *db = NULL;
    int rc = store_reader(d->store, &db);

    if (rc != WERR_OK) {
        return rc;
    }
    rc = discard(d, db, hash);
    store_reader_close(&db);
    return rc;
}

static bool is_old(DIR *dir, const char *name, time_t now)
{
    struct stat st;

    return fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && st.st_mtime < now - OLD_S;
}

/* Files of one directory whose row has not come for a day. */
static int sweep_dir(const domain_t *d, db_t *db, unsigned which)
{
    char path[MEDIA_PATH_MAX], hash[MEDIA_HASH];
    time_t now = time(NULL);
    struct dirent *e;
    int n = 0, rc = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/%02x", d->settings.media_dir, which);
    dir = opendir(path);
    while (rc >= 0 && dir != NULL && (e = readdir(dir)) != NULL) {
        if (strlen(e->d_name) != MEDIA_HASH - 3 ||
            !is_old(dir, e->d_name, now)) {
            continue;
        }
        snprintf(hash, sizeof(hash), "%02x%.62s", which, e->d_name);
        rc = discard(d, db, hash);
        n += rc > 0;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return rc < 0 ? rc : n;
}

/* What a crash left half written. */
static void sweep_temps(const domain_t *d)
{
    time_t now = time(NULL);
    DIR *dir = opendir(d->settings.media_dir);
    struct dirent *e;

    while (dir != NULL && (e = readdir(dir)) != NULL) {
        if (strncmp(e->d_name, "tmp-", 4) == 0 && is_old(dir, e->d_name, now)) {
            (void)unlinkat(dirfd(dir), e->d_name, 0);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

int media_sweep(domain_t *d, int64_t hour, unsigned which)
{
    unsigned part = (unsigned)hour % (DIRS / MEDIA_SWEEPS);
    db_t *db = NULL;
    int rc;

    if (d->settings.media_dir == NULL) {
        return 0;
    }
    if (which == 0) {
        sweep_temps(d);
    }
    rc = store_reader(d->store, &db);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = sweep_dir(d, db, part * MEDIA_SWEEPS + which);
    store_reader_close(&db);
    return rc;
}
