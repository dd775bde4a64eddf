#include "domain/parked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/jsonr.h"

DB_QUERY(parked_insert,
         "INSERT INTO parked (session_id, wa_id, kind, payload, created_at) "
         "VALUES ($1, $2, $3, $4, $5)");
DB_QUERY(parked_of, "SELECT kind, payload FROM parked "
                    "WHERE session_id = $1 AND wa_id = $2 ORDER BY id");
DB_QUERY(parked_forget,
         "DELETE FROM parked WHERE session_id = $1 AND wa_id = $2");

/* Takes the payload, also on failure. */
static int park(tx_t *tx, int64_t session, const char *wa_id, const char *kind,
                buf_t *payload)
{
    db_stmt_t *s;
    int rc = WERR_NOMEM;

    jw_close_object(payload);
    if (!payload->failed) {
        s = db_stmt(tx->db, &parked_insert);
        db_bind_i64(s, 1, session);
        db_bind_text(s, 2, wa_id);
        db_bind_text(s, 3, kind);
        db_bind_textn(s, 4, payload->data, payload->len);
        db_bind_i64(s, 5, tx->now);
        rc = db_exec(s);
    }
    buf_free(payload);
    return rc;
}

static void begin(buf_t *b)
{
    buf_init(b, 0);
    jw_open_object(b, NULL);
}

int parked_status(tx_t *tx, int64_t session, const char *wa_id, status_t to,
                  const char *code, const char *title)
{
    buf_t b;

    begin(&b);
    jw_i64(&b, "status", to);
    jw_str(&b, "code", code);
    jw_str(&b, "title", title);
    return park(tx, session, wa_id, "status", &b);
}

int parked_reaction(tx_t *tx, int64_t session, const char *wa_id,
                    const char *sender, const char *emoji, int64_t ts)
{
    buf_t b;

    begin(&b);
    jw_str(&b, "sender", sender);
    jw_str(&b, "emoji", emoji);
    jw_i64(&b, "ts", ts);
    return park(tx, session, wa_id, "reaction", &b);
}

int parked_edit(tx_t *tx, int64_t session, const char *wa_id, const char *text,
                int64_t ts)
{
    buf_t b;

    begin(&b);
    jw_str(&b, "text", text);
    jw_i64(&b, "ts", ts);
    return park(tx, session, wa_id, "edit", &b);
}

int parked_delete(tx_t *tx, int64_t session, const char *wa_id, int64_t ts)
{
    buf_t b;

    begin(&b);
    jw_i64(&b, "ts", ts);
    return park(tx, session, wa_id, "delete", &b);
}

static const char *text_of(const json_t *root, const char *key)
{
    const char *s = jsonr_str(root, key);

    return s == NULL ? "" : s;
}

static int apply_one(tx_t *tx, message_row_t *m, const char *kind,
                     const json_t *root)
{
    int64_t ts = 0, status;

    if (strcmp(kind, "status") == 0) {
        if (!m->outgoing || !jsonr_i64(root, "status", &status)) {
            return WERR_OK;
        }
        return message_move(tx, m, (status_t)status, jsonr_str(root, "code"),
                            jsonr_str(root, "title"));
    }
    if (!jsonr_i64(root, "ts", &ts)) {
        return WERR_OK;
    }
    if (strcmp(kind, "reaction") == 0) {
        return message_apply_reaction(tx, m, text_of(root, "sender"),
                                      text_of(root, "emoji"), ts);
    }
    if (strcmp(kind, "edit") == 0) {
        return message_apply_edit(tx, m, text_of(root, "text"), ts);
    }
    return message_apply_delete(tx, m, ts);
}

int parked_apply(tx_t *tx, message_row_t *m, const char *wa_id)
{
    db_stmt_t *s = db_stmt(tx->db, &parked_of);
    char reason[128];
    bool any = false;
    int step;

    db_bind_i64(s, 1, m->session);
    db_bind_text(s, 2, wa_id);
    while ((step = db_step(s)) == DB_ROW) {
        json_t *root = jsonr_parse(db_text(s, 1), db_text_len(s, 1), reason,
                                   sizeof(reason));
        int rc;

        any = true;
        if (root != NULL) {
            rc = apply_one(tx, m, db_text(s, 0), root);
        } else {
            rc = errno == ENOMEM ? WERR_NOMEM : WERR_OK;
        }
        json_decref(root);
        if (rc != WERR_OK) {
            db_done(s);
            return rc;
        }
    }
    if (step != DB_DONE || !any) {
        return step;
    }
    s = db_stmt(tx->db, &parked_forget);
    db_bind_i64(s, 1, m->session);
    db_bind_text(s, 2, wa_id);
    return db_exec(s);
}
