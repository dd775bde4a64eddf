/*
 * queue.c - what waits for one client: frames that others share, in a ring
 * that is there only while something waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "realtime/internal.h"

#define RING_FIRST 4  /* a power of two, as all */
#define FRAME_COST 64 /* bytes of memory of one, beside its own */
#define VECTORS    64

static rt_frame_t **slot(const rt_queue_t *q, size_t i)
{
    return &q->frames[(q->head + i) & (q->cap - 1)];
}

static bool grow(rt_queue_t *q)
{
    size_t cap = q->cap > 0 ? 2 * q->cap : RING_FIRST;
    rt_frame_t **frames = calloc(cap, sizeof(rt_frame_t *));

    if (frames == NULL) {
        return false;
    }
    for (size_t i = 0; i < q->n; i++) {
        frames[i] = *slot(q, i);
    }
    free(q->frames);
    q->frames = frames;
    q->cap = cap;
    q->head = 0;
    return true;
}

bool rt_queue_put(rt_queue_t *q, rt_frame_t *f)
{
    if (q->n == q->cap && !grow(q)) {
        return false;
    }
    *slot(q, q->n) = rt_frame_ref(f);
    q->n++;
    q->bytes += f->len;
    return true;
}

size_t rt_queue_cost(const rt_queue_t *q)
{
    return q->bytes + q->n * FRAME_COST;
}

void rt_queue_cut(rt_queue_t *q)
{
    size_t keep = q->sent > 0 ? 1 : 0;

    while (q->n > keep) {
        rt_frame_t *f = *slot(q, --q->n);

        q->bytes -= f->len;
        rt_frame_unref(f);
    }
}

void rt_queue_free(rt_queue_t *q)
{
    q->sent = 0;
    rt_queue_cut(q);
    free(q->frames);
    *q = (rt_queue_t){0};
}

/* Lets go what n bytes have finished. */
static void sent(rt_queue_t *q, size_t n)
{
    q->bytes -= n;
    q->sent += n;
    while (q->n > 0 && q->sent >= (*slot(q, 0))->len) {
        rt_frame_t *f = *slot(q, 0);

        q->sent -= f->len;
        q->head = (q->head + 1) & (q->cap - 1);
        q->n--;
        rt_frame_unref(f);
    }
}

int rt_queue_send(rt_queue_t *q, int fd)
{
    struct iovec v[VECTORS];

    while (q->n > 0) {
        struct msghdr msg = {.msg_iov = v};
        ssize_t n;

        while (msg.msg_iovlen < VECTORS && msg.msg_iovlen < q->n) {
            rt_frame_t *f = *slot(q, msg.msg_iovlen);
            size_t skip = msg.msg_iovlen == 0 ? q->sent : 0;

            v[msg.msg_iovlen].iov_base = f->bytes + skip;
            v[msg.msg_iovlen].iov_len = f->len - skip;
            msg.msg_iovlen++;
        }
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK ? WERR_BUSY
                                                           : WERR_IO;
        }
        sent(q, (size_t)n);
    }
    rt_queue_free(q);
    return WERR_OK;
}
