/*
 * client.c - the thread of the HTTP client, and how its calls end.
 */
#include "gateway/client_call.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"

#define POLL_MAX_MS      60000
#define TICK_MIN_MS      5
#define HOST_CONNECTIONS 16
#define GUEST_TIMEOUT_S  15

/* ---- calls ---- */

static void unlink_call(gw_call_t *call)
{
    gw_client_t *c = call->client;

    if (call->prev) {
        call->prev->next = call->next;
    } else {
        c->calls = call->next;
    }
    if (call->next) {
        call->next->prev = call->prev;
    }
    atomic_fetch_sub(&c->active, 1);
}

static void finish(gw_call_t *call, const gw_result_t *result)
{
    call->client->completed = true;
    unlink_call(call);
    if (call->done) {
        call->done(call->arg, result);
    }
    gw_call_free(call);
}

/* Ends a call that got no answer. */
static void end_call_as(gw_call_t *call, CURLcode code, int http_status,
                        const char *why)
{
    gw_result_t result;

    gw_call_result(call, code, &result);
    result.stopped = call->client->stopped;
    /* what does not run has not begun, or was refused with a 401 */
    result.bytes_sent = result.bytes_sent && call->running;
    result.http_status = http_status;
    result.body = "";
    (void)snprintf(result.error, sizeof(result.error), "%s", why);
    finish(call, &result);
}

static void end_call(gw_call_t *call, int http_status, const char *why)
{
    end_call_as(call, CURLE_ABORTED_BY_CALLBACK, http_status, why);
}

void gw_call_perform(gw_call_t *call)
{
    if (gw_call_prepare(call) == WERR_OK &&
        curl_multi_add_handle(call->client->multi, call->easy) == CURLM_OK) {
        call->running = true;
        return;
    }
    /* told from the loop, never from inside gw_call */
    call->verdict = GW_CALL_BROKEN;
}

static void link_call(gw_call_t *call)
{
    gw_client_t *c = call->client;

    call->next = c->calls;
    if (c->calls) {
        c->calls->prev = call;
    }
    c->calls = call;
}

gw_call_t *gw_call_begin(gw_client_t *c, gw_login_t *login,
                         gw_request_t *request)
{
    gw_call_t *call = gw_call_new(c, login, request);

    if (!call) {
        return NULL;
    }
    link_call(call);
    atomic_fetch_add(&c->active, 1);
    return call;
}

static void complete(gw_call_t *call, CURLcode code)
{
    gw_result_t result;

    (void)curl_multi_remove_handle(call->client->multi, call->easy);
    call->running = false;
    gw_call_result(call, code, &result);
    if (result.http_status == 401 && gw_login_again(call)) {
        return;
    }
    if (call->is_login) {
        gw_login_done(call, &result);
    }
    finish(call, &result);
}

/* ---- starts of calls ---- */

static gw_login_t *login_of(gw_client_t *c, const gateway_account_t *account)
{
    if (account == NULL) {
        return &c->guest;
    }
    for (size_t i = 0; i < c->o.naccounts; i++) {
        if (strcmp(c->logins[i].account->name, account->name) == 0) {
            return &c->logins[i];
        }
    }
    return NULL;
}

static void start_call(gw_call_t *call)
{
    gw_login_t *login = call->login;

    gw_login_load(call->client, login);
    if (call->request.authorised && gw_login_can(login) &&
        (login->running || login->token[0] == '\0') &&
        gw_login_start(call->client, login) == WERR_OK) {
        call->waiting = true;
        return;
    }
    gw_call_perform(call);
}

int gw_call(gw_client_t *c, const gateway_account_t *account,
            gw_request_t *request, gw_done done, void *arg)
{
    gw_login_t *login = login_of(c, account);
    gw_call_t *call;

    if (!login) {
        gw_request_free(request);
        return WERR_INVALID;
    }
    call = gw_call_begin(c, login, request);
    if (!call) {
        return WERR_NOMEM;
    }
    call->done = done;
    call->arg = arg;
    start_call(call);
    return WERR_OK;
}

/* ---- calls of other threads ---- */

int gw_submit(gw_client_t *c, const gateway_account_t *account,
              gw_request_t *request, int64_t timeout_ms, gw_done done,
              void *arg)
{
    gw_login_t *login = login_of(c, account);
    gw_call_t *call;
    int64_t most;
    bool closed;

    if (!login) {
        gw_request_free(request);
        return WERR_INVALID;
    }
    most = (int64_t)login->account->timeout_s * 1000;
    call = gw_call_new(c, login, request);
    if (!call) {
        return WERR_NOMEM;
    }
    call->done = done;
    call->arg = arg;
    if (timeout_ms <= 0 || timeout_ms > most) {
        timeout_ms = most;
    }
    call->deadline = clock_mono_ms() + timeout_ms;
    (void)pthread_mutex_lock(&c->lock);
    closed = c->closed;
    if (!closed) {
        call->next = c->submitted;
        c->submitted = call;
        atomic_fetch_add(&c->active, 1);
        /* before the unlock: the client may be gone after it */
        (void)curl_multi_wakeup(c->multi);
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (closed) {
        gw_call_free(call);
    }
    return closed ? WERR_STOPPING : WERR_OK;
}

static void take_submitted(gw_client_t *c)
{
    gw_call_t *call, *next, *oldest = NULL;

    (void)pthread_mutex_lock(&c->lock);
    call = c->submitted;
    c->submitted = NULL;
    (void)pthread_mutex_unlock(&c->lock);
    for (; call; call = next) {
        next = call->next;
        call->next = oldest;
        oldest = call;
    }
    for (call = oldest; call; call = next) {
        next = call->next;
        link_call(call);
        start_call(call);
    }
}

/* Ends those whose time is over, wherever they wait: for a login, for a free
 * connection, for the answer. Returns the earliest deadline ahead. */
static int64_t end_late(gw_client_t *c, int64_t now)
{
    int64_t first = INT64_MAX;
    gw_call_t *call = c->calls;

    while (call) {
        if (call->deadline == 0 || call->deadline > now) {
            if (call->deadline != 0 && call->deadline < first) {
                first = call->deadline;
            }
            call = call->next;
            continue;
        }
        end_call_as(call, CURLE_OPERATION_TIMEDOUT, 0, "timed out");
        call = c->calls; /* done may have changed the list */
    }
    return first;
}

/* ---- the thread ---- */

/* Ends those that could not be started or signed in. */
static void end_stranded(gw_client_t *c)
{
    gw_call_t *call = c->calls;

    while (call) {
        if (call->verdict == GW_CALL_FINE) {
            call = call->next;
            continue;
        }
        if (call->is_login) {
            gw_result_t none = {.no_memory = true, .error = "no memory"};

            gw_login_done(call, &none);
        }
        if (call->verdict == GW_CALL_UNAUTHORISED && call->login->away) {
            end_call_as(call, CURLE_COULDNT_CONNECT, 0,
                        "no connection to sign in");
        } else if (call->verdict == GW_CALL_UNAUTHORISED) {
            end_call(call, 401, "sign-in failed");
        } else {
            end_call_as(call, CURLE_OUT_OF_MEMORY, 0,
                        "the call could not be started");
        }
        call = c->calls; /* done may have changed the list */
    }
}

static void tick(gw_client_t *c, int64_t now)
{
    int64_t timeout = POLL_MAX_MS;
    bool woken = atomic_exchange(&c->woken, false);

    if (!woken && !c->completed && now < c->next_tick) {
        return;
    }
    c->completed = false;
    if (c->o.tick) {
        c->o.tick(c->o.arg, c, &timeout);
    }
    if (timeout < TICK_MIN_MS) {
        timeout = TICK_MIN_MS;
    }
    c->next_tick = now + (timeout > POLL_MAX_MS ? POLL_MAX_MS : timeout);
}

static void drain(gw_client_t *c)
{
    int running, left;
    CURLMsg *msg;

    (void)curl_multi_perform(c->multi, &running);
    while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
        gw_call_t *call = NULL;
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        (void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
        complete(call, code);
    }
    end_stranded(c);
}

static void *run(void *arg)
{
    gw_client_t *c = arg;

    for (;;) {
        bool stopping = atomic_load(&c->stopping);
        int64_t now = clock_mono_ms(), until, deadline;

        take_submitted(c);
        if (!stopping) {
            tick(c, now);
        }
        drain(c);
        if (stopping && (!c->calls || now >= atomic_load(&c->stop_at))) {
            break;
        }
        until = stopping ? atomic_load(&c->stop_at) : c->next_tick;
        now = clock_mono_ms();
        deadline = end_late(c, now);
        if (deadline < until) {
            until = deadline;
        }
        if (c->completed || until < now) {
            until = now;
        }
        (void)curl_multi_poll(c->multi, NULL, 0, (int)(until - now), NULL);
    }
    c->stopped = true;
    while (c->calls) {
        end_call(c->calls, 0, "stopped");
    }
    return NULL;
}

static void destroy(gw_client_t *c)
{
    if (c->multi) {
        (void)curl_multi_cleanup(c->multi);
    }
    if (c->logins) {
        explicit_bzero(c->logins, c->o.naccounts * sizeof(*c->logins));
    }
    free(c->logins);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void global_init(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int set_up(gw_client_t *c, const gw_client_options_t *o)
{
    static const gateway_account_t nobody = {.name = "",
                                             .timeout_s = GUEST_TIMEOUT_S};
    long connections = o->connections > 0 ? o->connections : HOST_CONNECTIONS;

    c->o = *o;
    c->guest.account = &nobody;
    c->guest.loaded = true;
    c->logins = calloc(o->naccounts ? o->naccounts : 1, sizeof(*c->logins));
    c->multi = curl_multi_init();
    if (!c->logins || !c->multi) {
        return WERR_NOMEM;
    }
    for (size_t i = 0; i < o->naccounts; i++) {
        c->logins[i].account = &o->accounts[i];
        c->logins[i].driver = gw_driver(o->accounts[i].driver);
    }
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                            connections);
    (void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, connections * 2);
    return WERR_OK;
}

int gw_client_start(gw_client_t **out, const gw_client_options_t *o)
{
    gw_client_t *c;
    int rc;

    *out = NULL;
    (void)pthread_once(&global_once, global_init);
    if (global_result != CURLE_OK) {
        return WERR_SYSTEM;
    }
    c = calloc(1, sizeof(*c));
    if (!c || !lock_init(&c->lock, NULL, NULL)) {
        free(c);
        return WERR_NOMEM;
    }
    rc = set_up(c, o);
    *out = c; /* before its thread, which may look there */
    if (rc == WERR_OK && pthread_create(&c->thread, NULL, run, c) != 0) {
        rc = WERR_SYSTEM;
    }
    if (rc != WERR_OK) {
        *out = NULL;
        destroy(c);
    }
    return rc;
}

void gw_client_wake(gw_client_t *c)
{
    atomic_store(&c->woken, true);
    (void)curl_multi_wakeup(c->multi);
}

void gw_client_stop(gw_client_t **client, int64_t timeout_ms)
{
    gw_client_t *c = *client;

    if (!c) {
        return;
    }
    *client = NULL;
    atomic_store(&c->stop_at, clock_mono_ms() + timeout_ms);
    (void)pthread_mutex_lock(&c->lock);
    c->closed = true;
    atomic_store(&c->stopping, true);
    (void)pthread_mutex_unlock(&c->lock);
    (void)curl_multi_wakeup(c->multi);
    (void)pthread_join(c->thread, NULL);
    destroy(c);
}

void gw_client_reload(gw_client_t *c, const char *account)
{
    for (size_t i = 0; i < c->o.naccounts; i++) {
        if (strcmp(c->logins[i].account->name, account) == 0) {
            atomic_store(&c->logins[i].reload, true);
        }
    }
}

size_t gw_client_active(const gw_client_t *c)
{
    return atomic_load(&c->active);
}
