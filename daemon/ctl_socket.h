/*
 * ctl_socket.h - a browser's socket as wacrmctl opens it: WebSocket (RFC
 * 6455) on a connection of libcurl, which does the TLS. Whole text frames
 * only, as wacrmd sends them.
 */
#ifndef WACRM_CTL_SOCKET_H
#define WACRM_CTL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ctl_socket_s ctl_socket_t;

/* base: "https://host:port"; path: "/app/...". NULL with an error. */
ctl_socket_t *ctl_socket_open(const char *base, const char *path,
                              int timeout_ms, char *error, size_t size);
void ctl_socket_close(ctl_socket_t **s);
/* One text frame of up to 125 bytes. */
bool ctl_socket_say(ctl_socket_t *s, const char *text);
/* The next text, terminated, valid until the next call; NULL: none within the
 * time, or the other side has closed. */
const char *ctl_socket_hear(ctl_socket_t *s, int timeout_ms);

#endif
