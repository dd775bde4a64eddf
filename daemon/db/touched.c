#include "db/touched.h"

#include <stdlib.h>
#include <string.h>

/* Declared where SQLITE_ENABLE_PREUPDATE_HOOK is, which says how the library
 * was built and not how we are. */
#ifndef SQLITE_ENABLE_PREUPDATE_HOOK
void *sqlite3_preupdate_hook(
    sqlite3 *handle,
    void (*hook)(void *arg, sqlite3 *handle, int op, const char *database,
                 const char *table, sqlite3_int64 old_id, sqlite3_int64 new_id),
    void *arg);
int sqlite3_preupdate_old(sqlite3 *handle, int column, sqlite3_value **value);
int sqlite3_preupdate_new(sqlite3 *handle, int column, sqlite3_value **value);
#endif

typedef enum { OTHER, ACCESS, CHATS, CONTACTS, MESSAGES } shows_t;

typedef struct {
    const char *table;
    shows_t shows;
} table_t;

/*
 * By name. OTHER: nothing of it is in a list of chats, nor does it say who
 * may see what.
 */
static const table_t tables[] = {
    {"audit", OTHER},
    {"backfill_chats", OTHER},
    {"backfills", OTHER},
    {"chats", CHATS},
    {"consents", OTHER},
    {"contact_aliases", OTHER},
    {"contact_changes", OTHER},
    {"contact_info", OTHER},
    {"contacts", CONTACTS},
    {"counters", OTHER},
    {"dead_letters", OTHER},
    {"donations", OTHER},
    {"events", OTHER},
    {"former_ids", OTHER},
    {"idempotency", OTHER},
    {"media", OTHER},
    {"merge_aliases", OTHER},
    {"merge_chats", OTHER},
    {"merge_contacts", OTHER},
    {"merge_rows", OTHER},
    {"merges", OTHER},
    {"message_media", OTHER},
    {"message_template_sends", OTHER},
    {"message_templates", OTHER},
    {"messages", MESSAGES},
    {"notes", OTHER},
    {"outbox", OTHER},
    {"parked", OTHER},
    {"raw_events", OTHER},
    {"reactions", OTHER},
    {"refresh_tokens", OTHER},
    {"reminders", OTHER},
    {"revoked_tokens", OTHER},
    {"search_changes", OTHER},
    {"segment_changes", OTHER},
    {"session_members", ACCESS},
    {"sessions", ACCESS},
    {"spool_positions", OTHER},
    {"users", ACCESS},
};

DB_QUERY(sessions_of_contact,
         "SELECT session_id FROM chats WHERE contact_id = $1");

#define COLUMN_OF(table, name)                        \
    "SELECT cid FROM pragma_table_info('" table "') " \
    "WHERE name = '" name "'"

static int compare(const void *name, const void *table)
{
    return strcmp(name, ((const table_t *)table)->table);
}

static size_t slot(int64_t id)
{
    return (uint64_t)id % TOUCHED_ROWS;
}

store_topics_t store_topic_session(int64_t id)
{
    return (store_topics_t)1 << (uint64_t)id % TOUCHED_SESSIONS;
}

/* ---- in a transaction ---- */

typedef struct {
    touched_t *t;
    sqlite3 *handle;
    bool was, is; /* there is a row before, after */
} change_t;

typedef void (*note_fn)(touched_t *t, int64_t id);

static void note_session(touched_t *t, int64_t id)
{
    t->topics |= store_topic_session(id);
}

static void note_chat(touched_t *t, int64_t id)
{
    t->chats[slot(id) / 64] |= UINT64_C(1) << slot(id) % 64;
}

static void note_person(touched_t *t, int64_t id)
{
    for (size_t i = 0; i < t->npeople; i++) {
        if (t->people[i] == id) {
            return;
        }
    }
    if (t->npeople == TOUCHED_PEOPLE) {
        t->all_changed = true;
        return;
    }
    t->people[t->npeople++] = id;
}

/* What is in a column, before and after; 0 where there is no row. */
static bool read_column(const change_t *c, int column, int64_t *before,
                        int64_t *after)
{
    sqlite3_value *value = NULL;

    *before = *after = 0;
    if (c->was) {
        if (sqlite3_preupdate_old(c->handle, column, &value) != SQLITE_OK) {
            c->t->all_changed = true;
            return false;
        }
        *before = sqlite3_value_int64(value);
    }
    if (c->is) {
        if (sqlite3_preupdate_new(c->handle, column, &value) != SQLITE_OK) {
            c->t->all_changed = true;
            return false;
        }
        *after = sqlite3_value_int64(value);
    }
    return true;
}

/* The id in a column, before and after. */
static void note_column(const change_t *c, int column, note_fn note)
{
    int64_t before, after;

    if (!read_column(c, column, &before, &after)) {
        return;
    }
    if (c->was) {
        note(c->t, before);
    }
    if (c->is) {
        note(c->t, after);
    }
}

static bool differs(const change_t *c, int column)
{
    int64_t before, after;

    return read_column(c, column, &before, &after) && before != after;
}

/*
 * Whether a chat shows whom it is with depends on which other chats of that
 * person are live (domain/contact_visible.h): they have changed where one of
 * them becomes live, or another person's. Rare ones alone: a person counts
 * towards TOUCHED_PEOPLE.
 */
static void note_others(const change_t *c)
{
    touched_t *t = c->t;

    if (differs(c, t->chat_live) ||
        (c->was && c->is && differs(c, t->chat_contact))) {
        note_column(c, t->chat_contact, note_person);
    }
}

static void on_change(void *arg, sqlite3 *handle, int op, const char *database,
                      const char *name, sqlite3_int64 before,
                      sqlite3_int64 after)
{
    touched_t *t = arg;
    change_t c = {t, handle, op != SQLITE_INSERT, op != SQLITE_DELETE};
    const table_t *table;

    t->rows_changed = true;
    if (t->all_changed) {
        return; /* a large batch: no row can add to it */
    }
    table = bsearch(name, tables, sizeof(tables) / sizeof(tables[0]),
                    sizeof(tables[0]), compare);
    if (table == NULL || strcmp(database, "main") != 0) {
        t->all_changed = true;
        return;
    }
    switch (table->shows) {
    case ACCESS:
        t->topics |= STORE_ACCESS;
        break;
    case CHATS:
        note_chat(t, c.was ? before : after);
        note_chat(t, c.is ? after : before);
        note_column(&c, t->chat_session, note_session);
        note_others(&c);
        break;
    case CONTACTS:
        note_person(t, c.was ? before : after);
        note_person(t, c.is ? after : before);
        break;
    case MESSAGES:
        note_column(&c, t->message_session, note_session);
        note_column(&c, t->message_chat, note_chat);
        break;
    case OTHER:
        break;
    }
}

int touched_watch(touched_t *t, db_t *writer)
{
    const struct {
        const char *sql;
        int *column;
    } columns[] = {
        {COLUMN_OF("chats", "session_id"), &t->chat_session},
        {COLUMN_OF("chats", "contact_id"), &t->chat_contact},
        {COLUMN_OF("chats", "live"), &t->chat_live},
        {COLUMN_OF("messages", "session_id"), &t->message_session},
        {COLUMN_OF("messages", "chat_id"), &t->message_chat},
    };

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        int64_t column = 0;
        int rc = sqlite_int(writer, columns[i].sql, &column);

        if (rc != WERR_OK) {
            return rc;
        }
        *columns[i].column = (int)column;
    }
    (void)sqlite3_preupdate_hook(writer->handle, on_change, t);
    return WERR_OK;
}

void touched_begin(touched_t *t)
{
    t->rows_changed = t->all_changed = false;
    t->topics = 0;
    t->npeople = 0;
    memset(t->chats, 0, sizeof(t->chats));
}

void touched_look_up(touched_t *t, db_t *writer)
{
    for (size_t i = 0; !t->all_changed && i < t->npeople; i++) {
        db_stmt_t *s = db_stmt(writer, &sessions_of_contact);
        int rc;

        db_bind_i64(s, 1, t->people[i]);
        while ((rc = db_step(s)) == DB_ROW) {
            note_session(t, db_i64(s, 0));
        }
        if (rc != DB_DONE) {
            t->all_changed = true;
        }
    }
}

/* ---- after it ---- */

static void publish_topics(touched_t *t, store_topics_t topics, int64_t version)
{
    for (; topics != 0; topics &= topics - 1) {
        t->last_topic[__builtin_ctzll(topics)] = version;
    }
}

/*
 * From the finest to the coarsest: who has this commit's number from a topic
 * must not find that of a chat, or of who may see what, from before it. The
 * number of the commit comes last: who reads it, and then begins to read the
 * database, sees this commit and all that is said here of it.
 */
void touched_publish(touched_t *t, bool asked)
{
    int64_t version = t->version + 1;

    for (size_t i = 0; i < TOUCHED_ROWS / 64; i++) {
        for (uint64_t left = t->chats[i]; left != 0; left &= left - 1) {
            t->last_chat[i * 64 + (size_t)__builtin_ctzll(left)] = version;
        }
    }
    for (size_t i = 0; i < t->npeople; i++) {
        t->last_person[slot(t->people[i])] = version;
    }
    if (t->all_changed || (!t->rows_changed && !asked)) {
        t->last_all_changed = version;
    }
    publish_topics(t, t->topics & STORE_ACCESS, version);
    publish_topics(t, t->topics & ~STORE_ACCESS, version);
    t->version = version;
}
