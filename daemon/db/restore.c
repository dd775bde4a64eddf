/*
 * restore.c - a backup in the place of a database.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/file.h"
#include "db/sqlite.h"
#include "db/store.h"

/* What waited to be sent may have left since the backup was made: as if in
 * flight, it is unknown at the next start, and only a person sends it again. */
DB_QUERY(restore_doubt, "UPDATE outbox SET state = 1 WHERE state = 0 "
                        "AND kind = 'message'");

/* Numbers of events are given once more, to other events: whoever followed
 * the old database has to see that (domain/event_feed.h). */
DB_QUERY(restore_feed,
         "INSERT INTO settings (name, value) VALUES ('feed', $1) "
         "ON CONFLICT (name) DO UPDATE SET value = excluded.value");

/* The notes are those of before the backup: it is counted anew. */
DB_QUERY(restore_backups, "DELETE FROM settings "
                          "WHERE name IN ('backup_at', 'backup_since')");

#define KEPT_MAX 100 /* of one second */

static const char *const parts[] = {"", "-wal", "-shm"};

static int doubt(db_t *db, void *arg)
{
    uint64_t random;
    char name[17];
    db_stmt_t *s;
    int rc = db_exec(db_stmt(db, &restore_doubt));

    (void)arg;
    if (rc == WERR_OK) {
        rc = db_exec(db_stmt(db, &restore_backups));
    }
    if (rc != WERR_OK) {
        return rc;
    }
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return WERR_SYSTEM;
    }
    (void)snprintf(name, sizeof(name), "%016" PRIx64, random);
    s = db_stmt(db, &restore_feed);
    db_bind_text(s, 1, name);
    return db_exec(s);
}

/* The copy must be whole, and of a schema that we know. */
static int check_copy(const char *copy, char *error, size_t size)
{
    store_options_t o = {.path = copy, .is_copy = true};
    store_t *store = NULL;
    char reason[200] = "";
    int rc = store_open(&store, &o);

    if (rc < 0) {
        (void)snprintf(error, size, "%s", o.error);
        return rc;
    }
    rc = store_check(store, reason, sizeof(reason));
    if (rc < 0) {
        (void)snprintf(error, size, "the backup is damaged: %s", reason);
    }
    if (rc == WERR_OK) {
        rc = store_write(store, doubt, NULL);
        if (rc < 0) {
            (void)snprintf(error, size, "%s: %s", copy, werr_text(rc));
        }
    }
    store_close(&store);
    return rc;
}

static int make_copy(const char *from, const char *copy, char *error,
                     size_t size)
{
    db_t *db = NULL;
    int rc;

    if (access(from, R_OK) != 0) {
        (void)snprintf(error, size, "%s: %s", from, strerrordesc_np(errno));
        return WERR_NOTFOUND;
    }
    rc = sqlite_open(&db, from, SQLITE_ROLE_CHECKPOINT, error, size);
    if (rc < 0) {
        return rc;
    }
    rc = file_copy_database(db, copy, true);
    if (rc < 0) {
        (void)snprintf(error, size, "%s: %s", from, db_message(db));
    }
    sqlite_shut(&db);
    return rc < 0 ? rc : check_copy(copy, error, size);
}

/* Renames what there is of a database; true: it has its new name, or is not
 * there. */
static bool rename_part(const char *from, const char *to, const char *part)
{
    char old[PATH_MAX], name[PATH_MAX];

    if (snprintf(old, sizeof(old), "%s%s", from, part) >= (int)sizeof(old) ||
        snprintf(name, sizeof(name), "%s%s", to, part) >= (int)sizeof(name)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return rename(old, name) == 0 || errno == ENOENT;
}

/* All parts or none. */
static int rename_all(const char *from, const char *to, char *error,
                      size_t size)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (rename_part(from, to, parts[i])) {
            continue;
        }
        (void)snprintf(error, size, "%s%s: %s", from, parts[i],
                       strerrordesc_np(errno));
        while (i > 0) {
            (void)rename_part(to, from, parts[--i]);
        }
        return WERR_IO;
    }
    return WERR_OK;
}

static int put_in_place(const char *copy, const char *path, char *error,
                        size_t size)
{
    if (rename(copy, path) == 0) {
        return WERR_OK;
    }
    (void)snprintf(error, size, "%s: %s", path, strerrordesc_np(errno));
    return WERR_IO;
}

/* The copy in the place of the old one, which is kept under another name. */
static int exchange(const char *copy, const char *path, const char *kept,
                    char *error, size_t size)
{
    char ignored[64];
    int rc = rename_all(path, kept, error, size);

    if (rc < 0) {
        return rc;
    }
    rc = put_in_place(copy, path, error, size);
    if (rc < 0) {
        (void)rename_all(kept, path, ignored, sizeof(ignored));
    }
    return rc;
}

static bool is_free(const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (snprintf(path, sizeof(path), "%s%s", name, parts[i]) >=
                (int)sizeof(path) ||
            lstat(path, &st) == 0 || errno != ENOENT) {
            return false;
        }
    }
    return true;
}

/* Where the old one goes: never over one that was kept in the same second. */
static bool name_kept(const char *path, char *kept, size_t n)
{
    char now[CLOCK_ISO_MAX], again[16] = "";
    bool found = false;

    clock_iso(clock_now_ms(), now);
    for (int i = 2; !found && i < KEPT_MAX; i++) {
        if (snprintf(kept, n, "%s.before-%s%s", path, now, again) >= (int)n) {
            return false;
        }
        found = is_free(kept);
        (void)snprintf(again, sizeof(again), "-%d", i);
    }
    return found;
}

int store_restore(const char *from, const char *path, char *kept, size_t n,
                  char *error, size_t size)
{
    char copy[PATH_MAX];
    int rc;

    if (!name_kept(path, kept, n) ||
        snprintf(copy, sizeof(copy), "%s.restore", path) >= (int)sizeof(copy)) {
        (void)snprintf(error, size, "%s: no name for the old one", path);
        return WERR_INVALID;
    }
    rc = make_copy(from, copy, error, size);
    if (rc == WERR_OK && is_free(path)) {
        kept[0] = '\0';
        rc = put_in_place(copy, path, error, size);
    } else if (rc == WERR_OK) {
        rc = exchange(copy, path, kept, error, size);
    }
    if (rc == WERR_OK) {
        return file_sync_dir(path);
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)snprintf(copy, sizeof(copy), "%s.restore%s", path, parts[i]);
        (void)unlink(copy);
    }
    return rc;
}
