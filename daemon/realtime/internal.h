/*
 * internal.h - the parts of realtime, for its own files. Everything but the
 * commands belongs to the realtime thread.
 */
#ifndef WACRM_REALTIME_INTERNAL_H
#define WACRM_REALTIME_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>
#include <wslay/wslay.h>

#include "domain/visibility.h"
#include "realtime/frame.h"
#include "realtime/realtime.h"

#define RT_BUCKETS  1024 /* of channels, by name */
#define RT_JTI_MAX  200
#define RT_CLOSE_MS 5000 /* to take what is left, and to close */
#define RT_CODES    4000 /* close codes below are WebSocket's own */

typedef struct rt_client_s rt_client_t;
typedef struct rt_channel_s rt_channel_t;
typedef struct rt_sub_s rt_sub_t;
typedef struct rt_member_s rt_member_t;
typedef struct rt_viewer_s rt_viewer_t;
typedef struct rt_command_s rt_command_t;

/* ---- who is behind sockets: viewer.c ---- */

/* A user with sockets here, and the sessions they may see. */
struct rt_viewer_s {
    rt_viewer_t *next;
    int64_t user;
    size_t refs; /* grants */
    visibility_t *sees;
};

/* What /broadcasting/auth gave to a socket. */
typedef struct {
    rt_viewer_t *viewer;
    int64_t exp;      /* s */
    int64_t given_ms; /* since 1970 */
    char jti[RT_JTI_MAX];
} rt_grant_t;

/* WERR_DENIED: the token was revoked, or the user switched off, meanwhile. */
int rt_grant(realtime_t *rt, rt_client_t *c, int64_t user, const char *jti,
             int64_t exp) WACRM_CHECKED;
void rt_grant_drop(realtime_t *rt, rt_client_t *c);
bool rt_sees(const rt_client_t *c, int64_t session);
/* Who may see what has changed. */
void rt_viewers_reload(realtime_t *rt);
/* Tokens were revoked. */
void rt_grants_check(realtime_t *rt);
/* Of the once-a-second look at each client. */
void rt_grant_tick(rt_client_t *c, int64_t now_s);

/* ---- channels: channel.c, presence.c ---- */

typedef enum { RT_PUBLIC, RT_PRIVATE, RT_PRESENCE } rt_kind_t;
typedef enum {
    RT_FOREIGN, /* an application's own: a signature will do */
    RT_INBOX,   /* private-inbox */
    RT_CHAT     /* presence-chat.{id} */
} rt_scope_t;

struct rt_channel_s {
    rt_channel_t *next; /* in its bucket */
    rt_kind_t kind;
    rt_scope_t scope;
    int64_t session; /* of RT_CHAT */
    rt_sub_t **subs;
    size_t nsubs, cap;
    rt_member_t *members; /* of RT_PRESENCE */
    size_t nmembers;
    char name[];
};

struct rt_sub_s {
    rt_sub_t *next; /* of the client's */
    rt_client_t *client;
    rt_channel_t *channel;
    size_t at; /* in channel->subs */
    rt_member_t *member;
};

/* A user in a presence channel, once, with any number of sockets. */
struct rt_member_s {
    rt_member_t *next;
    size_t sockets;
    char *info; /* JSON, or NULL */
    char id[];
};

rt_kind_t rt_channel_kind(const char *name);
rt_scope_t rt_channel_scope(const char *name, int64_t *chat);
rt_channel_t *rt_channel_find(const realtime_t *rt, const char *name);
/* Made if it is not there; NULL: out of memory, or too many public ones. */
rt_channel_t *rt_channel_make(realtime_t *rt, const char *name);
/* Goes when nobody is in it. */
void rt_channel_tidy(realtime_t *rt, rt_channel_t *ch);

rt_sub_t *rt_sub_find(const rt_client_t *c, const char *channel);
/* NULL: out of memory. */
rt_sub_t *rt_sub_add(realtime_t *rt, rt_client_t *c, rt_channel_t *ch);
/* Others are told if its user has left a presence channel. */
void rt_sub_drop(realtime_t *rt, rt_sub_t *sub);

/* To all in the channel but one; takes no reference. */
void rt_channel_send(rt_channel_t *ch, rt_frame_t *f,
                     const rt_client_t *except);

/* The member of channel_data, joined by sub: *first, if new to the others.
 * WERR_INVALID: no user_id; WERR_FULL: too many members. */
int rt_presence_join(realtime_t *rt, rt_sub_t *sub, const char *data,
                     bool *first) WACRM_CHECKED;
void rt_presence_leave(realtime_t *rt, rt_sub_t *sub);
/* Appends {"presence": {...}}. */
void rt_presence_write(const rt_channel_t *ch, buf_t *out);
/* user_id of channel_data as text; false: none. */
bool rt_presence_id(const json_t *data, char *out, size_t size);

/* ---- sockets: arrival.c, client.c, queue.c ---- */

typedef struct {
    rt_frame_t **frames; /* ring */
    size_t head, n, cap;
    size_t sent;  /* bytes of the first one */
    size_t bytes; /* of all, not yet sent */
} rt_queue_t;

bool rt_queue_put(rt_queue_t *q, rt_frame_t *f); /* takes a reference */
/* What it costs in memory, were it the only one to hold its frames. */
size_t rt_queue_cost(const rt_queue_t *q);
/* Drops all but what has begun to be sent. */
void rt_queue_cut(rt_queue_t *q);
void rt_queue_free(rt_queue_t *q);
/* WERR_OK: all of it went; WERR_BUSY: not now; WERR_IO: the socket is gone. */
int rt_queue_send(rt_queue_t *q, int fd) WACRM_CHECKED;

typedef enum {
    RT_OPEN,
    RT_CLOSING, /* its last frames are on their way */
    RT_SHUT,    /* they have left: until the other side is gone */
    RT_DEAD     /* freed at the end of the turn */
} rt_state_t;

/* So many at once, so many a second. */
typedef struct {
    int64_t at_ms;
    double left;
} rt_rate_t;
bool rt_rate_take(rt_rate_t *r, double burst, double per_s, int64_t now_ms);

struct rt_client_s {
    realtime_t *rt;
    int fd;
    uint32_t slot;
    rt_state_t state;
    bool blocked; /* waits until the socket takes more */
    bool dirty;   /* has something to send at the end of the turn */
    bool pinged;
    bool gone;     /* nothing comes any more */
    bool drained;  /* told to come again */
    int64_t heard; /* ms, monotonic */
    int64_t until; /* ms, monotonic: of RT_CLOSING and RT_SHUT */
    size_t turn;   /* bytes read in this turn */
    size_t pieces; /* of the message that is coming */
    char *early;   /* what came behind the head */
    size_t early_len, early_at;
    wslay_event_context_ptr ws;
    buf_t *reply; /* where wslay's own frames go, while it sends */
    rt_queue_t queue;
    rt_sub_t *subs;
    size_t nsubs;
    rt_grant_t *grant;
    rt_rate_t messages, events;
    bool leaving; /* on that list, or past it */
    rt_client_t *next_dirty, *next_leaving, *next_dead;
    char id[REALTIME_SOCKET_MAX];
};

/* wslay's, for all of them */
extern const struct wslay_event_callbacks rt_client_callbacks;

/* Greets it, or tells why not and closes. Takes fd and early over. */
void rt_client_new(realtime_t *rt, int fd, char *early, size_t len, int refuse);
void rt_client_free(rt_client_t *c);
void rt_client_readable(rt_client_t *c);
void rt_client_flush(rt_client_t *c);
/* Takes no reference. A client whose queue is full is told to come back. */
void rt_client_send(rt_client_t *c, rt_frame_t *f);
/* Tells code and reason, and closes. */
void rt_client_close(rt_client_t *c, int code, const char *reason);
/* At once. */
void rt_client_kill(rt_client_t *c);
void rt_client_tick(rt_client_t *c, int64_t now_ms);
/* The end of a turn: channels are left, frames sent, the dead freed. */
void rt_clients_settle(realtime_t *rt);
rt_client_t *rt_client_find(const realtime_t *rt, const char *id);

/* ---- what is said: protocol.c, message.c ---- */

/* One whole message of a client. */
void rt_protocol_message(rt_client_t *c, const char *text, size_t len);

/* One reference each; NULL: out of memory. data: text that becomes a JSON
 * string; user may be NULL. */
rt_frame_t *rt_message_event(realtime_t *rt, const char *event,
                             const char *channel, const char *data, size_t len,
                             const char *user);
/* The same with data as JSON. */
rt_frame_t *rt_message_raw(realtime_t *rt, const char *event,
                           const char *channel, const char *data, size_t len,
                           const char *user);
rt_frame_t *rt_message_error(realtime_t *rt, int code, const char *text);
void rt_say(rt_client_t *c, rt_frame_t *f); /* sends and lets go */
void rt_say_error(rt_client_t *c, int code, const char *text);
void rt_say_refused(rt_client_t *c, const char *channel, const char *type,
                    const char *text, int status);

/* ---- what happened: feed.c ---- */

/* Tells what is new, a part of it at a time. true: there is more. */
bool rt_feed_run(realtime_t *rt);
void rt_feed_typing(realtime_t *rt, int64_t session, const char *phone,
                    bool typing);
void rt_publish(realtime_t *rt, const realtime_event_t *e);

/* ---- from other threads: command.c ---- */

struct rt_command_s {
    rt_command_t *next;
    /* false: it is not run, but let go */
    void (*run)(realtime_t *rt, rt_command_t *cmd, bool live);
};

/* A bounded number of `lossy` ones wait: false, and it stays the caller's. */
bool rt_command_put(realtime_t *rt, rt_command_t *cmd, bool lossy);
/* Runs those that wait. */
void rt_commands_run(realtime_t *rt);
/* Lets go those that wait, and all that come. */
void rt_commands_end(realtime_t *rt);
/* Runs fn on the realtime thread and waits. WERR_STOPPING. */
typedef int (*rt_call_fn)(realtime_t *rt, void *arg);
int rt_call(realtime_t *rt, rt_call_fn fn, void *arg) WACRM_CHECKED;
void rt_wake(realtime_t *rt);

/* ---- all of it ---- */

struct realtime_s {
    realtime_options_t options;
    domain_t *domain;
    realtime_counters_t counters;

    pthread_mutex_t lock; /* of the commands */
    pthread_cond_t done;
    rt_command_t *first, **last;
    size_t nlossy;
    bool ended;
    _Atomic bool waiting; /* commands */
    _Atomic bool woken;
    _Atomic bool revoked;
    _Atomic bool closed; /* takes no more sockets */
    _Atomic bool stopping;
    _Atomic int64_t told_seq, told_us; /* the newest commit */
    int wake;
    pthread_t thread;
    bool running;

    /* of the thread */
    int epoll;
    db_t *db;
    int64_t seq;      /* told so far */
    int64_t retry_ms; /* not before: the database had a fault */
    rt_client_t **slots;
    uint32_t *free_slots;
    size_t nslots, nfree, nclients;
    size_t npublic;     /* of the channels */
    uint64_t hash_seed; /* of their names */
    rt_channel_t *buckets[RT_BUCKETS];
    rt_viewer_t *viewers;
    rt_client_t *dirty, *leaving, *dead;
    rt_frame_t *pong, *ping;
    buf_t scratch;
    int64_t ticked_ms;
    int64_t drain_from_ms, drain_ms; /* 0: not */
    size_t ndrain, ndrained;         /* clients then, and who went since */
    size_t drain_at;                 /* the next slot */
};

static inline void rt_count(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

#endif
