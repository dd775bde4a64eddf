/*
 * command.c - what other threads want of the realtime thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "realtime/internal.h"

#define LOSSY_MAX 1024

void rt_wake(realtime_t *rt)
{
    static const uint64_t one = 1;

    if (!atomic_exchange(&rt->woken, true)) {
        ssize_t n;

        do {
            n = write(rt->wake, &one, sizeof(one));
        } while (n < 0 && errno == EINTR);
    }
}

bool rt_command_put(realtime_t *rt, rt_command_t *cmd, bool lossy)
{
    bool ok;

    cmd->next = NULL;
    pthread_mutex_lock(&rt->lock);
    ok = !rt->ended && (!lossy || rt->nlossy < LOSSY_MAX);
    if (ok) {
        *rt->last = cmd;
        rt->last = &cmd->next;
        rt->nlossy += lossy;
        atomic_store(&rt->waiting, true);
    }
    pthread_mutex_unlock(&rt->lock);
    if (ok) {
        rt_wake(rt);
    }
    return ok;
}

static rt_command_t *take_all(realtime_t *rt, bool end)
{
    rt_command_t *all;

    pthread_mutex_lock(&rt->lock);
    all = rt->first;
    rt->first = NULL;
    rt->last = &rt->first;
    rt->nlossy = 0;
    rt->ended = rt->ended || end;
    atomic_store(&rt->waiting, false);
    pthread_mutex_unlock(&rt->lock);
    return all;
}

static void run_all(realtime_t *rt, rt_command_t *all, bool live)
{
    while (all != NULL) {
        rt_command_t *cmd = all;

        all = cmd->next;
        cmd->run(rt, cmd, live);
    }
}

void rt_commands_run(realtime_t *rt)
{
    if (atomic_load(&rt->waiting)) {
        run_all(rt, take_all(rt, false), true);
    }
}

void rt_commands_end(realtime_t *rt)
{
    run_all(rt, take_all(rt, true), false);
}

/* ---- calls that wait ---- */

typedef struct {
    rt_command_t command; /* first */
    rt_call_fn fn;
    void *arg;
    int rc;
    bool done;
} call_t;

static void run_call(realtime_t *rt, rt_command_t *cmd, bool live)
{
    call_t *call = (call_t *)cmd;
    int rc = live ? call->fn(rt, call->arg) : WERR_STOPPING;

    pthread_mutex_lock(&rt->lock);
    call->rc = rc;
    call->done = true;
    pthread_cond_broadcast(&rt->done);
    pthread_mutex_unlock(&rt->lock);
}

int rt_call(realtime_t *rt, rt_call_fn fn, void *arg)
{
    call_t call = {.command.run = run_call, .fn = fn, .arg = arg};

    if (!rt_command_put(rt, &call.command, false)) {
        return WERR_STOPPING;
    }
    pthread_mutex_lock(&rt->lock);
    while (!call.done) {
        pthread_cond_wait(&rt->done, &rt->lock);
    }
    pthread_mutex_unlock(&rt->lock);
    return call.rc;
}
