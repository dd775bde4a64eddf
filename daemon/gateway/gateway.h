/*
 * gateway.h - one driver per WhatsApp gateway behind this: it reads what the
 * gateway delivers into plain events, and writes the requests that it takes.
 * It never touches the database and makes no call itself (client.h does).
 */
#ifndef WACRM_GATEWAY_GATEWAY_H
#define WACRM_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "spool/record.h"

struct sockaddr;

/* [gateway NAME] of wacrmd.conf; constant after the start. */
typedef struct {
    const char *name;
    const char *driver;   /* waapi */
    const char *base_url; /* without a trailing slash */
    const char *token;    /* configured bearer, or NULL */
    const char *email;    /* of its login, or NULL */
    const char *password;
    int timeout_s;            /* 30 */
    const char *webhook_path; /* below the public URL */
    bool read_receipts;
    bool backfill;           /* its history is fetched */
    int backfill_gap_ms;     /* between two of these calls */
    const char *media;       /* how files go out: url, base64 */
    const char *media_hosts; /* where files come from; NULL: base_url's */
} gateway_account_t;

/* NULL: there is none of that name (any more). */
const gateway_account_t *gateway_account(const gateway_account_t *accounts,
                                         size_t n, const char *name);

/* ---- incoming ---- */

typedef enum {
    GW_MESSAGE,
    GW_STATUS,
    GW_REACTION,
    GW_EDIT,
    GW_DELETE,
    GW_TYPING,
    GW_SESSION,
    GW_QR,
    GW_ALIAS, /* a LID and a phone are the same person */
    GW_OTHER  /* understood, nothing to do */
} gw_kind_t;

/* Strings live as long as the gw_events_t; NULL where nothing was told. */
typedef struct {
    gw_kind_t kind;
    const char *session; /* remote session id, NULL: the default */
    const char *wa_id;   /* bare id of the message it is about */
    const char *chat;    /* JID as sent: group or not is in phone.h */
    const char *phone;   /* canonical digits of the other side */
    const char *alias;   /* "..@lid" */
    const char *push_name;
    bool from_me;
    bool group;       /* group, broadcast, newsletter: not a donor */
    int64_t ts;       /* ms as told; 0: not told */
    const char *type; /* text image document audio video sticker location
                         contacts interactive unsupported */
    const char *text; /* never NULL for a message */
    const char *media_url, *media_mime, *media_name;
    int64_t media_size; /* -1 */
    const char *reply_to;
    const char *status; /* GW_STATUS, GW_SESSION: the gateway's word */
    const char *error_code, *error_title;
    const char *emoji;     /* GW_REACTION; "" = removed */
    const char *client_id; /* our own id, where the gateway gives it back */
    const char *session_phone;
    const char *name; /* of the event, for logs and counters */
    bool typing;
} gw_event_t;

typedef struct {
    gw_event_t *items;
    size_t n;
    void *memory; /* private */
} gw_events_t;

void gw_events_free(gw_events_t *ev);

/* ---- outgoing ---- */

/* Bytes that are read as they leave. */
typedef struct {
    int fd; /* -1: none */
    int64_t size;
} gw_file_t;

typedef struct {
    const char *method;
    buf_t url;      /* whole */
    buf_t headers;  /* more of them, a line each ("Name: value\n") */
    buf_t body;     /* JSON; empty: none */
    gw_file_t file; /* its Base64 goes into the body, at: */
    size_t file_at;
    bool authorised;  /* carries the account's bearer */
    int sink;         /* -1, or the file that the answer's body is written to */
    int64_t sink_max; /* bytes */
    /* Asked for each address before it is connected to, on the client's
     * thread; NULL: any. Such a call has a connection of its own. */
    bool (*may_connect)(const void *arg, const struct sockaddr *to);
    const void *connect_arg; /* lives as long as the call */
} gw_request_t;

void gw_request_init(gw_request_t *r);
void gw_request_free(gw_request_t *r);
/* WERR_OK, or WERR_TOOBIG, WERR_NOMEM of what was written to it. */
int gw_request_error(const gw_request_t *r) WACRM_CHECKED;

typedef struct {
    const char *session; /* remote id */
    const char *phone;   /* canonical, or an alias */
    const char *type;    /* text, image, document */
    const char *text;    /* of a file: its caption, may be "" */
    const char *media;   /* of a file: its address, or a data: URL, up to: */
    gw_file_t *file;     /* whose Base64 ends it, or NULL; the request takes it
                            over (fd is -1 then) */
    const char *filename;
    const char *client_id;
    /* a template of the gateway instead of text, or NULL; a driver that knows
     * none sends the text */
    const char *template_name;
    const char *template_language;  /* or "" */
    const char *template_variables; /* JSON array of strings */
} gw_send_t;

/* What the gateway's answer to a send means. */
typedef enum {
    GW_ACCEPTED,    /* wa_id may be told */
    GW_RETRY,       /* certainly not sent: try again (Retry-After) */
    GW_UNKNOWN,     /* may or may not have been sent */
    GW_REFUSED,     /* permanently; code and reason told */
    GW_UNAUTHORISED /* one new login, then again */
} gw_outcome_t;

typedef struct {
    gw_outcome_t outcome;
    char wa_id[200];
    char code[64];
    char reason[256];
    int retry_after_s; /* 0: not told */
} gw_reply_t;

/* Whether a message that may have been sent is known to the gateway. */
typedef enum {
    GW_NOT_TOLD, /* the answer shows neither */
    GW_FOUND,
    GW_ABSENT /* certainly not there */
} gw_found_t;

/* What is looked for: a message of ours with that text, since then. known
 * tells the ids that belong to other messages already: WERR_OK, or an error,
 * and nothing is told then. NULL: none does. */
typedef struct {
    const char *type;
    const char *text;
    int64_t since; /* ms */
    int (*known)(void *arg, const char *wa_id, bool *is_known);
    void *arg;
} gw_lookup_t;

/* ---- sessions, and who a number is ---- */

/* Whether the gateway did what was asked, and its words. */
typedef struct {
    bool ok;
    char message[256];
} gw_answer_t;

/* A WhatsApp number as the gateway tells of it; "" where it does not. */
typedef struct {
    char id[200];
    char status[64];
    char phone[64];
} gw_session_t;

typedef enum {
    GW_CONTACT_INFO,
    GW_CONTACT_CHECK,
    GW_CONTACT_PICTURE
} gw_contact_ask_t;

typedef struct {
    char name[256], about[256], jid[200];
    char picture[1024]; /* https URL */
    bool told;          /* registered was told */
    bool registered, business;
} gw_contact_t;

/* ---- history ---- */

/* A chat as the gateway lists it. */
typedef struct {
    char id[200];                          /* what its messages are asked by */
    char phone[64], alias[200], name[256]; /* "" where not told */
    int64_t ts; /* ms of its last message; 0: not told */
    bool group; /* group, broadcast, newsletter: not a donor */
} gw_chat_t;

typedef struct {
    const char *name;
    /*
     * Reads one delivery. WERR_OK with 0..n events; WERR_INVALID with a
     * reason: a dead letter; WERR_NOMEM.
     */
    int (*parse)(const spool_record_t *rec, gw_events_t *out, char *reason,
                 size_t size);
    int (*send)(const gateway_account_t *a, const gw_send_t *s,
                gw_request_t *r);
    void (*send_reply)(int http_status, const char *body, size_t len,
                       gw_reply_t *out);
    /* Asks what was said lately in the chat of s; NULL: cannot be asked. */
    int (*lookup)(const gateway_account_t *a, const gw_send_t *s,
                  gw_request_t *r);
    /* wa_id of what was found, "" if it is not told. */
    gw_found_t (*lookup_reply)(int http_status, const char *body, size_t len,
                               const gw_lookup_t *l, char *wa_id, size_t size);
    int (*mark_read)(const gateway_account_t *a, const char *session,
                     const char *chat_phone, gw_request_t *r);
    int (*login)(const gateway_account_t *a, gw_request_t *r);
    /* The bearer in the answer to login, or ""; errno is ENOMEM then if there
     * was no memory to read it. */
    void (*login_reply)(const char *body, size_t len, char *token, size_t size);
    /* Sessions (S10-S14), by their remote id. */
    int (*session_create)(const gateway_account_t *a, const char *session,
                          const char *webhook_url, gw_request_t *r);
    int (*session_list)(const gateway_account_t *a, gw_request_t *r);
    int (*session_qr)(const gateway_account_t *a, const char *session,
                      gw_request_t *r);
    int (*session_status)(const gateway_account_t *a, const char *session,
                          gw_request_t *r);
    int (*session_delete)(const gateway_account_t *a, const char *session,
                          gw_request_t *r);
    int (*session_reconnect)(const gateway_account_t *a, const char *session,
                             gw_request_t *r);
    /* Of create, delete and reconnect. http_status 0: no answer came. */
    void (*session_reply)(int http_status, const char *body, size_t len,
                          gw_answer_t *out);
    void (*status_reply)(int http_status, const char *body, size_t len,
                         gw_answer_t *answer, gw_session_t *out);
    /* false: no list. */
    bool (*list_reply)(int http_status, const char *body, size_t len,
                       void (*each)(void *arg, const gw_session_t *s),
                       void *arg);
    /* Appends {qr_code, qr, pairing_code, expires_at} if it is there. */
    void (*qr_reply)(int http_status, const char *body, size_t len,
                     gw_answer_t *answer, buf_t *out);
    /* Who a number is (S23), whether it has WhatsApp (S24), its picture
     * (S25). */
    int (*contact)(const gateway_account_t *a, const char *session,
                   const char *phone, gw_contact_ask_t ask, gw_request_t *r);
    void (*contact_reply)(int http_status, const char *body, size_t len,
                          gw_answer_t *answer, gw_contact_t *out);
    /*
     * History (S15, S17), newest first or last; page from 1, of size lines.
     * A gateway that knows no pages may answer with the first one again.
     * NULL: it tells none.
     */
    int (*list_chats)(const gateway_account_t *a, const char *session, int page,
                      int size, gw_request_t *r);
    int (*list_messages)(const gateway_account_t *a, const char *session,
                         const char *chat, int page, int size, gw_request_t *r);
    /* *n: lines of the list, also those that cannot be used. false: no list. */
    bool (*chats_reply)(int http_status, const char *body, size_t len,
                        void (*each)(void *arg, const gw_chat_t *c), void *arg,
                        size_t *n);
    /* Events are GW_MESSAGE, or GW_OTHER where there is nothing to keep;
     * chat, phone and alias may be missing. WERR_INVALID: no list. */
    int (*messages_reply)(int http_status, const char *body, size_t len,
                          gw_events_t *out);
    /* Redacts QR, pairing codes, api keys in place (same length); the copy
     * that is kept for replay goes through it. */
    void (*redact)(char *body, size_t len);
} gw_driver_t;

/* NULL if there is none of that name. */
const gw_driver_t *gw_driver(const char *name);
extern const gw_driver_t gw_waapi;

#endif
