#include <string.h>

#include "domain/chat.h"
#include "http/paging.h"
#include "http/routes/routes.h"
#include "http/server.h"

#define SEARCH_MAX 200
#define BODY_MAX   (4u << 20)

/* What is asked for, of which sessions, and when. */
typedef struct {
    int64_t day;
    inbox_query_t q;
    const char *search; /* NULL: none */
    session_set_t sessions;
    int64_t one;
} asked_t;

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

static void read_query(const request_t *r, invalid_t *invalid, asked_t *a)
{
    memset(a, 0, sizeof(*a));
    a->q.filter = read_filter(request_query(r, "filter"));
    a->q.limit = page_limit(r, invalid);
    a->q.sessions = &a->sessions;
    a->search = request_query(r, "search");
    if (a->search != NULL && strlen(a->search) > SEARCH_MAX) {
        invalid_add(invalid, "search",
                    "The search field must not be greater than %d bytes.",
                    SEARCH_MAX);
    } else if (a->search != NULL &&
               a->search[strspn(a->search, " \t\r\n")] == '\0') {
        a->search = NULL;
    }
    const char *before = request_query(r, "before");
    if (before != NULL &&
        !cursor_read(before, &a->q.before_ts, &a->q.before_id)) {
        invalid_add(invalid, "before", "The before field is not a cursor.");
    }
}

/*
 * The sessions meant: "*" all visible ones, else the acting one; all visible
 * ones too where the caller has no acting session.
 */
static int read_sessions(const request_t *r, asked_t *a)
{
    const char *wire = request_session(r);
    int rc = WERR_OK;
    a->sessions = (session_set_t){.ids = r->visible.ids, .n = r->visible.n};
    if (wire != NULL && strcmp(wire, "*") == 0) {
        return rc;
    }
    rc = session_acting(r->db, r->options->domain, &r->user, &r->visible, wire,
                        &a->one);
    if (rc == WERR_OK) {
        a->sessions = (session_set_t){.ids = &a->one, .n = 1};
    } else if (rc == WERR_NOTFOUND && wire == NULL) {
        rc = WERR_OK;
    }
    return rc;
}

/* All that decides what the body shows, but the data: figures and segments
 * move at midnight. */
static void write_key(const asked_t *a, buf_t *key)
{
    buf_addf(key, "%lld %d %d %lld %lld %zu ", (long long)a->day,
             (int)a->q.filter, a->q.limit, (long long)a->q.before_ts,
             (long long)a->q.before_id, a->sessions.n);
    for (size_t i = 0; i < a->sessions.n; i++) {
        buf_add(key, &a->sessions.ids[i], sizeof(a->sessions.ids[i]));
    }
    buf_addc(key, ' ');
    if (a->search != NULL) {
        buf_adds(key, a->search);
    }
}

/* What the list is of: a change of anything else leaves it as it is. The
 * index of a search is nobody's row. */
static store_topics_t topics_of(const asked_t *a)
{
    store_topics_t topics = STORE_ACCESS; /* and the names of sessions */

    for (size_t i = 0; i < a->sessions.n; i++) {
        topics |= store_topic_session(a->sessions.ids[i]);
    }
    return a->search != NULL ? STORE_ANY_COMMIT : topics;
}

static int look_into(void *arg, int64_t chat, int64_t contact, bool open,
                     bool *hit)
{
    return search_in_chat(arg, chat, contact, open, hit);
}

/* What the search field means, of one state with the chats; the look stays
 * open until they are written. */
static int find_hits(const request_t *r, const asked_t *a, search_look_t **look,
                     inbox_search_t *found)
{
    search_hits_t hits = {0};
    int rc = search_begin(r->options->search, r->db, a->search, look);
    if (rc == WERR_OK) {
        rc = search_hits(*look, &hits);
    }
    *found = (inbox_search_t){
        .chats = hits.chats,
        .contacts = hits.contacts,
        .nchats = hits.nchats,
        .ncontacts = hits.ncontacts,
        .partial = !hits.all,
        .has = look_into,
        .arg = *look,
    };
    return rc;
}

static int write_chats(const request_t *r, const asked_t *a, buf_t *b,
                       bool *more, int64_t *ts, int64_t *id)
{
    inbox_query_t q = a->q;
    search_look_t *look = NULL;
    inbox_search_t found;
    int rc = WERR_OK;
    if (a->search != NULL) {
        rc = find_hits(r, a, &look, &found);
        q.search = &found;
    }
    if (rc == WERR_OK) {
        rc = db_read_begin(r->db);
    }
    if (rc == WERR_OK) {
        rc = chat_inbox(r->db, r->options->domain, &q, b, more, ts, id);
        db_read_end(r->db);
    }
    search_end(&look);
    return rc;
}

static int render(const request_t *r, asked_t *a, int64_t version,
                  ready_t **out)
{
    bool more = false;
    int64_t ts = 0, id = 0;
    char next[CURSOR_MAX] = "";
    buf_t b;
    a->q.lines = r->server->lines;
    a->q.version = version;
    buf_init(&b, BODY_MAX);
    jw_open_object(&b, NULL);
    jw_bool(&b, "success", true);
    int rc = write_chats(r, a, &b, &more, &ts, &id);
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
static int get_body(const request_t *r, asked_t *a, const buf_t *key,
                    ready_t **out)
{
    cache_t *cache = r->server->cache;
    store_t *store = r->options->domain->store;
    int64_t needed = store_changed(store, topics_of(a));
    int rc = WERR_OK;
    if (db_lost(r->db)) {
        return WERR_NOMEM; /* whose list it is was read before */
    }
    *out = cache_get(cache, key->data, key->len, needed);
    if (*out == NULL) {
        /* Before the read begins: what is rendered is this old at most. */
        int64_t version = store_version(store);
        version = version > needed ? version : needed;
        rc = render(r, a, version, out);
        if (rc == WERR_OK && db_lost(r->db)) {
            ready_unref(out);
            rc = WERR_NOMEM;
        }
        if (rc == WERR_OK) {
            cache_fill(cache, key->data, key->len, version, *out);
        } else {
            cache_abandon(cache, key->data, key->len);
        }
    }
    return rc;
}

/* For the next time that it is asked for so: the I/O thread knows then what
 * it is. Nobody types the same search again. */
static void keep_view(const request_t *r, const asked_t *a, const buf_t *key)
{
    view_t view = {
        .topics = topics_of(a),
        .day = a->day,
        .len = key->len,
    };
    const view_ask_t ask = {
        .user = r->identity.user,
        .session = request_header(r, "X-Session-Id"),
        .target = r->target,
    };
    if (ask.user == 0 || a->search != NULL || key->len > sizeof(view.key)) {
        return;
    }
    memcpy(view.key, key->data, key->len);
    views_keep(r->server->views, &ask, &view, r->version);
}

static int find_body(const request_t *r, asked_t *a, ready_t **out)
{
    buf_t key;
    buf_init(&key, 0);
    write_key(a, &key);
    int rc = key.failed ? WERR_NOMEM : get_body(r, a, &key, out);
    if (rc == WERR_OK) {
        keep_view(r, a, &key);
    }
    buf_free(&key);
    return rc;
}

void route_inbox(request_t *r)
{
    invalid_t invalid = {0};
    asked_t asked;
    ready_t *ready = NULL;
    read_query(r, &invalid, &asked);
    asked.day = domain_today(r->options->domain);
    if (invalid_answer(&invalid, &r->response)) {
        return;
    }
    if (asked.search != NULL && r->options->search == NULL) {
        response_busy(&r->response, "The search is not running.", 5);
        return;
    }
    int rc = read_sessions(r, &asked);
    if (rc == WERR_NOTFOUND) {
        response_not_found(&r->response, "Session not found.");
        return;
    }
    if (rc == WERR_OK) {
        rc = find_body(r, &asked, &ready);
    }
    if (rc != WERR_OK) {
        response_error(&r->response, rc);
        return;
    }
    response_ready(&r->response, ready, request_header(r, "If-None-Match"));
}
