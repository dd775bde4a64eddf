/*
 * frame.h - WebSocket frames as a server sends them (RFC 6455, 5.2: whole and
 * unmasked), made once and shared by all queues that hold them. Of the
 * realtime thread.
 */
#ifndef WACRM_REALTIME_FRAME_H
#define WACRM_REALTIME_FRAME_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t refs;
    size_t len;
    unsigned char bytes[];
} rt_frame_t;

/* One reference each; NULL: out of memory. */
rt_frame_t *rt_frame_text(const char *text, size_t len);
/* reason: up to 123 bytes. */
rt_frame_t *rt_frame_close(unsigned code, const char *reason);
/* Bytes that are frames already. */
rt_frame_t *rt_frame_raw(const unsigned char *bytes, size_t len);

rt_frame_t *rt_frame_ref(rt_frame_t *f);
void rt_frame_unref(rt_frame_t *f); /* NULL is nothing */

/* Of all frames that there are, each once. */
size_t rt_frames_bytes(void);

#endif
