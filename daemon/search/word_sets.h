/*
 * word_sets.h - in which messages the frequent words are, as sets of bits.
 *
 * FTS5 meets two frequent words by walking both their lists, a message at a
 * time. So of each block of 10,240 messages (in the order of their ids) the
 * index keeps for each word, and for each beginning of words,
 * that is in many of the block's messages, the set of these: to meet two words
 * is to AND two sets then. What is not there is rare, and FTS5 is asked.
 *
 * A block is sealed, up to a message, when its sets are written. They are as
 * FTS5 has it at each commit: a block of which a message changes that is
 * sealed is opened again.
 *
 * Keys are the nodes of the tree of the block's words, each with \x01 after
 * it, as far as a node is a word or has several children: "terima\x01",
 * "ter". So all that begins with a prefix is in the first key that does, as
 * that one is the uppermost of its part of the tree: and if that one is rare,
 * all below it are, and none is there.
 */
#ifndef WACRM_SEARCH_WORD_SETS_H
#define WACRM_SEARCH_WORD_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "db/sqlite.h"

#define WORD_BLOCK 10240
#define WORD_SET   (WORD_BLOCK / 64)
/* A set is kept of what is in so many messages of a block. */
#define WORD_SET_MIN 64
/* Bytes of a key, with its end. */
#define WORD_KEY_MAX 64
#define WORD_END     '\x01'

/* A set: bytes are the distances to the message before (from -1), two for
 * 128 and more (high bits first, with 0x80), or, if that is not shorter, a bit
 * for each message, little endian. */
#define WORD_SETS_TABLE                                           \
    "CREATE TABLE sealed_blocks (block INTEGER PRIMARY KEY, "     \
    "upto INTEGER NOT NULL) STRICT;"                              \
    "CREATE TABLE word_sets (block INTEGER NOT NULL, word BLOB "  \
    "NOT NULL, messages BLOB NOT NULL, PRIMARY KEY (block, word)" \
    ") STRICT;"

typedef struct {
    db_t *db;
    sqlite3_stmt *sealed, *read, *seal, *write, *open, *clear;
} word_sets_t;

/* To read only, or to write, too. The connection stays the caller's. */
int word_sets_open(word_sets_t *w, db_t *db, bool writes) WACRM_CHECKED;
void word_sets_close(word_sets_t *w);

/* A block, and the message before which it is sealed. */
typedef struct {
    int64_t number, upto;
} word_block_t;

/* Those that are sealed, upwards, to be freed. */
int word_sets_sealed(word_sets_t *w, word_block_t **blocks,
                     size_t *n) WACRM_CHECKED;
/* The set of a word, or of all that begins with it, in a sealed block; *n:
 * messages in it; 0: it has none, fewer than WORD_SET_MIN are in it. */
int word_sets_get(word_sets_t *w, int64_t block, const char *word, size_t len,
                  bool prefix, uint64_t set[WORD_SET], size_t *n) WACRM_CHECKED;

/* Writers, in a transaction. Seals a block, of which no sets are there; */
int word_sets_seal(word_sets_t *w, const word_block_t *block) WACRM_CHECKED;
int word_sets_put(word_sets_t *w, int64_t block, const char *key, size_t len,
                  const uint64_t set[WORD_SET]) WACRM_CHECKED;
/* and opens it again, if this message of it is among those. */
int word_sets_unseal(word_sets_t *w, int64_t message) WACRM_CHECKED;

#endif
