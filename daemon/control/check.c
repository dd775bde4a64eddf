/*
 * check.c - wacrmctl check: is what lies on disk whole? Looks at everything and
 * mends nothing. While wacrmd is down it opens the spool itself, which clears
 * the reader slots of the dead, sets the files' modes, and takes the note
 * "suspect" away where all of the file is sound.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command.h"
#include "domain/media.h"

#define BATCH       256
#define BATCH_BYTES ((size_t)1 << 20)
#define NAMED_MAX   10 /* findings of one kind that are named */

DB_QUERY(check_media, "SELECT id, hash, size FROM media WHERE id > $1 "
                      "ORDER BY id LIMIT 500");

typedef struct {
    command_t *c;
    int findings;
} check_t;

static void database(check_t *k)
{
    const char *path = k->c->config->database;
    char reason[256] = "";
    int rc = WERR_CORRUPT;

    if (k->c->broken) {
        (void)snprintf(reason, sizeof(reason), "%s", k->c->broken);
    } else {
        rc = store_check(k->c->domain->store, reason, sizeof(reason));
    }
    if (rc == WERR_OK) {
        command_text(k->c, "database %s: ok", path);
        return;
    }
    if (command_stopping(k->c)) {
        return;
    }
    k->findings++;
    command_text(k->c,
                 "database %s: %s: stop wacrmd, keep a copy of the file, and "
                 "restore a backup (wacrmctl restore FILE)",
                 path, reason[0] ? reason : werr_text(rc));
}

/* ---- the spool ---- */

static void count_damaged(const spool_batch_t *b, int64_t *n, int64_t *bad)
{
    spool_record_t rec;

    for (size_t i = 0; i < b->n; i++) {
        const spool_str_t *data = &b->items[i].data;

        (*n)++;
        *bad += spool_record_decode(data->data, data->len, &rec) != SPOOL_OK;
    }
}

static int walk_spool(spool_t *spool, const command_t *stop, int64_t *n,
                      int64_t *bad)
{
    spool_batch_t batch;
    uint64_t after = 0;
    int rc;

    *n = *bad = 0;
    while ((rc = spool_read(spool, after, BATCH, BATCH_BYTES, &batch)) ==
           SPOOL_OK) {
        after = batch.items[batch.n - 1].seq;
        count_damaged(&batch, n, bad);
        spool_batch_free(&batch);
        if (stop != NULL && command_stopping(stop)) {
            break;
        }
    }
    return rc == SPOOL_EMPTY ? SPOOL_OK : rc;
}

static void spool_is_damaged(check_t *k, const char *why)
{
    k->findings++;
    command_text(k->c,
                 "spool %s: %s: nginx or wacrmd, whichever opens it next, puts "
                 "it aside, whole, and begins a new one: restart wacrmd",
                 k->c->config->spool, why);
}

static void spool_cannot_be_opened(check_t *k, const char *why)
{
    k->findings++;
    command_text(k->c, "spool %s: %s", k->c->config->spool, why);
}

/* Sound is what is in use; what is left of another one is for a person. */
static void tell_aside(void *ctx, const char *name, uint64_t bytes)
{
    check_t *k = ctx;

    command_text(k->c,
                 "spool %s: warning: a damaged one lies in %s/%s, %llu bytes: "
                 "wacrmctl spool salvage %s applies what can be read of it; "
                 "delete it when it is no longer wanted",
                 k->c->config->spool, k->c->config->spool, name,
                 (unsigned long long)bytes, name);
}

static void tell_spool(check_t *k, spool_t *spool)
{
    const char *path = k->c->config->spool;
    spool_stat_t st = {0};
    int64_t n = 0, bad = 0;
    int rc = spool_stat(spool, &st);

    if (rc == SPOOL_OK) {
        rc = walk_spool(spool, k->c, &n, &bad);
    }
    if (command_stopping(k->c)) {
        return;
    }
    if (rc == SPOOL_OK && bad == 0 && st.quarantine == 0) {
        command_text(k->c, "spool %s: ok, %lld events wait", path,
                     (long long)n);
        return;
    }
    if (rc != SPOOL_OK) {
        spool_is_damaged(k, spool_strerror(rc));
        return;
    }
    k->findings++;
    command_text(k->c,
                 "spool %s: %lld damaged events of %lld, %llu in quarantine: "
                 "wacrmctl spool stat says why, and after an upgrade spool "
                 "requeue all gives them once more; the others are applied",
                 path, (long long)bad, (long long)n,
                 (unsigned long long)st.quarantine);
}

/*
 * LMDB ends the process that meets a page which is not what it must be, and a
 * file that is cut is a SIGBUS: so another process goes first. True: it came
 * through, whatever it found.
 */
static bool may_be_walked(const char *path)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        spool_options_t o = {0};
        spool_t *own = NULL;
        int64_t n, bad;

        if (spool_open(&own, path, &o) == SPOOL_OK) {
            (void)walk_spool(own, NULL, &n, &bad);
            spool_close(&own);
        }
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status);
}

static void look_at_spool(check_t *k)
{
    const char *path = k->c->config->spool;
    spool_options_t o = {0};
    spool_t *own = NULL;
    int rc;

    if (k->c->spool) {
        tell_spool(k, k->c->spool);
        return;
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        command_text(k->c, "spool %s: none yet", path);
        return;
    }
    if (!may_be_walked(path)) {
        spool_is_damaged(k, "damaged");
        return;
    }
    rc = spool_open(&own, path, &o);
    if (rc == SPOOL_OK) {
        tell_spool(k, own);
        spool_close(&own);
    } else if (rc == SPOOL_CORRUPT) {
        spool_is_damaged(k, o.error[0] ? o.error : spool_strerror(rc));
    } else {
        spool_cannot_be_opened(k, o.error[0] ? o.error : spool_strerror(rc));
    }
}

static void spool(check_t *k)
{
    look_at_spool(k);
    (void)spool_aside_walk(k->c->config->spool, tell_aside, k);
}

/* ---- the index, the files ---- */

static void search(check_t *k)
{
    const char *path = k->c->config->search_index;
    char reason[256] = "";
    store_t *store = k->c->broken ? NULL : k->c->domain->store;
    struct stat st;
    int rc;

    if (stat(path, &st) != 0 || st.st_size == 0) {
        command_text(k->c, "search %s: none, it is made when wacrmd runs",
                     path);
        return;
    }
    rc = store_check_file(store, path, reason, sizeof(reason));
    if (rc == WERR_OK) {
        command_text(k->c, "search %s: ok", path);
    }
    if (rc == WERR_OK || command_stopping(k->c)) {
        return;
    }
    k->findings++;
    command_text(k->c, "search %s: %s: wacrmctl search rebuild makes it anew",
                 path, reason);
}

static void tell_file(check_t *k, const char *hash, int rc, int64_t bad)
{
    if (bad <= NAMED_MAX) {
        command_text(k->c, "media %s/%.2s/%s: %s",
                     k->c->domain->settings.media_dir, hash, hash + 2,
                     rc == WERR_NOTFOUND ? "the file is missing"
                                         : "the file is of another size");
    }
}

/* One page of files; *last: where to go on, 0 at the end. */
static int media_page(check_t *k, int64_t *last, int64_t *n, int64_t *bad)
{
    db_stmt_t *s = db_stmt(k->c->db, &check_media);
    int64_t from = *last;
    int rc;

    db_bind_i64(s, 1, from);
    *last = 0;
    while ((rc = db_step(s)) == DB_ROW) {
        const char *hash = db_text(s, 1);
        int fd = -1;
        int got = media_open(k->c->domain, hash, db_i64(s, 2), &fd);

        *last = db_i64(s, 0);
        (*n)++;
        if (got == WERR_OK) {
            (void)close(fd);
        } else {
            (*bad)++;
            tell_file(k, hash, got, *bad);
        }
    }
    return rc;
}

static void media(check_t *k)
{
    const char *dir = k->c->domain->settings.media_dir;
    int64_t last = 0, n = 0, bad = 0;
    int rc = DB_DONE;

    if (!dir) {
        return;
    }
    do {
        rc = media_page(k, &last, &n, &bad);
    } while (rc == DB_DONE && last > 0 && !command_stopping(k->c));
    if (command_stopping(k->c)) {
        return;
    }
    if (rc == DB_DONE && bad == 0) {
        command_text(k->c, "media %s: ok, %lld files", dir, (long long)n);
        return;
    }
    k->findings++;
    command_text(k->c,
                 "media %s: %lld of %lld files are not as they were%s: copy "
                 "them back from a backup",
                 dir, (long long)bad, (long long)n,
                 rc < 0 ? ", and the rest cannot be told" : "");
}

bool command_check(command_t *c, const json_t *request)
{
    check_t k = {.c = c};

    (void)request;
    database(&k);
    spool(&k);
    search(&k);
    if (c->broken) {
        command_text(c, "media: cannot be told without the database");
    } else {
        media(&k);
    }
    if (command_stopping(c)) {
        return command_fail(c, "wacrmd ends: not all was looked at");
    }
    return k.findings == 0 ||
           command_fail(c, "%d of the above %s not whole", k.findings,
                        k.findings == 1 ? "is" : "are");
}
