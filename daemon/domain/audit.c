#include "domain/audit.h"
#include "domain/row_json.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS                                                             \
    "SELECT a.id, a.at, a.user_id, u.name, a.who, a.action, a.contact_id, " \
    "k.phone, s.session_id, a.object_id, a.detail FROM audit a "            \
    "LEFT JOIN users u ON u.id = a.user_id "                                \
    "LEFT JOIN contacts k ON k.id = a.contact_id AND k.created_at <= a.at " \
    "LEFT JOIN sessions s ON s.id = a.session_id WHERE a.id < $1 "
#define NEWEST " ORDER BY a.id DESC LIMIT $2"

DB_QUERY(audit_insert,
         "INSERT INTO audit (at, user_id, who, action, contact_id, "
         "session_id, object_id, detail) "
         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
DB_QUERY(audit_of_message, "SELECT c.contact_id, m.session_id FROM messages m "
                           "JOIN chats c ON c.id = m.chat_id WHERE m.id = $1");
DB_QUERY(audit_of_chat,
         "SELECT contact_id, session_id FROM chats WHERE id = $1");
DB_QUERY(audit_all, COLUMNS NEWEST);
/* A contact's id may be given again after a merge: rows older than the
 * contact are another one's. */
DB_QUERY(audit_by_contact, COLUMNS "AND a.contact_id = $3 AND k.id IS NOT NULL "
                                   "AND ($4 IS NULL OR a.user_id = $4) "
                                   "AND ($5 IS NULL OR a.action = $5)" NEWEST);
DB_QUERY(audit_by_user, COLUMNS "AND a.user_id = $3 "
                                "AND ($4 IS NULL OR a.action = $4)" NEWEST);
DB_QUERY(audit_by_action, COLUMNS "AND a.action = $3" NEWEST);

static void bind_id(db_stmt_t *s, int i, int64_t id)
{
    if (id != 0) {
        db_bind_i64(s, i, id);
    }
}

static _Thread_local struct {
    int64_t user;
    const char *who;
} actor;

void audit_as(int64_t user, const char *who)
{
    actor.user = user;
    actor.who = who;
}

int audit_note(tx_t *tx, const audit_t *a)
{
    db_stmt_t *s = db_stmt(tx->db, &audit_insert);
    int64_t user = a->user != 0 ? a->user : actor.user;
    const char *who = "system";

    if (user != 0) {
        who = "user";
    } else if (actor.who != NULL) {
        who = actor.who;
    }
    db_bind_i64(s, 1, tx->now);
    bind_id(s, 2, user);
    db_bind_text(s, 3, who);
    db_bind_text(s, 4, a->action);
    bind_id(s, 5, a->contact);
    bind_id(s, 6, a->session);
    bind_id(s, 7, a->object);
    db_bind_text(s, 8, a->detail);
    return db_exec(s);
}

static int write_alone(tx_t *tx, void *arg)
{
    return audit_note(tx, arg);
}

int audit_write(domain_t *d, const audit_t *a)
{
    audit_t copy = *a;
    int rc = domain_write(d, write_alone, &copy);

    return rc < 0 ? rc : WERR_OK;
}

/* Of the object: whose it is, q says. */
static int note_whose(tx_t *tx, const db_query_t *q, audit_t a)
{
    db_stmt_t *s = db_stmt(tx->db, q);
    int rc;

    db_bind_i64(s, 1, a.object);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    a.contact = db_i64(s, 0);
    a.session = db_i64(s, 1);
    db_done(s);
    return audit_note(tx, &a);
}

int audit_message(tx_t *tx, const audit_t *a)
{
    return note_whose(tx, &audit_of_message, *a);
}

int audit_chat(tx_t *tx, int64_t chat, const char *action, const char *detail)
{
    return note_whose(
        tx, &audit_of_chat,
        (audit_t){.action = action, .object = chat, .detail = detail});
}

void audit_mask_email(const char *email, char *out, size_t size)
{
    const char *at = strrchr(email, '@');
    size_t first = 1;

    if (at == NULL || at == email) {
        snprintf(out, size, "***");
        return;
    }
    while (((unsigned char)email[first] & 0xc0) == 0x80) {
        first++;
    }
    snprintf(out, size, "%.*s***%s", (int)first, email, at);
}

static void write_row(db_stmt_t *s, buf_t *out)
{
    jw_open_object(out, NULL);
    jw_i64(out, "id", db_i64(s, 0));
    jw_time(out, "at", db_i64(s, 1));
    row_i64(out, "user_id", s, 2);
    jw_str(out, "user", db_text(s, 3));
    jw_str(out, "who", db_text(s, 4));
    jw_str(out, "action", db_text(s, 5));
    row_i64(out, "contact_id", s, 6);
    jw_str(out, "phone", db_text(s, 7));
    jw_str(out, "session_id", db_text(s, 8));
    row_i64(out, "object_id", s, 9);
    jw_str(out, "detail", db_text(s, 10));
    jw_close_object(out);
}

/* By the narrowest index that the filters allow. */
static db_stmt_t *ask(db_t *db, const audit_query_t *q)
{
    db_stmt_t *s;

    if (q->contact != 0) {
        s = db_stmt(db, &audit_by_contact);
        db_bind_i64(s, 3, q->contact);
        bind_id(s, 4, q->user);
        db_bind_text(s, 5, q->action);
    } else if (q->user != 0) {
        s = db_stmt(db, &audit_by_user);
        db_bind_i64(s, 3, q->user);
        db_bind_text(s, 4, q->action);
    } else if (q->action != NULL) {
        s = db_stmt(db, &audit_by_action);
        db_bind_text(s, 3, q->action);
    } else {
        s = db_stmt(db, &audit_all);
    }
    db_bind_i64(s, 1, q->before != 0 ? q->before : INT64_MAX);
    db_bind_i64(s, 2, (int64_t)q->limit + 1);
    return s;
}

int audit_list(db_t *db, const audit_query_t *q, buf_t *out, const char *key,
               bool *more, int64_t *last)
{
    db_stmt_t *s = ask(db, q);
    int n = 0, rc;

    *more = false;
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        if (n++ == q->limit) {
            *more = true;
            db_done(s);
            rc = DB_DONE;
            break;
        }
        write_row(s, out);
        *last = db_i64(s, 0);
    }
    jw_close_array(out);
    return rc;
}
