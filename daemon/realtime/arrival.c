/*
 * arrival.c - a socket's first and last moment: its place, its name, the
 * greeting or why there is none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "realtime/internal.h"

#define SOCKET_BITS 50
#define SLOTS_FIRST 64
#define OVER_MAX    512 /* beyond max_connections, that are told why not */

rt_client_t *rt_client_find(const realtime_t *rt, const char *id)
{
    const char *dot = strchr(id, '.');
    size_t len = strlen(id);
    unsigned long slot;

    if (dot == NULL || len >= REALTIME_SOCKET_MAX ||
        strspn(dot + 1, "0123456789") != strlen(dot + 1)) {
        return NULL;
    }
    slot = strtoul(dot + 1, NULL, 10);
    if (slot == 0 || slot > rt->nslots || rt->slots[slot - 1] == NULL ||
        strcmp(rt->slots[slot - 1]->id, id) != 0) {
        return NULL;
    }
    return rt->slots[slot - 1];
}

/* Nobody can guess it; its second half is where to find the client. */
static bool name_socket(rt_client_t *c)
{
    uint64_t random;

    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        return false;
    }
    snprintf(c->id, sizeof(c->id), "%" PRIu64 ".%" PRIu32,
             random >> (64 - SOCKET_BITS), c->slot + 1);
    return true;
}

static bool take_slot(realtime_t *rt, rt_client_t *c)
{
    if (rt->nfree == 0) {
        size_t more = rt->nslots > 0 ? rt->nslots : SLOTS_FIRST;
        size_t cap = rt->nslots + more;
        rt_client_t **slots = realloc(rt->slots, cap * sizeof(*rt->slots));
        uint32_t *unused = NULL;

        if (slots != NULL) {
            rt->slots = slots;
            unused = realloc(rt->free_slots, cap * sizeof(*rt->free_slots));
        }
        if (unused == NULL) {
            return false;
        }
        rt->free_slots = unused;
        for (size_t i = cap; i-- > rt->nslots;) {
            rt->slots[i] = NULL;
            rt->free_slots[rt->nfree++] = (uint32_t)i;
        }
        rt->nslots = cap;
    }
    c->slot = rt->free_slots[--rt->nfree];
    rt->slots[c->slot] = c;
    rt->nclients++;
    rt_count(&rt->counters.connections, 1);
    return true;
}

void rt_client_free(rt_client_t *c)
{
    realtime_t *rt = c->rt;

    rt_queue_free(&c->queue);
    wslay_event_context_free(c->ws);
    free(c->early);
    /* the HTTP server's copy may live on, and with it what epoll watches */
    (void)epoll_ctl(rt->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    (void)close(c->fd);
    rt->slots[c->slot] = NULL;
    rt->free_slots[rt->nfree++] = c->slot;
    rt->nclients--;
    /* who leaves by itself during a drain leaves its time to the others */
    rt->ndrained += rt->drain_from_ms != 0 && !c->drained;
    rt_count(&rt->counters.connections, -1);
    free(c);
}

static rt_client_t *make(realtime_t *rt, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};
    rt_client_t *c = calloc(1, sizeof(*c));

    if (c == NULL ||
        wslay_event_context_server_init(&c->ws, &rt_client_callbacks, c) != 0) {
        free(c);
        return NULL;
    }
    c->rt = rt;
    c->fd = fd;
    e.data.ptr = c;
    wslay_event_config_set_max_recv_msg_length(
        c->ws, (uint64_t)rt->options.max_message);
    if (!take_slot(rt, c)) {
        wslay_event_context_free(c->ws);
        free(c);
        return NULL;
    }
    if (!name_socket(c) || epoll_ctl(rt->epoll, EPOLL_CTL_ADD, fd, &e) != 0) {
        c->fd = -1;
        rt_client_free(c);
        return NULL;
    }
    return c;
}

static const char *refusal(int code)
{
    switch (code) {
    case REALTIME_NO_APP:
        return "There is no application of this key.";
    case REALTIME_VERSION_MISSING:
        return "The protocol version is missing.";
    case REALTIME_VERSION_UNKNOWN:
        return "Protocol version 7 is spoken here.";
    default:
        return "Over capacity.";
    }
}

static void greet(rt_client_t *c)
{
    char data[96];
    int n = snprintf(data, sizeof(data),
                     "{\"socket_id\":\"%s\",\"activity_timeout\":%d}", c->id,
                     c->rt->options.activity_timeout_s);

    rt_say(c, rt_message_event(c->rt, "pusher:connection_established", NULL,
                               data, (size_t)n, NULL));
}

void rt_client_new(realtime_t *rt, int fd, char *early, size_t len, int refuse)
{
    size_t max = (size_t)rt->options.max_connections;
    bool full = rt->nclients >= max;
    bool crowd = rt->nclients >= max + OVER_MAX;
    rt_client_t *c = crowd ? NULL : make(rt, fd);

    if (c == NULL) {
        if (crowd) {
            rt_count(&rt->counters.connects, 1);
            rt_count(&rt->counters.refused, 1);
        } else {
            rt_count(&rt->counters.faults, 1);
            log_error("realtime", "msg=\"no memory for a client\"");
        }
        free(early);
        (void)close(fd);
        return;
    }
    c->early = early;
    c->early_len = len;
    c->heard = clock_mono_ms();
    rt_count(&rt->counters.connects, 1);
    if (refuse != 0 || full) {
        rt_count(&rt->counters.refused, 1);
        refuse = refuse != 0 ? refuse : REALTIME_OVER;
        rt_client_close(c, refuse, refusal(refuse));
        return;
    }
    greet(c);
    if (len > 0) {
        rt_client_readable(c);
    }
}
