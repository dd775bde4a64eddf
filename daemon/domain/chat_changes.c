#include "domain/chat_changes.h"

#include <stdlib.h>

#include "domain/event.h"
#include "domain/fresh_id.h"

DB_QUERY(chat_lookup,
         "SELECT id, last_ts, last_message_id, last_direction, live "
         "FROM chats WHERE session_id = $1 AND contact_id = $2");
DB_QUERY(chat_insert,
         "INSERT INTO chats (id, session_id, contact_id, last_ts, live) "
         "VALUES (" FRESH_ID("chats") ", $1, $2, $3, $4)");
DB_QUERY(chat_update,
         "UPDATE chats SET last_message_id = $2, last_ts = $3, "
         "last_direction = $4, unread = unread + $5 WHERE id = $1");
DB_QUERY(chat_failed_add,
         "UPDATE chats SET failed = CASE WHEN failed + $2 < 0 THEN 0 "
         "ELSE failed + $2 END WHERE id = $1");
DB_QUERY(chat_live_set, "UPDATE chats SET live = 1 WHERE id = $1 AND live = 0");
DB_QUERY(chat_live_other,
         "SELECT o.id FROM chats c JOIN chats o ON o.contact_id = c.contact_id "
         "WHERE c.id = $1 AND o.id <> c.id AND o.live = 1 LIMIT 1");

DB_QUERY(chat_closed_by,
         "SELECT o.id, o.session_id FROM chats c JOIN chats o "
         "ON o.contact_id = c.contact_id WHERE c.id = $1 AND o.live = 0 "
         "AND NOT EXISTS (SELECT 1 FROM chats f WHERE f.contact_id = "
         "c.contact_id AND f.id <> c.id AND f.live = 1)");

DB_QUERY(chat_no_last, "UPDATE chats SET last_message_id = NULL, "
                       "last_direction = 0 WHERE id = $1");
DB_QUERY(chat_last,
         "UPDATE chats SET last_message_id = n.id, last_ts = n.ts, "
         "last_direction = n.direction FROM (SELECT id, ts, direction "
         "FROM messages WHERE chat_id = $1 AND status < 7 "
         "ORDER BY ts DESC, id DESC LIMIT 1) AS n WHERE chats.id = $1");

/* Open addressing over slots that hold entry numbers + 1, never full. */
struct chat_changes_s {
    chat_entry_t *entries;
    uint32_t *slots;
    size_t n, cap; /* of entries; slots has 2 * cap */
};

#define FIRST_CAP 8

static size_t slot_of(const struct chat_changes_s *c, int64_t session,
                      int64_t contact)
{
    uint64_t h = (uint64_t)contact * UINT64_C(0x9E3779B97F4A7C15) ^
                 (uint64_t)session * UINT64_C(0xC2B2AE3D27D4EB4F);
    size_t mask = 2 * c->cap - 1;
    size_t i = (size_t)(h >> 32) & mask;

    while (c->slots[i] != 0) {
        const chat_entry_t *e = &c->entries[c->slots[i] - 1];

        if (e->session == session && e->contact == contact) {
            break;
        }
        i = (i + 1) & mask;
    }
    return i;
}

static int grow(struct chat_changes_s *c)
{
    size_t cap = c->cap == 0 ? FIRST_CAP : 2 * c->cap;
    chat_entry_t *entries = realloc(c->entries, cap * sizeof(*entries));
    uint32_t *slots;

    if (entries == NULL) {
        return WERR_NOMEM;
    }
    c->entries = entries;
    slots = calloc(2 * cap, sizeof(*slots));
    if (slots == NULL) {
        return WERR_NOMEM;
    }
    free(c->slots);
    c->slots = slots;
    c->cap = cap;
    for (size_t i = 0; i < c->n; i++) {
        const chat_entry_t *e = &entries[i];

        slots[slot_of(c, e->session, e->contact)] = (uint32_t)(i + 1);
    }
    return WERR_OK;
}

/* Of a chat that is not there: how it begins. */
typedef struct {
    int64_t ts;
    bool live;
} beginning_t;

/* The first that is live closes the record to those that are not. */
static int tell_closed(tx_t *tx, int64_t chat)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_closed_by);
    int rc;

    db_bind_i64(s, 1, chat);
    while ((rc = db_step(s)) == DB_ROW) {
        int told = event_raise(tx, EVENT_CHAT, db_i64(s, 1), db_i64(s, 0), 0);

        if (told != WERR_OK) {
            db_done(s);
            return told;
        }
    }
    return rc == DB_DONE ? WERR_OK : rc;
}

static int make_chat(tx_t *tx, chat_entry_t *e, const beginning_t *b)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_insert);
    int rc;

    db_bind_i64(s, 1, e->session);
    db_bind_i64(s, 2, e->contact);
    db_bind_i64(s, 3, b->ts);
    db_bind_i64(s, 4, b->live);
    rc = db_exec(s);
    if (rc != WERR_OK) {
        return rc;
    }
    e->id = db_last_id(tx->db);
    e->last_ts = b->ts;
    e->live = b->live;
    return b->live ? tell_closed(tx, e->id) : WERR_OK;
}

static int load_chat(tx_t *tx, chat_entry_t *e)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_lookup);
    int rc;

    db_bind_i64(s, 1, e->session);
    db_bind_i64(s, 2, e->contact);
    rc = db_first(s);
    if (rc != DB_ROW) {
        return rc;
    }
    e->id = db_i64(s, 0);
    e->last_ts = db_i64(s, 1);
    e->last_message = db_i64(s, 2);
    e->last_outgoing = db_i64(s, 3) != 0;
    e->live = db_i64(s, 4) != 0;
    db_done(s);
    return WERR_OK;
}

/* Room for one entry more. */
static int make_room(tx_t *tx)
{
    if (tx->chats == NULL) {
        tx->chats = calloc(1, sizeof(*tx->chats));
        if (tx->chats == NULL) {
            return WERR_NOMEM;
        }
    }
    return tx->chats->n < tx->chats->cap ? WERR_OK : grow(tx->chats);
}

/* begin: where it is not there; NULL: WERR_NOTFOUND. */
static int find_chat(tx_t *tx, int64_t session, int64_t contact,
                     const beginning_t *begin, chat_entry_t **out,
                     bool *created)
{
    chat_entry_t e = {.session = session, .contact = contact};
    struct chat_changes_s *c;
    size_t slot;
    int rc = make_room(tx);

    *created = false;
    if (rc != WERR_OK) {
        return rc;
    }
    c = tx->chats;
    slot = slot_of(c, session, contact);
    if (c->slots[slot] == 0) {
        rc = load_chat(tx, &e);
        if (rc == WERR_NOTFOUND && begin != NULL) {
            *created = true;
            rc = make_chat(tx, &e, begin);
        }
        if (rc != WERR_OK) {
            return rc;
        }
        c->entries[c->n] = e;
        c->slots[slot] = (uint32_t)++c->n;
    }
    *out = &c->entries[c->slots[slot] - 1];
    return WERR_OK;
}

int chat_touch(tx_t *tx, int64_t session, int64_t contact, int64_t ts,
               chat_entry_t **out, bool *created)
{
    beginning_t b = {.ts = ts};

    return find_chat(tx, session, contact, &b, out, created);
}

int chat_touch_live(tx_t *tx, int64_t session, int64_t contact, int64_t ts,
                    chat_entry_t **out, bool *created)
{
    beginning_t b = {.ts = ts, .live = true};

    return find_chat(tx, session, contact, &b, out, created);
}

int chat_find(tx_t *tx, int64_t session, int64_t contact)
{
    chat_entry_t *entry;
    bool created;

    return find_chat(tx, session, contact, NULL, &entry, &created);
}

void chat_note_message(chat_entry_t *chat, int64_t message, int64_t ts,
                       bool outgoing, bool unread)
{
    if (chat->last_message == 0 || ts > chat->last_ts ||
        (ts == chat->last_ts && message > chat->last_message)) {
        chat->last_message = message;
        chat->last_ts = ts;
        chat->last_outgoing = outgoing;
        chat->changed = true;
    }
    if (unread) {
        chat->unread++;
        chat->changed = true;
    }
}

void chat_note_live(chat_entry_t *chat)
{
    chat->to_live |= !chat->live;
    chat->live = true;
}

static int write_live(tx_t *tx, int64_t chat, bool *opened)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_live_set);
    int rc;

    db_bind_i64(s, 1, chat);
    rc = db_exec(s);
    *opened = rc == WERR_OK && db_changes(tx->db) > 0;
    return *opened ? tell_closed(tx, chat) : rc;
}

int chat_set_live(tx_t *tx, int64_t session, int64_t chat)
{
    int64_t other;
    bool opened;
    db_stmt_t *s;
    int rc = write_live(tx, chat, &opened);

    if (rc != WERR_OK || !opened) {
        return rc;
    }
    s = db_stmt(tx->db, &chat_live_other);
    db_bind_i64(s, 1, chat);
    rc = db_first_i64(s, &other);
    if (rc == WERR_NOTFOUND) {
        return WERR_OK;
    }
    return rc == WERR_OK ? event_raise(tx, EVENT_CHAT, session, chat, 0) : rc;
}

int chat_add_failed(tx_t *tx, int64_t chat, int delta)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_failed_add);

    db_bind_i64(s, 1, chat);
    db_bind_i64(s, 2, delta);
    return db_exec(s);
}

static int write_entry(tx_t *tx, chat_entry_t *e)
{
    db_stmt_t *s = db_stmt(tx->db, &chat_update);
    int rc;

    db_bind_i64(s, 1, e->id);
    if (e->last_message != 0) {
        db_bind_i64(s, 2, e->last_message);
    }
    db_bind_i64(s, 3, e->last_ts);
    db_bind_i64(s, 4, e->last_outgoing);
    db_bind_i64(s, 5, e->unread);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        e->unread = 0;
        e->changed = false;
    }
    return rc;
}

int chat_flush(tx_t *tx)
{
    struct chat_changes_s *c = tx->chats;
    int rc = WERR_OK;

    for (size_t i = 0; c != NULL && rc == WERR_OK && i < c->n; i++) {
        chat_entry_t *e = &c->entries[i];

        if (e->changed) {
            rc = write_entry(tx, e);
        }
        if (rc == WERR_OK && e->to_live) {
            bool opened;

            rc = write_live(tx, e->id, &opened);
            e->to_live = rc != WERR_OK;
        }
    }
    return rc;
}

void chat_forget(tx_t *tx)
{
    if (tx->chats != NULL) {
        free(tx->chats->entries);
        free(tx->chats->slots);
        free(tx->chats);
        tx->chats = NULL;
    }
}

int chat_settle_last(tx_t *tx, int64_t chat)
{
    static const db_query_t *const steps[] = {&chat_no_last, &chat_last};
    int rc = chat_flush(tx);

    chat_forget(tx);
    for (size_t i = 0; rc == WERR_OK && i < 2; i++) {
        db_stmt_t *s = db_stmt(tx->db, steps[i]);

        db_bind_i64(s, 1, chat);
        rc = db_exec(s);
    }
    return rc;
}
