/*
 * contact_file.h - all that is kept of a person, on their request: as one
 * document, or gone.
 */
#ifndef WACRM_DOMAIN_CONTACT_FILE_H
#define WACRM_DOMAIN_CONTACT_FILE_H

#include <stdio.h>

#include "base/buf.h"
#include "domain/domain.h"
#include "domain/media_url.h"

/* One JSON object: the contact, its aliases, chats with all messages, gifts,
 * notes, reminders, consent. Inside a read transaction of the caller's. Memory
 * holds one page of messages at a time. WERR_IO: out cannot be written. */
int contact_export(db_t *db, const media_viewer_t *viewer, int64_t contact,
                   FILE *out) WACRM_CHECKED;

/*
 * Erases a person: messages lose their words and files, notes and reminders
 * go, also raw events and dead letters that name them; a tombstone stays in
 * the contact's place, which owns the gifts (without their notes) as the
 * accounts need them. What waits to be sent fails. db: a read connection,
 * for the long look through the raw events. Who is merged meanwhile is erased
 * as the one they are then. WERR_NOTFOUND: not there.
 */
int contact_erase(domain_t *d, db_t *db, int64_t contact,
                  int64_t user) WACRM_CHECKED;

/* ---- raw events: contact_traces.c ---- */

/* Words that stand for a person, and where they were found. */
typedef struct {
    char **words; /* sorted; malloc'd, as each of them */
    size_t nwords;
    buf_t raw, dead, parked; /* int64_t[] of ids */
    int64_t seen_raw, seen_dead, seen_parked;
} traces_t;

int traces_init(db_t *db, int64_t contact, traces_t *t) WACRM_CHECKED;
void traces_free(traces_t *t);
/* Where other words stand for them by now (a merge), all is looked through
 * anew. */
int traces_again(db_t *db, int64_t contact, traces_t *t) WACRM_CHECKED;
/* Goes on from where it was. */
int traces_find(db_t *db, traces_t *t) WACRM_CHECKED;
int traces_blank(tx_t *tx, const traces_t *t) WACRM_CHECKED;

#endif
