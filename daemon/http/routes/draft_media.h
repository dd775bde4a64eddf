/*
 * draft_media.h - the file of what somebody wants to send: one that comes
 * with the request, or one that is here already.
 */
#ifndef WACRM_HTTP_DRAFT_MEDIA_H
#define WACRM_HTTP_DRAFT_MEDIA_H

#include "domain/media.h"
#include "http/routes/draft.h"
#include "http/upload.h"

typedef struct draft_media_s {
    media_blob_t blob; /* held: it has come just now */
    const char *name;  /* of the upload */
    int64_t media;     /* else media.id; 0: no file at all */
} draft_media_t;

/*
 * Looks at it, before anything is stored; errors go to invalid. Sets the
 * draft's type where none was told. false: answered already (413, 415, 503).
 */
bool draft_media_check(request_t *r, const upload_t *u, draft_t *draft,
                       invalid_t *invalid, draft_media_t *out);
/* Stores what came with the request; false: answered already. The caller
 * calls draft_media_end(). */
bool draft_media_store(request_t *r, const upload_t *u, const draft_t *draft,
                       draft_media_t *out);
void draft_media_end(draft_media_t *m);

/* The media row for the message, inside its transaction; 0: none. */
int draft_media_row(tx_t *tx, const draft_media_t *m, int64_t user,
                    int64_t *id) WACRM_CHECKED;

#endif
