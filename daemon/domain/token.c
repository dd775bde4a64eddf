#include "domain/token.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/log.h"
#include "domain/token_revoke.h"

#define RANDOM_BYTES 32
#define HASH_TEXT    65

DB_QUERY(token_insert,
         "INSERT INTO refresh_tokens (user_id, family, token_hash,"
         " created_at, expires_at, access_jti, access_exp)"
         " VALUES ($1, $2, $3, $4, $5, $6, $7)");
DB_QUERY(token_find,
         "SELECT t.id, t.user_id, t.family, t.expires_at, t.used_at,"
         " t.revoked_at, u.active FROM refresh_tokens AS t"
         " JOIN users AS u ON u.id = t.user_id WHERE t.token_hash = $1");
DB_QUERY(token_use, "UPDATE refresh_tokens SET used_at = $2 WHERE id = $1");
DB_QUERY(token_take_back, "DELETE FROM refresh_tokens WHERE id = $1");
DB_QUERY(token_family_of, "SELECT family FROM refresh_tokens"
                          " WHERE user_id = $1 AND access_jti = $2");
DB_QUERY(token_user_ahead,
         "SELECT 1 FROM users WHERE id = $1 AND not_before > $2");
DB_QUERY(token_expire_refresh,
         "DELETE FROM refresh_tokens WHERE expires_at < $1");
DB_QUERY(token_expire_revoked,
         "DELETE FROM revoked_tokens WHERE expires_at <= $1");

static int random_hex(char *out, size_t bytes)
{
    unsigned char raw[RANDOM_BYTES];
    static const char digits[] = "0123456789abcdef";
    if (bytes > sizeof(raw) || RAND_bytes(raw, (int)bytes) != 1) {
        return WERR_SYSTEM;
    }
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = digits[raw[i] >> 4];
        out[2 * i + 1] = digits[raw[i] & 15];
    }
    out[2 * bytes] = '\0';
    OPENSSL_cleanse(raw, sizeof(raw));
    return WERR_OK;
}

/* What the database keeps of a refresh token: 256 random bits need no salt. */
static int token_hash(const char *token, char out[HASH_TEXT])
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(token, strlen(token), md, &len, EVP_sha256(), NULL) != 1) {
        return WERR_SYSTEM;
    }
    for (unsigned i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    }
    return WERR_OK;
}

/*
 * Where the clock has gone back behind the time of a revocation, no token of
 * now would count: it is made again by the clock of now.
 */
static int revoke_again(tx_t *tx, int64_t user)
{
    db_stmt_t *s = db_stmt(tx->db, &token_user_ahead);
    db_bind_i64(s, 1, user);
    db_bind_i64(s, 2, tx->now / 1000);
    int rc = db_first(s);
    db_done(s);
    if (rc != DB_ROW) {
        return rc == WERR_NOTFOUND ? WERR_OK : rc;
    }
    log_warn("token",
             "msg=\"the clock has gone back: everything of the user is "
             "revoked once more\" user=%lld",
             (long long)user);
    return token_revoke_user(tx, user);
}

/* refresh: NULL, or the text that the refresh token is to have. */
static int issue(tx_t *tx, int64_t user, const char *family,
                 const char *refresh, int64_t access_exp, int64_t refresh_until,
                 token_pair_t *out)
{
    char hash[HASH_TEXT];
    memset(out, 0, sizeof(*out));
    out->user = user;
    out->access_exp = access_exp;
    int rc = revoke_again(tx, user);
    if (rc == WERR_OK && refresh != NULL) {
        snprintf(out->refresh, sizeof(out->refresh), "%s", refresh);
    } else if (rc == WERR_OK) {
        rc = random_hex(out->refresh, RANDOM_BYTES);
    }
    if (rc == WERR_OK) {
        rc = random_hex(out->jti, 16);
    }
    if (rc == WERR_OK) {
        rc = token_hash(out->refresh, hash);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    db_stmt_t *s = db_stmt(tx->db, &token_insert);
    db_bind_i64(s, 1, user);
    db_bind_text(s, 2, family);
    db_bind_text(s, 3, hash);
    db_bind_i64(s, 4, tx->now);
    db_bind_i64(s, 5, refresh_until);
    db_bind_text(s, 6, out->jti);
    db_bind_i64(s, 7, access_exp);
    return db_exec(s);
}

int token_issue(tx_t *tx, int64_t user, int64_t access_exp,
                int64_t refresh_until, token_pair_t *out)
{
    char family[2 * 16 + 1];
    int rc = random_hex(family, 16);
    return rc == WERR_OK
               ? issue(tx, user, family, NULL, access_exp, refresh_until, out)
               : rc;
}

typedef struct {
    int64_t id, user, expires;
    bool used, revoked, active;
    char family[TOKEN_TEXT_MAX];
} refresh_t;

static int find_refresh(db_t *db, const char *token, refresh_t *out)
{
    char hash[HASH_TEXT];
    int rc = token_hash(token, hash);
    if (rc != WERR_OK) {
        return rc;
    }
    db_stmt_t *s = db_stmt(db, &token_find);
    db_bind_text(s, 1, hash);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    out->id = db_i64(s, 0);
    out->user = db_i64(s, 1);
    snprintf(out->family, sizeof(out->family), "%s", db_text(s, 2));
    out->expires = db_i64(s, 3);
    out->used = !db_is_null(s, 4);
    out->revoked = !db_is_null(s, 5);
    out->active = db_i64(s, 6) != 0;
    db_done(s);
    return WERR_OK;
}

/*
 * The refresh token that follows `refresh` in an exchange with that key: as
 * hard to guess as the two of them, and the same at each try.
 */
static int follower(const char *refresh, const char *key,
                    char out[TOKEN_TEXT_MAX])
{
    char text[TOKEN_TEXT_MAX + TOKEN_KEY_MAX + 2];
    int n = snprintf(text, sizeof(text), "%s\n%s", refresh, key);
    int rc = n > 0 && (size_t)n < sizeof(text) ? token_hash(text, out)
                                               : WERR_INVALID;
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

/* The answer has been lost, if its refresh token was never used: that pair is
 * taken back, to be issued anew. */
static int take_back(tx_t *tx, const refresh_t *t, const char *next, bool *lost)
{
    refresh_t n;
    int rc = find_refresh(tx->db, next, &n);
    *lost = rc == WERR_OK && !n.used && !n.revoked &&
            strcmp(n.family, t->family) == 0;
    if (!*lost) {
        return rc == WERR_NOTFOUND ? WERR_OK : rc;
    }
    rc = token_revoke_beside(tx, n.id);
    if (rc == WERR_OK) {
        db_stmt_t *s = db_stmt(tx->db, &token_take_back);
        db_bind_i64(s, 1, n.id);
        rc = db_exec(s);
    }
    return rc;
}

static int use_refresh(tx_t *tx, const refresh_t *t, const char *next,
                       bool *good)
{
    *good = true;
    if (t->used && next != NULL) {
        int rc = take_back(tx, t, next, good);
        if (rc != WERR_OK || *good) {
            return rc;
        }
    }
    if (t->used) {
        *good = false;
        log_warn("token", "msg=\"refresh token used twice\" user=%lld",
                 (long long)t->user);
        return token_revoke_family(tx, t->family);
    }
    db_stmt_t *s = db_stmt(tx->db, &token_use);
    db_bind_i64(s, 1, t->id);
    db_bind_i64(s, 2, tx->now);
    return db_exec(s);
}

int token_refresh(tx_t *tx, const char *refresh, const char *key,
                  int64_t access_exp, int64_t refresh_until, bool *denied,
                  token_pair_t *out)
{
    refresh_t t;
    char text[TOKEN_TEXT_MAX];
    const char *next = NULL;
    bool good;
    *denied = true;
    int rc = find_refresh(tx->db, refresh, &t);
    if (rc != WERR_OK) {
        return rc == WERR_NOTFOUND ? WERR_OK : rc;
    }
    if (t.revoked || t.expires <= tx->now || !t.active) {
        return WERR_OK;
    }
    if (key != NULL) {
        rc = follower(refresh, key, text);
        if (rc != WERR_OK) {
            return rc;
        }
        next = text;
    }
    rc = use_refresh(tx, &t, next, &good);
    if (rc == WERR_OK && good) {
        rc = issue(tx, t.user, t.family, next, access_exp, refresh_until, out);
        *denied = rc != WERR_OK;
    }
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

int token_logout(tx_t *tx, int64_t user, const char *jti, int64_t exp)
{
    char family[TOKEN_TEXT_MAX] = "";
    int rc = token_revoke_jti(tx, jti, exp);
    if (rc != WERR_OK) {
        return rc;
    }
    db_stmt_t *s = db_stmt(tx->db, &token_family_of);
    db_bind_i64(s, 1, user);
    db_bind_text(s, 2, jti);
    rc = db_first(s);
    if (rc == WERR_NOTFOUND) {
        return WERR_OK; /* made by hand: nothing beside it */
    }
    if (rc != DB_ROW) {
        return rc;
    }
    snprintf(family, sizeof(family), "%s", db_text(s, 0));
    db_done(s);
    return token_revoke_family(tx, family);
}

int token_expire(tx_t *tx)
{
    db_stmt_t *s = db_stmt(tx->db, &token_expire_refresh);
    db_bind_i64(s, 1, tx->now);
    int rc = db_exec(s);
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &token_expire_revoked);
        db_bind_i64(s, 1, tx->now / 1000 - TOKEN_REVOKED_KEEP_S);
        rc = db_exec(s);
    }
    return rc;
}
