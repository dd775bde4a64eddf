/*
 * chat.h - the conversations with a contact through one session, and the
 * lists that the inbox shows. JSON shapes: docs/openapi.yaml.
 */
#ifndef WACRM_DOMAIN_CHAT_H
#define WACRM_DOMAIN_CHAT_H

#include "base/buf.h"
#include "domain/domain.h"
#include "domain/session.h"

typedef enum {
    INBOX_ALL,
    INBOX_UNREAD,
    INBOX_STARRED,
    INBOX_FAILED
} inbox_filter_t;

/* Which chats: these, and those with these contacts. has() (NULL: nobody) says
 * the same of one chat, quicker than the chats of many are put in order: then
 * it is asked of each, newest first, until the page is full. Where there are
 * neither contacts nor others, it is told 0 for the contact. open: the chat
 * opens the contact's record (contact_visible.h); of one that does not it is
 * asked in any case, and the phone is all that may be known of the contact. */
typedef struct {
    const int64_t *chats, *contacts;
    size_t nchats, ncontacts;
    bool partial; /* there are others: only has() knows */
    int (*has)(void *arg, int64_t chat, int64_t contact, bool open, bool *hit);
    void *arg;
} inbox_search_t;

typedef struct {
    const session_set_t *sessions; /* looked through; one SELECT each */
    inbox_filter_t filter;
    const inbox_search_t *search; /* NULL: all */
    int limit;                    /* 1..200 */
    int64_t before_ts; /* keyset (last_ts, id); before_id 0: from the top */
    int64_t before_id;
    /* Lines rendered before, which are used and added to; NULL: none. With
     * store_version() from before the transaction began. */
    struct lines_s *lines;
    int64_t version;
} inbox_query_t;

/*
 * Writes the array `conversations` (newest first), and tells the keyset of
 * the next page: *more = false at the end.
 */
int chat_inbox(db_t *db, const domain_t *d, const inbox_query_t *q, buf_t *out,
               bool *more, int64_t *next_ts, int64_t *next_id) WACRM_CHECKED;

/* Whether there is a chat with the contact in the session; WERR_NOTFOUND. */
int chat_find(tx_t *tx, int64_t session, int64_t contact) WACRM_CHECKED;

/* Writes one Conversation as the member key; WERR_NOTFOUND. */
int chat_line(db_t *db, const domain_t *d, int64_t chat, buf_t *out,
              const char *key) WACRM_CHECKED;

/* Messages of a chat: of the places at most one is not 0, and is a message of
 * this chat; all 0: the newest. */
typedef struct {
    int limit;      /* 1..200 */
    int64_t before; /* those right before it */
    int64_t after;  /* those right after it */
    int64_t around; /* itself, with as many older as newer ones */
} chat_page_t;

/* What a page covers: ids of its ends (0: it is empty), and whether the chat
 * goes on beyond them. */
typedef struct {
    int64_t oldest, newest;
    bool older, newer;
} chat_span_t;

/* Writes the array of key, oldest first. It ends early where the messages are
 * long; the span tells. */
struct media_viewer_s;
int chat_page(db_t *db, int64_t chat, const struct media_viewer_s *viewer,
              const chat_page_t *page, buf_t *out, const char *key,
              chat_span_t *span) WACRM_CHECKED;

/* The same for the newest `limit` before message `before` (0: of all). */
int chat_messages(db_t *db, int64_t chat, const struct media_viewer_s *viewer,
                  int limit, int64_t before, buf_t *out, const char *key,
                  bool *more, int64_t *oldest) WACRM_CHECKED;

/* The session of a chat; WERR_NOTFOUND. */
int chat_session(db_t *db, int64_t chat, int64_t *session) WACRM_CHECKED;

/* Unread to 0; queues a read receipt if something was unread and receipt. */
int chat_mark_read(tx_t *tx, int64_t chat, bool receipt) WACRM_CHECKED;
int chat_toggle_star(tx_t *tx, int64_t chat, bool *starred) WACRM_CHECKED;

#endif
