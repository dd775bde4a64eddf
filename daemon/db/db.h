/*
 * db.h - a small SQL layer: a connection, its prepared statements, their
 * results. sqlite.c behind it; the same text of SQL must run on PostgreSQL
 * (docs/database.md lists what both know).
 *
 * Every statement is a DB_QUERY: named, static, prepared once per connection,
 * and listed in a linker section, so that a test can explain each of them.
 * Parameters are $1, $2 ... and bound by position.
 *
 * Errors are sticky: a NULL or failed statement may be bound and stepped;
 * db_step() then tells what went wrong. A connection belongs to one thread
 * at a time.
 */
#ifndef WACRM_DB_DB_H
#define WACRM_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef struct db_s db_t;
typedef struct db_stmt_s db_stmt_t;

typedef struct {
    const char *sql;
    const char *name;
    const char *file;
    /* Reason why a scan of a whole table is right here; NULL: it is not. */
    const char *scan;
} db_query_t;

#define DB_QUERY_(id, text, why)                             \
    static const db_query_t id = {text, #id, __FILE__, why}; \
    static const db_query_t *const id##_entry                \
        __attribute__((section("db_query_list"), used)) = &id

/* DB_QUERY(find_chat, "SELECT id FROM chats WHERE ..."); at file scope. */
#define DB_QUERY(id, text) DB_QUERY_(id, text, NULL)
/* The same, for a statement that has to read a whole table, and why. */
#define DB_QUERY_SCAN(id, text, why) DB_QUERY_(id, text, why)

/* All DB_QUERYs of the program. */
const db_query_t *const *db_queries(size_t *n);

enum { DB_ROW = 1, DB_DONE = 0 }; /* or a WERR_* < 0 */

/*
 * The prepared statement of a query, reset and with its parameters null.
 * Never to be freed; valid until the same query is asked for again.
 */
db_stmt_t *db_stmt(db_t *db, const db_query_t *query);

void db_bind_i64(db_stmt_t *s, int i, int64_t v);
void db_bind_double(db_stmt_t *s, int i, double v);
/* Text and blobs must live until the statement is done or reset. */
void db_bind_text(db_stmt_t *s, int i, const char *v); /* NULL: null */
void db_bind_textn(db_stmt_t *s, int i, const char *v, size_t len);
void db_bind_blob(db_stmt_t *s, int i, const void *v, size_t len);

/* DB_ROW, DB_DONE, or WERR_CONFLICT, WERR_BUSY, WERR_FULL, WERR_IO ... After
 * anything but DB_ROW the statement is reset. */
int db_step(db_stmt_t *s) WACRM_CHECKED;
/* For a statement without a result: DB_DONE is WERR_OK. */
int db_exec(db_stmt_t *s) WACRM_CHECKED;
/* For a statement left before DB_DONE: ends its read. */
void db_done(db_stmt_t *s);
/* Steps to the first row and leaves it current: DB_ROW, WERR_NOTFOUND, or an
 * error. The row stays readable until db_done() or the next use. */
int db_first(db_stmt_t *s) WACRM_CHECKED;
/* The first column of the first row, and ends its read: WERR_OK,
 * WERR_NOTFOUND, or an error. */
int db_first_i64(db_stmt_t *s, int64_t *out) WACRM_CHECKED;
/* The same of a min(): INT64_MAX where there is none. WERR_OK or an error. */
int db_first_min(db_stmt_t *s, int64_t *out) WACRM_CHECKED;
/* Whether there is a row, and ends its read: WERR_OK or an error. */
int db_exists(db_stmt_t *s, bool *out) WACRM_CHECKED;
/* From any thread: the statement that runs, if one does, ends with
 * WERR_STOPPING. */
void db_interrupt(db_t *db);

/*
 * Columns from 0. Text is terminated and lives until the next step; NULL is a
 * null, and nothing else is. Where no memory is left for a text it is "", of
 * length 0, and the row is lost: its nulls are "" from then on, too (SQLite
 * does not tell them from what it has lost), the next step of the statement
 * fails with WERR_NOMEM, and db_lost() knows.
 */
bool db_is_null(db_stmt_t *s, int i);
int64_t db_i64(db_stmt_t *s, int i);
double db_double(db_stmt_t *s, int i);
const char *db_text(db_stmt_t *s, int i);
/* Bytes of the text, which it loads: it may lose the row as db_text() does. */
size_t db_text_len(db_stmt_t *s, int i);
/* Whether all that was read of the row is what is there: to be asked last, by
 * who takes one row and no further step. */
bool db_row_whole(const db_stmt_t *s);
const void *db_blob(db_stmt_t *s, int i, size_t *len);

/* Rows changed by the last statement, id given by the last INSERT. */
int64_t db_changes(db_t *db);
int64_t db_last_id(db_t *db);

/* Savepoints inside a write transaction; they nest. */
int db_savepoint(db_t *db) WACRM_CHECKED;
int db_release(db_t *db) WACRM_CHECKED;
/* Back to the savepoint, which is gone then. */
int db_rollback_to(db_t *db) WACRM_CHECKED;

/* A read transaction: what the statements between see is one state. */
int db_read_begin(db_t *db) WACRM_CHECKED;
void db_read_end(db_t *db);

/*
 * Whether memory has failed the connection since this was last asked: then
 * what was read meanwhile may be less than is there, also where no function
 * could say so (a column is "", a row seems to be missing). A write that this
 * happens to fails by itself, with WERR_NOMEM. NULL, no connection: false.
 */
bool db_lost(db_t *db);

/* What the last failure was, in words, for the log. */
const char *db_message(db_t *db);

#endif
