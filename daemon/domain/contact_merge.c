/* Two contacts that turn out to be one person (LID and phone). */
#include "domain/contact_merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/audit.h"
#include "domain/chat_changes.h"
#include "domain/consent.h"
#include "domain/contact.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "domain/fresh_id.h"
#include "domain/merge_ledger.h"

DB_QUERY(merge_chats,
         "SELECT f.id, coalesce(t.id, 0), f.session_id FROM chats f "
         "LEFT JOIN chats t ON t.session_id = f.session_id "
         "AND t.contact_id = $2 WHERE f.contact_id = $1 LIMIT 1");
DB_QUERY(merge_chat_owner, "UPDATE chats SET contact_id = $2 WHERE id = $1");
DB_QUERY(merge_messages, "UPDATE messages SET chat_id = $2 WHERE chat_id = $1");
DB_QUERY(merge_outbox, "UPDATE outbox SET chat_id = $2 WHERE session_id = $3 "
                       "AND chat_id = $1 AND state < 4");
DB_QUERY(merge_scheduled, "UPDATE outbox SET chat_id = $2 WHERE "
                          "session_id = $3 AND chat_id = $1 AND state = 7");
DB_QUERY(merge_chat_sums,
         "UPDATE chats SET unread = unread + "
         "(SELECT f.unread FROM chats f WHERE f.id = $1), failed = failed + "
         "(SELECT f.failed FROM chats f WHERE f.id = $1), starred = "
         "CASE WHEN starred = 1 THEN 1 ELSE "
         "(SELECT f.starred FROM chats f WHERE f.id = $1) END, live = "
         "CASE WHEN live = 1 THEN 1 ELSE "
         "(SELECT f.live FROM chats f WHERE f.id = $1) END WHERE id = $2");
DB_QUERY(merge_chat_last,
         "UPDATE chats SET last_message_id = m.id, last_ts = m.ts, "
         "last_direction = m.direction FROM (SELECT id, ts, direction "
         "FROM messages WHERE chat_id = $1 AND status < 7 "
         "ORDER BY ts DESC, id DESC LIMIT 1) AS m WHERE chats.id = $1");
DB_QUERY(merge_chat_delete, "DELETE FROM chats WHERE id = $1");
DB_QUERY(merge_gifts,
         "UPDATE donations SET contact_id = $2 WHERE contact_id = $1");
DB_QUERY(merge_aliases,
         "UPDATE contact_aliases SET contact_id = $2 WHERE contact_id = $1");
DB_QUERY(merge_segments,
         "UPDATE segment_changes SET contact_id = $2 WHERE contact_id = $1");
DB_QUERY(merge_notes, "UPDATE notes SET contact_id = $2 WHERE contact_id = $1");
DB_QUERY(merge_reminders,
         "UPDATE reminders SET contact_id = $2 WHERE contact_id = $1");
DB_QUERY(merge_consents,
         "UPDATE consents SET contact_id = $2 WHERE contact_id = $1");
DB_QUERY(merge_phone_of, "SELECT phone FROM contacts WHERE id = $1");
DB_QUERY(merge_set_phone,
         "UPDATE contacts SET phone = $2, updated_at = $3 WHERE id = $1");
DB_QUERY(merge_alias_of, "INSERT INTO contact_aliases (alias, contact_id) "
                         "SELECT phone, $2 FROM contacts WHERE id = $1 "
                         "ON CONFLICT (alias) DO NOTHING");
DB_QUERY(merge_talk_get,
         "SELECT talk_points, talk_at, coalesce(talk_day, -1), "
         "coalesce(talk_read_day, -1), donor, vip, pledge, opted_out, name, "
         "phone FROM contacts WHERE id = $1");
DB_QUERY(merge_talk_set,
         "UPDATE contacts SET talk_points = $2, talk_at = $3, talk_day = $4, "
         "talk_read_day = $5, donor = $6, vip = $7, pledge = $8, "
         "opted_out = $9, name = coalesce($10, name), updated_at = $11 "
         "WHERE id = $1");
DB_QUERY(merge_contact_delete, "DELETE FROM contacts WHERE id = $1");

static int run2(tx_t *tx, const db_query_t *q, int64_t a, int64_t b)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, a);
    db_bind_i64(s, 2, b);
    return db_exec(s);
}

static int run1(tx_t *tx, const db_query_t *q, int64_t a)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, a);
    return db_exec(s);
}

static int move_outbox(tx_t *tx, const db_query_t *q, int64_t from,
                       int64_t into, int64_t session)
{
    db_stmt_t *s = db_stmt(tx->db, q);

    db_bind_i64(s, 1, from);
    db_bind_i64(s, 2, into);
    db_bind_i64(s, 3, session);
    return db_exec(s);
}

static int join_chats(tx_t *tx, int64_t from, int64_t into, int64_t session)
{
    int rc = run2(tx, &merge_messages, from, into);

    if (rc == WERR_OK) {
        rc = move_outbox(tx, &merge_outbox, from, into, session);
    }
    if (rc == WERR_OK) {
        rc = move_outbox(tx, &merge_scheduled, from, into, session);
    }
    if (rc == WERR_OK) {
        rc = run2(tx, &merge_chat_sums, from, into);
    }
    if (rc == WERR_OK) {
        rc = run1(tx, &merge_chat_last, into);
    }
    if (rc == WERR_OK) {
        rc = fresh_id_gone(tx, "chats", from);
    }
    if (rc == WERR_OK) {
        rc = run1(tx, &merge_chat_delete, from);
    }
    return rc;
}

/* One chat of `from` after the other, until none is left. */
static int move_chats(tx_t *tx, int64_t merge, int64_t into, int64_t from)
{
    for (;;) {
        db_stmt_t *s = db_stmt(tx->db, &merge_chats);
        int64_t chat, target, session;
        int rc;

        db_bind_i64(s, 1, from);
        db_bind_i64(s, 2, into);
        rc = db_first(s);
        if (rc == WERR_NOTFOUND) {
            return WERR_OK;
        }
        if (rc != DB_ROW) {
            return rc;
        }
        chat = db_i64(s, 0);
        target = db_i64(s, 1);
        session = db_i64(s, 2);
        db_done(s);
        rc = merge_ledger_chat(tx, merge, chat, target);
        if (rc == WERR_OK) {
            rc = target == 0 ? run2(tx, &merge_chat_owner, chat, into)
                             : join_chats(tx, chat, target, session);
        }
        if (rc == WERR_OK) {
            rc = event_raise(tx, EVENT_CHAT, session, chat, 0);
        }
        if (rc == WERR_OK && target != 0) {
            rc = event_raise(tx, EVENT_CHAT, session, target, 0);
        }
        if (rc != WERR_OK) {
            return rc;
        }
    }
}

typedef struct {
    double points;
    int64_t at, day, read_day;
    bool donor, vip, pledge, opted_out;
    char *name;       /* malloc'd */
    bool placeholder; /* the name */
} talk_row_t;

static int talk_load(tx_t *tx, int64_t id, talk_row_t *t)
{
    db_stmt_t *s = db_stmt(tx->db, &merge_talk_get);
    char formatted[ALIAS_MAX];
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    t->points = db_double(s, 0);
    t->at = db_i64(s, 1);
    t->day = db_i64(s, 2);
    t->read_day = db_i64(s, 3);
    t->donor = db_i64(s, 4) != 0;
    t->vip = db_i64(s, 5) != 0;
    t->pledge = db_i64(s, 6) != 0;
    t->opted_out = db_i64(s, 7) != 0;
    t->name = strdup(db_text(s, 8));
    phone_format(db_text(s, 9), formatted, sizeof(formatted));
    db_done(s);
    if (t->name == NULL) {
        return WERR_NOMEM;
    }
    t->placeholder =
        strcmp(t->name, formatted) == 0 || strcmp(t->name, "Unknown") == 0;
    return WERR_OK;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void bind_day(db_stmt_t *s, int i, int64_t day)
{
    if (day >= 0) {
        db_bind_i64(s, i, day);
    }
}

/* Points of both, decayed to the later of their times, add up. */
static int join_figures(tx_t *tx, int64_t into, int64_t from, bool *disagree)
{
    talk_row_t a = {0}, b = {0};
    db_stmt_t *s;
    int64_t at;
    int rc = talk_load(tx, into, &a);

    if (rc == WERR_OK) {
        rc = talk_load(tx, from, &b);
    }
    if (rc != WERR_OK) {
        goto out;
    }
    *disagree = a.opted_out != b.opted_out;
    at = later(a.at, b.at);
    s = db_stmt(tx->db, &merge_talk_set);
    db_bind_i64(s, 1, into);
    db_bind_double(s, 2,
                   donor_decay(a.points, a.at, at) +
                       donor_decay(b.points, b.at, at));
    db_bind_i64(s, 3, at);
    bind_day(s, 4, later(a.day, b.day));
    bind_day(s, 5, later(a.read_day, b.read_day));
    db_bind_i64(s, 6, a.donor || b.donor);
    db_bind_i64(s, 7, a.vip || b.vip);
    db_bind_i64(s, 8, a.pledge || b.pledge);
    db_bind_i64(s, 9, a.opted_out || b.opted_out);
    db_bind_text(s, 10, a.placeholder && !b.placeholder ? b.name : NULL);
    db_bind_i64(s, 11, tx->now);
    rc = db_exec(s);
out:
    free(a.name);
    free(b.name);
    return rc;
}

static int phone_of(tx_t *tx, int64_t id, char out[ALIAS_MAX])
{
    db_stmt_t *s = db_stmt(tx->db, &merge_phone_of);
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    (void)snprintf(out, ALIAS_MAX, "%s", db_text(s, 0));
    db_done(s);
    return WERR_OK;
}

static bool is_number(const char *phone)
{
    return phone[strspn(phone, "0123456789")] == '\0';
}

/* Ends `from`. Its number goes to `into` if that has none. */
static int end_contact(tx_t *tx, int64_t into, int64_t from)
{
    char kept[ALIAS_MAX], gone[ALIAS_MAX];
    bool adopt;
    db_stmt_t *s;
    int rc = phone_of(tx, into, kept);

    if (rc == WERR_OK) {
        rc = phone_of(tx, from, gone);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    adopt = is_number(gone) && !is_number(kept);
    rc = run2(tx, &merge_alias_of, adopt ? into : from, into);
    if (rc == WERR_OK) {
        rc = fresh_id_gone(tx, "contacts", from);
    }
    if (rc == WERR_OK) {
        rc = run1(tx, &merge_contact_delete, from);
    }
    if (rc == WERR_OK && adopt) {
        s = db_stmt(tx->db, &merge_set_phone);
        db_bind_i64(s, 1, into);
        db_bind_text(s, 2, gone);
        db_bind_i64(s, 3, tx->now);
        rc = db_exec(s);
    }
    return rc;
}

static int move_rows(tx_t *tx, int64_t into, int64_t from)
{
    static const db_query_t *const moves[] = {
        &merge_gifts, &merge_aliases,   &merge_segments,
        &merge_notes, &merge_reminders, &merge_consents};
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < sizeof(moves) / sizeof(*moves);
         i++) {
        rc = run2(tx, moves[i], from, into);
    }
    return rc;
}

/* Where one of both has opted out, the person has. */
static int note_merge(tx_t *tx, int64_t into, int64_t from, int64_t user,
                      int64_t merge, bool disagree)
{
    consent_t out = {
        .contact = into, .opted_out = true, .how = "merge", .user = user};
    audit_t a = {.user = user,
                 .action = "contact.merge",
                 .contact = into,
                 .object = merge};
    int rc = audit_note(tx, &a);

    if (rc == WERR_OK) {
        a.contact = from;
        rc = audit_note(tx, &a);
    }
    return rc == WERR_OK && disagree ? consent_record(tx, &out) : rc;
}

int contact_merge_by(tx_t *tx, int64_t into, int64_t from, int64_t user,
                     int64_t *merge)
{
    bool disagree = false;
    int rc;

    if (into == from) {
        return WERR_INVALID;
    }
    rc = chat_flush(tx);
    chat_forget(tx);
    if (rc == WERR_OK) {
        rc = merge_ledger_open(tx, into, from, user, merge);
    }
    if (rc == WERR_OK) {
        rc = join_figures(tx, into, from, &disagree);
    }
    if (rc == WERR_OK) {
        rc = move_chats(tx, *merge, into, from);
    }
    if (rc == WERR_OK) {
        rc = move_rows(tx, into, from);
    }
    if (rc == WERR_OK) {
        rc = note_merge(tx, into, from, user, *merge, disagree);
    }
    if (rc == WERR_OK) {
        rc = end_contact(tx, into, from);
    }
    if (rc == WERR_OK) {
        rc = donor_refresh(tx, into);
    }
    if (rc == WERR_OK) {
        rc = event_raise(tx, EVENT_CONTACT, 0, 0, into);
    }
    return rc;
}

int contact_merge(tx_t *tx, int64_t into, int64_t from)
{
    int64_t merge;

    return into == from ? WERR_OK : contact_merge_by(tx, into, from, 0, &merge);
}
