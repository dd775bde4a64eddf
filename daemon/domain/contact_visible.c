#include "domain/contact_visible.h"

#include "domain/contact.h"

DB_QUERY(contact_visible_one,
         "SELECT k.id FROM contacts k WHERE k.id = $1 AND " CONTACT_VISIBLE(
             "k.id", "$2", "$3"));

int contact_visible(db_t *db, const user_t *user, int64_t id)
{
    db_stmt_t *s = db_stmt(db, &contact_visible_one);
    int rc;

    db_bind_i64(s, 1, id);
    db_bind_i64(s, 2, user->id);
    db_bind_i64(s, 3, user->role != ROLE_CS);
    rc = db_first(s);
    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}

int contact_find_visible(db_t *db, const user_t *user, const char *phone,
                         int64_t *id)
{
    int rc = contact_find(db, phone, id);

    return rc == WERR_OK ? contact_visible(db, user, *id) : rc;
}
