#include "spool/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * LMDB must not have one environment open twice in a process: the first close
 * would drop the fcntl locks of both. A directory is known by device and
 * inode, which is what realpath() is for, and holds for bind mounts and for a
 * new directory under an old name, too.
 */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static spool_t *registry;
static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
    pthread_mutex_lock(&registry_lock);
}

static void after_fork_parent(void)
{
    pthread_mutex_unlock(&registry_lock);
}

/* What the parent had open is left as it is: closing it here would touch the
 * shared lock file. The child opens for itself. */
static void after_fork_child(void)
{
    for (spool_t *s = registry; s != NULL; s = s->next) {
        atomic_store(&s->forked, true);
        /* else its lock would outlive a parent that is killed */
        close(s->writer_fd);
        s->writer_fd = -1;
    }
    registry = NULL;
    pthread_mutex_unlock(&registry_lock);
}

static void registry_init(void)
{
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

const char *spool_strerror(int rc)
{
    switch (rc) {
    case SPOOL_OK:
        return "ok";
    case SPOOL_EMPTY:
        return "nothing there";
    case SPOOL_FULL:
        return "spool full";
    case SPOOL_CORRUPT:
        return "damaged";
    case SPOOL_FUTURE:
        return "of a later version";
    case SPOOL_IO:
        return "I/O error";
    case SPOOL_NOMEM:
        return "out of memory";
    case SPOOL_BUSY:
        return "busy";
    case SPOOL_INVAL:
        return "invalid argument";
    default:
        return "unknown error";
    }
}

static spool_t *find(const spool_dir_t *dir)
{
    for (spool_t *s = registry; s != NULL; s = s->next) {
        if (s->dir.dev == dir->dev && s->dir.ino == dir->ino) {
            return s;
        }
    }
    return NULL;
}

/* Takes dir over. */
static spool_t *handle_new(spool_dir_t *dir)
{
    spool_t *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    if (pthread_rwlock_init(&s->gate, NULL) != 0) {
        free(s);
        return NULL;
    }
    if (pthread_mutex_init(&s->revoked_lock, NULL) != 0) {
        pthread_rwlock_destroy(&s->gate);
        free(s);
        return NULL;
    }
    if (pthread_mutex_init(&s->writer_lock, NULL) != 0) {
        pthread_mutex_destroy(&s->revoked_lock);
        pthread_rwlock_destroy(&s->gate);
        free(s);
        return NULL;
    }
    s->writer_fd = -1;
    s->dir = *dir;
    dir->fd = -1;
    dir->path = NULL;
    return s;
}

static void handle_free(spool_t *s)
{
    if (s->writer_fd >= 0) {
        close(s->writer_fd);
    }
    pthread_mutex_destroy(&s->writer_lock);
    pthread_mutex_destroy(&s->revoked_lock);
    pthread_rwlock_destroy(&s->gate);
    spool_dir_close(&s->dir);
    free(s);
}

static int open_new(spool_t **out, spool_dir_t *dir, spool_options_t *opt)
{
    spool_t *s;
    int lock;
    int rc;

    s = handle_new(dir);
    if (s == NULL) {
        return SPOOL_NOMEM;
    }
    lock = spool_lock_open(&s->dir, opt->error, sizeof(opt->error));
    if (lock < 0) {
        handle_free(s);
        return lock;
    }
    rc = spool_writer_open(s, opt->error, sizeof(opt->error));
    if (rc == SPOOL_OK) {
        rc = spool_env_open(s, opt);
    }
    close(lock);
    if (rc != SPOOL_OK) {
        handle_free(s);
        return rc;
    }
    s->refs = 1;
    s->next = registry;
    registry = s;
    *out = s;
    return SPOOL_OK;
}

/*
 * A handle that met an I/O error, still held by somebody: it is opened again
 * in place, for all who hold it. They know it by its id, so it is never another
 * one: neither what lies there now, nor a new one in the place of a damaged.
 */
static int open_again(spool_t *s, spool_options_t *opt)
{
    spool_options_t same = {.size = opt->size};
    int lock;
    int rc;

    lock = spool_lock_open(&s->dir, opt->error, sizeof(opt->error));
    if (lock < 0) {
        return lock;
    }
    /* not before: who had the lock may have put it aside */
    if (spool_same_data(s) != 1) {
        snprintf(opt->error, sizeof(opt->error),
                 "%.150s: another spool lies there now", s->dir.path);
        close(lock);
        return SPOOL_IO;
    }
    if (pthread_rwlock_wrlock(&s->gate) != 0) {
        close(lock);
        return SPOOL_BUSY;
    }
    spool_env_close(s);
    rc = spool_env_open(s, &same);
    memcpy(opt->error, same.error, sizeof(opt->error));
    if (rc == SPOOL_CORRUPT) {
        spool_suspect(&s->dir);
    }
    if (rc != SPOOL_OK) {
        atomic_store(&s->failed, EIO);
    }
    pthread_rwlock_unlock(&s->gate);
    close(lock);
    return rc;
}

static int open_in_registry(spool_t **out, spool_dir_t *dir,
                            spool_options_t *opt)
{
    spool_t *s = find(dir);
    int rc = SPOOL_OK;

    if (s == NULL) {
        return open_new(out, dir, opt);
    }
    if (atomic_load(&s->failed) != 0) {
        rc = open_again(s, opt);
    }
    if (rc == SPOOL_OK) {
        s->refs++;
        *out = s;
    }
    return rc;
}

int spool_open(spool_t **out, const char *path, spool_options_t *opt)
{
    spool_options_t defaults;
    spool_dir_t dir;
    int rc;

    *out = NULL;
    if (opt == NULL) {
        memset(&defaults, 0, sizeof(defaults));
        opt = &defaults;
    }
    opt->error[0] = '\0';
    opt->aside[0] = '\0';
    pthread_once(&registry_once, registry_init);
    pthread_mutex_lock(&registry_lock);
    rc = spool_dir_open(&dir, path, opt);
    if (rc == SPOOL_OK) {
        rc = open_in_registry(out, &dir, opt);
    }
    spool_dir_close(&dir);
    pthread_mutex_unlock(&registry_lock);
    return rc;
}

void spool_close(spool_t **spool)
{
    spool_t *s = *spool;
    char error[256];
    spool_t **p;
    int lock;

    *spool = NULL;
    if (s == NULL || atomic_load(&s->forked)) {
        return;
    }
    pthread_mutex_lock(&registry_lock);
    if (--s->refs == 0) {
        for (p = &registry; *p != s; p = &(*p)->next) {
        }
        *p = s->next;
        /* Without the lock the close goes on: LMDB has locks of its own. */
        lock = spool_lock_open(&s->dir, error, sizeof(error));
        spool_env_close(s);
        if (lock >= 0) {
            close(lock);
        }
        handle_free(s);
    }
    pthread_mutex_unlock(&registry_lock);
}

const char *spool_id(const spool_t *spool)
{
    return spool->id;
}

const char *spool_path(const spool_t *spool)
{
    return spool->dir.path;
}
