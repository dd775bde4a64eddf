/* events.c - what a client has missed, by number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/event_feed.h"
#include "http/paging.h"
#include "http/routes/routes.h"

/* Events that one request looks at: whoever sees few of them gets on by
 * `next`, and nobody makes a request long. */
#define WALK 1000

typedef struct {
    buf_t *out;
    const char *namespace;
    int n, limit;
} page_t;

static bool add(void *arg, const feed_event_t *e)
{
    page_t *p = arg;
    char name[128];

    snprintf(name, sizeof(name), "%s%s", p->namespace, e->name);
    jw_open_object(p->out, NULL);
    jw_i64(p->out, "seq", e->seq);
    jw_str(p->out, "event", name);
    jw_str(p->out, "channel", FEED_CHANNEL);
    jw_raw(p->out, "data", e->data, e->data_len);
    jw_time(p->out, "timestamp", e->at);
    jw_close_object(p->out);
    p->n++;
    return p->n < p->limit;
}

static int add_events(request_t *r, const visibility_t *who, int64_t since,
                      page_t *p, int64_t *next, bool *more)
{
    int rc = FEED_ROWS;

    *next = since;
    for (int walked = 0; rc == FEED_ROWS && p->n < p->limit && walked < WALK;
         walked += rc) {
        rc = feed_read(r->db, r->options->domain, *next, FEED_ROWS, who, add, p,
                       next);
        if (rc < 0) {
            return rc;
        }
    }
    *more = rc == FEED_ROWS || p->n == p->limit;
    return WERR_OK;
}

static void close_page(request_t *r, int64_t next, bool more, bool resync,
                       const char *feed)
{
    buf_t *b = &r->response.body;

    jw_close_array(b);
    jw_i64(b, "next", next);
    jw_bool(b, "more", more);
    jw_bool(b, "resync", resync);
    jw_str(b, "feed", feed);
    jw_close_object(b);
}

static void open_page(request_t *r)
{
    buf_t *b = &r->response.body;

    buf_reset(b);
    b->comma = false;
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    jw_open_array(b, "events");
}

/* Read first, then asked whether something is gone: what housekeeping takes
 * in between is noticed. */
static int write_page(request_t *r, const visibility_t *who, int64_t since,
                      int limit)
{
    page_t p = {.out = &r->response.body,
                .namespace = r->options->domain->settings.event_namespace,
                .limit = limit};
    const char *known = request_query(r, "feed");
    char feed[FEED_ID_MAX];
    int64_t next, last;
    bool more, resync;
    int rc;

    open_page(r);
    rc = add_events(r, who, since, &p, &next, &more);
    if (rc == WERR_OK) {
        rc = feed_position(r->db, r->options->domain, since, &resync, &last);
    }
    if (rc == WERR_OK) {
        rc = feed_id(r->db, feed);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    resync = resync || (known != NULL && strcmp(known, feed) != 0);
    if (resync) {
        open_page(r);
        close_page(r, last, false, true, feed);
    } else {
        close_page(r, next, more, false, feed);
    }
    return WERR_OK;
}

/* Where a client begins: before it loads what it shows. */
static int write_latest(request_t *r)
{
    char feed[FEED_ID_MAX];
    bool resync;
    int64_t last;
    int rc = feed_position(r->db, r->options->domain, 0, &resync, &last);

    if (rc == WERR_OK) {
        rc = feed_id(r->db, feed);
    }
    if (rc == WERR_OK) {
        open_page(r);
        close_page(r, last, false, false, feed);
    }
    return rc;
}

static bool read_since(const request_t *r, invalid_t *invalid, int64_t *since)
{
    const char *text = request_query(r, "since");

    *since = -1;
    if (text == NULL || *text == '\0') {
        invalid_add(invalid, "since", "The since field is required.");
    } else if (strcmp(text, "latest") != 0 &&
               !parse_int(text, 0, INT64_MAX - 1, since)) {
        invalid_add(invalid, "since",
                    "The since field must be the number of an event.");
    }
    return *since >= 0;
}

void route_events(request_t *r)
{
    invalid_t invalid = {0};
    visibility_t *who = NULL;
    int64_t since;
    bool numbered = read_since(r, &invalid, &since);
    int limit = page_limit(r, &invalid);
    int rc;

    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    rc = visibility_of(r->db, r->user.id, &who);
    if (rc == WERR_OK) {
        rc = numbered ? write_page(r, who, since, limit) : write_latest(r);
    }
    free(who);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
    }
}
