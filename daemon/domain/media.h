/*
 * media.h - files: rows of who sent what, and the bytes, stored once by their
 * SHA-256 below domain_settings_t.media_dir ("ab/cdef..").
 *
 * Bytes come first: they are written to a temporary name, synced, renamed;
 * then the row is added in a transaction. A file without a row is garbage,
 * which housekeeping takes away; between the two media_blob_t holds it off.
 */
#ifndef WACRM_DOMAIN_MEDIA_H
#define WACRM_DOMAIN_MEDIA_H

#include "base/buf.h"
#include "base/sniff.h"
#include "domain/domain.h"
#include "domain/session.h"

#define MEDIA_HASH     65 /* hex */
#define MEDIA_ID       33
#define MEDIA_NAME_MAX 121
#define MEDIA_PATH_MAX 512

/* ---- bytes: media_file.c ---- */

/* A file that lies there, and stays until media_release(), on any thread;
 * while it is held it lies in a list: it is neither moved nor copied. */
typedef struct media_blob_s {
    const sniff_t *type;
    char hash[MEDIA_HASH];
    int64_t size;
    bool held;
    struct media_blob_s *next; /* of those held */
} media_blob_t;

/*
 * WERR_TOOBIG: over media_max; WERR_INVALID: not a type that is known and
 * allowed; WERR_FULL, WERR_IO. After WERR_OK the caller releases it.
 */
int media_store(const domain_t *d, const void *data, size_t len,
                media_blob_t *out) WACRM_CHECKED;
/* A new file to write to; path has MEDIA_PATH_MAX bytes. */
int media_temp(const domain_t *d, char *path, int *fd) WACRM_CHECKED;
/* The same as media_store() for what was written there; the file at path is
 * gone or renamed afterwards. fd stays the caller's. */
int media_settle(const domain_t *d, const char *path, int fd,
                 media_blob_t *out) WACRM_CHECKED;
void media_release(media_blob_t *b);
/* Its bytes, to read from; WERR_NOTFOUND: lost, WERR_IO: of another size. fd
 * is the caller's after WERR_OK. */
int media_open(const domain_t *d, const char *hash, int64_t size,
               int *fd) WACRM_CHECKED;
/* Takes files away that no row has; count. Each hour, counted from 1970, does
 * another part of the directory, in MEDIA_SWEEPS calls: which = 0, 1 ... */
#define MEDIA_SWEEPS 16
int media_sweep(domain_t *d, int64_t hour, unsigned which) WACRM_CHECKED;
/* The file of this hash, if no row has it and nobody holds it; count. */
int media_discard(domain_t *d, const char *hash) WACRM_CHECKED;

/* ---- rows: media.c ---- */

typedef struct {
    int64_t id, size;
    int64_t user; /* who uploaded it; 0: nobody */
    char public_id[MEDIA_ID];
    char hash[MEDIA_HASH];
    char mime[80];
    char filename[MEDIA_NAME_MAX]; /* "": none */
} media_row_t;

/* Adds a row that no message has yet. filename may be NULL; it is cut, and
 * gets the ending of its type where it has none of a known one. */
int media_add(tx_t *tx, const media_blob_t *b, const char *filename,
              int64_t user, media_row_t *out) WACRM_CHECKED;
int media_find(db_t *db, const char *public_id, media_row_t *out) WACRM_CHECKED;
int media_of_message(db_t *db, int64_t message, media_row_t *out) WACRM_CHECKED;
/* May they see it? Who uploaded it, and who sees a message with it:
 * WERR_OK, or WERR_NOTFOUND. */
int media_visible(db_t *db, const media_row_t *m, int64_t user,
                  const session_set_t *sessions) WACRM_CHECKED;

/* A message of ours waits for the file at url; type_told: that it is sent as
 * the message's type says, whatever it is. */
int media_expect(tx_t *tx, int64_t message, const char *url,
                 bool type_told) WACRM_CHECKED;
/* A message of ours gets it. */
int media_attach(tx_t *tx, int64_t message, int64_t media) WACRM_CHECKED;
/* The message's media row goes, and what no other message has with it. */
int media_detach(tx_t *tx, int64_t message) WACRM_CHECKED;

/* Deletes rows that no message has after a day, and their files, some at a
 * time: count, 0 where none is left. */
int media_housekeep(domain_t *d) WACRM_CHECKED;

/* ---- what lies elsewhere: media_fetch.c ---- */

typedef struct {
    int64_t message;
    int64_t tries;
    char *url; /* malloc'd */
    char filename[MEDIA_NAME_MAX];
    char account[64];
    bool outgoing;     /* an agent's, for a message that waits for it */
    bool image;        /* must be one */
    bool undecided;    /* an image makes the message one */
    int64_t queued_at; /* the message, ms */
} media_fetch_t;

/* Those due at now, the earliest first. *next: ms of the next one. */
int media_due(db_t *db, int64_t now, media_fetch_t *out, size_t max, size_t *n,
              int64_t *next) WACRM_CHECKED;
void media_fetch_free(media_fetch_t *f, size_t n);
/* It is here: the message has it. */
int media_fetched(tx_t *tx, const media_fetch_t *f,
                  const media_blob_t *b) WACRM_CHECKED;
/* Once more at `again` (ms), or never (0): a message that waits for it has
 * failed then. tried: it counts as a try. */
int media_not_fetched(tx_t *tx, const media_fetch_t *f, int64_t again,
                      bool tried, const char *reason) WACRM_CHECKED;
/* By hand, what has been given up of a donor's; WERR_CONFLICT: it has not. */
int media_fetch_again(tx_t *tx, int64_t message) WACRM_CHECKED;
/* Its message does not leave: nobody waits for it any more. */
int media_fetch_stop(tx_t *tx, int64_t message) WACRM_CHECKED;

#endif
