/*
 * users.c - the commands about the people who work here.
 */
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/jsonr.h"
#include "control/command.h"
#include "domain/audit.h"
#include "domain/user.h"
#include "http/auth.h"

#define JTI_BYTES 16

bool command_user_add(command_t *c, const json_t *request)
{
    const char *email = command_arg(c, request, "email");
    const char *name = jsonr_str(request, "name");
    const char *role_text = jsonr_str(request, "role");
    const char *password = jsonr_str(request, "password");
    role_t role = ROLE_CS;
    int64_t id;
    int rc;

    if (!email) {
        return false;
    }
    if (role_text && !role_parse(role_text, &role)) {
        return command_fail(c, "no role \"%s\": cs, supervisor or admin",
                            role_text);
    }
    if (!password) {
        return command_fail(c, "the password is empty");
    }
    rc = user_add(c->domain, name ? name : email, email, role, password, &id);
    if (rc == WERR_CONFLICT) {
        return command_fail(c, "%s is there already: use user passwd", email);
    }
    if (rc == WERR_INVALID) {
        return command_fail(c, "not an e-mail address, or a password of fewer "
                               "than 8 bytes");
    }
    if (rc < 0) {
        return command_fail(c, "not added: %s", werr_text(rc));
    }
    command_text(c, "added %s as %s", email, role_name(role));
    return true;
}

bool command_user_passwd(command_t *c, const json_t *request)
{
    const char *email = command_arg(c, request, "email");
    const char *password = jsonr_str(request, "password");
    int rc;

    if (!email) {
        return false;
    }
    if (!password) {
        return command_fail(c, "the password is empty");
    }
    rc = user_set_password(c->domain, email, password);
    if (rc == WERR_NOTFOUND) {
        return command_fail(c, "there is no %s: see user list", email);
    }
    if (rc == WERR_INVALID) {
        return command_fail(c, "a password has at least 8 bytes");
    }
    if (rc < 0) {
        return command_fail(c, "not changed: %s", werr_text(rc));
    }
    command_text(c, "password changed; %s is signed out everywhere", email);
    return true;
}

DB_QUERY(list_users,
         "SELECT id, email, role, active, name FROM users ORDER BY id");

bool command_user_list(command_t *c, const json_t *request)
{
    db_stmt_t *s = db_stmt(c->db, &list_users);
    buf_t b;
    int rc;

    (void)request;
    buf_init(&b, 0);
    while ((rc = db_step(s)) == DB_ROW) {
        jw_open_object(&b, NULL);
        jw_i64(&b, "id", db_i64(s, 0));
        jw_str(&b, "email", db_text(s, 1));
        jw_str(&b, "role", db_text(s, 2));
        jw_bool(&b, "active", db_i64(s, 3) != 0);
        jw_str(&b, "name", db_text(s, 4));
        jw_close_object(&b);
        command_emit(c, &b);
    }
    buf_free(&b);
    return rc == DB_DONE || command_fail(c, "%s", werr_text(rc));
}

static bool make_jti(char out[2 * JTI_BYTES + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[JTI_BYTES];

    if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(raw); i++) {
        out[2 * i] = hex[raw[i] >> 4];
        out[2 * i + 1] = hex[raw[i] & 15];
    }
    out[2 * sizeof(raw)] = '\0';
    return true;
}

bool command_token(command_t *c, const json_t *request)
{
    const char *email = command_arg(c, request, "email");
    auth_keys_t keys = {c->config->jwt_secret, c->config->jwt_secret_len,
                        c->config->issuer, c->config->audience};
    int64_t now = clock_now_ms() / 1000;
    char jti[2 * JTI_BYTES + 1];
    user_t user;
    buf_t token;
    int rc;

    if (!email) {
        return false;
    }
    rc = user_by_email(c->db, email, &user);
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && !user.active)) {
        return command_fail(c, "there is no active %s: see user list", email);
    }
    if (rc == WERR_OK && !make_jti(jti)) {
        rc = WERR_SYSTEM;
    }
    buf_init(&token, 0);
    if (rc == WERR_OK) {
        rc = audit_write(c->domain,
                         &(audit_t){.action = "token.make", .object = user.id});
    }
    if (rc == WERR_OK) {
        rc = auth_sign_access(&keys, &user, jti, now,
                              now + c->config->access_ttl_s, &token);
    }
    if (rc == WERR_OK && !token.failed) {
        command_text(c, "%s", token.data);
    }
    buf_free(&token);
    return rc == WERR_OK || command_fail(c, "no token: %s", werr_text(rc));
}
