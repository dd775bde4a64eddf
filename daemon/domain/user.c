#include "domain/user.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "domain/audit.h"
#include "domain/event.h"
#include "domain/password.h"
#include "domain/token_revoke.h"

DB_QUERY(user_by_id,
         "SELECT id, name, email, role, active, active_session_id, not_before"
         " FROM users WHERE id = $1");
DB_QUERY(user_by_address,
         "SELECT id, name, email, role, active, active_session_id, not_before,"
         " password_hash FROM users WHERE email = $1");
DB_QUERY(user_insert,
         "INSERT INTO users (name, email, password_hash, role, created_at,"
         " updated_at) VALUES ($1, $2, $3, $4, $5, $5)");
DB_QUERY(user_update_password,
         "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1");

static const char *const role_names[] = {"cs", "supervisor", "admin"};

const char *role_name(role_t role)
{
    return role_names[role];
}

bool role_parse(const char *name, role_t *role)
{
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(name, role_names[i]) == 0) {
            *role = (role_t)i;
            return true;
        }
    }
    return false;
}

static int read_user(db_stmt_t *s, user_t *out)
{
    memset(out, 0, sizeof(*out));
    out->id = db_i64(s, 0);
    snprintf(out->name, sizeof(out->name), "%s", db_text(s, 1));
    snprintf(out->email, sizeof(out->email), "%s", db_text(s, 2));
    if (!role_parse(db_text(s, 3), &out->role)) {
        return WERR_CORRUPT;
    }
    out->active = db_i64(s, 4) != 0;
    out->active_session = db_is_null(s, 5) ? 0 : db_i64(s, 5);
    out->not_before = db_i64(s, 6);
    return WERR_OK;
}

int user_get(db_t *db, int64_t id, user_t *out)
{
    db_stmt_t *s = db_stmt(db, &user_by_id);
    db_bind_i64(s, 1, id);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    rc = read_user(s, out);
    db_done(s);
    return rc;
}

/* Lower case (ASCII), one @ with something on both sides, no blanks. */
static bool clean_email(const char *email, char out[USER_TEXT_MAX])
{
    size_t len = strnlen(email, USER_TEXT_MAX);
    size_t at = 0, ats = 0;
    if (len < 3 || len >= USER_TEXT_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)email[i];
        if (c <= ' ' || c == 0x7f) {
            return false;
        }
        if (c == '@') {
            at = i;
            ats++;
        }
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    out[len] = '\0';
    return ats == 1 && at > 0 && at < len - 1;
}

static int find_user(db_t *db, const char *email, user_t *out,
                     char hash[PASSWORD_HASH_MAX])
{
    char address[USER_TEXT_MAX];
    if (!clean_email(email, address)) {
        return WERR_NOTFOUND;
    }
    db_stmt_t *s = db_stmt(db, &user_by_address);
    db_bind_text(s, 1, address);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    rc = read_user(s, out);
    if (hash != NULL) {
        snprintf(hash, PASSWORD_HASH_MAX, "%s", db_text(s, 7));
    }
    db_done(s);
    return rc;
}

int user_by_email(db_t *db, const char *email, user_t *out)
{
    return find_user(db, email, out, NULL);
}

typedef struct {
    const char *name, *email, *hash, *role;
    int64_t id;
} user_new_t;

static int insert_user(tx_t *tx, void *arg)
{
    user_new_t *n = arg;
    db_stmt_t *s = db_stmt(tx->db, &user_insert);
    db_bind_text(s, 1, n->name);
    db_bind_text(s, 2, n->email);
    db_bind_text(s, 3, n->hash);
    db_bind_text(s, 4, n->role);
    db_bind_i64(s, 5, tx->now);
    int rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    n->id = db_last_id(tx->db);
    rc = event_raise(tx, EVENT_ACCESS, 0, 0, 0);
    if (rc != WERR_OK) {
        return rc;
    }
    return audit_note(
        tx,
        &(audit_t){.action = "user.add", .object = n->id, .detail = n->role});
}

int user_add(domain_t *d, const char *name, const char *email, role_t role,
             const char *password, int64_t *id)
{
    char address[USER_TEXT_MAX];
    char hash[PASSWORD_HASH_MAX];
    if (name[0] == '\0' || strnlen(name, USER_TEXT_MAX) >= USER_TEXT_MAX ||
        (unsigned)role > ROLE_ADMIN || !clean_email(email, address) ||
        !password_fits(password)) {
        return WERR_INVALID;
    }
    int rc = password_hash(password, hash);
    if (rc != WERR_OK) {
        return rc;
    }
    user_new_t n = {name, address, hash, role_name(role), 0};
    rc = domain_write(d, insert_user, &n);
    OPENSSL_cleanse(hash, sizeof(hash));
    if (rc == WERR_OK) {
        *id = n.id;
        log_info("user", "msg=\"user added\" user=%lld role=%s",
                 (long long)n.id, role_name(role));
    }
    return rc;
}

typedef struct {
    const char *email, *hash;
    int64_t id;
} user_password_t;

static int update_password(tx_t *tx, void *arg)
{
    user_password_t *p = arg;
    user_t user;
    int rc = user_by_email(tx->db, p->email, &user);
    if (rc != WERR_OK) {
        return rc;
    }
    db_stmt_t *s = db_stmt(tx->db, &user_update_password);
    db_bind_i64(s, 1, user.id);
    db_bind_text(s, 2, p->hash);
    db_bind_i64(s, 3, tx->now);
    rc = db_exec(s);
    p->id = user.id;
    if (rc == WERR_OK) {
        rc = token_revoke_user(tx, user.id);
    }
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "user.password",
                                                     .object = user.id})
                         : rc;
}

int user_set_password(domain_t *d, const char *email, const char *password)
{
    char hash[PASSWORD_HASH_MAX];
    if (!password_fits(password)) {
        return WERR_INVALID;
    }
    int rc = password_hash(password, hash);
    if (rc != WERR_OK) {
        return rc;
    }
    user_password_t p = {email, hash, 0};
    rc = domain_write(d, update_password, &p);
    OPENSSL_cleanse(hash, sizeof(hash));
    if (rc == WERR_OK) {
        log_info("user", "msg=\"password changed\" user=%lld", (long long)p.id);
    }
    return rc;
}

int user_check_password(db_t *db, const char *email, const char *password,
                        user_t *out)
{
    char known[PASSWORD_HASH_MAX] = "";
    bool same = false;
    int rc = find_user(db, email, out, known);
    if (rc == WERR_OK || rc == WERR_NOTFOUND) {
        rc = password_check(password, rc == WERR_OK ? known : NULL, &same);
    }
    OPENSSL_cleanse(known, sizeof(known));
    if (rc == WERR_OK && !(same && out->active)) {
        rc = WERR_DENIED;
    }
    if (rc != WERR_OK) {
        memset(out, 0, sizeof(*out));
    }
    return rc;
}
