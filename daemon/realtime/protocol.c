/*
 * protocol.c - what clients say: ping, subscribe, unsubscribe, client events.
 */
#include <errno.h>
#include <string.h>

#include "base/jsonr.h"
#include "domain/chat.h"
#include "realtime/internal.h"
#include "realtime/sign.h"

#define BAD_MESSAGE  4200 /* as Reverb tells it; the socket stays */
#define LIMIT_STATUS 4100
#define EVENTS_BURST 2.0 /* seconds of client events at once */

static const char client_prefix[] = "client-";

/* A client does not ask again for what was refused: where memory was short it
 * has to come back. */
static void short_of_memory(rt_client_t *c)
{
    rt_count(&c->rt->counters.faults, 1);
    rt_client_close(c, REALTIME_OVER, "Please connect again.");
}

static void watch_memory(const rt_client_t *c)
{
    errno = 0;
    (void)db_lost(c->rt->db);
}

static bool memory_was_short(const rt_client_t *c)
{
    bool lost = db_lost(c->rt->db);

    return lost || errno == ENOMEM;
}

/* ---- subscribe ---- */

typedef struct {
    const char *channel, *auth, *data; /* auth, data: may be NULL */
    int64_t chat;
    int64_t session; /* of the chat */
    rt_scope_t scope;
    rt_kind_t kind;
} wish_t;

/* Only what was authorised here, by a user who may see it. */
static bool may_see(rt_client_t *c, wish_t *w)
{
    if (w->scope == RT_FOREIGN) {
        return true;
    }
    /* what the HTTP server has told us of it by now */
    rt_commands_run(c->rt);
    if (c->state != RT_OPEN || c->grant == NULL) {
        return false;
    }
    return w->scope != RT_CHAT ||
           (w->chat != 0 &&
            chat_session(c->rt->db, w->chat, &w->session) == WERR_OK &&
            rt_sees(c, w->session));
}

/* NULL: yes. */
static const char *refuse(rt_client_t *c, wish_t *w)
{
    const realtime_options_t *o = &c->rt->options;

    if (w->kind == RT_PUBLIC) {
        return strcmp(w->channel, "inbox") == 0 && !o->public_inbox
                   ? "The public inbox is switched off: private-inbox."
                   : NULL;
    }
    if (w->auth == NULL ||
        (w->kind == RT_PRESENCE &&
         (w->data == NULL || strlen(w->data) > REALTIME_MEMBER_MAX)) ||
        !sign_channel_ok(o->key, o->secret, w->auth, c->id, w->channel,
                         w->data) ||
        !may_see(c, w)) {
        return "The connection is unauthorized.";
    }
    return NULL;
}

static void succeeded(rt_client_t *c, const rt_channel_t *ch)
{
    static const char event[] = "pusher_internal:subscription_succeeded";
    buf_t b;

    if (ch->kind != RT_PRESENCE) {
        rt_say(c, rt_message_event(c->rt, event, ch->name, "{}", 2, NULL));
        return;
    }
    buf_init(&b, 0);
    rt_presence_write(ch, &b);
    rt_say(c, b.failed ? NULL
                       : rt_message_event(c->rt, event, ch->name, b.data, b.len,
                                          NULL));
    buf_free(&b);
}

static void limit(rt_client_t *c, const char *channel, const char *text)
{
    rt_say_refused(c, channel, "LimitReached", text, LIMIT_STATUS);
}

static void enter(rt_client_t *c, const wish_t *w)
{
    realtime_t *rt = c->rt;
    rt_channel_t *ch = rt_channel_make(rt, w->channel);
    rt_sub_t *sub;
    bool first = false;
    int rc = WERR_OK;

    if (ch == NULL && memory_was_short(c)) {
        short_of_memory(c);
        return;
    }
    if (ch == NULL) {
        limit(c, w->channel, "Too many channels.");
        return;
    }
    ch->session = w->session;
    sub = rt_sub_add(rt, c, ch);
    if (sub == NULL) {
        rt_channel_tidy(rt, ch);
        short_of_memory(c);
        return;
    }
    if (w->kind == RT_PRESENCE) {
        rc = rt_presence_join(rt, sub, w->data, &first);
    }
    if (rc == WERR_OK) {
        succeeded(c, ch);
        return;
    }
    rt_sub_drop(rt, sub);
    if (rc == WERR_INVALID) {
        rt_say_refused(c, w->channel, "AuthError",
                       "The channel_data has no user_id.", 401);
    } else if (rc == WERR_NOMEM) {
        short_of_memory(c);
    } else {
        limit(c, w->channel, "Too many members.");
    }
}

static void subscribe(rt_client_t *c, const json_t *data)
{
    wish_t w = {.channel = jsonr_str(data, "channel"),
                .auth = jsonr_str(data, "auth"),
                .data = jsonr_str(data, "channel_data")};
    const rt_sub_t *sub;
    const char *why;

    if (w.channel == NULL || !realtime_good_channel(w.channel)) {
        rt_say_error(c, BAD_MESSAGE, "Invalid channel name.");
        return;
    }
    w.kind = rt_channel_kind(w.channel);
    w.scope = rt_channel_scope(w.channel, &w.chat);
    if (w.kind != RT_PRESENCE) {
        w.data = NULL;
    }
    watch_memory(c);
    sub = rt_sub_find(c, w.channel);
    if (sub != NULL) {
        succeeded(c, sub->channel);
    } else if (c->nsubs >= (size_t)c->rt->options.max_channels) {
        limit(c, w.channel, "Too many channels on one connection.");
    } else if ((why = refuse(c, &w)) != NULL && memory_was_short(c)) {
        short_of_memory(c);
    } else if (why != NULL) {
        rt_say_refused(c, w.channel, "AuthError", why, 401);
    } else {
        enter(c, &w);
    }
}

static void unsubscribe(rt_client_t *c, const json_t *data)
{
    const char *channel = jsonr_str(data, "channel");
    rt_sub_t *sub = channel != NULL ? rt_sub_find(c, channel) : NULL;

    if (sub != NULL) {
        rt_sub_drop(c->rt, sub);
    }
}

/* ---- client events ---- */

static void pass_on(rt_client_t *c, const rt_sub_t *sub, const char *event,
                    const json_t *data)
{
    char *text = data != NULL ? json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY)
                              : strdup("null");
    rt_frame_t *f = NULL;

    if (text != NULL) {
        f = rt_message_raw(c->rt, event, sub->channel->name, text, strlen(text),
                           sub->member != NULL ? sub->member->id : NULL);
    }
    if (f != NULL) {
        rt_channel_send(sub->channel, f, c);
        rt_frame_unref(f);
    } else {
        rt_client_kill(c); /* out of memory */
    }
    free(text);
}

static void client_event(rt_client_t *c, const json_t *message,
                         const char *event)
{
    const char *channel = jsonr_str(message, "channel");
    const rt_sub_t *sub = channel != NULL ? rt_sub_find(c, channel) : NULL;
    double per_s = c->rt->options.client_events;

    if (sub == NULL || sub->channel->kind == RT_PUBLIC) {
        rt_say_error(c, REALTIME_CLIENT_EVENT,
                     "Client events are for private and presence channels "
                     "that you have subscribed to.");
    } else if (strlen(event) > REALTIME_NAME_MAX) {
        rt_say_error(c, REALTIME_CLIENT_EVENT, "The event's name is too long.");
    } else if (!rt_rate_take(&c->events, EVENTS_BURST * per_s, per_s,
                             c->heard)) {
        rt_say_error(c, REALTIME_CLIENT_EVENT, "Too many client events.");
    } else {
        pass_on(c, sub, event, json_object_get(message, "data"));
    }
}

/* ---- messages ---- */

static void obey(rt_client_t *c, const json_t *message, const char *event)
{
    const json_t *data = json_object_get(message, "data");

    if (strcmp(event, "pusher:ping") == 0) {
        rt_client_send(c, c->rt->pong);
    } else if (strcmp(event, "pusher:pong") == 0) {
        return; /* it was heard */
    } else if (strcmp(event, "pusher:subscribe") == 0) {
        subscribe(c, data);
    } else if (strcmp(event, "pusher:unsubscribe") == 0) {
        unsubscribe(c, data);
    } else if (strncmp(event, client_prefix, strlen(client_prefix)) == 0) {
        client_event(c, message, event);
    } else {
        rt_say_error(c, BAD_MESSAGE, "Unknown event.");
    }
}

void rt_protocol_message(rt_client_t *c, const char *text, size_t len)
{
    char reason[64];
    json_t *message = jsonr_parse(text, len, reason, sizeof(reason));
    const char *event = jsonr_str(message, "event");

    if (message == NULL && errno == ENOMEM) {
        short_of_memory(c);
    } else if (!json_is_object(message) || event == NULL) {
        rt_say_error(c, BAD_MESSAGE, "Invalid message format.");
    } else {
        obey(c, message, event);
    }
    json_decref(message);
}
