#include "spool/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* nginx workers twice (reload), the threads of wacrmd and its tools. A slot
 * is 64 bytes and only slots once used are looked at, so there is no thrift. */
#define MAX_READERS 512
#define MAX_DBS     8
#define OPEN_TRIES  5

bool spool_lmdb_doubtful(int major, int minor, int patch)
{
    return major == 0 && minor == 9 && patch >= 26 && patch <= 31;
}

static int fail(spool_options_t *opt, const spool_t *s, int rc,
                const char *what, const char *why)
{
    snprintf(opt->error, sizeof(opt->error), "%.120s: %s%s%s", s->dir.path,
             what, why[0] != '\0' ? ": " : "", why);
    return rc;
}

/* The size to ask LMDB for, 0 to leave it as it is. */
static int choose_size(spool_t *s, spool_options_t *opt, bool fresh,
                       size_t *size)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t want = opt->size;

    if (want == 0 && fresh) {
        want = SPOOL_DEFAULT_SIZE;
    }
    if (want != 0 && (want < SPOOL_MIN_SIZE || want > SIZE_MAX / 2)) {
        return fail(opt, s, SPOOL_INVAL,
                    "size is less than 1 MiB, or too large", "");
    }
    *size = (size_t)((want + page - 1) / page * page);
    return SPOOL_OK;
}

/* LMDB ends the process where a page is not what it must be. */
static void on_damage(MDB_env *env, const char *text)
{
    const char *path = "";
    spool_dir_t dir = {0};

    (void)mdb_env_get_path(env, &path);
    (void)fprintf(stderr,
                  "wacrm: the spool %s is damaged (%s): who opens it next "
                  "looks at all of it, and puts it aside\n",
                  path, text);
    dir.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir.fd >= 0) {
        spool_suspect(&dir);
        close(dir.fd);
    }
}

static int open_env(spool_t *s, size_t size)
{
    struct stat st;
    int fd;
    int rc;

    rc = mdb_env_create(&s->env);
    if (rc != MDB_SUCCESS) {
        s->env = NULL;
        return rc;
    }
    rc = mdb_env_set_assert(s->env, on_damage);
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_set_maxdbs(s->env, MAX_DBS);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_set_maxreaders(s->env, MAX_READERS);
    }
    if (rc == MDB_SUCCESS && size != 0) {
        rc = mdb_env_set_mapsize(s->env, size);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_open(s->env, s->dir.path, MDB_NOTLS, 0660);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_env_get_fd(s->env, &fd);
    }
    if (rc == MDB_SUCCESS &&
        (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fstat(fd, &st) != 0)) {
        rc = errno;
    }
    if (rc == MDB_SUCCESS) {
        s->data_dev = st.st_dev;
        s->data_ino = st.st_ino;
    }
    return rc;
}

/*
 * A new environment gets its name when its first two pages are on disk: cut
 * off before, it would be there, damaged, and refused for good. Nobody else
 * looks, as open.lock is held.
 */
static int make_env(spool_t *s, size_t size, int *rc)
{
    static const char part[] = "data.mdb.new";
    char path[PATH_MAX];
    MDB_env *env;
    int ours;
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", s->dir.path, part) >=
        (int)sizeof(path)) {
        return SPOOL_INVAL;
    }
    /* Locks without data: who still has them mapped has another data.mdb. */
    if ((unlinkat(s->dir.fd, part, 0) != 0 && errno != ENOENT) ||
        (unlinkat(s->dir.fd, "lock.mdb", 0) != 0 && errno != ENOENT)) {
        return spool_errno_code(*rc = errno);
    }
    /* Here, as whoever made it may have been killed before he came here. */
    ours = spool_dir_sync_parent(&s->dir);
    if (ours != SPOOL_OK) {
        return ours;
    }
    *rc = mdb_env_create(&env);
    if (*rc != MDB_SUCCESS) {
        return spool_rc(s, *rc);
    }
    *rc = mdb_env_set_mapsize(env, size);
    if (*rc == MDB_SUCCESS) {
        *rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0660);
    }
    if (*rc == MDB_SUCCESS) {
        *rc = mdb_env_get_fd(env, &fd);
    }
    if (*rc == MDB_SUCCESS &&
        (fsync(fd) != 0 ||
         renameat(s->dir.fd, part, s->dir.fd, "data.mdb") != 0)) {
        *rc = errno;
    }
    mdb_env_close(env);
    return *rc > 0 ? spool_errno_code(*rc) : spool_rc(s, *rc);
}

/* All four in one transaction, once: no dbi is ever opened later or closed. */
static int open_dbs(spool_t *s, MDB_txn *txn, bool create)
{
    const struct {
        const char *name;
        MDB_dbi *dbi;
    } dbs[] = {
        {"events", &s->events},
        {"quarantine", &s->quarantine},
        {"revoked", &s->revoked},
        {"meta", &s->meta},
    };
    int rc;

    for (size_t i = 0; i < sizeof(dbs) / sizeof(dbs[0]); i++) {
        rc =
            mdb_dbi_open(txn, dbs[i].name, create ? MDB_CREATE : 0, dbs[i].dbi);
        if (rc != MDB_SUCCESS) {
            return rc;
        }
    }
    return MDB_SUCCESS;
}

/* *rc is what LMDB said; the result is one of ours. */
static int open_state_as_writer(spool_t *s, bool create, int *rc)
{
    MDB_txn *txn;
    int ours;

    *rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (*rc != MDB_SUCCESS) {
        return spool_rc(s, *rc);
    }
    *rc = open_dbs(s, txn, create);
    ours = *rc == MDB_SUCCESS ? spool_state_init(s, txn, create)
                              : spool_rc(s, *rc);
    if (ours != SPOOL_OK) {
        mdb_txn_abort(txn);
        return ours == SPOOL_EMPTY ? SPOOL_INVAL : ours;
    }
    *rc = mdb_txn_commit(txn);
    return spool_rc(s, *rc);
}

static int open_state(spool_t *s, bool create, int *rc)
{
    int ours = spool_writer_enter(s);

    if (ours == SPOOL_OK) {
        ours = open_state_as_writer(s, create, rc);
        spool_writer_leave(s);
    }
    return ours;
}

/* One try; *rc as in open_state(). */
static int try_open(spool_t *s, spool_options_t *opt, size_t size, int *rc)
{
    MDB_envinfo info;
    int dead;
    int ours;

    *rc = open_env(s, size);
    if (*rc != MDB_SUCCESS) {
        return *rc > 0 ? spool_errno_code(*rc) : spool_rc(s, *rc);
    }
    ours = spool_files_settle(&s->dir);
    if (ours != SPOOL_OK) {
        return fail(opt, s, ours,
                    "cannot set the files' modes or sync the directory",
                    strerror(errno));
    }
    *rc = mdb_env_info(s->env, &info);
    if (*rc == MDB_SUCCESS) {
        *rc = mdb_reader_check(s->env, &dead);
    }
    if (*rc != MDB_SUCCESS) {
        return spool_rc(s, *rc);
    }
    s->size = info.me_mapsize;
    ours = open_state(s, opt->create, rc);
    if (ours == SPOOL_INVAL && *rc == MDB_SUCCESS) {
        return fail(opt, s, ours, "holds a database, but no spool", "");
    }
    return ours;
}

static bool worth_another(int rc)
{
    return rc == EINVAL || rc == EAGAIN || rc == MDB_MAP_RESIZED;
}

/* A file that cannot be looked at is not absent: nothing takes its place. */
static int is_fresh(spool_t *s, spool_options_t *opt, bool *fresh)
{
    struct stat st;

    *fresh = false;
    if (fstatat(s->dir.fd, "data.mdb", &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return SPOOL_OK;
    }
    if (errno != ENOENT) {
        return fail(opt, s, spool_errno_code(errno), "cannot look at data.mdb",
                    strerror(errno));
    }
    *fresh = true;
    return opt->create ? SPOOL_OK
                       : fail(opt, s, SPOOL_INVAL, "no spool there", "");
}

static int try_often(spool_t *s, spool_options_t *opt, size_t size, int *rc)
{
    struct timespec nap = {0, 20000000};
    int ours = SPOOL_OK;

    for (int i = 0; ours == SPOOL_OK && i < OPEN_TRIES; i++) {
        *rc = MDB_SUCCESS;
        ours = try_open(s, opt, size, rc);
        if (ours == SPOOL_OK) {
            break;
        }
        spool_env_close(s);
        if (!worth_another(*rc)) {
            break;
        }
        if (i + 1 < OPEN_TRIES) {
            ours = SPOOL_OK;
            nanosleep(&nap, NULL);
        }
    }
    return ours;
}

/* SPOOL_CORRUPT only for what is damaged for certain. */
static int examine(spool_t *s, spool_options_t *opt, bool all)
{
    char why[128] = "";
    int rc = spool_examine(s, all, why, sizeof(why));

    if (rc == SPOOL_OK) {
        return rc;
    }
    return rc == SPOOL_CORRUPT ? fail(opt, s, rc, "damaged", why)
                               : fail(opt, s, rc, why, "");
}

/* As it lies there, or new; *damaged: it is, for certain. */
static int open_what_is_there(spool_t *s, spool_options_t *opt, bool *damaged)
{
    size_t size = 0;
    bool fresh;
    int rc = MDB_SUCCESS;
    int ours = is_fresh(s, opt, &fresh);

    if (ours == SPOOL_OK && !fresh) {
        ours = examine(s, opt, false);
        *damaged = ours == SPOOL_CORRUPT;
    }
    if (ours == SPOOL_OK) {
        ours = choose_size(s, opt, fresh, &size);
    }
    if (ours == SPOOL_OK && fresh) {
        ours = make_env(s, size, &rc);
    }
    if (ours == SPOOL_OK) {
        ours = try_often(s, opt, size, &rc);
        /* either our own table says so, or LMDB, which may mean its locks */
        *damaged = ours == SPOOL_CORRUPT &&
                   (rc == MDB_SUCCESS || examine(s, opt, true) == ours);
    }
    if (ours != SPOOL_OK && opt->error[0] == '\0') {
        fail(opt, s, ours, "cannot be opened",
             rc != MDB_SUCCESS ? mdb_strerror(rc) : spool_strerror(ours));
    }
    return ours;
}

/* A damaged one is where nobody opens it any more, and a new one is begun. */
static int begin_anew(spool_t *s, spool_options_t *opt)
{
    char why[sizeof(opt->error)];
    char error[sizeof(opt->error)] = "";
    bool damaged = false;
    int rc;

    snprintf(why, sizeof(why), "%s", opt->error);
    rc = spool_set_aside(s, opt->aside, error, sizeof(error));
    if (rc == SPOOL_OK) {
        opt->error[0] = '\0';
        rc = open_what_is_there(s, opt, &damaged);
        snprintf(error, sizeof(error), "no new one can be begun: %.200s",
                 opt->error);
    } else if (opt->aside[0] == '\0') {
        snprintf(opt->error, sizeof(opt->error),
                 "%.250s; it cannot be put aside: %.200s", why, error);
        return rc;
    }
    snprintf(opt->error, sizeof(opt->error),
             "%.180s; it lies in %s below it now, nothing of it was deleted, "
             "and %.230s",
             why, opt->aside,
             rc == SPOOL_OK ? "a new one was begun: wacrmctl check" : error);
    return rc;
}

/* Who has put the other aside did not come to say so. */
static void tell_of_another(spool_t *s, spool_options_t *opt)
{
    if (spool_aside_last(s, opt->aside) && opt->aside[0] != '\0') {
        fail(opt, s, SPOOL_OK, "a new spool was begun; a damaged one lies in",
             opt->aside);
    }
}

int spool_env_open(spool_t *s, spool_options_t *opt)
{
    int major;
    int minor;
    int patch;
    bool damaged = false;
    int rc;

    s->replaces = false;
    rc = open_what_is_there(s, opt, &damaged);
    if (damaged && opt->create && opt->set_aside) {
        rc = begin_anew(s, opt);
    }
    if (rc != SPOOL_OK) {
        return rc;
    }
    if (s->replaces && opt->aside[0] == '\0') {
        tell_of_another(s, opt);
    }
    atomic_store(&s->failed, 0);
    mdb_version(&major, &minor, &patch);
    if (opt->error[0] == '\0' && spool_lmdb_doubtful(major, minor, patch)) {
        fail(opt, s, SPOOL_OK, "warning",
             "LMDB 0.9.26 to 0.9.31 may destroy the locks of other processes "
             "at close");
    }
    return SPOOL_OK;
}

void spool_env_close(spool_t *s)
{
    if (s->revoked_txn != NULL) {
        mdb_txn_abort(s->revoked_txn);
        s->revoked_txn = NULL;
    }
    if (s->env != NULL) {
        mdb_env_close(s->env);
        s->env = NULL;
    }
}
