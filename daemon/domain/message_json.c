/* Messages as JSON: Message of the HTTP contract. */
#include "domain/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "domain/chat.h"
#include "domain/media_url.h"
#include "domain/rendered.h"
#include "domain/row_json.h"
#include "domain/some_ids.h"

#define LIMIT_MAX 200
/* A page ends early where its messages are long: the next one goes on. */
#define PAGE_BYTES ((size_t)1 << 20)

#define FIELDS(body, error_title, filename)                                \
    "m.id, m.chat_id, CASE WHEN k.donor = 1 OR k.gift_count > 0 "          \
    "THEN k.id END, " body ", m.type, m.direction, m.status, m.wa_id, "    \
    "m.ts, m.cs_id, m.source, m.reply_to, m.error_code, " error_title ", " \
    "m.edited_at, m.deleted_at, a.message_id, a.mime, " filename ", "      \
    "a.size, f.public_id, a.fetch_state, k.name, m.scheduled_at, "         \
    "a.fetch_error"
#define ROWS                                             \
    " FROM messages m JOIN chats c ON c.id = m.chat_id " \
    "JOIN contacts k ON k.id = c.contact_id "            \
    "LEFT JOIN message_media a ON a.message_id = m.id "  \
    "LEFT JOIN media f ON f.id = a.media_id "
#define COLUMNS "SELECT " FIELDS("m.body", "m.error_title", "a.filename") ROWS

DB_QUERY(message_json_one, COLUMNS "WHERE m.id = $1");
DB_QUERY(message_json_newest,
         COLUMNS "WHERE m.chat_id = $1 ORDER BY m.ts DESC, m.id DESC "
                 "LIMIT $2");
DB_QUERY(message_json_before,
         COLUMNS "WHERE m.chat_id = $1 AND (m.ts, m.id) < "
                 "(SELECT b.ts, b.id FROM messages b WHERE b.id = $3) "
                 "ORDER BY m.ts DESC, m.id DESC LIMIT $2");
DB_QUERY(message_json_after,
         COLUMNS "WHERE m.chat_id = $1 AND (m.ts, m.id) > "
                 "(SELECT b.ts, b.id FROM messages b WHERE b.id = $3) "
                 "ORDER BY m.ts, m.id LIMIT $2");
DB_QUERY(message_json_up_to,
         COLUMNS "WHERE m.chat_id = $1 AND (m.ts, m.id) <= "
                 "(SELECT b.ts, b.id FROM messages b WHERE b.id = $3) "
                 "ORDER BY m.ts DESC, m.id DESC LIMIT $2");
DB_QUERY(message_json_reactions,
         "SELECT m.id, r.emoji, r.sender, r.ts FROM messages m "
         "JOIN reactions r ON r.message_id = m.id WHERE m.chat_id = $1 "
         "AND (m.ts, m.id) >= ($2, $3) AND (m.ts, m.id) <= ($4, $5) "
         "ORDER BY m.ts, m.id, r.message_id, r.sender");
DB_QUERY(message_json_reactions_one,
         "SELECT message_id, emoji, sender, ts FROM reactions "
         "WHERE message_id = $1 ORDER BY sender");

DB_QUERY(message_json_some, COLUMNS "WHERE m.id " SOME_IDS " ORDER BY m.id "
                                    "DESC");
DB_QUERY_SCAN(message_json_due,
              COLUMNS "WHERE m.id " SOME_IDS " ORDER BY m.scheduled_at, m.id",
              "sorts the up to 50 that it is given");
DB_QUERY(message_json_reactions_some,
         "SELECT message_id, emoji, sender, ts FROM reactions "
         "WHERE message_id " SOME_IDS " ORDER BY message_id DESC, sender");

/* What an event tells of it. */
DB_QUERY(
    message_json_told,
    "SELECT " FIELDS("substr(m.body, 1, " RENDERED_TEXT ")",
                     "substr(m.error_title, 1, " RENDERED_TITLE ")",
                     "substr(a.filename, 1, " RENDERED_TITLE
                     ")") ", k.id, CASE WHEN length(m.body) > " RENDERED_TEXT
                          " THEN 1 ELSE 0 END" ROWS "WHERE m.id " SOME_IDS
                          " ORDER BY m.id DESC");
DB_QUERY(message_json_status,
         "SELECT id, chat_id, wa_id, status, error_code, "
         "substr(error_title, 1, " RENDERED_TITLE ") FROM messages "
         "WHERE id " SOME_IDS);

typedef struct {
    int64_t id, ts;
    size_t at, len; /* of its members, rendered but for the reactions */
} part_t;

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
    jw_strn(out, "url", url.failed ? "" : url.data, url.failed ? 0 : url.len);
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

static void write_error(buf_t *out, db_stmt_t *s, int code, int title)
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

static void write_chat_id(buf_t *out, db_stmt_t *s, int i)
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

static void write_members(buf_t *out, db_stmt_t *s,
                          const media_viewer_t *viewer)
{
    jw_i64(out, "id", db_i64(s, 0));
    write_chat_id(out, s, 1);
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
    write_error(out, s, 12, 13);
    row_time(out, "edited_at", s, 14);
    row_time(out, "deleted_at", s, 15);
    row_time(out, "scheduled_at", s, 23);
}

/* One step of the reactions; those that were taken back are no rows here. */
static int next_reaction(db_stmt_t *s)
{
    int rc;

    do {
        rc = db_step(s);
    } while (rc == DB_ROW && db_text_len(s, 1) == 0);
    return rc;
}

/* Writes those of message id that are next in s; *state: the last step. */
static void write_reactions(buf_t *out, db_stmt_t *s, int64_t id, int *state)
{
    jw_open_array(out, "reactions");
    while (*state == DB_ROW && db_i64(s, 0) == id) {
        jw_open_object(out, NULL);
        jw_str(out, "emoji", db_text(s, 1));
        jw_str(out, "by", db_text(s, 2));
        jw_time(out, "timestamp", db_i64(s, 3));
        jw_close_object(out);
        *state = next_reaction(s);
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
    write_members(out, s, viewer);
    db_done(s);
    s = db_stmt(db, &message_json_reactions_one);
    db_bind_i64(s, 1, id);
    rc = next_reaction(s);
    write_reactions(out, s, id, &rc);
    jw_close_object(out);
    return rc == DB_DONE && out->failed ? WERR_NOMEM : rc;
}

/* The page's messages as they are gathered. */
typedef struct {
    part_t parts[LIMIT_MAX];
    size_t n;
    buf_t scratch;
} gathered_t;

/* In the order of q, into scratch; one more than wanted tells that there is
 * more. */
static int gather(db_t *db, const db_query_t *q, int64_t chat, size_t limit,
                  int64_t place, const media_viewer_t *viewer, gathered_t *g,
                  bool *more)
{
    db_stmt_t *s = db_stmt(db, q);
    size_t end = g->n + limit;
    int rc;

    *more = false;
    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, (int64_t)limit + 1);
    if (place != 0) {
        db_bind_i64(s, 3, place);
    }
    while ((rc = db_step(s)) == DB_ROW) {
        part_t *p = &g->parts[g->n];

        if (g->n == end || g->scratch.len > PAGE_BYTES) {
            *more = true;
            db_done(s);
            rc = DB_DONE;
            break;
        }
        g->n++;
        p->id = db_i64(s, 0);
        p->ts = db_i64(s, 8);
        p->at = g->scratch.len;
        g->scratch.comma = false;
        write_members(&g->scratch, s, viewer);
        p->len = g->scratch.len - p->at;
    }
    return rc == DB_DONE && g->scratch.failed ? WERR_NOMEM : rc;
}

static void turn_round(part_t *parts, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        part_t p = parts[i];

        parts[i] = parts[n - 1 - i];
        parts[n - 1 - i] = p;
    }
}

static int gather_after(db_t *db, int64_t chat, const media_viewer_t *viewer,
                        size_t limit, int64_t after, gathered_t *g,
                        chat_span_t *span)
{
    return gather(db, &message_json_after, chat, limit, after, viewer, g,
                  &span->newer);
}

/* The message itself belongs to the older half, so it is there at any limit. */
static int gather_around(db_t *db, int64_t chat, const media_viewer_t *viewer,
                         size_t limit, int64_t around, gathered_t *g,
                         chat_span_t *span)
{
    size_t older = (limit + 1) / 2;
    int rc = gather(db, &message_json_up_to, chat, older, around, viewer, g,
                    &span->older);

    turn_round(g->parts, g->n);
    if (rc == WERR_OK) {
        rc = gather_after(db, chat, viewer, limit - older, around, g, span);
    }
    return rc;
}

/* Into g->parts, newest first. */
static int gather_page(db_t *db, int64_t chat, const media_viewer_t *viewer,
                       const chat_page_t *page, gathered_t *g,
                       chat_span_t *span)
{
    size_t limit = (size_t)page->limit;
    int rc;

    *span =
        (chat_span_t){.older = page->after != 0, .newer = page->before != 0};
    if (page->after != 0) {
        rc = gather_after(db, chat, viewer, limit, page->after, g, span);
    } else if (page->around != 0) {
        rc = gather_around(db, chat, viewer, limit, page->around, g, span);
    } else {
        return gather(
            db, page->before == 0 ? &message_json_newest : &message_json_before,
            chat, limit, page->before, viewer, g, &span->older);
    }
    turn_round(g->parts, g->n);
    return rc;
}

/* Oldest first, each with its reactions. */
static int write_parts(db_t *db, int64_t chat, const part_t *parts, size_t n,
                       const buf_t *scratch, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &message_json_reactions);
    int state;

    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, parts[n - 1].ts);
    db_bind_i64(s, 3, parts[n - 1].id);
    db_bind_i64(s, 4, parts[0].ts);
    db_bind_i64(s, 5, parts[0].id);
    state = next_reaction(s);
    for (size_t i = n; i-- > 0;) {
        jw_open_object(out, NULL);
        buf_add(out, scratch->data + parts[i].at, parts[i].len);
        out->comma = true;
        write_reactions(out, s, parts[i].id, &state);
        jw_close_object(out);
    }
    db_done(s);
    return state == DB_ROW ? WERR_SYSTEM : state;
}

int chat_page(db_t *db, int64_t chat, const media_viewer_t *viewer,
              const chat_page_t *page, buf_t *out, const char *key,
              chat_span_t *span)
{
    gathered_t g = {.n = 0};
    int rc;

    if (page->limit < 1 || page->limit > LIMIT_MAX) {
        return WERR_INVALID;
    }
    buf_init(&g.scratch, 0);
    rc = gather_page(db, chat, viewer, page, &g, span);
    if (rc != WERR_OK) {
        goto out;
    }
    if (g.n > 0) {
        span->oldest = g.parts[g.n - 1].id;
        span->newest = g.parts[0].id;
    }
    jw_open_array(out, key);
    if (g.n > 0) {
        rc = write_parts(db, chat, g.parts, g.n, &g.scratch, out);
    }
    jw_close_array(out);
    if (rc == WERR_OK && out->failed) {
        rc = WERR_NOMEM;
    }
out:
    buf_free(&g.scratch);
    return rc;
}

int chat_messages(db_t *db, int64_t chat, const media_viewer_t *viewer,
                  int limit, int64_t before, buf_t *out, const char *key,
                  bool *more, int64_t *oldest)
{
    const chat_page_t page = {.limit = limit, .before = before};
    chat_span_t span = {0};
    int rc = chat_page(db, chat, viewer, &page, out, key, &span);

    *more = span.older;
    *oldest = span.oldest;
    return rc;
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
    int state = next_reaction(reactions), rc = state;

    while (state >= 0 && (rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        write_members(out, s, viewer);
        jw_str(out, "chat_name", db_text(s, 22));
        extra(arg, db_text(s, 3), db_text_len(s, 3), out);
        write_reactions(out, reactions, db_i64(s, 0), &state);
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

static int render_some(db_t *db, rendered_t *r, size_t from)
{
    db_stmt_t *reactions =
        rendered_bind(db, &message_json_reactions_some, r, from);
    db_stmt_t *s = rendered_bind(db, &message_json_told, r, from);
    int state = next_reaction(reactions), rc = state;

    while (state >= 0 && (rc = db_step(s)) == DB_ROW) {
        rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

        write_members(&r->text, s, NULL);
        write_reactions(&r->text, reactions, db_i64(s, 0), &state);
        row->chat = db_i64(s, 1);
        row->contact = db_i64(s, 25);
        row->cut = db_i64(s, 26) != 0;
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
        db_stmt_t *s = rendered_bind(db, &message_json_status, r, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rendered_row_t *row = rendered_begin(r, db_i64(s, 0));

            jw_i64(&r->text, "id", db_i64(s, 0));
            write_chat_id(&r->text, s, 1);
            jw_str(&r->text, "wa_message_id", db_text(s, 2));
            jw_str(&r->text, "status", status_name((status_t)db_i64(s, 3)));
            write_error(&r->text, s, 4, 5);
            rendered_end(r, row);
        }
    }
    return rc;
}

/* None of them has reactions: nobody has seen it. */
static int write_due(db_t *db, const media_viewer_t *viewer, const int64_t *ids,
                     size_t n, buf_t *out)
{
    db_stmt_t *s = bind_some(db, &message_json_due, ids, n);
    int rc;

    while ((rc = db_step(s)) == DB_ROW) {
        jw_open_object(out, NULL);
        write_members(out, s, viewer);
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
