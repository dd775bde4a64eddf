/* The attempts of the outbox, and how they end. */
#include "domain/delivery.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "domain/message_row.h"

DB_QUERY(delivery_begin, "UPDATE outbox SET state = 1, attempt_id = $2, "
                         "attempts = attempts + 1, updated_at = $3 "
                         "WHERE id = $1 AND state = 0");
DB_QUERY(delivery_waits, "SELECT coalesce(message_id, 0) FROM outbox "
                         "WHERE id = $1 AND state = 0");
DB_QUERY(delivery_attempt, "SELECT state, coalesce(message_id, 0) FROM outbox "
                           "WHERE id = $1 AND attempt_id = $2");
DB_QUERY(delivery_set,
         "UPDATE outbox SET state = $2, not_before = coalesce($3, "
         "not_before), deadline = $4, reason = $5, updated_at = $6 "
         "WHERE id = $1");
DB_QUERY(delivery_less,
         "UPDATE outbox SET attempts = attempts - 1 WHERE id = $1 "
         "AND state = 0 AND attempts > 0");
DB_QUERY(delivery_put_off,
         "UPDATE outbox SET not_before = $2 WHERE id = $1 AND state = 0");
/* What stands behind it cannot leave before it. */
DB_QUERY(delivery_put_off_lane,
         "UPDATE outbox SET not_before = $2 WHERE id IN (SELECT o.id "
         "FROM outbox h CROSS JOIN outbox o ON o.session_id = h.session_id "
         "AND o.chat_id = h.chat_id AND o.id > h.id AND o.state < 4 "
         "WHERE h.id = $1 AND o.state = 0 AND o.not_before < $2)");
DB_QUERY(delivery_in_state,
         "SELECT id, coalesce(message_id, 0) FROM outbox WHERE state = $1 "
         "ORDER BY updated_at, id LIMIT 500");
/* updated_at stays: what has been tried when, an echo is held against. */
DB_QUERY(delivery_leave, "UPDATE outbox SET state = 6 WHERE state = 2 "
                         "AND (deadline IS NULL OR deadline <= $1)");

typedef struct {
    int64_t id;
    delivery_state_t to;
    int64_t not_before; /* 0: as it was */
    int64_t deadline;   /* 0: none */
    const char *reason;
} outcome_t;

/* WERR_DENIED: they have opted out since it was queued. */
static int check_consent(tx_t *tx, int64_t id)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_waits);
    int64_t message;
    bool may;
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc == WERR_NOTFOUND ? WERR_CONFLICT : rc;
    }
    message = db_i64(s, 0);
    db_done(s);
    rc = delivery_consented(tx, id, &may);
    if (rc != WERR_OK || may) {
        return rc;
    }
    rc =
        delivery_stop(tx, message, DELIVERY_OPTED_OUT, DELIVERY_OPTED_OUT_TEXT);
    return rc == WERR_OK ? WERR_DENIED : rc;
}

int delivery_start(tx_t *tx, int64_t id, const char *attempt)
{
    db_stmt_t *s;
    int rc = check_consent(tx, id);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &delivery_begin);
    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, attempt);
    db_bind_i64(s, 3, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK && db_changes(tx->db) == 0 ? WERR_CONFLICT : rc;
}

static int put_off_lane(tx_t *tx, int64_t id, int64_t not_before)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_put_off_lane);

    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, not_before);
    return db_exec(s);
}

int delivery_defer(tx_t *tx, int64_t id, int64_t not_before)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_put_off);
    int rc;

    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, not_before);
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) == 0) {
        return WERR_CONFLICT;
    }
    return rc == WERR_OK ? put_off_lane(tx, id, not_before) : rc;
}

static int set(tx_t *tx, const outcome_t *o)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_set);
    int rc;

    db_bind_i64(s, 1, o->id);
    db_bind_i64(s, 2, o->to);
    if (o->not_before != 0) {
        db_bind_i64(s, 3, o->not_before);
    }
    if (o->deadline != 0) {
        db_bind_i64(s, 4, o->deadline);
    }
    db_bind_text(s, 5, o->reason);
    db_bind_i64(s, 6, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK && o->not_before != 0
               ? put_off_lane(tx, o->id, o->not_before)
               : rc;
}

/*
 * The attempt must be the row's last one, else WERR_CONFLICT. *m: its
 * message; m->id 0: a read receipt.
 */
static int find(tx_t *tx, int64_t id, const char *attempt,
                delivery_state_t *state, message_row_t *m)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_attempt);
    int64_t message;
    int rc;

    memset(m, 0, sizeof(*m));
    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, attempt);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc == WERR_NOTFOUND ? WERR_CONFLICT : rc;
    }
    *state = (delivery_state_t)db_i64(s, 0);
    message = db_i64(s, 1);
    db_done(s);
    return message == 0 ? WERR_OK : message_row_get(tx->db, message, m);
}

/* Something else (an echo, a status) has shown that it left. */
static bool proven(const message_row_t *m)
{
    return m->id != 0 && m->status >= STATUS_SENT && m->status <= STATUS_PLAYED;
}

int delivery_sent(tx_t *tx, int64_t id, const char *attempt, const char *wa_id)
{
    outcome_t o = {.id = id, .to = DELIVERY_SENT};
    delivery_state_t state;
    message_row_t m;
    int rc = find(tx, id, attempt, &state, &m);

    if (rc == WERR_OK) {
        rc = set(tx, &o);
    }
    if (rc == WERR_OK && m.id != 0) {
        rc = message_move(tx, &m, STATUS_SENT, NULL, NULL);
    }
    if (rc == WERR_OK && m.id != 0) {
        rc = message_bind(tx, &m,
                          wa_id != NULL && *wa_id != '\0' ? wa_id : NULL);
    }
    return rc;
}

/*
 * An outcome that is no proof of sending: where there is proof it loses, and
 * only an attempt that is still open can have it.
 */
static int unproven(tx_t *tx, const char *attempt, outcome_t *o,
                    status_t status, const char *code)
{
    delivery_state_t state;
    message_row_t m;
    int rc = find(tx, o->id, attempt, &state, &m);

    if (rc != WERR_OK) {
        return rc;
    }
    if (state != DELIVERY_INFLIGHT && state != DELIVERY_UNKNOWN) {
        return WERR_OK;
    }
    if (proven(&m)) {
        *o = (outcome_t){.id = o->id, .to = DELIVERY_SENT};
    } else if (m.id == 0 && o->to == DELIVERY_UNKNOWN) {
        o->to = DELIVERY_UNKNOWN_LEFT; /* a receipt holds up nobody */
    }
    rc = set(tx, o);
    if (rc != WERR_OK || m.id == 0 || o->to == DELIVERY_SENT) {
        return rc;
    }
    if (o->to == DELIVERY_QUEUED) {
        return m.status == STATUS_UNKNOWN
                   ? message_set_status(tx, &m, STATUS_QUEUED, NULL, NULL)
                   : WERR_OK;
    }
    return message_move(tx, &m, status, code, o->reason);
}

int delivery_retry(tx_t *tx, int64_t id, const char *attempt,
                   int64_t not_before, const char *reason)
{
    outcome_t o = {.id = id,
                   .to = DELIVERY_QUEUED,
                   .not_before = not_before,
                   .reason = reason};

    bool may;
    int rc = delivery_consented(tx, id, &may);

    tx->queued = true;
    if (rc == WERR_OK && !may) {
        return delivery_failed(tx, id, attempt, DELIVERY_OPTED_OUT,
                               DELIVERY_OPTED_OUT_TEXT);
    }
    return rc == WERR_OK ? unproven(tx, attempt, &o, STATUS_QUEUED, NULL) : rc;
}

int delivery_uncount(tx_t *tx, int64_t id)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_less);

    db_bind_i64(s, 1, id);
    return db_exec(s);
}

int delivery_failed(tx_t *tx, int64_t id, const char *attempt, const char *code,
                    const char *reason)
{
    outcome_t o = {.id = id, .to = DELIVERY_FAILED, .reason = reason};

    return unproven(tx, attempt, &o, STATUS_FAILED, code);
}

int delivery_unknown(tx_t *tx, int64_t id, const char *attempt,
                     int64_t deadline, const char *reason)
{
    outcome_t o = {.id = id,
                   .to = DELIVERY_UNKNOWN,
                   .deadline = deadline,
                   .reason = reason};

    return unproven(tx, attempt, &o, STATUS_UNKNOWN, NULL);
}

/* What a crash left in flight may have gone out or not. */
static int recover_one(tx_t *tx, int64_t id, int64_t message, int64_t deadline)
{
    outcome_t o = {.id = id,
                   .to = DELIVERY_UNKNOWN,
                   .deadline = deadline,
                   .reason = "interrupted"};
    message_row_t m = {0};
    int rc = WERR_OK;

    if (message != 0) {
        rc = message_row_get(tx->db, message, &m);
    }
    if (rc == WERR_NOTFOUND) {
        log_error("outbox",
                  "msg=\"a row without its message is closed\" "
                  "row=%" PRId64 " message=%" PRId64,
                  id, message);
        o.to = DELIVERY_FAILED;
        o.deadline = 0;
        return set(tx, &o);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    if (message == 0) {
        o.to = DELIVERY_QUEUED; /* a receipt may go twice */
        o.deadline = 0;
    } else if (proven(&m)) {
        o.to = DELIVERY_SENT;
        o.deadline = 0;
    }
    rc = set(tx, &o);
    if (rc == WERR_OK && o.to == DELIVERY_UNKNOWN) {
        rc = message_move(tx, &m, STATUS_UNKNOWN, NULL, NULL);
    }
    return rc;
}

int delivery_recover(tx_t *tx, int64_t deadline)
{
    for (;;) {
        db_stmt_t *s = db_stmt(tx->db, &delivery_in_state);
        int64_t ids[500], messages[500];
        size_t n = 0;
        int rc;

        db_bind_i64(s, 1, DELIVERY_INFLIGHT);
        while ((rc = db_step(s)) == DB_ROW && n < 500) {
            ids[n] = db_i64(s, 0);
            messages[n++] = db_i64(s, 1);
        }
        for (size_t i = 0; rc == WERR_OK && i < n; i++) {
            rc = recover_one(tx, ids[i], messages[i], deadline);
        }
        if (rc != WERR_OK || n == 0) {
            return rc;
        }
        tx->queued = true;
    }
}

int delivery_expire(tx_t *tx, int64_t now)
{
    db_stmt_t *s = db_stmt(tx->db, &delivery_leave);
    int rc;

    db_bind_i64(s, 1, now);
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) > 0) {
        tx->queued = true;
    }
    return rc;
}
