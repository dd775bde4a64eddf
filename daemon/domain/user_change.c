/* user: as administrators see and change them. */
#include "domain/user.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "domain/audit.h"
#include "domain/event.h"
#include "domain/password.h"
#include "domain/row_json.h"
#include "domain/token_revoke.h"

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

static void write_row(db_stmt_t *s, buf_t *b, const char *key)
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
    return row_write_all(db_stmt(db, &user_rows), write_row, out, key);
}

int user_write(db_t *db, int64_t id, const char *key, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &user_row);
    db_bind_i64(s, 1, id);
    return row_write_first(s, write_row, out, key);
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
    return db_exists(s, kept);
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
    char hash[PASSWORD_HASH_MAX];
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
        rc = password_hash(c->password, hash);
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
