#include "domain/password.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

_Static_assert(PASSWORD_HASH_MAX == CRYPT_OUTPUT_SIZE,
               "password.h says what crypt.h says");

static pthread_mutex_t hash_lock = PTHREAD_MUTEX_INITIALIZER;

bool password_fits(const char *password)
{
    size_t len = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE);
    return len >= PASSWORD_MIN && len < CRYPT_MAX_PASSPHRASE_SIZE;
}

/* crypt(3) of a password with a setting or a hash, one at a time. */
static int hash_as(const char *password, const char *setting,
                   char out[PASSWORD_HASH_MAX])
{
    static struct crypt_data data;
    int rc = WERR_OK;
    pthread_mutex_lock(&hash_lock);
    data.initialized = 0;
    const char *hash = crypt_rn(password, setting, &data, (int)sizeof(data));
    if (hash != NULL) {
        snprintf(out, PASSWORD_HASH_MAX, "%s", hash);
    } else {
        rc = WERR_INVALID;
    }
    OPENSSL_cleanse(&data, sizeof(data));
    pthread_mutex_unlock(&hash_lock);
    return rc;
}

int password_hash(const char *password, char out[PASSWORD_HASH_MAX])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, (int)sizeof(setting)) ==
        NULL) {
        return WERR_SYSTEM;
    }
    return hash_as(password, setting, out);
}

int password_check(const char *password, const char *known, bool *same)
{
    char hash[PASSWORD_HASH_MAX];
    bool fits = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE) <
                CRYPT_MAX_PASSPHRASE_SIZE;
    *same = false;
    /* Whatever is wrong, one hash of the same cost is computed. */
    int rc = known != NULL && fits
                 ? hash_as(password, known, hash)
                 : password_hash(fits ? password : "a password", hash);
    if (rc == WERR_OK && known != NULL && fits) {
        size_t len = strlen(known);
        *same = len == strlen(hash) && CRYPTO_memcmp(known, hash, len) == 0;
    }
    OPENSSL_cleanse(hash, sizeof(hash));
    /* crypt(3) takes no such hash: nobody has that password */
    return rc == WERR_INVALID ? WERR_OK : rc;
}
