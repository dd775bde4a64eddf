/*
 * contact_merge.h - two contacts that are one person, and the way back.
 *
 * A merge keeps a ledger of what it moved. Undone, the one that went has
 * again its number, aliases, chats, messages, gifts, notes and reminders, as
 * far as nothing newer contradicts: what came after the merge stays where it
 * is, but in a chat that only the one that went had, which goes back whole.
 */
#ifndef WACRM_DOMAIN_CONTACT_MERGE_H
#define WACRM_DOMAIN_CONTACT_MERGE_H

#include "base/buf.h"
#include "domain/domain.h"

/* contact_merge() of contact.h, at the wish of a user. WERR_INVALID if both
 * are the same. */
int contact_merge_by(tx_t *tx, int64_t into, int64_t from, int64_t user,
                     int64_t *merge) WACRM_CHECKED;

/*
 * Takes a merge back. *from: the contact that is there again. WERR_NOTFOUND;
 * WERR_CONFLICT if it is undone already, if either was merged again since
 * (undo that first), or if its number is somebody else's now.
 */
int contact_unmerge(tx_t *tx, int64_t merge, int64_t user, int64_t *into,
                    int64_t *from) WACRM_CHECKED;

/* Merges, newest first, those with an id below `before`, as an array. */
int merge_page(db_t *db, int limit, int64_t before, buf_t *out, const char *key,
               bool *more, int64_t *last) WACRM_CHECKED;

#endif
