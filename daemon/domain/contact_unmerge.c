/* The way back of a merge: merge_ledger.c kept what it moved. */
#include "domain/contact_merge.h"

#include "domain/audit.h"
#include "domain/chat_changes.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "domain/unmerge.h"

DB_QUERY(unmerge_get, "SELECT into_id, from_id, undone_at IS NOT NULL "
                      "FROM merges WHERE id = $1");
DB_QUERY(unmerge_later, "SELECT id FROM merges WHERE into_id = $1 AND id > $2 "
                        "AND undone_at IS NULL LIMIT 1");
DB_QUERY(unmerge_gone, "SELECT m.id FROM merges m WHERE m.from_id = $1 "
                       "AND m.id > $2 AND m.undone_at IS NULL LIMIT 1");
DB_QUERY(unmerge_close,
         "UPDATE merges SET undone_at = $2, undone_by = $3 WHERE id = $1");
DB_QUERY(unmerge_moved_into,
         "UPDATE merges SET into_id = $2 WHERE into_id = $1 AND id < $3");
DB_QUERY(unmerge_moved_side,
         "UPDATE merge_contacts SET contact_id = $2 WHERE contact_id = $1 "
         "AND merge_id IN (SELECT id FROM merges WHERE into_id = $1 "
         "AND id < $3)");
DB_QUERY(unmerge_alias_made,
         "DELETE FROM contact_aliases WHERE contact_id = $2 AND alias IN "
         "(SELECT alias FROM merge_aliases WHERE merge_id = $1 "
         "AND made = 1)");
DB_QUERY(unmerge_aliases,
         "UPDATE contact_aliases SET contact_id = $3 WHERE contact_id = $2 "
         "AND alias IN (SELECT alias FROM merge_aliases WHERE merge_id = $1 "
         "AND made = 0)");

#define ROWS_BACK(table, kind)                                      \
    "UPDATE " table " SET contact_id = $3 WHERE contact_id = $2 "   \
    "AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = $1 " \
    "AND kind = '" kind "')"
DB_QUERY(unmerge_gifts, ROWS_BACK("donations", "donation"));
DB_QUERY(unmerge_segments, ROWS_BACK("segment_changes", "segment"));
DB_QUERY(unmerge_notes, ROWS_BACK("notes", "note"));
DB_QUERY(unmerge_reminders, ROWS_BACK("reminders", "reminder"));
DB_QUERY(unmerge_consents, ROWS_BACK("consents", "consent"));
DB_QUERY(unmerge_consent_made,
         "DELETE FROM consents WHERE contact_id = $2 AND how = 'merge' "
         "AND created_at = (SELECT created_at FROM merges WHERE id = $1)");

int unmerge_run(tx_t *tx, const db_query_t *q, size_t n, const int64_t *v)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    for (size_t i = 0; i < n; i++) {
        db_bind_i64(s, (int)i + 1, v[i]);
    }
    return db_exec(s);
}

int unmerge_ask(tx_t *tx, const db_query_t *q, int64_t a, int64_t b,
                int64_t *out)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    if (a != 0) {
        db_bind_i64(s, 1, a);
    }
    if (b != 0) {
        db_bind_i64(s, 2, b);
    }
    return db_first_i64(s, out);
}

int unmerge_none(tx_t *tx, const db_query_t *q, int64_t a, int64_t b)
{
    int64_t id;
    int rc = unmerge_ask(tx, q, a, b, &id);

    if (rc == WERR_OK) {
        return WERR_CONFLICT;
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int unmerge_free_id(tx_t *tx, const db_query_t *there, const db_query_t *fresh,
                    int64_t old, int64_t *out)
{
    int rc = unmerge_none(tx, there, old, 0);

    *out = old;
    if (rc == WERR_CONFLICT) {
        rc = unmerge_ask(tx, fresh, 0, 0, out);
    }
    return rc;
}

static int check(tx_t *tx, unmerge_t *u)
{
    db_stmt_t *s = db_stmt(tx->db, &unmerge_get);
    bool undone;
    int rc;

    db_bind_i64(s, 1, u->merge);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    u->into = db_i64(s, 0);
    u->was = db_i64(s, 1);
    undone = db_i64(s, 2) != 0;
    db_done(s);
    if (undone) {
        return WERR_CONFLICT;
    }
    rc = unmerge_none(tx, &unmerge_later, u->into, u->merge);
    return rc == WERR_OK ? unmerge_none(tx, &unmerge_gone, u->into, u->merge)
                         : rc;
}

static int restore_rows(tx_t *tx, const unmerge_t *u)
{
    static const db_query_t *const back[] = {
        &unmerge_aliases, &unmerge_gifts,     &unmerge_segments,
        &unmerge_notes,   &unmerge_reminders, &unmerge_consents};
    int rc = UNMERGE_RUN(tx, &unmerge_alias_made, u->merge, u->into);

    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_consent_made, u->merge, u->into);
    }

    for (size_t i = 0; rc == WERR_OK && i < sizeof(back) / sizeof(*back); i++) {
        rc = UNMERGE_RUN(tx, back[i], u->merge, u->into, u->from);
    }
    return rc;
}

static int note_undo(tx_t *tx, const unmerge_t *u, int64_t user)
{
    audit_t a = {.user = user,
                 .action = "contact.unmerge",
                 .contact = u->into,
                 .object = u->merge};
    int rc = audit_note(tx, &a);

    a.contact = u->from;
    return rc == WERR_OK ? audit_note(tx, &a) : rc;
}

static int finish(tx_t *tx, const unmerge_t *u, int64_t user)
{
    /* merges into the one that is back, under the id that it has now */
    int rc = WERR_OK;

    if (u->from != u->was) {
        rc = UNMERGE_RUN(tx, &unmerge_moved_side, u->was, u->from, u->merge);
        if (rc == WERR_OK) {
            rc =
                UNMERGE_RUN(tx, &unmerge_moved_into, u->was, u->from, u->merge);
        }
    }
    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_close, u->merge, tx->now, user);
    }
    if (rc == WERR_OK) {
        rc = note_undo(tx, u, user);
    }
    if (rc == WERR_OK) {
        rc = donor_refresh(tx, u->into);
    }
    if (rc == WERR_OK) {
        rc = donor_refresh(tx, u->from);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, u->into);
    }
    return rc == WERR_OK ? event_raise(tx, EVENT_CONTACT, 0, 0, u->from) : rc;
}

int contact_unmerge(tx_t *tx, int64_t merge, int64_t user, int64_t *into,
                    int64_t *from)
{
    unmerge_t u = {.merge = merge};
    int rc = chat_flush(tx);

    chat_forget(tx);
    if (rc == WERR_OK) {
        rc = check(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = unmerge_contacts(tx, &u);
    }
    /* Whose aliases are whose, before a chat is asked who lists it. */
    if (rc == WERR_OK) {
        rc = restore_rows(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = unmerge_chats(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = finish(tx, &u, user);
    }
    *into = u.into;
    *from = u.from;
    return rc;
}
