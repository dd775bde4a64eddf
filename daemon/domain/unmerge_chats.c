/* An unmerge: the chats of the one that is back, and their messages. */
#include "domain/unmerge.h"

#include "domain/event.h"
#include "domain/fresh_id.h"

DB_QUERY(unmerge_moved_chat,
         "UPDATE merge_chats SET target_id = $2 WHERE target_id = $1 "
         "AND merge_id < $3");
DB_QUERY(unmerge_chat_there, "SELECT id FROM chats WHERE id = $1");
DB_QUERY(unmerge_chat_new, "SELECT " FRESH_ID("chats"));
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
/* The phone has it, though nothing of it is here: backfill_apply.c. */
#define CHAT_LISTED                                                       \
    "EXISTS (SELECT 1 FROM backfill_chats b WHERE b.session_id = "        \
    "chats.session_id AND b.jid IN (SELECT k.phone || '@s.whatsapp.net' " \
    "FROM contacts k WHERE k.id = chats.contact_id UNION ALL SELECT "     \
    "k.phone FROM contacts k WHERE k.id = chats.contact_id UNION ALL "    \
    "SELECT a.alias FROM contact_aliases a WHERE a.contact_id = "         \
    "chats.contact_id))"
DB_QUERY(unmerge_recount,
         "UPDATE chats SET last_message_id = NULL, last_ts = 0, "
         "last_direction = 0, failed = (SELECT count(*) FROM messages m "
         "WHERE m.chat_id = $1 AND m.direction = 1 AND m.status IN (1, 6)), "
         "live = CASE WHEN EXISTS (SELECT 1 FROM messages m "
         "WHERE m.chat_id = $1 AND (m.direction = 0 "
         "OR m.status BETWEEN 2 AND 5)) OR " CHAT_LISTED
         " THEN 1 ELSE 0 END WHERE id = $1");
DB_QUERY(unmerge_last,
         "UPDATE chats SET last_message_id = m.id, last_ts = m.ts, "
         "last_direction = m.direction FROM (SELECT id, ts, direction "
         "FROM messages WHERE chat_id = $1 AND status < 7 "
         "ORDER BY ts DESC, id DESC LIMIT 1) AS m WHERE chats.id = $1");

typedef struct {
    int64_t id, target, session, unread, starred, target_starred;
} chat_row_t;

static int recount(tx_t *tx, int64_t session, int64_t chat)
{
    int rc = UNMERGE_RUN(tx, &unmerge_recount, chat);

    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_last, chat);
    }
    return rc == WERR_OK ? event_raise(tx, EVENT_CHAT, session, chat, 0) : rc;
}

/* The messages leave the chat that took them. */
static int split_chat(tx_t *tx, const unmerge_t *u, const chat_row_t *c)
{
    int64_t id, unread = 0;
    int rc = unmerge_ask(tx, &unmerge_chat_owner, c->target, u->into, &unread);

    if (rc != WERR_OK) {
        return rc == WERR_NOTFOUND ? WERR_CONFLICT : rc;
    }
    unread = c->unread < unread ? c->unread : unread;
    rc =
        unmerge_free_id(tx, &unmerge_chat_there, &unmerge_chat_new, c->id, &id);
    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_chat, id, c->session, u->from, unread,
                         c->starred);
    }
    if (rc == WERR_OK && id != c->id) {
        rc = UNMERGE_RUN(tx, &unmerge_moved_chat, c->id, id, u->merge);
    }
    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_target, c->target, unread,
                         c->starred == 1 && c->target_starred == 0);
    }
    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_messages, u->merge, c->id, c->target, id);
    }
    if (rc == WERR_OK) {
        rc = UNMERGE_RUN(tx, &unmerge_outbox, u->merge, c->id, c->target, id);
    }
    if (rc == WERR_OK) {
        rc = recount(tx, c->session, id);
    }
    return rc == WERR_OK ? recount(tx, c->session, c->target) : rc;
}

int unmerge_chats(tx_t *tx, const unmerge_t *u)
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
            rc = UNMERGE_RUN(tx, &unmerge_chat_back, c.id, u->into, u->from);
            if (rc == WERR_OK) {
                rc = event_raise(tx, EVENT_CHAT, c.session, c.id, 0);
            }
        }
        if (rc != WERR_OK) {
            return rc;
        }
    }
}
