/*
 * sign.h - signatures of the Pusher protocol, and of the opening handshake.
 *
 * Subscriptions: hex HMAC-SHA256(secret, "socket:channel[:channel_data]").
 * REST of backends: the same over "METHOD\npath\nquery", the query's pairs
 * sorted, their names in lower case, without auth_signature.
 * pusher.com/docs/channels/library_auth_reference.
 */
#ifndef WACRM_REALTIME_SIGN_H
#define WACRM_REALTIME_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_HEX      65
#define SIGN_WINDOW_S 600 /* how far auth_timestamp may be off */
#define SIGN_ACCEPT   32

/* false: out of memory. */
bool sign_hex(const char *secret, const char *text, size_t len,
              char out[SIGN_HEX]);
/* data may be NULL. */
bool sign_channel(const char *secret, const char *socket, const char *channel,
                  const char *data, char out[SIGN_HEX]);
/* auth: "key:hex". In constant time. */
bool sign_channel_ok(const char *key, const char *secret, const char *auth,
                     const char *socket, const char *channel, const char *data);

typedef struct {
    const char *name, *value; /* decoded */
} sign_pair_t;
#define SIGN_PAIRS_MAX 32

/*
 * What is wrong with a request of a backend, in words, or NULL. pairs are
 * sorted by it. now: s.
 */
const char *sign_request(const char *key, const char *secret,
                         const char *method, const char *path, size_t path_len,
                         sign_pair_t *pairs, size_t n, const char *body,
                         size_t body_len, int64_t now);

/* A secret for those who have set none, out of another one. */
bool sign_derive(const char *secret, size_t len, char out[SIGN_HEX]);

/* Sec-WebSocket-Accept for a Sec-WebSocket-Key; false: none that can be. */
bool sign_accept(const char *key, char out[SIGN_ACCEPT]);

#endif
