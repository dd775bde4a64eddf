/*
 * token.h - sign-ins: a refresh token, and the access token beside it, which
 * http/auth signs. How either ends before its time: token_revoke.h.
 */
#ifndef WACRM_DOMAIN_TOKEN_H
#define WACRM_DOMAIN_TOKEN_H

#include "domain/domain.h"

#define TOKEN_TEXT_MAX 80
/* Bytes of a key of token_refresh(). */
#define TOKEN_KEY_MIN 32
#define TOKEN_KEY_MAX 128

typedef struct {
    int64_t user;
    char refresh[TOKEN_TEXT_MAX]; /* random, shown once, stored hashed */
    char jti[TOKEN_TEXT_MAX];     /* of the access token beside it */
    int64_t access_exp;           /* s */
} token_pair_t;

/* A new sign-in. access_exp: when the access token ends, s; refresh_until: the
 * refresh token, ms. */
int token_issue(tx_t *tx, int64_t user, int64_t access_exp,
                int64_t refresh_until, token_pair_t *out) WACRM_CHECKED;
/*
 * Single use. key: NULL, or a random text of the caller's for this one
 * exchange: who has lost the answer asks again with the same key, and gets the
 * same refresh token as long as that has not been used. *denied, and no pair,
 * if it is unknown, expired, revoked, used or its user inactive; the result is
 * WERR_OK then, because a used one revokes its whole family, and that has to be
 * committed.
 */
int token_refresh(tx_t *tx, const char *refresh, const char *key,
                  int64_t access_exp, int64_t refresh_until, bool *denied,
                  token_pair_t *out) WACRM_CHECKED;
/* Revokes the access token and the family it belongs to. */
int token_logout(tx_t *tx, int64_t user, const char *jti,
                 int64_t exp) WACRM_CHECKED;
/* Deletes the refresh tokens and the revocations that ended. */
int token_expire(tx_t *tx) WACRM_CHECKED;

#endif
