/*
 * gateway_fixture.h - a client of the simulated gateway, and calls of its own
 * thread: begin(), finish().
 */
#ifndef WACRM_T_GATEWAY_FIXTURE_H
#define WACRM_T_GATEWAY_FIXTURE_H

#include "gateway/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "simulator.h"

#define CALLS_MAX 64

/* Calls that the test wants, and how they ended. */
typedef struct {
    gw_request_t request;
    bool started, ended;
    gw_result_t result;
    char body[256];
    pthread_t thread;
} call_t;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    call_t calls[CALLS_MAX];
    size_t n;
    _Atomic int ticks, loads, stores;
    char token[128];
    gateway_account_t account;
    gw_client_t *client;
} bench_t;

static bench_t bench;

static inline void on_done(void *arg, const gw_result_t *r)
{
    call_t *call = arg;

    (void)pthread_mutex_lock(&bench.lock);
    assert_false(call->ended);
    call->result = *r;
    call->thread = pthread_self();
    (void)snprintf(call->body, sizeof(call->body), "%s",
                   r->body ? r->body : "");
    call->result.body = call->body;
    call->ended = true;
    (void)pthread_cond_broadcast(&bench.changed);
    (void)pthread_mutex_unlock(&bench.lock);
}

static inline void on_tick(void *arg, gw_client_t *client, int64_t *timeout_ms)
{
    (void)arg;
    (void)timeout_ms;
    (void)pthread_mutex_lock(&bench.lock);
    bench.ticks++;
    for (size_t i = 0; i < bench.n; i++) {
        call_t *call = &bench.calls[i];

        if (call->started) {
            continue;
        }
        call->started = true;
        assert_int_equal(
            gw_call(client, &bench.account, &call->request, on_done, call),
            WERR_OK);
    }
    (void)pthread_mutex_unlock(&bench.lock);
}

static inline void on_load(void *arg, const char *account, char *token,
                           size_t size)
{
    (void)arg;
    assert_string_equal(account, "main");
    bench.loads++;
    (void)snprintf(token, size, "%s", bench.token);
}

static inline void on_store(void *arg, const char *account, const char *token,
                            int64_t expires_ms)
{
    (void)arg;
    assert_string_equal(account, "main");
    assert_true(expires_ms > clock_now_ms() + 80000 * 1000);
    bench.stores++;
    (void)snprintf(bench.token, sizeof(bench.token), "%s", token);
}

/* ---- a client to each test ---- */

static inline int start(void **state)
{
    gw_client_options_t o = {.accounts = &bench.account,
                             .naccounts = 1,
                             .token_load = on_load,
                             .token_store = on_store,
                             .tick = on_tick};

    (void)state;
    memset(&bench, 0, sizeof(bench));
    (void)pthread_mutex_init(&bench.lock, NULL);
    (void)pthread_cond_init(&bench.changed, NULL);
    bench.account = (gateway_account_t){.name = "main",
                                        .driver = "waapi",
                                        .base_url = sim.base,
                                        .email = "cs@example.org",
                                        .password = "secret",
                                        .timeout_s = 1};
    sim_do(&sim, "reset", "{\"tokens\":true}");
    return gw_client_start(&bench.client, &o);
}

static inline int stop(void **state)
{
    (void)state;
    gw_client_stop(&bench.client, 2000);
    (void)pthread_cond_destroy(&bench.changed);
    (void)pthread_mutex_destroy(&bench.lock);
    return 0;
}

static inline call_t *begin(const char *text)
{
    gw_send_t s = {.session = "s1",
                   .phone = "6281333000111",
                   .type = "text",
                   .text = text};
    call_t *call = &bench.calls[bench.n];

    gw_request_init(&call->request);
    assert_int_equal(gw_waapi.send(&bench.account, &s, &call->request),
                     WERR_OK);
    (void)pthread_mutex_lock(&bench.lock);
    bench.n++;
    (void)pthread_mutex_unlock(&bench.lock);
    gw_client_wake(bench.client);
    return call;
}

static inline const gw_result_t *finish(call_t *call)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    (void)pthread_mutex_lock(&bench.lock);
    while (!call->ended && rc == 0) {
        rc = pthread_cond_timedwait(&bench.changed, &bench.lock, &until);
    }
    (void)pthread_mutex_unlock(&bench.lock);
    assert_true(call->ended);
    return &call->result;
}

static inline const gw_result_t *perform(const char *text)
{
    return finish(begin(text));
}

static inline void behave(const char *json)
{
    sim_do(&sim, "behaviour", json);
}

#endif
