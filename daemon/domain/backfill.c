/* The runs: what is to be fetched next, and what has failed. */
#include "domain/backfill.h"

#include <stdio.h>
#include <string.h>

#include "domain/audit.h"
#include "domain/backfill_run.h"
#include "domain/row_json.h"

#define CONNECT_WAIT_MS INT64_C(60000)
#define DOWN_LONG_MS    (5 * INT64_C(60000))
#define FAILURES_MAX    5
#define FAILURE_WAIT_MS INT64_C(2000) /* times the square of the failures */
#define BUSY_MAX        8
#define OPEN_RUNS       "state IN ('chats', 'messages')"

DB_QUERY(backfill_begin,
         "INSERT INTO backfills (session_id, state, deep, not_before, "
         "requested_at, updated_at) VALUES ($1, 'chats', $2, $3, $4, $4) "
         "ON CONFLICT (session_id) DO UPDATE SET state = 'chats', "
         "deep = excluded.deep, page = 0, messages = 0, left_out = 0, "
         "failures = 0, not_before = excluded.not_before, error = NULL, "
         "requested_at = excluded.requested_at, "
         "updated_at = excluded.updated_at "
         "WHERE backfills.state NOT IN ('chats', 'messages')");
DB_QUERY(backfill_clear, "DELETE FROM backfill_chats WHERE session_id = $1");
DB_QUERY(backfill_hurry,
         "UPDATE backfills SET failures = 0, not_before = $2 "
         "WHERE session_id = $1 AND not_before > $2 AND " OPEN_RUNS);
DB_QUERY(backfill_last, "SELECT state, finished_at FROM backfills "
                        "WHERE session_id = $1");
DB_QUERY_SCAN(backfill_due,
              "SELECT b.session_id, b.state, b.deep, b.page, b.requested_at, "
              "a.name, s.remote_id FROM backfills b "
              "JOIN sessions s ON s.id = b.session_id "
              "JOIN accounts a ON a.id = s.account_id "
              "WHERE b." OPEN_RUNS " AND b.not_before <= $1 "
              "ORDER BY b.requested_at, b.session_id LIMIT 1",
              "walks backfills_open: the runs under way");
DB_QUERY(backfill_due_next,
         "SELECT min(not_before) FROM backfills WHERE " OPEN_RUNS
         " AND not_before > $1");
DB_QUERY(backfill_open_chats,
         "SELECT id, jid, page, oldest FROM backfill_chats "
         "WHERE session_id = $1 AND done = 0 ORDER BY id LIMIT $2");
DB_QUERY(backfill_state, "SELECT state, failures FROM backfills "
                         "WHERE session_id = $1 AND requested_at = $2");
DB_QUERY(backfill_put_off,
         "UPDATE backfills SET state = $2, failures = $3, not_before = $4, "
         "error = $5, updated_at = $6 WHERE session_id = $1");
DB_QUERY(backfill_chat_give_up,
         "UPDATE backfill_chats SET done = 1 WHERE id = $1");
DB_QUERY(backfill_left_out, "UPDATE backfills SET left_out = left_out + 1 "
                            "WHERE session_id = $1");
DB_QUERY(backfill_end,
         "UPDATE backfills SET state = 'done', finished_at = $2, "
         "updated_at = $2 WHERE session_id = $1 AND state = 'messages' "
         "AND NOT EXISTS (SELECT 1 FROM backfill_chats "
         "WHERE session_id = $1 AND done = 0)");
DB_QUERY(backfill_report,
         "SELECT s.session_id, b.state, b.messages, b.left_out, b.error, "
         "b.requested_at, b.finished_at, "
         "(SELECT count(*) FROM backfill_chats c WHERE c.session_id = s.id), "
         "(SELECT count(*) FROM backfill_chats c WHERE c.session_id = s.id "
         "AND c.done = 1) FROM sessions s "
         "LEFT JOIN backfills b ON b.session_id = s.id WHERE s.id = $1");

/* ---- begin ---- */

static int begin(tx_t *tx, int64_t session, bool deep, int64_t not_before)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_begin);
    int rc;

    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, deep);
    db_bind_i64(s, 3, not_before);
    db_bind_i64(s, 4, tx->now);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    tx->queued = true; /* wakes who fetches */
    if (db_changes(tx->db) > 0) {
        s = db_stmt(tx->db, &backfill_clear);
        db_bind_i64(s, 1, session);
        return db_exec(s);
    }
    s = db_stmt(tx->db, &backfill_hurry);
    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, not_before);
    return db_exec(s);
}

int backfill_request(tx_t *tx, int64_t session, bool deep)
{
    return begin(tx, session, deep, tx->now);
}

static int asked(tx_t *tx, void *arg)
{
    int64_t session = *(const int64_t *)arg;
    int rc = backfill_request(tx, session, true);

    return rc == WERR_OK ? audit_note(tx, &(audit_t){.action = "backfill",
                                                     .session = session})
                         : rc;
}

int backfill_ask(domain_t *d, int64_t session)
{
    return domain_write(d, asked, &session);
}

int backfill_connected(tx_t *tx, int64_t session, int64_t down_since)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_last);
    bool ended = false, whole = false;
    int rc;

    db_bind_i64(s, 1, session);
    rc = db_first(s);
    if (rc == DB_ROW) {
        ended = strcmp(db_text(s, 0), "done") == 0;
        whole = !db_is_null(s, 1);
        db_done(s);
    } else if (rc != WERR_NOTFOUND) {
        return rc;
    }
    if (ended && down_since != 0 && tx->now - down_since <= DOWN_LONG_MS) {
        return WERR_OK;
    }
    return begin(tx, session, !whole, tx->now + CONNECT_WAIT_MS);
}

/* ---- what is next ---- */

static bool is_busy(const int64_t *busy, size_t n, int64_t chat)
{
    for (size_t i = 0; i < n; i++) {
        if (busy[i] == chat) {
            return true;
        }
    }
    return false;
}

static int next_chat(db_t *db, const int64_t *busy, size_t nbusy,
                     backfill_task_t *out)
{
    db_stmt_t *s = db_stmt(db, &backfill_open_chats);
    int rc;

    db_bind_i64(s, 1, out->session);
    db_bind_i64(s, 2, BUSY_MAX + 1);
    while ((rc = db_step(s)) == DB_ROW) {
        if (is_busy(busy, nbusy, db_i64(s, 0))) {
            continue;
        }
        out->chat = db_i64(s, 0);
        snprintf(out->jid, sizeof(out->jid), "%s", db_text(s, 1));
        out->page = db_i64(s, 2) + 1;
        out->oldest = db_i64(s, 3);
        rc = db_row_whole(s) ? WERR_OK : WERR_NOMEM;
        db_done(s);
        return rc;
    }
    return rc == DB_DONE ? WERR_NOTFOUND : rc;
}

static int read_next_due(db_t *db, int64_t now, int64_t *next_due)
{
    db_stmt_t *s = db_stmt(db, &backfill_due_next);
    int rc;

    db_bind_i64(s, 1, now);
    rc = db_first_min(s, next_due);
    return rc == WERR_OK ? WERR_NOTFOUND : rc;
}

int backfill_next(db_t *db, int64_t now, const int64_t *busy, size_t nbusy,
                  backfill_task_t *out, int64_t *next_due)
{
    db_stmt_t *s = db_stmt(db, &backfill_due);
    bool list;
    int rc;

    *next_due = INT64_MAX;
    memset(out, 0, sizeof(*out));
    if (nbusy > BUSY_MAX) {
        return WERR_INVALID;
    }
    db_bind_i64(s, 1, now);
    rc = db_first(s);
    if (rc == WERR_NOTFOUND) {
        return read_next_due(db, now, next_due);
    }
    if (rc != DB_ROW) {
        return rc;
    }
    out->session = db_i64(s, 0);
    list = strcmp(db_text(s, 1), "chats") == 0;
    out->deep = db_i64(s, 2) != 0;
    out->page = db_i64(s, 3) + 1;
    out->requested_at = db_i64(s, 4);
    snprintf(out->account, sizeof(out->account), "%s", db_text(s, 5));
    snprintf(out->remote, sizeof(out->remote), "%s", db_text(s, 6));
    rc = db_row_whole(s) ? WERR_OK : WERR_NOMEM;
    db_done(s);
    if (rc != WERR_OK) {
        return rc;
    }
    if (list) {
        return nbusy > 0 ? WERR_NOTFOUND : WERR_OK;
    }
    return next_chat(db, busy, nbusy, out);
}

/* ---- what becomes of it ---- */

int backfill_settle(tx_t *tx, int64_t session)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_end);

    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, tx->now);
    return db_exec(s);
}

static int by_id(tx_t *tx, const db_query_t *q, int64_t id)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, id);
    return db_exec(s);
}

static int set_run(tx_t *tx, const backfill_task_t *task, const char *state,
                   int64_t failures, const char *reason, int64_t wait)
{
    db_stmt_t *s = db_stmt(tx->db, &backfill_put_off);

    db_bind_i64(s, 1, task->session);
    db_bind_text(s, 2, state);
    db_bind_i64(s, 3, failures);
    db_bind_i64(s, 4, tx->now + wait);
    db_bind_text(s, 5, reason);
    db_bind_i64(s, 6, tx->now);
    return db_exec(s);
}

int backfill_failed(tx_t *tx, const backfill_task_t *task,
                    backfill_failure_t how, const char *reason, int64_t wait_ms)
{
    const char *state = task->chat == 0 ? "chats" : "messages";
    db_stmt_t *s = db_stmt(tx->db, &backfill_state);
    int64_t failures, wait;
    bool same;
    int rc;

    db_bind_i64(s, 1, task->session);
    db_bind_i64(s, 2, task->requested_at);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    same = strcmp(db_text(s, 0), state) == 0;
    failures = db_i64(s, 1) + (how != BACKFILL_WAIT);
    db_done(s);
    if (!same) {
        return WERR_NOTFOUND; /* another run by now */
    }
    wait = how == BACKFILL_WAIT ? 0 : FAILURE_WAIT_MS * failures * failures;
    if (how == BACKFILL_NEVER || failures >= FAILURES_MAX ||
        (how == BACKFILL_REFUSED && task->chat == 0)) {
        return set_run(tx, task, "failed", failures, reason, 0);
    }
    if (how == BACKFILL_REFUSED) {
        wait = 0;
        rc = by_id(tx, &backfill_chat_give_up, task->chat);
        if (rc == WERR_OK) {
            rc = by_id(tx, &backfill_left_out, task->session);
        }
    } else {
        rc = WERR_OK;
    }
    if (rc == WERR_OK) {
        rc = set_run(tx, task, state, failures, reason,
                     wait > wait_ms ? wait : wait_ms);
    }
    return rc == WERR_OK ? backfill_settle(tx, task->session) : rc;
}

/* ---- how far it is ---- */

static const char *state_word(const char *state)
{
    if (state == NULL) {
        return "none";
    }
    return strcmp(state, "done") == 0 || strcmp(state, "failed") == 0
               ? state
               : "running";
}

int backfill_write_json(db_t *db, int64_t session, buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &backfill_report);
    int rc;

    db_bind_i64(s, 1, session);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    jw_open_object(out, key);
    jw_str(out, "session_id", db_text(s, 0));
    jw_str(out, "state", state_word(db_text(s, 1)));
    jw_i64(out, "chats", db_i64(s, 7));
    jw_i64(out, "chats_done", db_i64(s, 8));
    jw_i64(out, "messages", db_i64(s, 2));
    jw_i64(out, "left_out", db_i64(s, 3));
    jw_str(out, "error", db_text(s, 4));
    row_time(out, "requested_at", s, 5);
    row_time(out, "finished_at", s, 6);
    jw_close_object(out);
    db_done(s);
    return WERR_OK;
}
