#include "domain/password.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#define PREFIX     "$y$" /* yescrypt */
#define DIGEST_LEN 43

_Static_assert(PASSWORD_HASH_MAX == CRYPT_OUTPUT_SIZE,
               "password.h says what crypt.h says");

static pthread_mutex_t hash_lock = PTHREAD_MUTEX_INITIALIZER;

bool password_fits(const char *password)
{
    size_t len = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE);
    return len >= PASSWORD_MIN && len < CRYPT_MAX_PASSPHRASE_SIZE;
}

/* crypt(3) of a password with a setting or a hash, one at a time. */
static bool hash_as(const char *password, const char *setting,
                    char out[PASSWORD_HASH_MAX])
{
    static struct crypt_data data;
    bool made;
    pthread_mutex_lock(&hash_lock);
    data.initialized = 0;
    const char *hash = crypt_rn(password, setting, &data, (int)sizeof(data));
    made = hash != NULL;
    if (made) {
        snprintf(out, PASSWORD_HASH_MAX, "%s", hash);
    }
    OPENSSL_cleanse(&data, sizeof(data));
    pthread_mutex_unlock(&hash_lock);
    return made;
}

/*
 * Whether a hash is one that crypt(3) can make again: yescrypt's, to its last
 * character, in the form of crypt(5). crypt_checksalt() looks at its prefix
 * only; and crypt_rn() says EINVAL of all that it cannot do, whether the hash
 * is not one or there was no memory.
 */
static bool is_whole(const char *hash)
{
    static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz";
    const char *digest = strrchr(hash, '$');
    return crypt_checksalt(hash) == CRYPT_SALT_OK &&
           strncmp(hash, PREFIX, sizeof(PREFIX) - 1) == 0 &&
           strlen(digest + 1) == DIGEST_LEN &&
           strspn(digest + 1, digits) == DIGEST_LEN;
}

int password_hash(const char *password, char out[PASSWORD_HASH_MAX])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE) >=
        CRYPT_MAX_PASSPHRASE_SIZE) {
        return WERR_INVALID;
    }
    if (crypt_gensalt_rn(PREFIX, 0, NULL, 0, setting, (int)sizeof(setting)) ==
        NULL) {
        return WERR_SYSTEM;
    }
    return hash_as(password, setting, out) ? WERR_OK : WERR_NOMEM;
}

/* Nobody has the password of what is no hash: WERR_INVALID. */
static int hash_again(const char *password, const char *known,
                      char out[PASSWORD_HASH_MAX])
{
    if (hash_as(password, known, out)) {
        return WERR_OK;
    }
    return is_whole(known) ? WERR_NOMEM : WERR_INVALID;
}

int password_check(const char *password, const char *known, bool *same)
{
    char hash[PASSWORD_HASH_MAX];
    bool fits = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE) <
                CRYPT_MAX_PASSPHRASE_SIZE;
    *same = false;
    /* Whatever is wrong, one hash of the same cost is computed. */
    int rc = known != NULL && fits
                 ? hash_again(password, known, hash)
                 : password_hash(fits ? password : "a password", hash);
    if (rc == WERR_OK && known != NULL && fits) {
        size_t len = strlen(known);
        *same = len == strlen(hash) && CRYPTO_memcmp(known, hash, len) == 0;
    }
    OPENSSL_cleanse(hash, sizeof(hash));
    return rc == WERR_INVALID ? WERR_OK : rc;
}
