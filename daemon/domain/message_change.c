/* What happens to a message after it was said: status, reaction, edit. */
#include "domain/message.h"

#include "domain/contact.h"
#include "domain/donor.h"
#include "domain/event.h"
#include "domain/message_row.h"
#include "domain/parked.h"

DB_QUERY(reaction_put,
         "INSERT INTO reactions (message_id, sender, emoji, ts) "
         "VALUES ($1, $2, $3, $4) ON CONFLICT (message_id, sender) "
         "DO UPDATE SET emoji = excluded.emoji, ts = excluded.ts "
         "WHERE excluded.ts > reactions.ts "
         "AND excluded.emoji <> reactions.emoji");
DB_QUERY(message_set_body,
         "UPDATE messages SET body = $2, edited_at = $3 WHERE id = $1");
DB_QUERY(message_set_deleted,
         "UPDATE messages SET deleted_at = $2 WHERE id = $1");

/* Of either direction: ours first. */
static int find_any(tx_t *tx, int64_t session, const char *wa_id,
                    message_row_t *m)
{
    int rc = message_row_find(tx->db, session, true, wa_id, m);

    if (rc == WERR_NOTFOUND) {
        rc = message_row_find(tx->db, session, false, wa_id, m);
    }
    return rc;
}

/* Or whose former id it is: it is the same message, whichever attempt they
 * have got. */
static int find_known(tx_t *tx, int64_t session, const char *wa_id,
                      message_row_t *m)
{
    int rc = find_any(tx, session, wa_id, m);

    return rc == WERR_NOTFOUND
               ? message_row_find_former(tx->db, session, wa_id, m)
               : rc;
}

int message_status(tx_t *tx, int64_t session, const char *wa_id, status_t to,
                   const char *code, const char *title)
{
    message_row_t m;
    int rc = find_any(tx, session, wa_id, &m);
    bool former = rc == WERR_OK && m.former;

    if (rc == WERR_NOTFOUND) {
        rc = message_row_find_former(tx->db, session, wa_id, &m);
        former = true;
    }
    if (rc == WERR_NOTFOUND) {
        return parked_status(tx, session, wa_id, to, code, title);
    }
    if (rc != WERR_OK || !m.outgoing) {
        return rc; /* what they sent us is delivered, and stays so */
    }
    if (former && !status_may_move(STATUS_FAILED, to)) {
        return WERR_OK; /* it has failed, and was tried once more */
    }
    return message_move(tx, &m, to, code, title);
}

static int changed(tx_t *tx, const message_row_t *m)
{
    return event_raise(tx, EVENT_MESSAGE_CHANGED, m->session, m->chat, m->id);
}

/* A removed reaction stays as an empty one: a late older one must lose. */
int message_apply_reaction(tx_t *tx, const message_row_t *m, const char *sender,
                           const char *emoji, int64_t ts)
{
    db_stmt_t *s = db_stmt(tx->db, &reaction_put);
    int64_t contact;
    int rc;

    db_bind_i64(s, 1, m->id);
    db_bind_text(s, 2, sender);
    db_bind_text(s, 3, emoji);
    db_bind_i64(s, 4, ts);
    rc = db_exec(s);
    if (rc != WERR_OK || db_changes(tx->db) == 0) {
        return rc;
    }
    rc = changed(tx, m);
    if (rc != WERR_OK || *emoji == '\0') {
        return rc;
    }
    rc = contact_find(tx->db, sender, &contact);
    if (rc == WERR_OK && contact == m->contact) {
        return donor_talk(tx, contact, TALK_REACTION, ts);
    }
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int message_apply_edit(tx_t *tx, message_row_t *m, const char *text, int64_t ts)
{
    db_stmt_t *s;
    int rc;

    /* what is deleted, or erased, does not come back */
    if ((m->deleted_at != 0 && ts >= m->deleted_at) || ts <= m->edited_at) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &message_set_body);
    db_bind_i64(s, 1, m->id);
    db_bind_text(s, 2, text);
    db_bind_i64(s, 3, ts);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    m->edited_at = ts;
    return changed(tx, m);
}

int message_apply_delete(tx_t *tx, message_row_t *m, int64_t ts)
{
    db_stmt_t *s;
    int rc;

    if (m->deleted_at != 0) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &message_set_deleted);
    db_bind_i64(s, 1, m->id);
    db_bind_i64(s, 2, ts);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    m->deleted_at = ts;
    return changed(tx, m);
}

int message_react(tx_t *tx, int64_t session, const char *wa_id,
                  const char *sender, const char *emoji, int64_t ts)
{
    message_row_t m;
    int rc = find_known(tx, session, wa_id, &m);

    if (rc == WERR_NOTFOUND) {
        return parked_reaction(tx, session, wa_id, sender, emoji, ts);
    }
    return rc == WERR_OK ? message_apply_reaction(tx, &m, sender, emoji, ts)
                         : rc;
}

int message_edit(tx_t *tx, int64_t session, const char *wa_id, const char *text,
                 int64_t ts)
{
    message_row_t m;
    int rc = find_known(tx, session, wa_id, &m);

    if (rc == WERR_NOTFOUND) {
        return parked_edit(tx, session, wa_id, text, ts);
    }
    return rc == WERR_OK ? message_apply_edit(tx, &m, text, ts) : rc;
}

/* Not by the id of an attempt before a retry: what that one brings stays. */
int message_delete(tx_t *tx, int64_t session, const char *wa_id, int64_t ts)
{
    message_row_t m;
    int rc = find_any(tx, session, wa_id, &m);

    if (rc == WERR_NOTFOUND) {
        return parked_delete(tx, session, wa_id, ts);
    }
    if (rc == WERR_OK && m.former) {
        return WERR_OK;
    }
    return rc == WERR_OK ? message_apply_delete(tx, &m, ts) : rc;
}
