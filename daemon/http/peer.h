/*
 * peer.h - who may connect to the private socket: root, our own user, and
 * members of the socket's group or of ours, by SO_PEERCRED.
 */
#ifndef WACRM_HTTP_PEER_H
#define WACRM_HTTP_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PEER_CACHE 16

/* For one thread. */
typedef struct {
    gid_t groups[2]; /* the socket's, our own */
    struct {
        uid_t uid;
        gid_t gid;
        bool allowed;
        int64_t until; /* ms, monotonic */
    } known[PEER_CACHE];
    size_t next;
} peers_t;

void peers_init(peers_t *p, gid_t socket_group);
/* Logs a refusal. */
bool peers_allow(peers_t *p, int fd);

#endif
