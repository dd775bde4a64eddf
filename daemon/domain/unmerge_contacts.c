/* An unmerge: both contacts as they were, but for what is newer. */
#include "domain/unmerge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/contact.h"
#include "domain/donor.h"
#include "domain/fresh_id.h"

DB_QUERY(unmerge_contact_there, "SELECT id FROM contacts WHERE id = $1");
DB_QUERY(unmerge_phone_owner, "SELECT id FROM contacts WHERE phone = $1");
DB_QUERY(unmerge_before,
         "SELECT phone, name, opted_out, vip, pledge, donor, talk_points, "
         "talk_at, coalesce(talk_day, -1), coalesce(talk_read_day, -1) "
         "FROM merge_contacts WHERE merge_id = $1 AND contact_id = $2");
DB_QUERY(unmerge_now,
         "SELECT phone, name, opted_out, vip, pledge, donor, talk_points, "
         "talk_at, coalesce(talk_day, -1), coalesce(talk_read_day, -1) "
         "FROM contacts WHERE id = $1");
DB_QUERY(unmerge_set,
         "UPDATE contacts SET phone = $2, name = $3, opted_out = $4, "
         "vip = $5, pledge = $6, donor = $7, talk_points = $8, "
         "talk_at = $9, talk_day = $10, talk_read_day = $11, "
         "updated_at = $12 WHERE id = $1");
DB_QUERY(unmerge_contact,
         "INSERT INTO contacts (id, phone, phone_typed, name, opted_out, "
         "vip, pledge, donor, talk_points, talk_at, talk_day, talk_read_day, "
         "segment, created_at, updated_at) SELECT $3, phone, phone_typed, "
         "name, opted_out, vip, pledge, donor, talk_points, talk_at, "
         "talk_day, talk_read_day, segment, created_at, $4 "
         "FROM merge_contacts WHERE merge_id = $1 AND contact_id = $2");
DB_QUERY(unmerge_contact_new, "SELECT " FRESH_ID("contacts"));

typedef struct {
    char phone[ALIAS_MAX];
    char *name;       /* malloc'd */
    int64_t flags[4]; /* opted_out vip pledge donor */
    double points;
    int64_t at, day, read_day;
} side_t;

static int load_side(db_stmt_t *s, side_t *side)
{
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    (void)snprintf(side->phone, sizeof(side->phone), "%s", db_text(s, 0));
    side->name = strdup(db_text(s, 1));
    for (int i = 0; i < 4; i++) {
        side->flags[i] = db_i64(s, 2 + i);
    }
    side->points = db_double(s, 6);
    side->at = db_i64(s, 7);
    side->day = db_i64(s, 8);
    side->read_day = db_i64(s, 9);
    db_done(s);
    return side->name != NULL ? WERR_OK : WERR_NOMEM;
}

static int load_before(tx_t *tx, const unmerge_t *u, int64_t contact,
                       side_t *side)
{
    db_stmt_t *s = db_stmt(tx->db, &unmerge_before);

    db_bind_i64(s, 1, u->merge);
    db_bind_i64(s, 2, contact);
    return load_side(s, side);
}

/* A day that the merge brought goes back; a newer one stays. */
static int64_t day_of(int64_t now, int64_t kept, int64_t gone)
{
    return now == (kept > gone ? kept : gone) ? kept : now;
}

static void bind_day(db_stmt_t *s, int i, int64_t day)
{
    if (day >= 0) {
        db_bind_i64(s, i, day);
    }
}

/* What only the other one had is taken from the one that stays. */
static int restore_kept(tx_t *tx, const unmerge_t *u, const side_t *kept,
                        const side_t *gone, const side_t *now)
{
    db_stmt_t *s = db_stmt(tx->db, &unmerge_set);
    bool talked = now->at != (kept->at > gone->at ? kept->at : gone->at);
    double points = now->points - donor_decay(gone->points, gone->at, now->at);
    bool wrote = now->day > kept->day && now->day > gone->day;
    bool named = strcmp(now->name, gone->name) == 0;

    db_bind_i64(s, 1, u->into);
    db_bind_text(
        s, 2, strcmp(now->phone, gone->phone) == 0 ? kept->phone : now->phone);
    db_bind_text(s, 3, named ? kept->name : now->name);
    for (int i = 0; i < 4; i++) {
        bool merged = now->flags[i] == (kept->flags[i] | gone->flags[i]);

        if (i == 3 && wrote) {
            merged = false;
        }
        db_bind_i64(s, 4 + i, merged ? kept->flags[i] : now->flags[i]);
    }
    db_bind_double(s, 8, !talked ? kept->points : points > 0 ? points : 0);
    db_bind_i64(s, 9, talked ? now->at : kept->at);
    bind_day(s, 10, day_of(now->day, kept->day, gone->day));
    bind_day(s, 11, day_of(now->read_day, kept->read_day, gone->read_day));
    db_bind_i64(s, 12, tx->now);
    return db_exec(s);
}

static int phone_is_free(tx_t *tx, const char *phone)
{
    db_stmt_t *s = db_stmt(tx->db, &unmerge_phone_owner);
    int rc;

    db_bind_text(s, 1, phone);
    rc = db_first(s);
    db_done(s);
    if (rc == DB_ROW) {
        return WERR_CONFLICT;
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int unmerge_contacts(tx_t *tx, unmerge_t *u)
{
    side_t kept = {0}, gone = {0}, now = {0};
    db_stmt_t *s;
    int rc = load_before(tx, u, u->into, &kept);

    if (rc == WERR_OK) {
        rc = load_before(tx, u, u->was, &gone);
    }
    if (rc == WERR_OK) {
        s = db_stmt(tx->db, &unmerge_now);
        db_bind_i64(s, 1, u->into);
        rc = load_side(s, &now);
        rc = rc == WERR_NOTFOUND ? WERR_CONFLICT : rc;
    }
    if (rc == WERR_OK) {
        rc = restore_kept(tx, u, &kept, &gone, &now);
    }
    if (rc == WERR_OK) {
        rc = phone_is_free(tx, gone.phone);
    }
    if (rc == WERR_OK) {
        rc = unmerge_free_id(tx, &unmerge_contact_there, &unmerge_contact_new,
                             u->was, &u->from);
    }
    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_contact, u->merge, u->was, u->from,
                         tx->now);
    }
    free(kept.name);
    free(gone.name);
    free(now.name);
    return rc;
}
