/*
 * feed_page.h - some events in their order, who may see each, and all the
 * rows that they tell of, rendered. Private to domain/: event_feed.h.
 */
#ifndef WACRM_DOMAIN_FEED_PAGE_H
#define WACRM_DOMAIN_FEED_PAGE_H

#include "domain/event.h"
#include "domain/event_feed.h"
#include "domain/rendered.h"

typedef struct {
    int64_t seq, session, chat, ref, at;
    event_kind_t kind;
    int64_t contact; /* of those that follow a contact's visibility */
    bool seen;       /* by the reader it was loaded for */
    char socket[SOCKET_ID_MAX];
    int64_t socket_user;
} feed_row_t;

/* Where contacts are talked with: pairs, by contact. */
typedef struct {
    int64_t *contacts, *sessions;
    size_t n, cap;
} feed_places_t;

typedef struct {
    feed_row_t rows[FEED_ROWS];
    size_t n;
    rendered_t messages, statuses, chats, contacts, reminders, sessions;
    rendered_t strangers; /* contacts whose record is closed */
    rendered_t aliases;   /* arrays, by contact */
    feed_places_t places;
} feed_page_t;

int feed_page_new(feed_page_t **out) WACRM_CHECKED;
void feed_page_free(feed_page_t *p);

/* Those after since and up to until, at most FEED_ROWS. who NULL: all are
 * seen. */
int feed_page_load(feed_page_t *p, db_t *db, const domain_t *d, int64_t since,
                   int64_t until, size_t max,
                   const visibility_t *who) WACRM_CHECKED;

/* What feed_seen_by() looks at, of a row. */
void feed_page_seers(const feed_page_t *p, const feed_row_t *row,
                     const int64_t **sessions, size_t *n);

#endif
