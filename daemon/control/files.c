/*
 * files.c - what goes into and out of the database as a file: backup, import,
 * export.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jsonr.h"
#include "base/place.h"
#include "control/command.h"
#include "domain/audit.h"
#include "domain/donor_export.h"
#include "domain/donor_import.h"

/* ---- where a new file goes ---- */

#define CHOOSE                                                              \
    "wacrmd writes the file; its unit gives it a /tmp of its own, hides "   \
    "/home, and lets it write only below its state and /var/backups/wacrm:" \
    " choose a name there"

/* The directory as wacrmctl sees it, if it runs beside wacrmd and sees it. */
static bool theirs(const json_t *request, int64_t *dev, int64_t *ino)
{
    return jsonr_i64(request, "dir_dev", dev) &&
           jsonr_i64(request, "dir_ino", ino);
}

/* How this process sees it: 0, or errno. */
static int look_at_dir(const char *file, struct stat *st)
{
    char *copy = strdup(file);
    const char *dir = copy != NULL ? dirname(copy) : NULL;
    int e = 0;

    if (dir == NULL || stat(dir, st) != 0 || access(dir, W_OK | X_OK) != 0) {
        e = dir != NULL ? errno : ENOMEM;
    }
    free(copy);
    return e;
}

/* The absolute path of the new file; NULL with the error set. */
static const char *new_file(command_t *c, const json_t *request)
{
    const char *file = command_arg(c, request, "file");
    int64_t dev, ino;
    struct stat st;

    if (file == NULL) {
        return NULL;
    }
    if (file[0] != '/') {
        (void)command_fail(c, "%s: the path must be absolute", file);
        return NULL;
    }
    if (theirs(request, &dev, &ino) && look_at_dir(file, &st) == 0 &&
        (dev != (int64_t)st.st_dev || ino != (int64_t)st.st_ino)) {
        (void)command_fail(
            c, "%s: would be in another directory of that name: " CHOOSE, file);
        return NULL;
    }
    return file;
}

/* It could not be made: because of the place? */
static bool cannot_write(command_t *c, const json_t *request, const char *file,
                         const char *why)
{
    int64_t dev, ino;
    struct stat st;
    int e = look_at_dir(file, &st);

    if (e != 0 && theirs(request, &dev, &ino)) {
        return command_fail(c, "%s: %s: " CHOOSE, file, strerrordesc_np(e));
    }
    return command_fail(c, "%s: %s", file, e != 0 ? strerrordesc_np(e) : why);
}

static bool is_there(command_t *c, const char *file)
{
    return command_fail(c, "%s is there already: choose a new name", file);
}

/* ---- backup ---- */

bool command_backup(command_t *c, const json_t *request)
{
    const char *file = new_file(c, request);
    char why[100];
    int rc;

    if (file == NULL) {
        return false;
    }
    rc = store_backup(c->domain->store, file);
    if (rc == WERR_CONFLICT) {
        return is_there(c, file);
    }
    if (rc == WERR_STOPPING) {
        return command_fail(c, "no backup: wacrmd ends: try again");
    }
    if (rc < 0) {
        (void)snprintf(why, sizeof(why), "%s (the log says more)",
                       werr_text(rc));
        return cannot_write(c, request, file, why);
    }
    command_text(c, "backup written to %s", file);
    return true;
}

/* ---- import ---- */

static void print_bad_row(void *ctx, int64_t row, const char *reason)
{
    command_text(ctx, "row %lld left out: %s", (long long)row, reason);
}

static bool is_to_stop(void *ctx)
{
    return command_stopping(ctx);
}

/* What was imported stays: that is to be said with what to do. */
static bool ended_early(command_t *c, int rc, bool dry_run)
{
    char silence[40];
    const char *why = werr_text(rc);

    (void)snprintf(silence, sizeof(silence), "nothing came for %d s",
                   COMMAND_PATIENCE_S);
    if (command_stopping(c)) {
        why = "wacrmd ends";
    } else if (rc == WERR_IO && c->input_error == ETIMEDOUT) {
        why = silence;
    } else if (rc == WERR_IO && ferror(c->input) != 0) {
        why = "the file did not come to its end";
    }
    return command_fail(c, "ended early: %s: %s", why,
                        dry_run ? "try again"
                                : "import the same file again, which brings "
                                  "the rest and doubles nothing");
}

bool command_import(command_t *c, const json_t *request)
{
    donor_import_t n = {0};
    donor_import_options_t o = {
        .bad = print_bad_row, .stop = is_to_stop, .ctx = c};
    int rc;

    (void)jsonr_bool(request, "dry_run", &o.dry_run);
    if (!c->input) {
        return command_fail(c, "nothing to import");
    }
    rc = donor_import(c->domain, c->input, &o, &n);
    if (rc == WERR_INVALID) {
        return command_fail(c, "not a CSV file whose first line has a column "
                               "phone");
    }
    command_text(c,
                 "%s%lld rows: %lld new contacts, %lld gifts, %lld known "
                 "already, %lld left out",
                 o.dry_run ? "not stored: " : "", (long long)n.rows,
                 (long long)n.contacts, (long long)n.gifts, (long long)n.known,
                 (long long)n.bad);
    return rc == WERR_OK || ended_early(c, rc, o.dry_run);
}

/* ---- export ---- */

/* "<file>.part", that nobody else may read; NULL with errno. */
static FILE *open_part(const char *part)
{
    FILE *out;
    int fd, e;

    if (unlink(part) != 0 && errno != ENOENT) {
        return NULL;
    }
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return NULL;
    }
    out = fdopen(fd, "w");
    if (out == NULL) {
        e = errno;
        (void)close(fd);
        (void)unlink(part);
        errno = e;
    }
    return out;
}

static int write_rows(command_t *c, donor_export_t what, FILE *out,
                      int64_t *rows)
{
    int rc = audit_write(
        c->domain,
        &(audit_t){.action = "export",
                   .detail = what == EXPORT_DONORS ? "donors" : "donations"});

    if (rc == WERR_OK) {
        rc = donor_export(c->db, c->domain, what, out, rows);
    }
    if (rc == WERR_OK && (fflush(out) != 0 || fsync(fileno(out)) != 0)) {
        rc = WERR_IO;
    }
    return rc;
}

/* why: NULL, or more than rc says. */
static bool no_export(command_t *c, const char *file, int rc, const char *why)
{
    if (rc == WERR_CONFLICT) {
        return is_there(c, file);
    }
    if (command_stopping(c)) {
        why = "wacrmd ends: try again";
    }
    return command_fail(c, "no export: %s", why != NULL ? why : werr_text(rc));
}

/* Under its name it is whole, or not there. */
static bool export(command_t *c, const json_t *request, donor_export_t what)
{
    const char *file = new_file(c, request);
    const char *why = NULL;
    char *part = NULL;
    int64_t rows = 0;
    FILE *out;
    int rc;

    if (file == NULL) {
        return false;
    }
    if (access(file, F_OK) == 0) {
        return is_there(c, file);
    }
    if (asprintf(&part, "%s.part", file) < 0) {
        return command_fail(c, "%s", werr_text(WERR_NOMEM));
    }
    out = open_part(part);
    if (out == NULL) {
        (void)cannot_write(c, request, file, strerrordesc_np(errno));
        free(part);
        return false;
    }
    rc = write_rows(c, what, out, &rows);
    if (fclose(out) != 0 && rc == WERR_OK) {
        rc = WERR_IO;
    }
    if (rc == WERR_OK && !place_new(part, file)) {
        rc = errno == EEXIST ? WERR_CONFLICT : WERR_IO;
        why = strerrordesc_np(errno);
    }
    if (rc < 0) {
        (void)unlink(part);
        (void)no_export(c, file, rc, why);
    } else {
        command_text(c, "%lld rows written to %s", (long long)rows, file);
    }
    free(part);
    return rc == WERR_OK;
}

bool command_export_donors(command_t *c, const json_t *request)
{
    return export(c, request, EXPORT_DONORS);
}

bool command_export_donations(command_t *c, const json_t *request)
{
    return export(c, request, EXPORT_DONATIONS);
}
