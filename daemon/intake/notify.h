/*
 * notify.h - the datagram socket on which the edge says that there is work.
 * Private to intake/.
 */
#ifndef WACRM_INTAKE_NOTIFY_H
#define WACRM_INTAKE_NOTIFY_H

#include <stdbool.h>

#include "base/error.h"

/* Makes the socket (0660), in place of one that a crash has left. */
int notify_open(const char *path, int *fd) WACRM_CHECKED;
void notify_close(const char *path, int *fd);

/*
 * Waits for a datagram on fd (-1: none) or for the eventfd stop, at most
 * timeout_ms; takes all datagrams that wait. false: stop.
 */
bool notify_wait(int fd, int stop, int timeout_ms);

#endif
