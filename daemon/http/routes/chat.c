#include <string.h>

#include "domain/audit.h"
#include "domain/chat.h"
#include "domain/media_url.h"
#include "domain/message.h"
#include "http/paging.h"
#include "http/routes/routes.h"

static void write_chat(request_t *r, int64_t chat, int limit, int64_t before,
                       bool native)
{
    const media_viewer_t viewer = {r->options->domain, r->user.id};
    bool more = false;
    int64_t oldest = 0;
    buf_t messages;
    buf_t *b = &r->response.body;
    buf_init(&messages, 0);
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = db_read_begin(r->db);
    if (rc == WERR_OK) {
        rc = chat_messages(r->db, chat, &viewer, limit, before, &messages, NULL,
                           &more, &oldest);
        if (rc == WERR_OK) {
            rc = chat_line(r->db, viewer.domain, chat, b, "conversation");
        }
        db_read_end(r->db);
    }
    if (rc == WERR_OK && messages.failed) {
        rc = WERR_NOMEM;
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        buf_free(&messages);
        return;
    }
    jw_raw(b, "messages", messages.data, messages.len);
    if (!native) {
        jw_raw(b, "data", messages.data, messages.len);
    }
    jw_str(b, "message", "Success");
    jw_open_object(b, "meta");
    jw_bool(b, "hasMore", more);
    if (more) {
        jw_i64(b, "before", oldest);
    } else {
        jw_null(b, "before");
    }
    jw_close_object(b);
    jw_close_object(b);
    buf_free(&messages);
    response_tagged(&r->response, request_header(r, "If-None-Match"));
}

/* A message of another chat tells nothing here, not even its time. */
static int check_before(db_t *db, int64_t chat, int64_t before,
                        invalid_t *invalid)
{
    int64_t session, of_chat;
    if (before == 0) {
        return WERR_OK;
    }
    int rc = message_place(db, before, &session, &of_chat);
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && of_chat != chat)) {
        invalid_add(invalid, "before", "The selected before is invalid.");
        rc = WERR_OK;
    }
    return rc;
}

void route_chat(request_t *r)
{
    invalid_t invalid = {0};
    int64_t chat, before = 0;
    const char *shape = request_query(r, "shape");
    const char *text = request_query(r, "before");
    int limit = page_limit(r, &invalid);
    if (text != NULL && !parse_int(text, 1, INT64_MAX, &before)) {
        invalid_add(&invalid, "before", "The before field must be an id.");
    }
    if (invalid_answer(&invalid, &r->response) || !page_chat(r, &chat)) {
        return;
    }
    int rc = check_before(r->db, chat, before, &invalid);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    write_chat(r, chat, limit, before,
               shape != NULL && strcmp(shape, "native") == 0);
}

typedef struct {
    int64_t chat;
    bool receipt;
    bool starred;
} change_t;

static int mark_read(tx_t *tx, void *arg)
{
    const change_t *c = arg;
    return chat_mark_read(tx, c->chat, c->receipt);
}

void route_chat_read(request_t *r)
{
    change_t c = {.receipt = r->options->read_receipts};
    if (!page_chat(r, &c.chat)) {
        return;
    }
    int rc = domain_write(r->options->domain, mark_read, &c);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    jw_open_object(&r->response.body, NULL);
    jw_bool(&r->response.body, "success", true);
    jw_i64(&r->response.body, "unread_count", 0);
    jw_close_object(&r->response.body);
}

static int toggle_star(tx_t *tx, void *arg)
{
    change_t *c = arg;
    int rc = chat_toggle_star(tx, c->chat, &c->starred);
    return rc == WERR_OK
               ? audit_chat(tx, c->chat, "chat.star", c->starred ? "on" : "off")
               : rc;
}

void route_chat_star(request_t *r)
{
    change_t c = {0};
    if (!page_chat(r, &c.chat)) {
        return;
    }
    int rc = domain_write(r->options->domain, toggle_star, &c);
    if (rc < 0) {
        response_error(&r->response, rc);
        return;
    }
    jw_open_object(&r->response.body, NULL);
    jw_bool(&r->response.body, "success", true);
    jw_bool(&r->response.body, "is_starred", c.starred);
    jw_close_object(&r->response.body);
}
