/* Messages as JSON: Message of the HTTP contract. */
#include "domain/message_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "domain/media_url.h"
#include "domain/message.h"
#include "domain/row_json.h"
#include "domain/status.h"

DB_QUERY(message_json_one, MESSAGE_COLUMNS "WHERE m.id = $1");
DB_QUERY(message_json_reactions_one,
         "SELECT message_id, emoji, sender, ts FROM reactions "
         "WHERE message_id = $1 ORDER BY sender");

DB_QUERY(message_json_some,
         MESSAGE_COLUMNS "WHERE m.id " SOME_IDS " ORDER BY m.id "
                         "DESC");
DB_QUERY_SCAN(message_json_due,
              MESSAGE_COLUMNS "WHERE m.id " SOME_IDS
                              " ORDER BY m.scheduled_at, m.id",
              "sorts the up to 50 that it is given");
DB_QUERY(message_json_reactions_some, MESSAGE_REACTIONS);

/* Where it can be had; nowhere as long as it lies at the gateway only. */
static void write_url(buf_t *out, db_stmt_t *s, const media_viewer_t *viewer)
{
    buf_t url;

    if (db_is_null(s, 20)) {
        jw_null(out, "url");
        return;
    }
    buf_init(&url, 0);
    media_url_add(&url, viewer, db_text(s, 20));
    if (url.failed) {
        out->failed = true; /* and not an address that is none */
    } else {
        jw_strn(out, "url", url.data, url.len);
    }
    buf_free(&url);
}

static void write_media(buf_t *out, db_stmt_t *s, const media_viewer_t *viewer)
{
    static const char *const states[] = {"unknown", "pending", "failed"};
    int64_t fetch;

    if (db_is_null(s, 16)) {
        jw_null(out, "media");
        return;
    }
    fetch = db_i64(s, 21);
    jw_open_object(out, "media");
    write_url(out, s, viewer);
    jw_str(out, "state",
           !db_is_null(s, 20)         ? "stored"
           : fetch >= 1 && fetch <= 2 ? states[fetch]
                                      : states[0]);
    jw_str(out, "mime", db_text(s, 17));
    jw_str(out, "filename", db_text(s, 18));
    row_i64(out, "size", s, 19);
    jw_str(out, "error", fetch == 2 ? db_text(s, 24) : NULL);
    jw_close_object(out);
}

void message_write_error(buf_t *out, db_stmt_t *s, int code, int title)
{
    if (db_is_null(s, code) && db_is_null(s, title)) {
        jw_null(out, "error");
        return;
    }
    jw_open_object(out, "error");
    jw_str(out, "code", db_text(s, code));
    jw_str(out, "title", db_text(s, title));
    jw_close_object(out);
}

void message_write_chat_id(buf_t *out, db_stmt_t *s, int i)
{
    char chat[24];

    snprintf(chat, sizeof(chat), "%" PRId64, db_i64(s, i));
    jw_str(out, "chat_id", chat);
}

/* What was sent on the phone itself is an agent's, nobody knows whose. */
static const char *source_of(db_stmt_t *s)
{
    if (db_i64(s, 5) == 0) {
        return NULL;
    }
    return db_is_null(s, 10) ? "agent" : db_text(s, 10);
}

void message_write_members(buf_t *out, db_stmt_t *s,
                           const media_viewer_t *viewer)
{
    jw_i64(out, "id", db_i64(s, 0));
    message_write_chat_id(out, s, 1);
    row_i64(out, "donatur_id", s, 2);
    jw_strn(out, "message", db_text(s, 3), db_text_len(s, 3));
    jw_str(out, "type", db_text(s, 4));
    jw_str(out, "direction", db_i64(s, 5) == 0 ? "incoming" : "outgoing");
    jw_str(out, "status", status_name((status_t)db_i64(s, 6)));
    jw_str(out, "wa_message_id", db_text(s, 7));
    jw_time(out, "timestamp", db_i64(s, 8));
    row_i64(out, "cs_id", s, 9);
    jw_str(out, "source", source_of(s));
    write_media(out, s, viewer);
    row_i64(out, "reply_to", s, 11);
    message_write_error(out, s, 12, 13);
    row_time(out, "edited_at", s, 14);
    row_time(out, "deleted_at", s, 15);
    row_time(out, "scheduled_at", s, 23);
}

int reaction_next(db_stmt_t *s)
{
    int rc;

    do {
        rc = db_step(s);
    } while (rc == DB_ROW && db_text_len(s, 1) == 0);
    return rc;
}

void reactions_write(buf_t *out, db_stmt_t *s, int64_t id, int *state)
{
    jw_open_array(out, "reactions");
    while (*state == DB_ROW && db_i64(s, 0) == id) {
        jw_open_object(out, NULL);
        jw_str(out, "emoji", db_text(s, 1));
        jw_str(out, "by", db_text(s, 2));
        jw_time(out, "timestamp", db_i64(s, 3));
        jw_close_object(out);
        *state = reaction_next(s);
    }
    jw_close_array(out);
}

int message_write_json(db_t *db, int64_t id, buf_t *out, const char *key)
{
    return message_write_json_for(db, id, NULL, out, key);
}

int message_write_json_for(db_t *db, int64_t id, const media_viewer_t *viewer,
                           buf_t *out, const char *key)
{
    db_stmt_t *s = db_stmt(db, &message_json_one);
    int rc;

    db_bind_i64(s, 1, id);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    jw_open_object(out, key);
    message_write_members(out, s, viewer);
    db_done(s);
    s = db_stmt(db, &message_json_reactions_one);
    db_bind_i64(s, 1, id);
    rc = reaction_next(s);
    reactions_write(out, s, id, &rc);
    jw_close_object(out);
    return rc == DB_DONE && out->failed ? WERR_NOMEM : rc;
}

static db_stmt_t *bind_some(db_t *db, const db_query_t *q, const int64_t *ids,
                            size_t n)
{
    db_stmt_t *s = db_stmt(db, q);

    bind_some_ids(s, ids, n);
    return s;
}

static int write_some(db_t *db, const media_viewer_t *viewer,
                      const int64_t *ids, size_t n, message_extra_fn extra,
                      void *arg, buf_t *out)
{
    db_stmt_t *reactions = bind_some(db, &message_json_reactions_some, ids, n);
    db_stmt_t *s = bind_some(db, &message_json_some, ids, n);
    int state = reaction_next(reactions), rc = state;

    while (state >= 0 && (rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        message_write_members(out, s, viewer);
        jw_str(out, "chat_name", db_text(s, 22));
        extra(arg, db_text(s, 3), db_text_len(s, 3), out);
        reactions_write(out, reactions, db_i64(s, 0), &state);
        jw_close_object(out);
    }
    db_done(s);
    db_done(reactions);
    return state < 0 ? state : rc;
}

int message_write_list(db_t *db, const media_viewer_t *viewer,
                       const int64_t *ids, size_t n, message_extra_fn extra,
                       void *arg, buf_t *out, const char *key)
{
    int rc = WERR_OK;

    jw_open_array(out, key);
    for (size_t i = 0; rc == WERR_OK && i < n; i += SOME) {
        rc = write_some(db, viewer, &ids[i], n - i < SOME ? n - i : SOME, extra,
                        arg, out);
    }
    jw_close_array(out);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}

/* None of them has reactions: nobody has seen it. */
static int write_due(db_t *db, const media_viewer_t *viewer, const int64_t *ids,
                     size_t n, buf_t *out)
{
    db_stmt_t *s = bind_some(db, &message_json_due, ids, n);
    int rc;

    while ((rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        message_write_members(out, s, viewer);
        jw_open_array(out, "reactions");
        jw_close_array(out);
        jw_str(out, "chat_name", db_text(s, 22));
        jw_close_object(out);
    }
    return rc;
}

int message_write_due(db_t *db, const media_viewer_t *viewer,
                      const int64_t *ids, size_t n, buf_t *out, const char *key)
{
    int rc = WERR_OK;

    jw_open_array(out, key);
    for (size_t i = 0; rc == WERR_OK && i < n; i += SOME) {
        rc = write_due(db, viewer, &ids[i], n - i < SOME ? n - i : SOME, out);
    }
    jw_close_array(out);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}
