/*
 * ngx_wacrm_jwt_signature.c - the one place that calls libjwt.
 */

#include "ngx_wacrm_jwt_signature.h"

#include <jwt.h>
#include <openssl/err.h>


ngx_int_t
ngx_wacrm_jwt_signature(const char *token, const char *alg, const u_char *key,
    size_t len)
{
    int         rc;
    jwt_t      *jwt;
    ngx_int_t   verified;

    /* with an empty key libjwt takes any token for good */

    if (key == NULL || len == 0 || len > NGX_MAX_INT32_VALUE) {
        return NGX_ERROR;
    }

    jwt = NULL;
    rc = jwt_decode(&jwt, token, key, (int) len);

    /* nginx complains of errors that others left behind */
    ERR_clear_error();

    if (rc == ENOMEM) {
        return NGX_ERROR;
    }

    if (rc != 0 || jwt == NULL) {
        return NGX_DECLINED;
    }

    verified = jwt_get_alg(jwt) == jwt_str_alg(alg);
    jwt_free(jwt);

    return verified ? NGX_OK : NGX_DECLINED;
}
