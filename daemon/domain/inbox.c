/*
 * The list of conversations. Two steps: the order, from the index of each
 * session, newest first and merged here; then one statement for the lines of
 * up to 50 chats.
 */
#include "domain/chat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "domain/donor_row.h"
#include "domain/like.h"
#include "domain/message_text.h"
#include "domain/rendered.h"

#define LIMIT_MAX  200
#define LINES_ONCE SOME
/* Rows that one search looks at in a session; the next page looks further. */
#define SEARCH_ROWS 5000

/* Between two places of the order: after ($2,$3) and not past ($4,$5). */
#define PLACES                                                  \
    "WHERE c.session_id = $1 AND (c.last_ts, c.id) < ($2, $3) " \
    "AND (c.last_ts, c.id) >= ($4, $5) "
#define NEWEST_FIRST "ORDER BY c.last_ts DESC, c.id DESC "
#define MATCHES                                                            \
    "AND (lower(k.name) LIKE $7 ESCAPE '!' OR k.phone LIKE $8 ESCAPE '!' " \
    "OR lower(m.body) LIKE $7 ESCAPE '!') "

#define INBOX_QUERIES(name, condition)                                       \
    DB_QUERY(                                                                \
        inbox_##name,                                                        \
        "SELECT c.last_ts, c.id FROM chats c " PLACES condition NEWEST_FIRST \
        "LIMIT $6");                                                         \
    DB_QUERY(                                                                \
        inbox_##name##_search,                                               \
        "SELECT c.last_ts, c.id FROM chats c "                               \
        "JOIN contacts k ON k.id = c.contact_id "                            \
        "LEFT JOIN messages m ON m.id = c.last_message_id " PLACES condition \
            MATCHES NEWEST_FIRST "LIMIT $6");                                \
    DB_QUERY(                                                                \
        inbox_##name##_floor,                                                \
        "SELECT c.last_ts, c.id FROM chats c " PLACES condition NEWEST_FIRST \
        "LIMIT 1 OFFSET $6")

INBOX_QUERIES(all, "");
INBOX_QUERIES(unread, "AND c.unread > 0 ");
INBOX_QUERIES(starred, "AND c.starred = 1 ");
INBOX_QUERIES(failed, "AND c.failed > 0 ");

#define LINES(name)                                               \
    "SELECT c.id, s.session_id, " name ", k.phone, m.type, "      \
    "substr(m.body, 1, 300), m.deleted_at, c.last_ts, c.unread, " \
    "c.starred, " DONOR_COLUMNS " FROM chats c "                  \
    "JOIN sessions s ON s.id = c.session_id "                     \
    "JOIN contacts k ON k.id = c.contact_id "                     \
    "LEFT JOIN messages m ON m.id = c.last_message_id "           \
    "WHERE c.id " SOME_IDS
DB_QUERY(inbox_lines, LINES("k.name"));
/* What an event tells of it. */
DB_QUERY(inbox_lines_told, LINES("substr(k.name, 1, " RENDERED_TITLE ")"));
/* Chats of which an earlier message was found. */
DB_QUERY(inbox_of_messages,
         "SELECT DISTINCT c.last_ts, c.id, c.session_id, c.unread, c.starred, "
         "c.failed FROM messages m JOIN chats c ON c.id = m.chat_id "
         "WHERE m.id " SOME_IDS);

typedef struct {
    int64_t ts, id;
} place_t;

typedef struct {
    const inbox_query_t *q;
    place_t from;           /* newer ones are on pages before */
    place_t floor;          /* older ones were not looked at */
    bool cut;               /* by the floor */
    char pattern[LIKE_MAX]; /* "" : no search */
    char digits[LIKE_MAX];
    place_t rows[LIMIT_MAX + 1];
    size_t n, want; /* want: limit + 1, to see whether there are more */
} order_t;

static const struct {
    const db_query_t *plain, *search, *floor;
} queries[] = {
    [INBOX_ALL] = {&inbox_all, &inbox_all_search, &inbox_all_floor},
    [INBOX_UNREAD] = {&inbox_unread, &inbox_unread_search, &inbox_unread_floor},
    [INBOX_STARRED] = {&inbox_starred, &inbox_starred_search,
                       &inbox_starred_floor},
    [INBOX_FAILED] = {&inbox_failed, &inbox_failed_search, &inbox_failed_floor},
};

static bool newer(place_t a, place_t b)
{
    return a.ts > b.ts || (a.ts == b.ts && a.id > b.id);
}

static void bind_places(db_stmt_t *s, const order_t *o, int64_t session,
                        int64_t count)
{
    db_bind_i64(s, 1, session);
    db_bind_i64(s, 2, o->from.ts);
    db_bind_i64(s, 3, o->from.id);
    db_bind_i64(s, 4, o->floor.ts);
    db_bind_i64(s, 5, o->floor.id);
    db_bind_i64(s, 6, count);
}

/* The place where a search of this session has looked at enough rows. */
static int lower_floor(db_t *db, order_t *o, int64_t session)
{
    db_stmt_t *s = db_stmt(db, queries[o->q->filter].floor);
    int rc;

    bind_places(s, o, session, SEARCH_ROWS);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc == WERR_NOTFOUND ? WERR_OK : rc;
    }
    o->floor = (place_t){db_i64(s, 0), db_i64(s, 1)};
    o->cut = true;
    db_done(s);
    return WERR_OK;
}

/* Found twice: by the chat and by a message. */
static bool is_kept(const order_t *o, place_t row)
{
    for (size_t i = 0; o->q->nmessages > 0 && i < o->n; i++) {
        if (o->rows[i].id == row.id) {
            return true;
        }
    }
    return false;
}

/* false: it is older than all that are wanted. */
static bool keep(order_t *o, place_t row)
{
    size_t i = o->n;

    if (is_kept(o, row)) {
        return true;
    }
    if (o->n == o->want) {
        if (!newer(row, o->rows[o->n - 1])) {
            return false;
        }
        i = o->n - 1;
    } else {
        o->n++;
    }
    while (i > 0 && newer(row, o->rows[i - 1])) {
        o->rows[i] = o->rows[i - 1];
        i--;
    }
    o->rows[i] = row;
    return true;
}

static int collect(db_t *db, order_t *o, int64_t session)
{
    db_stmt_t *s =
        db_stmt(db, o->pattern[0] != '\0' ? queries[o->q->filter].search
                                          : queries[o->q->filter].plain);
    int rc;

    bind_places(s, o, session, (int64_t)o->want);
    if (o->pattern[0] != '\0') {
        db_bind_text(s, 7, o->pattern);
        db_bind_text(s, 8, o->digits);
    }
    while ((rc = db_step(s)) == DB_ROW) {
        if (!keep(o, (place_t){db_i64(s, 0), db_i64(s, 1)})) {
            db_done(s);
            return WERR_OK;
        }
    }
    return rc;
}

static bool passes(const order_t *o, db_stmt_t *s)
{
    place_t row = {db_i64(s, 0), db_i64(s, 1)};

    switch (o->q->filter) {
    case INBOX_UNREAD:
        if (db_i64(s, 3) == 0) {
            return false;
        }
        break;
    case INBOX_STARRED:
        if (db_i64(s, 4) == 0) {
            return false;
        }
        break;
    case INBOX_FAILED:
        if (db_i64(s, 5) == 0) {
            return false;
        }
        break;
    default:
        break;
    }
    return session_set_has(o->q->sessions, db_i64(s, 2)) &&
           newer(o->from, row) && !newer(o->floor, row);
}

/* The chats of the messages that the caller has found. */
static int collect_found(db_t *db, order_t *o)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < o->q->nmessages; i += LINES_ONCE) {
        db_stmt_t *s = db_stmt(db, &inbox_of_messages);

        for (size_t k = 0; k < LINES_ONCE && i + k < o->q->nmessages; k++) {
            db_bind_i64(s, (int)k + 1, o->q->messages[i + k]);
        }
        while ((rc = db_step(s)) == DB_ROW) {
            if (passes(o, s)) {
                (void)keep(o, (place_t){db_i64(s, 0), db_i64(s, 1)});
            }
        }
    }
    return rc;
}

static int find_order(db_t *db, order_t *o)
{
    const session_set_t *set = o->q->sessions;
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && o->pattern[0] != '\0' && i < set->n;
         i++) {
        rc = lower_floor(db, o, set->ids[i]);
    }
    for (size_t i = 0; rc == WERR_OK && i < set->n; i++) {
        rc = collect(db, o, set->ids[i]);
    }
    if (rc == WERR_OK && o->pattern[0] != '\0') {
        rc = collect_found(db, o);
    }
    return rc;
}

static void write_line(db_stmt_t *s, const domain_t *d, int64_t now,
                       int64_t today, buf_t *out)
{
    donor_row_t donor;
    char id[24];

    snprintf(id, sizeof(id), "%" PRId64, db_i64(s, 0));
    donor_row_read(s, 10, &donor);
    jw_open_object(out, NULL);
    jw_str(out, "id", id);
    jw_str(out, "session_id", db_text(s, 1));
    jw_str(out, "name", db_text(s, 2));
    jw_str(out, "phone", db_text(s, 3));
    message_text_line(out, "last_message", db_text(s, 4), db_text(s, 5),
                      !db_is_null(s, 6));
    jw_time(out, "timestamp", db_i64(s, 7));
    jw_i64(out, "unread_count", db_i64(s, 8));
    jw_bool(out, "is_starred", db_i64(s, 9) != 0);
    donor_row_write(&donor, &d->settings, today, now, out, "donatur");
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

/* Renders up to LINES_ONCE chats, and writes them in the order of rows. */
static int write_some(db_t *db, const domain_t *d, const place_t *rows,
                      size_t n, int64_t now, buf_t *scratch, buf_t *out)
{
    int64_t today = clock_day_of(now, d->settings.utc_offset_s);
    db_stmt_t *s = db_stmt(db, &inbox_lines);
    line_t lines[LINES_ONCE] = {{0}};
    int rc;

    for (size_t i = 0; i < n; i++) {
        db_bind_i64(s, (int)i + 1, rows[i].id);
    }
    buf_reset(scratch);
    while ((rc = db_step(s)) == DB_ROW) {
        size_t slot = slot_of(rows, n, db_i64(s, 0)), at;

        if (slot < n) {
            scratch->comma = false;
            at = scratch->len;
            write_line(s, d, now, today, scratch);
            lines[slot] = (line_t){at, scratch->len - at};
        }
    }
    if (rc != WERR_OK || scratch->failed) {
        return rc != WERR_OK ? rc : WERR_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (lines[i].len > 0) {
            jw_raw(out, NULL, scratch->data + lines[i].at, lines[i].len);
        }
    }
    return WERR_OK;
}

static int write_lines(db_t *db, const domain_t *d, const order_t *o, size_t n,
                       buf_t *out)
{
    int64_t now = clock_now_ms();
    buf_t scratch;
    int rc = WERR_OK;

    buf_init(&scratch, 0);
    jw_open_array(out, "conversations");
    for (size_t i = 0; rc == WERR_OK && i < n; i += LINES_ONCE) {
        size_t some = n - i < LINES_ONCE ? n - i : LINES_ONCE;

        rc = write_some(db, d, &o->rows[i], some, now, &scratch, out);
    }
    jw_close_array(out);
    buf_free(&scratch);
    return rc == WERR_OK && out->failed ? WERR_NOMEM : rc;
}

int chat_inbox(db_t *db, const domain_t *d, const inbox_query_t *q, buf_t *out,
               bool *more, int64_t *next_ts, int64_t *next_id)
{
    order_t o = {
        .q = q,
        .from = {INT64_MAX, INT64_MAX},
        .floor = {INT64_MIN, INT64_MIN},
    };
    size_t n;
    int rc;

    if (q->limit < 1 || q->limit > LIMIT_MAX ||
        (size_t)q->filter >= sizeof(queries) / sizeof(queries[0])) {
        return WERR_INVALID;
    }
    o.want = (size_t)q->limit + 1;
    if (q->before_id != 0) {
        o.from = (place_t){q->before_ts, q->before_id};
    }
    if (q->search != NULL && *q->search != '\0') {
        like_text(q->search, strlen(q->search), o.pattern);
        like_phone(q->search, o.digits);
    }
    rc = find_order(db, &o);
    if (rc != WERR_OK) {
        return rc;
    }
    n = o.n < o.want ? o.n : o.want - 1;
    *more = o.n == o.want || o.cut;
    *next_ts = *next_id = 0;
    if (*more) {
        place_t last = o.n == o.want ? o.rows[n - 1] : o.floor;

        *next_ts = last.ts;
        *next_id = last.id;
    }
    return write_lines(db, d, &o, n, out);
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
