#include "realtime/frame.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FIN       0x80
#define OP_TEXT   0x1
#define OP_CLOSE  0x8
#define HEAD_MAX  10
#define CLOSE_MAX 123

/* Atomic for those who make frames beside the thread. */
static _Atomic size_t all_bytes;

static rt_frame_t *make(size_t len)
{
    rt_frame_t *f;

    if (len > SIZE_MAX - sizeof(*f)) {
        return NULL;
    }
    f = malloc(sizeof(*f) + len);
    if (f != NULL) {
        f->refs = 1;
        f->len = len;
        atomic_fetch_add_explicit(&all_bytes, sizeof(*f) + len,
                                  memory_order_relaxed);
    }
    return f;
}

/* The head; its length. */
static size_t head(unsigned char out[HEAD_MAX], unsigned op, size_t len)
{
    size_t n = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

    out[0] = (unsigned char)(FIN | op);
    out[1] = (unsigned char)(n == 0 ? len : n == 2 ? 126 : 127);
    for (size_t i = 0; i < n; i++) {
        out[2 + i] = (unsigned char)((uint64_t)len >> (8 * (n - 1 - i)));
    }
    return 2 + n;
}

rt_frame_t *rt_frame_text(const char *text, size_t len)
{
    unsigned char h[HEAD_MAX];
    size_t n = head(h, OP_TEXT, len);
    rt_frame_t *f = len <= SIZE_MAX / 2 ? make(n + len) : NULL;

    if (f != NULL) {
        memcpy(f->bytes, h, n);
        memcpy(f->bytes + n, text, len);
    }
    return f;
}

rt_frame_t *rt_frame_close(unsigned code, const char *reason)
{
    unsigned char h[HEAD_MAX];
    size_t len = strnlen(reason, CLOSE_MAX);
    size_t n = head(h, OP_CLOSE, 2 + len);
    rt_frame_t *f = make(n + 2 + len);

    if (f != NULL) {
        memcpy(f->bytes, h, n);
        f->bytes[n] = (unsigned char)(code >> 8);
        f->bytes[n + 1] = (unsigned char)code;
        memcpy(f->bytes + n + 2, reason, len);
    }
    return f;
}

rt_frame_t *rt_frame_raw(const unsigned char *bytes, size_t len)
{
    rt_frame_t *f = make(len);

    if (f != NULL) {
        memcpy(f->bytes, bytes, len);
    }
    return f;
}

rt_frame_t *rt_frame_ref(rt_frame_t *f)
{
    f->refs++;
    return f;
}

void rt_frame_unref(rt_frame_t *f)
{
    if (f != NULL && --f->refs == 0) {
        atomic_fetch_sub_explicit(&all_bytes, sizeof(*f) + f->len,
                                  memory_order_relaxed);
        free(f);
    }
}

size_t rt_frames_bytes(void)
{
    return atomic_load_explicit(&all_bytes, memory_order_relaxed);
}
