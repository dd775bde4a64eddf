/*
 * touched.h - cache invalidation: which commit was the last to change what,
 * inside db/.
 *
 * SQLite tells the writer's connection of every row before it changes
 * (sqlite3_preupdate_hook()): by whichever statement, trigger or cascade, and
 * in tables without row ids, too. Nobody has to remember to say so. A change
 * of a table that touched.c does not know counts as one of all rows.
 */
#ifndef WACRM_DB_TOUCHED_H
#define WACRM_DB_TOUCHED_H

#include <stdatomic.h>

#include "db/sqlite.h"
#include "db/store.h"

/* Ids share slots: a commit may be taken to have changed more than it has. */
#define TOUCHED_SESSIONS 62
#define TOUCHED_ROWS     4096
#define TOUCHED_PEOPLE   64 /* contacts of one commit; more: all_changed */

typedef struct {
    /* of the transaction that runs, under the writer's lock */
    bool rows_changed; /* one at least, of whatever table */
    bool all_changed;  /* nobody can say which: all may have */
    store_topics_t topics;
    uint64_t chats[TOUCHED_ROWS / 64];
    int64_t people[TOUCHED_PEOPLE];
    size_t npeople;
    /* columns */
    int chat_session, chat_contact, chat_live;
    int message_session, message_chat;

    /* numbers of commits */
    _Atomic int64_t version, last_all_changed;
    _Atomic int64_t last_topic[64];
    _Atomic int64_t last_chat[TOUCHED_ROWS];
    _Atomic int64_t last_person[TOUCHED_ROWS];
} touched_t;

/* After the migrations. */
int touched_watch(touched_t *t, db_t *writer) WACRM_CHECKED;
void touched_begin(touched_t *t);
/* Before the COMMIT: in which sessions a changed contact has chats. */
void touched_look_up(touched_t *t, db_t *writer);
/* After it, also where it has failed; before anybody is told of it. asked:
 * what has changed no row was done by statements, and so has changed nothing;
 * else it was something that no row tells of: all may have changed. */
void touched_publish(touched_t *t, bool asked);

#endif
