#include "domain/contact_file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "domain/chat.h"
#include "domain/consent.h"
#include "domain/contact_json.h"
#include "domain/donation.h"
#include "domain/note.h"
#include "domain/reminder.h"
#include "domain/row_json.h"

#define PAGE 200

DB_QUERY(file_contact,
         "SELECT phone, phone_typed, name, created_at FROM contacts "
         "WHERE id = $1");
DB_QUERY(file_aliases, "SELECT alias FROM contact_aliases "
                       "WHERE contact_id = $1");
DB_QUERY(file_next_chat,
         "SELECT c.id, s.session_id FROM chats c "
         "JOIN sessions s ON s.id = c.session_id "
         "WHERE c.contact_id = $1 AND c.id > $2 ORDER BY c.id LIMIT 1");

static int write_contact(db_t *db, const domain_t *d, int64_t contact,
                         buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &file_contact);
    int rc;

    db_bind_i64(s, 1, contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    jw_open_object(out, "contact");
    jw_i64(out, "id", contact);
    jw_str(out, "phone", db_text(s, 0));
    jw_str(out, "phone_typed", db_text(s, 1));
    jw_str(out, "name", db_text(s, 2));
    jw_time(out, "created_at", db_i64(s, 3));
    jw_close_object(out);
    db_done(s);
    return contact_write_brief(db, d, contact, out, "donatur");
}

static int write_aliases(db_t *db, int64_t contact, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &file_aliases);

    db_bind_i64(s, 1, contact);
    return row_write_all(s, row_text, out, "aliases");
}

/* Out of memory, into the file; what follows goes on where it stood. */
static int pour(buf_t *b, FILE *out)
{
    if (b->failed) {
        return WERR_NOMEM;
    }
    if (b->len > 0 && fwrite(b->data, 1, b->len, out) != b->len) {
        return WERR_IO;
    }
    b->len = 0;
    return WERR_OK;
}

/* Pages come newest first: where each begins (int64_t[], 0: the newest). */
static int find_pages(db_t *db, const media_viewer_t *viewer, int64_t chat,
                      buf_t *begins)
{
    int64_t before = 0;
    bool more = true;
    int rc = WERR_OK;
    buf_t rows;

    buf_init(&rows, 0);
    while (rc == WERR_OK && more) {
        buf_add(begins, &before, sizeof(before));
        buf_reset(&rows);
        rc = chat_messages(db, chat, viewer, PAGE, before, &rows, NULL, &more,
                           &before);
    }
    buf_free(&rows);
    return rc == WERR_OK && begins->failed ? WERR_NOMEM : rc;
}

static int write_page(db_t *db, const media_viewer_t *viewer, int64_t chat,
                      int64_t before, buf_t *b)
{
    int64_t oldest;
    bool more;
    buf_t rows;
    int rc;

    buf_init(&rows, 0);
    rc = chat_messages(db, chat, viewer, PAGE, before, &rows, NULL, &more,
                       &oldest);
    if (rc == WERR_OK && rows.len > 2) {
        /* "[...]" without its brackets */
        jw_raw(b, NULL, rows.data + 1, rows.len - 2);
    }
    buf_free(&rows);
    return rc;
}

static int write_messages(db_t *db, const media_viewer_t *viewer, int64_t chat,
                          buf_t *b, FILE *out)
{
    buf_t begins;
    int rc;

    buf_init(&begins, 0);
    rc = find_pages(db, viewer, chat, &begins);
    jw_open_array(b, "messages");
    for (size_t i = begins.len; rc == WERR_OK && i > 0;) {
        int64_t before;

        i -= sizeof(before);
        memcpy(&before, begins.data + i, sizeof(before));
        rc = write_page(db, viewer, chat, before, b);
        if (rc == WERR_OK) {
            rc = pour(b, out);
        }
    }
    jw_close_array(b);
    buf_free(&begins);
    return rc;
}

static int write_chats(db_t *db, const media_viewer_t *viewer, int64_t contact,
                       buf_t *b, FILE *out)
{
    int64_t chat = 0;
    int rc = WERR_OK;

    jw_open_array(b, "chats");
    while (rc == WERR_OK) {
        db_stmt_t *s = db_stmt(db, &file_next_chat);
        char id[24];

        db_bind_i64(s, 1, contact);
        db_bind_i64(s, 2, chat);
        rc = db_first(s);
        if (rc != DB_ROW) {
            break;
        }
        chat = db_i64(s, 0);
        snprintf(id, sizeof(id), "%" PRId64, chat);
        jw_open_object(b, NULL);
        jw_str(b, "id", id);
        jw_str(b, "session_id", db_text(s, 1));
        db_done(s);
        rc = write_messages(db, viewer, chat, b, out);
        jw_close_object(b);
    }
    jw_close_array(b);
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

static int write_file(db_t *db, const media_viewer_t *viewer, int64_t contact,
                      buf_t *b, FILE *out)
{
    int rc = write_contact(db, viewer->domain, contact, b);

    if (rc == WERR_OK) {
        rc = write_aliases(db, contact, b);
    }
    if (rc == WERR_OK) {
        rc = consent_write(db, contact, b, "consent");
    }
    if (rc == WERR_OK) {
        rc = donation_list(db, contact, INT_MAX, b, "donations");
    }
    if (rc == WERR_OK) {
        rc = note_list(db, contact, INT_MAX, b, "notes");
    }
    if (rc == WERR_OK) {
        rc = reminder_list(db, contact, INT_MAX, b, "reminders");
    }
    return rc == WERR_OK ? write_chats(db, viewer, contact, b, out) : rc;
}

int contact_export(db_t *db, const media_viewer_t *viewer, int64_t contact,
                   FILE *out)
{
    buf_t b;
    int rc;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    rc = write_file(db, viewer, contact, &b, out);
    jw_close_object(&b);
    if (rc == WERR_OK) {
        rc = pour(&b, out);
    }
    if (rc == WERR_OK && fflush(out) != 0) {
        rc = WERR_IO;
    }
    buf_free(&b);
    return rc;
}
