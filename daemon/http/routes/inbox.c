#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "domain/chat.h"
#include "http/paging.h"
#include "http/routes/routes.h"
#include "http/server.h"

#define SEARCH_MAX 200
#define BODY_MAX   (4u << 20)
/* Messages of the history whose chats a search shows. */
#define FOUND_MAX 1000

static inbox_filter_t read_filter(const char *name)
{
    if (name == NULL) {
        return INBOX_ALL;
    }
    if (strcmp(name, "unread") == 0) {
        return INBOX_UNREAD;
    }
    if (strcmp(name, "starred") == 0) {
        return INBOX_STARRED;
    }
    return strcmp(name, "failed") == 0 ? INBOX_FAILED : INBOX_ALL;
}

static void read_query(const request_t *r, invalid_t *invalid, inbox_query_t *q)
{
    memset(q, 0, sizeof(*q));
    q->filter = read_filter(request_query(r, "filter"));
    q->limit = page_limit(r, invalid);
    q->search = request_query(r, "search");
    if (q->search != NULL && strlen(q->search) > SEARCH_MAX) {
        invalid_add(invalid, "search",
                    "The search field must not be greater than %d bytes.",
                    SEARCH_MAX);
    } else if (q->search != NULL && *q->search == '\0') {
        q->search = NULL;
    }
    const char *before = request_query(r, "before");
    if (before != NULL && !cursor_read(before, &q->before_ts, &q->before_id)) {
        invalid_add(invalid, "before", "The before field is not a cursor.");
    }
}

/*
 * The sessions meant: "*" all visible ones, else the acting one; all visible
 * ones too where the caller has no acting session.
 */
static int read_sessions(const request_t *r, session_set_t *out)
{
    const char *wire = request_session(r);
    int rc = WERR_OK;
    if (wire != NULL && strcmp(wire, "*") == 0) {
        *out = r->visible;
        return rc;
    }
    rc = session_acting(r->db, r->options->domain, &r->user, &r->visible, wire,
                        &out->ids[0]);
    if (rc == WERR_OK) {
        out->n = 1;
    } else if (rc == WERR_NOTFOUND && wire == NULL) {
        *out = r->visible;
        rc = WERR_OK;
    }
    return rc;
}

/* All that decides what the body shows, but the data: figures and segments
 * move at midnight. */
static void write_key(const domain_t *d, const inbox_query_t *q, buf_t *key)
{
    int64_t today = clock_day_of(clock_now_ms(), d->settings.utc_offset_s);

    buf_addf(key, "%lld %d %d %lld %lld %zu ", (long long)today, (int)q->filter,
             q->limit, (long long)q->before_ts, (long long)q->before_id,
             q->sessions->n);
    for (size_t i = 0; i < q->sessions->n; i++) {
        buf_add(key, &q->sessions->ids[i], sizeof(q->sessions->ids[i]));
    }
    buf_addc(key, ' ');
    if (q->search != NULL) {
        buf_adds(key, q->search);
    }
}

/* The newest messages that the search field means, of one state with the
 * chats: *look is open until they are written. */
static int find_messages(const request_t *r, inbox_query_t *q,
                         int64_t found[FOUND_MAX], search_look_t **look)
{
    size_t n = FOUND_MAX;
    if (q->search == NULL || r->options->search == NULL) {
        return WERR_OK;
    }
    int rc = search_begin(r->options->search, r->db, q->search, look);
    if (rc == WERR_OK) {
        rc = search_find(*look, q->sessions, 0, found, &n);
    }
    q->messages = found;
    q->nmessages = rc == WERR_OK ? n : 0;
    return rc;
}

static int render(const request_t *r, const inbox_query_t *q, ready_t **out)
{
    bool more = false;
    int64_t ts = 0, id = 0;
    char next[CURSOR_MAX] = "";
    buf_t b;
    buf_init(&b, BODY_MAX);
    jw_open_object(&b, NULL);
    jw_bool(&b, "success", true);
    int64_t found[FOUND_MAX];
    search_look_t *look = NULL;
    inbox_query_t full = *q;
    int rc = find_messages(r, &full, found, &look);
    if (rc == WERR_OK) {
        rc = db_read_begin(r->db);
    }
    if (rc == WERR_OK) {
        rc = chat_inbox(r->db, r->options->domain, &full, &b, &more, &ts, &id);
        db_read_end(r->db);
    }
    search_end(&look);
    if (more) {
        cursor_write(ts, id, next);
    }
    jw_open_object(&b, "meta");
    jw_bool(&b, "hasMore", more);
    jw_str(&b, "next", more ? next : NULL);
    jw_close_object(&b);
    jw_close_object(&b);
    if (rc == WERR_OK) {
        *out = ready_new(&b);
        rc = *out != NULL ? WERR_OK : WERR_NOMEM;
    }
    buf_free(&b);
    return rc;
}

/* From the cache, or rendered for all who ask meanwhile. */
static int get_body(const request_t *r, const inbox_query_t *q, ready_t **out)
{
    cache_t *cache = r->server->cache;
    buf_t key;
    buf_init(&key, 0);
    write_key(r->options->domain, q, &key);
    if (key.failed) {
        buf_free(&key);
        return WERR_NOMEM;
    }
    /* Before the read begins: what is rendered is this old at most. Commits
     * and not events, as imports, settings and midnight raise none. */
    int64_t version = store_commits(r->options->domain->store);
    int rc = WERR_OK;
    *out = cache_get(cache, key.data, key.len, version);
    if (*out == NULL) {
        rc = render(r, q, out);
        if (rc == WERR_OK) {
            cache_fill(cache, key.data, key.len, version, *out);
        } else {
            cache_abandon(cache, key.data, key.len);
        }
    }
    buf_free(&key);
    return rc;
}

void route_inbox(request_t *r)
{
    invalid_t invalid = {0};
    inbox_query_t q;
    session_set_t sessions = {.n = 0};
    ready_t *ready = NULL;
    read_query(r, &invalid, &q);
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    int rc = read_sessions(r, &sessions);
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
        return;
    }
    q.sessions = &sessions;
    if (rc == WERR_OK) {
        rc = get_body(r, &q, &ready);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    response_ready(&r->response, ready, request_header(r, "If-None-Match"));
}
