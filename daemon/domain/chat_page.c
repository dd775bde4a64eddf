/* The messages of a chat, a page at a time. */
#include "domain/chat.h"

#include "domain/message_json.h"

#define LIMIT_MAX 200
/* A page ends early where its messages are long: the next one goes on. */
#define PAGE_BYTES ((size_t)1 << 20)

DB_QUERY(chat_page_newest,
         MESSAGE_COLUMNS "WHERE m.chat_id = $1 ORDER BY m.ts DESC, m.id DESC "
                         "LIMIT $2");
DB_QUERY(chat_page_before,
         MESSAGE_COLUMNS "WHERE m.chat_id = $1 AND (m.ts, m.id) < "
                         "(SELECT b.ts, b.id FROM messages b WHERE b.id = $3) "
                         "ORDER BY m.ts DESC, m.id DESC LIMIT $2");
DB_QUERY(chat_page_after,
         MESSAGE_COLUMNS "WHERE m.chat_id = $1 AND (m.ts, m.id) > "
                         "(SELECT b.ts, b.id FROM messages b WHERE b.id = $3) "
                         "ORDER BY m.ts, m.id LIMIT $2");
DB_QUERY(chat_page_up_to,
         MESSAGE_COLUMNS "WHERE m.chat_id = $1 AND (m.ts, m.id) <= "
                         "(SELECT b.ts, b.id FROM messages b WHERE b.id = $3) "
                         "ORDER BY m.ts DESC, m.id DESC LIMIT $2");
DB_QUERY(chat_page_reactions,
         "SELECT m.id, r.emoji, r.sender, r.ts FROM messages m "
         "JOIN reactions r ON r.message_id = m.id WHERE m.chat_id = $1 "
         "AND (m.ts, m.id) >= ($2, $3) AND (m.ts, m.id) <= ($4, $5) "
         "ORDER BY m.ts, m.id, r.message_id, r.sender");

typedef struct {
    int64_t id, ts;
    size_t at, len; /* of its members, rendered but for the reactions */
} part_t;

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
        message_write_members(&g->scratch, s, viewer);
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
    return gather(db, &chat_page_after, chat, limit, after, viewer, g,
                  &span->newer);
}

/* The message itself belongs to the older half, so it is there at any limit. */
static int gather_around(db_t *db, int64_t chat, const media_viewer_t *viewer,
                         size_t limit, int64_t around, gathered_t *g,
                         chat_span_t *span)
{
    size_t older = (limit + 1) / 2;
    int rc = gather(db, &chat_page_up_to, chat, older, around, viewer, g,
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
        return gather(db,
                      page->before == 0 ? &chat_page_newest : &chat_page_before,
                      chat, limit, page->before, viewer, g, &span->older);
    }
    turn_round(g->parts, g->n);
    return rc;
}

/* Oldest first, each with its reactions. */
static int write_parts(db_t *db, int64_t chat, const part_t *parts, size_t n,
                       const buf_t *scratch, buf_t *out)
{
    db_stmt_t *s = db_stmt(db, &chat_page_reactions);
    int state;

    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, parts[n - 1].ts);
    db_bind_i64(s, 3, parts[n - 1].id);
    db_bind_i64(s, 4, parts[0].ts);
    db_bind_i64(s, 5, parts[0].id);
    state = reaction_next(s);
    for (size_t i = n; i-- > 0;) {
        jw_open_object(out, NULL);
        buf_add(out, scratch->data + parts[i].at, parts[i].len);
        out->comma = true;
        reactions_write(out, s, parts[i].id, &state);
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
