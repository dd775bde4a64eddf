#include "domain/donation.h"
#include "domain/row_json.h"

#define COLUMNS                                                         \
    "d.id, d.amount, d.gift_day, d.fund, d.campaign, d.method, d.ref, " \
    "d.note, d.status, d.cs_id, d.created_at"

DB_QUERY(donation_get, "SELECT " COLUMNS " FROM donations d WHERE d.id = $1");
DB_QUERY_SCAN(donation_of_contact,
              "SELECT " COLUMNS " FROM donations d WHERE d.contact_id = $1 "
              "ORDER BY d.gift_day DESC, d.id DESC LIMIT $2",
              "sorts the gifts of one donor");

static void write_row(db_stmt_t *s, buf_t *out, const char *key)
{
    jw_open_object(out, key);
    jw_i64(out, "id", db_i64(s, 0));
    jw_i64(out, "amount", db_i64(s, 1));
    jw_day(out, "date", db_i64(s, 2));
    jw_str(out, "fund", db_text(s, 3));
    jw_str(out, "campaign", db_text(s, 4));
    jw_str(out, "method", db_text(s, 5));
    jw_str(out, "ref", db_text(s, 6));
    jw_str(out, "note", db_text(s, 7));
    jw_str(out, "status", db_text(s, 8));
    row_i64(out, "cs_id", s, 9);
    jw_time(out, "created_at", db_i64(s, 10));
    jw_close_object(out);
}

int donation_write(db_t *db, int64_t id, buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &donation_get);

    db_bind_i64(s, 1, id);
    return row_write_first(s, write_row, out, key);
}

int donation_list(db_t *db, int64_t contact, int limit, buf_t *out,
                  const char *key)
{
    db_stmt_t *s = db_stmt(db, &donation_of_contact);

    db_bind_i64(s, 1, contact);
    db_bind_i64(s, 2, limit);
    return row_write_all(s, write_row, out, key);
}
