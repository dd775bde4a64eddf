#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "domain/chat.h"
#include "http/invalid.h"
#include "http/routes/routes.h"

#define FORM        "application/x-www-form-urlencoded"
#define CHAT_PREFIX "presence-chat."

/* What pusher-js asks for, as a form or JSON. */
typedef struct {
    query_t form;
    json_t *json;
    const char *socket, *channel;
} wish_t;

static bool is_form(const char *type)
{
    return type != NULL && strncasecmp(type, FORM, strlen(FORM)) == 0;
}

static bool good_socket(const char *id)
{
    size_t n = strspn(id, "0123456789");

    return n > 0 && id[n] == '.' && id[n + 1] != '\0' &&
           strspn(id + n + 1, "0123456789") == strlen(id + n + 1) &&
           strlen(id) < REALTIME_SOCKET_MAX;
}

/* The body; false: answered already. */
static bool read_body(request_t *r, wish_t *w)
{
    if (!is_form(request_header(r, "Content-Type"))) {
        w->json = request_json(r);
        return w->json != NULL;
    }
    int rc = query_parse(&w->form, r->body.data);
    if (rc == WERR_INVALID) {
        response_bad(&r->response, "The body is not a valid form.");
        return false;
    }
    w->json = rc == WERR_OK ? json_object() : NULL;
    for (size_t i = 0; w->json != NULL && i < w->form.n; i++) {
        if (json_object_set_new(w->json, w->form.names[i],
                                json_string(w->form.values[i])) != 0) {
            json_decref(w->json);
            w->json = NULL;
        }
    }
    if (w->json == NULL) {
        response_error(&r->response, WERR_NOMEM);
    }
    return w->json != NULL;
}

static bool read_wish(request_t *r, wish_t *w)
{
    invalid_t invalid = {0};

    if (!read_body(r, w)) {
        return false;
    }
    w->socket = invalid_string(&invalid, w->json, "socket_id", true);
    w->channel = invalid_string(&invalid, w->json, "channel_name", true);
    if (w->socket != NULL && !good_socket(w->socket)) {
        invalid_add(&invalid, "socket_id", "The socket id is invalid.");
    }
    if (w->channel != NULL && strlen(w->channel) > REALTIME_NAME_MAX) {
        invalid_add(&invalid, "channel_name", "The channel name is too long.");
    }
    return !invalid_answer(&invalid, &r->response);
}

/* The chat of "presence-chat.{id}", if the caller sees it. */
static bool sees_chat(request_t *r, const char *channel)
{
    int64_t chat, session;

    return strncmp(channel, CHAT_PREFIX, strlen(CHAT_PREFIX)) == 0 &&
           parse_int(channel + strlen(CHAT_PREFIX), 1, INT64_MAX, &chat) &&
           channel[strlen(CHAT_PREFIX)] != '0' &&
           chat_session(r->db, chat, &session) == WERR_OK &&
           session_set_has(&r->visible, session);
}

/* Who joins a presence channel, as its members see it. */
static int write_member(const request_t *r, buf_t *b)
{
    char id[24];

    snprintf(id, sizeof(id), "%lld", (long long)r->user.id);
    jw_open_object(b, NULL);
    jw_str(b, "user_id", id);
    /* Echo hands its here() and joining() this and nothing else. */
    jw_open_object(b, "user_info");
    jw_i64(b, "id", r->user.id);
    jw_str(b, "name", r->user.name);
    jw_close_object(b);
    jw_close_object(b);
    return b->failed ? WERR_NOMEM : WERR_OK;
}

static int answer(request_t *r, const wish_t *w, bool presence)
{
    realtime_t *rt = r->options->realtime;
    buf_t *b = &r->response.body;
    buf_t auth, member;
    int rc = realtime_authorise(rt, w->socket, r->user.id, r->identity.jti,
                                r->identity.exp);

    buf_init(&auth, 0);
    buf_init(&member, 0);
    if (rc == WERR_OK && presence) {
        rc = write_member(r, &member);
    }
    if (rc == WERR_OK) {
        rc = realtime_sign(rt, w->socket, w->channel, member.data, &auth);
    }
    if (rc == WERR_OK) {
        jw_open_object(b, NULL);
        jw_str(b, "auth", auth.data);
        if (presence) {
            jw_str(b, "channel_data", member.data);
        }
        jw_close_object(b);
        response_header(&r->response, "Cache-Control", "no-store");
    }
    buf_free(&auth);
    buf_free(&member);
    return rc;
}

/*
 * Signs private-inbox for any agent and a chat's channel for those who see
 * the chat; nothing else: the channels of other applications are theirs.
 */
static void authorise(request_t *r, const wish_t *w)
{
    bool presence = sees_chat(r, w->channel);
    int rc = presence || strcmp(w->channel, "private-inbox") == 0
                 ? answer(r, w, presence)
                 : WERR_DENIED;

    if (rc == WERR_DENIED) {
        response_message(&r->response, 403, "Forbidden.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}

void route_broadcasting_auth(request_t *r)
{
    wish_t w = {0};

    if (r->options->realtime == NULL) {
        response_busy(&r->response, "Service Unavailable", 1);
        return;
    }
    if (read_wish(r, &w)) {
        authorise(r, &w);
    }
    json_decref(w.json);
    query_free(&w.form);
}
