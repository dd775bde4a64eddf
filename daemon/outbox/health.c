/*
 * health.c - are the sessions connected? Asks the gateways, connects again
 * what fell, tells what stays down.
 */
#include "outbox/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/event.h"
#include "domain/session.h"

#define READ_MS     5000
#define FIRST_MS    1000
#define BACKOFF_MS  5000
#define BACKOFF_MAX 300000
#define DOWN_MS     300000
#define URL_MAX     1024

DB_QUERY_SCAN(health_sessions,
              "SELECT s.id, a.name, s.remote_id, s.session_id, s.status, "
              "s.raw_status, s.down_since FROM sessions s "
              "JOIN accounts a ON a.id = s.account_id WHERE s.wanted = 1 "
              "ORDER BY s.id",
              "a small table: one row per WhatsApp number");

/* One that is to be connected. Times are monotonic but down_since. */
typedef struct {
    outbox_t *o;
    int64_t id; /* 0: a free place */
    const gateway_account_t *account;
    const gw_driver_t *driver;
    char remote[200], wire[300];
    bool seen; /* at the last reading */
    bool busy; /* a call is open */
    bool connected, fallen, warned;
    bool anew;          /* the next try makes it anew */
    bool making;        /* this one does */
    int64_t down_since; /* ms, 0: not down */
    int64_t next_poll, next_try;
    int64_t backoff;
} watched_t;

struct health_s {
    int64_t next_read;
    watched_t **sessions; /* calls keep the address of one while it is busy */
    size_t n;
};

int health_new(health_t **out)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL) {
        return WERR_NOMEM;
    }
    (*out)->next_read = clock_mono_ms() + FIRST_MS;
    return WERR_OK;
}

void health_free(health_t **h)
{
    for (size_t i = 0; *h != NULL && i < (*h)->n; i++) {
        free((*h)->sessions[i]);
    }
    if (*h != NULL) {
        free((*h)->sessions);
    }
    free(*h);
    *h = NULL;
}

/* ---- what is to be watched ---- */

/* Unlinked at the phone, or thrown out: no call brings it back. */
static bool is_logged_out(const char *raw)
{
    static const char *const words[] = {"logged_out",   "loggedout", "logout",
                                        "unpaired",     "unlinked",  "banned",
                                        "unauthorized", "deleted"};
    for (size_t i = 0; raw != NULL && i < sizeof(words) / sizeof(words[0]);
         i++) {
        if (strcasecmp(raw, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL: no memory. */
static watched_t *new_place(health_t *h)
{
    watched_t **sessions =
        realloc(h->sessions, (h->n + 1) * sizeof(*h->sessions));
    watched_t *w = NULL;
    if (sessions != NULL) {
        h->sessions = sessions;
        w = calloc(1, sizeof(*w));
    }
    if (w != NULL) {
        h->sessions[h->n++] = w;
    }
    return w;
}

static watched_t *place_of(health_t *h, int64_t id)
{
    watched_t *empty = NULL;
    for (size_t i = 0; i < h->n; i++) {
        watched_t *w = h->sessions[i];
        if (w->id == id) {
            return w;
        }
        if (w->id == 0 && empty == NULL) {
            empty = w;
        }
    }
    return empty != NULL ? empty : new_place(h);
}

static void begin_watch(outbox_t *o, watched_t *w, int64_t id, int64_t now)
{
    *w = (watched_t){.o = o, .id = id, .next_poll = now};
}

static void take_row(outbox_t *o, watched_t *w, db_stmt_t *s, int64_t now)
{
    const gateway_account_t *account =
        gateway_account(o->accounts, o->naccounts, db_text(s, 1));
    const char *status = db_text(s, 4);
    bool was_fallen = w->fallen;
    if (w->id == 0) {
        begin_watch(o, w, db_i64(s, 0), now);
    }
    w->seen = account != NULL;
    w->account = account;
    w->driver = account != NULL ? gw_driver(account->driver) : NULL;
    (void)snprintf(w->remote, sizeof(w->remote), "%s", db_text(s, 2));
    (void)snprintf(w->wire, sizeof(w->wire), "%s", db_text(s, 3));
    w->connected = strcmp(status, "connected") == 0;
    w->down_since = db_is_null(s, 6) ? 0 : db_i64(s, 6);
    w->fallen = strcmp(status, "disconnected") == 0 && w->down_since != 0 &&
                !is_logged_out(db_text(s, 5));
    if (w->connected) {
        w->backoff = 0;
        w->warned = false;
        w->anew = false;
    } else if (w->fallen && !was_fallen) {
        w->backoff = w->backoff == 0 ? BACKOFF_MS : w->backoff;
        w->next_try = now + w->backoff;
    }
}

static int read_sessions(outbox_t *o, int64_t now)
{
    health_t *h = o->health;
    db_stmt_t *s = db_stmt(o->db, &health_sessions);
    int rc;
    for (size_t i = 0; i < h->n; i++) {
        h->sessions[i]->seen = false;
    }
    while ((rc = db_step(s)) == DB_ROW) {
        watched_t *w = place_of(h, db_i64(s, 0));
        if (w == NULL) {
            db_done(s);
            return WERR_NOMEM;
        }
        take_row(o, w, s, now);
    }
    /* what could not be read is not gone */
    for (size_t i = 0; rc == DB_DONE && i < h->n; i++) {
        watched_t *w = h->sessions[i];
        if (!w->seen && !w->busy) {
            w->id = 0;
        }
    }
    return rc;
}

/* ---- what is told ---- */

typedef struct {
    int64_t id;
    const char *raw, *phone;
} told_t;

static int write_status(tx_t *tx, void *arg)
{
    const told_t *t = arg;
    int rc = session_set_status(tx, t->id, t->raw, t->phone);
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static void tell(watched_t *w, const char *raw, const char *phone)
{
    told_t t = {w->id, raw, phone};
    int rc = domain_write(w->o->domain, write_status, &t);
    if (rc < 0) {
        log_error("outbox", "msg=\"session status not kept\" error=%s",
                  log_str(werr_text(rc)));
    }
    w->o->health->next_read = 0; /* see what has become of it */
}

static int raise_down(tx_t *tx, void *arg)
{
    const watched_t *w = arg;
    return event_raise(tx, EVENT_SESSION_STATUS, w->id, 0, w->id);
}

static void warn_down(watched_t *w)
{
    int64_t down = clock_now_ms() - w->down_since;
    if (w->warned || w->connected || w->down_since == 0 || down < DOWN_MS) {
        return;
    }
    w->warned = true;
    log_warn("outbox", "msg=\"session stays down\" session=%s seconds=%lld",
             log_str(w->wire), (long long)(down / 1000));
    int rc = domain_write(w->o->domain, raise_down, w);
    if (rc < 0) {
        log_error("outbox", "msg=\"event not kept\" error=%s",
                  log_str(werr_text(rc)));
    }
}

/* ---- asking ---- */

static void on_status(void *arg, const gw_result_t *r)
{
    watched_t *w = arg;
    gw_answer_t answer;
    gw_session_t told;
    w->busy = false;
    if (!w->seen) {
        return;
    }
    if (r->http_status > 0) {
        outbox_reach(w->o, w->account)->away_since = 0;
    }
    if (r->http_status == 404) {
        /* what was there once, and is no more; else it was never made */
        if (w->connected) {
            tell(w, "disconnected", NULL);
        }
        return;
    }
    w->driver->status_reply(r->http_status, r->body, r->len, &answer, &told);
    if (answer.ok) {
        tell(w, told.status, told.phone[0] != '\0' ? told.phone : NULL);
    }
}

static void start(watched_t *w, int rc, gw_request_t *request, gw_done done)
{
    w->busy = true;
    if (rc == WERR_OK) {
        rc = gw_call(w->o->loop, w->account, request, done, w);
    } else {
        gw_request_free(request);
    }
    if (rc != WERR_OK) {
        w->busy = false;
        log_warn("outbox", "msg=\"session not asked\" session=%s error=%s",
                 log_str(w->wire), log_str(werr_text(rc)));
    }
}

static void poll_status(watched_t *w, int64_t now)
{
    gw_request_t request;
    w->next_poll = now + w->o->options.session_poll_ms;
    gw_request_init(&request);
    start(w, w->driver->session_status(w->account, w->remote, &request),
          &request, on_status);
}

/* ---- connecting again ---- */

static void later(watched_t *w)
{
    w->backoff = w->backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX : w->backoff * 2;
    w->next_try = clock_mono_ms() + w->backoff;
}

static void on_reconnect(void *arg, const gw_result_t *r)
{
    watched_t *w = arg;
    gw_answer_t answer;
    w->busy = false;
    later(w);
    if (!w->seen) {
        return;
    }
    w->driver->session_reply(r->http_status, r->body, r->len, &answer);
    if (answer.ok) {
        log_info("outbox", "msg=\"session reconnecting\" session=%s",
                 log_str(w->wire));
        w->next_poll = clock_mono_ms() + BACKOFF_MS;
        tell(w, "connecting", NULL);
        return;
    }
    log_info("outbox",
             "msg=\"session not reconnected\" session=%s status=%d again_s=%d",
             log_str(w->wire), r->http_status, (int)(w->backoff / 1000));
    if (!w->making && (r->http_status == 404 || r->http_status == 405)) {
        w->anew = w->o->options.public_url != NULL &&
                  w->account->webhook_path != NULL;
        w->next_try = clock_mono_ms() + (w->anew ? FIRST_MS : w->backoff);
    }
}

/* What the gateway cannot reconnect, or does not know, is made anew. */
static int reconnect_request(watched_t *w, gw_request_t *request)
{
    char url[URL_MAX];
    w->making = w->anew;
    if (!w->making) {
        return w->driver->session_reconnect(w->account, w->remote, request);
    }
    w->anew = false; /* the next time the other way */
    if ((size_t)snprintf(url, sizeof(url), "%s%s", w->o->options.public_url,
                         w->account->webhook_path) >= sizeof(url)) {
        return WERR_TOOBIG;
    }
    return w->driver->session_create(w->account, w->remote, url, request);
}

static void reconnect(watched_t *w)
{
    gw_request_t request;
    gw_request_init(&request);
    start(w, reconnect_request(w, &request), &request, on_reconnect);
    if (!w->busy) {
        later(w);
    }
}

/* ---- the tick ---- */

static void look(watched_t *w, int64_t now, int64_t *next)
{
    if (w->id == 0 || !w->seen) {
        return;
    }
    warn_down(w);
    if (w->busy || w->driver == NULL) {
        return;
    }
    if (w->fallen && now >= w->next_try) {
        reconnect(w);
    } else if (now >= w->next_poll) {
        poll_status(w, now);
    }
    if (!w->busy && w->next_poll < *next) {
        *next = w->next_poll;
    }
    if (!w->busy && w->fallen && w->next_try < *next) {
        *next = w->next_try;
    }
}

int health_tick(outbox_t *o, int64_t *next)
{
    health_t *h = o->health;
    int64_t now = clock_mono_ms();
    int rc = WERR_OK;
    *next = INT64_MAX;
    if (o->options.session_poll_ms <= 0) {
        return WERR_OK;
    }
    if (now >= h->next_read) {
        h->next_read = now + READ_MS;
        rc = read_sessions(o, now);
    }
    for (size_t i = 0; rc == WERR_OK && i < h->n; i++) {
        look(h->sessions[i], now, next);
    }
    if (h->next_read < *next) {
        *next = h->next_read;
    }
    return rc;
}
