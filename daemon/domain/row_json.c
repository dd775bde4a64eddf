#include "domain/row_json.h"

void row_i64(buf_t *out, const char *key, db_stmt_t *s, int column)
{
    if (db_is_null(s, column)) {
        jw_null(out, key);
    } else {
        jw_i64(out, key, db_i64(s, column));
    }
}

void row_time(buf_t *out, const char *key, db_stmt_t *s, int column)
{
    if (db_is_null(s, column)) {
        jw_null(out, key);
    } else {
        jw_time(out, key, db_i64(s, column));
    }
}

void row_day(buf_t *out, const char *key, db_stmt_t *s, int column)
{
    if (db_is_null(s, column)) {
        jw_null(out, key);
    } else {
        jw_day(out, key, db_i64(s, column));
    }
}

int row_write_first(db_stmt_t *s, row_write_fn fn, buf_t *out, const char *key)
{
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    fn(s, out, key);
    db_done(s);
    return WERR_OK;
}

int row_write_all(db_stmt_t *s, row_write_fn fn, buf_t *out, const char *key)
{
    int rc;

    jw_open_array(out, key);
    while ((rc = db_step(s)) == DB_ROW) {
        fn(s, out, NULL);
    }
    jw_close_array(out);
    return rc;
}

void row_text(db_stmt_t *s, buf_t *out, const char *key)
{
    jw_str(out, key, db_text(s, 0));
}
