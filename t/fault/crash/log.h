/*
 * log.h - what a program has written and synced, as t/fault/record.c saw it,
 * and the files that a power cut may leave of it.
 *
 * The model: a write is on disk once a later fdatasync() or fsync() of its
 * file has returned, or when the descriptor was opened with O_DSYNC. Until
 * then any of the writes may be there or not, in any combination, and the
 * last one in part, by sectors of 512 bytes. This is the model of
 * Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014, without
 * what file systems reorder among directory entries: the files are there
 * before the recording starts.
 */
#ifndef WACRM_T_CRASH_LOG_H
#define WACRM_T_CRASH_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_FILES  16
#define CRASH_SECTOR 512

/* As they follow each other in the log; `len` bytes come behind each, filled
 * up to a multiple of eight. */
#define CRASH_PADDED(len) (((len) + 7) & ~(uint64_t)7)

typedef enum {
    CRASH_NAME = 1, /* of the file, at its first appearance */
    CRASH_WRITE,
    CRASH_WRITE_SYNCED, /* by O_DSYNC */
    CRASH_TRUNCATE,     /* to `at` */
    CRASH_SYNC,
    CRASH_MARK, /* of the program: crash_mark() */
} crash_kind_t;

typedef struct {
    uint32_t kind;
    uint32_t file;
    uint64_t at;
    uint64_t len;
} crash_op_t;

typedef struct crash_log_s crash_log_t;

/* The log, and the files of a directory as they were before. NULL with a
 * message on standard error. */
crash_log_t *crash_load(const char *log, const char *before);
void crash_free(crash_log_t *log);

typedef struct {
    size_t pairs;   /* at most so many pairs of lost writes per sync */
    size_t subsets; /* seeded ones per sync */
    size_t torn;    /* at most so many tears per write, evenly spread; 0: one
                     * for each sector */
    uint64_t seed;
} crash_options_t;

typedef struct {
    size_t number; /* from 1 */
    const char *what;
    size_t op; /* the cut comes after this one */
} crash_state_t;

typedef struct {
    /* A mark is passed: what it promises holds in every later state. */
    void (*mark)(void *arg, const void *data, size_t len);
    /* The files of a state are in the directory; false ends the walk. */
    bool (*state)(void *arg, const crash_state_t *state);
    void *arg;
    const char *dir; /* where they are written, again for each state */
} crash_walk_t;

/* Visits the states in the order of the log; the number of them, 0 if one
 * was bad or could not be made. */
size_t crash_walk(crash_log_t *log, const crash_options_t *options,
                  const crash_walk_t *walk);

/* In the recorded program: puts a mark into the log. Not recorded: nothing. */
void crash_mark(const void *data, size_t len);

#endif
