/*
 * client.c - one socket: what comes goes through wslay, whole messages to
 * protocol.c; what leaves is frames in one queue, wslay's own among them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "realtime/internal.h"

#define TURN_BYTES  (64u << 10) /* of one client, before the others' turn */
#define GRACE_MS    10000       /* for the client's own ping */
#define PONG_MS     30000
#define MESSAGES    200.0 /* at once */
#define MESSAGES_S  20.0
#define ALL_QUEUES  (64u << 20) /* bytes of frames, each counted once */
#define QUEUE_FAIR  (16u << 10)
#define PIECES_MAX  64          /* of one message */
#define CONTROL_MAX (32u << 10) /* as many pongs as MESSAGES, and a close */
#define CODE_BYTES  2           /* of a close frame */

/* ---- queueing ---- */

static void leave(rt_client_t *c)
{
    if (!c->leaving) {
        c->leaving = true;
        c->next_leaving = c->rt->leaving;
        c->rt->leaving = c;
    }
}

static void soil(rt_client_t *c)
{
    if (!c->dirty && !c->blocked) {
        c->dirty = true;
        c->next_dirty = c->rt->dirty;
        c->rt->dirty = c;
    }
}

static void put(rt_client_t *c, rt_frame_t *f)
{
    if (f == NULL || !rt_queue_put(&c->queue, f)) {
        rt_count(&c->rt->counters.faults, 1);
        rt_client_kill(c);
        return;
    }
    rt_count(&c->rt->counters.messages_out, 1);
    rt_count(&c->rt->counters.bytes_out, (int64_t)f->len);
    soil(c);
}

void rt_client_kill(rt_client_t *c)
{
    if (c->state == RT_DEAD) {
        return;
    }
    c->state = RT_DEAD;
    leave(c);
    c->next_dead = c->rt->dead;
    c->rt->dead = c;
}

static void begin_close(rt_client_t *c)
{
    c->state = RT_CLOSING;
    c->until = clock_mono_ms() + RT_CLOSE_MS;
    leave(c);
}

void rt_client_close(rt_client_t *c, int code, const char *reason)
{
    rt_frame_t *f;

    if (c->state != RT_OPEN) {
        return;
    }
    if (code >= RT_CODES) {
        f = rt_message_error(c->rt, code, reason);
        if (f != NULL) {
            put(c, f);
            rt_frame_unref(f);
        }
    }
    f = rt_frame_close((unsigned)code, reason);
    if (c->state == RT_OPEN) {
        put(c, f);
    }
    rt_frame_unref(f);
    if (c->state == RT_OPEN) {
        begin_close(c);
    }
}

/* What it has missed by now it has to fetch anyway. */
static void too_slow(rt_client_t *c)
{
    rt_count(&c->rt->counters.slow, 1);
    log_info("realtime", "msg=\"a client is too slow\" waiting=%zu",
             c->queue.bytes);
    rt_queue_cut(&c->queue);
    rt_client_close(c, REALTIME_OVER,
                    "Too slow: connect again and fetch what was missed.");
}

/* ---- sending ---- */

static void watch(rt_client_t *c, bool writable)
{
    struct epoll_event e = {.events = EPOLLIN | (writable ? EPOLLOUT : 0),
                            .data.ptr = c};

    c->blocked = writable;
    if (epoll_ctl(c->rt->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0) {
        rt_client_kill(c);
    }
}

void rt_client_flush(rt_client_t *c)
{
    int rc;

    if (c->state == RT_DEAD || c->state == RT_SHUT) {
        return;
    }
    rc = rt_queue_send(&c->queue, c->fd);
    if (rc == WERR_IO) {
        rt_client_kill(c);
        return;
    }
    if ((rc == WERR_BUSY) != c->blocked) {
        watch(c, rc == WERR_BUSY);
    }
    if (rc == WERR_OK && c->state == RT_CLOSING) {
        (void)shutdown(c->fd, SHUT_WR);
        c->state = RT_SHUT;
    }
}

/* ---- what waits ---- */

/* Less for each where all together wait for too much; one frame, always. */
static bool has_room(const rt_client_t *c, size_t len)
{
    size_t max = (size_t)c->rt->options.max_queue;

    if (rt_frames_bytes() > ALL_QUEUES && max > QUEUE_FAIR) {
        max = QUEUE_FAIR;
    }
    return c->queue.n == 0 || rt_queue_cost(&c->queue) + len <= max;
}

void rt_client_send(rt_client_t *c, rt_frame_t *f)
{
    if (c->state == RT_OPEN && !c->blocked && !has_room(c, f->len)) {
        rt_client_flush(c); /* it may only have come all at once */
    }
    if (c->state != RT_OPEN) {
        return;
    }
    if (has_room(c, f->len)) {
        put(c, f);
    } else {
        too_slow(c);
    }
}

/* ---- wslay ---- */

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *out, size_t len,
                       int flags, void *arg)
{
    rt_client_t *c = arg;
    ssize_t n;

    (void)flags;
    if (c->state == RT_OPEN && c->early_at < c->early_len) {
        size_t left = c->early_len - c->early_at;

        n = (ssize_t)(left < len ? left : len);
        memcpy(out, c->early + c->early_at, (size_t)n);
        c->early_at += (size_t)n;
        return n;
    }
    if (c->state != RT_OPEN || c->turn >= TURN_BYTES) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    do {
        n = recv(c->fd, out, len, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        c->turn += (size_t)n;
        return n;
    }
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
    } else {
        c->gone = true;
        wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
    }
    return -1;
}

/* wslay's own frames, pong and close, are gathered into the one queue. */
static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *data,
                       size_t len, int flags, void *arg)
{
    rt_client_t *c = arg;

    (void)flags;
    buf_add(c->reply, data, len);
    if (c->reply->failed) {
        wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)len;
}

/* Pieces and control frames cost as much as messages. */
static void on_frame(wslay_event_context_ptr ws,
                     const struct wslay_event_on_frame_recv_start_arg *f,
                     void *arg)
{
    rt_client_t *c = arg;

    (void)ws;
    if (c->state != RT_OPEN) {
        return;
    }
    if (!wslay_is_ctrl_frame(f->opcode)) {
        c->pieces = f->opcode == WSLAY_CONTINUATION_FRAME ? c->pieces + 1 : 1;
    }
    if (f->opcode == WSLAY_CONNECTION_CLOSE && f->payload_length > 0 &&
        f->payload_length < CODE_BYTES) {
        rt_client_close(c, WSLAY_CODE_PROTOCOL_ERROR, "Half a code.");
    } else if (c->pieces > PIECES_MAX) {
        rt_client_close(c, WSLAY_CODE_MESSAGE_TOO_BIG, "Too many pieces.");
    } else if (!rt_rate_take(&c->messages, MESSAGES, MESSAGES_S, c->heard)) {
        rt_client_close(c, REALTIME_OVER, "Too many messages.");
    }
}

static void on_message(wslay_event_context_ptr ws,
                       const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
    rt_client_t *c = arg;

    (void)ws;
    if (c->state != RT_OPEN || wslay_is_ctrl_frame(m->opcode)) {
        return;
    }
    rt_count(&c->rt->counters.messages_in, 1);
    if (m->opcode != WSLAY_TEXT_FRAME) {
        rt_client_close(c, WSLAY_CODE_UNSUPPORTED_DATA, "Text only.");
    } else {
        rt_protocol_message(c, (const char *)m->msg, m->msg_length);
    }
}

bool rt_rate_take(rt_rate_t *r, double burst, double per_s, int64_t now_ms)
{
    double more =
        r->at_ms == 0 ? burst : (double)(now_ms - r->at_ms) * per_s / 1000;

    r->left = r->left + more > burst ? burst : r->left + more;
    r->at_ms = now_ms;
    if (r->left < 1) {
        return false;
    }
    r->left -= 1;
    return true;
}

const struct wslay_event_callbacks rt_client_callbacks = {
    .recv_callback = on_recv,
    .send_callback = on_send,
    .on_frame_recv_start_callback = on_frame,
    .on_msg_recv_callback = on_message,
};

/* ---- reading ---- */

/* Puts pongs and the answer to a close into the queue; false: no more. */
static bool reply(rt_client_t *c)
{
    rt_frame_t *f = NULL;
    buf_t own;
    int rc;

    if (!wslay_event_want_write(c->ws)) {
        return true;
    }
    buf_init(&own, CONTROL_MAX);
    c->reply = &own;
    rc = wslay_event_send(c->ws);
    c->reply = NULL;
    if (rc == 0 && own.len > 0) {
        f = rt_frame_raw((const unsigned char *)own.data, own.len);
    }
    buf_free(&own);
    if (f == NULL) {
        return false;
    }
    if (c->state == RT_OPEN) {
        rt_client_send(c, f);
    }
    rt_frame_unref(f);
    return true;
}

/* After the close frame: until the other side is gone. */
static void drain(rt_client_t *c)
{
    char waste[4096];
    ssize_t n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);

    if (n == 0 ||
        (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        rt_client_kill(c);
    }
}

void rt_client_readable(rt_client_t *c)
{
    int rc;

    if (c->state == RT_CLOSING || c->state == RT_SHUT) {
        drain(c);
    }
    if (c->state != RT_OPEN) {
        return;
    }
    c->turn = 0;
    c->heard = clock_mono_ms();
    c->pinged = false;
    rc = wslay_event_recv(c->ws);
    if (c->early_at == c->early_len) {
        free(c->early);
        c->early = NULL;
        c->early_len = c->early_at = 0;
    }
    if (c->gone || rc == WSLAY_ERR_NOMEM) {
        rt_client_kill(c);
    } else if (rc != 0) {
        rt_client_close(c, WSLAY_CODE_PROTOCOL_ERROR, "A broken frame.");
    } else if (!reply(c)) {
        rt_client_kill(c);
    } else if (c->state == RT_OPEN && !wslay_event_get_read_enabled(c->ws)) {
        begin_close(c); /* its close, or one for what it did */
    }
}

/* ---- turns ---- */

/* Once a second. */
void rt_client_tick(rt_client_t *c, int64_t now_ms)
{
    int64_t quiet = now_ms - c->heard;
    int64_t limit =
        (int64_t)c->rt->options.activity_timeout_s * 1000 + GRACE_MS;

    if (c->state != RT_OPEN) {
        if (now_ms > c->until) {
            rt_client_kill(c);
        }
    } else if (quiet > limit + PONG_MS) {
        rt_count(&c->rt->counters.silent, 1);
        rt_client_close(c, REALTIME_SILENT, "No pong.");
    } else if (quiet > limit && !c->pinged) {
        c->pinged = true;
        rt_client_send(c, c->rt->ping);
    }
}

static bool leave_channels(realtime_t *rt)
{
    rt_client_t *c = rt->leaving;

    if (c == NULL) {
        return false;
    }
    rt->leaving = c->next_leaving;
    while (c->subs != NULL) {
        rt_sub_drop(rt, c->subs);
    }
    rt_grant_drop(rt, c);
    return true;
}

static bool flush_next(realtime_t *rt)
{
    rt_client_t *c = rt->dirty;

    if (c == NULL) {
        return false;
    }
    rt->dirty = c->next_dirty;
    c->dirty = false;
    rt_client_flush(c);
    return true;
}

void rt_clients_settle(realtime_t *rt)
{
    while (leave_channels(rt) || flush_next(rt)) {
    }
    while (rt->dead != NULL) {
        rt_client_t *c = rt->dead;

        rt->dead = c->next_dead;
        rt_client_free(c);
    }
}
