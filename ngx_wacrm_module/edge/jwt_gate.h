/*
 * jwt_gate.h - what a token must be before and after libjwt sees it.
 *
 * libjwt 1.10 picks the algorithm from the token's own header, accepts any
 * token where the key is empty, takes the last of duplicate claims and checks
 * no claim at all. So: jwt_gate_open() parses header and claims strictly,
 * demands the algorithm of the configured key and chooses the key by kid;
 * the caller then has libjwt verify the signature; jwt_gate_claims() checks
 * time, issuer and audience. RFC 7515, 7519, 8725.
 *
 * Limits: token 16 KiB, header 8 KiB decoded, JSON depth 10, 100 members a
 * level. Pure C on jansson.
 */
#ifndef WACRM_EDGE_JWT_GATE_H
#define WACRM_EDGE_JWT_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define JWT_GATE_TOKEN_MAX  16384
#define JWT_GATE_HEADER_MAX 8192
#define JWT_GATE_ERROR_MAX  160

/* Not JWT_ALG_*: these are libjwt's. */
typedef enum {
    JWT_GATE_HS256,
    JWT_GATE_HS384,
    JWT_GATE_HS512,
    JWT_GATE_RS256,
    JWT_GATE_RS384,
    JWT_GATE_RS512,
    JWT_GATE_ES256,
    JWT_GATE_ES384,
    JWT_GATE_ES512
} jwt_gate_alg_t;

/* false if that is none of the nine names. */
bool jwt_gate_alg_parse(const char *name, size_t len, jwt_gate_alg_t *alg);
const char *jwt_gate_alg_name(jwt_gate_alg_t alg);

/*
 * A set of keys, each with its one algorithm and perhaps a kid. Constant
 * after configuration.
 */
typedef struct jwt_keyset_s jwt_keyset_t;

typedef struct {
    jwt_gate_alg_t alg;
    char *kid;           /* NULL: none */
    unsigned char *data; /* HMAC secret, or public key as PEM */
    size_t len;
} jwt_key_t;

int jwt_keyset_new(jwt_keyset_t **out);
void jwt_keyset_free(jwt_keyset_t **set); /* cleanses the secrets */

/*
 * Adds what a key file holds: a JWKS (JSON object with "keys"; those whose
 * alg, kty or curve do not fit alg are skipped, and none left is an error), a
 * PEM public key or certificate (RS*, ES*), or a raw secret less one trailing
 * newline (HS*, at least as long as the digest). alg and key type must agree;
 * RSA 2048-16384 bits; a PEM as an HMAC secret is refused. -1 with error.
 */
int jwt_keyset_add(jwt_keyset_t *set, jwt_gate_alg_t alg, const void *file,
                   size_t len, char error[JWT_GATE_ERROR_MAX]);
size_t jwt_keyset_count(const jwt_keyset_t *set);

typedef enum {
    JWT_GATE_OK = 0,
    JWT_GATE_MALFORMED, /* segments, base64url, JSON, size, duplicates */
    JWT_GATE_ALG,       /* not the configured algorithm, none, crit, b64 */
    JWT_GATE_KEY,       /* kid unknown */
    JWT_GATE_SIGNATURE, /* shape of the signature cannot be right */
    JWT_GATE_EXPIRED,   /* exp missing, malformed or past */
    JWT_GATE_EARLY,     /* nbf or iat in the future, or malformed */
    JWT_GATE_ISSUER,
    JWT_GATE_AUDIENCE,
    JWT_GATE_CLAIM, /* sub, jti or token_use of a wrong type or value */
    JWT_GATE_FAULT  /* of ours */
} jwt_gate_result_t;

/* "ok" "malformed" "alg" ...: for metrics and logs. */
const char *jwt_gate_result_name(jwt_gate_result_t result);

typedef struct {
    json_t *claims;           /* an object; the caller's reference */
    const jwt_key_t *keys[8]; /* that fit alg and kid: libjwt tries these */
    size_t nkeys;
} jwt_gate_token_t;

/*
 * Parses and judges the token before any crypto. On JWT_GATE_OK *tok is to
 * be released by jwt_gate_close().
 */
jwt_gate_result_t jwt_gate_open(const jwt_keyset_t *set, const char *token,
                                size_t len, jwt_gate_token_t *tok);
void jwt_gate_close(jwt_gate_token_t *tok);

typedef struct {
    int64_t now;
    int64_t leeway;       /* seconds, both ways */
    const char *issuer;   /* NULL: any */
    const char *audience; /* NULL: any; matches a string or one of an array */
} jwt_gate_rules_t;

/*
 * After the signature: exp required, an integer in 0..2^53; nbf and iat, if
 * there, the same; sub and jti strings without control characters; token_use,
 * if there, "access".
 */
jwt_gate_result_t jwt_gate_claims(const jwt_gate_token_t *tok,
                                  const jwt_gate_rules_t *rules);

#endif
