/*
 * row_json.h - rows of the database as JSON: columns that may be null, one
 * row as an object, all rows as an array.
 */
#ifndef WACRM_DOMAIN_ROW_JSON_H
#define WACRM_DOMAIN_ROW_JSON_H

#include "base/buf.h"
#include "db/db.h"

/* A member with the value of a column, or null where the column is null. */
void row_i64(buf_t *out, const char *key, db_stmt_t *s, int column);
void row_time(buf_t *out, const char *key, db_stmt_t *s, int column); /* ms */
void row_day(buf_t *out, const char *key, db_stmt_t *s, int column);

/* Writes the current row as an object: a member if key is given. */
typedef void (*row_write_fn)(db_stmt_t *s, buf_t *out, const char *key);

/* Of a bound statement: its first row. WERR_NOTFOUND: there is none, nothing
 * is written. */
int row_write_first(db_stmt_t *s, row_write_fn fn, buf_t *out,
                    const char *key) WACRM_CHECKED;
/* All its rows, as the array `key`. */
int row_write_all(db_stmt_t *s, row_write_fn fn, buf_t *out,
                  const char *key) WACRM_CHECKED;

/* For rows of one text column. */
void row_text(db_stmt_t *s, buf_t *out, const char *key);

#endif
