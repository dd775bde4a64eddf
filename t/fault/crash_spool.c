/*
 * crash_spool - what a power cut leaves of the spool.
 *
 *   crash_spool make DIR              an empty spool
 *   crash_spool record DIR COMMITS    commits to it, under record.so
 *   crash_spool check LOG BEFORE DIR  every state after a cut, in DIR
 *
 * In every state: the spool opens; each record whose append had returned is
 * there, whole, unless its deletion was begun; none whose deletion had
 * returned is; any other is whole; the token that was revoked is, for as long
 * as it was said; the next number is a new one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t/fault/crash/log.h"
#include "spool/spool.h"

#define SPOOL_SIZE  ((uint64_t)8 << 20)
#define RECORD_MAX  6000
#define RECORDS_MAX 4096
#define BATCH_MAX   6
#define TOKEN       "token"

typedef enum { APPENDED, DELETING, DELETED, REVOKED } what_t;

typedef struct {
    uint64_t what;
    uint64_t seq; /* the first; the last of what is deleted; when it ends */
    uint64_t n;
    uint64_t id; /* of the first */
} mark_t;

static void mark(what_t what, uint64_t seq, uint64_t n, uint64_t id)
{
    mark_t m = {what, seq, n, id};

    crash_mark(&m, sizeof(m));
}

static int fail(const char *what, int rc)
{
    fprintf(stderr, "crash_spool: %s: %s\n", what, spool_strerror(rc));
    return 1;
}

/* ---- records that know what they are ---- */

static uint64_t mix(uint64_t n)
{
    n = (n ^ (n >> 31)) * 0x7fb5d329728ea185u;
    n = (n ^ (n >> 27)) * 0x81dadef4bc2dd44du;
    return n ^ (n >> 33);
}

static size_t record_len(uint64_t id)
{
    return sizeof(id) + mix(id) % (id % 3 == 0 ? RECORD_MAX - 8 : 400);
}

static void record_put(char *out, uint64_t id)
{
    size_t len = record_len(id);

    memcpy(out, &id, sizeof(id));
    for (size_t i = sizeof(id); i < len; i++) {
        out[i] = (char)mix(id * 8191 + i);
    }
}

static bool record_whole(spool_str_t data, uint64_t *id)
{
    char want[RECORD_MAX];

    if (data.len < sizeof(*id) || data.len > RECORD_MAX) {
        return false;
    }
    memcpy(id, data.data, sizeof(*id));
    if (record_len(*id) != data.len) {
        return false;
    }
    record_put(want, *id);
    return memcmp(want, data.data, data.len) == 0;
}

/* ---- recording ---- */

static int open_spool(spool_t **spool, const char *dir, bool create)
{
    spool_options_t o = {.size = SPOOL_SIZE, .create = create};
    int rc = spool_open(spool, dir, &o);

    if (rc != SPOOL_OK) {
        fprintf(stderr, "crash_spool: %s: %s\n", spool_strerror(rc), o.error);
    }
    return rc;
}

static int append_some(spool_t *spool, uint64_t *id, uint64_t *last)
{
    static char space[BATCH_MAX][RECORD_MAX];
    spool_str_t recs[BATCH_MAX];
    size_t n = 1 + mix(*id) % BATCH_MAX;
    uint64_t first;
    int rc;

    for (size_t i = 0; i < n; i++) {
        record_put(space[i], *id + i);
        recs[i].data = space[i];
        recs[i].len = record_len(*id + i);
    }
    rc = spool_append(spool, recs, n, &first);
    if (rc == SPOOL_OK) {
        mark(APPENDED, first, n, *id);
        *id += n;
        *last = first + n - 1;
    }
    return rc;
}

static int delete_some(spool_t *spool, uint64_t upto)
{
    int rc;

    mark(DELETING, upto, 0, 0);
    rc = spool_delete(spool, upto);
    if (rc == SPOOL_OK) {
        mark(DELETED, upto, 0, 0);
    }
    return rc;
}

/* Each time for a longer while. */
static int revoke_token(spool_t *spool, int64_t expires)
{
    spool_revoked_t entry = {.id = TOKEN, .expires = expires};
    int rc = spool_revoke(spool, &entry, 1);

    if (rc == SPOOL_OK) {
        mark(REVOKED, (uint64_t)expires, 0, 0);
    }
    return rc;
}

static int record(const char *dir, unsigned commits)
{
    uint64_t id = 1, last = 0;
    spool_t *spool = NULL;
    int rc = open_spool(&spool, dir, false);

    for (unsigned i = 0; rc == SPOOL_OK && i < commits; i++) {
        if (i % 5 == 4 && last > 6) {
            rc = delete_some(spool, last - mix(i) % 6);
        } else if (i % 17 == 16) {
            rc = revoke_token(spool, 1000 + (int64_t)i);
        } else {
            rc = append_some(spool, &id, &last);
        }
    }
    spool_close(&spool);
    return rc == SPOOL_OK ? 0 : fail("recording", rc);
}

/* ---- checking ---- */

typedef struct {
    const char *dir;
    uint64_t ids[RECORDS_MAX]; /* by number; 0: none was acknowledged */
    uint64_t last, deleting, deleted;
    int64_t revoked; /* when it ends; 0: it is not */
    size_t marks;
} known_t;

/* For the handler: a spool that crashes its reader says which one it was. */
static char where[160];

static void on_crash(int signal_number)
{
    static const char text[] = "crash_spool: the reader crashed at ";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)!write(STDERR_FILENO, where, strlen(where));
    (void)!write(STDERR_FILENO, "\n", 1);
    _exit(128 + signal_number);
}

static void take_mark(void *arg, const void *data, size_t len)
{
    known_t *k = arg;
    mark_t m;

    if (len != sizeof(m)) {
        return;
    }
    memcpy(&m, data, sizeof(m));
    k->marks++;
    switch ((what_t)m.what) {
    case APPENDED:
        for (uint64_t i = 0; i < m.n && m.seq + i < RECORDS_MAX; i++) {
            k->ids[m.seq + i] = m.id + i;
            k->last = m.seq + i;
        }
        break;
    case DELETING:
        k->deleting = m.seq;
        break;
    case DELETED:
        k->deleted = m.seq;
        break;
    case REVOKED:
        k->revoked = (int64_t)m.seq;
        break;
    }
}

static bool bad(const char *what, uint64_t seq)
{
    fprintf(stderr, "crash_spool: %s, record %llu, at %s\n", what,
            (unsigned long long)seq, where);
    return false;
}

static bool check_batch(const known_t *k, const spool_batch_t *batch,
                        uint64_t *next)
{
    for (size_t i = 0; i < batch->n; i++) {
        uint64_t seq = batch->items[i].seq;
        uint64_t id;

        while (*next < seq && *next <= k->last) {
            if (*next > k->deleting) {
                return bad("an acknowledged record is missing", *next);
            }
            (*next)++;
        }
        if (!record_whole(batch->items[i].data, &id)) {
            return bad("a record is damaged", seq);
        }
        if (seq <= k->deleted) {
            return bad("a deleted record is back", seq);
        }
        if (seq <= k->last && k->ids[seq] != id) {
            return bad("another record's contents", seq);
        }
        *next = seq + 1;
    }
    return true;
}

static bool check_records(const known_t *k, spool_t *spool)
{
    uint64_t next = 1, after = 0;
    bool ok = true;
    int rc;

    do {
        spool_batch_t batch;

        rc = spool_read(spool, after, 64, 1 << 20, &batch);
        if (rc == SPOOL_OK) {
            ok = check_batch(k, &batch, &next);
            after = batch.items[batch.n - 1].seq;
            spool_batch_free(&batch);
        }
    } while (ok && rc == SPOOL_OK);
    if (ok && rc != SPOOL_EMPTY) {
        return bad(spool_strerror(rc), after);
    }
    if (ok && next <= k->last && k->deleting < k->last) {
        return bad("an acknowledged record is missing", next);
    }
    return ok;
}

/* It outlives all that ended before it does. */
static bool check_revoked(const known_t *k, spool_t *spool)
{
    const spool_str_t jti = {TOKEN, sizeof(TOKEN) - 1};
    int rc;

    if (k->revoked == 0) {
        return true;
    }
    rc = spool_revoke_expire(spool, k->revoked);
    if (rc == SPOOL_OK) {
        rc = spool_revoked(spool, jti, (spool_str_t){"", 0}, 0);
    }
    if (rc < 0) {
        return bad(spool_strerror(rc), 0);
    }
    return rc == 1 || bad("a revoked token counts again", 0);
}

static bool check_next(const known_t *k, spool_t *spool)
{
    spool_str_t rec = {"12345678", 8};
    uint64_t first = 0;
    int rc = spool_append(spool, &rec, 1, &first);

    if (rc != SPOOL_OK) {
        return bad(spool_strerror(rc), 0);
    }
    return first > k->last || bad("a number is given twice", first);
}

static bool check_state(void *arg, const crash_state_t *state)
{
    const known_t *k = arg;
    spool_t *spool;
    bool ok;

    snprintf(where, sizeof(where), "state %zu (operation %zu, %s)",
             state->number, state->op, state->what);
    if (open_spool(&spool, k->dir, false) != SPOOL_OK) {
        return bad("it does not open", 0);
    }
    ok = check_records(k, spool) && check_revoked(k, spool) &&
         check_next(k, spool);
    spool_close(&spool);
    return ok;
}

static int check(const char *path, const char *before, const char *dir)
{
    static known_t known;
    const crash_options_t options = {
        .pairs = SIZE_MAX, .subsets = 8, .torn = 0, .seed = 20260301};
    const crash_walk_t walk = {take_mark, check_state, &known, dir};
    crash_log_t *log = crash_load(path, before);
    size_t n = 0;

    known.dir = dir;
    (void)signal(SIGSEGV, on_crash);
    (void)signal(SIGBUS, on_crash);
    (void)signal(SIGABRT, on_crash);
    if (log != NULL) {
        n = crash_walk(log, &options, &walk);
        crash_free(log);
    }
    if (n > 0) {
        printf("states=%zu marks=%zu records=%llu\n", n, known.marks,
               (unsigned long long)known.last);
    }
    return n > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    spool_t *spool = NULL;

    if (argc == 3 && strcmp(argv[1], "make") == 0) {
        int rc = open_spool(&spool, argv[2], true);

        spool_close(&spool);
        return rc != SPOOL_OK;
    }
    if (argc == 4 && strcmp(argv[1], "record") == 0) {
        return record(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    }
    if (argc == 5 && strcmp(argv[1], "check") == 0) {
        return check(argv[2], argv[3], argv[4]);
    }
    fprintf(stderr, "usage: crash_spool make DIR | record DIR COMMITS |"
                    " check LOG BEFORE DIR\n");
    return 2;
}
