#include "domain/feed_page.h"

#include <stdlib.h>
#include <string.h>

#include "domain/contact_visible.h"

#define ALIASES_TOLD 20

DB_QUERY(feed_rows, "SELECT seq, kind, session_id, chat_id, ref, created_at, "
                    "socket FROM events WHERE seq > $1 AND seq <= $2 "
                    "ORDER BY seq LIMIT $3");
DB_QUERY(feed_places, "SELECT c.contact_id, c.session_id FROM chats c WHERE "
                      "c.contact_id " SOME_IDS
                      " AND " CHAT_OPENS("c") " ORDER BY c.contact_id");
DB_QUERY(feed_aliases, "SELECT contact_id, alias FROM contact_aliases WHERE "
                       "contact_id " SOME_IDS " ORDER BY contact_id");

int feed_page_new(feed_page_t **out)
{
    feed_page_t *p = malloc(sizeof(*p));

    *out = p;
    if (p == NULL) {
        return WERR_NOMEM;
    }
    p->n = 0;
    p->places = (feed_places_t){0};
    rendered_init(&p->messages);
    rendered_init(&p->statuses);
    rendered_init(&p->chats);
    rendered_init(&p->contacts);
    rendered_init(&p->strangers);
    rendered_init(&p->reminders);
    rendered_init(&p->sessions);
    rendered_init(&p->aliases);
    return WERR_OK;
}

void feed_page_free(feed_page_t *p)
{
    if (p == NULL) {
        return;
    }
    rendered_free(&p->messages);
    rendered_free(&p->statuses);
    rendered_free(&p->chats);
    rendered_free(&p->contacts);
    rendered_free(&p->strangers);
    rendered_free(&p->reminders);
    rendered_free(&p->sessions);
    rendered_free(&p->aliases);
    free(p->places.contacts);
    free(p->places.sessions);
    free(p);
}

/* domain_caused_by() wrote it. */
static void read_socket(feed_row_t *row, const char *text)
{
    size_t len = strcspn(text, "/");

    if (len < sizeof(row->socket) && text[len] == '/') {
        memcpy(row->socket, text, len);
        row->socket[len] = '\0';
        row->socket_user = strtoll(text + len + 1, NULL, 10);
    }
}

static int read_rows(feed_page_t *p, db_t *db, int64_t since, int64_t until,
                     size_t max)
{
    db_stmt_t *s = db_stmt(db, &feed_rows);
    int rc;

    db_bind_i64(s, 1, since);
    db_bind_i64(s, 2, until);
    db_bind_i64(s, 3, (int64_t)(max < FEED_ROWS ? max : FEED_ROWS));
    while ((rc = db_step(s)) == DB_ROW) {
        feed_row_t *row = &p->rows[p->n++];

        *row = (feed_row_t){
            .seq = db_i64(s, 0),
            .kind = (event_kind_t)db_i64(s, 1),
            .session = db_i64(s, 2),
            .chat = db_is_null(s, 3) ? 0 : db_i64(s, 3),
            .ref = db_is_null(s, 4) ? 0 : db_i64(s, 4),
            .at = db_i64(s, 5),
        };
        if (!db_is_null(s, 6)) {
            read_socket(row, db_text(s, 6));
        }
    }
    return rc;
}

/* ---- who may see what ---- */

static bool of_contact(const feed_row_t *row)
{
    return row->kind == EVENT_CONTACT || row->kind == EVENT_REMINDER_DUE;
}

static int find_contacts(feed_page_t *p, db_t *db)
{
    int rc;

    for (size_t i = 0; i < p->n; i++) {
        if (p->rows[i].kind == EVENT_REMINDER_DUE) {
            rendered_want(&p->reminders, p->rows[i].ref);
        }
    }
    rc = reminder_render(db, &p->reminders);
    for (size_t i = 0; rc == WERR_OK && i < p->n; i++) {
        feed_row_t *row = &p->rows[i];

        if (row->kind == EVENT_REMINDER_DUE) {
            row->contact = rendered_row(&p->reminders, row->ref)->contact;
        } else if (row->kind == EVENT_CONTACT) {
            row->contact = row->ref;
        }
        rendered_want(&p->aliases, row->contact);
    }
    return rc;
}

static int grow(int64_t **list, size_t n)
{
    int64_t *more = realloc(*list, n * sizeof(*more));

    if (more == NULL) {
        return WERR_NOMEM;
    }
    *list = more;
    return WERR_OK;
}

static int add_place(feed_places_t *p, int64_t contact, int64_t session)
{
    if (p->n == p->cap) {
        size_t cap = p->cap == 0 ? 64 : 2 * p->cap;
        int rc = grow(&p->contacts, cap);

        if (rc == WERR_OK) {
            rc = grow(&p->sessions, cap);
        }
        if (rc != WERR_OK) {
            return rc;
        }
        p->cap = cap;
    }
    p->contacts[p->n] = contact;
    p->sessions[p->n++] = session;
    return WERR_OK;
}

/* Batches are not in the order of their ids, but each contact is in one. */
static int find_places(feed_page_t *p, db_t *db)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < p->aliases.n; i += SOME) {
        db_stmt_t *s = rendered_bind(db, &feed_places, &p->aliases, i);

        while ((rc = db_step(s)) == DB_ROW) {
            rc = add_place(&p->places, db_i64(s, 0), db_i64(s, 1));
            if (rc != WERR_OK) {
                db_done(s);
                return rc;
            }
        }
    }
    return rc;
}

void feed_page_seers(const feed_page_t *p, const feed_row_t *row,
                     const int64_t **sessions, size_t *n)
{
    const feed_places_t *places = &p->places;
    size_t at = 0, count = 0;

    if (!of_contact(row)) {
        *sessions = &row->session;
        *n = row->session != 0 ? 1 : 0;
        return;
    }
    while (at < places->n && places->contacts[at] != row->contact) {
        at++;
    }
    while (at + count < places->n &&
           places->contacts[at + count] == row->contact) {
        count++;
    }
    *sessions = count > 0 ? &places->sessions[at] : NULL;
    *n = count;
}

static void look(feed_page_t *p, const visibility_t *who)
{
    for (size_t i = 0; i < p->n; i++) {
        feed_event_t e = {.seq = p->rows[i].seq};

        feed_page_seers(p, &p->rows[i], &e.sessions, &e.nsessions);
        p->rows[i].seen = who == NULL || (p->rows[i].kind != EVENT_PROBE &&
                                          feed_seen_by(&e, who));
    }
}

/* ---- what they tell of ---- */

static void want(feed_page_t *p, const feed_row_t *row)
{
    switch (row->kind) {
    case EVENT_MESSAGE_RECEIVED:
    case EVENT_MESSAGE_SENT:
    case EVENT_MESSAGE_CHANGED:
        rendered_want(&p->messages, row->ref);
        break;
    case EVENT_MESSAGE_STATUS:
        rendered_want(&p->statuses, row->ref);
        break;
    case EVENT_SESSION_STATUS:
        rendered_want(&p->sessions, row->session);
        break;
    case EVENT_CHAT:
    case EVENT_CHAT_READ:
        rendered_want(&p->chats, row->chat);
        break;
    case EVENT_CONTACT:
        rendered_want(&p->contacts, row->contact);
        break;
    default:
        break;
    }
}

static int render_aliases(rendered_t *r, db_stmt_t *s)
{
    int rc = db_step(s);

    while (rc == DB_ROW) {
        int64_t contact = db_i64(s, 0);
        rendered_row_t *row = rendered_begin(r, contact);

        jw_open_array(&r->text, NULL);
        for (int n = 0; rc == DB_ROW && db_i64(s, 0) == contact; n++) {
            if (n < ALIASES_TOLD) {
                jw_str(&r->text, NULL, db_text(s, 1));
            }
            rc = db_step(s);
        }
        jw_close_array(&r->text);
        rendered_end(r, row);
    }
    return rc;
}

static int find_aliases(feed_page_t *p, db_t *db)
{
    int rc = WERR_OK;

    for (size_t i = 0; rc == WERR_OK && i < p->aliases.n; i += SOME) {
        rc = render_aliases(&p->aliases,
                            rendered_bind(db, &feed_aliases, &p->aliases, i));
    }
    return rc;
}

static int render(feed_page_t *p, db_t *db, const domain_t *d)
{
    int rc = message_render(db, &p->messages);

    for (size_t i = 0; i < p->messages.n; i++) {
        const rendered_row_t *m = &p->messages.rows[i];

        rendered_want(&p->chats, m->chat);
        rendered_want(m->closed ? &p->strangers : &p->contacts, m->contact);
    }
    if (rc == WERR_OK) {
        rc = message_render_status(db, &p->statuses);
    }
    if (rc == WERR_OK) {
        rc = chat_render(db, d, &p->chats);
    }
    if (rc == WERR_OK) {
        rc = contact_render(db, d, &p->contacts);
    }
    if (rc == WERR_OK) {
        rc = contact_render_stranger(db, d, &p->strangers);
    }
    if (rc == WERR_OK) {
        rc = find_aliases(p, db);
    }
    return rc == WERR_OK ? session_render(db, &p->sessions) : rc;
}

static bool out_of_memory(const feed_page_t *p)
{
    return p->messages.text.failed || p->statuses.text.failed ||
           p->chats.text.failed || p->contacts.text.failed ||
           p->strangers.text.failed || p->reminders.text.failed ||
           p->sessions.text.failed || p->aliases.text.failed;
}

int feed_page_load(feed_page_t *p, db_t *db, const domain_t *d, int64_t since,
                   int64_t until, size_t max, const visibility_t *who)
{
    int rc = read_rows(p, db, since, until, max);

    if (rc == WERR_OK) {
        rc = find_contacts(p, db);
    }
    if (rc == WERR_OK) {
        rc = find_places(p, db);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    look(p, who);
    for (size_t i = 0; i < p->n; i++) {
        if (p->rows[i].seen) {
            want(p, &p->rows[i]);
        }
    }
    rc = render(p, db, d);
    return rc == WERR_OK && out_of_memory(p) ? WERR_NOMEM : rc;
}
