/*
 * password.h - passwords, as libxcrypt's yescrypt ($y$) keeps them. One hash
 * is made at a time in the process, as each takes some 16 MB.
 */
#ifndef WACRM_DOMAIN_PASSWORD_H
#define WACRM_DOMAIN_PASSWORD_H

#include <stdbool.h>

#include "base/error.h"

#define PASSWORD_MIN      8
#define PASSWORD_HASH_MAX 384 /* with its NUL: CRYPT_OUTPUT_SIZE */

/* Whether somebody may choose it: its length, in bytes. */
bool password_fits(const char *password);

/* The hash of a password with a new salt. WERR_INVALID for one that is too
 * long for crypt(3), WERR_SYSTEM where there are no random bytes, WERR_NOMEM.
 */
int password_hash(const char *password,
                  char out[PASSWORD_HASH_MAX]) WACRM_CHECKED;

/*
 * *same: whether it is the password of that hash. known NULL: nobody's, which
 * takes as long. WERR_OK with either answer; a fault (WERR_NOMEM too: there was
 * no memory to find it out), and *same is false.
 */
int password_check(const char *password, const char *known,
                   bool *same) WACRM_CHECKED;

#endif
