#include "domain/contact_file.h"

#include "domain/audit.h"
#include "domain/chat_changes.h"
#include "domain/contact.h"
#include "domain/event.h"
#include "domain/fresh_id.h"

#define CHATS "(SELECT c.id FROM chats c WHERE c.contact_id = $1)"
#define MESSAGES                                                           \
    "(SELECT m.id FROM chats c CROSS JOIN messages m ON m.chat_id = c.id " \
    "WHERE c.contact_id = $1)"
/* The contact, and whom they were merged with, one after the other. */
#define WHO                                                   \
    "(WITH RECURSIVE who (id) AS (SELECT CAST($1 AS BIGINT) " \
    "UNION SELECT w.from_id FROM who CROSS JOIN merges w "    \
    "ON w.into_id = who.id AND w.undone_at IS NULL) "         \
    "SELECT id FROM who)"
#define MERGES                                           \
    "(SELECT g.id FROM merges g WHERE g.into_id IN " WHO \
    " UNION SELECT h.id FROM merges h WHERE h.from_id IN " WHO ")"

DB_QUERY(erase_merge_ids, FRESH_ID_KEEP("merges"));
DB_QUERY(erase_note_ids, FRESH_ID_KEEP("notes"));
DB_QUERY(erase_reminder_ids, FRESH_ID_KEEP("reminders"));
/* What waits fails; what may have left stays unknown and lets its lane go. */
DB_QUERY(erase_waiting,
         "UPDATE messages SET status = 6, error_code = 'erased' WHERE id IN "
         "(SELECT o.message_id FROM chats c CROSS JOIN outbox o ON "
         "o.session_id = c.session_id AND o.chat_id = c.id AND o.state < 4 "
         "WHERE c.contact_id = $1 AND o.state = 0)");
DB_QUERY(erase_outbox,
         "UPDATE outbox SET state = CASE state WHEN 0 THEN 5 WHEN 2 THEN 6 "
         "ELSE state END, reason = 'erased', updated_at = $2 WHERE id IN "
         "(SELECT o.id FROM chats c CROSS JOIN outbox o ON "
         "o.session_id = c.session_id AND o.chat_id = c.id AND o.state < 4 "
         "WHERE c.contact_id = $1)");
/* What was to leave later does not, and was never said. */
DB_QUERY(erase_later,
         "UPDATE messages SET status = 8, ts = created_at WHERE id IN "
         "(SELECT o.message_id FROM chats c CROSS JOIN outbox o ON "
         "o.session_id = c.session_id AND o.chat_id = c.id AND o.state = 7 "
         "WHERE c.contact_id = $1)");
DB_QUERY(erase_scheduled,
         "DELETE FROM outbox WHERE id IN (SELECT o.id FROM chats c CROSS JOIN "
         "outbox o ON o.session_id = c.session_id AND o.chat_id = c.id "
         "AND o.state = 7 WHERE c.contact_id = $1)");
DB_QUERY(erase_kept,
         "UPDATE idempotency SET response = "
         "'{\"success\":true,\"data\":null,\"message\":\"Success\"}' "
         "WHERE contact_id IN " WHO);
DB_QUERY(erase_reasons, "UPDATE outbox SET reason = NULL WHERE reason IS NOT "
                        "NULL AND message_id IN " MESSAGES);
/* An edit that comes late is older than edited_at. */
DB_QUERY(erase_messages, "UPDATE messages SET body = '', error_title = NULL, "
                         "deleted_at = coalesce(deleted_at, $2), edited_at = "
                         "$2 WHERE chat_id IN " CHATS);
DB_QUERY(erase_templates,
         "DELETE FROM message_template_sends WHERE message_id IN " MESSAGES);
DB_QUERY(erase_reactions,
         "DELETE FROM reactions WHERE message_id IN " MESSAGES);
/* A file that others have had, too, stays theirs; housekeeping takes the
 * others. */
DB_QUERY(erase_files,
         "UPDATE media SET used = 0, created_at = 0 WHERE id IN "
         "(SELECT x.media_id FROM message_media x WHERE x.message_id "
         "IN " MESSAGES ") AND NOT EXISTS (SELECT 1 FROM message_media y "
         "WHERE y.media_id = media.id AND y.message_id NOT IN " MESSAGES ")");
DB_QUERY(erase_media,
         "DELETE FROM message_media WHERE message_id IN " MESSAGES);
DB_QUERY(erase_chats,
         "UPDATE chats SET unread = 0, starred = 0, failed = (SELECT count(*) "
         "FROM messages m WHERE m.chat_id = chats.id AND m.direction = 1 AND "
         "m.status IN (1, 6)) WHERE contact_id = $1");
DB_QUERY(erase_answers,
         "UPDATE idempotency SET response = "
         "'{\"success\":true,\"data\":null,\"message\":\"Success\"}' "
         "WHERE EXISTS (SELECT 1 FROM chats c WHERE c.contact_id = $1 AND "
         "response LIKE '%\"chat_id\":\"' || c.id || '\"%')");
DB_QUERY(erase_notes, "DELETE FROM notes WHERE contact_id = $1");
DB_QUERY(erase_reminders, "DELETE FROM reminders WHERE contact_id = $1");
DB_QUERY(erase_gifts, "UPDATE donations SET note = NULL WHERE contact_id = $1");
DB_QUERY(erase_consents,
         "UPDATE consents SET note = NULL WHERE contact_id = $1");
DB_QUERY(erase_info,
         "DELETE FROM contact_info WHERE phone IN (SELECT phone FROM contacts "
         "WHERE id = $1 UNION SELECT alias FROM contact_aliases "
         "WHERE contact_id = $1)");
DB_QUERY(erase_backfill,
         "DELETE FROM backfill_chats WHERE EXISTS (SELECT 1 FROM "
         "(SELECT phone FROM contacts WHERE id = $1 UNION SELECT alias FROM "
         "contact_aliases WHERE contact_id = $1) AS w WHERE jid = w.phone OR "
         "jid LIKE w.phone || '@%')");
DB_QUERY(erase_merge_rows, "DELETE FROM merge_rows WHERE merge_id IN " MERGES);
DB_QUERY(erase_merge_chats,
         "DELETE FROM merge_chats WHERE merge_id IN " MERGES);
DB_QUERY(erase_merge_aliases,
         "DELETE FROM merge_aliases WHERE merge_id IN " MERGES);
DB_QUERY(erase_merge_contacts,
         "DELETE FROM merge_contacts WHERE merge_id IN " MERGES);
DB_QUERY(erase_merges, "DELETE FROM merges WHERE id IN " MERGES);
DB_QUERY(erase_aliases, "DELETE FROM contact_aliases WHERE contact_id = $1");
DB_QUERY(erase_contact,
         "UPDATE contacts SET phone = 'erased-' || id, phone_typed = NULL, "
         "name = 'Erased', opted_out = 1, vip = 0, pledge = 0, "
         "talk_points = 0, talk_at = 0, talk_day = NULL, "
         "talk_read_day = NULL, updated_at = $2 WHERE id = $1");
DB_QUERY(erase_events, "SELECT id, session_id FROM chats WHERE contact_id = $1 "
                       "AND id > $2 ORDER BY id LIMIT 1");

/* In this order: what names them is needed until the end. */
static const struct {
    const db_query_t *query;
    bool dated;
} steps[] = {
    {&erase_reasons, false},        {&erase_waiting, false},
    {&erase_outbox, true},          {&erase_later, false},
    {&erase_scheduled, false},      {&erase_kept, false},
    {&erase_messages, true},        {&erase_templates, false},
    {&erase_reactions, false},      {&erase_files, false},
    {&erase_media, false},          {&erase_chats, false},
    {&erase_answers, false},        {&erase_notes, false},
    {&erase_reminders, false},      {&erase_gifts, false},
    {&erase_consents, false},       {&erase_info, false},
    {&erase_backfill, false},       {&erase_merge_rows, false},
    {&erase_merge_chats, false},    {&erase_merge_aliases, false},
    {&erase_merge_contacts, false}, {&erase_merges, false},
    {&erase_aliases, false},        {&erase_contact, true},
};

typedef struct {
    int64_t contact, user;
    traces_t *traces;
} erase_t;

static int run_steps(tx_t *tx, int64_t contact)
{
    static const db_query_t *const kept[] = {&erase_merge_ids, &erase_note_ids,
                                             &erase_reminder_ids};
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < sizeof(kept) / sizeof(kept[0]);
         i++) {
        rc = db_exec(db_stmt(tx->db, kept[i]));
    }
    for (size_t i = 0; rc == WERR_OK && i < sizeof(steps) / sizeof(steps[0]);
         i++) {
        db_stmt_t *s = db_stmt(tx->db, steps[i].query);

        db_bind_i64(s, 1, contact);
        if (steps[i].dated) {
            db_bind_i64(s, 2, tx->now);
        }
        rc = db_exec(s);
    }
    return rc;
}

static int raise_events(tx_t *tx, int64_t contact)
{
    int64_t chat = 0, session;
    int rc = event_raise(tx, EVENT_CONTACT, 0, 0, contact);

    while (rc == WERR_OK) {
        db_stmt_t *s = db_stmt(tx->db, &erase_events);

        db_bind_i64(s, 1, contact);
        db_bind_i64(s, 2, chat);
        rc = db_first(s);
        if (rc != DB_ROW) {
            return rc == WERR_NOTFOUND ? WERR_OK : rc;
        }
        chat = db_i64(s, 0);
        session = db_i64(s, 1);
        db_done(s);
        rc = event_raise(tx, EVENT_CHAT, session, chat, 0);
    }
    return rc;
}

static int erase(tx_t *tx, void *arg)
{
    erase_t *e = arg;
    audit_t a = {.user = e->user, .action = "contact.erase"};
    int rc = chat_flush(tx);

    chat_forget(tx);
    if (rc == WERR_OK) {
        rc = contact_still(tx, e->contact, &a.contact);
    }
    /* what came since the first look */
    if (rc == WERR_OK) {
        rc = traces_again(tx->db, a.contact, e->traces);
    }
    if (rc == WERR_OK) {
        rc = traces_find(tx->db, e->traces);
    }
    if (rc == WERR_OK) {
        rc = traces_blank(tx, e->traces);
    }
    if (rc == WERR_OK) {
        rc = run_steps(tx, a.contact);
    }
    if (rc == WERR_OK) {
        rc = raise_events(tx, a.contact);
    }
    return rc == WERR_OK ? audit_note(tx, &a) : rc;
}

int contact_erase(domain_t *d, db_t *db, int64_t contact, int64_t user)
{
    traces_t t;
    erase_t e = {.contact = contact, .user = user, .traces = &t};
    int rc = traces_init(db, contact, &t);

    if (rc == WERR_OK) {
        rc = traces_find(db, &t);
    }
    if (rc == WERR_OK) {
        rc = domain_write(d, erase, &e);
    }
    if (rc >= 0) {
        store_forget(d->store);
    }
    traces_free(&t);
    return rc < 0 ? rc : WERR_OK;
}
