/*
 * service.c - realtime for the HTTP server: each call becomes a command of
 * the realtime thread.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "realtime/internal.h"
#include "realtime/sign.h"

bool realtime_good_key(const char *key)
{
    size_t n = strlen(key);

    return n > 0 && n <= 64 &&
           strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789_-") == n;
}

const realtime_options_t *realtime_options(const realtime_t *rt)
{
    return &rt->options;
}

const realtime_counters_t *realtime_counters(const realtime_t *rt)
{
    return &rt->counters;
}

bool realtime_open(const realtime_t *rt)
{
    return !atomic_load(&rt->closed);
}

void realtime_revoked(realtime_t *rt)
{
    atomic_store(&rt->revoked, true);
    rt_wake(rt);
}

/* ---- a socket ---- */

typedef struct {
    rt_command_t command; /* first */
    int fd, refuse;
    char *early;
    size_t len;
} arrival_t;

static void run_arrival(realtime_t *rt, rt_command_t *cmd, bool live)
{
    arrival_t *a = (arrival_t *)cmd;

    if (live && realtime_open(rt)) {
        rt_client_new(rt, a->fd, a->early, a->len, a->refuse);
    } else {
        free(a->early);
        (void)close(a->fd);
    }
    free(a);
}

void realtime_take(realtime_t *rt, int fd, const char *early, size_t len,
                   int refuse)
{
    arrival_t *a = calloc(1, sizeof(*a));
    char *copy = len > 0 ? malloc(len) : NULL;

    if (a != NULL && (len == 0 || copy != NULL)) {
        if (len > 0) {
            memcpy(copy, early, len);
        }
        *a = (arrival_t){.command.run = run_arrival,
                         .fd = fd,
                         .refuse = refuse,
                         .early = copy,
                         .len = len};
        if (rt_command_put(rt, &a->command, false)) {
            return;
        }
    }
    free(copy);
    free(a);
    (void)close(fd);
}

/* ---- authorisation ---- */

typedef struct {
    const char *socket, *jti;
    int64_t user, exp;
} authorise_t;

static int authorise(realtime_t *rt, void *arg)
{
    const authorise_t *a = arg;
    rt_client_t *c = rt_client_find(rt, a->socket);

    return c == NULL || c->state != RT_OPEN
               ? WERR_OK
               : rt_grant(rt, c, a->user, a->jti, a->exp);
}

int realtime_authorise(realtime_t *rt, const char *socket, int64_t user,
                       const char *jti, int64_t exp)
{
    authorise_t a = {socket, jti, user, exp};

    return rt_call(rt, authorise, &a);
}

int realtime_sign(const realtime_t *rt, const char *socket, const char *channel,
                  const char *data, buf_t *out)
{
    char hex[SIGN_HEX];

    if (!sign_channel(rt->options.secret, socket, channel, data, hex)) {
        return WERR_NOMEM;
    }
    buf_addf(out, "%s:%s", rt->options.key, hex);
    return out->failed ? WERR_NOMEM : WERR_OK;
}

/* ---- backends ---- */

typedef struct {
    const realtime_event_t *events;
    size_t n;
} publish_t;

static int publish(realtime_t *rt, void *arg)
{
    const publish_t *p = arg;

    for (size_t i = 0; i < p->n; i++) {
        rt_publish(rt, &p->events[i]);
    }
    return WERR_OK;
}

int realtime_publish(realtime_t *rt, const realtime_event_t *events, size_t n)
{
    publish_t p = {events, n};

    return rt_call(rt, publish, &p);
}

typedef struct {
    const char *name; /* or prefix; NULL: any */
    bool users, subscriptions;
    buf_t *out;
} question_t;

static void write_counts(const question_t *q, const rt_channel_t *ch,
                         const char *name)
{
    if (q->users && rt_channel_kind(name) == RT_PRESENCE) {
        jw_i64(q->out, "user_count", ch != NULL ? (int64_t)ch->nmembers : 0);
    }
    if (q->subscriptions) {
        jw_i64(q->out, "subscription_count",
               ch != NULL ? (int64_t)ch->nsubs : 0);
    }
}

static int list(realtime_t *rt, void *arg)
{
    const question_t *q = arg;

    jw_open_object(q->out, NULL);
    jw_open_object(q->out, "channels");
    for (size_t i = 0; i < RT_BUCKETS; i++) {
        for (rt_channel_t *ch = rt->buckets[i]; ch != NULL; ch = ch->next) {
            if (q->name == NULL ||
                strncmp(ch->name, q->name, strlen(q->name)) == 0) {
                jw_open_object(q->out, ch->name);
                write_counts(q, ch, ch->name);
                jw_close_object(q->out);
            }
        }
    }
    jw_close_object(q->out);
    jw_close_object(q->out);
    return q->out->failed ? WERR_NOMEM : WERR_OK;
}

int realtime_list(realtime_t *rt, const char *prefix, bool users,
                  bool subscriptions, buf_t *out)
{
    question_t q = {prefix, users, subscriptions, out};

    return rt_call(rt, list, &q);
}

static int show(realtime_t *rt, void *arg)
{
    const question_t *q = arg;
    const rt_channel_t *ch = rt_channel_find(rt, q->name);

    jw_open_object(q->out, NULL);
    jw_bool(q->out, "occupied", ch != NULL && ch->nsubs > 0);
    write_counts(q, ch, q->name);
    jw_close_object(q->out);
    return q->out->failed ? WERR_NOMEM : WERR_OK;
}

int realtime_show(realtime_t *rt, const char *channel, bool users,
                  bool subscriptions, buf_t *out)
{
    question_t q = {channel, users, subscriptions, out};

    return rt_call(rt, show, &q);
}

static int users(realtime_t *rt, void *arg)
{
    const question_t *q = arg;
    const rt_channel_t *ch = rt_channel_find(rt, q->name);
    const rt_member_t *m = ch != NULL ? ch->members : NULL;

    jw_open_object(q->out, NULL);
    jw_open_array(q->out, "users");
    for (; m != NULL; m = m->next) {
        jw_open_object(q->out, NULL);
        jw_str(q->out, "id", m->id);
        jw_close_object(q->out);
    }
    jw_close_array(q->out);
    jw_close_object(q->out);
    return q->out->failed ? WERR_NOMEM : WERR_OK;
}

int realtime_users(realtime_t *rt, const char *channel, buf_t *out)
{
    question_t q = {.name = channel, .out = out};

    return rt_call(rt, users, &q);
}

static int terminate(realtime_t *rt, void *arg)
{
    const int64_t *user = arg;

    for (size_t i = 0; i < rt->nslots; i++) {
        rt_client_t *c = rt->slots[i];

        if (c != NULL && c->grant != NULL && c->grant->viewer->user == *user) {
            rt_client_close(c, REALTIME_DENIED, "Closed by the application.");
        }
    }
    return WERR_OK;
}

int realtime_terminate(realtime_t *rt, int64_t user)
{
    return rt_call(rt, terminate, &user);
}
