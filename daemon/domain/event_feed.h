/*
 * event_feed.h - the events as browsers and API clients get them: rendered
 * once, in commit order, for realtime and for GET /api/crm/events. Names and
 * payloads: docs/events.md.
 *
 * Rows are rendered as they are now, not as they were at the event: whoever
 * reads late sees the newest state more than once, which harms nobody. An
 * event whose row is gone (erased) is left out; gaps in seq are normal.
 *
 * Events above domain->last_seq are not there yet: between a COMMIT and its
 * publication (db/touched.h) caches still answer without it, and whoever is
 * told of it may ask them at once.
 */
#ifndef WACRM_DOMAIN_EVENT_FEED_H
#define WACRM_DOMAIN_EVENT_FEED_H

#include "domain/event.h"
#include "domain/visibility.h"

#define FEED_ROWS     200 /* that one feed_read() looks at, at most */
#define FEED_CHANNEL  "private-inbox"
#define PROBE_CHANNEL "wacrm-selftest" /* of EVENT_PROBE, and nothing else */
#define FEED_DATA_MAX 10000 /* bytes of data: other servers take no more */

/* Everything is valid during the call only. */
typedef struct {
    int64_t seq;
    event_kind_t kind;
    const char *name; /* "NewMessageReceived"; no namespace, static */
    int64_t session;  /* 0: of none */
    int64_t chat;     /* 0: of none */
    /* Who may see it: who sees one of these sessions; nsessions 0: everyone
     * who is signed in. feed_seen_by() decides. */
    const int64_t *sessions;
    size_t nsessions;
    const char *data; /* a JSON object, terminated */
    size_t data_len;
    /* that caused it (X-Socket-ID), or NULL; whose it was by the request: a
     * socket of another user is not left out for it */
    const char *socket;
    int64_t socket_user;
    int64_t at; /* ms */
} feed_event_t;

/* true: go on; false: stop after this one. */
typedef bool (*feed_fn)(void *arg, const feed_event_t *event);

/*
 * Looks at the next max (1..FEED_ROWS) events after `since`, and gives fn
 * those that `who` may see (NULL: all of them, EVENT_PROBE too). *next: the
 * last one looked at, from where to go on; since itself where there are none.
 * The number of events looked at, 0 at the end, or an error (nothing of it
 * counts then). A fixed number of statements for each 50 events, however mixed.
 * Opens a read transaction of its own: not to be called inside one.
 */
int feed_read(db_t *db, const domain_t *d, int64_t since, size_t max,
              const visibility_t *who, feed_fn fn, void *arg,
              int64_t *next) WACRM_CHECKED;

/* The name of a kind, static; NULL: no such kind. */
const char *feed_name(event_kind_t kind);

bool feed_seen_by(const feed_event_t *event, const visibility_t *who);

/*
 * Whether a reader at `since` has missed what cannot be told any more: events
 * after it were deleted, or the database was restored and it has not been
 * there yet. *last: the newest number, where to go on after a reload.
 */
int feed_position(db_t *db, const domain_t *d, int64_t since, bool *resync,
                  int64_t *last) WACRM_CHECKED;

/*
 * Which numbering of events this is: another one since a backup has taken the
 * place of the database, whose numbers are given anew to other events.
 */
#define FEED_ID_MAX 33
int feed_id(db_t *db, char out[FEED_ID_MAX]) WACRM_CHECKED;

#endif
