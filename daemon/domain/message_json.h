/*
 * message_json.h - a message as JSON: Message of docs/openapi.yaml, by a row
 * of one query. Private to domain/.
 */
#ifndef WACRM_DOMAIN_MESSAGE_JSON_H
#define WACRM_DOMAIN_MESSAGE_JSON_H

#include "base/buf.h"
#include "db/db.h"
#include "domain/contact_visible.h"
#include "domain/media_url.h"
#include "domain/some_ids.h"

/*
 * The columns that message_write_members() knows by their places; a query may
 * have more behind them. k: the contact, whose name is 22, as a list shows it.
 */
#define MESSAGE_FIELDS(body, error_title, filename)                            \
    "m.id, m.chat_id, CASE WHEN (k.donor = 1 OR k.gift_count > 0) "            \
    "AND " CHAT_OPENS(                                                         \
        "c") " THEN k.id END, " body                                           \
             ", m.type, m.direction, m.status, m.wa_id, "                      \
             "m.ts, m.cs_id, m.source, m.reply_to, m.error_code, " error_title \
             ", "                                                              \
             "m.edited_at, m.deleted_at, a.message_id, a.mime, " filename ", " \
             "a.size, f.public_id, a.fetch_state, CASE WHEN " CHAT_OPENS(      \
                 "c") " THEN k.name ELSE k.phone END, m.scheduled_at, "        \
                      "a.fetch_error"
#define MESSAGE_ROWS                                     \
    " FROM messages m JOIN chats c ON c.id = m.chat_id " \
    "JOIN contacts k ON k.id = c.contact_id "            \
    "LEFT JOIN message_media a ON a.message_id = m.id "  \
    "LEFT JOIN media f ON f.id = a.media_id "
#define MESSAGE_COLUMNS                                               \
    "SELECT " MESSAGE_FIELDS("m.body", "m.error_title", "a.filename") \
        MESSAGE_ROWS

/* All members but the reactions. viewer NULL: media have no signed address. */
void message_write_members(buf_t *out, db_stmt_t *s,
                           const media_viewer_t *viewer);
/* Single members: of the columns of their numbers. */
void message_write_chat_id(buf_t *out, db_stmt_t *s, int column);
void message_write_error(buf_t *out, db_stmt_t *s, int code, int title);

/* Rows of reactions are: message, emoji, sender, time; those of one message
 * side by side, messages in the order in which they are written. */
#define MESSAGE_REACTIONS                                  \
    "SELECT message_id, emoji, sender, ts FROM reactions " \
    "WHERE message_id " SOME_IDS " ORDER BY message_id DESC, sender"

/* One step; those that were taken back are no rows here. */
int reaction_next(db_stmt_t *s);
/* Writes those of message id that are next in s; *state: the last step. */
void reactions_write(buf_t *out, db_stmt_t *s, int64_t id, int *state);

#endif
