#include <stdio.h>
#include <string.h>

#include "domain/contact_list.h"
#include "domain/media_url.h"
#include "domain/message.h"
#include "http/paging.h"
#include "http/routes/routes.h"
#include "search/search.h"

#define CHARS_MAX 200

typedef struct {
    const char *text;
    bool messages, contacts; /* what is looked through */
    int limit;
    int64_t before;
    const session_set_t *seen; /* NULL: all */
    session_set_t one;         /* the one that was named */
    int64_t session;
} search_query_t;

static size_t count_chars(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void read_what(const request_t *r, invalid_t *invalid, search_query_t *q)
{
    const char *in = request_query(r, "in");
    bool all = in == NULL || strcmp(in, "all") == 0;
    q->messages = all || strcmp(in, "messages") == 0;
    q->contacts = all || strcmp(in, "contacts") == 0;
    if (!q->messages && !q->contacts) {
        invalid_add(invalid, "in", "The selected in is invalid.");
    }
}

static void read_query(const request_t *r, invalid_t *invalid,
                       search_query_t *q)
{
    const char *before = request_query(r, "before");
    q->text = request_query(r, "q");
    if (q->text == NULL || q->text[strspn(q->text, " \t\r\n")] == '\0') {
        invalid_add(invalid, "q", "The q field is required.");
    } else if (count_chars(q->text) > CHARS_MAX) {
        invalid_add(invalid, "q",
                    "The q field must not be greater than %d characters.",
                    CHARS_MAX);
    }
    read_what(r, invalid, q);
    q->limit = page_limit(r, invalid);
    if (before != NULL && !parse_int(before, 1, INT64_MAX, &q->before)) {
        invalid_add(invalid, "before", "The before field is not a cursor.");
    }
}

/* All that the caller may see, or the one session that is named. */
static int read_sessions(const request_t *r, search_query_t *q)
{
    const char *wire = request_session(r);
    int rc = WERR_OK;
    if (wire == NULL || strcmp(wire, "*") == 0) {
        q->seen = r->user.role == ROLE_CS ? &r->visible : NULL;
        return rc;
    }
    rc = session_acting(r->db, r->options->domain, &r->user, &r->visible, wire,
                        &q->session);
    q->one = (session_set_t){.ids = &q->session, .n = 1};
    q->seen = &q->one;
    return rc;
}

static void write_snippet(void *arg, const char *body, size_t len, buf_t *out)
{
    search_snippet(arg, body, len, out, "snippet");
}

static int write_messages(const request_t *r, const search_query_t *q,
                          search_look_t *look, buf_t *out, int64_t *next)
{
    const media_viewer_t viewer = {r->options->domain, r->user.id};
    int64_t ids[PAGE_MAX + 1];
    size_t n = (size_t)q->limit + 1;
    int rc = search_find(look, q->seen, q->before, ids, &n);
    if (rc != WERR_OK) {
        return rc;
    }
    if (n > (size_t)q->limit) {
        n--;
        *next = ids[n - 1];
    }
    return message_write_list(r->db, &viewer, ids, n, write_snippet, look, out,
                              "messages");
}

/* With messages, contacts stand on the first page only: `before` and `next`
 * are of the messages then. */
static int write_contacts(const request_t *r, const search_query_t *q,
                          search_look_t *look, buf_t *out, int64_t *next)
{
    int64_t ids[PAGE_MAX + 1], last = 0;
    size_t n = (size_t)q->limit + 1;
    int rc = WERR_OK;
    if (q->messages && q->before != 0) {
        n = 0;
    } else {
        /* who has no chat is everybody's, but in no session */
        rc = search_people(look, q->seen, q->session == 0, q->before, ids, &n);
    }
    if (rc == WERR_OK && n > (size_t)q->limit) {
        n--;
        last = ids[n - 1];
    }
    if (rc == WERR_OK && !q->messages) {
        *next = last;
    }
    return rc == WERR_OK ? contact_write_list(r->db, ids, n, out, "contacts")
                         : rc;
}

static void write_none(buf_t *out, const char *key)
{
    jw_open_array(out, key);
    jw_close_array(out);
}

static int write_data(const request_t *r, const search_query_t *q, buf_t *out,
                      int64_t *next)
{
    search_look_t *look = NULL;
    int rc = search_begin(r->options->search, r->db, q->text, &look);
    jw_open_object(out, "data");
    if (rc == WERR_OK && q->messages) {
        rc = write_messages(r, q, look, out, next);
    } else {
        write_none(out, "messages");
    }
    if (rc == WERR_OK && q->contacts) {
        rc = write_contacts(r, q, look, out, next);
    } else {
        write_none(out, "contacts");
    }
    jw_close_object(out);
    search_end(&look);
    return rc;
}

static void answer(request_t *r, const search_query_t *q)
{
    buf_t *b = &r->response.body;
    int64_t next = 0;
    char text[24];
    jw_open_object(b, NULL);
    jw_bool(b, "success", true);
    int rc = write_data(r, q, b, &next);
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    snprintf(text, sizeof(text), "%lld", (long long)next);
    jw_open_object(b, "meta");
    jw_bool(b, "hasMore", next != 0);
    jw_str(b, "next", next != 0 ? text : NULL);
    jw_close_object(b);
    jw_close_object(b);
}

void route_search(request_t *r)
{
    invalid_t invalid = {0};
    search_query_t q = {0};
    read_query(r, &invalid, &q);
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    int rc = read_sessions(r, &q);
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
    } else if (rc != WERR_OK) {
        response_error(&r->response, rc);
    } else if (r->options->search == NULL) {
        response_busy(&r->response, "The search is not running.", 5);
    } else {
        answer(r, &q);
    }
}
