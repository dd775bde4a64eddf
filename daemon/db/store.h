/*
 * store.h - the database of the CRM: one writer, readers, migrations.
 *
 * SQLite in WAL mode, synchronous=FULL; settings and why: docs/database.md.
 * The writer connection is taken through a ticket lock, first come first
 * served. A checkpoint thread keeps the WAL short.
 */
#ifndef WACRM_DB_STORE_H
#define WACRM_DB_STORE_H

#include "db/db.h"

typedef struct store_s store_t;

typedef struct {
    const char *path; /* of the database file; made if it is not there */
    bool is_copy;     /* it is one itself: none is kept of it */
    char error[256];  /* out: in words, when the call failed */
} store_options_t;

/*
 * Opens, migrates (a copy of the file is kept beside it before: <path>.vN),
 * starts the checkpoint thread. A newer schema: WERR_FUTURE. Statistics that
 * somebody has gathered (ANALYZE) go: with them the planner may leave the plans
 * that t/unit/test_plan has seen, and read a big table for each message.
 */
int store_open(store_t **out, store_options_t *options) WACRM_CHECKED;
/* All readers must be closed. */
void store_close(store_t **store);

/* A read connection for one thread. */
int store_reader(store_t *store, db_t **out) WACRM_CHECKED;
void store_reader_close(db_t **db);

typedef int (*store_fn)(db_t *db, void *arg);

/*
 * Runs fn, once, in one write transaction: committed with sync if it returns
 * >= 0, else rolled back. The result is fn's, or the commit's error, or that
 * of BEGIN IMMEDIATE, which waits 5 s for another process. Not to be nested.
 */
int store_write(store_t *store, store_fn fn, void *arg) WACRM_CHECKED;

/* true while somebody waits for the writer: time to end a long batch. */
bool store_contended(store_t *store);

/* ---- what has changed since ---- */

/* A set of what an answer depends on. */
typedef uint64_t store_topics_t;
/* Who may see what: users, sessions, their members. */
#define STORE_ACCESS ((store_topics_t)1 << 62)
/* Whatever is in the database: every commit counts as a change. */
#define STORE_ANY_COMMIT ((store_topics_t)1 << 63)
/* The list of a session's chats: what it shows of chats, contacts and
 * messages, and their order. */
store_topics_t store_topic_session(int64_t id);

/*
 * The number of commits that have returned, or are about to. What is read in a
 * transaction that begins after this call is of that version or of a later
 * one.
 */
int64_t store_version(store_t *store);
/*
 * The last version that has changed any of them: what is of that version, or
 * of a later one, still holds. A commit is counted before its store_write()
 * returns, so that who writes reads what they wrote.
 */
int64_t store_changed(store_t *store, store_topics_t topics);
/* The same of one chat's row, its messages and its contact. */
int64_t store_chat_changed(store_t *store, int64_t chat, int64_t contact);

/* A consistent copy into a new file (VACUUM INTO), fsynced. */
int store_backup(store_t *store, const char *path) WACRM_CHECKED;
/*
 * Puts the backup `from` in the place of the database `path`, which nobody
 * may have open: copied, migrated and checked first. The old one stays beside
 * it, as `kept`, which is "" where there was none.
 */
int store_restore(const char *from, const char *path, char *kept, size_t n,
                  char *error, size_t size) WACRM_CHECKED;
/* quick_check and foreign_key_check; reason in words. */
int store_check(store_t *store, char *reason, size_t size) WACRM_CHECKED;
/* quick_check of another file of SQLite's, which is not changed. store: whose
 * store_interrupt() ends it, or NULL. */
int store_check_file(store_t *store, const char *path, char *reason,
                     size_t size) WACRM_CHECKED;
/* From any thread, for good: a backup or check that runs ends soon, those that
 * come at once, with WERR_STOPPING. To be called again until it has ended: one
 * call may fall between two statements. */
void store_interrupt(store_t *store);
/* What has been deleted leaves the log, too, as soon as no reader needs it:
 * now, and once more after half a minute for what follows of it (the search
 * index's list of changes). In the database itself it is overwritten. */
void store_forget(store_t *store);

typedef struct {
    int64_t wal_bytes;
    int64_t db_bytes;
    int64_t checkpoints;
    int64_t commits;
    int64_t commit_us; /* sum */
    int64_t faults;    /* writes that a fault of the machine has undone */
    int64_t backups, backups_failed;
    int64_t backup_at; /* ms of the last good one; 0: none of this database */
    /* ms: since when there are to be backups: the database was made, restored,
     * or first opened by a wacrmd that notes them */
    int64_t backup_since;
    bool backup_is_bad; /* the last one since the start has failed */
} store_stat_t;
void store_stat(store_t *store, store_stat_t *st);

#endif
