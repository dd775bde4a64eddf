#include "domain/user.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "domain/audit.h"
#include "domain/event.h"
#include "domain/token.h"

#define PASSWORD_MIN 8

/* Parallel hashes would cost some 16 MB each. */
static pthread_mutex_t hash_lock = PTHREAD_MUTEX_INITIALIZER;

DB_QUERY(user_by_id,
         "SELECT id, name, email, role, active, active_session_id, not_before"
         " FROM users WHERE id = $1");
DB_QUERY(user_by_address,
         "SELECT id, name, email, role, active, active_session_id, not_before,"
         " password_hash FROM users WHERE email = $1");
DB_QUERY(user_insert,
         "INSERT INTO users (name, email, password_hash, role, created_at,"
         " updated_at) VALUES ($1, $2, $3, $4, $5, $5)");
DB_QUERY_SCAN(user_rows,
              "SELECT id, name, email, role, active, created_at FROM users "
              "ORDER BY id",
              "all of a small table: the people who work here");
DB_QUERY(user_row, "SELECT id, name, email, role, active, created_at "
                   "FROM users WHERE id = $1");
DB_QUERY_SCAN(user_other_admin,
              "SELECT id FROM users WHERE role = 'admin' AND active = 1 "
              "AND id <> $1 LIMIT 1",
              "a small table: the people who work here");
DB_QUERY(user_update,
         "UPDATE users SET name = coalesce($2, name), "
         "role = coalesce($3, role), active = coalesce($4, active), "
         "password_hash = coalesce($5, password_hash), updated_at = $6 "
         "WHERE id = $1");
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
                     char hash[CRYPT_OUTPUT_SIZE])
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
        snprintf(hash, CRYPT_OUTPUT_SIZE, "%s", db_text(s, 7));
    }
    db_done(s);
    return rc;
}

int user_by_email(db_t *db, const char *email, user_t *out)
{
    return find_user(db, email, out, NULL);
}

/* crypt(3) of a password with a setting or a hash, one at a time. */
static int hash_password(const char *password, const char *setting,
                         char out[CRYPT_OUTPUT_SIZE])
{
    static struct crypt_data data;
    int rc = WERR_OK;
    pthread_mutex_lock(&hash_lock);
    data.initialized = 0;
    const char *hash = crypt_rn(password, setting, &data, (int)sizeof(data));
    if (hash != NULL) {
        snprintf(out, CRYPT_OUTPUT_SIZE, "%s", hash);
    } else {
        rc = WERR_INVALID;
    }
    OPENSSL_cleanse(&data, sizeof(data));
    pthread_mutex_unlock(&hash_lock);
    return rc;
}

static int new_hash(const char *password, char out[CRYPT_OUTPUT_SIZE])
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, (int)sizeof(setting)) ==
        NULL) {
        return WERR_SYSTEM;
    }
    return hash_password(password, setting, out);
}

static bool password_fits(const char *password)
{
    size_t len = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE);
    return len >= PASSWORD_MIN && len < CRYPT_MAX_PASSPHRASE_SIZE;
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
    char hash[CRYPT_OUTPUT_SIZE];
    if (name[0] == '\0' || strnlen(name, USER_TEXT_MAX) >= USER_TEXT_MAX ||
        (unsigned)role > ROLE_ADMIN || !clean_email(email, address) ||
        !password_fits(password)) {
        return WERR_INVALID;
    }
    int rc = new_hash(password, hash);
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
    char hash[CRYPT_OUTPUT_SIZE];
    if (!password_fits(password)) {
        return WERR_INVALID;
    }
    int rc = new_hash(password, hash);
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

/* ---- as administrators see and change them ---- */

static void write_row(db_stmt_t *s, const char *key, buf_t *b)
{
    jw_open_object(b, key);
    jw_i64(b, "id", db_i64(s, 0));
    jw_str(b, "name", db_text(s, 1));
    jw_str(b, "email", db_text(s, 2));
    jw_str(b, "role", db_text(s, 3));
    jw_bool(b, "active", db_i64(s, 4) != 0);
    jw_time(b, "created_at", db_i64(s, 5));
    jw_close_object(b);
}

int user_list(db_t *db, const char *key, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &user_rows);
    int rc;
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        write_row(s, NULL, out);
    }
    jw_close_array(out);
    return rc;
}

int user_write(db_t *db, int64_t id, const char *key, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &user_row);
    db_bind_i64(s, 1, id);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    write_row(s, key, out);
    db_done(s);
    return WERR_OK;
}

typedef struct {
    int64_t id;
    user_change_t *change;
    const char *hash;
} user_edit_t;

/* Whether somebody who may administer is left. */
static int keeps_admin(tx_t *tx, const user_t *was, const user_change_t *c,
                       bool *kept)
{
    bool stays = (c->role == NULL || *c->role == ROLE_ADMIN) &&
                 (c->active == NULL || *c->active);
    *kept = stays || was->role != ROLE_ADMIN || !was->active;
    if (*kept) {
        return WERR_OK;
    }
    db_stmt_t *s = db_stmt(tx->db, &user_other_admin);
    db_bind_i64(s, 1, was->id);
    int rc = db_first(s);
    *kept = rc == DB_ROW;
    db_done(s);
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int update_user(tx_t *tx, const user_edit_t *e)
{
    const user_change_t *c = e->change;
    db_stmt_t *s = db_stmt(tx->db, &user_update);
    db_bind_i64(s, 1, e->id);
    if (c->name != NULL) {
        db_bind_text(s, 2, c->name);
    }
    if (c->role != NULL) {
        db_bind_text(s, 3, role_name(*c->role));
    }
    if (c->active != NULL) {
        db_bind_i64(s, 4, *c->active);
    }
    if (e->hash != NULL) {
        db_bind_text(s, 5, e->hash);
    }
    db_bind_i64(s, 6, tx->now);
    return db_exec(s);
}

static int note_edit(tx_t *tx, const user_edit_t *e)
{
    const user_change_t *c = e->change;
    char detail[80];
    snprintf(detail, sizeof(detail), "%s%s%s%s%s", c->name ? "name " : "",
             c->role != NULL ? role_name(*c->role) : "",
             c->role != NULL ? " " : "",
             c->active == NULL ? "" : (*c->active ? "on " : "off "),
             e->hash != NULL ? "password" : "");
    return audit_note(
        tx,
        &(audit_t){.action = "user.change", .object = e->id, .detail = detail});
}

static int edit_user(tx_t *tx, void *arg)
{
    user_edit_t *e = arg;
    user_t was;
    bool kept = false;
    int rc = user_get(tx->db, e->id, &was);
    if (rc == WERR_OK) {
        rc = keeps_admin(tx, &was, e->change, &kept);
    }
    if (rc == WERR_OK && !kept) {
        e->change->last_admin = true;
        rc = WERR_CONFLICT;
    }
    if (rc == WERR_OK) {
        rc = update_user(tx, e);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_ACCESS, 0, 0, 0);
    }
    if (rc == WERR_OK) {
        rc = note_edit(tx, e);
    }
    bool off = e->change->active != NULL && !*e->change->active;
    return rc == WERR_OK && (off || e->hash != NULL)
               ? token_revoke_user(tx, e->id)
               : rc;
}

int user_change(domain_t *d, int64_t id, user_change_t *c)
{
    char hash[CRYPT_OUTPUT_SIZE];
    user_edit_t e = {.id = id, .change = c};
    int rc = WERR_OK;
    c->last_admin = false;
    if ((c->name != NULL &&
         (c->name[0] == '\0' ||
          strnlen(c->name, USER_TEXT_MAX) >= USER_TEXT_MAX)) ||
        (c->password != NULL && !password_fits(c->password))) {
        return WERR_INVALID;
    }
    if (c->password != NULL) {
        rc = new_hash(c->password, hash);
        e.hash = hash;
    }
    if (rc == WERR_OK) {
        rc = domain_write(d, edit_user, &e);
    }
    OPENSSL_cleanse(hash, sizeof(hash));
    if (rc == WERR_OK) {
        log_info("user", "msg=\"user changed\" user=%lld password=%s",
                 (long long)id, c->password != NULL ? "new" : "same");
    }
    return rc;
}

static int logout_user(tx_t *tx, void *arg)
{
    const int64_t *id = arg;
    user_t user;
    int rc = user_get(tx->db, *id, &user);
    if (rc == WERR_OK) {
        rc = token_revoke_user(tx, *id);
    }
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "user.logout",
                                                     .object = *id})
                         : rc;
}

int user_logout(domain_t *d, int64_t id)
{
    int rc = domain_write(d, logout_user, &id);
    if (rc == WERR_OK) {
        log_info("user", "msg=\"out everywhere\" user=%lld", (long long)id);
    }
    return rc;
}

int user_check_password(db_t *db, const char *email, const char *password,
                        user_t *out)
{
    char known[CRYPT_OUTPUT_SIZE] = "";
    char hash[CRYPT_OUTPUT_SIZE];
    bool fits = strnlen(password, CRYPT_MAX_PASSPHRASE_SIZE) <
                CRYPT_MAX_PASSPHRASE_SIZE;
    int rc = find_user(db, email, out, known);
    if (rc != WERR_OK && rc != WERR_NOTFOUND) {
        return rc;
    }
    bool found = rc == WERR_OK;
    /* Whatever is wrong, one hash of the same cost is computed. */
    if (found && fits) {
        rc = hash_password(password, known, hash);
    } else {
        rc = new_hash(fits ? password : "a password", hash);
    }
    if (rc != WERR_OK) {
        memset(out, 0, sizeof(*out));
        return rc == WERR_INVALID ? WERR_DENIED : rc;
    }
    size_t len = strlen(known);
    bool same = found && fits && len == strlen(hash) &&
                CRYPTO_memcmp(known, hash, len) == 0;
    OPENSSL_cleanse(hash, sizeof(hash));
    OPENSSL_cleanse(known, sizeof(known));
    if (!same || !out->active) {
        memset(out, 0, sizeof(*out));
        return WERR_DENIED;
    }
    return WERR_OK;
}
