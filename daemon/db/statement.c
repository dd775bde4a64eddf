/*
 * statement.c - the statements of db.h on SQLite: a cache by the address of
 * the query, binding, stepping, columns.
 */
#include "db/statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/sqlite.h"

#define FIRST_SLOTS 64

struct db_stmt_s {
    db_t *db;
    const db_query_t *query;
    sqlite3_stmt *st; /* NULL: could not be prepared */
    int error;        /* sticky until the query is asked for again */
    bool lost;        /* a column that there was no memory for */
};

/* ---- the list of all queries ---- */

extern const db_query_t *const __start_db_query_list[]
    __attribute__((weak, visibility("hidden")));
extern const db_query_t *const __stop_db_query_list[]
    __attribute__((weak, visibility("hidden")));

const db_query_t *const *db_queries(size_t *n)
{
    const db_query_t *const *first = __start_db_query_list;

    /* two symbols of the linker: one array, which C does not know */
    *n = first ? ((uintptr_t)__stop_db_query_list - (uintptr_t)first) /
                     sizeof(*first)
               : 0;
    return first;
}

/* ---- preparing ---- */

/* End of the quoted text or comment that begins at p, or p if none does. */
static const char *skip_quoted(const char *p)
{
    const char *end = NULL;

    if (*p == '\'' || *p == '"') {
        end = strchr(p + 1, *p);
    } else if (p[0] == '-' && p[1] == '-') {
        end = strchr(p, '\n');
    } else if (p[0] == '/' && p[1] == '*' &&
               (end = strstr(p + 2, "*/")) != NULL) {
        end++;
    } else {
        return p;
    }
    return end ? end + 1 : p + strlen(p);
}

char *statement_rewrite(const char *sql)
{
    char *out = strdup(sql), *at = out;

    while (out && *at) {
        char *end = out + (skip_quoted(at) - out);

        if (end > at) {
            at = end;
            continue;
        }
        if (*at == '$' && at[1] >= '1' && at[1] <= '9') {
            *at = '?';
        }
        at++;
    }
    return out;
}

static void prepare(db_stmt_t *s)
{
    char *sql = statement_rewrite(s->query->sql);
    int code = SQLITE_NOMEM;

    if (sql) {
        code = sqlite3_prepare_v3(s->db->handle, sql, -1,
                                  SQLITE_PREPARE_PERSISTENT, &s->st, NULL);
    }
    if (code != SQLITE_OK) {
        size_t n;

        s->error = sqlite_fail(s->db, code);
        n = strlen(s->db->message);
        (void)snprintf(s->db->message + n, sizeof(s->db->message) - n, " in %s",
                       s->query->name);
    }
    free(sql);
}

static size_t slot_of(const db_query_t *query, size_t nslots)
{
    uint64_t h = (uint64_t)(uintptr_t)query * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(h >> 32) & (nslots - 1);
}

/* Place of the query's statement, or the free one where it belongs. */
static db_stmt_t **find(db_stmt_t **slots, size_t nslots,
                        const db_query_t *query)
{
    size_t i = slot_of(query, nslots);

    while (slots[i] && slots[i]->query != query) {
        i = (i + 1) & (nslots - 1);
    }
    return &slots[i];
}

static bool grow(db_t *db)
{
    size_t nslots = db->nslots ? db->nslots * 2 : FIRST_SLOTS;
    db_stmt_t **slots;

    if (db->nstmts * 4 < db->nslots * 3) {
        return true;
    }
    slots = calloc(nslots, sizeof(*slots));
    if (!slots) {
        return false;
    }
    for (size_t i = 0; i < db->nslots; i++) {
        if (db->slots[i]) {
            *find(slots, nslots, db->slots[i]->query) = db->slots[i];
        }
    }
    free(db->slots);
    db->slots = slots;
    db->nslots = nslots;
    return true;
}

db_stmt_t *db_stmt(db_t *db, const db_query_t *query)
{
    db_stmt_t **slot, *s;

    if (!db) {
        return NULL;
    }
    if (!grow(db)) {
        sqlite_lost(db);
        return NULL;
    }
    db->asked = true;
    slot = find(db->slots, db->nslots, query);
    if (!*slot) {
        *slot = calloc(1, sizeof(**slot));
        if (!*slot) {
            sqlite_lost(db);
            return NULL;
        }
        (*slot)->db = db;
        (*slot)->query = query;
        db->nstmts++;
    }
    s = *slot;
    s->error = WERR_OK;
    s->lost = false;
    if (!s->st) {
        prepare(s);
        return s;
    }
    (void)sqlite3_reset(s->st); /* tells the last step's error again */
    (void)sqlite3_clear_bindings(s->st);
    return s;
}

void statement_free_all(db_t *db)
{
    for (size_t i = 0; i < db->nslots; i++) {
        if (db->slots[i]) {
            (void)sqlite3_finalize(db->slots[i]->st);
            free(db->slots[i]);
        }
    }
    free(db->slots);
    db->slots = NULL;
    db->nslots = db->nstmts = 0;
}

/* ---- binding ---- */

static bool usable(const db_stmt_t *s)
{
    return s && s->st && s->error == WERR_OK;
}

static void bound(db_stmt_t *s, int code)
{
    if (code != SQLITE_OK) {
        s->error = sqlite_fail(s->db, code);
    }
}

void db_bind_i64(db_stmt_t *s, int i, int64_t v)
{
    if (usable(s)) {
        bound(s, sqlite3_bind_int64(s->st, i, v));
    }
}

void db_bind_double(db_stmt_t *s, int i, double v)
{
    if (usable(s)) {
        bound(s, sqlite3_bind_double(s->st, i, v));
    }
}

void db_bind_textn(db_stmt_t *s, int i, const char *v, size_t len)
{
    if (usable(s)) {
        bound(s, sqlite3_bind_text64(s->st, i, v, len, SQLITE_STATIC,
                                     SQLITE_UTF8));
    }
}

void db_bind_text(db_stmt_t *s, int i, const char *v)
{
    db_bind_textn(s, i, v, v ? strlen(v) : 0);
}

void db_bind_blob(db_stmt_t *s, int i, const void *v, size_t len)
{
    if (usable(s)) {
        bound(s, sqlite3_bind_blob64(s->st, i, v || len ? v : "", len,
                                     SQLITE_STATIC));
    }
}

/* ---- stepping ---- */

static int failed(db_stmt_t *s, int error)
{
    s->error = error;
    if (s->st) {
        (void)sqlite3_reset(s->st);
    }
    return error;
}

int db_step(db_stmt_t *s)
{
    int code;

    if (!s) {
        return WERR_NOMEM;
    }
    if (!usable(s)) {
        return failed(s, s->error ? s->error : WERR_SYSTEM);
    }
    if (s->lost || s->db->broken) {
        return failed(s, s->lost ? WERR_NOMEM : s->db->broken);
    }
    code = sqlite3_step(s->st);
    if (code == SQLITE_ROW) {
        return DB_ROW;
    }
    if (code != SQLITE_DONE) {
        return failed(s, sqlite_fail(s->db, code));
    }
    (void)sqlite3_reset(s->st);
    return DB_DONE;
}

int db_exec(db_stmt_t *s)
{
    int rc = db_step(s);

    if (rc != DB_ROW) {
        return rc;
    }
    (void)snprintf(s->db->message, sizeof(s->db->message),
                   "%s has a result that nobody reads", s->query->name);
    return failed(s, WERR_SYSTEM);
}

int db_first(db_stmt_t *s)
{
    int rc = db_step(s);

    return rc == DB_DONE ? WERR_NOTFOUND : rc;
}

int db_first_i64(db_stmt_t *s, int64_t *out)
{
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    *out = db_i64(s, 0);
    db_done(s);
    return WERR_OK;
}

int db_first_min(db_stmt_t *s, int64_t *out)
{
    int rc = db_first(s);

    *out = rc == DB_ROW && !db_is_null(s, 0) ? db_i64(s, 0) : INT64_MAX;
    db_done(s);
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int db_exists(db_stmt_t *s, bool *out)
{
    int rc = db_first(s);

    *out = rc == DB_ROW;
    db_done(s);
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

void db_done(db_stmt_t *s)
{
    if (s && s->st) {
        (void)sqlite3_reset(s->st);
    }
}

/* ---- columns ---- */

static void no_memory_for(db_stmt_t *s)
{
    s->lost = true;
    sqlite_lost(s->db);
}

bool db_is_null(db_stmt_t *s, int i)
{
    return !usable(s) || sqlite3_column_type(s->st, i) == SQLITE_NULL;
}

int64_t db_i64(db_stmt_t *s, int i)
{
    return usable(s) ? sqlite3_column_int64(s->st, i) : 0;
}

double db_double(db_stmt_t *s, int i)
{
    return usable(s) ? sqlite3_column_double(s->st, i) : 0;
}

bool db_row_whole(const db_stmt_t *s)
{
    return s && !s->lost;
}

const char *db_text(db_stmt_t *s, int i)
{
    const char *text;

    if (db_is_null(s, i)) {
        /* SQLite makes NULL of what it had no memory for */
        return usable(s) && s->lost ? "" : NULL;
    }
    text = (const char *)sqlite3_column_text(s->st, i);
    if (!text) {
        no_memory_for(s);
    }
    return text ? text : "";
}

size_t db_text_len(db_stmt_t *s, int i)
{
    /* the text first: what db_text() gives is that long, also if it fails */
    return db_text(s, i) && !s->lost ? (size_t)sqlite3_column_bytes(s->st, i)
                                     : 0;
}

const void *db_blob(db_stmt_t *s, int i, size_t *len)
{
    const void *data = usable(s) ? sqlite3_column_blob(s->st, i) : NULL;

    /* NULL: null, empty, or out of memory */
    if (!data && !db_is_null(s, i) &&
        sqlite3_errcode(s->db->handle) == SQLITE_NOMEM) {
        no_memory_for(s);
    }
    *len = data ? (size_t)sqlite3_column_bytes(s->st, i) : 0;
    return data;
}

/* ---- the connection ---- */

int64_t db_changes(db_t *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t db_last_id(db_t *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}

DB_QUERY(savepoint_open, "SAVEPOINT sp");
DB_QUERY(savepoint_release, "RELEASE SAVEPOINT sp");
DB_QUERY(savepoint_rollback, "ROLLBACK TO SAVEPOINT sp");

int db_savepoint(db_t *db)
{
    return db_exec(db_stmt(db, &savepoint_open));
}

int db_release(db_t *db)
{
    return db_exec(db_stmt(db, &savepoint_release));
}

int db_rollback_to(db_t *db)
{
    int rc = db_exec(db_stmt(db, &savepoint_rollback));

    return rc < 0 ? rc : db_release(db);
}

DB_QUERY(read_begin, "BEGIN");
DB_QUERY(read_end, "COMMIT");

int db_read_begin(db_t *db)
{
    int rc = WERR_OK;

    /* inside a write transaction everything is one state already */
    if (db->reads == 0 && !db->writing) {
        /* the end of the last one may have had no memory */
        if (sqlite_in_transaction(db)) {
            sqlite_reset_all(db);
            rc = sqlite_run(db, "ROLLBACK");
        }
        if (rc == WERR_OK) {
            rc = db_exec(db_stmt(db, &read_begin));
        }
    }
    if (rc == WERR_OK) {
        db->reads++;
    }
    return rc;
}

void db_read_end(db_t *db)
{
    if (db->reads == 0 || --db->reads > 0 || db->writing) {
        return;
    }
    sqlite_reset_all(db);
    if (sqlite_in_transaction(db) && db_exec(db_stmt(db, &read_end)) < 0) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}
