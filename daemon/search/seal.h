/*
 * seal.h - the sets of a block's frequent words, from its messages.
 */
#ifndef WACRM_SEARCH_SEAL_H
#define WACRM_SEARCH_SEAL_H

#include "db/db.h"
#include "search/word_sets.h"
#include "search/words.h"

/*
 * Writes the sets of a block that is not sealed, of its messages before
 * block->upto, and seals it: in a transaction of the index, which is as far as
 * db is. Takes 1 to 2 MB meanwhile, 8 at most: a block of more words than that
 * has no sets.
 */
int seal_block(word_sets_t *sets, db_t *db, words_t *words,
               const word_block_t *block) WACRM_CHECKED;

#endif
