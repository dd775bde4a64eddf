/*
 * sqlite.h - what the files of this room share of a SQLite connection.
 */
#ifndef WACRM_DB_SQLITE_H
#define WACRM_DB_SQLITE_H

#include <sqlite3.h>

#include "db/db.h"

typedef enum {
    SQLITE_ROLE_WRITER,
    SQLITE_ROLE_READER,    /* refuses to write */
    SQLITE_ROLE_CHECKPOINT /* also for backups */
} sqlite_role_t;

struct db_s {
    sqlite3 *handle;
    db_stmt_t **slots; /* open addressing by the query's address */
    size_t nslots;     /* power of two */
    size_t nstmts;
    int reads;    /* depth of db_read_begin() */
    bool writing; /* inside store_write() */
    bool asked;   /* for a statement, since then */
    int broken;   /* fault after which the transaction cannot be committed */
    bool lost;    /* see db_lost() */
    char message[256];
};

/* Opens with the settings of its role; the file is made if the writer does
 * not find it. */
int sqlite_open(db_t **out, const char *path, sqlite_role_t role, char *error,
                size_t size) WACRM_CHECKED;
void sqlite_shut(db_t **db);

/* Statements without parameters and results, separated by ";". */
int sqlite_run(db_t *db, const char *sql) WACRM_CHECKED;
/* First column of the first row; WERR_NOTFOUND. */
int sqlite_int(db_t *db, const char *sql, int64_t *out) WACRM_CHECKED;
/* "VACUUM INTO path", which must be new or empty. */
int sqlite_copy(db_t *db, const char *path) WACRM_CHECKED;
/* Keeps the words of the connection's last failure; its WERR_*. */
int sqlite_fail(db_t *db, int code);
/* Memory has failed: what was read is not all that is there, and nothing that
 * follows from it may be committed. */
void sqlite_lost(db_t *db);
/* Ends every read that a statement has left open. */
void sqlite_reset_all(db_t *db);
/* true between BEGIN and the transaction's end. */
bool sqlite_in_transaction(const db_t *db);

#endif
