/* Chats as lines: rendered from the database, or as they were before where
 * nothing of them has changed. */
#include "domain/chat_line.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/phone.h"
#include "domain/contact_visible.h"
#include "domain/donor_row.h"
#include "domain/lines.h"
#include "domain/message_text.h"
#include "domain/rendered.h"
#include "domain/some_ids.h"

#define COLUMN_DONOR   10
#define COLUMN_CONTACT (COLUMN_DONOR + DONOR_NCOLUMNS)
#define COLUMN_OPENS   (COLUMN_CONTACT + 1)

#define LINES(name)                                               \
    "SELECT c.id, s.session_id, " name ", k.phone, m.type, "      \
    "substr(m.body, 1, 300), m.deleted_at, c.last_ts, c.unread, " \
    "c.starred, " DONOR_COLUMNS ", c.contact_id, "                \
    "CASE WHEN " CHAT_OPENS(                                      \
        "c") " THEN 1 ELSE 0 END "                                \
             "FROM chats c "                                      \
             "JOIN sessions s ON s.id = c.session_id "            \
             "JOIN contacts k ON k.id = c.contact_id "            \
             "LEFT JOIN messages m ON m.id = c.last_message_id "  \
             "WHERE c.id " SOME_IDS
DB_QUERY(inbox_lines, LINES("k.name"));
/* What an event tells of it. */
DB_QUERY(inbox_lines_told, LINES("substr(k.name, 1, " RENDERED_TITLE ")"));

static void write_line(db_stmt_t *s, const domain_t *d, int64_t now,
                       int64_t today, buf_t *out)
{
    bool opens = db_i64(s, COLUMN_OPENS) != 0;
    char id[24], number[ALIAS_MAX];
    donor_row_t donor;

    snprintf(id, sizeof(id), "%" PRId64, db_i64(s, 0));
    donor_row_read(s, COLUMN_DONOR, &donor);
    jw_open_object(out, NULL);
    jw_str(out, "id", id);
    jw_str(out, "session_id", db_text(s, 1));
    if (!opens) {
        phone_format(db_text(s, 3), number, sizeof(number));
    }
    jw_str(out, "name", opens ? db_text(s, 2) : number);
    jw_str(out, "phone", db_text(s, 3));
    message_text_line(out, "last_message", db_text(s, 4), db_text(s, 5),
                      !db_is_null(s, 6));
    jw_time(out, "timestamp", db_i64(s, 7));
    jw_i64(out, "unread_count", db_i64(s, 8));
    jw_bool(out, "is_starred", db_i64(s, 9) != 0);
    if (opens) {
        donor_row_write(&donor, &d->settings, today, now, out, "donatur");
    } else {
        jw_null(out, "donatur");
    }
    jw_close_object(out);
}

typedef struct {
    size_t at, len; /* of the rendered line; len 0: gone meanwhile */
} line_t;

static size_t slot_of(const place_t *rows, size_t n, int64_t id)
{
    size_t i = 0;

    while (i < n && rows[i].id != id) {
        i++;
    }
    return i;
}

/* Up to SOME chats on their way. */
typedef struct {
    const domain_t *d;
    const inbox_query_t *q;
    const place_t *rows;
    size_t n;
    int64_t now, today;
    line_t lines[SOME];
    buf_t scratch; /* that they are in */
} some_t;

/* Those that still hold; how many do not. */
static size_t copy_some(some_t *s)
{
    size_t missing = 0;

    for (size_t i = 0; i < s->n; i++) {
        size_t at = s->scratch.len;

        if (s->q->lines == NULL ||
            !lines_copy(s->q->lines, s->rows[i].id, s->rows[i].ts, s->today,
                        &s->scratch)) {
            missing++;
        }
        s->lines[i] = (line_t){at, s->scratch.len - at};
    }
    return missing;
}

static void render_line(some_t *s, db_stmt_t *stmt, size_t slot)
{
    size_t at = s->scratch.len;

    s->scratch.comma = false;
    write_line(stmt, s->d, s->now, s->today, &s->scratch);
    s->lines[slot] = (line_t){at, s->scratch.len - at};
    if (s->q->lines != NULL && !s->scratch.failed && db_row_whole(stmt)) {
        const line_of_t of = {
            .chat = s->rows[slot].id,
            .contact = db_i64(stmt, COLUMN_CONTACT),
            .ts = db_i64(stmt, 7),
            .day = s->today,
            .version = s->q->version,
        };
        lines_keep(s->q->lines, &of, s->scratch.data + at, s->scratch.len - at);
    }
}

static int render_missing(db_t *db, some_t *s)
{
    db_stmt_t *stmt = db_stmt(db, &inbox_lines);
    int parameter = 1, rc;

    for (size_t i = 0; i < s->n; i++) {
        if (s->lines[i].len == 0) {
            db_bind_i64(stmt, parameter++, s->rows[i].id);
        }
    }
    while ((rc = db_step(stmt)) == DB_ROW) {
        size_t slot = slot_of(s->rows, s->n, db_i64(stmt, 0));

        if (slot < s->n) {
            render_line(s, stmt, slot);
        }
    }
    return rc;
}

static int write_some(db_t *db, some_t *s, buf_t *out)
{
    int rc = WERR_OK;

    buf_reset(&s->scratch);
    if (copy_some(s) > 0) {
        rc = render_missing(db, s);
    }
    if (rc != WERR_OK || s->scratch.failed) {
        return rc != WERR_OK ? rc : WERR_NOMEM;
    }
    for (size_t i = 0; i < s->n; i++) {
        if (s->lines[i].len > 0) {
            jw_raw(out, NULL, s->scratch.data + s->lines[i].at,
                   s->lines[i].len);
        }
    }
    return WERR_OK;
}

int chat_lines(db_t *db, const domain_t *d, const inbox_query_t *q,
               const place_t *rows, size_t n, buf_t *out)
{
    some_t s = {.d = d, .q = q, .now = clock_now_ms()};
    int rc = WERR_OK;

    s.today = clock_day_of(s.now, d->settings.utc_offset_s);
    buf_init(&s.scratch, 0);
    jw_open_array(out, "conversations");
    for (size_t i = 0; rc == WERR_OK && i < n; i += SOME) {
        s.rows = &rows[i];
        s.n = n - i < SOME ? n - i : SOME;
        rc = write_some(db, &s, out);
    }
    jw_close_array(out);
    buf_free(&s.scratch);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}

int chat_render(db_t *db, const domain_t *d, rendered_t *r)
{
    int64_t now = clock_now_ms();
    int64_t today = clock_day_of(now, d->settings.utc_offset_s);
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < r->n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &inbox_lines_told, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

            write_line(s, d, now, today, &r->text);
            rendered_end(r, row);
        }
    }
    return rc;
}

int chat_line(db_t *db, const domain_t *d, int64_t chat, buf_t *out,
              const char *key)
{
    rendered_t r;

    rendered_init(&r);
    rendered_want(&r, chat);
    int rc = chat_render(db, d, &r);
    if (rc == WERR_OK && r.rows[0].len == 0) {
        rc = WERR_NOTFOUND;
    }
    if (rc == WERR_OK && r.text.failed) {
        rc = WERR_NOMEM;
    }
    if (rc == WERR_OK) {
        jw_raw(out, key, r.text.data + r.rows[0].at, r.rows[0].len);
    }
    rendered_free(&r);
    return rc;
}
