#include "http/auth.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jwt.h>

static bool grant(jwt_t *jwt, const char *name, const char *value)
{
    return value == NULL || jwt_add_grant(jwt, name, value) == 0;
}

int auth_sign_access(const auth_keys_t *k, const user_t *u, const char *jti,
                     int64_t iat, int64_t exp, buf_t *out)
{
    jwt_t *jwt = NULL;
    char *text = NULL;
    char sub[24];
    int rc = WERR_NOMEM;
    if (k->secret_len < AUTH_SECRET_MIN || k->secret_len > INT_MAX) {
        return WERR_INVALID;
    }
    snprintf(sub, sizeof(sub), "%lld", (long long)u->id);
    if (jwt_new(&jwt) != 0) {
        return WERR_NOMEM;
    }
    if (grant(jwt, "iss", k->issuer) && grant(jwt, "aud", k->audience) &&
        grant(jwt, "sub", sub) && grant(jwt, "jti", jti) &&
        grant(jwt, "role", role_name(u->role)) &&
        grant(jwt, "token_use", "access") &&
        jwt_add_grant_int(jwt, "iat", (long)iat) == 0 &&
        jwt_add_grant_int(jwt, "exp", (long)exp) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)k->secret,
                    (int)k->secret_len) == 0) {
        text = jwt_encode_str(jwt);
    }
    if (text != NULL) {
        buf_adds(out, text);
        rc = out->failed ? WERR_NOMEM : WERR_OK;
    }
    free(text);
    jwt_free(jwt);
    return rc;
}
