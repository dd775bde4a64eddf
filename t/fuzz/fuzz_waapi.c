/*
 * fuzz_waapi.c - bytes as what the gateway may say: a delivery (with and
 * without an envelope), the answers to a send, a look-up and a login, and a
 * body to be redacted.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "through.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void touch(const char *s)
{
    if (s && strlen(s) > 64 * 1024 * 1024) {
        abort();
    }
}

static void check_event(const gw_event_t *e)
{
    touch(e->session);
    touch(e->wa_id);
    touch(e->chat);
    touch(e->phone);
    touch(e->alias);
    touch(e->push_name);
    touch(e->media_url);
    touch(e->media_mime);
    touch(e->media_name);
    touch(e->reply_to);
    touch(e->status);
    touch(e->error_code);
    touch(e->error_title);
    touch(e->session_phone);
    if (!e->name) {
        abort();
    }
    /* what the header promises to intake */
    if (e->kind == GW_MESSAGE && (!e->text || !e->type)) {
        abort();
    }
    if (e->kind == GW_MESSAGE && !e->phone && !e->alias) {
        abort();
    }
    if ((e->kind == GW_STATUS || e->kind == GW_SESSION) && !e->status) {
        abort();
    }
    if ((e->kind == GW_REACTION && !e->emoji) ||
        (e->kind == GW_EDIT && !e->text)) {
        abort();
    }
    if (e->kind == GW_ALIAS && (!e->alias || !e->phone)) {
        abort();
    }
}

static void parse(const char *body, size_t len, const char *event)
{
    spool_record_t rec;
    gw_events_t ev;
    char reason[64];
    int rc;

    memset(&rec, 0, sizeof(rec));
    rec.body.data = body;
    rec.body.len = len;
    rec.query.data = body;
    rec.query.len = len < 200 ? len : 200;
    if (event) {
        rec.headers[0].name = (spool_str_t){"x-webhook-event", 15};
        rec.headers[0].value = (spool_str_t){event, strlen(event)};
        rec.nheaders = 1;
    }
    reason[0] = '\0';
    rc = gw_waapi.parse(&rec, &ev, reason, sizeof(reason));
    if (rc == WERR_OK) {
        for (size_t i = 0; i < ev.n; i++) {
            check_event(&ev.items[i]);
            if (ev.items[i].kind == GW_MESSAGE) {
                fuzz_through();
            }
        }
        gw_events_free(&ev);
    } else if (rc != WERR_INVALID || reason[0] == '\0') {
        abort();
    }
}

static void take_chat(void *arg, const gw_chat_t *c)
{
    (void)arg;
    touch(c->id);
    touch(c->phone);
    touch(c->alias);
    touch(c->name);
}

static void history(const char *body, size_t len)
{
    gw_events_t ev;
    size_t n;
    int rc;

    (void)gw_waapi.chats_reply(200, body, len, take_chat, NULL, &n);
    rc = gw_waapi.messages_reply(200, body, len, &ev);
    if (rc != WERR_OK && rc != WERR_INVALID) {
        abort();
    }
    for (size_t i = 0; rc == WERR_OK && i < ev.n; i++) {
        const gw_event_t *e = &ev.items[i];

        /* what the header promises to backfill */
        if (e->kind != GW_MESSAGE && e->kind != GW_OTHER) {
            abort();
        }
        if (e->kind == GW_MESSAGE &&
            (!e->wa_id || !e->type || !e->text || e->ts <= 0)) {
            abort();
        }
        touch(e->wa_id);
        touch(e->phone);
        touch(e->alias);
        touch(e->text);
        touch(e->push_name);
        touch(e->status);
    }
    if (rc == WERR_OK) {
        gw_events_free(&ev);
    }
}

static void answers(const char *body, size_t len)
{
    gw_lookup_t l = {.text = "x", .since = 0};
    char token[64], wa_id[64];
    gw_reply_t reply;

    gw_waapi.send_reply(200, body, len, &reply);
    gw_waapi.send_reply(500, body, len, &reply);
    (void)gw_waapi.lookup_reply(200, body, len, &l, wa_id, sizeof(wa_id));
    gw_waapi.login_reply(body, len, token, sizeof(token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *copy = malloc(len ? len : 1);

    if (!copy) {
        return 0;
    }
    memcpy(copy, data, len);
    parse(copy, len, NULL);
    parse(copy, len, "message.received");
    answers(copy, len);
    history(copy, len);
    gw_waapi.redact(copy, len);
    free(copy);
    return 0;
}
