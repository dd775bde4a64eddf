/*
 * store_internal.h - the inside of a store: the writer's ticket lock and the
 * checkpoint thread.
 */
#ifndef WACRM_DB_STORE_INTERNAL_H
#define WACRM_DB_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "db/sqlite.h"
#include "db/store.h"
#include "db/touched.h"

/* First come, first served. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    _Atomic uint64_t next;    /* ticket of the next comer */
    _Atomic uint64_t serving; /* ticket that holds the lock */
} ticket_lock_t;

void ticket_lock(ticket_lock_t *l);
void ticket_unlock(ticket_lock_t *l);

struct store_s {
    char *path;
    db_t *writer; /* under lock */
    ticket_lock_t lock;
    touched_t touched;

    pthread_t checkpointer;
    bool checkpointer_runs;
    pthread_mutex_t mutex; /* of the flags, the condition, long_db */
    pthread_cond_t cond;
    bool stopping;
    int forget; /* how often the log is still to be emptied */
    db_t *checkpoint_db;
    db_t *long_db; /* of the backup or check that runs, or NULL */
    bool interrupted;
    _Atomic int wal_pages; /* of the log after the last commit */

    _Atomic int64_t checkpoints, commits, commit_us;
    _Atomic int64_t faults, backups, backups_failed, backup_at;
    int64_t backup_since;
    _Atomic bool backup_is_bad;
};

/* When the last backup was made, and since when there are to be some. */
int backup_recall(store_t *store) WACRM_CHECKED;

int checkpoint_start(store_t *store) WACRM_CHECKED;
void checkpoint_stop(store_t *store);

#endif
