/*
 * jwt_signature.c - the one place that calls libjwt.
 */
#include "edge/jwt_signature.h"

#include <errno.h>
#include <limits.h>

#include <jwt.h>
#include <openssl/err.h>

int jwt_signature_good(const char *token, const char *alg,
                       const unsigned char *key, size_t len)
{
    jwt_t *jwt = NULL;
    int rc;

    /* with an empty key libjwt takes any token for good */
    if (key == NULL || len == 0 || len > INT_MAX) {
        return -1;
    }
    rc = jwt_decode(&jwt, token, key, (int)len);
    /* nginx complains of errors that others left behind */
    ERR_clear_error();
    if (rc == ENOMEM) {
        return -1;
    }
    if (rc != 0 || jwt == NULL) {
        return 0;
    }
    rc = jwt_get_alg(jwt) == jwt_str_alg(alg);
    jwt_free(jwt);
    return rc;
}
