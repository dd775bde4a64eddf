#include "domain/note.h"

#include "domain/event.h"
#include "domain/fresh_id.h"
#include "domain/row_json.h"

#define COLUMNS "id, note, cs_id, created_at"

DB_QUERY(note_insert,
         "INSERT INTO notes (id, contact_id, note, cs_id, created_at) "
         "VALUES (" FRESH_ID("notes") ", $1, $2, $3, $4)");
DB_QUERY(note_get, "SELECT " COLUMNS " FROM notes WHERE id = $1");
DB_QUERY(note_of_contact, "SELECT " COLUMNS " FROM notes WHERE "
                          "contact_id = $1 ORDER BY id DESC LIMIT $2");

int note_add(tx_t *tx, int64_t contact, const char *text, int64_t cs_id,
             int64_t *id)
{
    db_stmt_t *s = db_stmt(tx->db, &note_insert);
    int rc;

    db_bind_i64(s, 1, contact);
    db_bind_text(s, 2, text);
    if (cs_id != 0) {
        db_bind_i64(s, 3, cs_id);
    }
    db_bind_i64(s, 4, tx->now);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    *id = db_last_id(tx->db);
    return event_raise(tx, EVENT_CONTACT, 0, 0, contact);
}

static void write_row(db_stmt_t *s, buf_t *out, const char *key)
{
    jw_open_object(out, key);
    jw_i64(out, "id", db_i64(s, 0));
    jw_str(out, "note", db_text(s, 1));
    row_i64(out, "cs_id", s, 2);
    jw_time(out, "created_at", db_i64(s, 3));
    jw_close_object(out);
}

int note_write(db_t *db, int64_t id, buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &note_get);

    db_bind_i64(s, 1, id);
    return row_write_first(s, write_row, out, key);
}

int note_list(db_t *db, int64_t contact, int limit, buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &note_of_contact);

    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, limit);
    return row_write_all(s, write_row, out, key);
}
