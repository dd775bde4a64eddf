#include "domain/event.h"

#include <string.h>

#include "domain/event_number.h"

DB_QUERY(event_counter, "SELECT value FROM counters WHERE name = 'event_seq'");
DB_QUERY(event_count,
         "UPDATE counters SET value = $1 WHERE name = 'event_seq'");
DB_QUERY(event_insert,
         "INSERT INTO events (seq, kind, session_id, chat_id, ref, created_at, "
         "socket) VALUES ($1, $2, $3, $4, $5, $6, $7)");

int event_number_read(db_t *db, int64_t *seq)
{
    return db_first_i64(db_stmt(db, &event_counter), seq);
}

int event_number_write(tx_t *tx)
{
    db_stmt_t *s;

    if (tx->last_seq == 0) {
        return WERR_OK;
    }
    s = db_stmt(tx->db, &event_count);
    db_bind_i64(s, 1, tx->last_seq);
    return db_exec(s);
}

/* Told once is enough: nobody sees what was between the two. */
static bool is_last(const tx_t *tx, int kind, int64_t session, int64_t chat,
                    int64_t ref)
{
    const tx_event_t *e = &tx->last_event;

    return e->seq != 0 && e->seq == tx->last_seq && e->kind == kind &&
           e->session == session && e->chat == chat && e->ref == ref;
}

int event_raise(tx_t *tx, event_kind_t kind, int64_t session, int64_t chat,
                int64_t ref)
{
    db_stmt_t *s;
    int rc;

    if (tx->many && kind == EVENT_CONTACT) {
        tx->many_raised = true;
        return WERR_OK;
    }
    if (is_last(tx, kind, session, chat, ref)) {
        return WERR_OK;
    }
    if (tx->last_seq == 0) {
        rc = event_number_read(tx->db, &tx->last_seq);
        if (rc != WERR_OK) {
            return rc;
        }
        tx->first_seq = tx->last_seq + 1;
    }
    s = db_stmt(tx->db, &event_insert);
    db_bind_i64(s, 1, tx->last_seq + 1);
    db_bind_i64(s, 2, kind);
    db_bind_i64(s, 3, session);
    if (chat != 0) {
        db_bind_i64(s, 4, chat);
    }
    if (ref != 0) {
        db_bind_i64(s, 5, ref);
    }
    db_bind_i64(s, 6, tx->now);
    db_bind_text(s, 7, tx->socket);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        tx->last_seq++;
        tx->last_event = (tx_event_t){
            .seq = tx->last_seq,
            .kind = kind,
            .session = session,
            .chat = chat,
            .ref = ref,
        };
    }
    return rc;
}

void event_many_begin(tx_t *tx)
{
    tx->many = true;
    tx->many_raised = false;
}

int event_many_end(tx_t *tx)
{
    tx->many = false;
    return tx->many_raised ? event_raise(tx, EVENT_CONTACTS, 0, 0, 0) : WERR_OK;
}

bool socket_id_valid(const char *text)
{
    size_t a = strspn(text, "0123456789"), b;

    if (a == 0 || a > 20 || text[a] != '.') {
        return false;
    }
    b = strspn(text + a + 1, "0123456789");
    return b > 0 && b <= 20 && text[a + 1 + b] == '\0';
}
