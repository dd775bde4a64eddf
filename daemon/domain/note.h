/*
 * note.h - what colleagues should know of a contact.
 */
#ifndef WACRM_DOMAIN_NOTE_H
#define WACRM_DOMAIN_NOTE_H

#include "base/buf.h"
#include "domain/domain.h"

#define NOTE_MAX 5000 /* characters */

int note_add(tx_t *tx, int64_t contact, const char *text, int64_t cs_id,
             int64_t *id) WACRM_CHECKED;

/* One note as JSON (Note of the HTTP contract). */
int note_write(db_t *db, int64_t id, buf_t *out, const char *key) WACRM_CHECKED;
/* Those of a contact, newest first, as an array. */
int note_list(db_t *db, int64_t contact, int limit, buf_t *out,
              const char *key) WACRM_CHECKED;

#endif
