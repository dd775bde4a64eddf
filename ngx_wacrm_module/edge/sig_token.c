#include "edge/sig_internal.h"

#include <string.h>
#include <strings.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "edge/coding.h"
#include "edge/json_memory.h"

#define HS256_LEN 32
#define BEARER    "Bearer "

/* ---- JWT (HS256) in a header ---- */

static sig_result_t mac_check(const jwt_gate_token_t *tok,
                              sig_str_t signed_part, const unsigned char *sig)
{
    unsigned char digest[HS256_LEN];
    int matches = 0;
    size_t i;

    for (i = 0; i < tok->nkeys; i++) {
        if (HMAC(EVP_sha256(), tok->keys[i]->data, (int)tok->keys[i]->len,
                 (const unsigned char *)signed_part.data, signed_part.len,
                 digest, NULL) == NULL) {
            return SIG_FAULT;
        }
        matches |= CRYPTO_memcmp(digest, sig, HS256_LEN) == 0;
    }
    return matches ? SIG_OK : SIG_MISMATCH;
}

static bool claims_match(const sig_scheme_t *scheme, const json_t *claims)
{
    const char *value;
    size_t i;

    for (i = 0; i < scheme->nclaims; i++) {
        value =
            json_string_value(json_object_get(claims, scheme->claims[i].name));
        if (value == NULL || strcmp(value, scheme->claims[i].value) != 0) {
            return false;
        }
    }
    return true;
}

static sig_result_t from_gate(jwt_gate_result_t result)
{
    switch (result) {
    case JWT_GATE_OK:
        return SIG_OK;
    case JWT_GATE_EXPIRED:
    case JWT_GATE_EARLY:
        return SIG_STALE;
    case JWT_GATE_FAULT:
        return SIG_FAULT;
    default:
        return SIG_MISMATCH;
    }
}

sig_result_t sig_jwt_check(const sig_scheme_t *scheme, sig_str_t header,
                           int64_t now)
{
    jwt_gate_rules_t rules = {.now = now, .leeway = scheme->form.leeway};
    size_t bearer = sizeof(BEARER) - 1;
    unsigned char sig[HS256_LEN];
    jwt_gate_token_t tok;
    jwt_gate_result_t opened;
    sig_result_t result = SIG_MISMATCH;
    sig_str_t token;
    size_t dot, sig_len;

    if (header.len <= bearer || strncasecmp(header.data, BEARER, bearer) != 0) {
        return SIG_MISMATCH;
    }
    token = sig_str_skip(header, bearer);
    opened = jwt_gate_open(scheme->keyset, token.data, token.len, &tok);
    if (opened != JWT_GATE_OK) {
        return from_gate(opened);
    }
    /* The gate has seen two dots. */
    for (dot = token.len - 1; token.data[dot] != '.'; dot--) {
    }
    if (b64_decode(sig, sizeof(sig), &sig_len, token.data + dot + 1,
                   token.len - dot - 1, B64_URL | B64_UNPADDED) &&
        sig_len == HS256_LEN) {
        result = mac_check(&tok, (sig_str_t){token.data, dot}, sig);
    }
    if (result == SIG_OK) {
        result = from_gate(jwt_gate_claims(&tok, &rules));
    }
    if (result == SIG_OK && !claims_match(scheme, tok.claims)) {
        result = SIG_MISMATCH;
    }
    jwt_gate_close(&tok);
    return result;
}

/* ---- a token in a header, the query or the body ---- */

bool sig_token_digest(unsigned char digest[32], sig_str_t token)
{
    return EVP_Digest(token.data, token.len, digest, NULL, EVP_sha256(),
                      NULL) == 1;
}

sig_result_t sig_token_check(const sig_scheme_t *scheme, sig_str_t token)
{
    unsigned char digest[sizeof(scheme->secrets[0].token)];
    int matches = 0;
    size_t i;

    if (!sig_token_digest(digest, token)) {
        return SIG_FAULT;
    }
    for (i = 0; i < scheme->nsecrets; i++) {
        matches |= CRYPTO_memcmp(digest, scheme->secrets[i].token,
                                 sizeof(digest)) == 0;
    }
    return matches ? SIG_OK : SIG_MISMATCH;
}

/*
 * Integers as doubles, so that one too large elsewhere in the event does not
 * hide its token.
 */
sig_result_t sig_token_body(const sig_scheme_t *scheme,
                            const sig_buffer_t *body)
{
    sig_result_t result = SIG_MISSING;
    const json_t *field;
    json_t *root;

    if (body->len == 0) {
        return SIG_MISSING;
    }
    json_memory_watch();
    root = json_loadb((const char *)body->data, body->len,
                      JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    if (json_memory_was_short()) {
        json_decref(root);
        return SIG_FAULT;
    }
    if (root == NULL) {
        return SIG_MISMATCH;
    }
    field = json_object_get(root, scheme->form.json);
    if (json_is_string(field)) {
        result =
            sig_token_check(scheme, (sig_str_t){json_string_value(field),
                                                json_string_length(field)});
    }
    json_decref(root);
    return result;
}
