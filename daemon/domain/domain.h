/*
 * domain.h - what the CRM knows and how it changes: the frame of the nouns.
 *
 * A change runs as a tx: one write transaction, its clock, and the numbers of
 * the events it raises. After the commit those who asked are told (inbox
 * caches, outbox). The domain knows no HTTP, no gateway's wire, no browser.
 */
#ifndef WACRM_DOMAIN_DOMAIN_H
#define WACRM_DOMAIN_DOMAIN_H

#include <stdatomic.h>

#include "db/store.h"

#define MEDIA_KEY_LEN 32

/* Settings of the organisation (wacrmd.conf), constant after the start. */
typedef struct {
    int utc_offset_s;         /* Asia/Jakarta: 25200 */
    int64_t vip_amount;       /* M28, default 10,000,000 */
    int64_t major_amount;     /* B of M21, M31 */
    int64_t mid_amount;       /* M31, default 1,000,000 */
    int lapse_days;           /* M27, default 395 */
    bool welcome;             /* S62 */
    const char *welcome_text; /* {name} is replaced */
    int welcome_per_minute;
    const char *stop_words;  /* domain/consent.h; commas between them */
    const char *start_words; /* the way back */
    int raw_retention_days;
    const char *default_account; /* source of the default session, or NULL */
    const char *default_session; /* its remote id (S3), or NULL */
    bool default_everyone;       /* every CS is a member of it */
    /* before the names of events on the wire: "App\Events\" */
    const char *event_namespace;
    const char *media_dir;  /* domain/media.h; NULL: takes no files */
    int64_t media_max;      /* bytes of one file */
    uint32_t media_types;   /* set of base/sniff.h */
    const char *url_hosts;  /* agents send files from; NULL: none */
    bool url_http;          /* also without TLS */
    const char *media_base; /* addresses for gateways begin so, or NULL */
    unsigned char media_key[MEDIA_KEY_LEN]; /* signs addresses of media */
} domain_settings_t;

void domain_settings_default(domain_settings_t *s);

typedef struct {
    store_t *store;
    domain_settings_t settings;
    /* Number of the last committed event; moves also at midnight (the
     * calendar day stands in the upper half of domain_version()). */
    _Atomic int64_t last_seq;
    /* ms of the next reminder that has to fire, at the latest: it may be
     * sooner than there is one. 0 at the start. */
    _Atomic int64_t reminder_due;
    /* Called after a commit that queued something to send. Any thread. */
    void (*outbox_ready)(void *arg);
    void *outbox_arg;
    /* Called after a commit that raised events, with the last number. */
    void (*events_ready)(void *arg, int64_t seq);
    void *events_arg;
    /* Called after a commit that moved reminder_due to a sooner time. */
    void (*remind_ready)(void *arg);
    void *remind_arg;
    /* Called by intake when a donor types, or has stopped to: nothing of it
     * is stored. session: sessions.id; phone: as Conversation.phone. */
    void (*typing_ready)(void *arg, int64_t session, const char *phone,
                         bool typing);
    void *typing_arg;
    /* Called after a commit that revoked tokens. */
    void (*revoked_ready)(void *arg);
    void *revoked_arg;
} domain_t;

/* Reads last_seq; store stays the caller's. */
int domain_init(domain_t *d, store_t *store,
                const domain_settings_t *s) WACRM_CHECKED;

/* The day it is, of the organisation. */
int64_t domain_today(const domain_t *d);

/* Changes whenever anything that the inbox shows may have changed. */
int64_t domain_version(const domain_t *d);

/* Private to event.c. */
typedef struct {
    int64_t seq, session, chat, ref;
    int kind;
} tx_event_t;

typedef struct {
    db_t *db;
    const domain_t *domain;
    int64_t now;      /* ms */
    int64_t today;    /* day, of the organisation */
    int64_t last_seq; /* of the events raised so far */
    int64_t first_seq;
    bool queued;            /* something for the outbox */
    bool revoked;           /* tokens */
    bool many, many_raised; /* event_many_begin() */
    tx_event_t last_event;
    const char *socket;           /* whose request this is, or NULL */
    int64_t remind_at;            /* the soonest new reminder, 0: none */
    struct chat_changes_s *chats; /* private: chat_changes.h */
} tx_t;

typedef int (*tx_fn)(tx_t *tx, void *arg);

/*
 * All that this thread writes from now on is caused by a request of this user
 * with that socket (X-Socket-ID, valid by socket_id_valid()): whoever tells
 * the events leaves it out, if it is this user's. NULL: no socket. A copy is
 * kept, as events.socket: "socket/user".
 */
void domain_caused_by(const char *socket_id, int64_t user);

/*
 * A savepoint inside fn: what came after it is kept by domain_release(), or
 * undone by domain_rollback(), events and their numbers with it.
 */
int domain_savepoint(tx_t *tx, int64_t *mark) WACRM_CHECKED;
int domain_release(tx_t *tx) WACRM_CHECKED;
int domain_rollback(tx_t *tx, int64_t mark) WACRM_CHECKED;

/* Runs fn in one transaction; negative result: nothing of it has happened. */
int domain_write(domain_t *d, tx_fn fn, void *arg) WACRM_CHECKED;

#endif
