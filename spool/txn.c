#include "spool/internal.h"

#include <errno.h>

#define BEGIN_TRIES 4

int spool_rc(spool_t *s, int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return SPOOL_OK;
    case MDB_NOTFOUND:
        return SPOOL_EMPTY;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return SPOOL_FULL;
    case MDB_READERS_FULL:
    case MDB_MAP_RESIZED:
    case EAGAIN:
    case EBUSY:
        return SPOOL_BUSY;
    case ENOMEM:
        return SPOOL_NOMEM;
    case MDB_BAD_VALSIZE:
    case EINVAL:
        return SPOOL_INVAL;
    case MDB_KEYEXIST:
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        spool_suspect(&s->dir);
        return SPOOL_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return SPOOL_FUTURE;
    default:
        /* The system's own errors, and LMDB's panic after one. */
        atomic_store(&s->failed, rc > 0 ? rc : EIO);
        return SPOOL_IO;
    }
}

int spool_gate_enter(spool_t *s)
{
    if (atomic_load_explicit(&s->forked, memory_order_relaxed)) {
        return SPOOL_INVAL;
    }
    if (pthread_rwlock_rdlock(&s->gate) != 0) {
        return SPOOL_BUSY;
    }
    if (atomic_load_explicit(&s->failed, memory_order_acquire) != 0) {
        pthread_rwlock_unlock(&s->gate);
        return SPOOL_IO;
    }
    return SPOOL_OK;
}

void spool_gate_leave(spool_t *s)
{
    pthread_rwlock_unlock(&s->gate);
}

int spool_map_renew(spool_t *s)
{
    MDB_envinfo info;
    int rc;

    if (pthread_rwlock_wrlock(&s->gate) != 0) {
        return SPOOL_BUSY;
    }
    if (atomic_load(&s->failed) != 0) {
        pthread_rwlock_unlock(&s->gate);
        return SPOOL_IO;
    }
    rc = mdb_env_set_mapsize(s->env, 0);
    if (rc == MDB_SUCCESS && mdb_env_info(s->env, &info) == MDB_SUCCESS) {
        s->size = info.me_mapsize;
    }
    pthread_rwlock_unlock(&s->gate);
    return spool_rc(s, rc);
}

/*
 * Who puts a damaged spool aside has the writer's lock, so it is not done in
 * the midst of a transaction. After it nothing must be written, least of all
 * acknowledged, by those who have the old files open.
 */
static int enter_writer(spool_t *s)
{
    if (spool_writer_enter(s) != SPOOL_OK) {
        return EBUSY;
    }
    if (spool_same_data(s) != 1) {
        spool_writer_leave(s);
        return ESTALE;
    }
    return MDB_SUCCESS;
}

/* One try, within the gate. */
static int begin(spool_t *s, unsigned flags, MDB_txn **txn)
{
    bool writes = !(flags & MDB_RDONLY);
    int rc = writes ? enter_writer(s) : MDB_SUCCESS;

    *txn = NULL;
    if (rc != MDB_SUCCESS) {
        return rc;
    }
    rc = mdb_txn_begin(s->env, NULL, flags, txn);
    if (rc != MDB_SUCCESS) {
        *txn = NULL;
    }
    if (writes && rc == MDB_SUCCESS) {
        atomic_store(&s->writer, *txn);
    } else if (writes) {
        spool_writer_leave(s);
    }
    return rc;
}

static bool is_writer(spool_t *s, const MDB_txn *txn)
{
    return atomic_load(&s->writer) == txn;
}

/* After the transaction: what begin() took, and the gate. */
static void leave(spool_t *s, bool writer)
{
    if (writer) {
        atomic_store(&s->writer, NULL);
        spool_writer_leave(s);
    }
    spool_gate_leave(s);
}

int spool_txn_begin(spool_t *s, unsigned flags, MDB_txn **txn)
{
    int dead;
    int rc;

    *txn = NULL;
    for (int i = 0; i < BEGIN_TRIES; i++) {
        rc = spool_gate_enter(s);
        if (rc != SPOOL_OK) {
            return rc;
        }
        rc = begin(s, flags, txn);
        if (rc == MDB_SUCCESS) {
            return SPOOL_OK;
        }
        if (rc == MDB_READERS_FULL && i == 0) {
            rc = mdb_reader_check(s->env, &dead);
            spool_gate_leave(s);
            if (rc != MDB_SUCCESS) {
                return spool_rc(s, rc);
            }
            continue;
        }
        spool_gate_leave(s);
        if (rc != MDB_MAP_RESIZED) {
            return spool_rc(s, rc);
        }
        rc = spool_map_renew(s);
        if (rc != SPOOL_OK) {
            return rc;
        }
    }
    return SPOOL_BUSY;
}

int spool_txn_commit(spool_t *s, MDB_txn **txn)
{
    MDB_txn *t = *txn;
    bool writer = is_writer(s, t);
    int rc;

    *txn = NULL; /* freed by the commit, also by one that fails */
    rc = mdb_txn_commit(t);
    if (rc > 0 && rc != ENOMEM) {
        /* A write or a sync failed: what is on disk is unknown now, and the
         * kernel may have dropped what it could not write. */
        atomic_store(&s->failed, rc);
        rc = SPOOL_IO;
    } else {
        rc = spool_rc(s, rc);
    }
    leave(s, writer);
    return rc;
}

void spool_txn_abort(spool_t *s, MDB_txn **txn)
{
    bool writer;

    if (*txn == NULL) {
        return;
    }
    writer = is_writer(s, *txn);
    mdb_txn_abort(*txn);
    *txn = NULL;
    leave(s, writer);
}
