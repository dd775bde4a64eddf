/* Connections of the look-ups, kept while they are idle. */
#include <stdlib.h>

#include "base/log.h"
#include "search/internal.h"

#define READERS_KEPT 4

static const char settings[] = "PRAGMA cache_size = -4000;";

static void shut(search_reader_t *r)
{
    (void)sqlite3_finalize(r->find);
    (void)sqlite3_finalize(r->find_up);
    (void)sqlite3_finalize(r->vocabulary);
    (void)sqlite3_finalize(r->find_person);
    r->find = r->find_up = r->vocabulary = r->find_person = NULL;
    chat_map_close(&r->chats);
    word_sets_close(&r->sets);
    sqlite_shut(&r->db);
}

static int prepare(search_reader_t *r)
{
    const struct {
        const char *sql;
        sqlite3_stmt **out;
    } all[] = {
        {"SELECT rowid FROM message_index WHERE message_index MATCH ?1 "
         "AND rowid < ?2 ORDER BY rowid DESC",
         &r->find},
        {"SELECT rowid FROM message_index WHERE message_index MATCH ?1 "
         "AND rowid < ?2 AND rowid >= ?3 ORDER BY rowid",
         &r->find_up},
        {"SELECT term FROM message_words WHERE term >= ?1 AND term < ?2 "
         "LIMIT 1",
         &r->vocabulary},
        {"SELECT rowid FROM people_index WHERE people_index MATCH ?1 "
         "AND rowid < ?2 ORDER BY rowid DESC",
         &r->find_person},
    };
    int code = SQLITE_OK, rc;

    for (size_t i = 0; code == SQLITE_OK && i < sizeof(all) / sizeof(all[0]);
         i++) {
        code = sqlite3_prepare_v3(r->db->handle, all[i].sql, -1,
                                  SQLITE_PREPARE_PERSISTENT, all[i].out, NULL);
    }
    if (code != SQLITE_OK) {
        return sqlite_fail(r->db, code);
    }
    rc = chat_map_open(&r->chats, r->db, false);
    return rc == WERR_OK ? word_sets_open(&r->sets, r->db, false) : rc;
}

/* Without a file the reader goes without: all is read from the messages. */
static void open_file(search_t *s, search_reader_t *r)
{
    char error[256] = "";
    int rc;

    shut(r);
    r->generation = s->generation;
    if (r->generation == 0) {
        return;
    }
    rc = sqlite_open(&r->db, s->path, SQLITE_ROLE_READER, error, sizeof(error));
    if (rc == WERR_OK) {
        rc = sqlite_run(r->db, settings);
    }
    if (rc == WERR_OK) {
        rc = prepare(r);
    }
    if (rc != WERR_OK) {
        log_warn("search", "msg=\"cannot read the index\" error=%s",
                 log_str(r->db != NULL ? db_message(r->db) : error));
        reader_drop(s, r, rc);
    }
}

int reader_take(search_t *s, search_reader_t **out)
{
    search_reader_t *r;
    int rc;

    (void)pthread_mutex_lock(&s->mutex);
    r = s->readers;
    if (r != NULL) {
        s->readers = r->next;
        s->nreaders--;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (r == NULL) {
        r = calloc(1, sizeof(*r));
        if (r == NULL) {
            return WERR_NOMEM;
        }
        rc = words_open(&r->words);
        if (rc != WERR_OK) {
            reader_free(r);
            return rc;
        }
        r->generation = -1;
    }
    if (r->generation != s->generation) {
        open_file(s, r);
    }
    *out = r;
    return WERR_OK;
}

void reader_give(search_t *s, search_reader_t *r)
{
    (void)pthread_mutex_lock(&s->mutex);
    if (s->nreaders < READERS_KEPT) {
        r->next = s->readers;
        s->readers = r;
        s->nreaders++;
        r = NULL;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    reader_free(r);
}

void reader_free(search_reader_t *r)
{
    if (r != NULL) {
        shut(r);
        words_close(&r->words);
        free(r);
    }
}

void reader_drop(search_t *s, search_reader_t *r, int rc)
{
    bool current = r->generation == s->generation && r->generation != 0;

    shut(r);
    r->generation = -1; /* the next look-up opens it again */
    /* a file that has been replaced meanwhile is nobody's concern */
    if (rc == WERR_CORRUPT && current) {
        search_rebuild(s);
    }
}
