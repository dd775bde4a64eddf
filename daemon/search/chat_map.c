#include "search/chat_map.h"

#include <string.h>

static const char read_sql[] =
    "SELECT block, chats FROM message_chats WHERE block >= ?1 "
    "ORDER BY block";
static const char write_sql[] =
    "INSERT OR REPLACE INTO message_chats (block, chats) VALUES (?1, ?2)";

static int prepare(chat_map_t *m, const char *sql, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(m->db->handle, sql, -1,
                                  SQLITE_PREPARE_PERSISTENT, out, NULL);

    return code == SQLITE_OK ? WERR_OK : sqlite_fail(m->db, code);
}

int chat_map_open(chat_map_t *m, db_t *db, bool writes)
{
    int rc;

    memset(m, 0, sizeof(*m));
    m->db = db;
    m->block = m->row = -1;
    rc = prepare(m, read_sql, &m->read);
    return rc == WERR_OK && writes ? prepare(m, write_sql, &m->write) : rc;
}

static void end_read(chat_map_t *m)
{
    (void)sqlite3_reset(m->read);
    m->row = -1;
}

/* m->row is the first one from block on, if there is any. */
static int go_to(chat_map_t *m, int64_t block)
{
    bool next = m->row >= 0 && m->row + 1 == block;
    int code = SQLITE_OK;

    if (m->row == block) {
        return WERR_OK;
    }
    if (!next) {
        end_read(m);
        code = sqlite3_bind_int64(m->read, 1, block);
    }
    while (code == SQLITE_OK && m->row < block &&
           (code = sqlite3_step(m->read)) == SQLITE_ROW) {
        m->row = sqlite3_column_int64(m->read, 0);
        code = SQLITE_OK;
    }
    if (code == SQLITE_DONE) {
        end_read(m);
        code = SQLITE_OK;
    }
    if (code != SQLITE_OK) {
        m->row = -1;
        return sqlite_fail(m->db, code);
    }
    return WERR_OK;
}

void chat_map_close(chat_map_t *m)
{
    chat_map_drop(m);
    (void)sqlite3_finalize(m->read);
    (void)sqlite3_finalize(m->write);
    m->read = m->write = NULL;
}

void chat_map_drop(chat_map_t *m)
{
    end_read(m);
    m->block = -1;
    m->changed = false;
}

int chat_map_flush(chat_map_t *m)
{
    int code;

    if (!m->changed) {
        return WERR_OK;
    }
    code = sqlite3_bind_int64(m->write, 1, m->block);
    if (code == SQLITE_OK) {
        code = sqlite3_bind_blob(m->write, 2, m->chats, sizeof(m->chats),
                                 SQLITE_STATIC);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(m->write);
    }
    m->changed = code != SQLITE_DONE;
    int rc = m->changed ? sqlite_fail(m->db, code) : WERR_OK;
    (void)sqlite3_reset(m->write);
    return rc;
}

/* A block that is not there, or of another size: nothing is known of it. */
static int hold(chat_map_t *m, int64_t block)
{
    const void *chats;
    int rc = chat_map_flush(m);

    if (rc == WERR_OK) {
        rc = go_to(m, block);
    }
    m->block = -1;
    if (rc != WERR_OK) {
        return rc;
    }
    chats = m->row == block ? sqlite3_column_blob(m->read, 1) : NULL;
    if (chats == NULL ||
        sqlite3_column_bytes(m->read, 1) != (int)sizeof(m->chats)) {
        memset(m->chats, 0, sizeof(m->chats));
        m->now = m->chats;
    } else if (m->write == NULL) {
        m->now = chats; /* SQLite's, while it is at that row */
    } else {
        memcpy(m->chats, chats, sizeof(m->chats));
        m->now = m->chats;
    }
    m->block = block;
    if (m->write != NULL) {
        end_read(m);
    }
    return rc;
}

int chat_map_read(chat_map_t *m, int64_t block, const uint8_t **chats)
{
    int rc = block == m->block ? WERR_OK : hold(m, block);

    *chats = m->now;
    return rc;
}

int chat_map_get(chat_map_t *m, int64_t message, int64_t *chat)
{
    const uint8_t *chats;
    int rc;

    *chat = 0;
    if (message < 0) {
        return WERR_OK;
    }
    rc = chat_map_read(m, message / CHAT_MAP_MESSAGES, &chats);
    if (rc == WERR_OK) {
        *chat = chat_map_at(chats, (size_t)(message % CHAT_MAP_MESSAGES));
    }
    return rc;
}

int chat_map_put(chat_map_t *m, int64_t message, int64_t chat)
{
    int64_t known = chat > 0 && chat <= CHAT_MAP_MAX ? chat : 0;
    const uint8_t *held;
    int rc;

    if (message < 0) {
        return WERR_OK;
    }
    rc = chat_map_read(m, message / CHAT_MAP_MESSAGES, &held);
    if (rc == WERR_OK) {
        uint8_t *p = &m->chats[message % CHAT_MAP_MESSAGES * 3];

        p[0] = (uint8_t)known;
        p[1] = (uint8_t)(known >> 8);
        p[2] = (uint8_t)(known >> 16);
        m->changed = true;
    }
    return rc;
}
