/*
 * idempotency.h - the same Idempotency-Key and request give the same answer,
 * and nothing happens twice: key and answer are stored in the transaction of
 * the effects, and kept for a day.
 */
#ifndef WACRM_HTTP_IDEMPOTENCY_H
#define WACRM_HTTP_IDEMPOTENCY_H

#include "base/buf.h"
#include "domain/domain.h"
#include "http/invalid.h"
#include "http/request.h"

#define IDEMPOTENCY_KEY_MAX 255

typedef struct {
    int64_t user;
    const char *key; /* NULL: none was sent */
    char request[65];
    int64_t contact; /* whom the answer tells of beside a message: it is
                      * blanked with them; 0: nobody */
} idempotency_t;

/* Reads the header; a malformed one is an error of `idempotency_key`. */
int idempotency_read(const request_t *r, invalid_t *invalid,
                     idempotency_t *out) WACRM_CHECKED;

/*
 * Answers what the same request has been answered before, and tells true:
 * also where it could not be made now, as its time has passed. Before the
 * checks of a request; the transaction asks again.
 */
bool idempotency_answered(request_t *r, const idempotency_t *in);
/*
 * WERR_OK with the answer of before in out; WERR_NOTFOUND: go on;
 * WERR_CONFLICT: the key stands for another request.
 */
int idempotency_find(tx_t *tx, const idempotency_t *in, int *status,
                     buf_t *out) WACRM_CHECKED;
/* Answers 409. */
void idempotency_mismatch(response_t *response);
/* Keeps the answer; nothing without a key. */
int idempotency_keep(tx_t *tx, const idempotency_t *in, int status,
                     const buf_t *answer) WACRM_CHECKED;

#endif
