/* The way back of a merge: merge_ledger.c kept what it moved. */
#include "domain/contact_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/audit.h"
#include "domain/chat_changes.h"
#include "domain/contact.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "domain/fresh_id.h"

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
DB_QUERY(unmerge_moved_chat,
         "UPDATE merge_chats SET target_id = $2 WHERE target_id = $1 "
         "AND merge_id < $3");
DB_QUERY(unmerge_contact_there, "SELECT id FROM contacts WHERE id = $1");
DB_QUERY(unmerge_chat_there, "SELECT id FROM chats WHERE id = $1");
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
DB_QUERY(unmerge_chat_new, "SELECT " FRESH_ID("chats"));
DB_QUERY(unmerge_alias_made,
         "DELETE FROM contact_aliases WHERE contact_id = $2 AND alias IN "
         "(SELECT alias FROM merge_aliases WHERE merge_id = $1 "
         "AND made = 1)");
DB_QUERY(unmerge_aliases,
         "UPDATE contact_aliases SET contact_id = $3 WHERE contact_id = $2 "
         "AND alias IN (SELECT alias FROM merge_aliases WHERE merge_id = $1 "
         "AND made = 0)");
DB_QUERY(unmerge_gifts,
         "UPDATE donations SET contact_id = $3 WHERE contact_id = $2 "
         "AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = $1 "
         "AND kind = 'donation')");
DB_QUERY(unmerge_segments,
         "UPDATE segment_changes SET contact_id = $3 WHERE contact_id = $2 "
         "AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = $1 "
         "AND kind = 'segment')");
DB_QUERY(unmerge_notes,
         "UPDATE notes SET contact_id = $3 WHERE contact_id = $2 "
         "AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = $1 "
         "AND kind = 'note')");
DB_QUERY(unmerge_reminders,
         "UPDATE reminders SET contact_id = $3 WHERE contact_id = $2 "
         "AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = $1 "
         "AND kind = 'reminder')");
DB_QUERY(unmerge_consents,
         "UPDATE consents SET contact_id = $3 WHERE contact_id = $2 "
         "AND id IN (SELECT row_id FROM merge_rows WHERE merge_id = $1 "
         "AND kind = 'consent')");
DB_QUERY(unmerge_consent_made,
         "DELETE FROM consents WHERE contact_id = $2 AND how = 'merge' "
         "AND created_at = (SELECT created_at FROM merges WHERE id = $1)");
DB_QUERY(unmerge_next_chat,
         "SELECT chat_id, coalesce(target_id, 0), session_id, unread, "
         "starred, target_starred FROM merge_chats WHERE merge_id = $1 "
         "AND chat_id > $2 ORDER BY chat_id LIMIT 1");
DB_QUERY(unmerge_chat_back,
         "UPDATE chats SET contact_id = $3 WHERE id = $1 AND contact_id = $2");
DB_QUERY(unmerge_chat_owner,
         "SELECT unread FROM chats WHERE id = $1 AND contact_id = $2");
DB_QUERY(unmerge_chat, "INSERT INTO chats (id, session_id, contact_id, unread, "
                       "starred) VALUES ($1, $2, $3, $4, $5)");
DB_QUERY(unmerge_target,
         "UPDATE chats SET unread = unread - $2, "
         "starred = CASE WHEN $3 = 1 THEN 0 ELSE starred END WHERE id = $1");
DB_QUERY(unmerge_messages,
         "UPDATE messages SET chat_id = $4 WHERE chat_id = $3 AND id IN "
         "(SELECT row_id FROM merge_rows WHERE merge_id = $1 "
         "AND kind = 'message' AND chat_id = $2)");
DB_QUERY(unmerge_outbox,
         "UPDATE outbox SET chat_id = $4 WHERE chat_id IN ($2, $3) "
         "AND message_id IN (SELECT row_id FROM merge_rows "
         "WHERE merge_id = $1 AND kind = 'message' AND chat_id = $2)");
DB_QUERY(unmerge_recount,
         "UPDATE chats SET last_message_id = NULL, last_ts = 0, "
         "last_direction = 0, failed = (SELECT count(*) FROM messages m "
         "WHERE m.chat_id = $1 AND m.direction = 1 AND m.status IN (1, 6)) "
         "WHERE id = $1");
DB_QUERY(unmerge_last,
         "UPDATE chats SET last_message_id = m.id, last_ts = m.ts, "
         "last_direction = m.direction FROM (SELECT id, ts, direction "
         "FROM messages WHERE chat_id = $1 AND status < 7 "
         "ORDER BY ts DESC, id DESC LIMIT 1) AS m WHERE chats.id = $1");

typedef struct {
    int64_t merge;
    int64_t into;
    int64_t was;  /* id of the one that went, then */
    int64_t from; /* and now */
} undo_t;

static int run(tx_t *tx, const db_query_t *q, size_t n, const int64_t *v)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    for (size_t i = 0; i < n; i++) {
        db_bind_i64(s, (int)i + 1, v[i]);
    }
    return db_exec(s);
}

#define RUN(tx, q, ...)                                            \
    run(tx, q, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), \
        (const int64_t[]){__VA_ARGS__})

/* DB_ROW with the first column, WERR_NOTFOUND, or a fault. */
static int ask(tx_t *tx, const db_query_t *q, int64_t a, int64_t b,
               int64_t *out)
{
    db_stmt_t *s = db_stmt(tx->db, q);
    int rc;

    if (a != 0) {
        db_bind_i64(s, 1, a);
    }
    if (b != 0) {
        db_bind_i64(s, 2, b);
    }
    rc = db_first(s);
    if (rc == DB_ROW) {
        *out = db_i64(s, 0);
        db_done(s);
    }
    return rc;
}

/* WERR_CONFLICT if there is such a row. */
static int none(tx_t *tx, const db_query_t *q, int64_t a, int64_t b)
{
    int64_t id;
    int rc = ask(tx, q, a, b, &id);

    if (rc == DB_ROW) {
        return WERR_CONFLICT;
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

/* The old id, or a new one where somebody else has it by now. */
static int free_id(tx_t *tx, const db_query_t *there, const db_query_t *fresh,
                   int64_t old, int64_t *out)
{
    int rc = none(tx, there, old, 0);

    *out = old;
    if (rc == WERR_CONFLICT) {
        rc = ask(tx, fresh, 0, 0, out);
        rc = rc == DB_ROW ? WERR_OK : rc;
    }
    return rc;
}

/* ---- both as they were ---- */

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

static int load_before(tx_t *tx, const undo_t *u, int64_t contact, side_t *side)
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
static int restore_kept(tx_t *tx, const undo_t *u, const side_t *kept,
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

static int restore_contacts(tx_t *tx, undo_t *u)
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
        rc = free_id(tx, &unmerge_contact_there, &unmerge_contact_new, u->was,
                     &u->from);
    }
    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_contact, u->merge, u->was, u->from, tx->now);
    }
    free(kept.name);
    free(gone.name);
    free(now.name);
    return rc;
}

/* ---- chats ---- */

typedef struct {
    int64_t id, target, session, unread, starred, target_starred;
} chat_row_t;

static int recount(tx_t *tx, int64_t session, int64_t chat)
{
    int rc = RUN(tx, &unmerge_recount, chat);

    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_last, chat);
    }
    return rc == WERR_OK ? event_raise(tx, EVENT_CHAT, session, chat, 0) : rc;
}

/* The messages leave the chat that took them. */
static int split_chat(tx_t *tx, const undo_t *u, const chat_row_t *c)
{
    int64_t id, unread = 0;
    int rc = ask(tx, &unmerge_chat_owner, c->target, u->into, &unread);

    if (rc != DB_ROW) {
        return rc == WERR_NOTFOUND ? WERR_CONFLICT : rc;
    }
    unread = c->unread < unread ? c->unread : unread;
    rc = free_id(tx, &unmerge_chat_there, &unmerge_chat_new, c->id, &id);
    if (rc == WERR_OK) {
        rc =
            RUN(tx, &unmerge_chat, id, c->session, u->from, unread, c->starred);
    }
    if (rc == WERR_OK && id != c->id) {
        rc = RUN(tx, &unmerge_moved_chat, c->id, id, u->merge);
    }
    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_target, c->target, unread,
                 c->starred == 1 && c->target_starred == 0);
    }
    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_messages, u->merge, c->id, c->target, id);
    }
    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_outbox, u->merge, c->id, c->target, id);
    }
    if (rc == WERR_OK) {
        rc = recount(tx, c->session, id);
    }
    return rc == WERR_OK ? recount(tx, c->session, c->target) : rc;
}

static int restore_chats(tx_t *tx, const undo_t *u)
{
    chat_row_t c = {0};

    for (;;) {
        db_stmt_t *s = db_stmt(tx->db, &unmerge_next_chat);
        int rc;

        db_bind_i64(s, 1, u->merge);
        db_bind_i64(s, 2, c.id);
        rc = db_first(s);
        if (rc != DB_ROW) {
            return rc == WERR_NOTFOUND ? WERR_OK : rc;
        }
        c = (chat_row_t){db_i64(s, 0), db_i64(s, 1), db_i64(s, 2),
                         db_i64(s, 3), db_i64(s, 4), db_i64(s, 5)};
        db_done(s);
        if (c.target != 0) {
            rc = split_chat(tx, u, &c);
        } else {
            rc = RUN(tx, &unmerge_chat_back, c.id, u->into, u->from);
            if (rc == WERR_OK) {
                rc = event_raise(tx, EVENT_CHAT, c.session, c.id, 0);
            }
        }
        if (rc != WERR_OK) {
            return rc;
        }
    }
}

/* ---- all ---- */

static int check(tx_t *tx, undo_t *u)
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
    rc = none(tx, &unmerge_later, u->into, u->merge);
    return rc == WERR_OK ? none(tx, &unmerge_gone, u->into, u->merge) : rc;
}

static int restore_rows(tx_t *tx, const undo_t *u)
{
    static const db_query_t *const back[] = {
        &unmerge_aliases, &unmerge_gifts,     &unmerge_segments,
        &unmerge_notes,   &unmerge_reminders, &unmerge_consents};
    int rc = RUN(tx, &unmerge_alias_made, u->merge, u->into);

    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_consent_made, u->merge, u->into);
    }

    for (size_t i = 0; rc == WERR_OK && i < sizeof(back) / sizeof(*back); i++) {
        rc = RUN(tx, back[i], u->merge, u->into, u->from);
    }
    return rc;
}

static int note_undo(tx_t *tx, const undo_t *u, int64_t user)
{
    audit_t a = {.user = user,
                 .action = "contact.unmerge",
                 .contact = u->into,
                 .object = u->merge};
    int rc = audit_note(tx, &a);

    a.contact = u->from;
    return rc == WERR_OK ? audit_note(tx, &a) : rc;
}

static int finish(tx_t *tx, const undo_t *u, int64_t user)
{
    /* merges into the one that is back, under the id that it has now */
    int rc = WERR_OK;

    if (u->from != u->was) {
        rc = RUN(tx, &unmerge_moved_side, u->was, u->from, u->merge);
        if (rc == WERR_OK) {
            rc = RUN(tx, &unmerge_moved_into, u->was, u->from, u->merge);
        }
    }
    if (rc == WERR_OK) {
        rc = RUN(tx, &unmerge_close, u->merge, tx->now, user);
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
    undo_t u = {.merge = merge};
    int rc = chat_flush(tx);

    chat_forget(tx);
    if (rc == WERR_OK) {
        rc = check(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = restore_contacts(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = restore_chats(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = restore_rows(tx, &u);
    }
    if (rc == WERR_OK) {
        rc = finish(tx, &u, user);
    }
    *into = u.into;
    *from = u.from;
    return rc;
}
