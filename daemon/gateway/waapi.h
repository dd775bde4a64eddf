/*
 * waapi.h - inside the driver of the seed's gateway: its files to each other.
 * What it sends and takes: docs/gateways.md.
 */
#ifndef WACRM_GATEWAY_WAAPI_H
#define WACRM_GATEWAY_WAAPI_H

#include "gateway/driver.h"

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

#endif
