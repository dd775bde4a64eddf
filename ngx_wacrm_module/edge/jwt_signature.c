/*
 * jwt_signature.c - the one place that calls libjwt.
 */
#include "edge/jwt_signature.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

#include <jwt.h>
#include <openssl/err.h>

#include "edge/json_memory.h"

/* Empties its list of errors, too: nginx complains of those that others left
 * behind. */
static bool openssl_was_short(void)
{
    unsigned long error;
    bool found = false;

    while ((error = ERR_get_error()) != 0) {
        found = found || ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    }
    return found;
}

int jwt_signature_good(const char *token, const char *alg,
                       const unsigned char *key, size_t len)
{
    jwt_t *jwt = NULL;
    bool short_of_memory, good;
    int rc;

    /* with an empty key libjwt takes any token for good */
    if (key == NULL || len == 0 || len > INT_MAX) {
        return -1;
    }
    /* what others left there is no word on this token */
    errno = 0;
    ERR_clear_error();
    json_memory_watch();
    rc = jwt_decode(&jwt, token, key, (int)len);
    /* what fails there for want of memory it mostly calls invalid */
    short_of_memory = rc == ENOMEM || errno == ENOMEM;
    short_of_memory =
        openssl_was_short() || json_memory_was_short() || short_of_memory;
    /* then it may even take the token for one that has no signature */
    good = rc == 0 && jwt != NULL && jwt_get_alg(jwt) == jwt_str_alg(alg);
    jwt_free(jwt);
    if (!good && short_of_memory) {
        return -1;
    }
    return good ? 1 : 0;
}
