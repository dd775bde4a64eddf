/*
 * auth.h - access tokens, as the edge checks them: HS256 by libjwt, claims
 * iss, aud, sub (user id as a string), iat, exp, jti, role,
 * token_use:"access".
 */
#ifndef WACRM_HTTP_AUTH_H
#define WACRM_HTTP_AUTH_H

#include "base/buf.h"
#include "domain/user.h"

#define AUTH_SECRET_MIN 32

typedef struct {
    const char *secret; /* at least AUTH_SECRET_MIN bytes */
    size_t secret_len;
    const char *issuer, *audience; /* NULL: no such claim */
} auth_keys_t;

/* Appends the token. iat, exp: s. */
int auth_sign_access(const auth_keys_t *k, const user_t *u, const char *jti,
                     int64_t iat, int64_t exp, buf_t *out) WACRM_CHECKED;

#endif
