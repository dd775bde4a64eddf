/*
 * spool.h - the durable queue between the nginx module and wacrmd, in LMDB.
 *
 * Producers (nginx workers) append records, one consumer (wacrmd) reads
 * batches and deletes what its database has committed. Keys are 8-byte
 * big-endian sequence numbers that never go back: the next one is kept in a
 * meta record, written in the same transaction as the events, also when the
 * spool is empty. A spool has a random id, made once, by which the database
 * keeps its position.
 *
 * Every commit is synced (no NOSYNC, NOMETASYNC, MAPASYNC, WRITEMAP): when
 * spool_append() has returned SPOOL_OK the records are on disk.
 *
 * Environment layout: directory `path` with data.mdb and lock.mdb (LMDB),
 * open.lock (serialises open and close) and write.lock (writers); damaged ones
 * that were put aside, in directories of their own.
 * Sub-databases: events, quarantine, revoked, meta.
 *
 * A spool_t may be used by several threads of one process at once. Never
 * carry one across fork(). A path is opened once per process: a second open
 * of the same path gives the same handle, counted.
 */
#ifndef WACRM_SPOOL_SPOOL_H
#define WACRM_SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool/record.h"

enum {
    SPOOL_OK = 0,
    SPOOL_EMPTY = -1,   /* nothing there */
    SPOOL_FULL = -2,    /* soft limit or LMDB map reached; try later */
    SPOOL_CORRUPT = -3, /* record or environment damaged */
    SPOOL_FUTURE = -4,  /* record of a later version */
    SPOOL_IO = -5,      /* I/O error; the handle answers SPOOL_IO from then
                           on, until it is closed and opened again (while
                           others hold it: by the next spool_open()) */
    SPOOL_NOMEM = -6,
    SPOOL_BUSY = -7,  /* reader slots used up, open.lock held for too long, or
                         write.lock cannot be taken */
    SPOOL_INVAL = -8, /* wrong argument, bad path, network file system */
};

/* Text of one of the codes above, static. */
const char *spool_strerror(int rc);

typedef struct spool_s spool_t;

/* Of the map where nothing else is configured, in nginx.conf as in
 * wacrmd.conf: room for a million events. */
#define SPOOL_DEFAULT_SIZE ((uint64_t)1 << 30)

/* "corrupt-", the time in UTC, and a number from the second of it on. */
#define SPOOL_ASIDE_LEN 31

typedef struct {
    uint64_t size;  /* LMDB map, bytes, >= 1 MiB; 0 = what the environment
                       has, SPOOL_DEFAULT_SIZE for a new one */
    bool create;    /* make the directory (2770) and the environment if
                       they are not there; files are set to 0660 */
    bool set_aside; /* with create: a spool that is damaged for certain goes
                       into a directory of its own below path, whole, and a
                       new one is begun (docs/spool.md, "Damaged") */
    char aside[SPOOL_ASIDE_LEN + 1]; /* out: its name, also if then the call
                        failed, or a new one was begun beside it only now;
                        "": none was */
    char error[512]; /* out: what happened, in words, when the call failed;
                        after SPOOL_OK empty, or a warning to be logged, as an
                        error where aside is set */
} spool_options_t;

int spool_open(spool_t **out, const char *path, spool_options_t *opt);
/* NULLs *spool; the environment is closed with its last user. */
void spool_close(spool_t **spool);

#define SPOOL_ID_LEN 32
/* The id of this spool: 32 hex digits, terminated. Lives with the handle. */
const char *spool_id(const spool_t *spool);

/*
 * Appends n encoded records in one synced transaction: all or none. *first is
 * the sequence of the first, the others follow it. SPOOL_FULL once the fill
 * (bytes as LMDB lays them out) would pass 80 % of size. Blocks for the sync.
 */
int spool_append(spool_t *spool, const spool_str_t *recs, size_t n,
                 uint64_t *first);

typedef struct {
    uint64_t seq;
    spool_str_t data; /* encoded; spool_record_decode() */
} spool_item_t;

typedef struct {
    spool_item_t *items;
    size_t n;
    size_t bytes; /* of their data */
    void *memory; /* all of it; private */
} spool_batch_t;

/*
 * Copies up to max (> 0) records (and, after the first, up to max_bytes) with a
 * sequence greater than `after` into batch; SPOOL_EMPTY if there are none. No
 * read transaction outlives the call.
 */
int spool_read(spool_t *spool, uint64_t after, size_t max, size_t max_bytes,
               spool_batch_t *batch);
void spool_batch_free(spool_batch_t *batch);

/* Deletes every record with a sequence <= upto, in short transactions. */
int spool_delete(spool_t *spool, uint64_t upto);

/*
 * Moves the record seq to the quarantine with a reason (<= 200 bytes kept) in
 * one transaction; SPOOL_EMPTY if it is not there.
 */
int spool_quarantine(spool_t *spool, uint64_t seq, const char *reason);

/*
 * Walks the quarantine, oldest first, until cb returns non-zero. cb may call
 * the spool; reason and data live until it returns.
 */
typedef int (*spool_quarantine_cb)(void *ctx, uint64_t seq, const char *reason,
                                   spool_str_t data);
int spool_quarantine_walk(spool_t *spool, spool_quarantine_cb cb, void *ctx);

/* Deletes one record of the quarantine; SPOOL_EMPTY if it is not there. */
int spool_quarantine_drop(spool_t *spool, uint64_t seq);
/*
 * Moves one record of the quarantine to the end of the queue, under a sequence
 * of its own, in one transaction. SPOOL_EMPTY, SPOOL_FULL: it stays.
 */
int spool_requeue(spool_t *spool, uint64_t seq);

typedef struct {
    uint64_t next_seq;   /* that the next record will get */
    uint64_t first_seq;  /* of the oldest record; 0 if empty */
    uint64_t records;    /* waiting */
    uint64_t bytes;      /* their fill, as LMDB lays them out */
    uint64_t limit;      /* soft limit of bytes: 80 % of size less what
                            quarantine and revoked take up */
    uint64_t size;       /* of the map */
    uint64_t quarantine; /* records in quarantine */
    unsigned readers;    /* reader slots in use */
} spool_stat_t;
int spool_stat(spool_t *spool, spool_stat_t *st);

/*
 * true if the path has come to lead to another environment, or to none: the
 * directory or data.mdb was renamed, removed or replaced, by a person or as
 * damaged. What this handle holds is then not what others open, and it answers
 * SPOOL_IO to each write; it must be closed by all who hold it.
 */
bool spool_moved(spool_t *spool);

/*
 * true if a call has answered SPOOL_CORRUPT, in whichever process, and a look
 * at the whole file finds it damaged: who opens it next, with set_aside, puts
 * it aside. Costs a look for a file as long as nothing was met; a look that an
 * error of the disk ends is repeated after a minute, then after two, up to 16.
 */
bool spool_damaged(spool_t *spool);

/* Where it lies, by realpath(). Lives with the handle. */
const char *spool_path(const spool_t *spool);

/* Each damaged one that lies aside in the spool at path, in no order; bytes of
 * its files. How many, or an error < 0. */
typedef void (*spool_aside_cb)(void *ctx, const char *name, uint64_t bytes);
int spool_aside_walk(const char *path, spool_aside_cb cb, void *ctx);

typedef struct {
    char id[SPOOL_ID_LEN + 1]; /* of the damaged one; "": cannot be read */
    uint64_t records;          /* that can be read, of its queue */
    uint64_t quarantined;      /* and of its quarantine */
    uint64_t bad;  /* places that cannot, each of one page or more */
    char why[120]; /* the first of them, in words */
} spool_salvage_t;

/*
 * Reads what can be read of the damaged one that lies aside under that name in
 * the spool at path: each record that was in its queue to cb, in the order of
 * their numbers, unless the damage is there; then each of its quarantine. data
 * lives until cb returns, and may be damaged itself. cb NULL: only counts.
 * SPOOL_OK, whatever was passed over; SPOOL_INVAL: nothing lies there;
 * SPOOL_CORRUPT: nothing can be read; SPOOL_IO, SPOOL_NOMEM, SPOOL_FUTURE; or
 * what cb returned, if not 0.
 */
typedef int (*spool_salvage_cb)(void *ctx, uint64_t seq, bool quarantined,
                                spool_str_t data);
int spool_salvage(const char *path, const char *name, spool_salvage_cb cb,
                  void *ctx, spool_salvage_t *out);

/* Clears reader slots of dead processes; number cleared, or an error < 0. */
int spool_reader_check(spool_t *spool);

/*
 * Revoked tokens: written by wacrmd, read by the module. An entry is either a
 * token id ("jti"), or a subject ("sub") whose tokens issued before
 * not_before (seconds) no longer count. Entries end at expires (seconds).
 */
typedef struct {
    bool subject; /* false: id is a jti */
    const char *id;
    int64_t not_before; /* subjects only */
    int64_t expires;
    int64_t as_of; /* now, or 0: a not_before beyond it was set by a clock
                      that has gone back since, and gives way */
} spool_revoked_t;

/* Adds them, all or none; what has been revoked stays so. */
int spool_revoke(spool_t *spool, const spool_revoked_t *entries, size_t n);
/* Deletes the entries that ended before now. */
int spool_revoke_expire(spool_t *spool, int64_t now);

/*
 * 1 if the token (jti, sub, iat) is revoked, 0 if not, an error < 0: SPOOL_BUSY
 * as long as nobody has called spool_revoke(), be it with none, since the spool
 * was begun. Cheap enough for every request; ids are length-counted, jti may be
 * empty.
 */
int spool_revoked(spool_t *spool, spool_str_t jti, spool_str_t sub,
                  int64_t iat);

#endif
