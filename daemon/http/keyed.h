/*
 * keyed.h - a request that makes something: once for each Idempotency-Key
 * (idempotency.h), in one transaction with its answer.
 */
#ifndef WACRM_HTTP_KEYED_H
#define WACRM_HTTP_KEYED_H

#include "http/idempotency.h"

typedef struct {
    tx_fn effect;
    /* The members of the answer beside `success`; after the effect, in its
     * transaction. */
    int (*answer)(tx_t *tx, void *arg, buf_t *out);
    void *arg; /* of both */
    int status;
    const int64_t *contact; /* whom the answer tells of, as the effect has set
                             * it; NULL: nobody */
} keyed_t;

/*
 * WERR_OK: answered - by the effect, as the first time, 409
 * idempotency_mismatch, or 422 where invalid has errors. Else the error of
 * whatever failed, and nothing has happened: the caller answers.
 */
int keyed_request(request_t *r, invalid_t *invalid,
                  const keyed_t *k) WACRM_CHECKED;

#endif
