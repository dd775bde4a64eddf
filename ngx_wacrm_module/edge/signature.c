/*
 * The verification: what the headers say first, then the body as it comes,
 * and at the end every item against every secret.
 */
#include "edge/sig_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#define BUFFER_START  4096
#define ED25519_TRIES 8 /* a header's worth of items would cost 0.1 s */

const char *sig_result_name(sig_result_t result)
{
    static const char *const names[] = {"ok", "missing", "mismatch", "stale",
                                        "fault"};

    return names[result];
}

/* ---- what the request says ---- */

/* The one header of that name, not empty. */
static sig_result_t header_get(const sig_request_t *request, const char *name,
                               sig_str_t *value)
{
    bool more = false;

    *value = request->header(request->ctx, name, &more);
    if (more) {
        return SIG_MISMATCH;
    }
    return value->data == NULL || value->len == 0 ? SIG_MISSING : SIG_OK;
}

/* The value of the item "name=value"; two of them are a mismatch. */
static sig_result_t item_get(const sig_verify_t *v, const char *name,
                             sig_str_t *value)
{
    sig_result_t result = SIG_MISSING;
    size_t len = strlen(name);
    sig_items_t items;
    sig_str_t item;

    sig_items_begin(&items, v->signature, v->scheme->form.separator);
    while (sig_items_next(&items, &item)) {
        if (!sig_str_starts(item, name) || item.len == len ||
            item.data[len] != '=') {
            continue;
        }
        if (result == SIG_OK) {
            return SIG_MISMATCH;
        }
        *value = sig_str_skip(item, len + 1);
        result = SIG_OK;
    }
    return result;
}

/* Who may change a timestamp may also leave it out, if it is not signed. */
static sig_result_t time_check(sig_verify_t *v, const sig_request_t *request)
{
    const sig_form_t *form = &v->scheme->form;
    sig_result_t result;
    int64_t seconds;

    if (form->timestamp_item[0] != '\0') {
        result = item_get(v, form->timestamp_item, &v->time);
    } else if (form->timestamp_header[0] != '\0') {
        result = header_get(request, form->timestamp_header, &v->time);
    } else {
        return SIG_OK;
    }
    if (result == SIG_MISSING && !sig_template_has(v->scheme, SIG_PART_TIME)) {
        return SIG_OK;
    }
    if (result != SIG_OK) {
        return result;
    }
    if (!sig_time_parse(v->time, form->time, &seconds)) {
        return SIG_MISMATCH;
    }
    if (form->tolerance > 0 && (seconds < request->now - form->tolerance ||
                                seconds > request->now + form->tolerance)) {
        return SIG_STALE;
    }
    return SIG_OK;
}

static sig_result_t id_check(sig_verify_t *v, const sig_request_t *request)
{
    sig_result_t result;

    if (!sig_template_has(v->scheme, SIG_PART_ID)) {
        return SIG_OK;
    }
    result = header_get(request, v->scheme->form.id_header, &v->id);
    if (result == SIG_OK && !sig_template_id_fits(v->scheme, v->id)) {
        return SIG_MISMATCH;
    }
    return result;
}

/* A header that names the digest must name ours. */
static sig_result_t digest_check(const sig_verify_t *v,
                                 const sig_request_t *request)
{
    static const char *const names[] = {"sha1", "sha256", "sha512", "ed25519"};
    const sig_form_t *form = &v->scheme->form;
    const char *name = names[form->digest];
    sig_result_t result;
    sig_str_t value;

    if (form->digest_header[0] == '\0') {
        return SIG_OK;
    }
    result = header_get(request, form->digest_header, &value);
    if (result != SIG_OK) {
        return result == SIG_MISSING ? SIG_OK : result;
    }
    return value.len == strlen(name) &&
                   strncasecmp(value.data, name, value.len) == 0
               ? SIG_OK
               : SIG_MISMATCH;
}

static size_t secret_digest(const sig_verify_t *v, const sig_secret_t *secret,
                            sig_str_t item, unsigned char *digest)
{
    bool ed25519 = secret->pkey != NULL;
    size_t len = ed25519 ? SIG_DIGEST_MAX : v->scheme->digest_len;

    return sig_item_digest(&v->scheme->form, ed25519, item, digest, len) ? len
                                                                         : 0;
}

/* Is there an item that any of the secrets could match? */
static bool has_digest(const sig_verify_t *v)
{
    unsigned char digest[SIG_DIGEST_MAX];
    sig_items_t items;
    sig_str_t item;
    size_t i;

    sig_items_begin(&items, v->signature, v->scheme->form.separator);
    while (sig_items_next(&items, &item)) {
        for (i = 0; i < v->scheme->nsecrets; i++) {
            if (secret_digest(v, &v->scheme->secrets[i], item, digest) > 0) {
                return true;
            }
        }
    }
    return false;
}

/* ---- the signed bytes ---- */

static sig_result_t buffer_add(sig_buffer_t *buffer, const void *data,
                               size_t len)
{
    size_t cap = buffer->cap > 0 ? buffer->cap : BUFFER_START;
    unsigned char *grown;

    if (len > SIZE_MAX / 4 - buffer->len) {
        return SIG_FAULT;
    }
    while (cap < buffer->len + len) {
        cap *= 2;
    }
    if (cap != buffer->cap) {
        grown = realloc(buffer->data, cap);
        if (grown == NULL) {
            return SIG_FAULT;
        }
        buffer->data = grown;
        buffer->cap = cap;
    }
    memcpy(buffer->data + buffer->len, data, len);
    buffer->len += len;
    return SIG_OK;
}

static void feed(sig_verify_t *v, const void *data, size_t len)
{
    size_t i;

    if (v->result != SIG_OK || len == 0) {
        return;
    }
    for (i = 0; i < v->scheme->nsecrets; i++) {
        if (v->macs[i] != NULL &&
            EVP_DigestUpdate(v->macs[i], data, len) != 1) {
            v->result = SIG_FAULT;
        }
    }
    if (v->scheme->buffered) {
        v->result = buffer_add(&v->body, data, len);
    }
}

/* Feeds the template's parts from *at on until the body is due. */
static void feed_parts(sig_verify_t *v, size_t *at)
{
    const sig_scheme_t *scheme = v->scheme;
    const sig_part_t *part;

    for (; *at < scheme->nparts; ++*at) {
        part = &scheme->parts[*at];
        switch (part->type) {
        case SIG_PART_LITERAL:
            feed(v, scheme->form.template + part->at, part->len);
            break;
        case SIG_PART_ID:
            feed(v, v->id.data, v->id.len);
            break;
        case SIG_PART_TIME:
            feed(v, v->time.data, v->time.len);
            break;
        case SIG_PART_BODY:
            return;
        }
    }
}

static sig_result_t begin_mac(sig_verify_t *v, const sig_request_t *request)
{
    const sig_scheme_t *scheme = v->scheme;
    const sig_secret_t *secret;
    sig_result_t result;
    size_t i;

    result = header_get(request, scheme->form.header, &v->signature);
    if (result == SIG_OK) {
        result = digest_check(v, request);
    }
    if (result == SIG_OK) {
        result = id_check(v, request);
    }
    if (result == SIG_OK) {
        result = time_check(v, request);
    }
    if (result == SIG_OK && !has_digest(v)) {
        result = SIG_MISMATCH;
    }
    if (result != SIG_OK) {
        return result;
    }
    for (i = 0; i < scheme->nsecrets; i++) {
        secret = &scheme->secrets[i];
        if (secret->pkey != NULL) {
            continue;
        }
        v->macs[i] = EVP_MD_CTX_new();
        if (v->macs[i] == NULL ||
            EVP_MD_CTX_copy_ex(v->macs[i], secret->inner) != 1) {
            return SIG_FAULT;
        }
    }
    feed_parts(v, &v->part);
    return v->result;
}

static sig_result_t begin_jwt(sig_verify_t *v, const sig_request_t *request)
{
    sig_result_t result =
        header_get(request, v->scheme->form.header, &v->signature);

    return result == SIG_OK
               ? sig_jwt_check(v->scheme, v->signature, request->now)
               : result;
}

static sig_result_t begin_token(sig_verify_t *v, const sig_request_t *request)
{
    const sig_form_t *form = &v->scheme->form;
    sig_result_t result;
    sig_str_t token;

    if (form->json[0] != '\0') {
        return SIG_OK;
    }
    if (form->query[0] != '\0') {
        token = request->query(request->ctx, form->query);
        return token.data == NULL || token.len == 0
                   ? SIG_MISSING
                   : sig_token_check(v->scheme, token);
    }
    result = header_get(request, form->header, &token);
    if (result != SIG_OK) {
        return result;
    }
    if (!sig_str_starts(token, form->prefix)) {
        return SIG_MISMATCH;
    }
    token = sig_str_skip(token, strlen(form->prefix));
    return sig_token_check(v->scheme, token);
}

sig_result_t sig_verify_begin(sig_verify_t **out, const sig_scheme_t *scheme,
                              const sig_request_t *request)
{
    sig_verify_t *v;
    sig_result_t result = SIG_OK;

    *out = NULL;
    if (!scheme->finished) {
        return SIG_FAULT;
    }
    v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return SIG_FAULT;
    }
    v->scheme = scheme;
    switch (scheme->form.kind) {
    case SIG_KIND_MAC:
        result = begin_mac(v, request);
        break;
    case SIG_KIND_JWT:
        result = begin_jwt(v, request);
        break;
    case SIG_KIND_TOKEN:
        result = begin_token(v, request);
        break;
    case SIG_KIND_NONE:
        break;
    }
    if (result != SIG_OK) {
        sig_verify_abort(&v);
    }
    *out = v;
    return result;
}

void sig_verify_update(sig_verify_t *v, const void *data, size_t len)
{
    feed(v, data, len);
}

/* ---- the end ---- */

static bool mac_final(EVP_MD_CTX *mac, const EVP_MD_CTX *outer,
                      unsigned char *digest, size_t len)
{
    return EVP_DigestFinal_ex(mac, digest, NULL) == 1 &&
           EVP_MD_CTX_copy_ex(mac, outer) == 1 &&
           EVP_DigestUpdate(mac, digest, len) == 1 &&
           EVP_DigestFinal_ex(mac, digest, NULL) == 1;
}

static sig_result_t ed25519_check(const sig_verify_t *v, EVP_PKEY *pkey,
                                  const unsigned char *sig)
{
    sig_result_t result = SIG_MISMATCH;
    EVP_MD_CTX *ctx;

    errno = 0;
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1) {
        result = SIG_FAULT;
    } else if (EVP_DigestVerify(ctx, sig, SIG_DIGEST_MAX, v->body.data,
                                v->body.len) == 1) {
        result = SIG_OK;
    } else if (errno == ENOMEM) {
        result = SIG_FAULT;
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return result;
}

/* All items against one secret, with no early end. */
static sig_result_t secret_check(sig_verify_t *v, size_t place)
{
    const sig_secret_t *secret = &v->scheme->secrets[place];
    unsigned char digest[SIG_DIGEST_MAX];
    unsigned char claimed[SIG_DIGEST_MAX];
    sig_items_t items;
    sig_result_t one;
    sig_str_t item;
    int matches = 0;
    int tries = 0;
    size_t len;

    if (secret->pkey == NULL && !mac_final(v->macs[place], secret->outer,
                                           digest, v->scheme->digest_len)) {
        return SIG_FAULT;
    }
    sig_items_begin(&items, v->signature, v->scheme->form.separator);
    while (sig_items_next(&items, &item)) {
        len = secret_digest(v, secret, item, claimed);
        if (len == 0) {
            continue;
        }
        if (secret->pkey == NULL) {
            matches |= CRYPTO_memcmp(digest, claimed, len) == 0;
        } else if (tries++ < ED25519_TRIES) {
            one = ed25519_check(v, secret->pkey, claimed);
            if (one == SIG_FAULT) {
                return SIG_FAULT;
            }
            matches |= one == SIG_OK;
        }
    }
    return matches ? SIG_OK : SIG_MISMATCH;
}

static sig_result_t final_mac(sig_verify_t *v)
{
    sig_result_t result = SIG_MISMATCH;
    sig_result_t one;
    size_t i;

    v->part++;
    feed_parts(v, &v->part);
    if (v->result != SIG_OK) {
        return v->result;
    }
    for (i = 0; i < v->scheme->nsecrets; i++) {
        one = secret_check(v, i);
        if (one == SIG_FAULT) {
            return SIG_FAULT;
        }
        if (one == SIG_OK) {
            result = SIG_OK;
        }
    }
    return result;
}

sig_result_t sig_verify_final(sig_verify_t **v)
{
    sig_result_t result = (*v)->result;

    if ((*v)->scheme->form.kind == SIG_KIND_MAC) {
        result = final_mac(*v);
    } else if (result == SIG_OK && (*v)->scheme->buffered) {
        result = sig_token_body((*v)->scheme, &(*v)->body);
    }
    sig_verify_abort(v);
    return result;
}

void sig_verify_abort(sig_verify_t **v)
{
    size_t i;

    if (*v == NULL) {
        return;
    }
    for (i = 0; i < (*v)->scheme->nsecrets; i++) {
        EVP_MD_CTX_free((*v)->macs[i]);
    }
    free((*v)->body.data);
    free(*v);
    *v = NULL;
}
