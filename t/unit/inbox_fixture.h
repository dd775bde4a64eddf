/*
 * inbox_fixture.h - the lines of an inbox and the messages of a conversation,
 * as parsed JSON.
 */
#ifndef WACRM_T_INBOX_FIXTURE_H
#define WACRM_T_INBOX_FIXTURE_H

#include "domain_fixture.h"

#include <jansson.h>

typedef struct {
    json_t *root; /* {"conversations": [...]} or {"messages": [...]} */
    json_t *rows;
    bool more;
    int64_t ts, id;
} page_t;

static inline json_t *parse(buf_t *b)
{
    json_error_t e;
    json_t *root;

    assert_false(b->failed);
    root = json_loadb(b->data, b->len, 0, &e);
    if (root == NULL) {
        fail_msg("%s in %s", e.text, b->data);
    }
    buf_free(b);
    return root;
}

static inline page_t inbox(fixture_t *f, inbox_query_t q)
{
    session_set_t own = {.ids = &f->session, .n = 1};
    page_t p = {0};
    buf_t b;

    if (q.sessions == NULL) {
        q.sessions = &own;
    }
    q.limit = q.limit == 0 ? 50 : q.limit;
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    assert_int_equal(chat_inbox(f->db, &f->d, &q, &b, &p.more, &p.ts, &p.id),
                     WERR_OK);
    jw_close_object(&b);
    p.root = parse(&b);
    p.rows = json_object_get(p.root, "conversations");
    return p;
}

static inline size_t count(fixture_t *f, inbox_query_t q)
{
    page_t p = inbox(f, q);
    size_t n = json_array_size(p.rows);

    json_decref(p.root);
    return n;
}

/* The lines of all pages from q on. */
static inline size_t count_pages(fixture_t *f, inbox_query_t q)
{
    size_t total = 0;
    page_t p;

    do {
        p = inbox(f, q);
        total += json_array_size(p.rows);
        q.before_ts = p.ts;
        q.before_id = p.id;
        json_decref(p.root);
    } while (p.more);
    return total;
}

static inline const char *text(json_t *rows, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static inline json_int_t number(json_t *rows, size_t i, const char *key)
{
    json_t *v = json_object_get(json_array_get(rows, i), key);

    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

/* n chats; every second of them at the same time as the one before. */
static inline void many(fixture_t *f, int n)
{
    for (int i = 0; i < n; i++) {
        char phone[24], id[24], body[40];

        snprintf(phone, sizeof(phone), "62810000%04d", i);
        snprintf(id, sizeof(id), "many%d-%lld", i, (long long)f->session);
        snprintf(body, sizeof(body), "pesan nomor %d", i);
        say(f, phone, id, body, 1000000 + 1000 * (i / 2), false);
    }
}

#endif
