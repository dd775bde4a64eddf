#include "domain/consent.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "domain/audit.h"
#include "domain/contact.h"
#include "domain/delivery.h"
#include "domain/event.h"
#include "domain/row_json.h"

#define REPLY_MS DAY_MS
#define HISTORY  1000
/* What may stand round a lone word; * _ ~ are WhatsApp's bold and the like. */
#define AROUND " \t\r\n.,!?;:*_~\"'"

DB_QUERY(consent_insert,
         "INSERT INTO consents (contact_id, opted_out, how, user_id, "
         "message_id, note, since, created_at) "
         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
/* 1 row if it was otherwise before */
DB_QUERY(consent_follow,
         "UPDATE contacts SET opted_out = n.opted_out, updated_at = $2 FROM "
         "(SELECT opted_out FROM consents WHERE contact_id = $1 "
         "ORDER BY since DESC, id DESC LIMIT 1) AS n "
         "WHERE contacts.id = $1 AND contacts.opted_out <> n.opted_out");
DB_QUERY(consent_state, "SELECT opted_out FROM contacts WHERE id = $1");
DB_QUERY(consent_reply,
         "SELECT m.id FROM messages m LEFT JOIN (SELECT since, created_at, "
         "coalesce(message_id, 0) AS message_id FROM consents "
         "WHERE contact_id = $1 ORDER BY since DESC, id DESC LIMIT 1) AS n "
         "ON 1 = 1 WHERE m.chat_id = $2 AND m.ts >= $3 AND m.direction = 0 "
         "AND (n.since IS NULL OR (m.ts >= n.since AND m.id > n.message_id "
         "AND m.created_at >= n.created_at AND n.created_at <= $4)) "
         "AND EXISTS (SELECT 1 FROM contacts k WHERE k.id = $1 "
         "AND k.phone NOT LIKE '" CONTACT_ERASED "%') LIMIT 1");
DB_QUERY(consent_history,
         "SELECT id, opted_out, how, user_id, message_id, note, since, "
         "created_at FROM consents WHERE contact_id = $1 "
         "ORDER BY since DESC, id DESC LIMIT $2");

static int insert(tx_t *tx, const consent_t *c, int64_t since)
{
    db_stmt_t *s = db_stmt(tx->db, &consent_insert);

    db_bind_i64(s, 1, c->contact);
    db_bind_i64(s, 2, c->opted_out);
    db_bind_text(s, 3, c->how);
    if (c->user != 0) {
        db_bind_i64(s, 4, c->user);
    }
    if (c->message != 0) {
        db_bind_i64(s, 5, c->message);
    }
    db_bind_text(s, 6, c->note);
    db_bind_i64(s, 7, since);
    db_bind_i64(s, 8, tx->now);
    return db_exec(s);
}

/* What waits for them stays here, if that is what they said last. */
static int refuse_queued(tx_t *tx, int64_t contact)
{
    bool opted_out;
    int rc = consent_opted_out(tx->db, contact, &opted_out);

    return rc == WERR_OK && opted_out ? delivery_refuse(tx, contact) : rc;
}

int consent_record(tx_t *tx, const consent_t *c)
{
    /* A clock that runs ahead must not win over what is said later. */
    bool now = c->since == 0 || c->since > tx->now;
    audit_t a = {.user = c->user,
                 .action = c->opted_out ? "consent.opt_out" : "consent.opt_in",
                 .contact = c->contact,
                 .object = c->message,
                 .detail = c->how};
    db_stmt_t *s;
    int rc = insert(tx, c, now ? tx->now : c->since);

    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &consent_follow);
        db_bind_i64(s, 1, c->contact);
        db_bind_i64(s, 2, tx->now);
        rc = db_exec(s);
    }
    if (rc == WERR_OK && db_changes(tx->db) > 0) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, c->contact);
    }
    if (rc == WERR_OK && c->opted_out) {
        rc = refuse_queued(tx, c->contact);
    }
    return rc == WERR_OK ? audit_note(tx, &a) : rc;
}

/* Without what may stand round a word. */
static const char *trim(const char *text, size_t *len)
{
    size_t n;

    text += strspn(text, AROUND);
    n = strlen(text);
    while (n > 0 && strchr(AROUND, text[n - 1]) != NULL) {
        n--;
    }
    *len = n;
    return text;
}

bool consent_is_word(const char *list, const char *text)
{
    size_t len;

    text = trim(text, &len);
    while (list != NULL && len > 0 && *list != '\0') {
        size_t n = strcspn(list, ",");
        const char *next = list + n + (list[n] == ',');

        while (n > 0 && *list == ' ') {
            list++;
            n--;
        }
        while (n > 0 && list[n - 1] == ' ') {
            n--;
        }
        if (n == len && strncasecmp(list, text, n) == 0) {
            return true;
        }
        list = next;
    }
    return false;
}

int consent_hear(tx_t *tx, int64_t contact, int64_t message, const char *text,
                 int64_t ts)
{
    const domain_settings_t *set = &tx->domain->settings;
    consent_t c = {
        .contact = contact, .how = "message", .message = message, .since = ts};

    c.opted_out = consent_is_word(set->stop_words, text);
    if (!c.opted_out && !consent_is_word(set->start_words, text)) {
        return WERR_OK;
    }
    return consent_record(tx, &c);
}

int consent_opted_out(db_t *db, int64_t contact, bool *out)
{
    db_stmt_t *s = db_stmt(db, &consent_state);
    int rc;

    db_bind_i64(s, 1, contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    *out = db_i64(s, 0) != 0;
    db_done(s);
    return WERR_OK;
}

int consent_may_reply(tx_t *tx, int64_t contact, int64_t chat, int64_t queued,
                      bool *may)
{
    db_stmt_t *s = db_stmt(tx->db, &consent_reply);

    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, chat);
    db_bind_i64(s, 3, tx->now - REPLY_MS);
    db_bind_i64(s, 4, queued);
    return db_exists(s, may);
}

static void write_entry(db_stmt_t *s, buf_t *out)
{
    jw_open_object(out, NULL);
    jw_i64(out, "id", db_i64(s, 0));
    jw_str(out, "state", db_i64(s, 1) != 0 ? "opt_out" : "opt_in");
    jw_str(out, "how", db_text(s, 2));
    row_i64(out, "user_id", s, 3);
    row_i64(out, "message_id", s, 4);
    jw_str(out, "note", db_text(s, 5));
    jw_time(out, "since", db_i64(s, 6));
    jw_time(out, "created_at", db_i64(s, 7));
    jw_close_object(out);
}

int consent_write(db_t *db, int64_t contact, buf_t *out, const char *key)
{
    db_stmt_t *s;
    bool opted_out;
    int rc = consent_opted_out(db, contact, &opted_out);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(db, &consent_history);
    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, HISTORY);
    jw_open_object(out, key);
    jw_bool(out, "opted_out", opted_out);
    jw_open_array(out, "history");
    while ((rc = db_step(s)) == DB_ROW) {
        write_entry(s, out);
    }
    jw_close_array(out);
    jw_close_object(out);
    return rc;
}
