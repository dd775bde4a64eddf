/* Rows of media: who has what. */
#include "domain/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/utf8.h"

#define UNUSED_MS DAY_MS
#define BATCH     200

DB_QUERY(media_insert,
         "INSERT INTO media (public_id, hash, size, mime, filename, user_id, "
         "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)");

#define ROW                                                              \
    "SELECT f.id, f.size, coalesce(f.user_id, 0), f.public_id, f.hash, " \
    "f.mime, f.filename FROM media f "

DB_QUERY(media_by_public, ROW "WHERE f.public_id = $1");
DB_QUERY(media_by_message, ROW "JOIN message_media x ON x.media_id = f.id "
                               "WHERE x.message_id = $1");
DB_QUERY(media_sessions,
         "SELECT DISTINCT m.session_id FROM message_media x "
         "JOIN messages m ON m.id = x.message_id WHERE x.media_id = $1");
DB_QUERY(media_attach_row,
         "INSERT INTO message_media (message_id, mime, filename, size, "
         "media_id) SELECT $1, mime, filename, size, id FROM media "
         "WHERE id = $2");
DB_QUERY(media_use, "UPDATE media SET used = 1 WHERE id = $1");
DB_QUERY(media_unuse,
         "UPDATE media SET used = 0 WHERE id = "
         "(SELECT media_id FROM message_media WHERE message_id = $1) "
         "AND NOT EXISTS (SELECT 1 FROM message_media x "
         "WHERE x.media_id = media.id AND x.message_id <> $1)");
DB_QUERY(media_detach_row, "DELETE FROM message_media WHERE message_id = $1");
DB_QUERY(media_old, "SELECT id, hash FROM media WHERE used = 0 "
                    "AND created_at < $1 ORDER BY created_at LIMIT $2");
DB_QUERY(media_delete, "DELETE FROM media WHERE id = $1 AND used = 0");

static int new_id(char out[MEDIA_ID])
{
    unsigned char bytes[16];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return WERR_SYSTEM;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
    return WERR_OK;
}

/* No path, no control characters, cut at a character. */
static void clean_name(char out[MEDIA_NAME_MAX], const char *name)
{
    size_t n = 0, left, len;

    for (left = name != NULL ? strlen(name) : 0; left > 0;
         name += len, left -= len) {
        bool bad;

        len = utf8_len(name, left);
        bad = len == 0 || (unsigned char)*name < ' ' || *name == 0x7f;
        len = len == 0 ? 1 : len;
        if (*name == '/' || *name == '\\') {
            n = 0;
            continue;
        }
        if (bad || n + len >= MEDIA_NAME_MAX) {
            continue;
        }
        memcpy(out + n, name, len);
        n += len;
    }
    out[n] = '\0';
}

/* Nobody is given a name that runs when it is opened. */
static void fit_name(char name[MEDIA_NAME_MAX], const sniff_t *type)
{
    size_t len = strlen(name), room = MEDIA_NAME_MAX - 1;

    if (len == 0 || sniff_knows_ending(name)) {
        return;
    }
    room -= strlen(type->extension);
    len = len < room ? len : room;
    while (len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80) {
        len--;
    }
    (void)snprintf(name + len, MEDIA_NAME_MAX - len, "%s", type->extension);
}

int media_add(tx_t *tx, const media_blob_t *b, const char *filename,
              int64_t user, media_row_t *out)
{
    db_stmt_t *s;
    int rc;

    memset(out, 0, sizeof(*out));
    clean_name(out->filename, filename);
    fit_name(out->filename, b->type);
    snprintf(out->mime, sizeof(out->mime), "%s", b->type->mime);
    memcpy(out->hash, b->hash, sizeof(out->hash));
    out->size = b->size;
    out->user = user;
    rc = new_id(out->public_id);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &media_insert);
    db_bind_text(s, 1, out->public_id);
    db_bind_text(s, 2, out->hash);
    db_bind_i64(s, 3, out->size);
    db_bind_text(s, 4, out->mime);
    db_bind_text(s, 5, out->filename[0] != '\0' ? out->filename : NULL);
    if (user != 0) {
        db_bind_i64(s, 6, user);
    }
    db_bind_i64(s, 7, tx->now);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        out->id = db_last_id(tx->db);
    }
    return rc;
}

static int read_row(db_stmt_t *s, media_row_t *out)
{
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    memset(out, 0, sizeof(*out));
    out->id = db_i64(s, 0);
    out->size = db_i64(s, 1);
    out->user = db_i64(s, 2);
    snprintf(out->public_id, sizeof(out->public_id), "%s", db_text(s, 3));
    snprintf(out->hash, sizeof(out->hash), "%s", db_text(s, 4));
    snprintf(out->mime, sizeof(out->mime), "%s", db_text(s, 5));
    if (!db_is_null(s, 6)) {
        snprintf(out->filename, sizeof(out->filename), "%s", db_text(s, 6));
    }
    rc = db_row_whole(s) ? WERR_OK : WERR_NOMEM;
    db_done(s);
    return rc;
}

int media_find(db_t *db, const char *public_id, media_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &media_by_public);

    db_bind_text(s, 1, public_id);
    return read_row(s, out);
}

int media_of_message(db_t *db, int64_t message, media_row_t *out)
{
    db_stmt_t *s = db_stmt(db, &media_by_message);

    db_bind_i64(s, 1, message);
    return read_row(s, out);
}

int media_visible(db_t *db, const media_row_t *m, int64_t user,
                  const session_set_t *sessions)
{
    db_stmt_t *s;
    int rc;

    if (m->user == user && user != 0) {
        return WERR_OK;
    }
    s = db_stmt(db, &media_sessions);
    db_bind_i64(s, 1, m->id);
    while ((rc = db_step(s)) == DB_ROW) {
        if (session_set_has(sessions, db_i64(s, 0))) {
            db_done(s);
            return WERR_OK;
        }
    }
    return rc == DB_DONE ? WERR_NOTFOUND : rc;
}

int media_attach(tx_t *tx, int64_t message, int64_t media)
{
    db_stmt_t *s = db_stmt(tx->db, &media_attach_row);
    int rc;

    db_bind_i64(s, 1, message);
    db_bind_i64(s, 2, media);
    rc = db_exec(s);
    if (rc == WERR_OK && db_changes(tx->db) == 0) {
        return WERR_NOTFOUND;
    }
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &media_use);
    db_bind_i64(s, 1, media);
    return db_exec(s);
}

int media_detach(tx_t *tx, int64_t message)
{
    db_stmt_t *s = db_stmt(tx->db, &media_unuse);
    int rc;

    db_bind_i64(s, 1, message);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    s = db_stmt(tx->db, &media_detach_row);
    db_bind_i64(s, 1, message);
    return db_exec(s);
}

typedef struct {
    size_t n;
    int64_t ids[BATCH];
    char hashes[BATCH][MEDIA_HASH];
} old_t;

static int delete_old(tx_t *tx, void *arg)
{
    old_t *o = arg;
    db_stmt_t *s = db_stmt(tx->db, &media_old);
    int rc;

    o->n = 0;
    db_bind_i64(s, 1, tx->now - UNUSED_MS);
    db_bind_i64(s, 2, BATCH);
    while ((rc = db_step(s)) == DB_ROW) {
        o->ids[o->n] = db_i64(s, 0);
        snprintf(o->hashes[o->n++], MEDIA_HASH, "%s", db_text(s, 1));
    }
    for (size_t i = 0; rc == WERR_OK && i < o->n; i++) {
        s = db_stmt(tx->db, &media_delete);
        db_bind_i64(s, 1, o->ids[i]);
        rc = db_exec(s);
    }
    return rc;
}

int media_housekeep(domain_t *d)
{
    old_t *o = calloc(1, sizeof(*o));
    int rc, n;

    if (o == NULL) {
        return WERR_NOMEM;
    }
    rc = domain_write(d, delete_old, o);
    for (size_t i = 0; rc >= 0 && i < o->n; i++) {
        rc = d->settings.media_dir != NULL ? media_discard(d, o->hashes[i]) : 0;
    }
    n = (int)o->n;
    free(o);
    return rc < 0 ? rc : n;
}
