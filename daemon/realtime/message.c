/*
 * message.c - what the server says, as JSON in one text frame.
 */
#include <string.h>

#include "realtime/internal.h"

static void begin(buf_t *b, const char *event, const char *channel)
{
    buf_reset(b);
    jw_open_object(b, NULL);
    jw_str(b, "event", event);
    if (channel != NULL) {
        jw_str(b, "channel", channel);
    }
}

static rt_frame_t *end(buf_t *b, const char *user)
{
    if (user != NULL) {
        jw_str(b, "user_id", user);
    }
    jw_close_object(b);
    return b->failed ? NULL : rt_frame_text(b->data, b->len);
}

rt_frame_t *rt_message_event(realtime_t *rt, const char *event,
                             const char *channel, const char *data, size_t len,
                             const char *user)
{
    begin(&rt->scratch, event, channel);
    jw_strn(&rt->scratch, "data", data, len);
    return end(&rt->scratch, user);
}

rt_frame_t *rt_message_raw(realtime_t *rt, const char *event,
                           const char *channel, const char *data, size_t len,
                           const char *user)
{
    begin(&rt->scratch, event, channel);
    jw_raw(&rt->scratch, "data", data, len);
    return end(&rt->scratch, user);
}

rt_frame_t *rt_message_error(realtime_t *rt, int code, const char *text)
{
    rt_frame_t *f = NULL;
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    jw_i64(&b, "code", code);
    jw_str(&b, "message", text);
    jw_close_object(&b);
    if (!b.failed) {
        f = rt_message_event(rt, "pusher:error", NULL, b.data, b.len, NULL);
    }
    buf_free(&b);
    return f;
}

void rt_say(rt_client_t *c, rt_frame_t *f)
{
    if (f == NULL) {
        rt_client_kill(c); /* out of memory */
        return;
    }
    rt_client_send(c, f);
    rt_frame_unref(f);
}

void rt_say_error(rt_client_t *c, int code, const char *text)
{
    rt_say(c, rt_message_error(c->rt, code, text));
}

/* As soketi and Pusher tell it: pusher-js hands it to the channel. */
void rt_say_refused(rt_client_t *c, const char *channel, const char *type,
                    const char *text, int status)
{
    buf_t *b = &c->rt->scratch;

    rt_count(&c->rt->counters.denied, 1);
    begin(b, "pusher:subscription_error", channel);
    jw_open_object(b, "data");
    jw_str(b, "type", type);
    jw_str(b, "error", text);
    jw_i64(b, "status", status);
    jw_close_object(b);
    rt_say(c, end(b, NULL));
}
