#include "outbox/backfill.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/backfill.h"

#define CALLS_MAX     2
#define FAILED_MS     1000
#define LIMITED_MS    INT64_C(15000)
#define LIMITED_TOP_S 600

/* One page on its way. */
typedef struct {
    backfill_t *b;
    bool used;
    backfill_task_t task;
    const gateway_account_t *account;
    const gw_driver_t *driver;
} page_t;

struct backfill_s {
    domain_t *domain;
    db_t *db;
    const gateway_account_t *accounts;
    size_t naccounts;
    outbox_counters_t *counters;
    page_t pages[CALLS_MAX];
    size_t inflight;
    int64_t next_start; /* monotonic ms */
};

int backfill_new(backfill_t **out, domain_t *d, db_t *db,
                 const gateway_account_t *accounts, size_t n,
                 outbox_counters_t *counters)
{
    backfill_t *b = calloc(1, sizeof(*b));

    *out = b;
    if (!b) {
        return WERR_NOMEM;
    }
    b->domain = d;
    b->db = db;
    b->accounts = accounts;
    b->naccounts = n;
    b->counters = counters;
    for (size_t i = 0; i < CALLS_MAX; i++) {
        b->pages[i].b = b;
    }
    return WERR_OK;
}

void backfill_free(backfill_t **b)
{
    free(*b);
    *b = NULL;
}

/* ---- failures ---- */

typedef struct {
    const backfill_task_t *task;
    backfill_failure_t how;
    const char *reason;
    int64_t wait;
} failure_t;

static int write_failure(tx_t *tx, void *arg)
{
    const failure_t *f = arg;

    return backfill_failed(tx, f->task, f->how, f->reason, f->wait);
}

static void fail(backfill_t *b, const backfill_task_t *task,
                 backfill_failure_t how, const char *reason, int64_t wait)
{
    failure_t f = {task, how, reason, wait};
    int rc = domain_write(b->domain, write_failure, &f);

    b->next_start = clock_mono_ms() + FAILED_MS;
    atomic_fetch_add(&b->counters->history_failed, 1);
    log_warn("outbox",
             "msg=\"history not fetched\" session=%" PRId64 " chat=%" PRId64
             " page=%" PRId64 " reason=%s",
             task->session, task->chat, task->page, log_str(reason));
    if (rc < 0 && rc != WERR_NOTFOUND) {
        log_error("outbox", "msg=\"history: database\" error=%s",
                  log_str(werr_text(rc)));
    }
}

static void on_failure(const page_t *f, const gw_result_t *r)
{
    char reason[80];
    int64_t wait = 0;
    backfill_failure_t how = BACKFILL_AGAIN;

    if (r->http_status == 429 || r->http_status == 503) {
        int s =
            r->retry_after_s < LIMITED_TOP_S ? r->retry_after_s : LIMITED_TOP_S;

        how = r->http_status == 429 ? BACKFILL_WAIT : BACKFILL_AGAIN;
        wait = s > 0 ? (int64_t)s * 1000 : LIMITED_MS;
    } else if (r->http_status >= 400 && r->http_status < 500 &&
               r->http_status != 401 && r->http_status != 408) {
        how = BACKFILL_REFUSED;
    }
    if (r->http_status == 0) {
        (void)snprintf(reason, sizeof(reason), "%s",
                       r->timed_out ? "the gateway did not answer in time"
                                    : "no connection to the gateway");
    } else if (r->http_status == 200) {
        (void)snprintf(reason, sizeof(reason),
                       "the gateway's answer cannot be read");
    } else {
        (void)snprintf(reason, sizeof(reason), "the gateway answered %d",
                       r->http_status);
    }
    fail(f->b, &f->task, how, reason, wait);
}

/* ---- what a page brings ---- */

typedef struct {
    const backfill_task_t *task;
    backfill_chat_t *chats;
    size_t n, cap, lines;
    bool failed; /* no memory */
} chats_t;

static void take_chat(void *arg, const gw_chat_t *c)
{
    chats_t *list = arg;
    backfill_chat_t *to;

    if (c->group || !c->id[0] || (!c->phone[0] && !c->alias[0])) {
        return;
    }
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        backfill_chat_t *more = realloc(list->chats, cap * sizeof(*more));

        if (!more) {
            list->failed = true;
            return;
        }
        list->chats = more;
        list->cap = cap;
    }
    to = &list->chats[list->n++];
    memset(to, 0, sizeof(*to));
    (void)snprintf(to->jid, sizeof(to->jid), "%s", c->id);
    (void)snprintf(to->phone, sizeof(to->phone), "%s", c->phone);
    /* cut it would be somebody else's */
    if (strlen(c->alias) < sizeof(to->alias)) {
        (void)snprintf(to->alias, sizeof(to->alias), "%.*s",
                       (int)sizeof(to->alias) - 1, c->alias);
    }
    (void)snprintf(to->name, sizeof(to->name), "%s", c->name);
    to->ts = c->ts;
    if (!to->phone[0] && !to->alias[0]) {
        list->n--;
    }
}

static int write_chats(tx_t *tx, void *arg)
{
    const chats_t *list = arg;

    return backfill_apply_chats(tx, list->task, list->chats, list->n,
                                list->lines);
}

static int apply_chats(const page_t *f, const gw_result_t *r)
{
    chats_t list = {.task = &f->task};
    int rc = WERR_INVALID;

    if (f->driver->chats_reply(r->http_status, r->body, r->len, take_chat,
                               &list, &list.lines)) {
        rc = list.failed ? WERR_NOMEM
                         : domain_write(f->b->domain, write_chats, &list);
    }
    free(list.chats);
    return rc;
}

typedef struct {
    const backfill_task_t *task;
    backfill_message_t *messages;
    media_t *media;
    size_t n, lines;
    char phone[ALIAS_MAX]; /* of the chat that was asked for */
    jid_kind_t kind;
} messages_t;

static void take_message(messages_t *list, const gw_event_t *ev)
{
    backfill_message_t *m = &list->messages[list->n];
    media_t *media = &list->media[list->n];
    bool whose = ev->phone || ev->alias;

    if (ev->kind != GW_MESSAGE) {
        return;
    }
    memset(m, 0, sizeof(*m));
    m->phone = whose || list->kind != JID_PHONE ? ev->phone : list->phone;
    m->alias = whose || list->kind != JID_ALIAS ? ev->alias : list->phone;
    if (!m->phone && !m->alias) {
        return;
    }
    m->name = ev->push_name;
    m->status = ev->status;
    m->in.from_me = ev->from_me;
    m->in.wa_id = ev->wa_id;
    m->in.ts = ev->ts;
    m->in.type = ev->type;
    m->in.text = ev->text;
    m->in.reply_to = ev->reply_to;
    if (ev->media_url || ev->media_mime || ev->media_name) {
        *media = (media_t){.remote_url = ev->media_url,
                           .mime = ev->media_mime,
                           .filename = ev->media_name,
                           .size = ev->media_size};
        m->in.media = media;
    }
    list->n++;
}

static int write_messages(tx_t *tx, void *arg)
{
    const messages_t *list = arg;

    return backfill_apply_messages(tx, list->task, list->messages, list->n,
                                   list->lines);
}

static int apply_messages(const page_t *f, const gw_result_t *r)
{
    messages_t list = {.task = &f->task};
    gw_events_t events;
    int rc =
        f->driver->messages_reply(r->http_status, r->body, r->len, &events);

    if (rc != WERR_OK) {
        return rc;
    }
    list.kind = phone_from_jid(f->task.jid, strlen(f->task.jid), list.phone);
    list.lines = events.n;
    list.messages = calloc(events.n + 1, sizeof(*list.messages));
    list.media = calloc(events.n + 1, sizeof(*list.media));
    if (!list.messages || !list.media) {
        rc = WERR_NOMEM;
    } else {
        for (size_t i = 0; i < events.n; i++) {
            take_message(&list, &events.items[i]);
        }
        rc = domain_write(f->b->domain, write_messages, &list);
    }
    free(list.messages);
    free(list.media);
    gw_events_free(&events);
    return rc;
}

static void on_page(void *arg, const gw_result_t *r)
{
    page_t *f = arg;
    backfill_t *b = f->b;
    int rc = WERR_INVALID;

    if (r->http_status == 200) {
        rc = f->task.chat == 0 ? apply_chats(f, r) : apply_messages(f, r);
    }
    if (rc == WERR_INVALID) {
        on_failure(f, r);
    } else if (rc < 0 && rc != WERR_NOTFOUND) {
        fail(b, &f->task, BACKFILL_AGAIN, werr_text(rc), LIMITED_MS);
    }
    f->used = false;
    b->inflight--;
}

/* ---- starts ---- */

static int build(const page_t *f, gw_request_t *request)
{
    const backfill_task_t *t = &f->task;

    if (t->chat == 0) {
        return f->driver->list_chats(f->account, t->remote, (int)t->page,
                                     BACKFILL_PAGE, request);
    }
    return f->driver->list_messages(f->account, t->remote, t->jid, (int)t->page,
                                    BACKFILL_PAGE, request);
}

static void start(page_t *f, gw_client_t *client)
{
    backfill_t *b = f->b;
    gw_request_t request;

    gw_request_init(&request);
    if (build(f, &request) != WERR_OK) {
        gw_request_free(&request);
        fail(b, &f->task, BACKFILL_REFUSED, "no such request can be made", 0);
        return;
    }
    if (gw_call(client, f->account, &request, on_page, f) != WERR_OK) {
        fail(b, &f->task, BACKFILL_AGAIN, "the call could not be started", 0);
        return;
    }
    f->used = true;
    b->inflight++;
    b->next_start = clock_mono_ms() + f->account->backfill_gap_ms;
    atomic_fetch_add(&b->counters->history_calls, 1);
}

/* The next page, prepared in f. */
static int find(backfill_t *b, page_t *f, int64_t *next_due)
{
    const gateway_account_t *account = NULL;
    int64_t busy[CALLS_MAX];
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (b->pages[i].used) {
            busy[n++] = b->pages[i].task.chat;
            account = b->pages[i].account;
        }
    }
    rc = backfill_next(b->db, clock_now_ms(), busy, n, &f->task, next_due);
    if (rc != WERR_OK) {
        return rc;
    }
    f->account = gateway_account(b->accounts, b->naccounts, f->task.account);
    f->driver = f->account ? gw_driver(f->account->driver) : NULL;
    return n > 0 && f->account != account ? WERR_NOTFOUND : WERR_OK;
}

static bool can_tell(const page_t *f)
{
    return f->account && f->account->backfill && f->driver &&
           f->driver->list_chats && f->driver->list_messages;
}

static page_t *free_page(backfill_t *b)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (!b->pages[i].used) {
            return &b->pages[i];
        }
    }
    return NULL;
}

int backfill_step(backfill_t *b, gw_client_t *client, int64_t *wait)
{
    int64_t next_due, left;
    page_t *f;
    int rc;

    *wait = INT64_MAX;
    f = free_page(b);
    if (!f) {
        return WERR_OK;
    }
    rc = find(b, f, &next_due);
    if (rc == WERR_NOTFOUND) {
        if (next_due != INT64_MAX) {
            left = next_due - clock_now_ms();
            *wait = left > 0 ? left : 0;
        }
        return WERR_OK;
    }
    if (rc != WERR_OK) {
        return rc;
    }
    left = b->next_start - clock_mono_ms();
    if (left > 0) {
        *wait = left;
        return WERR_OK;
    }
    if (can_tell(f)) {
        start(f, client);
    } else {
        fail(b, &f->task, BACKFILL_NEVER, "this gateway tells no history", 0);
    }
    left = b->next_start - clock_mono_ms();
    *wait = left > 0 ? left : 0;
    return WERR_OK;
}
