#include "edge/jwt_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "edge/coding.h"
#include "edge/json_memory.h"

#define JWT_DEPTH_MAX     10
#define JWT_MEMBERS_MAX   100
#define JWT_INTEGER_MAX   (1ll << 53)
#define JWT_SIGNATURE_MAX 2048
#define JWT_KEYS_TRIED \
    (sizeof(((jwt_gate_token_t *)0)->keys) / sizeof(jwt_key_t *))

typedef struct {
    const char *data;
    size_t len;
} segment_t;

const char *jwt_gate_result_name(jwt_gate_result_t result)
{
    static const char *const names[] = {
        [JWT_GATE_OK] = "ok",
        [JWT_GATE_MALFORMED] = "malformed",
        [JWT_GATE_ALG] = "alg",
        [JWT_GATE_KEY] = "key",
        [JWT_GATE_SIGNATURE] = "signature",
        [JWT_GATE_EXPIRED] = "expired",
        [JWT_GATE_EARLY] = "early",
        [JWT_GATE_ISSUER] = "issuer",
        [JWT_GATE_AUDIENCE] = "audience",
        [JWT_GATE_CLAIM] = "claim",
        [JWT_GATE_FAULT] = "fault",
    };

    return names[result];
}

/* ---- the token's three parts ---- */

static bool split(const char *token, size_t len, segment_t parts[3])
{
    const char *end = token + len;
    const char *dot;
    int i;

    for (i = 0; i < 3; i++) {
        dot = memchr(token, '.', (size_t)(end - token));
        if ((dot == NULL) != (i == 2)) {
            return false;
        }
        parts[i].data = token;
        parts[i].len = (size_t)((dot == NULL ? end : dot) - token);
        token = dot == NULL ? end : dot + 1;
    }
    return true;
}

static bool shallow(const json_t *value, int depth)
{
    const json_t *member;
    const char *name;
    size_t i;

    if (!json_is_object(value) && !json_is_array(value)) {
        return true;
    }
    if (depth == JWT_DEPTH_MAX || json_object_size(value) > JWT_MEMBERS_MAX ||
        json_array_size(value) > JWT_MEMBERS_MAX) {
        return false;
    }
    json_array_foreach(value, i, member)
    {
        if (!shallow(member, depth + 1)) {
            return false;
        }
    }
    json_object_foreach((json_t *)value, name, member)
    {
        if (!shallow(member, depth + 1)) {
            return false;
        }
    }
    return true;
}

/* The JSON object in a segment of up to max bytes; NULL: it is none. */
static json_t *segment_object(segment_t part, size_t max,
                              jwt_gate_result_t *result)
{
    unsigned char *text;
    json_t *object = NULL;
    size_t len;

    json_memory_watch();
    *result = JWT_GATE_MALFORMED;
    if (part.len == 0 || part.len / 4 * 3 > max) {
        return NULL;
    }
    text = malloc(B64_DECODED_MAX(part.len));
    if (text == NULL) {
        *result = JWT_GATE_FAULT;
        return NULL;
    }
    if (b64_decode(text, B64_DECODED_MAX(part.len), &len, part.data, part.len,
                   B64_URL | B64_UNPADDED) &&
        len <= max) {
        object =
            json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    }
    free(text);
    if (json_memory_was_short()) {
        json_decref(object);
        *result = JWT_GATE_FAULT;
        return NULL;
    }
    if (!json_is_object(object) || !shallow(object, 0)) {
        json_decref(object);
        return NULL;
    }
    *result = JWT_GATE_OK;
    return object;
}

/* ---- the header ---- */

/* libjwt 1.10 knows no other, and would call it a wrong signature. */
static bool type_known(const json_t *typ)
{
    return typ == NULL || (json_is_string(typ) &&
                           strcasecmp(json_string_value(typ), "JWT") == 0);
}

/* Without kid every key fits, and one without kid fits every token. */
static bool kid_fits(const jwt_key_t *key, const char *kid, size_t len)
{
    if (kid == NULL || key->kid == NULL) {
        return true;
    }
    return strlen(key->kid) == len && CRYPTO_memcmp(key->kid, kid, len) == 0;
}

static jwt_gate_result_t choose_keys(const jwt_keyset_t *set,
                                     const json_t *header, size_t sig_len,
                                     jwt_gate_token_t *tok)
{
    const json_t *name = json_object_get(header, "alg");
    const json_t *member = json_object_get(header, "kid");
    const char *kid = json_string_value(member);
    const jwt_entry_t *entry;
    bool alg_known = false;
    bool kid_known = false;
    jwt_gate_alg_t alg;
    size_t i;

    if (!json_is_string(name) ||
        !jwt_gate_alg_parse(json_string_value(name), json_string_length(name),
                            &alg)) {
        return JWT_GATE_ALG;
    }
    if (member != NULL && kid == NULL) {
        return JWT_GATE_KEY;
    }
    for (i = 0; i < set->count; i++) {
        entry = &set->entries[i];
        if (entry->key.alg != alg || entry->key.len == 0) {
            continue;
        }
        alg_known = true;
        if (!kid_fits(&entry->key, kid, json_string_length(member))) {
            continue;
        }
        kid_known = true;
        if (entry->signature_len == sig_len && tok->nkeys < JWT_KEYS_TRIED) {
            tok->keys[tok->nkeys++] = &entry->key;
        }
    }
    if (tok->nkeys > 0) {
        return JWT_GATE_OK;
    }
    return !alg_known   ? JWT_GATE_ALG
           : !kid_known ? JWT_GATE_KEY
                        : JWT_GATE_SIGNATURE;
}

static bool all_zero(const unsigned char *bytes, size_t len)
{
    unsigned char any = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static jwt_gate_result_t judge_header(const jwt_keyset_t *set,
                                      const json_t *header,
                                      const unsigned char *sig, size_t sig_len,
                                      jwt_gate_token_t *tok)
{
    jwt_gate_result_t result;

    if (json_object_get(header, "crit") != NULL ||
        json_object_get(header, "b64") != NULL) {
        return JWT_GATE_ALG;
    }
    if (!type_known(json_object_get(header, "typ"))) {
        return JWT_GATE_CLAIM;
    }
    result = choose_keys(set, header, sig_len, tok);
    if (result != JWT_GATE_OK) {
        return result;
    }
    /* r or s of zero: CVE-2022-21449 */
    if (jwt_alg_info(tok->keys[0]->alg)->family == JWT_FAMILY_EC &&
        (all_zero(sig, sig_len / 2) ||
         all_zero(sig + sig_len / 2, sig_len / 2))) {
        return JWT_GATE_SIGNATURE;
    }
    return JWT_GATE_OK;
}

jwt_gate_result_t jwt_gate_open(const jwt_keyset_t *set, const char *token,
                                size_t len, jwt_gate_token_t *tok)
{
    unsigned char sig[JWT_SIGNATURE_MAX];
    segment_t parts[3];
    jwt_gate_result_t result;
    json_t *header = NULL;
    size_t sig_len;

    memset(tok, 0, sizeof(*tok));
    if (len > JWT_GATE_TOKEN_MAX || !split(token, len, parts)) {
        return JWT_GATE_MALFORMED;
    }
    header = segment_object(parts[0], JWT_GATE_HEADER_MAX, &result);
    if (header == NULL) {
        return result;
    }
    if (!b64_decode(sig, sizeof(sig), &sig_len, parts[2].data, parts[2].len,
                    B64_URL | B64_UNPADDED)) {
        result = parts[2].len > sizeof(sig) / 3 * 4 ? JWT_GATE_SIGNATURE
                                                    : JWT_GATE_MALFORMED;
        goto out;
    }
    result = judge_header(set, header, sig, sig_len, tok);
    if (result == JWT_GATE_OK) {
        tok->claims = segment_object(parts[1], JWT_GATE_TOKEN_MAX, &result);
    }
out:
    json_decref(header);
    if (result != JWT_GATE_OK) {
        jwt_gate_close(tok);
    }
    return result;
}

void jwt_gate_close(jwt_gate_token_t *tok)
{
    json_decref(tok->claims);
    memset(tok, 0, sizeof(*tok));
}

/* ---- the claims ---- */

/* An integer of 0..2^53 into *value; false: absent or anything else. */
static bool claim_time(const json_t *claim, int64_t *value)
{
    if (!json_is_integer(claim)) {
        return false;
    }
    *value = json_integer_value(claim);
    return *value >= 0 && *value <= JWT_INTEGER_MAX;
}

static bool has_begun(const json_t *claim, const jwt_gate_rules_t *rules)
{
    int64_t time;

    return claim == NULL ||
           (claim_time(claim, &time) && time <= rules->now + rules->leeway);
}

/* Absent, or a string that may stand in a header and a log line. */
static bool clean_text(const json_t *claim)
{
    const unsigned char *p = (const unsigned char *)json_string_value(claim);

    if (claim == NULL) {
        return true;
    }
    if (p == NULL || *p == '\0') {
        return false;
    }
    while (*p >= 0x20 && *p != 0x7f) {
        p++;
    }
    return *p == '\0';
}

static bool text_is(const json_t *claim, const char *text)
{
    return json_is_string(claim) && strcmp(json_string_value(claim), text) == 0;
}

static bool audience_fits(const json_t *aud, const char *audience)
{
    const json_t *member;
    bool found = false;
    size_t i;

    if (audience == NULL) {
        return true;
    }
    json_array_foreach(aud, i, member)
    {
        if (!json_is_string(member)) {
            return false;
        }
        found = found || text_is(member, audience);
    }
    return found || text_is(aud, audience);
}

jwt_gate_result_t jwt_gate_claims(const jwt_gate_token_t *tok,
                                  const jwt_gate_rules_t *rules)
{
    const json_t *claims = tok->claims;
    const json_t *token_use = json_object_get(claims, "token_use");
    int64_t exp;

    if (!claim_time(json_object_get(claims, "exp"), &exp) ||
        exp <= rules->now - rules->leeway) {
        return JWT_GATE_EXPIRED;
    }
    if (!has_begun(json_object_get(claims, "nbf"), rules) ||
        !has_begun(json_object_get(claims, "iat"), rules)) {
        return JWT_GATE_EARLY;
    }
    if (rules->issuer != NULL &&
        !text_is(json_object_get(claims, "iss"), rules->issuer)) {
        return JWT_GATE_ISSUER;
    }
    if (!audience_fits(json_object_get(claims, "aud"), rules->audience)) {
        return JWT_GATE_AUDIENCE;
    }
    if (!clean_text(json_object_get(claims, "sub")) ||
        !clean_text(json_object_get(claims, "jti")) ||
        (token_use != NULL && !text_is(token_use, "access"))) {
        return JWT_GATE_CLAIM;
    }
    return JWT_GATE_OK;
}
