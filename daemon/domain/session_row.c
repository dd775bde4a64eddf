#include "domain/session_row.h"

#include <stdio.h>
#include <string.h>

#include "domain/event.h"
#include "domain/fresh_id.h"
#include "domain/rendered.h"
#include "domain/row_json.h"

#define ROW                                                                    \
    "SELECT s.id, s.session_id, s.user_id, s.name, s.status, s.raw_status, "   \
    "s.phone_number, (SELECT count(*) FROM chats c WHERE c.session_id = s.id " \
    "AND c.unread > 0), (SELECT max(l.last_ts) FROM chats l "                  \
    "WHERE l.session_id = s.id), s.created_at, s.updated_at, u.name, "         \
    "u.email, s.wanted FROM sessions s LEFT JOIN users u ON u.id = s.user_id "

DB_QUERY_SCAN(session_rows, ROW "ORDER BY s.id",
              "a small table: one row per WhatsApp number");
DB_QUERY(session_row, ROW "WHERE s.id = $1");
DB_QUERY(session_row_slim,
         "SELECT session_id, status, raw_status, phone_number, user_id, wanted "
         "FROM sessions WHERE id = $1");
/* What an event tells of it. */
DB_QUERY(session_told,
         "SELECT id, session_id, status, raw_status, name, phone_number, "
         "user_id FROM sessions WHERE id " SOME_IDS);
DB_QUERY(session_of_wire, "SELECT id FROM sessions WHERE session_id = $1");
DB_QUERY(session_of_remote, "SELECT id FROM sessions "
                            "WHERE account_id = $1 AND remote_id = $2");
DB_QUERY(session_start,
         "UPDATE sessions SET status = 'connecting', user_id = $2, name = $3, "
         "updated_at = $4 WHERE id = $1");
DB_QUERY(session_used,
         "SELECT 1 FROM chats WHERE session_id = $1 "
         "UNION ALL SELECT 1 FROM session_members WHERE session_id = $1 "
         "UNION ALL SELECT 1 FROM backfills WHERE session_id = $1 "
         "LIMIT 1");
DB_QUERY(session_delete_row, "DELETE FROM sessions WHERE id = $1");
DB_QUERY(session_give_up,
         "UPDATE sessions SET status = 'disconnected', wanted = 0, "
         "updated_at = $2 WHERE id = $1");
DB_QUERY(session_update_name,
         "UPDATE sessions SET name = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(session_update_owner,
         "UPDATE sessions SET user_id = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(session_update_wanted,
         "UPDATE sessions SET wanted = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(session_active_user,
         "SELECT 1 FROM users WHERE id = $1 AND active = 1");
DB_QUERY(session_update_active,
         "UPDATE users SET active_session_id = $2, updated_at = $3 "
         "WHERE id = $1");
DB_QUERY(session_member_rows,
         "SELECT u.id, u.name, u.email, u.role FROM session_members m "
         "JOIN users u ON u.id = m.user_id WHERE m.session_id = $1 "
         "ORDER BY u.id");
DB_QUERY(session_member_clear,
         "DELETE FROM session_members WHERE session_id = $1");
DB_QUERY(session_member_add,
         "INSERT INTO session_members (session_id, user_id) VALUES ($1, $2)");

int session_find_visible(db_t *db, const session_set_t *visible,
                         const char *wire, int64_t *id)
{
    db_stmt_t *s = db_stmt(db, &session_of_wire);
    db_bind_text(s, 1, wire);
    int rc = db_first_i64(s, id);
    return rc == WERR_OK && !session_set_has(visible, *id) ? WERR_NOTFOUND : rc;
}

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text != NULL ? text : "");
}

int session_get(db_t *db, int64_t id, session_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &session_row_slim);
    memset(out, 0, sizeof(*out));
    db_bind_i64(s, 1, id);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    out->id = id;
    copy(out->wire, sizeof(out->wire), db_text(s, 0));
    copy(out->status, sizeof(out->status), db_text(s, 1));
    copy(out->raw, sizeof(out->raw), db_text(s, 2));
    copy(out->phone, sizeof(out->phone), db_text(s, 3));
    out->owner = db_is_null(s, 4) ? 0 : db_i64(s, 4);
    out->wanted = db_i64(s, 5) != 0;
    db_done(s);
    return WERR_OK;
}

/* ---- as they are shown ---- */

static void write_time(buf_t *b, const char *key, db_stmt_t *s, int column)
{
    if (db_is_null(s, column) || db_i64(s, column) == 0) {
        jw_null(b, key);
    } else {
        jw_time(b, key, db_i64(s, column));
    }
}

static void write_owner(db_stmt_t *s, buf_t *b)
{
    if (db_is_null(s, 11)) {
        jw_null(b, "user");
        return;
    }
    jw_open_object(b, "user");
    jw_i64(b, "id", db_i64(s, 2));
    jw_str(b, "name", db_text(s, 11));
    jw_str(b, "email", db_text(s, 12));
    jw_close_object(b);
}

static void write_row(db_stmt_t *s, const char *key, bool with_user, buf_t *b)
{
    jw_open_object(b, key);
    jw_i64(b, "id", db_i64(s, 0));
    jw_str(b, "session_id", db_text(s, 1));
    row_i64(b, "user_id", s, 2);
    jw_str(b, "name", db_text(s, 3));
    jw_str(b, "status", db_text(s, 4));
    jw_str(b, "raw_status", db_text(s, 5));
    jw_str(b, "phone_number", db_text(s, 6));
    jw_i64(b, "active_chats", db_i64(s, 7));
    write_time(b, "last_activity", s, 8);
    jw_time(b, "created_at", db_i64(s, 9));
    jw_time(b, "updated_at", db_i64(s, 10));
    if (with_user) {
        write_owner(s, b);
    }
    jw_close_object(b);
}

int session_list(db_t *db, const session_set_t *visible, bool with_user,
                 buf_t *out, session_sums_t *sums)
{
    session_sums_t sum = {0};
    db_stmt_t *s = db_stmt(db, &session_rows);
    int rc;
    jw_open_array(out, NULL);
    while ((rc = db_step(s)) == DB_ROW) {
        if (session_set_has(visible, db_i64(s, 0))) {
            write_row(s, NULL, with_user, out);
            sum.sessions++;
            sum.connected += strcmp(db_text(s, 4), "connected") == 0;
            sum.chats += db_i64(s, 7);
        }
    }
    jw_close_array(out);
    if (sums != NULL) {
        *sums = sum;
    }
    return rc;
}

int session_write(db_t *db, int64_t id, const char *key, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &session_row);
    db_bind_i64(s, 1, id);
    int rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    write_row(s, key, false, out);
    db_done(s);
    return WERR_OK;
}

int session_render(db_t *db, rendered_t *r)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &session_told, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

            jw_str(&r->text, "session_id", db_text(s, 1));
            jw_str(&r->text, "status", db_text(s, 2));
            jw_str(&r->text, "raw_status", db_text(s, 3));
            jw_str(&r->text, "name", db_text(s, 4));
            jw_str(&r->text, "phone_number", db_text(s, 5));
            if (db_is_null(s, 6)) {
                jw_null(&r->text, "user_id");
            } else {
                jw_i64(&r->text, "user_id", db_i64(s, 6));
            }
            rendered_end(r, row);
        }
    }
    return rc;
}

/* ---- making and changing ---- */

int session_create(tx_t *tx, session_new_t *n)
{
    int64_t account, other;
    int rc = account_ensure(tx, n->account, &account);
    if (rc != WERR_OK) {
        return rc;
    }
    db_stmt_t *s = db_stmt(tx->db, &session_of_wire);
    db_bind_text(s, 1, n->remote);
    rc = db_first_i64(s, &other);
    if (rc == WERR_NOTFOUND) {
        s = db_stmt(tx->db, &session_of_remote);
        db_bind_i64(s, 1, account);
        db_bind_text(s, 2, n->remote);
        rc = db_first_i64(s, &other);
    }
    if (rc != WERR_NOTFOUND) {
        return rc == WERR_OK ? WERR_CONFLICT : rc;
    }
    rc = session_ensure(tx, account, n->remote, &n->id);
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &session_start);
        db_bind_i64(s, 1, n->id);
        db_bind_i64(s, 2, n->owner);
        db_bind_text(s, 3, n->name);
        db_bind_i64(s, 4, tx->now);
        rc = db_exec(s);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_SESSION_STATUS, n->id, 0, n->id);
    }
    return rc;
}

int session_discard(tx_t *tx, int64_t id)
{
    db_stmt_t *s = db_stmt(tx->db, &session_used);
    db_bind_i64(s, 1, id);
    int rc = db_first(s);
    if (rc != DB_ROW && rc != WERR_NOTFOUND) {
        return rc;
    }
    bool used = rc == DB_ROW;
    db_done(s);
    rc = used ? WERR_OK : fresh_id_gone(tx, "sessions", id);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, used ? &session_give_up : &session_delete_row);
    db_bind_i64(s, 1, id);
    if (used) {
        db_bind_i64(s, 2, tx->now);
    }
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    return used ? event_raise(tx, EVENT_SESSION_STATUS, id, 0, id)
                : event_raise(tx, EVENT_ACCESS, 0, 0, 0);
}

static int change(tx_t *tx, const db_query_t *query, int64_t id,
                  const char *text, int64_t number)
{
    db_stmt_t *s = db_stmt(tx->db, query);
    db_bind_i64(s, 1, id);
    if (text != NULL) {
        db_bind_text(s, 2, text);
    } else if (number >= 0) {
        db_bind_i64(s, 2, number);
    }
    db_bind_i64(s, 3, tx->now);
    int rc = db_exec(s);
    return rc == WERR_OK ? event_raise(tx, EVENT_SESSION_STATUS, id, 0, id)
                         : rc;
}

static int check_user(db_t *db, int64_t user)
{
    int64_t one;
    db_stmt_t *s = db_stmt(db, &session_active_user);
    db_bind_i64(s, 1, user);
    return db_first_i64(s, &one);
}

int session_rename(tx_t *tx, int64_t id, const char *name)
{
    return change(tx, &session_update_name, id, name, 0);
}

int session_set_owner(tx_t *tx, int64_t id, int64_t owner)
{
    int rc = owner != 0 ? check_user(tx->db, owner) : WERR_OK;
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_ACCESS, 0, 0, 0);
    }
    /* -1: null */
    return rc == WERR_OK ? change(tx, &session_update_owner, id, NULL,
                                  owner != 0 ? owner : -1)
                         : rc;
}

int session_set_wanted(tx_t *tx, int64_t id, bool wanted)
{
    return change(tx, &session_update_wanted, id, NULL, wanted);
}

int session_activate(tx_t *tx, int64_t user, int64_t id)
{
    db_stmt_t *s = db_stmt(tx->db, &session_update_active);
    db_bind_i64(s, 1, user);
    db_bind_i64(s, 2, id);
    db_bind_i64(s, 3, tx->now);
    return db_exec(s);
}

/* ---- members ---- */

int session_members(db_t *db, int64_t id, const char *key, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &session_member_rows);
    int rc;
    db_bind_i64(s, 1, id);
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        jw_i64(out, "id", db_i64(s, 0));
        jw_str(out, "name", db_text(s, 1));
        jw_str(out, "email", db_text(s, 2));
        jw_str(out, "role", db_text(s, 3));
        jw_close_object(out);
    }
    jw_close_array(out);
    return rc;
}

int session_set_members(tx_t *tx, int64_t id, const int64_t *users, size_t n)
{
    db_stmt_t *s = db_stmt(tx->db, &session_member_clear);
    db_bind_i64(s, 1, id);
    int rc = db_exec(s);
    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        rc = check_user(tx->db, users[i]);
        if (rc == WERR_OK) {
            s = db_stmt(tx->db, &session_member_add);
            db_bind_i64(s, 1, id);
            db_bind_i64(s, 2, users[i]);
            rc = db_exec(s);
        }
    }
    return rc == WERR_OK ? event_raise(tx, EVENT_ACCESS, 0, 0, 0) : rc;
}
