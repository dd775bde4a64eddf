/*
 * client_login.c - the bearer of an account: kept, fetched, fetched anew.
 */
#include "gateway/client_call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define LOGIN_GAP_MS  30000
#define TOKEN_LIFE_MS INT64_C(86400000)

bool gw_login_can(const gw_login_t *login)
{
    return login->driver && login->driver->login && login->account->email &&
           login->account->password && clock_mono_ms() >= login->not_before;
}

/* Lets the calls that waited for a login go on (GW_CALL_FINE), or end. */
static void release_waiting(gw_client_t *c, const gw_login_t *login,
                            gw_verdict_t verdict)
{
    gw_call_t *call = c->calls, *next;

    for (; call; call = next) {
        next = call->next;
        if (call->login != login || !call->waiting) {
            continue;
        }
        call->waiting = false;
        if (verdict == GW_CALL_FINE) {
            gw_call_perform(call);
        } else {
            call->verdict = verdict;
        }
    }
}

void gw_login_done(gw_call_t *call, const gw_result_t *r)
{
    gw_client_t *c = call->client;
    gw_login_t *login = call->login;
    char token[GW_TOKEN_MAX] = "";
    bool ok, no_memory = r->no_memory;

    if (r->http_status >= 200 && r->http_status < 300) {
        errno = 0;
        login->driver->login_reply(r->body, r->len, token, sizeof(token));
        no_memory = token[0] == '\0' && errno == ENOMEM;
    }
    ok = token[0] != '\0';
    login->running = false;
    login->away = r->no_connection;
    if (ok) {
        memcpy(login->token, token, sizeof(token));
        login->generation++;
        if (c->o.token_store) {
            c->o.token_store(c->o.arg, login->account->name, login->token,
                             clock_now_ms() + TOKEN_LIFE_MS);
        }
        log_info("gateway", "msg=\"signed in\" account=%s",
                 log_str(login->account->name));
    } else {
        /* where nobody was asked, the next call tries again */
        login->not_before =
            no_memory || login->away ? 0 : clock_mono_ms() + LOGIN_GAP_MS;
        log_warn("gateway",
                 "msg=\"sign-in failed\" account=%s status=%d "
                 "error=%s",
                 log_str(login->account->name), r->http_status,
                 log_str(r->error));
    }
    explicit_bzero(token, sizeof(token));
    release_waiting(c, login,
                    ok          ? GW_CALL_FINE
                    : no_memory ? GW_CALL_BROKEN
                                : GW_CALL_UNAUTHORISED);
}

void gw_login_load(gw_client_t *c, gw_login_t *login)
{
    if (!atomic_exchange(&login->reload, false) && login->loaded) {
        return;
    }
    login->loaded = true;
    login->token[0] = '\0';
    login->generation++;
    if (c->o.token_load) {
        c->o.token_load(c->o.arg, login->account->name, login->token,
                        sizeof(login->token));
    }
    if (login->token[0] == '\0' && login->account->token) {
        (void)snprintf(login->token, sizeof(login->token), "%s",
                       login->account->token);
    }
}

int gw_login_start(gw_client_t *c, gw_login_t *login)
{
    gw_request_t request;
    gw_call_t *call;
    int rc;

    if (login->running) {
        return WERR_OK;
    }
    gw_request_init(&request);
    rc = login->driver->login(login->account, &request);
    if (rc != WERR_OK) {
        gw_request_free(&request);
        return rc;
    }
    call = gw_call_begin(c, login, &request);
    if (!call) {
        return WERR_NOMEM;
    }
    call->is_login = true;
    login->running = true;
    gw_call_perform(call);
    return WERR_OK;
}

bool gw_login_again(gw_call_t *call)
{
    gw_login_t *login = call->login;

    if (call->is_login || !call->request.authorised) {
        return false;
    }
    if (call->generation != login->generation && !call->renewed) {
        /* another call has brought a newer token meanwhile */
        call->renewed = true;
        gw_call_perform(call);
        return true;
    }
    if (call->signed_in) {
        /* a fresh token is of no use either: no login per message */
        login->not_before = clock_mono_ms() + LOGIN_GAP_MS;
        return false;
    }
    call->signed_in = true;
    if (!gw_login_can(login) ||
        gw_login_start(call->client, login) != WERR_OK) {
        return false;
    }
    call->waiting = true;
    return true;
}
