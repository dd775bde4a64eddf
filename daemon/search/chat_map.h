/*
 * chat_map.h - in which chat a message is, as the search index has it.
 *
 * A table of search.db: a row of 4,020 bytes for each 1,340 messages in the
 * order of their ids, three bytes (little endian) each. So the chats of
 * thousands of hits are read from some pages, where the messages themselves
 * lie on one each. It is an index and no truth: what has changed since is in
 * search_changes.
 */
#ifndef WACRM_SEARCH_CHAT_MAP_H
#define WACRM_SEARCH_CHAT_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "db/sqlite.h"

#define CHAT_MAP_TABLE                                  \
    "CREATE TABLE message_chats (block INTEGER PRIMARY" \
    " KEY, chats BLOB NOT NULL) STRICT;"

#define CHAT_MAP_MESSAGES 1340 /* their row fits into a page */
/* Chats above have no place in it: their messages are "not known". */
#define CHAT_MAP_MAX 0xffffff

typedef struct {
    db_t *db;
    sqlite3_stmt *read, *write;
    int64_t block; /* that is held; -1: none */
    int64_t row;   /* that `read` is at; -1: none */
    bool changed;
    const uint8_t *now; /* its chats */
    uint8_t chats[CHAT_MAP_MESSAGES * 3];
} chat_map_t;

/* To read only, or to write, too. The connection stays the caller's. */
int chat_map_open(chat_map_t *m, db_t *db, bool writes) WACRM_CHECKED;
void chat_map_close(chat_map_t *m);
/* *chat 0: not known. */
int chat_map_get(chat_map_t *m, int64_t message, int64_t *chat) WACRM_CHECKED;
/* Those of a block, three bytes each, until the next call; a reader that goes
 * upwards has them at half the price. */
int chat_map_read(chat_map_t *m, int64_t block,
                  const uint8_t **chats) WACRM_CHECKED;
static inline int64_t chat_map_at(const uint8_t *chats, size_t i)
{
    return chats[i * 3] | chats[i * 3 + 1] << 8 | chats[i * 3 + 2] << 16;
}
/* Kept until another block is asked for, and written then. */
int chat_map_put(chat_map_t *m, int64_t message, int64_t chat) WACRM_CHECKED;
/* Before the commit. */
int chat_map_flush(chat_map_t *m) WACRM_CHECKED;
/* The transaction has ended: what is held is nothing worth. */
void chat_map_drop(chat_map_t *m);

#endif
