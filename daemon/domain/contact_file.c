#include "domain/contact_file.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

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

/* The pages of a chat come newest first: each goes before those read. */
typedef struct page_s {
    struct page_s *next;
    buf_t rows;
} page_t;

static int read_page(db_t *db, const media_viewer_t *viewer, int64_t chat,
                     page_t **pages, bool *more, int64_t *before)
{
    page_t *p = calloc(1, sizeof(*p));
    int rc;

    if (p == NULL) {
        return WERR_NOMEM;
    }
    buf_init(&p->rows, 0);
    p->next = *pages;
    *pages = p;
    rc = chat_messages(db, chat, viewer, PAGE, *before, &p->rows, NULL, more,
                       before);
    return rc == WERR_OK && p->rows.failed ? WERR_NOMEM : rc;
}

static int write_messages(db_t *db, const media_viewer_t *viewer, int64_t chat,
                          buf_t *out)
{
    page_t *pages = NULL;
    int64_t before = 0;
    bool more = true;
    int rc = WERR_OK;

    while (rc == WERR_OK && more) {
        rc = read_page(db, viewer, chat, &pages, &more, &before);
    }
    jw_open_array(out, "messages");
    while (pages != NULL) {
        page_t *p = pages;

        /* "[...]" without its brackets */
        if (p->rows.len > 2) {
            jw_raw(out, NULL, p->rows.data + 1, p->rows.len - 2);
        }
        pages = p->next;
        buf_free(&p->rows);
        free(p);
    }
    jw_close_array(out);
    return rc;
}

static int write_chats(db_t *db, const media_viewer_t *viewer, int64_t contact,
                       buf_t *out)
{
    int64_t chat = 0;
    int rc = WERR_OK;

    jw_open_array(out, "chats");
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
        jw_open_object(out, NULL);
        jw_str(out, "id", id);
        jw_str(out, "session_id", db_text(s, 1));
        db_done(s);
        rc = write_messages(db, viewer, chat, out);
        jw_close_object(out);
    }
    jw_close_array(out);
    return rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int contact_export(db_t *db, const media_viewer_t *viewer, int64_t contact,
                   buf_t *out)
{
    int rc;

    jw_open_object(out, NULL);
    rc = write_contact(db, viewer->domain, contact, out);
    if (rc == WERR_OK) {
        rc = write_aliases(db, contact, out);
    }
    if (rc == WERR_OK) {
        rc = consent_write(db, contact, out, "consent");
    }
    if (rc == WERR_OK) {
        rc = donation_list(db, contact, INT_MAX, out, "donations");
    }
    if (rc == WERR_OK) {
        rc = note_list(db, contact, INT_MAX, out, "notes");
    }
    if (rc == WERR_OK) {
        rc = reminder_list(db, contact, INT_MAX, out, "reminders");
    }
    if (rc == WERR_OK) {
        rc = write_chats(db, viewer, contact, out);
    }
    jw_close_object(out);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}
