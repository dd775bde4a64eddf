#include "domain/reminder.h"

#include <string.h>

#include "domain/contact_visible.h"
#include "domain/event.h"
#include "domain/fresh_id.h"
#include "domain/rendered.h"
#include "domain/row_json.h"

#define BATCH 100

#define COLUMNS_NOTED(note)                                          \
    "r.id, r.remind_at, " note ", r.assignee_id, r.state, r.cs_id, " \
    "r.fired_at, r.created_at"
#define COLUMNS COLUMNS_NOTED("r.note")

DB_QUERY(reminder_insert,
         "INSERT INTO reminders (id, contact_id, remind_at, note, "
         "assignee_id, cs_id, created_at, updated_at) "
         "VALUES (" FRESH_ID("reminders") ", $1, $2, $3, $4, $5, $6, $6)");
DB_QUERY(reminder_state, "SELECT state, contact_id FROM reminders "
                         "WHERE id = $1");
DB_QUERY(reminder_set_state,
         "UPDATE reminders SET state = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(reminder_due, "SELECT id, contact_id FROM reminders WHERE "
                       "state = 'open' AND fired_at IS NULL AND "
                       "remind_at <= $1 ORDER BY remind_at, id LIMIT $2");
DB_QUERY(reminder_next, "SELECT remind_at FROM reminders WHERE "
                        "state = 'open' AND fired_at IS NULL "
                        "ORDER BY remind_at, id LIMIT 1");
DB_QUERY(reminder_set_fired,
         "UPDATE reminders SET fired_at = $2 WHERE id = $1");
/* Where the contact is talked with: whoever sees that sees the event. */
DB_QUERY_SCAN(reminder_place,
              "SELECT session_id, id FROM chats WHERE contact_id = $1 "
              "ORDER BY last_ts DESC LIMIT 1",
              "sorts the chats of one contact: one per WhatsApp number");
DB_QUERY(reminder_get, "SELECT " COLUMNS " FROM reminders r WHERE r.id = $1");
DB_QUERY(reminder_of_contact, "SELECT " COLUMNS " FROM reminders r WHERE "
                              "r.contact_id = $1 ORDER BY r.id DESC LIMIT $2");
/* What an event tells of it. */
DB_QUERY(reminder_told,
         "SELECT " COLUMNS_NOTED(
             "substr(r.note, 1, " RENDERED_TEXT
             ")") ", k.id, k.phone, substr(k.name, 1, " RENDERED_TITLE "), "
                  "CASE WHEN length(r.note) > " RENDERED_TEXT
                  " THEN 1 ELSE 0 END "
                  "FROM reminders r JOIN contacts k ON k.id = r.contact_id "
                  "WHERE r.id " SOME_IDS);
#define VISIBLE CONTACT_VISIBLE("k.id", "$4", "$5")
DB_QUERY(reminder_visible,
         "SELECT " COLUMNS ", k.phone, k.name FROM reminders r CROSS JOIN "
         "contacts k WHERE k.id = r.contact_id AND r.state = $1 AND "
         "(r.remind_at, r.id) > ($2, $3) AND " VISIBLE
         " ORDER BY r.remind_at, r.id LIMIT $6");

int reminder_add(tx_t *tx, const reminder_t *r, int64_t *id)
{
    db_stmt_t *s = db_stmt(tx->db, &reminder_insert);
    int rc;

    db_bind_i64(s, 1, r->contact);
    db_bind_i64(s, 2, r->at);
    db_bind_text(s, 3, r->note);
    if (r->assignee != 0) {
        db_bind_i64(s, 4, r->assignee);
    }
    if (r->cs_id != 0) {
        db_bind_i64(s, 5, r->cs_id);
    }
    db_bind_i64(s, 6, tx->now);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    *id = db_last_id(tx->db);
    if (tx->remind_at == 0 || r->at < tx->remind_at) {
        tx->remind_at = r->at;
    }
    return event_raise(tx, EVENT_CONTACT, 0, 0, r->contact);
}

int reminder_close(tx_t *tx, int64_t id, const char *state)
{
    db_stmt_t *s = db_stmt(tx->db, &reminder_state);
    int64_t contact;
    bool open, same;
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    open = strcmp(db_text(s, 0), "open") == 0;
    same = strcmp(db_text(s, 0), state) == 0;
    contact = db_i64(s, 1);
    db_done(s);
    if (!open) {
        return same ? WERR_OK : WERR_CONFLICT;
    }
    s = db_stmt(tx->db, &reminder_set_state);
    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, state);
    db_bind_i64(s, 3, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK ? event_raise(tx, EVENT_CONTACT, 0, 0, contact) : rc;
}

/* ---- firing ---- */

typedef struct {
    int64_t id, contact;
} due_t;

static int fire(tx_t *tx, const due_t *due)
{
    db_stmt_t *s = db_stmt(tx->db, &reminder_place);
    int64_t session = 0, chat = 0;
    int rc;

    db_bind_i64(s, 1, due->contact);
    rc = db_first(s);
    if (rc == DB_ROW) {
        session = db_i64(s, 0);
        chat = db_i64(s, 1);
        db_done(s);
    } else if (rc != WERR_NOTFOUND) {
        return rc;
    }
    s = db_stmt(tx->db, &reminder_set_fired);
    db_bind_i64(s, 1, due->id);
    db_bind_i64(s, 2, tx->now);
    rc = db_exec(s);
    return rc == WERR_OK
               ? event_raise(tx, EVENT_REMINDER_DUE, session, chat, due->id)
               : rc;
}

/* Under the writer's lock: nobody adds one meanwhile. */
static int set_next(tx_t *tx, domain_t *d)
{
    db_stmt_t *s = db_stmt(tx->db, &reminder_next);
    int64_t next = INT64_MAX;
    int rc = db_first_i64(s, &next);

    if (rc == WERR_OK || rc == WERR_NOTFOUND) {
        atomic_store(&d->reminder_due, next);
        rc = WERR_OK;
    }
    return rc;
}

static int fire_due(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &reminder_due);
    due_t due[BATCH];
    int n = 0, rc;

    db_bind_i64(s, 1, tx->now);
    db_bind_i64(s, 2, BATCH);
    while ((rc = db_step(s)) == DB_ROW && n < BATCH) {
        due[n].id = db_i64(s, 0);
        due[n++].contact = db_i64(s, 1);
    }
    db_done(s);
    for (int i = 0; rc >= 0 && i < n; i++) {
        rc = fire(tx, &due[i]);
    }
    if (rc >= 0) {
        rc = set_next(tx, arg);
    }
    return rc < 0 ? rc : n;
}

int reminder_fire(domain_t *d)
{
    int n, total = 0;

    do {
        n = domain_write(d, fire_due, d);
        total += n > 0 ? n : 0;
    } while (n == BATCH);
    if (n < 0) {
        /* whatever was read of the next one: it may not hold */
        atomic_store(&d->reminder_due, 0);
        return n;
    }
    return total;
}

/* ---- lists ---- */

static void write_fields(db_stmt_t *s, buf_t *out)
{
    jw_i64(out, "id", db_i64(s, 0));
    jw_time(out, "remind_at", db_i64(s, 1));
    jw_str(out, "note", db_text(s, 2));
    row_i64(out, "assignee_id", s, 3);
    jw_str(out, "state", db_text(s, 4));
    row_i64(out, "cs_id", s, 5);
    row_time(out, "fired_at", s, 6);
    jw_time(out, "created_at", db_i64(s, 7));
}

static void write_row(db_stmt_t *s, buf_t *out, const char *key)
{
    jw_open_object(out, key);
    write_fields(s, out);
    jw_close_object(out);
}

int reminder_write(db_t *db, int64_t id, buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &reminder_get);

    db_bind_i64(s, 1, id);
    return row_write_first(s, write_row, out, key);
}

int reminder_render(db_t *db, rendered_t *r)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &reminder_told, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

            jw_open_object(&r->text, "reminder");
            write_fields(s, &r->text);
            jw_close_object(&r->text);
            jw_str(&r->text, "phone", db_text(s, 9));
            jw_str(&r->text, "name", db_text(s, 10));
            if (db_i64(s, 11) != 0) {
                jw_bool(&r->text, "truncated", true);
            }
            row->contact = db_i64(s, 8);
            rendered_end(r, row);
        }
    }
    return rc;
}

int reminder_list(db_t *db, int64_t contact, int limit, buf_t *out,
                  const char *key)
{
    db_stmt_t *s = db_stmt(db, &reminder_of_contact);

    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, limit);
    return row_write_all(s, write_row, out, key);
}

int reminder_contact(db_t *db, int64_t id, int64_t *contact)
{
    db_stmt_t *s = db_stmt(db, &reminder_state);
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *contact = db_i64(s, 1);
    db_done(s);
    return WERR_OK;
}

int reminder_page(db_t *db, const reminder_query_t *q, buf_t *out,
                  const char *key, bool *more, int64_t *at, int64_t *id)
{
    db_stmt_t *s = db_stmt(db, &reminder_visible);
    int n = 0, rc;

    db_bind_text(s, 1, q->state);
    db_bind_i64(s, 2, q->after_at);
    db_bind_i64(s, 3, q->after_id);
    db_bind_i64(s, 4, q->user);
    db_bind_i64(s, 5, q->all);
    db_bind_i64(s, 6, q->limit + 1);
    *more = false;
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW && n < q->limit) {
        jw_open_object(out, NULL);
        write_fields(s, out);
        jw_open_object(out, "contact");
        jw_str(out, "phone", db_text(s, 8));
        jw_str(out, "name", db_text(s, 9));
        jw_close_object(out);
        jw_close_object(out);
        *id = db_i64(s, 0);
        *at = db_i64(s, 1);
        n++;
    }
    *more = rc == DB_ROW;
    db_done(s);
    jw_close_array(out);
    return rc == DB_ROW ? WERR_OK : rc;
}
