/*
 * salvage.c - wacrmctl spool salvage: what can be read of a damaged spool that
 * lies aside goes into the one in use, but for what was applied; what was in
 * its quarantine, too, to be judged anew. A record that is given twice is found
 * by intake, as one that a gateway sends twice; one that intake cannot read,
 * here, among those in quarantine.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/sha.h>

#include "base/log.h"
#include "control/command.h"

#define BATCH       64
#define BATCH_BYTES ((size_t)1 << 20)
#define FULL_MS     30000 /* for which it waits until intake has made room */
#define NAP_MS      100
#define HELD_MIN    64 /* room for so many at first */

DB_QUERY(salvage_position,
         "SELECT position FROM spool_positions WHERE spool_id = $1");

typedef struct {
    unsigned char sha[SHA256_DIGEST_LENGTH];
} digest_t;

typedef struct {
    command_t *c;
    digest_t *held; /* of the records in quarantine; sorted */
    size_t nheld, room;
    int rc;         /* of reading them */
    uint64_t after; /* applied upto there */
    spool_str_t recs[BATCH];
    char *own[BATCH]; /* their bytes */
    size_t n, bytes;
    uint64_t taken, applied, known, bad;
} salvage_t;

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(digest_t));
}

static bool digest(spool_str_t data, digest_t *d)
{
    return SHA256((const unsigned char *)data.data, data.len, d->sha) != NULL;
}

static int hold(void *ctx, uint64_t seq, const char *reason, spool_str_t data)
{
    salvage_t *s = ctx;

    (void)seq;
    (void)reason;
    if (s->nheld == s->room) {
        size_t room = s->room > 0 ? 2 * s->room : HELD_MIN;
        digest_t *held = reallocarray(s->held, room, sizeof(*held));

        if (held == NULL) {
            return s->rc = SPOOL_NOMEM;
        }
        s->held = held;
        s->room = room;
    }
    if (!digest(data, &s->held[s->nheld])) {
        return s->rc = SPOOL_NOMEM;
    }
    s->nheld++;
    return command_stopping(s->c) ? (s->rc = SPOOL_BUSY) : SPOOL_OK;
}

/* What lies in quarantine before anything is taken. */
static int load_held(salvage_t *s)
{
    int rc = spool_quarantine_walk(s->c->spool, hold, s);

    if (s->nheld > 0) {
        qsort(s->held, s->nheld, sizeof(*s->held), compare);
    }
    return s->rc != SPOOL_OK ? s->rc : rc;
}

static bool is_held(const salvage_t *s, spool_str_t data)
{
    digest_t d;

    return s->nheld > 0 && digest(data, &d) &&
           bsearch(&d, s->held, s->nheld, sizeof(d), compare) != NULL;
}

static void forget(salvage_t *s)
{
    while (s->n > 0) {
        free(s->own[--s->n]);
    }
    s->bytes = 0;
}

static int append(salvage_t *s)
{
    struct timespec nap = {0, NAP_MS * 1000000L};
    int rc = s->n > 0 ? SPOOL_FULL : SPOOL_OK;

    for (int ms = 0;
         rc == SPOOL_FULL && ms < FULL_MS && !command_stopping(s->c);
         ms += NAP_MS) {
        rc = spool_append(s->c->spool, s->recs, s->n, NULL);
        if (rc == SPOOL_FULL) {
            (void)nanosleep(&nap, NULL);
        }
    }
    if (rc == SPOOL_OK) {
        s->taken += s->n;
        forget(s);
    }
    return rc;
}

static int take(void *ctx, uint64_t seq, bool quarantined, spool_str_t data)
{
    salvage_t *s = ctx;
    spool_record_t rec;
    int rc;

    if (command_stopping(s->c)) {
        return SPOOL_BUSY;
    }
    if (seq <= s->after && !quarantined) {
        s->applied++;
        return SPOOL_OK;
    }
    rc = spool_record_decode(data.data, data.len, &rec);
    if (rc == SPOOL_NOMEM) {
        return rc;
    }
    if (rc != SPOOL_OK && rc != SPOOL_FUTURE) {
        s->bad++;
        return SPOOL_OK;
    }
    if (is_held(s, data)) {
        s->known++;
        return SPOOL_OK;
    }
    s->own[s->n] = malloc(data.len);
    if (s->own[s->n] == NULL) {
        return SPOOL_NOMEM;
    }
    memcpy(s->own[s->n], data.data, data.len);
    s->recs[s->n] = (spool_str_t){s->own[s->n], data.len};
    s->n++;
    s->bytes += data.len;
    return s->n == BATCH || s->bytes >= BATCH_BYTES ? append(s) : SPOOL_OK;
}

/* 0 where the database does not know that spool. */
static int load_position(command_t *c, const char *id, uint64_t *position)
{
    db_stmt_t *q = db_stmt(c->db, &salvage_position);
    int rc;

    *position = 0;
    db_bind_text(q, 1, id);
    rc = db_first(q);
    if (rc == DB_ROW) {
        *position = (uint64_t)db_i64(q, 0);
        db_done(q);
        rc = WERR_OK;
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static bool cannot(command_t *c, const char *name, int rc, const char *why)
{
    return command_fail(c, "%s: %s%s%s", name,
                        rc == SPOOL_INVAL ? "there is no such directory in the "
                                            "spool (wacrmctl check names them)"
                                          : spool_strerror(rc),
                        why[0] ? ": " : "", why);
}

static void tell(command_t *c, const salvage_t *s, const spool_salvage_t *found)
{
    command_text(c,
                 "%" PRIu64 " events are in the spool again, %" PRIu64
                 " were applied before, %" PRIu64 " are damaged",
                 s->taken, s->applied, s->bad);
    if (found->quarantined > 0) {
        command_text(c,
                     "%" PRIu64 " of what could be read lay in its quarantine",
                     found->quarantined);
    }
    if (s->known > 0) {
        command_text(c,
                     "%" PRIu64 " lie in quarantine already: wacrmctl spool "
                     "stat names them",
                     s->known);
    }
    if (found->bad > 0) {
        command_text(c,
                     "%" PRIu64 " places of the file cannot be read, each of "
                     "one page or more (%s)",
                     found->bad, found->why);
    }
    command_text(c, "the directory stays: delete it when it is no longer "
                    "wanted");
}

/* rc: of the walk. */
static bool end(salvage_t *s, const char *name, int rc)
{
    const char *why;

    if (rc == SPOOL_OK) {
        rc = append(s);
    }
    forget(s);
    why = command_stopping(s->c) ? "wacrmd ends" : spool_strerror(rc);
    log_info("control",
             "msg=\"spool salvaged\" name=%s taken=%" PRIu64 " applied=%" PRIu64
             " known=%" PRIu64 " damaged=%" PRIu64,
             log_str(name), s->taken, s->applied, s->known, s->bad);
    return rc == SPOOL_OK ||
           command_fail(s->c,
                        "%s: %s, after %" PRIu64 " events; once more, and "
                        "none is applied twice",
                        name, why, s->taken);
}

bool command_spool_salvage(command_t *c, const json_t *request)
{
    const char *name = command_arg(c, request, "name");
    const char *path = spool_path(c->spool);
    salvage_t s = {.c = c};
    spool_salvage_t found;
    int rc;

    if (!name) {
        return false;
    }
    /* its id first, by which the database knows what was applied */
    rc = spool_salvage(path, name, NULL, NULL, &found);
    if (rc != SPOOL_OK) {
        return cannot(c, name, rc, found.why);
    }
    rc = load_position(c, found.id, &s.after);
    if (rc < 0) {
        return command_fail(c, "the database: %s", werr_text(rc));
    }
    rc = load_held(&s);
    if (rc == SPOOL_OK) {
        rc = spool_salvage(path, name, take, &s, &found);
    }
    free(s.held);
    if (!end(&s, name, rc)) {
        return false;
    }
    tell(c, &s, &found);
    return true;
}
