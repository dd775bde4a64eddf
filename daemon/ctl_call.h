/*
 * ctl_call.h - wacrmctl's way to wacrmd: its control socket.
 */
#ifndef WACRM_CTL_CALL_H
#define WACRM_CTL_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* A descriptor, or -1 with errno. */
int ctl_connect(const char *path);
/* All of it; false: the other side is gone. */
bool ctl_send(int fd, const char *data, size_t len);

/* Asks, on a connection of its own, and takes the first object of the answer,
 * which the caller lets go. request stays the caller's. NULL: no answer, or a
 * refusal, with an error for people. */
json_t *ctl_call(const char *path, const json_t *request, char *error,
                 size_t size);

#endif
