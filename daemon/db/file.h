/*
 * file.h - a database as a file that appears whole or not at all.
 */
#ifndef WACRM_DB_FILE_H
#define WACRM_DB_FILE_H

#include "db/db.h"

/*
 * Writes a consistent copy of the connection's database to path, mode 0600:
 * into "<path>.part", fsynced, then renamed, directory fsynced.
 * WERR_CONFLICT if path is there and replace is false.
 */
int file_copy_database(db_t *db, const char *path, bool replace) WACRM_CHECKED;

/* fsync of the directory that path is in. */
int file_sync_dir(const char *path) WACRM_CHECKED;

#endif
