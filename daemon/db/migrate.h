/*
 * migrate.h - brings the schema of a database up to this program's.
 */
#ifndef WACRM_DB_MIGRATE_H
#define WACRM_DB_MIGRATE_H

#include "db/db.h"

typedef struct {
    int number; /* from 1 on, no gap */
    const char *name;
    const char *sql; /* with the macros %ID% %I64% ... */
} schema_file_t;

/* daemon/db/schema/, compiled in by scripts/embed-schema. */
extern const schema_file_t schema_files[];
extern const size_t schema_nfiles;

/*
 * Runs what is missing of the files, each in a transaction with its number
 * in the table schema_version. keep: before the first of them an existing
 * database is copied to "<path>.v<number it has>". WERR_FUTURE if it has a
 * later number than the last file, WERR_INVALID if it is none of wacrm's; error
 * says it in words.
 */
int migrate_run(db_t *db, const char *path, bool keep,
                const schema_file_t *files, size_t n, char *error,
                size_t size) WACRM_CHECKED;

#endif
