/* Pages of a gateway's history into the CRM. */
#include <stdlib.h>
#include <string.h>

#include "domain/backfill.h"
#include "domain/backfill_run.h"
#include "domain/chat_changes.h"
#include "domain/contact.h"
#include "domain/event.h"

/* The webhook brings it, or has: as a new message, with all that follows. */
#define LIVE_MS INT64_C(120000)
/* Whoever was talked with before that is no newcomer. */
#define KNOWN_MS INT64_C(600000)
#define SKEW_MS  INT64_C(300000)

DB_QUERY(backfill_page_of_run,
         "SELECT page FROM backfills WHERE session_id = $1 "
         "AND requested_at = $2 AND state = 'chats'");
DB_QUERY(backfill_page_of_chat,
         "SELECT page FROM backfill_chats WHERE id = $1 AND done = 0");
DB_QUERY(backfill_chat_insert,
         "INSERT INTO backfill_chats (session_id, jid, done) "
         "VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
DB_QUERY(backfill_chat_ts, "SELECT last_ts FROM chats WHERE session_id = $1 "
                           "AND contact_id = $2");
DB_QUERY(backfill_chats_fetched, "UPDATE backfills SET state = $2, page = $3, "
                                 "failures = 0, error = NULL, updated_at = $4 "
                                 "WHERE session_id = $1");
DB_QUERY(backfill_chat_fetched,
         "UPDATE backfill_chats SET page = $2, oldest = $3, done = $4 "
         "WHERE id = $1");
DB_QUERY(backfill_messages_fetched,
         "UPDATE backfills SET messages = messages + $2, left_out = left_out "
         "+ $3, failures = 0, error = NULL, updated_at = $4 "
         "WHERE session_id = $1");
DB_QUERY(backfill_message_status,
         "UPDATE messages SET status = $2 WHERE id = $1");

/* Is it still the page that is wanted? WERR_NOTFOUND: not any more. */
static int check_page(db_stmt_t *s, int64_t page)
{
    int rc = db_first(s);
    int64_t fetched;

    if (rc != DB_ROW) {
        return rc;
    }
    fetched = db_i64(s, 0);
    db_done(s);
    return fetched == page - 1 ? WERR_OK : WERR_NOTFOUND;
}

static bool told(const char *s)
{
    return s != NULL && *s != '\0';
}

/* ---- chats ---- */

/* A number is no name. */
static const char *name_of(const backfill_chat_t *c)
{
    return c->name[strspn(c->name, "+0123456789 -().@")] != '\0' ? c->name
                                                                 : NULL;
}

/* Whether nothing was said that we have not: times are told in seconds. */
static int is_known(tx_t *tx, int64_t session, const backfill_chat_t *c,
                    bool *out)
{
    db_stmt_t *s;
    int64_t contact = 0;
    int rc =
        contact_find(tx->db, told(c->phone) ? c->phone : c->alias, &contact);

    *out = false;
    if (rc != WERR_OK) {
        return rc == WERR_NOTFOUND ? WERR_OK : rc;
    }
    rc = chat_flush(tx);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &backfill_chat_ts);
    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, contact);
    rc = db_first(s);
    if (rc == DB_ROW) {
        *out = c->ts > 0 && c->ts / 1000 <= db_i64(s, 0) / 1000;
        db_done(s);
    }
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

/* The line of the inbox is there before its messages are. */
static int introduce(tx_t *tx, int64_t session, const backfill_chat_t *c)
{
    contact_hint_t hint = {
        .phone = c->phone, .alias = c->alias, .name = name_of(c), .past = true};
    contact_ref_t contact;
    chat_entry_t *chat;
    bool created;
    int rc = contact_ensure(tx, &hint, &contact);

    if (rc != WERR_OK) {
        return rc;
    }
    /* It is one of the phone's. */
    rc = chat_touch_live(tx, session, contact.id, c->ts, &chat, &created);
    if (rc != WERR_OK || (!created && chat->live)) {
        return rc;
    }
    chat_note_live(chat);
    return event_raise(tx, EVENT_CHAT, session, chat->id, 0);
}

static int take_chat(tx_t *tx, const backfill_task_t *task,
                     const backfill_chat_t *c, size_t *listed)
{
    db_stmt_t *s;
    bool known = false;
    int rc = task->deep ? WERR_OK : is_known(tx, task->session, c, &known);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &backfill_chat_insert);
    db_bind_i64(s, 1, task->session);
    db_bind_text(s, 2, c->jid);
    db_bind_i64(s, 3, known);
    rc = db_exec(s);
    if (rc != WERR_OK || db_changes(tx->db) == 0) {
        return rc;
    }
    (*listed)++;
    if (c->ts <= 0 || c->ts > tx->now - KNOWN_MS) {
        return WERR_OK;
    }
    return introduce(tx, task->session, c);
}

int backfill_apply_chats(tx_t *tx, const backfill_task_t *task,
                         const backfill_chat_t *chats, size_t n, size_t lines)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_page_of_run);
    size_t listed = 0;
    bool last;
    int rc;

    db_bind_i64(s, 1, task->session);
    db_bind_i64(s, 2, task->requested_at);
    rc = check_page(s, task->page);
    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        rc = take_chat(tx, task, &chats[i], &listed);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    /* nothing new: the gateway knows no pages */
    last = lines < BACKFILL_PAGE || (n > 0 && listed == 0) ||
           task->page >= BACKFILL_CHAT_PAGES;
    s = db_stmt(tx->db, &backfill_chats_fetched);
    db_bind_i64(s, 1, task->session);
    db_bind_text(s, 2, last ? "messages" : "chats");
    db_bind_i64(s, 3, task->page);
    db_bind_i64(s, 4, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK ? backfill_settle(tx, task->session) : rc;
}

/* ---- messages ---- */

typedef struct {
    int64_t created, left_out;
    int64_t oldest;
    int64_t told_chat; /* of the last event */
} page_t;

/* The ticks as the gateway tells them: no event for each. */
static int take_status(tx_t *tx, const backfill_message_t *m, int64_t id)
{
    status_t status;
    db_stmt_t *s;

    if (!m->in.from_me || !told(m->status) ||
        !status_parse(m->status, &status) || status <= STATUS_SENT ||
        status > STATUS_PLAYED) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &backfill_message_status);
    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, status);
    return db_exec(s);
}

static int store(tx_t *tx, const backfill_message_t *m, page_t *p)
{
    contact_hint_t hint = {.phone = m->phone,
                           .alias = m->alias,
                           .name = m->in.from_me ? NULL : m->name,
                           .wrote = !m->in.from_me,
                           .past = true};
    contact_ref_t contact;
    message_ref_t ref;
    int rc = contact_ensure(tx, &hint, &contact);

    if (rc != WERR_OK) {
        return rc;
    }
    rc = message_receive(tx, contact.id, &m->in, &ref);
    if (rc != WERR_OK || !ref.created) {
        return rc;
    }
    rc = take_status(tx, m, ref.id);
    if (rc == WERR_OK && p->told_chat != ref.chat) {
        p->told_chat = ref.chat;
        rc = event_raise(tx, EVENT_CHAT, m->in.session, ref.chat, 0);
    }
    p->created += rc == WERR_OK; /* what is rolled back does not count */
    return rc;
}

static int take_message(tx_t *tx, const backfill_task_t *task,
                        backfill_message_t *m, page_t *p)
{
    message_ref_t known;
    int64_t mark;
    int rc;

    m->in.session = task->session;
    m->in.live = false;
    m->in.history = true;
    m->in.received = tx->now;
    if (m->in.ts > tx->now + SKEW_MS) {
        m->in.ts = tx->now;
    }
    if (!m->in.from_me && m->in.ts > tx->now - LIVE_MS) {
        return WERR_OK;
    }
    rc = message_known(tx->db, task->session, m->in.from_me, m->in.wa_id,
                       &known);
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    rc = domain_savepoint(tx, &mark);
    if (rc != WERR_OK) {
        return rc;
    }
    rc = store(tx, m, p);
    if (rc == WERR_OK) {
        return domain_release(tx);
    }
    if (werr_is_fault(rc)) {
        return rc;
    }
    p->left_out++;
    p->told_chat = 0;
    return domain_rollback(tx, mark);
}

static int by_time(const void *a, const void *b)
{
    const backfill_message_t *x = a, *y = b;

    return (x->in.ts > y->in.ts) - (x->in.ts < y->in.ts);
}

/* Is there more of this chat behind this page? */
static bool is_last(const backfill_task_t *task, const page_t *p, size_t lines)
{
    if (lines < BACKFILL_PAGE || task->page >= BACKFILL_PAGES) {
        return true;
    }
    if (task->page > 1 && p->oldest >= task->oldest) {
        return true; /* the same again: the gateway knows no pages */
    }
    return !task->deep && p->created == 0;
}

static int note_page(tx_t *tx, const backfill_task_t *task, const page_t *p,
                     bool last)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_chat_fetched);
    int rc;

    db_bind_i64(s, 1, task->chat);
    db_bind_i64(s, 2, task->page);
    db_bind_i64(s, 3, p->oldest);
    db_bind_i64(s, 4, last);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &backfill_messages_fetched);
    db_bind_i64(s, 1, task->session);
    db_bind_i64(s, 2, p->created);
    db_bind_i64(s, 3, p->left_out);
    db_bind_i64(s, 4, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK ? backfill_settle(tx, task->session) : rc;
}

int backfill_apply_messages(tx_t *tx, const backfill_task_t *task,
                            backfill_message_t *messages, size_t n,
                            size_t lines)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_page_of_chat);
    page_t p = {.left_out = (int64_t)(lines - n), .oldest = task->oldest};
    int rc;

    db_bind_i64(s, 1, task->chat);
    rc = check_page(s, task->page);
    if (rc != WERR_OK) {
        return rc;
    }
    if (n > 0) {
        qsort(messages, n, sizeof(*messages), by_time);
        p.oldest = messages[0].in.ts;
    }
    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        rc = take_message(tx, task, &messages[i], &p);
    }
    return rc == WERR_OK ? note_page(tx, task, &p, is_last(task, &p, lines))
                         : rc;
}
