/* The file: an FTS5 table of the messages' words, one of people, and how far
 * they have come. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "search/internal.h"

/* To be raised with every change of the tables: the index is made anew. */
#define VERSION "4"

static const char settings[] = "PRAGMA synchronous = NORMAL;"
                               "PRAGMA cache_size = -4000;"
                               "PRAGMA wal_autocheckpoint = 2000;"
                               "PRAGMA journal_size_limit = 16777216;";

/* The log is synced with a commit that writes something: this does, where an
 * UPDATE to what is there already would not. */
static const char synced[] = "PRAGMA synchronous = FULL;"
                             "BEGIN IMMEDIATE;"
                             "PRAGMA user_version = 0;"
                             "COMMIT;";

/* Scope is "s" and the id of the session: who may see it is looked up
 * together with the words. People are kept with their text, as names change
 * and the old one has to be taken out; messages are not, whoever changes one
 * hands the old text over. */
static const char tables[] =
    "BEGIN IMMEDIATE;"
    "CREATE VIRTUAL TABLE message_index USING fts5 (body, scope, "
    "content = '', columnsize = 0, prefix = '2 3', "
    "tokenize = '" WORDS_TOKENIZER " " WORDS_OPTION " " WORDS_VALUE "');"
    "CREATE VIRTUAL TABLE message_words USING "
    "fts5vocab (message_index, instance);"
    "CREATE VIRTUAL TABLE people_index USING fts5 (text, scope, "
    "columnsize = 0, tokenize = 'trigram');" CHAT_MAP_TABLE WORD_SETS_TABLE
    "CREATE TABLE state (version INTEGER NOT NULL, born INTEGER NOT NULL, "
    "position INTEGER NOT NULL, changes INTEGER NOT NULL, "
    "people INTEGER NOT NULL, people_changes INTEGER NOT NULL, "
    "purge INTEGER NOT NULL) STRICT;"
    "INSERT INTO state VALUES (" VERSION ", 0, 0, 0, 0, 0, 0);"
    "COMMIT;";

static int run_prepare(db_t *db, const char *sql, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(db->handle, sql, -1,
                                  SQLITE_PREPARE_PERSISTENT, out, NULL);

    return code == SQLITE_OK ? WERR_OK : sqlite_fail(db, code);
}

int index_state(db_t *db, index_state_t *st)
{
    sqlite3_stmt *s = NULL;
    int code =
        sqlite3_prepare_v2(db->handle, "SELECT * FROM state", -1, &s, NULL);
    int rc = WERR_CORRUPT;

    if (code == SQLITE_OK) {
        code = sqlite3_step(s);
    }
    if (code == SQLITE_ROW) {
        rc = sqlite3_column_int64(s, 0) == strtoll(VERSION, NULL, 10)
                 ? WERR_OK
                 : WERR_FUTURE;
        *st = (index_state_t){.born = sqlite3_column_int64(s, 1),
                              .position = sqlite3_column_int64(s, 2),
                              .changes = sqlite3_column_int64(s, 3),
                              .people = sqlite3_column_int64(s, 4),
                              .people_changes = sqlite3_column_int64(s, 5),
                              .purge = sqlite3_column_int64(s, 6)};
    } else if (code != SQLITE_DONE) {
        rc = sqlite_fail(db, code);
    }
    (void)sqlite3_finalize(s);
    return rc;
}

static int make_tables(index_t *ix)
{
    int64_t n = 0;
    int rc = sqlite_int(ix->db, "SELECT count(*) FROM sqlite_schema", &n);

    return rc == WERR_OK && n == 0 ? sqlite_run(ix->db, tables) : rc;
}

static int prepare_all(index_t *ix)
{
    const struct {
        const char *sql;
        sqlite3_stmt **out;
    } all[] = {
        {"INSERT INTO message_index (rowid, body, scope) VALUES (?1, ?2, ?3)",
         &ix->add},
        {"INSERT INTO message_index (message_index, rowid, body, scope) "
         "VALUES ('delete', ?1, ?2, ?3)",
         &ix->forget},
        {"INSERT INTO people_index (rowid, text, scope) VALUES (?1, ?2, ?3)",
         &ix->add_person},
        {"DELETE FROM people_index WHERE rowid = ?1", &ix->forget_person},
    };
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < sizeof(all) / sizeof(all[0]); i++) {
        rc = run_prepare(ix->db, all[i].sql, all[i].out);
    }
    return rc;
}

int index_open(index_t *ix, const char *path, index_state_t *st)
{
    char error[256] = "";
    int rc;

    memset(ix, 0, sizeof(*ix));
    rc = sqlite_open(&ix->db, path, SQLITE_ROLE_WRITER, error, sizeof(error));
    if (rc == WERR_OK) {
        rc = sqlite_run(ix->db, settings);
    }
    if (rc == WERR_OK) {
        rc = make_tables(ix);
    }
    if (rc == WERR_OK) {
        rc = index_state(ix->db, st);
    }
    if (rc == WERR_OK) {
        rc = prepare_all(ix);
    }
    if (rc == WERR_OK) {
        rc = chat_map_open(&ix->chats, ix->db, true);
    }
    if (rc == WERR_OK) {
        rc = word_sets_open(&ix->sets, ix->db, true);
    }
    if (rc != WERR_OK) {
        log_warn("search", "msg=\"cannot open the index\" error=%s",
                 log_str(ix->db != NULL ? db_message(ix->db) : error));
        index_close(ix);
    }
    return rc;
}

void index_close(index_t *ix)
{
    (void)sqlite3_finalize(ix->add);
    (void)sqlite3_finalize(ix->forget);
    (void)sqlite3_finalize(ix->add_person);
    (void)sqlite3_finalize(ix->forget_person);
    ix->add = ix->forget = ix->add_person = ix->forget_person = NULL;
    chat_map_close(&ix->chats);
    word_sets_close(&ix->sets);
    sqlite_shut(&ix->db);
}

int index_begin(index_t *ix)
{
    int rc = WERR_OK;

    /* the last one's end may have had no memory */
    if (sqlite_in_transaction(ix->db)) {
        rc = sqlite_run(ix->db, "ROLLBACK");
    }
    return rc == WERR_OK ? sqlite_run(ix->db, "BEGIN IMMEDIATE") : rc;
}

void index_rollback(index_t *ix)
{
    chat_map_drop(&ix->chats);
    if (ix->db != NULL && sqlite_in_transaction(ix->db)) {
        (void)sqlite3_exec(ix->db->handle, "ROLLBACK", NULL, NULL, NULL);
    }
}

static int step(index_t *ix, sqlite3_stmt *s, int64_t id, const char *text,
                size_t len, const char *scope)
{
    int code = sqlite3_bind_int64(s, 1, id);

    if (code == SQLITE_OK && text != NULL) {
        code = sqlite3_bind_text64(s, 2, text, len, SQLITE_STATIC, SQLITE_UTF8);
    }
    if (code == SQLITE_OK && scope != NULL) {
        code = sqlite3_bind_text(s, 3, scope, -1, SQLITE_STATIC);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(s);
    }
    int rc = code == SQLITE_DONE ? WERR_OK : sqlite_fail(ix->db, code);
    (void)sqlite3_reset(s);
    (void)sqlite3_clear_bindings(s);
    return rc;
}

static int step_message(index_t *ix, sqlite3_stmt *s, int64_t id,
                        int64_t session, const char *body, size_t len)
{
    char scope[24];
    int rc = WERR_OK;

    if (len > 0) {
        rc = word_sets_unseal(&ix->sets, id);
    }
    (void)snprintf(scope, sizeof(scope), "s%" PRId64, session);
    return len == 0 || rc != WERR_OK ? rc : step(ix, s, id, body, len, scope);
}

int index_add(index_t *ix, int64_t id, int64_t session, const char *body,
              size_t len)
{
    return step_message(ix, ix->add, id, session, body, len);
}

int index_forget(index_t *ix, int64_t id, int64_t session, const char *body,
                 size_t len)
{
    return step_message(ix, ix->forget, id, session, body, len);
}

int index_add_person(index_t *ix, const person_t *person)
{
    return step(ix, ix->add_person, person->id, person->text.data,
                person->text.len, person->scope.data);
}

int index_forget_person(index_t *ix, int64_t id)
{
    return step(ix, ix->forget_person, id, NULL, 0, NULL);
}

int index_commit(index_t *ix, const index_state_t *st)
{
    char sql[320];
    int rc = chat_map_flush(&ix->chats);

    if (rc != WERR_OK) {
        return rc;
    }
    (void)snprintf(sql, sizeof(sql),
                   "UPDATE state SET born = %" PRId64 ", position = %" PRId64
                   ", changes = %" PRId64 ", people = %" PRId64
                   ", people_changes = %" PRId64 ", purge = %" PRId64
                   "; COMMIT",
                   st->born, st->position, st->changes, st->people,
                   st->people_changes, st->purge);
    return sqlite_run(ix->db, sql);
}

int index_sync(index_t *ix)
{
    int rc = sqlite_run(ix->db, synced), back;

    index_rollback(ix);
    back = sqlite_run(ix->db, "PRAGMA synchronous = NORMAL");
    return rc == WERR_OK ? back : rc;
}

int index_merge(index_t *ix, bool *more)
{
    int before = sqlite3_total_changes(ix->db->handle);
    int rc =
        sqlite_run(ix->db, "INSERT INTO message_index (message_index, rank) "
                           "VALUES ('merge', 300);"
                           "INSERT INTO people_index (people_index, rank) "
                           "VALUES ('merge', 300)");

    /* so FTS5 tells that it has done something */
    *more = sqlite3_total_changes(ix->db->handle) - before >= 3;
    return rc;
}

static int write_anew(index_t *ix, index_state_t *st)
{
    int rc = index_begin(ix);

    if (rc == WERR_OK) {
        rc = sqlite_run(ix->db, "INSERT INTO message_index (message_index) "
                                "VALUES ('optimize');"
                                "INSERT INTO people_index (people_index) "
                                "VALUES ('optimize')");
    }
    if (rc == WERR_OK) {
        st->purge = INDEX_PURGE_LOG;
        rc = index_commit(ix, st);
    }
    if (rc != WERR_OK) {
        index_rollback(ix);
        st->purge = INDEX_PURGE_TABLES;
    }
    return rc;
}

int index_purge(index_t *ix, index_state_t *st)
{
    int64_t held = 1;
    int rc = WERR_OK;

    if (st->purge == INDEX_PURGE_TABLES) {
        rc = write_anew(ix, st);
    }
    if (rc == WERR_OK) {
        rc = sqlite_int(ix->db, "PRAGMA wal_checkpoint(TRUNCATE)", &held);
    }
    if (rc == WERR_BUSY || (rc == WERR_OK && held != 0)) {
        return WERR_OK;
    }
    if (rc == WERR_OK) {
        rc = index_begin(ix);
    }
    if (rc == WERR_OK) {
        st->purge = INDEX_PURGE_NOT;
        rc = index_commit(ix, st);
    }
    if (rc != WERR_OK) {
        index_rollback(ix);
        st->purge = INDEX_PURGE_LOG;
    }
    return rc;
}

int search_remove(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm", "-journal"};
    char *name = NULL;
    int rc = WERR_OK;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (asprintf(&name, "%s%s", path, parts[i]) < 0) {
            return WERR_NOMEM;
        }
        if (unlink(name) != 0 && errno != ENOENT) {
            rc = WERR_IO;
        }
        free(name);
    }
    return rc;
}
