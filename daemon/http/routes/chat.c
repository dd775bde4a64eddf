#include <string.h>

#include "domain/audit.h"
#include "domain/chat.h"
#include "domain/media_url.h"
#include "domain/message.h"
#include "http/paging.h"
#include "http/routes/routes.h"

static void write_end(buf_t *b, const char *more_key, bool more,
                      const char *id_key, int64_t id)
{
    jw_bool(b, more_key, more);
    if (more && id != 0) {
        jw_i64(b, id_key, id);
    } else {
        jw_null(b, id_key);
    }
}

static void write_chat(request_t *r, int64_t chat, const chat_page_t *page,
                       bool native)
{
    const media_viewer_t viewer = {r->options->domain, r->user.id};
    chat_span_t span = {0};
    buf_t messages;
    buf_t *b = &r->response.body;
    buf_init(&messages, 0);
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = db_read_begin(r->db);
    if (rc == WERR_OK) {
        rc = chat_page(r->db, chat, &viewer, page, &messages, NULL, &span);
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
    write_end(b, "hasMore", span.older, "before", span.oldest);
    write_end(b, "hasNewer", span.newer, "after", span.newest);
    jw_close_object(b);
    jw_close_object(b);
    buf_free(&messages);
    response_tagged(&r->response, request_header(r, "If-None-Match"));
}

/* The place that a page is asked for by. */
typedef struct {
    const char *name; /* NULL: the newest */
    int64_t id;
} place_t;

static void read_place(const request_t *r, invalid_t *invalid,
                       chat_page_t *page, place_t *place)
{
    const struct {
        const char *name;
        int64_t *id;
    } places[] = {{"before", &page->before},
                  {"after", &page->after},
                  {"around", &page->around}};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const char *name = places[i].name, *text = request_query(r, name);
        if (text == NULL) {
            continue;
        }
        if (!parse_int(text, 1, INT64_MAX, places[i].id)) {
            invalid_add(invalid, name, "The %s field must be an id.", name);
        } else if (place->name != NULL) {
            invalid_add(invalid, name,
                        "The %s field is prohibited when %s is present.", name,
                        place->name);
        } else {
            *place = (place_t){name, *places[i].id};
        }
    }
}

/* A message of another chat tells nothing here, not even its time. */
static int check_place(db_t *db, int64_t chat, const place_t *place,
                       invalid_t *invalid)
{
    int64_t session, of_chat;
    if (place->name == NULL) {
        return WERR_OK;
    }
    int rc = message_place(db, place->id, &session, &of_chat);
    if (rc == WERR_NOTFOUND || (rc == WERR_OK && of_chat != chat)) {
        invalid_add(invalid, place->name, "The selected %s is invalid.",
                    place->name);
        rc = WERR_OK;
    }
    return rc;
}

void route_chat(request_t *r)
{
    invalid_t invalid = {0};
    place_t place = {0};
    int64_t chat;
    const char *shape = request_query(r, "shape");
    chat_page_t page = {.limit = page_limit(r, &invalid)};
    read_place(r, &invalid, &page, &place);
    if (invalid_answer(&invalid, &r->response) || !page_chat(r, &chat)) {
        return;
    }
    int rc = check_place(r->db, chat, &place, &invalid);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    write_chat(r, chat, &page, shape != NULL && strcmp(shape, "native") == 0);
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
