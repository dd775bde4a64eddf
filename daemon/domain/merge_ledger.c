#include "domain/merge_ledger.h"

#include "domain/contact_merge.h"
#include "domain/fresh_id.h"
#include "domain/row_json.h"

DB_QUERY(ledger_insert,
         "INSERT INTO merges (id, into_id, from_id, user_id, created_at) "
         "VALUES (" FRESH_ID("merges") ", $1, $2, $3, $4)");
DB_QUERY(ledger_contact,
         "INSERT INTO merge_contacts (merge_id, contact_id, phone, "
         "phone_typed, name, opted_out, vip, pledge, donor, talk_points, "
         "talk_at, talk_day, talk_read_day, segment, created_at) "
         "SELECT $1, id, phone, phone_typed, name, opted_out, vip, pledge, "
         "donor, talk_points, talk_at, talk_day, talk_read_day, segment, "
         "created_at FROM contacts WHERE id = $2");
DB_QUERY(ledger_donations,
         "INSERT INTO merge_rows (merge_id, kind, row_id) "
         "SELECT $1, 'donation', id FROM donations WHERE contact_id = $2");
DB_QUERY(ledger_segments,
         "INSERT INTO merge_rows (merge_id, kind, row_id) SELECT $1, "
         "'segment', id FROM segment_changes WHERE contact_id = $2");
DB_QUERY(ledger_notes,
         "INSERT INTO merge_rows (merge_id, kind, row_id) "
         "SELECT $1, 'note', id FROM notes WHERE contact_id = $2");
DB_QUERY(ledger_reminders,
         "INSERT INTO merge_rows (merge_id, kind, row_id) "
         "SELECT $1, 'reminder', id FROM reminders WHERE contact_id = $2");
DB_QUERY(ledger_consents,
         "INSERT INTO merge_rows (merge_id, kind, row_id) "
         "SELECT $1, 'consent', id FROM consents WHERE contact_id = $2");
DB_QUERY(ledger_aliases,
         "INSERT INTO merge_aliases (merge_id, alias, made) "
         "SELECT $1, alias, 0 FROM contact_aliases WHERE contact_id = $2");
DB_QUERY(ledger_alias_of,
         "INSERT INTO merge_aliases (merge_id, alias, made) "
         "SELECT $1, phone, 1 FROM contacts WHERE id = $2 AND NOT EXISTS "
         "(SELECT 1 FROM contact_aliases a WHERE a.alias = contacts.phone)");
DB_QUERY(ledger_chat,
         "INSERT INTO merge_chats (merge_id, chat_id, target_id, session_id, "
         "unread, starred, target_starred) SELECT $1, f.id, t.id, "
         "f.session_id, f.unread, f.starred, coalesce(t.starred, 0) "
         "FROM chats f LEFT JOIN chats t ON t.id = $3 WHERE f.id = $2");
DB_QUERY(ledger_messages,
         "INSERT INTO merge_rows (merge_id, kind, row_id, chat_id) "
         "SELECT $1, 'message', id, $2 FROM messages WHERE chat_id = $2");
DB_QUERY(ledger_page,
         "SELECT m.id, m.created_at, m.user_id, m.undone_at, i.phone, "
         "i.name, f.phone, f.name FROM merges m "
         "CROSS JOIN merge_contacts i ON i.merge_id = m.id "
         "AND i.contact_id = m.into_id "
         "CROSS JOIN merge_contacts f ON f.merge_id = m.id "
         "AND f.contact_id = m.from_id WHERE m.id < $1 "
         "ORDER BY m.id DESC LIMIT $2");

static int run2(tx_t *tx, const db_query_t *q, int64_t a, int64_t b)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, a);
    db_bind_i64(s, 2, b);
    return db_exec(s);
}

int merge_ledger_open(tx_t *tx, int64_t into, int64_t from, int64_t user,
                      int64_t *merge)
{
    static const db_query_t *const parts[] = {
        &ledger_contact, &ledger_donations, &ledger_segments,
        &ledger_notes,   &ledger_reminders, &ledger_consents,
        &ledger_aliases, &ledger_alias_of};
    db_stmt_t *s = db_stmt(tx->db, &ledger_insert);
    int rc;

    db_bind_i64(s, 1, into);
    db_bind_i64(s, 2, from);
    if (user != 0) {
        db_bind_i64(s, 3, user);
    }
    db_bind_i64(s, 4, tx->now);
    rc = db_exec(s);
    *merge = rc == WERR_OK ? db_last_id(tx->db) : 0;
    if (rc == WERR_OK) {
        rc = run2(tx, &ledger_contact, *merge, into);
    }
    for (size_t i = 0; rc == WERR_OK && i < sizeof(parts) / sizeof(*parts);
         i++) {
        rc = run2(tx, parts[i], *merge, from);
    }
    return rc;
}

int merge_ledger_chat(tx_t *tx, int64_t merge, int64_t chat, int64_t target)
{
    db_stmt_t *s = db_stmt(tx->db, &ledger_chat);
    int rc;

    db_bind_i64(s, 1, merge);
    db_bind_i64(s, 2, chat);
    db_bind_i64(s, 3, target);
    rc = db_exec(s);
    return rc == WERR_OK && target != 0
               ? run2(tx, &ledger_messages, merge, chat)
               : rc;
}

static void write_side(buf_t *out, db_stmt_t *s, int column, const char *key)
{
    jw_open_object(out, key);
    jw_str(out, "phone", db_text(s, column));
    jw_str(out, "name", db_text(s, column + 1));
    jw_close_object(out);
}

static void write_row(buf_t *out, db_stmt_t *s)
{
    jw_open_object(out, NULL);
    jw_i64(out, "id", db_i64(s, 0));
    jw_time(out, "created_at", db_i64(s, 1));
    row_i64(out, "user_id", s, 2);
    row_time(out, "undone_at", s, 3);
    write_side(out, s, 4, "into");
    write_side(out, s, 6, "from");
    jw_close_object(out);
}

int merge_page(db_t *db, int limit, int64_t before, buf_t *out, const char *key,
               bool *more, int64_t *last)
{
    db_stmt_t *s = db_stmt(db, &ledger_page);
    int n = 0, rc;

    db_bind_i64(s, 1, before);
    db_bind_i64(s, 2, limit + 1);
    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW && n < limit) {
        write_row(out, s);
        *last = db_i64(s, 0);
        n++;
    }
    *more = rc == DB_ROW;
    db_done(s);
    jw_close_array(out);
    return rc == DB_ROW ? WERR_OK : rc;
}
