/*
 * token_revoke.h - access tokens that end before their time: by their id
 * (jti), with their sign-in, or with all of a user's. nginx learns of them by
 * the spool's list (http/revocation.c), which a transaction with tx->revoked
 * writes anew.
 */
#ifndef WACRM_DOMAIN_TOKEN_REVOKE_H
#define WACRM_DOMAIN_TOKEN_REVOKE_H

#include "domain/domain.h"

/* No access token may live longer: a revocation by subject ends then. */
#define TOKEN_ACCESS_MAX_S (366 * 86400)
/* A revocation is kept beyond the end of its tokens, s: a clock that jumps
 * forth and back must not bring them to life again. */
#define TOKEN_REVOKED_KEEP_S INT64_C(604800)

/* One access token, which ends at exp (s). */
int token_revoke_jti(tx_t *tx, const char *jti, int64_t exp) WACRM_CHECKED;
/* The access token beside a refresh token, of that row. */
int token_revoke_beside(tx_t *tx, int64_t refresh) WACRM_CHECKED;
/* All of a sign-in, refresh tokens included. */
int token_revoke_family(tx_t *tx, const char *family) WACRM_CHECKED;
/* Everything of a user issued before now. */
int token_revoke_user(tx_t *tx, int64_t user) WACRM_CHECKED;

/* Walks what is revoked at now (s). cb: other than 0 ends the walk, and is its
 * result. */
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

#endif
