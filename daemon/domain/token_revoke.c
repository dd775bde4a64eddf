#include "domain/token_revoke.h"

#include <stdio.h>
#include <string.h>

DB_QUERY(token_revoke_beside_jti,
         "INSERT INTO revoked_tokens (kind, id, not_before, expires_at)"
         " SELECT 'jti', access_jti, 0, access_exp FROM refresh_tokens"
         " WHERE id = $1 AND access_exp > $2"
         " ON CONFLICT (kind, id) DO NOTHING");
DB_QUERY(token_revoke_refresh, "UPDATE refresh_tokens SET revoked_at = $2"
                               " WHERE family = $1 AND revoked_at IS NULL");
DB_QUERY(token_revoke_all, "UPDATE refresh_tokens SET revoked_at = $2"
                           " WHERE user_id = $1 AND revoked_at IS NULL");
DB_QUERY(token_revoke_one,
         "INSERT INTO revoked_tokens (kind, id, not_before, expires_at)"
         " VALUES ('jti', $1, 0, $2) ON CONFLICT (kind, id) DO NOTHING");
DB_QUERY(token_revoke_family_jti,
         "INSERT INTO revoked_tokens (kind, id, not_before, expires_at)"
         " SELECT 'jti', access_jti, 0, access_exp FROM refresh_tokens"
         " WHERE family = $1 AND access_exp > $2"
         " ON CONFLICT (kind, id) DO NOTHING");
DB_QUERY(token_revoke_recent_jti,
         "INSERT INTO revoked_tokens (kind, id, not_before, expires_at)"
         " SELECT 'jti', access_jti, 0, access_exp FROM refresh_tokens"
         " WHERE user_id = $1 AND created_at >= $2"
         " ON CONFLICT (kind, id) DO NOTHING");
DB_QUERY(token_revoke_sub,
         "INSERT INTO revoked_tokens (kind, id, not_before, expires_at)"
         " VALUES ('sub', $1, $2, $3) ON CONFLICT (kind, id)"
         " DO UPDATE SET not_before = excluded.not_before,"
         " expires_at = excluded.expires_at");
DB_QUERY(token_user_not_before,
         "UPDATE users SET not_before = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(token_revoked,
         "SELECT kind, id, not_before, expires_at FROM revoked_tokens"
         " WHERE expires_at > $1");
DB_QUERY(token_revoked_one, "SELECT not_before FROM revoked_tokens"
                            " WHERE kind = $1 AND id = $2");
DB_QUERY(token_revoked_pair, "SELECT revoked_at FROM refresh_tokens"
                             " WHERE user_id = $1 AND access_jti = $2");

int token_revoke_jti(tx_t *tx, const char *jti, int64_t exp)
{
    db_stmt_t *s = db_stmt(tx->db, &token_revoke_one);
    db_bind_text(s, 1, jti);
    db_bind_i64(s, 2, exp);
    tx->revoked = true;
    return db_exec(s);
}

int token_revoke_beside(tx_t *tx, int64_t refresh)
{
    db_stmt_t *s = db_stmt(tx->db, &token_revoke_beside_jti);
    db_bind_i64(s, 1, refresh);
    db_bind_i64(s, 2, tx->now / 1000);
    tx->revoked = true;
    return db_exec(s);
}

int token_revoke_family(tx_t *tx, const char *family)
{
    db_stmt_t *s = db_stmt(tx->db, &token_revoke_refresh);
    db_bind_text(s, 1, family);
    db_bind_i64(s, 2, tx->now);
    int rc = db_exec(s);
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &token_revoke_family_jti);
        db_bind_text(s, 1, family);
        db_bind_i64(s, 2, tx->now / 1000);
        rc = db_exec(s);
    }
    tx->revoked = true;
    return rc;
}

/*
 * not_before is in seconds, so a token of this very second would pass it:
 * those are revoked one by one, and a new sign-in need not wait.
 */
int token_revoke_user(tx_t *tx, int64_t user)
{
    int64_t now = tx->now / 1000;
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)user);

    db_stmt_t *s = db_stmt(tx->db, &token_revoke_recent_jti);
    db_bind_i64(s, 1, user);
    db_bind_i64(s, 2, now * 1000);
    int rc = db_exec(s);
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &token_revoke_all);
        db_bind_i64(s, 1, user);
        db_bind_i64(s, 2, tx->now);
        rc = db_exec(s);
    }
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &token_revoke_sub);
        db_bind_text(s, 1, id);
        db_bind_i64(s, 2, now);
        db_bind_i64(s, 3, now + TOKEN_ACCESS_MAX_S);
        rc = db_exec(s);
    }
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &token_user_not_before);
        db_bind_i64(s, 1, user);
        db_bind_i64(s, 2, now);
        db_bind_i64(s, 3, tx->now);
        rc = db_exec(s);
    }
    tx->revoked = true;
    return rc;
}

int token_revoked_walk(db_t *db, int64_t now, token_revoked_cb cb, void *ctx)
{
    db_stmt_t *s = db_stmt(db, &token_revoked);
    db_bind_i64(s, 1, now - TOKEN_REVOKED_KEEP_S);
    int rc = db_step(s);
    while (rc == DB_ROW) {
        int stop = cb(ctx, strcmp(db_text(s, 0), "sub") == 0, db_text(s, 1),
                      db_i64(s, 2), db_i64(s, 3));
        if (stop != 0) {
            db_done(s);
            return stop;
        }
        rc = db_step(s);
    }
    return rc;
}

/* not_before of an entry; WERR_NOTFOUND. */
static int find_revoked(db_t *db, const char *kind, const char *id,
                        int64_t *not_before)
{
    db_stmt_t *s = db_stmt(db, &token_revoked_one);
    db_bind_text(s, 1, kind);
    db_bind_text(s, 2, id);
    return db_first_i64(s, not_before);
}

/* Whether the pair of tokens has been revoked; WERR_NOTFOUND. */
static int find_pair(db_t *db, int64_t user, const char *jti, bool *revoked)
{
    db_stmt_t *s = db_stmt(db, &token_revoked_pair);
    db_bind_i64(s, 1, user);
    db_bind_text(s, 2, jti);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *revoked = !db_is_null(s, 0);
    db_done(s);
    return WERR_OK;
}

int token_is_revoked(db_t *db, int64_t user, const char *jti, int64_t seen,
                     bool *revoked)
{
    int64_t not_before;
    char id[24];
    *revoked = true;
    int rc = find_revoked(db, "jti", jti, &not_before);
    if (rc == WERR_NOTFOUND) {
        rc = find_pair(db, user, jti, revoked);
    }
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    snprintf(id, sizeof(id), "%lld", (long long)user);
    rc = find_revoked(db, "sub", id, &not_before);
    *revoked = rc == WERR_OK && not_before >= seen;
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}
