/*
 * realtime.h - the Pusher protocol (version 7) over WebSocket: browsers keep
 * a socket and are told what happens. What is served: docs/realtime.md.
 *
 * One thread owns all sockets and channels (epoll). Sockets come from the
 * HTTP server after its 101; what happened comes from the database's events,
 * read by number with a connection of its own after each commit, and leaves as
 * one ready-made frame that all clients of a channel share.
 *
 * An event reaches a client only if the user that /broadcasting/auth
 * authorised for its socket may see the event's session.
 */
#ifndef WACRM_REALTIME_REALTIME_H
#define WACRM_REALTIME_REALTIME_H

#include <stdatomic.h>

#include "base/buf.h"
#include "domain/domain.h"

typedef struct realtime_s realtime_t;

#define REALTIME_SOCKET_MAX   40   /* "123.456" with its end */
#define REALTIME_NAME_MAX     200  /* bytes of the name of a channel or event */
#define REALTIME_MEMBER_MAX   2048 /* bytes of channel_data */
#define REALTIME_CHANNELS_MAX 100  /* of one REALTIME publication */

/* [realtime] of wacrmd.conf. Strings stay the caller's. */
typedef struct {
    const char *app_id;       /* of the REST of backends */
    const char *key;          /* public: part of the address */
    const char *secret;       /* signs subscriptions and that REST */
    const char *origins;      /* "https://a https://b", "*"; NULL: own host */
    const char *event_prefix; /* "App\Events\" */
    bool public_inbox;        /* `inbox`, for whoever has the key */
    int max_connections;
    int max_channels;    /* of one socket */
    int max_members;     /* of a presence channel */
    int client_events;   /* a second and socket */
    int64_t max_message; /* bytes of a client's message, or of REST's data */
    int64_t max_queue;   /* bytes that wait for one client */
    int activity_timeout_s;
} realtime_options_t;

/* What the key of an application may be made of. */
bool realtime_good_key(const char *key);
/* What a channel's name may be made of. */
bool realtime_good_channel(const char *name);

typedef struct {
    _Atomic int64_t connections, subscriptions, channels; /* now */
    _Atomic int64_t connects, refused; /* of these: the last, at once */
    _Atomic int64_t messages_in, messages_out, bytes_out;
    _Atomic int64_t events, denied, slow, silent, revoked;
    _Atomic int64_t faults;
    _Atomic int64_t fanouts, fanout_us; /* from the commit to the last write */
    _Atomic int64_t seq;                /* the last event told */
    _Atomic int64_t probe_us;           /* since 1970: a self-test was told */
} realtime_counters_t;

/* Takes d's events_ready and typing_ready: before anybody writes. */
int realtime_start(realtime_t **out, domain_t *d,
                   const realtime_options_t *o) WACRM_CHECKED;
/* Takes no more sockets; closes those there are, spread over up to spread_ms,
 * with 4200 (connect again). */
void realtime_drain(realtime_t *rt, int64_t spread_ms);
/* When nobody calls it any more. */
void realtime_stop(realtime_t **rt);

const realtime_options_t *realtime_options(const realtime_t *rt);
const realtime_counters_t *realtime_counters(const realtime_t *rt);

/* ---- from the HTTP server; any thread ---- */

/* Close codes of the protocol. */
enum {
    REALTIME_NO_APP = 4001,
    REALTIME_VERSION_UNKNOWN = 4007,
    REALTIME_VERSION_MISSING = 4008,
    REALTIME_DENIED = 4009,
    REALTIME_OVER = 4100, /* come back later */
    REALTIME_AGAIN = 4200,
    REALTIME_SILENT = 4201,
    REALTIME_CLIENT_EVENT = 4301,
};

/* false while it stops. */
bool realtime_open(const realtime_t *rt);

/*
 * A socket after its 101, with what came behind the head. refuse: 0, or the
 * code that it is closed with. Takes fd over in any case.
 */
void realtime_take(realtime_t *rt, int fd, const char *early, size_t len,
                   int refuse);

/* Tokens were revoked: looks who has to go. */
void realtime_revoked(realtime_t *rt);

/*
 * The socket is that user's from now on, by an access token that ends at exp
 * (s). A socket that is not there is none of our business.
 */
int realtime_authorise(realtime_t *rt, const char *socket, int64_t user,
                       const char *jti, int64_t exp) WACRM_CHECKED;

/* Appends "key:signature". data: channel_data of a presence channel, or
 * NULL. */
int realtime_sign(const realtime_t *rt, const char *socket, const char *channel,
                  const char *data, buf_t *out) WACRM_CHECKED;

/* One event for some channels, as backends send it. */
typedef struct {
    const char *name;
    const char *channels[REALTIME_CHANNELS_MAX];
    size_t nchannels;
    const char *data; /* any text */
    size_t data_len;
    const char *except; /* the socket that is left out, or NULL */
} realtime_event_t;
int realtime_publish(realtime_t *rt, const realtime_event_t *events,
                     size_t n) WACRM_CHECKED;

/* Appends {"channels": {name: {...}}} of those with that prefix. */
int realtime_list(realtime_t *rt, const char *prefix, bool users,
                  bool subscriptions, buf_t *out) WACRM_CHECKED;
/* Appends the object of one channel; it need not be there. */
int realtime_show(realtime_t *rt, const char *channel, bool users,
                  bool subscriptions, buf_t *out) WACRM_CHECKED;
/* Appends {"users": [{"id": ..}]} of a presence channel. */
int realtime_users(realtime_t *rt, const char *channel,
                   buf_t *out) WACRM_CHECKED;
/* Closes the sockets authorised for that user, with 4009. */
int realtime_terminate(realtime_t *rt, int64_t user) WACRM_CHECKED;

#endif
