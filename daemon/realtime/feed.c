/*
 * feed.c - what happened, from the database's events to the channels.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/event_feed.h"
#include "realtime/internal.h"

#define ROWS      50 /* between two looks at the sockets */
#define RETRY_MS  250
#define EVENT_MAX (REALTIME_NAME_MAX + 64)

/* Its own request caused it. The header alone proves nothing: the socket has
 * to be of the user whose request it was. */
static bool is_cause(const rt_client_t *c, const feed_event_t *e)
{
    return e->socket != NULL && strcmp(e->socket, c->id) == 0 &&
           (c->grant == NULL || c->grant->viewer->user == e->socket_user);
}

/* One frame for all of a channel who may see it. */
typedef struct {
    rt_channel_t *channel; /* NULL: nobody listens */
    rt_frame_t *frame;
} telling_t;

/* false: no memory. */
static bool prepare(realtime_t *rt, const char *channel, const char *event,
                    const feed_event_t *e, telling_t *out)
{
    rt_channel_t *ch = rt_channel_find(rt, channel);

    *out = (telling_t){0};
    if (ch == NULL || ch->nsubs == 0) {
        return true;
    }
    out->frame =
        rt_message_event(rt, event, channel, e->data, e->data_len, NULL);
    out->channel = out->frame != NULL ? ch : NULL;
    return out->frame != NULL;
}

/* Releases it, too. */
static void tell(telling_t *t, const feed_event_t *e)
{
    rt_channel_t *ch = t->channel;
    rt_frame_t *f = t->frame;

    for (size_t i = 0; ch != NULL && i < ch->nsubs; i++) {
        rt_client_t *c = ch->subs[i]->client;

        if ((ch->scope != RT_INBOX ||
             (c->grant != NULL && feed_seen_by(e, c->grant->viewer->sees))) &&
            !is_cause(c, e)) {
            rt_client_send(c, f);
        }
    }
    if (f != NULL) {
        rt_frame_unref(f);
    }
}

/* To all who listen, or, for want of memory, to nobody: false. */
static bool tell_inbox(realtime_t *rt, const feed_event_t *e)
{
    telling_t private = {0}, public = {0};
    char event[EVENT_MAX];
    bool ok;

    snprintf(event, sizeof(event), "%s%s", rt->options.event_prefix, e->name);
    ok = prepare(rt, "private-inbox", event, e, &private) &&
         (!rt->options.public_inbox || prepare(rt, "inbox", event, e, &public));
    if (!ok) {
        rt_count(&rt->counters.faults, 1);
        private.channel = public.channel = NULL;
    }
    tell(&private, e);
    tell(&public, e);
    return ok;
}

typedef struct {
    realtime_t *rt;
    bool access;
    int64_t told;   /* commits up to here are counted, store_version() */
    int64_t untold; /* the first that has to wait; 0: none */
    bool failed;    /* there was no memory to tell of it */
} reading_t;

static bool on_event(void *arg, const feed_event_t *e)
{
    reading_t *r = arg;

    if (e->seq > r->told) {
        /* who hears of it may look at once, and must not find what was kept
         * before it */
        r->untold = e->seq;
        return false;
    }
    rt_count(&r->rt->counters.events, 1);
    if (e->kind == EVENT_PROBE) {
        telling_t t;

        /* who waits for it asks again */
        (void)prepare(r->rt, PROBE_CHANNEL, e->name, e, &t);
        tell(&t, e);
        atomic_store(&r->rt->counters.probe_us, clock_now_us());
        return true;
    }
    if (!tell_inbox(r->rt, e)) {
        r->untold = e->seq;
        r->failed = true;
        return false;
    }
    r->access = e->kind == EVENT_ACCESS;
    return !r->access;
}

/* Nobody is there to hear it. */
static bool skip_all(realtime_t *rt)
{
    if (rt->nclients > 0) {
        return false;
    }
    rt->seq = atomic_load(&rt->told_seq);
    atomic_store(&rt->counters.seq, rt->seq);
    return true;
}

bool rt_feed_run(realtime_t *rt)
{
    reading_t r = {.rt = rt, .told = atomic_load(&rt->told_seq)};
    int64_t next = rt->seq;
    int n;

    if (rt->seq >= atomic_load(&rt->told_seq) ||
        clock_mono_ms() < rt->retry_ms || skip_all(rt)) {
        return false;
    }
    n = feed_read(rt->db, rt->domain, rt->seq, ROWS, NULL, on_event, &r, &next);
    if (r.untold != 0) {
        next = r.untold - 1;
    }
    if (r.failed) {
        n = WERR_NOMEM;
    }
    /* also where it fails: those before were told, and not twice */
    rt->seq = next;
    atomic_store(&rt->counters.seq, next);
    if (n < 0) {
        rt_count(&rt->counters.faults, 1);
        log_error("realtime", "msg=\"events not read\" error=%s",
                  log_str(werr_text(n)));
        rt->retry_ms = clock_mono_ms() + RETRY_MS;
        return false;
    }
    if (r.access) {
        rt_viewers_reload(rt);
    }
    return n > 0 && rt->seq < atomic_load(&rt->told_seq);
}

void rt_feed_typing(realtime_t *rt, int64_t session, const char *phone,
                    bool typing)
{
    feed_event_t e = {.name = "DonaturTyping",
                      .session = session,
                      .sessions = &session,
                      .nsessions = 1};
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_str(&b, "phone", phone);
    jw_bool(&b, "isTyping", typing);
    jw_close_object(&b);
    if (!b.failed) {
        e.data = b.data;
        e.data_len = b.len;
        (void)tell_inbox(rt, &e); /* it is old in a moment */
    }
    buf_free(&b);
}

void rt_publish(realtime_t *rt, const realtime_event_t *e)
{
    const rt_client_t *except =
        e->except != NULL ? rt_client_find(rt, e->except) : NULL;

    for (size_t i = 0; i < e->nchannels; i++) {
        rt_channel_t *ch = rt_channel_find(rt, e->channels[i]);
        rt_frame_t *f;

        if (ch == NULL) {
            continue;
        }
        f = rt_message_event(rt, e->name, ch->name, e->data, e->data_len, NULL);
        if (f != NULL) {
            rt_channel_send(ch, f, except);
            rt_frame_unref(f);
        } else {
            rt_count(&rt->counters.faults, 1);
        }
    }
}
