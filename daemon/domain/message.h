/*
 * message.h - messages of a chat: stored once, status forward only.
 */
#ifndef WACRM_DOMAIN_MESSAGE_H
#define WACRM_DOMAIN_MESSAGE_H

#include "base/buf.h"
#include "domain/domain.h"
#include "domain/status.h"

typedef struct {
    const char *remote_url, *mime, *filename; /* NULL: not told */
    int64_t size;                             /* -1: not told */
} media_t;

/* Something that was said, by them or by us on the phone itself. */
typedef struct {
    int64_t session;
    bool from_me;
    const char *wa_id; /* bare; never NULL: a hash of the body if need be */
    int64_t ts;        /* ms, clamped */
    const char *type;  /* text image ... */
    const char *text;
    const media_t *media; /* NULL: none */
    const char *reply_to; /* wa_id, or NULL */
    bool live;            /* not backfill, import or replay */
    bool history;         /* backfill or import: does not count as unread */
    int64_t received;     /* ms: when the edge took it */
} message_in_t;

typedef struct {
    int64_t id;
    int64_t chat;
    bool created; /* false: known already */
    bool first;   /* the chat is new */
} message_ref_t;

/* Is it stored already? WERR_NOTFOUND, or its id and chat. */
int message_known(db_t *db, int64_t session, bool from_me, const char *wa_id,
                  message_ref_t *out) WACRM_CHECKED;

/*
 * Stores it (dedupe: session, direction, wa_id), moves the chat, raises the
 * event, applies what was parked for it. from_me binds to a queued, unknown
 * or sent message of ours with the same text within 60 s that has no wa_id
 * yet, oldest first, rather than making a second row.
 */
int message_receive(tx_t *tx, int64_t contact, const message_in_t *in,
                    message_ref_t *out) WACRM_CHECKED;

/* Forward only; parked where the message is not there yet. code, title: of
 * an error, or NULL. */
int message_status(tx_t *tx, int64_t session, const char *wa_id, status_t to,
                   const char *code, const char *title) WACRM_CHECKED;

/* Newest wins; emoji "" removes. Edits and deletes likewise parked. */
int message_react(tx_t *tx, int64_t session, const char *wa_id,
                  const char *sender, const char *emoji,
                  int64_t ts) WACRM_CHECKED;
int message_edit(tx_t *tx, int64_t session, const char *wa_id, const char *text,
                 int64_t ts) WACRM_CHECKED;
int message_delete(tx_t *tx, int64_t session, const char *wa_id,
                   int64_t ts) WACRM_CHECKED;

/* A template that the gateway keeps. */
typedef struct {
    const char *name;
    const char *language;  /* or NULL */
    const char *variables; /* JSON array of strings */
} message_template_t;

/* Something to send: the message row and its outbox row, one transaction. */
typedef struct {
    int64_t session;
    const char *phone; /* canonical, or an alias */
    const char *typed; /* as the person typed it, or NULL */
    const char *type;  /* text */
    const char *text;
    const char *source;   /* agent auto template campaign api */
    int64_t cs_id;        /* 0: nobody */
    int64_t reply_to;     /* 0: none */
    int64_t media;        /* media.id of what is sent with it, 0: none */
    const char *url;      /* where its file is fetched from first, or NULL */
    bool type_told;       /* false: an image that comes from url makes it one */
    int64_t scheduled_at; /* ms: when it leaves; 0: at once */
    /* what the gateway may send in its place, or NULL */
    const message_template_t *template;
} message_out_t;
int message_queue(tx_t *tx, const message_out_t *out,
                  int64_t *id) WACRM_CHECKED;

/*
 * Back into the queue, from failed or unknown only, and nothing that has been
 * deleted, else WERR_CONFLICT. A file that could not be fetched is fetched
 * again. An id that it has stays until there is the next one: told of again it
 * says no more that it has failed, but a delivered or read of it ends the
 * retry.
 */
int message_retry(tx_t *tx, int64_t id) WACRM_CHECKED;

/* One message as JSON (Message of the HTTP contract). */
int message_write_json(db_t *db, int64_t id, buf_t *out,
                       const char *key) WACRM_CHECKED;
/* The same for one reader, whose address of the media needs no bearer. */
struct media_viewer_s;
int message_write_json_for(db_t *db, int64_t id,
                           const struct media_viewer_s *viewer, buf_t *out,
                           const char *key) WACRM_CHECKED;

/*
 * Messages of any chats, as an array: each with its chat's name and with what
 * extra() writes for its body. ids: highest first, which is the order.
 */
typedef void (*message_extra_fn)(void *arg, const char *body, size_t len,
                                 buf_t *out);
int message_write_list(db_t *db, const struct media_viewer_s *viewer,
                       const int64_t *ids, size_t n, message_extra_fn extra,
                       void *arg, buf_t *out, const char *key) WACRM_CHECKED;

/* The same of what is scheduled, without extra(): soonest first, which is the
 * order of ids. */
int message_write_due(db_t *db, const struct media_viewer_s *viewer,
                      const int64_t *ids, size_t n, buf_t *out,
                      const char *key) WACRM_CHECKED;

/* The session and chat of a message. */
int message_place(db_t *db, int64_t id, int64_t *session,
                  int64_t *chat) WACRM_CHECKED;

#endif
