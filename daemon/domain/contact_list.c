#include "domain/contact_list.h"

#include "domain/some_ids.h"

DB_QUERY(contact_list_rows, "SELECT id, phone, name, segment FROM contacts "
                            "WHERE id " SOME_IDS " ORDER BY id DESC");

static int write_some(db_t *db, const int64_t *ids, size_t n, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &contact_list_rows);
    int rc;

    bind_some_ids(s, ids, n);
    while ((rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        jw_str(out, "phone", db_text(s, 1));
        jw_str(out, "name", db_text(s, 2));
        jw_str(out, "segment", db_text(s, 3));
        jw_close_object(out);
    }
    return rc;
}

int contact_write_list(db_t *db, const int64_t *ids, size_t n, buf_t *out,
                       const char *key)
{
    int rc = WERR_OK;

    jw_open_array(out, key);
    for (size_t i = 0; rc == WERR_OK && i < n; i += SOME) {
        rc = write_some(db, &ids[i], n - i < SOME ? n - i : SOME, out);
    }
    jw_close_array(out);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}
