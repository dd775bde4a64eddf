#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/audit.h"
#include "domain/session_row.h"
#include "domain/token.h"
#include "http/guesses.h"
#include "http/invalid.h"
#include "http/routes/routes.h"
#include "http/server.h"

DB_QUERY(auth_session_name, "SELECT session_id FROM sessions WHERE id = $1");

/* "" where there is none, or it is no longer theirs to see: what they do not
 * name means another one then (session_acting()). */
static int active_name(db_t *db, const user_t *u, char *out, size_t size)
{
    session_set_t visible = {0};
    bool sees;
    out[0] = '\0';
    if (u->active_session == 0) {
        return WERR_OK;
    }
    int rc = session_visible(db, u, &visible);
    sees = rc == WERR_OK && session_set_has(&visible, u->active_session);
    session_set_free(&visible);
    if (!sees) {
        return rc;
    }
    db_stmt_t *s = db_stmt(db, &auth_session_name);
    db_bind_i64(s, 1, u->active_session);
    rc = db_first(s);
    if (rc == DB_ROW) {
        snprintf(out, size, "%s", db_text(s, 0));
        db_done(s);
        rc = WERR_OK;
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int write_user(db_t *db, const user_t *u, buf_t *b)
{
    char session[SESSION_WIRE_MAX];
    int rc = active_name(db, u, session, sizeof(session));
    if (rc != WERR_OK) {
        return rc;
    }
    jw_open_object(b, "user");
    jw_i64(b, "id", u->id);
    jw_str(b, "name", u->name);
    jw_str(b, "email", u->email);
    jw_str(b, "role", role_name(u->role));
    jw_str(b, "active_session_id", session[0] != '\0' ? session : NULL);
    jw_close_object(b);
    return WERR_OK;
}

typedef struct {
    const user_t *user; /* whose password was right; NULL: refresh */
    const char *refresh;
    const char *key; /* of the refresh; NULL: none */
    int64_t access_exp, refresh_until;
    bool denied;
    token_pair_t pair;
} sign_in_t;

/* While the password was hashed it may have been changed, or its user
 * switched off: then it was right too early. */
static int check_again(tx_t *tx, const user_t *was, bool *denied)
{
    user_t now;
    int rc = user_get(tx->db, was->id, &now);
    *denied =
        rc == WERR_NOTFOUND ||
        (rc == WERR_OK && (!now.active || now.not_before != was->not_before));
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int sign_in(tx_t *tx, void *arg)
{
    sign_in_t *in = arg;
    in->denied = false;
    if (in->user == NULL) {
        return token_refresh(tx, in->refresh, in->key, in->access_exp,
                             in->refresh_until, &in->denied, &in->pair);
    }
    int rc = check_again(tx, in->user, &in->denied);
    if (rc == WERR_OK && !in->denied) {
        rc = token_issue(tx, in->user->id, in->access_exp, in->refresh_until,
                         &in->pair);
    }
    if (rc == WERR_OK && !in->denied) {
        rc =
            audit_note(tx, &(audit_t){.user = in->user->id, .action = "login"});
    }
    return rc;
}

/* The pair of tokens and who they are for. */
static int write_tokens(request_t *r, const user_t *u, const token_pair_t *p,
                        int64_t now)
{
    buf_t token;
    buf_t *b = &r->response.body;
    buf_init(&token, 0);
    int rc = auth_sign_access(&r->server->keys, u, p->jti, now, p->access_exp,
                              &token);
    if (rc == WERR_OK) {
        jw_open_object(b, NULL);
        jw_bool(b, "success", true);
        jw_strn(b, "token", token.data, token.len);
        jw_str(b, "token_type", "Bearer");
        jw_i64(b, "expires_in", p->access_exp - now);
        jw_str(b, "refresh_token", p->refresh);
        rc = write_user(r->db, u, b);
        jw_close_object(b);
        response_header(&r->response, "Cache-Control", "no-store");
    }
    buf_free(&token);
    return rc;
}

/* Issues, signs and answers; denied is the 401's message. */
static void give_tokens(request_t *r, sign_in_t *in, const char *denied)
{
    int64_t now_ms = clock_now_ms();
    int64_t now = now_ms / 1000;
    user_t user;
    in->access_exp = now + r->options->access_ttl_s;
    in->refresh_until = now_ms + (int64_t)r->options->refresh_ttl_s * 1000;
    int rc = domain_write(r->options->domain, sign_in, in);
    if (rc >= 0 && in->denied) {
        response_message(&r->response, 401, denied);
        return;
    }
    if (rc >= 0) {
        rc = user_get(r->db, in->pair.user, &user);
    }
    if (rc == WERR_OK) {
        rc = write_tokens(r, &user, &in->pair, now);
    }
    if (rc < 0) {
        response_error(&r->response, rc);
    }
    OPENSSL_cleanse(&in->pair, sizeof(in->pair));
}

static void refuse_login(request_t *r, const char *email)
{
    char masked[80];
    audit_mask_email(email, masked, sizeof(masked));
    int rc =
        audit_write(r->options->domain,
                    &(audit_t){.action = "login.failed", .detail = masked});
    log_info("http", "msg=\"sign-in refused\"");
    if (rc == WERR_OK) {
        response_message(&r->response, 401, "Invalid credentials.");
    } else {
        response_error(&r->response, rc);
    }
}

/* Who has guessed too often, be there such an account or not. */
static void put_off(request_t *r, int64_t wait_s)
{
    log_info("http", "msg=\"sign-in put off\" seconds=%lld", (long long)wait_s);
    response_too_many(&r->response, "Too many attempts. Please wait.", wait_s);
}

static void check_login(request_t *r, const char *email, const char *password)
{
    pace_t *pace = r->server->pace;
    guess_t guess;
    user_t user;
    int64_t wait_s =
        guesses_begin(pace, &guess, email, request_header(r, "X-Wacrm-Client"),
                      r->options->guesses, clock_mono_ms());
    if (wait_s > 0) {
        put_off(r, wait_s);
        return;
    }
    int rc = user_check_password(r->db, email, password, &user);
    if (rc == WERR_DENIED) {
        refuse_login(r, email);
    } else if (rc != WERR_OK) {
        guesses_fault(pace, &guess);
        response_error(&r->response, rc);
    } else {
        sign_in_t in = {.user = &user};
        guesses_right(pace, &guess, clock_mono_ms());
        give_tokens(r, &in, "Invalid credentials.");
        log_info("http", "msg=\"sign-in\" user=%lld status=%d",
                 (long long)user.id, r->response.status);
    }
}

void route_login(request_t *r)
{
    invalid_t invalid = {0};
    json_t *body = request_json(r);
    if (body == NULL) {
        return;
    }
    const char *email = invalid_string(&invalid, body, "email", true);
    const char *password = invalid_string(&invalid, body, "password", true);
    if (!invalid_answer(&invalid, &r->response)) {
        check_login(r, email, password);
    }
    json_decref(body);
}

void route_refresh(request_t *r)
{
    invalid_t invalid = {0};
    json_t *body = request_json(r);
    if (body == NULL) {
        return;
    }
    const char *token = invalid_string(&invalid, body, "refresh_token", true);
    const char *key = request_header(r, "Idempotency-Key");
    size_t len = key != NULL ? strlen(key) : 0;
    if (key != NULL && (len < TOKEN_KEY_MIN || len > TOKEN_KEY_MAX)) {
        invalid_add(&invalid, "Idempotency-Key",
                    "The Idempotency-Key must be %d to %d characters.",
                    TOKEN_KEY_MIN, TOKEN_KEY_MAX);
    }
    if (!invalid_answer(&invalid, &r->response)) {
        sign_in_t in = {.refresh = token, .key = key};
        give_tokens(r, &in, "Unauthenticated.");
    }
    json_decref(body);
}

/* A new password of one's own: all other sign-ins end, this one goes on. */
static void change_password(request_t *r, const char *password)
{
    user_change_t c = {.password = password};
    user_t user;
    int rc = user_change(r->options->domain, r->user.id, &c);
    if (rc == WERR_OK) {
        rc = user_get(r->db, r->user.id, &user);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    sign_in_t in = {.user = &user};
    give_tokens(r, &in, "Unauthenticated.");
}

void route_password(request_t *r)
{
    invalid_t invalid = {0};
    user_t user;
    json_t *body = request_json(r);
    if (body == NULL) {
        return;
    }
    const char *now = invalid_string(&invalid, body, "current_password", true);
    const char *password = invalid_string(&invalid, body, "password", true);
    int rc = WERR_OK;
    invalid_password(&invalid, "password", password);
    if (invalid.n == 0) {
        rc = user_check_password(r->db, r->user.email, now, &user);
    }
    if (rc == WERR_DENIED) {
        invalid_add(&invalid, "current_password",
                    "The current password is incorrect.");
        rc = WERR_OK;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else if (!invalid_answer(&invalid, &r->response)) {
        change_password(r, password);
    }
    json_decref(body);
}

static int sign_out(tx_t *tx, void *arg)
{
    const request_t *r = arg;
    int rc = token_logout(tx, r->user.id, r->identity.jti, r->identity.exp);
    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "logout"}) : rc;
}

void route_logout(request_t *r)
{
    int rc = domain_write(r->options->domain, sign_out, r);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    response_done(&r->response, "Logged out");
}

void route_me(request_t *r)
{
    buf_t *b = &r->response.body;
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = write_user(r->db, &r->user, b);
    jw_close_object(b);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}
