#include "domain/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/phone.h"
#include "domain/backfill.h"
#include "domain/event.h"
#include "domain/fresh_id.h"
#include "domain/user.h"

#define WIRE_ID_MAX 300

DB_QUERY(account_find, "SELECT id FROM accounts WHERE name = $1");
DB_QUERY(account_insert, "INSERT INTO accounts (name) VALUES ($1)");
DB_QUERY(account_name_of, "SELECT name FROM accounts WHERE id = $1");
DB_QUERY(session_find, "SELECT id, everyone FROM sessions "
                       "WHERE account_id = $1 AND remote_id = $2");
DB_QUERY(session_set_everyone,
         "UPDATE sessions SET everyone = $2 WHERE id = $1");
DB_QUERY(session_by_wire, "SELECT id FROM sessions WHERE session_id = $1");
DB_QUERY(session_any, "SELECT id FROM sessions WHERE id > 0 LIMIT 1");
DB_QUERY(session_insert,
         "INSERT INTO sessions (id, account_id, remote_id, session_id, "
         "everyone, name, created_at, updated_at) "
         "VALUES (" FRESH_ID("sessions") ", $1, $2, $3, $4, $2, $5, $5)");
DB_QUERY(session_state, "SELECT status, raw_status, phone_number, down_since "
                        "FROM sessions WHERE id = $1");
DB_QUERY(session_update,
         "UPDATE sessions SET status = $2, raw_status = $3, "
         "phone_number = coalesce($4, phone_number), updated_at = $5, "
         "down_since = CASE WHEN $2 = 'connected' THEN NULL "
         "WHEN status = 'connected' THEN $5 ELSE down_since END "
         "WHERE id = $1");
DB_QUERY_SCAN(session_all, "SELECT id FROM sessions ORDER BY id",
              "all of a small table: one row per WhatsApp number");
DB_QUERY_SCAN(session_of_user,
              "SELECT id FROM sessions WHERE user_id = $1 OR everyone = 1 "
              "OR id IN (SELECT session_id FROM session_members "
              "WHERE user_id = $1) ORDER BY id",
              "a small table: one row per WhatsApp number");
DB_QUERY(session_of_account,
         "SELECT s.id FROM sessions s JOIN accounts a ON a.id = s.account_id "
         "WHERE s.remote_id = $1 AND a.name = $2");

int account_ensure(tx_t *tx, const char *name, int64_t *id)
{
    db_stmt_t *s = db_stmt(tx->db, &account_find);
    int rc;

    db_bind_text(s, 1, name);
    rc = db_first_i64(s, id);
    if (rc != WERR_NOTFOUND) {
        return rc;
    }
    s = db_stmt(tx->db, &account_insert);
    db_bind_text(s, 1, name);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        *id = db_last_id(tx->db);
    }
    return rc;
}

static int account_name(db_t *db, int64_t account, char *out, size_t size)
{
    db_stmt_t *s = db_stmt(db, &account_name_of);
    int rc;

    db_bind_i64(s, 1, account);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    snprintf(out, size, "%s", db_text(s, 0));
    db_done(s);
    return WERR_OK;
}

/* The remote id, or "account:remote" where another account has taken it. */
static int wire_id(db_t *db, const char *account, const char *remote, char *out,
                   size_t size)
{
    db_stmt_t *s = db_stmt(db, &session_by_wire);
    int64_t other;
    int rc, n;

    db_bind_text(s, 1, remote);
    rc = db_first_i64(s, &other);
    if (rc == WERR_NOTFOUND) {
        n = snprintf(out, size, "%s", remote);
    } else if (rc == WERR_OK) {
        n = snprintf(out, size, "%s:%s", account, remote);
    } else {
        return rc;
    }
    return n < 0 || (size_t)n >= size ? WERR_INVALID : WERR_OK;
}

/*
 * Every CS is a member of the configured default session; where none is
 * configured, of the first one there is.
 */
static int is_everyones(db_t *db, const domain_settings_t *set,
                        const char *account, const char *remote, bool *out)
{
    int64_t any;
    int rc;

    *out = false;
    if (!set->default_everyone) {
        return WERR_OK;
    }
    if (set->default_session != NULL) {
        *out = strcmp(remote, set->default_session) == 0 &&
               (set->default_account == NULL ||
                strcmp(account, set->default_account) == 0);
        return WERR_OK;
    }
    rc = db_first_i64(db_stmt(db, &session_any), &any);
    *out = rc == WERR_NOTFOUND;
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int session_make(tx_t *tx, int64_t account, const char *remote,
                        int64_t *id)
{
    char name[128], wire[WIRE_ID_MAX];
    bool everyone;
    db_stmt_t *s;
    int rc = account_name(tx->db, account, name, sizeof(name));

    if (rc == WERR_OK) {
        rc = wire_id(tx->db, name, remote, wire, sizeof(wire));
    }
    if (rc == WERR_OK) {
        rc = is_everyones(tx->db, &tx->domain->settings, name, remote,
                          &everyone);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &session_insert);
    db_bind_i64(s, 1, account);
    db_bind_text(s, 2, remote);
    db_bind_text(s, 3, wire);
    db_bind_i64(s, 4, everyone);
    db_bind_i64(s, 5, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        *id = db_last_id(tx->db);
        rc = event_raise(tx, EVENT_ACCESS, 0, 0, 0);
    }
    return rc;
}

/* The configured default session is everyone's, or not, as configured now. */
static int follow_settings(tx_t *tx, int64_t account, const char *remote,
                           int64_t id, bool everyone)
{
    const domain_settings_t *set = &tx->domain->settings;
    char name[128];
    bool want = false;
    db_stmt_t *s;
    int rc;

    if (set->default_session == NULL ||
        strcmp(remote, set->default_session) != 0) {
        return WERR_OK;
    }
    rc = account_name(tx->db, account, name, sizeof(name));
    if (rc == WERR_OK) {
        rc = is_everyones(tx->db, set, name, remote, &want);
    }
    if (rc != WERR_OK || want == everyone) {
        return rc;
    }
    s = db_stmt(tx->db, &session_set_everyone);
    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, want);
    rc = db_exec(s);
    return rc == WERR_OK ? event_raise(tx, EVENT_ACCESS, 0, 0, 0) : rc;
}

int session_ensure(tx_t *tx, int64_t account, const char *remote, int64_t *id)
{
    db_stmt_t *s;
    bool everyone;
    int rc;

    if (remote == NULL || *remote == '\0') {
        return WERR_INVALID;
    }
    s = db_stmt(tx->db, &session_find);
    db_bind_i64(s, 1, account);
    db_bind_text(s, 2, remote);
    rc = db_first(s);
    if (rc == WERR_NOTFOUND) {
        return session_make(tx, account, remote, id);
    }
    if (rc != DB_ROW) {
        return rc;
    }
    *id = db_i64(s, 0);
    everyone = db_i64(s, 1) != 0;
    db_done(s);
    return follow_settings(tx, account, remote, *id, everyone);
}

const char *session_status_of(const char *raw)
{
    static const char *const connected[] = {"connected", "open", "working",
                                            "authenticated", "online"};
    static const char *const connecting[] = {
        "connecting", "qr",      "scan",         "scan_qr_code", "starting",
        "pairing",    "opening", "initializing", "qr_update"};

    for (size_t i = 0; i < sizeof(connected) / sizeof(connected[0]); i++) {
        if (strcasecmp(raw, connected[i]) == 0) {
            return "connected";
        }
    }
    for (size_t i = 0; i < sizeof(connecting) / sizeof(connecting[0]); i++) {
        if (strcasecmp(raw, connecting[i]) == 0) {
            return "connecting";
        }
    }
    return "disconnected";
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

int session_set_status(tx_t *tx, int64_t session, const char *raw,
                       const char *phone)
{
    char number[ALIAS_MAX];
    const char *status = session_status_of(raw);
    int64_t down_since;
    bool known, back;
    db_stmt_t *s;
    int rc;

    if (phone != NULL &&
        phone_from_jid(phone, strlen(phone), number) != JID_PHONE) {
        phone = NULL;
    }
    s = db_stmt(tx->db, &session_state);
    db_bind_i64(s, 1, session);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    known = same(db_text(s, 0), status) && same(db_text(s, 1), raw) &&
            (phone == NULL || same(db_text(s, 2), number));
    back = same(status, "connected") && !same(db_text(s, 0), status);
    down_since = db_is_null(s, 3) ? 0 : db_i64(s, 3);
    db_done(s);
    if (known) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &session_update);
    db_bind_i64(s, 1, session);
    db_bind_text(s, 2, status);
    db_bind_text(s, 3, raw);
    db_bind_text(s, 4, phone == NULL ? NULL : number);
    db_bind_i64(s, 5, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_SESSION_STATUS, session, 0, session);
    }
    if (rc == WERR_OK && back) {
        rc = backfill_connected(tx, session, down_since);
    }
    return rc;
}

static bool add_to_set(session_set_t *set, int64_t id)
{
    if (set->n == set->cap) {
        size_t cap = set->cap == 0 ? 16 : set->cap * 2;
        int64_t *ids = realloc(set->ids, cap * sizeof(*ids));

        if (ids == NULL) {
            return false;
        }
        set->ids = ids;
        set->cap = cap;
    }
    set->ids[set->n++] = id;
    return true;
}

int session_visible(db_t *db, const user_t *user, session_set_t *out)
{
    bool some = user->role == ROLE_CS;
    db_stmt_t *s = db_stmt(db, some ? &session_of_user : &session_all);
    int rc;

    out->n = 0;
    if (some) {
        db_bind_i64(s, 1, user->id);
    }
    while ((rc = db_step(s)) == DB_ROW) {
        if (!add_to_set(out, db_i64(s, 0))) {
            db_done(s);
            return WERR_NOMEM;
        }
    }
    return rc;
}

void session_set_free(session_set_t *set)
{
    free(set->ids);
    *set = (session_set_t){0};
}

bool session_set_has(const session_set_t *set, int64_t id)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->ids[i] == id) {
            return true;
        }
    }
    return false;
}

static int default_session(db_t *db, const domain_settings_t *set, int64_t *id)
{
    db_stmt_t *s;

    if (set->default_session == NULL) {
        return WERR_NOTFOUND;
    }
    if (set->default_account == NULL) {
        s = db_stmt(db, &session_by_wire);
        db_bind_text(s, 1, set->default_session);
    } else {
        s = db_stmt(db, &session_of_account);
        db_bind_text(s, 1, set->default_session);
        db_bind_text(s, 2, set->default_account);
    }
    return db_first_i64(s, id);
}

int session_acting(db_t *db, const domain_t *d, const user_t *user,
                   const session_set_t *visible, const char *wire, int64_t *id)
{
    db_stmt_t *s;
    int rc;

    if (wire != NULL && *wire != '\0') {
        s = db_stmt(db, &session_by_wire);
        db_bind_text(s, 1, wire);
        rc = db_first_i64(s, id);
        if (rc == WERR_OK && !session_set_has(visible, *id)) {
            return WERR_NOTFOUND;
        }
        return rc;
    }
    if (user->active_session != 0 &&
        session_set_has(visible, user->active_session)) {
        *id = user->active_session;
        return WERR_OK;
    }
    rc = default_session(db, &d->settings, id);
    if (rc != WERR_NOTFOUND) {
        if (rc != WERR_OK || session_set_has(visible, *id)) {
            return rc;
        }
    }
    if (visible->n != 1) {
        return WERR_NOTFOUND;
    }
    *id = visible->ids[0];
    return WERR_OK;
}
