#include "http/keyed.h"

typedef struct {
    const keyed_t *k;
    idempotency_t key;
    bool mismatch;
    int status;
    buf_t answer;
} keyed_job_t;

static int run(tx_t *tx, void *arg)
{
    keyed_job_t *j = arg;
    const keyed_t *k = j->k;
    buf_t *b = &j->answer;
    int rc;

    j->status = k->status;
    rc = idempotency_find(tx, &j->key, &j->status, b);
    j->mismatch = rc == WERR_CONFLICT;
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    rc = k->effect(tx, k->arg);
    if (rc < 0) {
        return rc;
    }
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    rc = k->answer(tx, k->arg, b);
    jw_close_object(b);
    if (rc == WERR_OK && b->failed) {
        rc = WERR_NOMEM;
    }
    j->key.contact = k->contact != NULL ? *k->contact : 0;
    return rc == WERR_OK ? idempotency_keep(tx, &j->key, k->status, b) : rc;
}

static int do_write(request_t *r, const idempotency_t *key, const keyed_t *k)
{
    keyed_job_t j = {.k = k, .key = *key};
    int rc;

    buf_init(&j.answer, 0);
    rc = domain_write(r->options->domain, run, &j);
    if (j.mismatch && rc == WERR_CONFLICT) {
        idempotency_mismatch(&r->response);
        rc = WERR_OK;
    } else if (rc >= 0) {
        response_reset(&r->response, j.status);
        buf_add(&r->response.body, j.answer.data, j.answer.len);
        rc = WERR_OK;
    }
    buf_free(&j.answer);
    return rc;
}

int keyed_request(request_t *r, invalid_t *invalid, const keyed_t *k)
{
    idempotency_t key;
    int rc = idempotency_read(r, invalid, &key);

    if (rc == WERR_OK && (idempotency_answered(r, &key) ||
                          invalid_answer(invalid, &r->response))) {
        return WERR_OK;
    }
    return rc == WERR_OK ? do_write(r, &key, k) : rc;
}
