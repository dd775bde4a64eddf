/*
 * waapi.h - inside the driver of the seed's gateway: its files to each other.
 * What it sends and takes: docs/gateways.md.
 */
#ifndef WACRM_GATEWAY_WAAPI_H
#define WACRM_GATEWAY_WAAPI_H

#include "base/phone.h"
#include "gateway/driver.h"

/* ---- incoming ---- */

typedef struct {
    const json_t *root, *data;
    const char *name; /* of the event */
    gw_events_t *out;
    gw_event_t *ev;
    char *reason;
    size_t size;
} waapi_reading_t;

/* WERR_INVALID, with why as the reason. */
int waapi_refuse(waapi_reading_t *r, const char *why);
/* A copy that lives as long as the events; NULL and *rc: no memory. */
const char *waapi_keep(waapi_reading_t *r, const char *s, size_t len, int *rc);
/* Fills phone or alias from one JID, where they are not known yet. */
jid_kind_t waapi_take_jid(waapi_reading_t *r, const char *jid, int *rc);
/* The chat and who is on its other side; a group makes the event OTHER. */
int waapi_take_chat(waapi_reading_t *r, const char *jid);
const char *waapi_bare_id(waapi_reading_t *r, const char *id, int *rc);
bool waapi_truth(const json_t *j, const char *paths);
/* Of the data, else of the envelope, else 0. */
int64_t waapi_time(const waapi_reading_t *r, const char *paths);

/* Readers: each fills r->ev from r->data, which is an object. */
int waapi_message(waapi_reading_t *r);
int waapi_status(waapi_reading_t *r);
int waapi_sent(waapi_reading_t *r);
int waapi_about(waapi_reading_t *r);
int waapi_session(waapi_reading_t *r);
int waapi_qr(waapi_reading_t *r);
int waapi_typing(waapi_reading_t *r);
int waapi_alias(waapi_reading_t *r);

int waapi_parse(const spool_record_t *rec, gw_events_t *out, char *reason,
                size_t size);

/*
 * What a Baileys message (its `message` object, wrappers and all) says.
 * Strings are the JSON's own; NULL where nothing was told.
 */
typedef struct {
    gw_kind_t kind; /* MESSAGE, REACTION, EDIT, DELETE; OTHER: nothing */
    const char *type, *text;
    const char *mime, *name;
    int64_t size; /* -1 */
    const char *reply_to;
    const char *about; /* id that a reaction, edit or delete is about */
    bool silent;       /* something between devices: nothing was said */
} waapi_raw_t;
void waapi_raw_read(const json_t *message, waapi_raw_t *out);

/* The gateway's word for a type of content in ours; NULL: not known. */
const char *waapi_type(const char *word);

/* ---- outgoing ---- */

int waapi_send(const gateway_account_t *a, const gw_send_t *s, gw_request_t *r);
void waapi_send_reply(int http_status, const char *body, size_t len,
                      gw_reply_t *out);
int waapi_lookup(const gateway_account_t *a, const gw_send_t *s,
                 gw_request_t *r);
gw_found_t waapi_lookup_reply(int http_status, const char *body, size_t len,
                              const gw_lookup_t *l, char *wa_id, size_t size);
int waapi_mark_read(const gateway_account_t *a, const char *session,
                    const char *chat_phone, gw_request_t *r);
int waapi_login(const gateway_account_t *a, gw_request_t *r);
void waapi_login_reply(const char *body, size_t len, char *token, size_t size);

/* A row number or UUID of the gateway's database is no id of WhatsApp's. */
bool waapi_is_wa_id(const char *id);

/* ---- sessions and contacts: gateway.h ---- */

int waapi_session_create(const gateway_account_t *a, const char *session,
                         const char *webhook_url, gw_request_t *r);
int waapi_session_list(const gateway_account_t *a, gw_request_t *r);
int waapi_session_qr(const gateway_account_t *a, const char *session,
                     gw_request_t *r);
int waapi_session_status(const gateway_account_t *a, const char *session,
                         gw_request_t *r);
int waapi_session_delete(const gateway_account_t *a, const char *session,
                         gw_request_t *r);
int waapi_session_reconnect(const gateway_account_t *a, const char *session,
                            gw_request_t *r);
void waapi_answer(int http_status, const char *body, size_t len,
                  gw_answer_t *out);
void waapi_status_reply(int http_status, const char *body, size_t len,
                        gw_answer_t *answer, gw_session_t *out);
bool waapi_list_reply(int http_status, const char *body, size_t len,
                      void (*each)(void *arg, const gw_session_t *s),
                      void *arg);
void waapi_qr_reply(int http_status, const char *body, size_t len,
                    gw_answer_t *answer, buf_t *out);
int waapi_contact(const gateway_account_t *a, const char *session,
                  const char *phone, gw_contact_ask_t ask, gw_request_t *r);
void waapi_contact_reply(int http_status, const char *body, size_t len,
                         gw_answer_t *answer, gw_contact_t *out);

/* ---- history: gateway.h ---- */

int waapi_list_chats(const gateway_account_t *a, const char *session, int page,
                     int size, gw_request_t *r);
int waapi_list_messages(const gateway_account_t *a, const char *session,
                        const char *chat, int page, int size, gw_request_t *r);
bool waapi_chats_reply(int http_status, const char *body, size_t len,
                       void (*each)(void *arg, const gw_chat_t *c), void *arg,
                       size_t *n);
int waapi_messages_reply(int http_status, const char *body, size_t len,
                         gw_events_t *out);

#endif
