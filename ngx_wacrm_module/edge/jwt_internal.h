/*
 * jwt_internal.h - what jwt_gate.c and jwt_keyset.c share, nobody else.
 */
#ifndef WACRM_EDGE_JWT_INTERNAL_H
#define WACRM_EDGE_JWT_INTERNAL_H

#include "edge/jwt_gate.h"

#define JWT_KEYS_MAX 64

typedef enum { JWT_FAMILY_HMAC, JWT_FAMILY_RSA, JWT_FAMILY_EC } jwt_family_t;

typedef struct {
    const char *name;
    jwt_family_t family;
    size_t size;       /* HMAC: digest; EC: one coordinate; bytes */
    const char *curve; /* as a JWK has it */
    const char *group; /* as OpenSSL has it */
} jwt_alg_info_t;

const jwt_alg_info_t *jwt_alg_info(jwt_gate_alg_t alg);

typedef struct {
    jwt_key_t key;
    size_t signature_len;
} jwt_entry_t;

struct jwt_keyset_s {
    uint64_t id; /* of no other set in this process or those it forks */
    size_t count;
    jwt_entry_t entries[JWT_KEYS_MAX];
};

#endif
