#include "domain/schedule.h"

#include "domain/chat_changes.h"
#include "domain/delivery.h"
#include "domain/event.h"
#include "domain/media.h"
#include "domain/message.h"
#include "domain/user.h"

#define LIMIT_MAX 200
#define ONCE_MAX  100
#define MOMENT_MS 1000

DB_QUERY(schedule_first, "SELECT min(not_before) FROM outbox WHERE state = 7");
DB_QUERY(schedule_due, "SELECT o.id, o.message_id, o.session_id, o.chat_id, "
                       "coalesce(m.cs_id, 0) FROM outbox o "
                       "JOIN messages m ON m.id = o.message_id "
                       "WHERE o.state = 7 AND o.not_before <= $1 "
                       "ORDER BY o.not_before, o.id LIMIT $2");
DB_QUERY(schedule_session, "SELECT wanted FROM sessions WHERE id = $1");
DB_QUERY(schedule_chat,
         "SELECT coalesce(last_message_id, 0), last_ts FROM chats "
         "WHERE id = $1");
DB_QUERY(schedule_say, "UPDATE messages SET status = 0, ts = CASE WHEN $2 > 0 "
                       "THEN $2 ELSE created_at END WHERE id = $1");
/* A new number: behind what has been queued meanwhile. */
DB_QUERY(schedule_leave,
         "INSERT INTO outbox (kind, message_id, session_id, chat_id, state, "
         "not_before, first, created_at, updated_at) SELECT 'message', "
         "message_id, session_id, chat_id, 0, $2, $3, $2, $2 "
         "FROM outbox WHERE id = $1");
DB_QUERY(schedule_drop, "DELETE FROM outbox WHERE id = $1");
DB_QUERY(schedule_when, "UPDATE outbox SET not_before = $2, updated_at = $3 "
                        "WHERE message_id = $1 AND state = 7");
DB_QUERY(schedule_shown, "UPDATE messages SET scheduled_at = $2, ts = $2 "
                         "WHERE id = $1");
DB_QUERY(schedule_withdraw, "DELETE FROM outbox WHERE message_id = $1 "
                            "AND state IN (0, 7)");
/* Those behind it were put off with it. */
DB_QUERY(schedule_wake,
         "UPDATE outbox SET not_before = $3 WHERE id IN (SELECT o.id FROM "
         "outbox o WHERE o.session_id = $1 AND o.chat_id = $2 AND o.state < 4 "
         "AND o.state = 0 AND o.attempts = 0 AND o.not_before > $3)");
DB_QUERY(schedule_cancelled,
         "UPDATE messages SET ts = CASE WHEN ts < $2 THEN ts ELSE $2 END "
         "WHERE id = $1");
DB_QUERY(schedule_rows,
         "SELECT o.not_before, o.id, o.message_id, o.session_id FROM outbox o "
         "WHERE o.state = 7 AND (o.not_before, o.id) > ($1, $2) "
         "ORDER BY o.not_before, o.id");

static int run(tx_t *tx, const db_query_t *q, int64_t a, int64_t b)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, a);
    if (b >= 0) {
        db_bind_i64(s, 2, b);
    }
    return db_exec(s);
}

/* The first column of the only row. */
static int one(db_t *db, const db_query_t *q, int64_t a, int64_t *out)
{
    db_stmt_t *s = db_stmt(db, q);

    db_bind_i64(s, 1, a);
    return db_first_i64(s, out);
}

int schedule_next(db_t *db, int64_t *next)
{
    return db_first_min(db_stmt(db, &schedule_first), next);
}

int schedule_surface(tx_t *tx, message_row_t *m, int64_t ts)
{
    int rc = run(tx, &schedule_say, m->id, ts);

    if (rc == WERR_OK) {
        m->status = STATUS_QUEUED;
        rc = chat_settle_last(tx, m->chat);
    }
    return rc;
}

/* ---- when it is due ---- */

typedef struct {
    int64_t id, message, session, chat, cs;
} due_t;

/* Why it may not leave any more. */
typedef struct {
    const char *code, *title; /* NULL: it may */
} refusal_t;

/* Who wrote it may have been disabled, or have lost the number. */
static int check_author(tx_t *tx, const due_t *d, refusal_t *no)
{
    session_set_t visible = {0};
    user_t user;
    bool sees = false;
    int rc = d->cs != 0 ? user_get(tx->db, d->cs, &user) : WERR_OK;

    if (d->cs == 0 || (rc != WERR_OK && rc != WERR_NOTFOUND)) {
        return rc;
    }
    if (rc == WERR_OK && user.active) {
        rc = session_visible(tx->db, &user, &visible);
        sees = rc == WERR_OK && session_set_has(&visible, d->session);
        session_set_free(&visible);
    } else if (rc == WERR_NOTFOUND) {
        rc = WERR_OK;
    }
    if (rc != WERR_OK || sees) {
        return rc;
    }
    *no = (refusal_t){"not_allowed", "Who scheduled it may not send from this "
                                     "number any more."};
    return WERR_OK;
}

static int check(tx_t *tx, const due_t *d, refusal_t *no)
{
    int64_t wanted = 0;
    bool may = true;
    int rc = delivery_consented(tx, d->id, &may);

    *no = (refusal_t){NULL, NULL};
    if (rc == WERR_OK && !may) {
        *no = (refusal_t){DELIVERY_OPTED_OUT, DELIVERY_OPTED_OUT_TEXT};
        return WERR_OK;
    }
    if (rc == WERR_OK) {
        rc = one(tx->db, &schedule_session, d->session, &wanted);
    }
    if (rc == WERR_OK && wanted == 0) {
        *no = (refusal_t){"session_disconnected",
                          "The WhatsApp number has been disconnected."};
        return WERR_OK;
    }
    return rc == WERR_OK ? check_author(tx, d, no) : rc;
}

static int leave(tx_t *tx, const due_t *d, bool first)
{
    db_stmt_t *s = db_stmt(tx->db, &schedule_leave);
    int rc;

    db_bind_i64(s, 1, d->id);
    db_bind_i64(s, 2, tx->now);
    db_bind_i64(s, 3, first);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        rc = run(tx, &schedule_drop, d->id, -1);
    }
    tx->queued = true;
    return rc == WERR_OK ? event_raise(tx, EVENT_MESSAGE_SENT, d->session,
                                       d->chat, d->message)
                         : rc;
}

/* *first: nobody has been written to there. *ts: now, and behind what was
 * said in this very moment. */
static int place(tx_t *tx, const due_t *d, bool *first, int64_t *ts)
{
    db_stmt_t *s = db_stmt(tx->db, &schedule_chat);
    int64_t last;
    int rc;

    db_bind_i64(s, 1, d->chat);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *first = db_i64(s, 0) == 0;
    last = db_i64(s, 1);
    db_done(s);
    *ts = last >= tx->now && last < tx->now + MOMENT_MS ? last + 1 : tx->now;
    return WERR_OK;
}

static int release(tx_t *tx, const due_t *d)
{
    message_row_t m;
    refusal_t no;
    int64_t ts = 0;
    bool first = false;
    int rc = chat_flush(tx);

    if (rc == WERR_OK) {
        rc = message_row_get(tx->db, d->message, &m);
    }
    if (rc == WERR_OK) {
        rc = place(tx, d, &first, &ts);
    }
    if (rc == WERR_OK) {
        rc = check(tx, d, &no);
    }
    if (rc == WERR_OK) {
        rc = schedule_surface(tx, &m, ts);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    return no.code != NULL ? delivery_stop(tx, d->message, no.code, no.title)
                           : leave(tx, d, first);
}

int schedule_release(tx_t *tx, int max)
{
    due_t due[ONCE_MAX];
    db_stmt_t *s = db_stmt(tx->db, &schedule_due);
    int n = 0, rc;

    db_bind_i64(s, 1, tx->now);
    db_bind_i64(s, 2, max < ONCE_MAX ? max : ONCE_MAX);
    while ((rc = db_step(s)) == DB_ROW) {
        due[n++] = (due_t){.id = db_i64(s, 0),
                           .message = db_i64(s, 1),
                           .session = db_i64(s, 2),
                           .chat = db_i64(s, 3),
                           .cs = db_i64(s, 4)};
    }
    for (int i = 0; rc == WERR_OK && i < n; i++) {
        rc = release(tx, &due[i]);
    }
    return rc == WERR_OK ? n : rc;
}

/* ---- another time, or never ---- */

int schedule_move(tx_t *tx, int64_t message, int64_t at)
{
    db_stmt_t *s = db_stmt(tx->db, &schedule_when);
    message_row_t m;
    int rc;

    db_bind_i64(s, 1, message);
    db_bind_i64(s, 2, at);
    db_bind_i64(s, 3, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) == 0) {
        return WERR_CONFLICT;
    }
    if (rc == WERR_OK) {
        rc = run(tx, &schedule_shown, message, at);
    }
    if (rc == WERR_OK) {
        rc = message_row_get(tx->db, message, &m);
    }
    tx->queued = true;
    return rc == WERR_OK
               ? event_raise(tx, EVENT_MESSAGE_CHANGED, m.session, m.chat, m.id)
               : rc;
}

static int wake_lane(tx_t *tx, const message_row_t *m)
{
    db_stmt_t *s = db_stmt(tx->db, &schedule_wake);

    db_bind_i64(s, 1, m->session);
    db_bind_i64(s, 2, m->chat);
    db_bind_i64(s, 3, tx->now);
    tx->queued = true;
    return db_exec(s);
}

int schedule_cancel(tx_t *tx, int64_t message)
{
    message_row_t m;
    int rc = message_row_get(tx->db, message, &m);

    if (rc != WERR_OK) {
        return rc;
    }
    if (!m.outgoing ||
        (m.status != STATUS_QUEUED && m.status != STATUS_SCHEDULED)) {
        return WERR_CONFLICT;
    }
    rc = run(tx, &schedule_withdraw, message, -1);
    if (rc == WERR_OK && db_changes(tx->db) == 0) {
        return WERR_CONFLICT; /* in flight */
    }
    if (rc == WERR_OK) {
        rc = media_fetch_stop(tx, message);
    }
    if (rc == WERR_OK) {
        rc = run(tx, &schedule_cancelled, message, tx->now);
    }
    if (rc == WERR_OK) {
        rc = message_set_status(tx, &m, STATUS_CANCELLED, NULL, NULL);
    }
    if (rc == WERR_OK) {
        rc = wake_lane(tx, &m);
    }
    return rc == WERR_OK ? chat_settle_last(tx, m.chat) : rc;
}

/* ---- the list ---- */

int schedule_list(db_t *db, const schedule_query_t *q,
                  const struct media_viewer_s *viewer, buf_t *out,
                  const char *key, bool *more, int64_t *last_at,
                  int64_t *last_id)
{
    int64_t ids[LIMIT_MAX];
    db_stmt_t *s = db_stmt(db, &schedule_rows);
    size_t n = 0;
    int rc;

    if (q->limit < 1 || q->limit > LIMIT_MAX) {
        return WERR_INVALID;
    }
    *more = false;
    db_bind_i64(s, 1, q->after_at);
    db_bind_i64(s, 2, q->after_id);
    while ((rc = db_step(s)) == DB_ROW) {
        if (!session_set_has(q->sessions, db_i64(s, 3))) {
            continue;
        }
        if (n == (size_t)q->limit) {
            *more = true;
            break;
        }
        *last_at = db_i64(s, 0);
        *last_id = db_i64(s, 1);
        ids[n++] = db_i64(s, 2);
    }
    db_done(s);
    if (rc < 0) {
        return rc;
    }
    return message_write_due(db, viewer, ids, n, out, key);
}
