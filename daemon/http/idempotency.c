#include "http/idempotency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "http/multipart.h"

#define KEPT_MS DAY_MS

DB_QUERY(idempotency_get,
         "SELECT request, status, response FROM idempotency"
         " WHERE user_id = $1 AND key = $2 AND created_at > $3");
DB_QUERY(idempotency_put,
         "INSERT INTO idempotency (user_id, key, request, status, response,"
         " created_at, contact_id) VALUES ($1, $2, $3, $4, $5, $6, $7)");
DB_QUERY(idempotency_forget, "DELETE FROM idempotency WHERE user_id = $1"
                             " AND key = $2 AND created_at <= $3");

/* A form without its boundary, which is another one each time. */
static bool hash_form(EVP_MD_CTX *ctx, const request_t *r)
{
    multipart_t *form = malloc(sizeof(*form));
    bool ok = form != NULL;
    if (ok && multipart_parse(form, request_header(r, "Content-Type"),
                              r->body.data, r->body.len) != NULL) {
        form->n = 0;
    }
    for (size_t i = 0; ok && i < form->n; i++) {
        const multipart_part_t *p = &form->parts[i];
        ok = EVP_DigestUpdate(ctx, p->name, strlen(p->name) + 1) == 1 &&
             EVP_DigestUpdate(ctx, p->filename, strlen(p->filename) + 1) == 1 &&
             EVP_DigestUpdate(ctx, &p->len, sizeof(p->len)) == 1 &&
             EVP_DigestUpdate(ctx, p->data, p->len) == 1;
    }
    free(form);
    return ok;
}

static bool hash_body(EVP_MD_CTX *ctx, const request_t *r)
{
    if (r->body.len == 0) {
        return true;
    }
    if (multipart_is(request_header(r, "Content-Type"))) {
        return hash_form(ctx, r);
    }
    return EVP_DigestUpdate(ctx, r->body.data, r->body.len) == 1;
}

/* Method, path, session and body: what makes a request the same. */
static int hash_request(const request_t *r, char out[65])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const char *session = request_session(r);
    session = session != NULL ? session : "";
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, r->method, strlen(r->method) + 1) == 1 &&
              EVP_DigestUpdate(ctx, r->target, r->path_len) == 1 &&
              EVP_DigestUpdate(ctx, "", 1) == 1 &&
              EVP_DigestUpdate(ctx, session, strlen(session) + 1) == 1 &&
              hash_body(ctx, r) && EVP_DigestFinal_ex(ctx, md, &len) == 1;
    EVP_MD_CTX_free(ctx);
    for (unsigned i = 0; ok && i < len && i < 32; i++) {
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    }
    return ok ? WERR_OK : WERR_NOMEM;
}

int idempotency_read(const request_t *r, invalid_t *invalid, idempotency_t *out)
{
    memset(out, 0, sizeof(*out));
    out->user = r->user.id;
    out->key = request_header(r, "Idempotency-Key");
    if (out->key == NULL) {
        return WERR_OK;
    }
    size_t len = strlen(out->key);
    bool ok = len > 0 && len <= IDEMPOTENCY_KEY_MAX;
    for (size_t i = 0; ok && i < len; i++) {
        ok = out->key[i] >= ' ' && out->key[i] <= '~';
    }
    if (!ok) {
        invalid_add(invalid, "idempotency_key",
                    "The Idempotency-Key must be 1 to %d printable ASCII "
                    "characters.",
                    IDEMPOTENCY_KEY_MAX);
    }
    return hash_request(r, out->request);
}

static int find(db_t *db, const idempotency_t *in, int64_t now, int *status,
                buf_t *out)
{
    if (in->key == NULL) {
        return WERR_NOTFOUND;
    }
    db_stmt_t *s = db_stmt(db, &idempotency_get);
    db_bind_i64(s, 1, in->user);
    db_bind_text(s, 2, in->key);
    db_bind_i64(s, 3, now - KEPT_MS);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    rc = WERR_CONFLICT;
    if (strcmp(db_text(s, 0), in->request) == 0) {
        *status = (int)db_i64(s, 1);
        buf_add(out, db_text(s, 2), db_text_len(s, 2));
        rc = out->failed ? WERR_NOMEM : WERR_OK;
    }
    db_done(s);
    return rc;
}

int idempotency_find(tx_t *tx, const idempotency_t *in, int *status, buf_t *out)
{
    return find(tx->db, in, tx->now, status, out);
}

bool idempotency_answered(request_t *r, const idempotency_t *in)
{
    int status = 200;
    buf_t before;
    buf_init(&before, 0);
    int rc = find(r->db, in, clock_now_ms(), &status, &before);
    if (rc == WERR_OK) {
        response_reset(&r->response, status);
        buf_add(&r->response.body, before.data, before.len);
    } else if (werr_is_fault(rc)) {
        response_error(&r->response, rc);
    }
    buf_free(&before);
    return rc == WERR_OK || werr_is_fault(rc);
}

void idempotency_mismatch(response_t *response)
{
    response_conflict(response, "idempotency_mismatch",
                      "This Idempotency-Key was used for another request.",
                      NULL, 0);
}

int idempotency_keep(tx_t *tx, const idempotency_t *in, int status,
                     const buf_t *answer)
{
    if (in->key == NULL) {
        return WERR_OK;
    }
    if (answer->failed) {
        return WERR_NOMEM;
    }
    db_stmt_t *s = db_stmt(tx->db, &idempotency_forget);
    db_bind_i64(s, 1, in->user);
    db_bind_text(s, 2, in->key);
    db_bind_i64(s, 3, tx->now - KEPT_MS);
    int rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &idempotency_put);
    db_bind_i64(s, 1, in->user);
    db_bind_text(s, 2, in->key);
    db_bind_text(s, 3, in->request);
    db_bind_i64(s, 4, status);
    db_bind_textn(s, 5, answer->data, answer->len);
    db_bind_i64(s, 6, tx->now);
    if (in->contact != 0) {
        db_bind_i64(s, 7, in->contact);
    }
    return db_exec(s);
}
