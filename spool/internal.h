/*
 * internal.h - what the files of spool/ share. Private to spool/.
 *
 * Every LMDB transaction is begun and ended by the functions below. They hold
 * the gate shared, so that the map can be resized, or the environment opened
 * again after an I/O error, with no transaction of this process in the way.
 */
#ifndef WACRM_SPOOL_INTERNAL_H
#define WACRM_SPOOL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include <lmdb.h>

#include "spool/spool.h"

#define SPOOL_LAYOUT     1 /* of the environment; a later one is refused */
#define SPOOL_MIN_SIZE   ((uint64_t)1 << 20)
#define SPOOL_SEQ_LEN    8
#define SPOOL_REASON_MAX 200

typedef struct {
    char *path; /* by realpath() */
    int fd;     /* kept open, so that the inode is not used again */
    dev_t dev;
    ino_t ino;
} spool_dir_t;

/* A file that says: LMDB has met something that it cannot read. Who opens the
 * spool next looks at all of it. */
#define SPOOL_SUSPECT "suspect"

struct spool_s {
    spool_t *next; /* in the registry */
    spool_dir_t dir;
    unsigned refs;
    atomic_bool forked; /* inherited by fork(): of no use here */

    MDB_env *env;
    dev_t data_dev; /* of the data.mdb that is open */
    ino_t data_ino;
    MDB_dbi events;
    MDB_dbi quarantine;
    MDB_dbi revoked;
    MDB_dbi meta;
    uint64_t size;
    char id[SPOOL_ID_LEN + 1];

    pthread_rwlock_t gate;
    atomic_int failed; /* the errno after which nothing is believed */

    pthread_mutex_t writer_lock;
    int writer_fd;             /* of write.lock; -1: not open */
    _Atomic(MDB_txn *) writer; /* the transaction that has both */

    pthread_mutex_t revoked_lock;
    MDB_txn *revoked_txn;  /* kept between calls, reset */
    atomic_bool unsettled; /* revoked: not told what it is since the spool was
                              begun */
    _Atomic int64_t look_after; /* spool_damaged(): the next look; monotonic */
    _Atomic int64_t look_wait;  /* seconds, after one without an answer */

    bool replaces; /* this handle has begun it, beside a damaged one */
};

/* files.c: the directory and the files in it. */

/* Fills dir, which the caller closes with spool_dir_close() in any case. */
int spool_dir_open(spool_dir_t *dir, const char *path, spool_options_t *opt);
void spool_dir_close(spool_dir_t *dir);
/* A new directory's name is durable when its parent is. Who may not open that,
 * for which it takes more rights than to write there, syncs all of the file
 * system. */
int spool_dir_sync_parent(const spool_dir_t *dir);
/* The code for an errno of open(2) and the like. */
int spool_errno_code(int err);
/* Waits for open.lock; the descriptor, or a code < 0. */
int spool_lock_open(const spool_dir_t *dir, char *error, size_t size);
/*
 * The right to write, taken before LMDB's own and given back after it. LMDB
 * has a robust mutex, which loses a wake-up: where the process that was woken
 * is killed before it runs, and another one takes the mutex meanwhile, nobody
 * wakes those who slept behind it (glibc leaves FUTEX_WAITERS to the woken one;
 * the kernel's handle_futex_death() sees an owner, and does nothing). With a
 * lock of the kernel's nobody sleeps on that mutex. (LMDB's mutex of the reader
 * table is the same kind; it is held for some instructions only, by who begins
 * to read.) It may be taken by one thread that has no transaction.
 */
int spool_writer_open(spool_t *s, char *error, size_t size);
int spool_writer_enter(spool_t *s);
void spool_writer_leave(spool_t *s);
/* Gives the files their mode and makes their names durable. */
int spool_files_settle(const spool_dir_t *dir);
/* What the path leads to, against what the handle has open: 1: the same, 0:
 * another one, or none; -1: cannot be told. */
int spool_same_data(const spool_t *s);

/* aside.c: what is damaged, and where it goes. */

bool spool_aside_name(const char *name);
/* Whether one lies aside, or may; name: the latest. */
bool spool_aside_last(const spool_t *s, char name[SPOOL_ASIDE_LEN + 1]);
/* Leaves a note for spool_examine(). */
void spool_suspect(const spool_dir_t *dir);
/*
 * Looks at data.mdb without LMDB, under write.lock, which it takes: at its ends
 * only, or, after spool_suspect() or where all is set, at each page.
 * SPOOL_CORRUPT only for what is damaged for certain, then error says how.
 */
int spool_examine(spool_t *s, bool all, char *error, size_t size);
/*
 * Under open.lock: takes write.lock and renames data.mdb and lock.mdb into a
 * new directory beside them. Who has them open still writes no more (txn.c).
 * SPOOL_CORRUPT, SPOOL_BUSY: they lie where they lay. SPOOL_IO: they lie in
 * name, which may not outlast a power cut. error: why, for people.
 */
int spool_set_aside(spool_t *s, char name[SPOOL_ASIDE_LEN + 1], char *error,
                    size_t size);
/* Whether LMDB must not lie on a file system of that statfs() type. */
bool spool_fs_refused(long type);

/* env.c: the LMDB environment of a handle; under open.lock, with no transaction
 * of this process. */
int spool_env_open(spool_t *s, spool_options_t *opt);
void spool_env_close(spool_t *s);
/* Whether that LMDB may destroy the locks of others when it closes. */
bool spool_lmdb_doubtful(int major, int minor, int patch);

/* txn.c */

/* The code for what LMDB returned; marks the handle failed where it must. */
int spool_rc(spool_t *s, int rc);
int spool_txn_begin(spool_t *s, unsigned flags, MDB_txn **txn);
/* Both NULL *txn and leave the gate, whatever they return. */
int spool_txn_commit(spool_t *s, MDB_txn **txn);
void spool_txn_abort(spool_t *s, MDB_txn **txn);
/* The gate alone, for what needs the environment but no new transaction. */
int spool_gate_enter(spool_t *s);
void spool_gate_leave(spool_t *s);
/* Takes over the larger map of another process; outside the gate. */
int spool_map_renew(spool_t *s);

/* state.c: the meta record. */
typedef struct {
    uint64_t next_seq;
    uint64_t records; /* waiting in events */
    uint64_t bytes;   /* their layout */
} spool_state_t;

int spool_state_get(spool_t *s, MDB_txn *txn, spool_state_t *state);
int spool_state_put(spool_t *s, MDB_txn *txn, const spool_state_t *state);
/* One record fewer, of that layout. */
void spool_state_less(spool_state_t *state, uint64_t bytes);
/*
 * Makes id, layout and state where they are not, else reads and checks.
 * SPOOL_INVAL: no spool at all; SPOOL_CORRUPT: one, but these are damaged.
 */
int spool_state_init(spool_t *s, MDB_txn *txn, bool create);
/* "revoked" may be asked; part of the transaction. */
int spool_state_settle(spool_t *s, MDB_txn *txn);
/* SPOOL_OK, or SPOOL_BUSY where it must not be asked yet. */
int spool_state_settled(spool_t *s, MDB_txn *txn);
/* Bytes that a record of that length takes in pages of that size. */
uint64_t spool_layout(unsigned page_size, size_t len);
/* Bytes in the pages of one sub-database. */
int spool_tree_bytes(spool_t *s, MDB_txn *txn, MDB_dbi dbi, uint64_t *bytes);
/* Fill of the events and what it may rise to. */
int spool_fill(spool_t *s, MDB_txn *txn, const spool_state_t *state,
               uint64_t *fill, uint64_t *limit);

/* queue.c: spool_append() as a part of the transaction. */
int spool_append_within(spool_t *s, MDB_txn *txn, const spool_str_t *recs,
                        size_t n, uint64_t *first);

/* Keys and numbers, big-endian, at any alignment. */
void spool_put64(void *p, uint64_t v);
uint64_t spool_get64(const void *p);

#endif
