#include "domain/event_feed.h"

#include <inttypes.h>
#include <stdio.h>

#include "domain/event_number.h"
#include "domain/feed_page.h"

DB_QUERY(feed_oldest, "SELECT min(seq) FROM events");
DB_QUERY(feed_name_of, "SELECT value FROM settings WHERE name = 'feed'");
DB_QUERY(feed_is_there, "SELECT seq FROM events WHERE seq = $1");

static const char *const names[] = {
    [EVENT_MESSAGE_RECEIVED] = "NewMessageReceived",
    [EVENT_MESSAGE_SENT] = "MessageSent",
    [EVENT_MESSAGE_STATUS] = "MessageStatusUpdated",
    [EVENT_SESSION_STATUS] = "SessionStatusChanged",
    [EVENT_CHAT] = "ChatUpdated",
    [EVENT_MESSAGE_CHANGED] = "MessageUpdated",
    [EVENT_CONTACT] = "DonorUpdated",
    [EVENT_REMINDER_DUE] = "ReminderDue",
    [EVENT_ACCESS] = "AccessChanged",
    [EVENT_TEMPLATES] = "TemplateUpdated",
    [EVENT_CONTACTS] = "DonorsImported",
    [EVENT_CHAT_READ] = "ChatRead",
    [EVENT_PROBE] = "SelfTest",
};

/* How much of a message's event is written: less where it grows too big. */
typedef enum { TELL_ALL, TELL_MESSAGE, TELL_IDS, TELL_END } tell_t;

const char *feed_name(event_kind_t kind)
{
    return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

bool feed_seen_by(const feed_event_t *event, const visibility_t *who)
{
    if (event->nsessions == 0 || who->all) {
        return true;
    }
    for (size_t i = 0; i < event->nsessions; i++) {
        if (visibility_has(who, event->sessions[i])) {
            return true;
        }
    }
    return false;
}

/* The members of a row, into the object that is open. */
static void add_members(buf_t *out, const rendered_t *r,
                        const rendered_row_t *row)
{
    if (out->comma) {
        buf_addc(out, ',');
    }
    buf_add(out, r->text.data + row->at, row->len);
    out->comma = true;
}

static void add_id(buf_t *out, const char *key, int64_t id)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, id);
    jw_str(out, key, text);
}

/* NULL: gone. */
static rendered_row_t *row_of(rendered_t *r, int64_t id)
{
    rendered_row_t *row = rendered_row(r, id);

    return row != NULL && row->len > 0 ? row : NULL;
}

static void write_message(feed_page_t *p, const rendered_row_t *m, tell_t tell,
                          buf_t *out)
{
    rendered_t *people = m->closed ? &p->strangers : &p->contacts;
    const rendered_row_t *contact = row_of(people, m->contact);
    const rendered_row_t *chat = row_of(&p->chats, m->chat);

    jw_open_object(out, "message");
    if (tell == TELL_IDS) {
        jw_i64(out, "id", m->id);
        add_id(out, "chat_id", m->chat);
        jw_str(out, "message", "");
    } else {
        add_members(out, &p->messages, m);
    }
    jw_open_object(out, "donatur");
    add_members(out, people, contact);
    jw_close_object(out);
    jw_close_object(out);
    if (tell == TELL_ALL) {
        jw_raw(out, "conversation", p->chats.text.data + chat->at, chat->len);
    }
    if (m->cut || tell != TELL_ALL) {
        jw_bool(out, "truncated", true);
    }
}

static bool tell_message(feed_page_t *p, const feed_row_t *row, tell_t tell,
                         buf_t *out)
{
    const rendered_row_t *m = row_of(&p->messages, row->ref);

    if (m == NULL && row->kind != EVENT_MESSAGE_CHANGED) {
        return false;
    }
    if (row->kind == EVENT_MESSAGE_CHANGED) {
        jw_i64(out, "id", row->ref);
        add_id(out, "chat_id", m != NULL ? m->chat : row->chat);
    }
    if (m != NULL) {
        write_message(p, m, tell, out);
    } else {
        jw_null(out, "message");
    }
    return true;
}

static bool tell_members(rendered_t *r, int64_t id, buf_t *out)
{
    const rendered_row_t *row = row_of(r, id);

    if (row != NULL) {
        add_members(out, r, row);
    }
    return row != NULL;
}

static bool tell_chat(feed_page_t *p, const feed_row_t *row, buf_t *out)
{
    const rendered_row_t *chat = row_of(&p->chats, row->chat);

    add_id(out, "chat_id", row->chat);
    if (chat == NULL) {
        jw_null(out, "conversation");
    } else {
        jw_raw(out, "conversation", p->chats.text.data + chat->at, chat->len);
    }
    return true;
}

static bool tell_contact(feed_page_t *p, const feed_row_t *row, buf_t *out)
{
    const rendered_row_t *contact = row_of(&p->contacts, row->contact);
    const rendered_row_t *aliases = row_of(&p->aliases, row->contact);

    if (contact == NULL) {
        return false;
    }
    jw_open_object(out, "donatur");
    add_members(out, &p->contacts, contact);
    if (aliases != NULL) {
        jw_raw(out, "aliases", p->aliases.text.data + aliases->at,
               aliases->len);
    } else {
        jw_raw(out, "aliases", "[]", 2);
    }
    jw_close_object(out);
    return true;
}

static bool write_about(feed_page_t *p, const feed_row_t *row, tell_t tell,
                        buf_t *out)
{
    switch (row->kind) {
    case EVENT_MESSAGE_RECEIVED:
    case EVENT_MESSAGE_SENT:
    case EVENT_MESSAGE_CHANGED:
        return tell_message(p, row, tell, out);
    case EVENT_MESSAGE_STATUS:
        return tell_members(&p->statuses, row->ref, out);
    case EVENT_SESSION_STATUS:
        return tell_members(&p->sessions, row->session, out);
    case EVENT_CHAT:
    case EVENT_CHAT_READ:
        return tell_chat(p, row, out);
    case EVENT_CONTACT:
        return tell_contact(p, row, out);
    case EVENT_REMINDER_DUE:
        return tell_members(&p->reminders, row->ref, out);
    case EVENT_PROBE:
        add_id(out, "probe", row->ref);
        return true;
    case EVENT_TEMPLATES:
        jw_i64(out, "template_id", row->ref);
        return true;
    default:
        return true;
    }
}

/* false: there is nothing (any more) to tell of. */
static bool write_data(feed_page_t *p, const feed_row_t *row, buf_t *out)
{
    bool told = false;

    if (feed_name(row->kind) == NULL) {
        return false;
    }
    for (tell_t tell = TELL_ALL; tell < TELL_END; tell++) {
        buf_reset(out);
        jw_open_object(out, NULL);
        told = write_about(p, row, tell, out);
        jw_time(out, "timestamp", row->at);
        jw_i64(out, "seq", row->seq);
        jw_close_object(out);
        if (!told || out->len <= FEED_DATA_MAX) {
            break;
        }
    }
    return told;
}

static int tell(feed_page_t *p, feed_fn fn, void *arg, int64_t *next)
{
    buf_t data;
    size_t i;
    bool on = true;
    int rc;

    buf_init(&data, 0);
    for (i = 0; on && i < p->n; i++) {
        const feed_row_t *row = &p->rows[i];
        feed_event_t e = {
            .seq = row->seq,
            .kind = row->kind,
            .name = feed_name(row->kind),
            .session = row->session,
            .chat = row->chat,
            .socket = row->socket[0] != '\0' ? row->socket : NULL,
            .socket_user = row->socket_user,
            .at = row->at,
        };

        if (row->seen && write_data(p, row, &data) && !data.failed) {
            feed_page_seers(p, row, &e.sessions, &e.nsessions);
            e.data = data.data;
            e.data_len = data.len;
            on = fn(arg, &e);
        }
        if (data.failed) {
            break;
        }
        *next = row->seq;
    }
    rc = data.failed ? WERR_NOMEM : (int)i;
    buf_free(&data);
    return rc;
}

int feed_read(db_t *db, const domain_t *d, int64_t since, size_t max,
              const visibility_t *who, feed_fn fn, void *arg, int64_t *next)
{
    int64_t told = atomic_load(&d->last_seq); /* before the read begins */
    feed_page_t *p;
    int rc = feed_page_new(&p);

    *next = since;
    if (rc == WERR_OK) {
        rc = db_read_begin(db);
    }
    if (rc == WERR_OK) {
        rc = feed_page_load(p, db, d, since, told, max, who);
        db_read_end(db);
    }
    if (rc == WERR_OK) {
        rc = tell(p, fn, arg, next);
    }
    feed_page_free(p);
    return rc;
}

static int is_there(db_t *db, int64_t seq, bool *out)
{
    db_stmt_t *s = db_stmt(db, &feed_is_there);

    db_bind_i64(s, 1, seq);
    return db_exists(s, out);
}

int feed_id(db_t *db, char out[FEED_ID_MAX])
{
    db_stmt_t *s = db_stmt(db, &feed_name_of);
    int rc = db_first(s);

    snprintf(out, FEED_ID_MAX, "%s", rc == DB_ROW ? db_text(s, 0) : "0");
    db_done(s);
    return rc == DB_ROW || rc == WERR_NOTFOUND ? WERR_OK : rc;
}

int feed_position(db_t *db, const domain_t *d, int64_t since, bool *resync,
                  int64_t *last)
{
    int64_t told = atomic_load(&d->last_seq); /* before the read begins */
    int64_t oldest, newest;
    bool there = false;
    int rc = event_number_read(db, &newest);

    if (rc == WERR_OK) {
        rc = db_first_min(db_stmt(db, &feed_oldest), &oldest);
    }
    if (rc != WERR_OK) {
        return rc;
    }
    rc = is_there(db, since, &there);
    /* The newest is known to whoever was there; the one before the oldest has
     * missed nothing; a number inside that is not there was another one's. */
    *resync = since != newest && !there && since != oldest - 1;
    *last = newest < told ? newest : told;
    return rc;
}
