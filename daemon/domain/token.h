/*
 * token.h - refresh tokens and revocation. Access tokens are signed in
 * http/auth; here is what the database knows of them.
 */
#ifndef WACRM_DOMAIN_TOKEN_H
#define WACRM_DOMAIN_TOKEN_H

#include "domain/domain.h"

#define TOKEN_TEXT_MAX 80
/* Bytes of a key of token_refresh(). */
#define TOKEN_KEY_MIN 32
#define TOKEN_KEY_MAX 128
/* No access token may live longer: a revocation by subject ends then. */
#define TOKEN_ACCESS_MAX_S (366 * 86400)

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
/* Everything of a user issued before now. */
int token_revoke_user(tx_t *tx, int64_t user) WACRM_CHECKED;
/* A revocation is kept beyond the end of its tokens, s: a clock that jumps
 * forth and back must not bring them to life again. */
#define TOKEN_REVOKED_KEEP_S INT64_C(604800)
/* Walks what is revoked at now (s). */
typedef int (*token_revoked_cb)(void *ctx, bool subject, const char *id,
                                int64_t not_before, int64_t expires);
int token_revoked_walk(db_t *db, int64_t now, token_revoked_cb cb,
                       void *ctx) WACRM_CHECKED;
/*
 * Whether an access token has been revoked that was good at seen (s): by
 * itself, with its sign-in, or with all of its user's.
 */
int token_is_revoked(db_t *db, int64_t user, const char *jti, int64_t seen,
                     bool *revoked) WACRM_CHECKED;
/* Deletes what ended. */
int token_expire(tx_t *tx) WACRM_CHECKED;

#endif
