/*
 * realtime.c - the thread: its start, its turns, its end.
 */
#include "realtime/realtime.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "realtime/internal.h"

#define EVENTS    256
#define TICK_MS   1000
#define DRAIN_MS  10   /* between two lots of them */
#define DRAIN_ALL 20   /* so few at once */
#define OTHER_FDS 1280 /* that are not clients' */

/* ---- a turn ---- */

static void clear_wake(realtime_t *rt)
{
    uint64_t n;

    /* before what it is about is looked at: what comes later wakes again */
    while (read(rt->wake, &n, sizeof(n)) < 0 && errno == EINTR) {
    }
    atomic_store(&rt->woken, false);
}

static void serve(const struct epoll_event *e)
{
    rt_client_t *c = e->data.ptr;

    if (c == NULL) {
        return; /* the wake: cleared already */
    }
    if ((e->events & EPOLLOUT) != 0) {
        rt_client_flush(c);
    }
    if ((e->events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        rt_client_readable(c);
    }
}

static void tick(realtime_t *rt, int64_t now)
{
    int64_t now_s = clock_now_ms() / 1000;

    rt->ticked_ms = now;
    for (size_t i = 0; i < rt->nslots; i++) {
        if (rt->slots[i] != NULL) {
            rt_client_tick(rt->slots[i], now);
            rt_grant_tick(rt->slots[i], now_s);
        }
    }
}

/* Closes those whose time has come; all of them come back at once. */
static void drain_some(realtime_t *rt, int64_t now)
{
    size_t due = SIZE_MAX;
    int64_t gone = now - rt->drain_from_ms;

    if (rt->ndrain > DRAIN_ALL && gone < rt->drain_ms) {
        due =
            (size_t)((double)rt->ndrain * (double)gone / (double)rt->drain_ms);
    }
    for (; rt->ndrained < due && rt->drain_at < rt->nslots; rt->drain_at++) {
        rt_client_t *c = rt->slots[rt->drain_at];

        if (c != NULL) {
            rt->ndrained++;
            c->drained = true;
            rt_client_close(c, REALTIME_AGAIN, "Restarting: connect again.");
        }
    }
}

static int timeout_of(const realtime_t *rt, bool more, int64_t now)
{
    int64_t at = rt->ticked_ms + TICK_MS;

    if (more) {
        return 0;
    }
    if (rt->retry_ms > now && rt->retry_ms < at) {
        at = rt->retry_ms;
    }
    if (rt->drain_from_ms != 0) {
        return DRAIN_MS;
    }
    if (rt->nclients == 0 && rt->retry_ms <= now) {
        return -1;
    }
    return at > now ? (int)(at - now) : 0;
}

static void count_fanout(realtime_t *rt, int64_t from_us, int64_t before)
{
    if (rt->seq != before && from_us > 0 && rt->nclients > 0) {
        rt_count(&rt->counters.fanouts, 1);
        rt_count(&rt->counters.fanout_us, clock_mono_us() - from_us);
    }
}

/* Waits, does what is due, sends. true: there is more to tell. */
static bool turn(realtime_t *rt, bool more)
{
    struct epoll_event events[EVENTS];
    int64_t before = rt->seq, from_us, now;
    int n = epoll_wait(rt->epoll, events, EVENTS,
                       timeout_of(rt, more, clock_mono_ms()));

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == NULL) {
            clear_wake(rt);
        }
    }
    rt_commands_run(rt);
    for (int i = 0; i < n; i++) {
        serve(&events[i]);
    }
    if (atomic_exchange(&rt->revoked, false)) {
        rt_grants_check(rt);
    }
    from_us = atomic_load(&rt->told_us);
    more = rt_feed_run(rt);
    now = clock_mono_ms();
    if (now >= rt->ticked_ms + TICK_MS) {
        tick(rt, now);
    }
    if (rt->drain_from_ms != 0) {
        drain_some(rt, now);
    }
    rt_clients_settle(rt);
    if (!more) {
        count_fanout(rt, from_us, before);
    }
    return more;
}

static void *run(void *arg)
{
    realtime_t *rt = arg;
    bool more = false;

    while (!atomic_load(&rt->stopping)) {
        more = turn(rt, more);
    }
    rt_commands_end(rt);
    for (size_t i = 0; i < rt->nslots; i++) {
        if (rt->slots[i] != NULL) {
            rt_client_kill(rt->slots[i]);
        }
    }
    rt_clients_settle(rt);
    return NULL;
}

/* ---- start ---- */

static void on_events(void *arg, int64_t seq)
{
    realtime_t *rt = arg;
    int64_t seen = atomic_load(&rt->told_seq);

    while (seen < seq &&
           !atomic_compare_exchange_weak(&rt->told_seq, &seen, seq)) {
    }
    atomic_store(&rt->told_us, clock_mono_us());
    rt_wake(rt);
}

typedef struct {
    rt_command_t command; /* first */
    int64_t session;
    bool typing;
    char phone[64];
} typing_t;

static void run_typing(realtime_t *rt, rt_command_t *cmd, bool live)
{
    typing_t *t = (typing_t *)cmd;

    if (live) {
        rt_feed_typing(rt, t->session, t->phone, t->typing);
    }
    free(t);
}

/* Dropped where there is no room: it is old in a moment. */
static void on_typing(void *arg, int64_t session, const char *phone,
                      bool typing)
{
    typing_t *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return;
    }
    t->command.run = run_typing;
    t->session = session;
    t->typing = typing;
    snprintf(t->phone, sizeof(t->phone), "%s", phone);
    if (!rt_command_put(arg, &t->command, true)) {
        free(t);
    }
}

/* As many as there are descriptors for; the usual 1024 are not enough. */
static void raise_limit(realtime_t *rt)
{
    rlim_t want = (rlim_t)rt->options.max_connections + OTHER_FDS;
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= want) {
        return;
    }
    r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
    (void)setrlimit(RLIMIT_NOFILE, &r);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < want) {
        rt->options.max_connections = r.rlim_cur > 2 * OTHER_FDS
                                          ? (int)(r.rlim_cur - OTHER_FDS)
                                          : OTHER_FDS;
        log_warn("realtime",
                 "msg=\"fewer connections, for want of descriptors: raise "
                 "LimitNOFILE\" max_connections=%d",
                 rt->options.max_connections);
    }
}

static int open_parts(realtime_t *rt)
{
    struct epoll_event e = {.events = EPOLLIN}; /* data.ptr NULL: the wake */
    static const char ping[] = "{\"event\":\"pusher:ping\",\"data\":\"{}\"}";
    static const char pong[] = "{\"event\":\"pusher:pong\"}";

    rt->epoll = epoll_create1(EPOLL_CLOEXEC);
    rt->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rt->ping = rt_frame_text(ping, sizeof(ping) - 1);
    rt->pong = rt_frame_text(pong, sizeof(pong) - 1);
    if (rt->epoll < 0 || rt->wake < 0 ||
        getrandom(&rt->hash_seed, sizeof(rt->hash_seed), 0) !=
            (ssize_t)sizeof(rt->hash_seed) ||
        epoll_ctl(rt->epoll, EPOLL_CTL_ADD, rt->wake, &e) != 0) {
        return WERR_SYSTEM;
    }
    return rt->ping == NULL || rt->pong == NULL
               ? WERR_NOMEM
               : store_reader(rt->domain->store, &rt->db);
}

static int start_thread(realtime_t *rt)
{
    sigset_t all, before;
    int rc;

    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&rt->thread, NULL, run, rt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    rt->running = rc == 0;
    return rc == 0 ? WERR_OK : WERR_SYSTEM;
}

int realtime_start(realtime_t **out, domain_t *d, const realtime_options_t *o)
{
    realtime_t *rt = calloc(1, sizeof(*rt));
    int rc;

    *out = rt;
    if (rt == NULL || !lock_init(&rt->lock, &rt->done, NULL)) {
        free(rt);
        *out = NULL;
        return WERR_NOMEM;
    }
    rt->options = *o;
    rt->domain = d;
    rt->epoll = rt->wake = -1;
    rt->last = &rt->first;
    buf_init(&rt->scratch, 0);
    rt->seq = atomic_load(&d->last_seq);
    atomic_store(&rt->told_seq, rt->seq);
    atomic_store(&rt->counters.seq, rt->seq);
    raise_limit(rt);
    rc = open_parts(rt);
    if (rc == WERR_OK) {
        rc = start_thread(rt);
    }
    if (rc != WERR_OK) {
        realtime_stop(out);
        return rc;
    }
    d->events_arg = rt;
    d->events_ready = on_events;
    d->typing_arg = rt;
    d->typing_ready = on_typing;
    if (o->public_inbox) {
        log_warn("realtime",
                 "msg=\"public_inbox is on: whoever has the key reads donors' "
                 "messages without signing in\"");
    }
    return WERR_OK;
}

/* ---- stop ---- */

static int begin_drain(realtime_t *rt, void *arg)
{
    const int64_t *spread_ms = arg;

    rt->drain_from_ms = clock_mono_ms();
    rt->drain_ms = *spread_ms;
    rt->ndrain = rt->nclients;
    return WERR_OK;
}

void realtime_drain(realtime_t *rt, int64_t spread_ms)
{
    const struct timespec pause = {0, DRAIN_MS * 1000000};
    int64_t until = clock_mono_ms() + spread_ms + TICK_MS;

    atomic_store(&rt->closed, true);
    if (rt_call(rt, begin_drain, &spread_ms) != WERR_OK) {
        return;
    }
    while (atomic_load(&rt->counters.connections) > 0 &&
           clock_mono_ms() < until) {
        nanosleep(&pause, NULL);
    }
}

void realtime_stop(realtime_t **realtime)
{
    realtime_t *rt = *realtime;

    *realtime = NULL;
    if (rt == NULL) {
        return;
    }
    if (rt->domain->events_arg == rt) {
        rt->domain->events_ready = NULL;
        rt->domain->typing_ready = NULL;
    }
    if (rt->running) {
        atomic_store(&rt->stopping, true);
        rt_wake(rt);
        pthread_join(rt->thread, NULL);
    }
    rt_frame_unref(rt->ping);
    rt_frame_unref(rt->pong);
    store_reader_close(&rt->db);
    if (rt->epoll >= 0) {
        (void)close(rt->epoll);
    }
    if (rt->wake >= 0) {
        (void)close(rt->wake);
    }
    buf_free(&rt->scratch);
    free(rt->slots);
    free(rt->free_slots);
    pthread_mutex_destroy(&rt->lock);
    pthread_cond_destroy(&rt->done);
    free(rt);
}
