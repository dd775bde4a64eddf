/* What lies elsewhere and is to come here: state in message_media. */
#include "domain/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/delivery.h"
#include "domain/event.h"
#include "domain/message.h"

/* The partial index holds nothing but what is still to come. CROSS JOIN: it
 * is read first, whatever the planner knows of messages. */
DB_QUERY_SCAN(media_fetch_due,
              "SELECT x.message_id, x.fetch_tries, x.remote_url, x.filename, "
              "a.name, x.fetch_at, m.direction, m.type = 'image', "
              "x.mime IS NULL, m.created_at FROM message_media x "
              "CROSS JOIN messages m ON m.id = x.message_id "
              "JOIN sessions s ON s.id = m.session_id "
              "JOIN accounts a ON a.id = s.account_id "
              "WHERE x.fetch_state = 1 ORDER BY x.fetch_at LIMIT $1",
              "walks message_media_fetch up to its limit");
DB_QUERY(
    media_fetch_done,
    "UPDATE message_media SET fetch_state = 0, fetch_error = NULL, "
    "media_id = $2, mime = $3, size = $4, filename = $5 WHERE message_id = $1 "
    "AND fetch_state = 1");
DB_QUERY(media_fetch_used, "UPDATE media SET used = 1 WHERE id = $1");
DB_QUERY(media_fetch_not,
         "UPDATE message_media SET fetch_state = $2, fetch_at = $3, "
         "fetch_error = $4, fetch_tries = fetch_tries + $5 "
         "WHERE message_id = $1 AND fetch_state = 1");

DB_QUERY(media_fetch_expect,
         "INSERT INTO message_media (message_id, remote_url, mime, filename, "
         "fetch_state, fetch_at) VALUES ($1, $2, $3, $4, 1, $5)");
DB_QUERY(media_fetch_image, "UPDATE messages SET type = 'image' WHERE id = $1 "
                            "AND type = 'document'");
DB_QUERY(media_fetch_repeat,
         "UPDATE message_media SET fetch_state = 1, fetch_tries = 0, "
         "fetch_at = $2, fetch_error = NULL WHERE message_id = $1 "
         "AND fetch_state = 2 AND EXISTS (SELECT 1 FROM messages m "
         "WHERE m.id = $1 AND m.direction = 0)");
DB_QUERY(media_fetch_stopped, "UPDATE message_media SET fetch_state = 2, "
                              "fetch_error = 'the message does not leave' "
                              "WHERE message_id = $1 AND fetch_state = 1");

void media_fetch_free(media_fetch_t *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(f[i].url);
        f[i].url = NULL;
    }
}

int media_due(db_t *db, int64_t now, media_fetch_t *out, size_t max, size_t *n,
              int64_t *next)
{
    db_stmt_t *s = db_stmt(db, &media_fetch_due);
    int rc;

    *n = 0;
    *next = INT64_MAX;
    db_bind_i64(s, 1, (int64_t)max + 1);
    while ((rc = db_step(s)) == DB_ROW) {
        media_fetch_t *f = &out[*n];
        int64_t at = db_i64(s, 5);

        if (at > now || *n == max) {
            *next = at;
            break;
        }
        memset(f, 0, sizeof(*f));
        f->message = db_i64(s, 0);
        f->tries = db_i64(s, 1);
        f->url = strdup(db_is_null(s, 2) ? "" : db_text(s, 2));
        snprintf(f->filename, sizeof(f->filename), "%s",
                 db_is_null(s, 3) ? "" : db_text(s, 3));
        snprintf(f->account, sizeof(f->account), "%s", db_text(s, 4));
        f->outgoing = db_i64(s, 6) != 0;
        f->image = f->outgoing && db_i64(s, 7) != 0;
        f->undecided = f->outgoing && db_i64(s, 8) != 0;
        f->queued_at = db_i64(s, 9);
        if (f->url == NULL) {
            rc = WERR_NOMEM;
            break;
        }
        (*n)++;
    }
    db_done(s);
    if (rc < 0) {
        media_fetch_free(out, *n);
        *n = 0;
        return rc;
    }
    return WERR_OK;
}

/* The message looks different now. */
static int tell(tx_t *tx, int64_t message)
{
    int64_t session, chat;
    int rc = message_place(tx->db, message, &session, &chat);

    return rc == WERR_OK
               ? event_raise(tx, EVENT_MESSAGE_CHANGED, session, chat, message)
               : rc;
}

int media_fetched(tx_t *tx, const media_fetch_t *f, const media_blob_t *b)
{
    media_row_t row;
    db_stmt_t *s;
    int rc = media_add(tx, b, f->filename, 0, &row);

    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &media_fetch_done);
    db_bind_i64(s, 1, f->message);
    db_bind_i64(s, 2, row.id);
    db_bind_text(s, 3, row.mime);
    db_bind_i64(s, 4, row.size);
    db_bind_text(s, 5, row.filename[0] != '\0' ? row.filename : NULL);
    rc = db_exec(s);
    if (rc != WERR_OK || db_changes(tx->db) == 0) {
        return rc; /* the message is gone: the row is garbage in a day */
    }
    s = db_stmt(tx->db, &media_fetch_used);
    db_bind_i64(s, 1, row.id);
    rc = db_exec(s);
    if (rc == WERR_OK && f->undecided && b->type->image) {
        s = db_stmt(tx->db, &media_fetch_image);
        db_bind_i64(s, 1, f->message);
        rc = db_exec(s);
    }
    tx->queued = tx->queued || f->outgoing; /* it may leave now */
    return rc == WERR_OK ? tell(tx, f->message) : rc;
}

int media_not_fetched(tx_t *tx, const media_fetch_t *f, int64_t again,
                      bool tried, const char *reason)
{
    db_stmt_t *s = db_stmt(tx->db, &media_fetch_not);
    int rc;

    db_bind_i64(s, 1, f->message);
    db_bind_i64(s, 2, again != 0 ? 1 : 2);
    db_bind_i64(s, 3, again);
    db_bind_text(s, 4, reason);
    db_bind_i64(s, 5, tried ? 1 : 0);
    rc = db_exec(s);
    if (rc != WERR_OK || db_changes(tx->db) == 0 || again != 0) {
        return rc;
    }
    if (f->outgoing) {
        char title[300];

        (void)snprintf(title, sizeof(title),
                       "The file could not be fetched: %s.", reason);
        rc = delivery_stop(tx, f->message, "media_fetch", title);
    }
    return rc == WERR_OK ? tell(tx, f->message) : rc;
}

/* The last part of its path, if that is a plain name. */
static bool name_of(const char *url, char out[MEDIA_NAME_MAX])
{
    size_t len = strcspn(url, "?#");
    const char *end = url + len, *name = end;

    while (name > url && name[-1] != '/') {
        name--;
    }
    len = (size_t)(end - name);
    if (len == 0 || len >= MEDIA_NAME_MAX || memchr(name, '.', len) == NULL ||
        strspn(name, "0123456789abcdefghijklmnopqrstuvwxyz"
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") < len) {
        return false;
    }
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

int media_expect(tx_t *tx, int64_t message, const char *url, bool type_told)
{
    db_stmt_t *s = db_stmt(tx->db, &media_fetch_expect);
    char name[MEDIA_NAME_MAX];

    db_bind_i64(s, 1, message);
    db_bind_text(s, 2, url);
    db_bind_text(s, 3, type_told ? "application/octet-stream" : NULL);
    db_bind_text(s, 4, name_of(url, name) ? name : NULL);
    db_bind_i64(s, 5, tx->now);
    tx->queued = true;
    return db_exec(s);
}

int media_fetch_again(tx_t *tx, int64_t message)
{
    db_stmt_t *s = db_stmt(tx->db, &media_fetch_repeat);
    int rc;

    db_bind_i64(s, 1, message);
    db_bind_i64(s, 2, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) == 0) {
        return WERR_CONFLICT;
    }
    tx->queued = true;
    return rc == WERR_OK ? tell(tx, message) : rc;
}

int media_fetch_stop(tx_t *tx, int64_t message)
{
    db_stmt_t *s = db_stmt(tx->db, &media_fetch_stopped);

    db_bind_i64(s, 1, message);
    return db_exec(s);
}
