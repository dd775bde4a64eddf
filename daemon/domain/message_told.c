/* What events tell of messages. */
#include "domain/contact_visible.h"
#include "domain/message_json.h"
#include "domain/rendered.h"
#include "domain/status.h"

DB_QUERY(message_told,
         "SELECT " MESSAGE_FIELDS(
             "substr(m.body, 1, " RENDERED_TEXT ")",
             "substr(m.error_title, 1, " RENDERED_TITLE ")",
             "substr(a.filename, 1, " RENDERED_TITLE
             ")") ", k.id, CASE WHEN length(m.body) > " RENDERED_TEXT
                  " THEN 1 ELSE 0 END, CASE WHEN " CHAT_OPENS(
                      "c") " THEN 0 ELSE 1 END" MESSAGE_ROWS
                           "WHERE m.id " SOME_IDS " ORDER BY m.id DESC");
DB_QUERY(message_told_status,
         "SELECT id, chat_id, wa_id, status, error_code, "
         "substr(error_title, 1, " RENDERED_TITLE ") FROM messages "
         "WHERE id " SOME_IDS);
DB_QUERY(message_told_reactions, MESSAGE_REACTIONS);

static int render_some(db_t *db, rendered_t *r, size_t from)
{
    db_stmt_t *reactions = rendered_bind(db, &message_told_reactions, r, from);
    db_stmt_t *s = rendered_bind(db, &message_told, r, from);
    int state = reaction_next(reactions), rc = state;

    while (state >= 0 && (rc = db_step(s)) == DB_ROW) {
        rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

        message_write_members(&r->text, s, NULL);
        reactions_write(&r->text, reactions, db_i64(s, 0), &state);
        row->chat = db_i64(s, 1);
        row->contact = db_i64(s, 25);
        row->cut = db_i64(s, 26) != 0;
        row->closed = db_i64(s, 27) != 0;
        rendered_end(r, row);
    }
    db_done(s);
    db_done(reactions);
    return state < 0 ? state : rc;
}

int message_render(db_t *db, rendered_t *r)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        rc = render_some(db, r, i);
    }
    return rc;
}

int message_render_status(db_t *db, rendered_t *r)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &message_told_status, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

            jw_i64(&r->text, "id", db_i64(s, 0));
            message_write_chat_id(&r->text, s, 1);
            jw_str(&r->text, "wa_message_id", db_text(s, 2));
            jw_str(&r->text, "status", status_name((status_t)db_i64(s, 3)));
            message_write_error(&r->text, s, 4, 5);
            rendered_end(r, row);
        }
    }
    return rc;
}
