/*
 * statement.h - the prepared statements of a connection, inside db/.
 */
#ifndef WACRM_DB_STATEMENT_H
#define WACRM_DB_STATEMENT_H

#include "db/db.h"

/* Finalises all of them. */
void statement_free_all(db_t *db);

/*
 * "$7" becomes "?7", outside of quotes and comments: SQLite would number $N
 * by first appearance. A malloc'd copy, or NULL.
 */
char *statement_rewrite(const char *sql);

#endif
