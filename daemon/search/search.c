/*
 * The thread that keeps the index up to date: first what has changed below
 * its position, then the messages above it, then the same for people, all of
 * one state of the database; how far it has come is in the same transaction
 * as the words.
 */
#include "search/search.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "search/internal.h"

#define BATCH    2000
#define LOOK_MS  500
#define PAUSE_MS 5000
/* After so many new messages the parts of the index are put together. */
#define MERGE_AFTER 50000

DB_QUERY(search_born, "SELECT applied_at FROM schema_version "
                      "WHERE version = 1");
DB_QUERY(search_above,
         "SELECT id, session_id, body, "
         "CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END, "
         "chat_id FROM messages WHERE id > $1 ORDER BY id LIMIT $2");
DB_QUERY(search_last, "SELECT (SELECT coalesce(max(id), 0) FROM messages), "
                      "(SELECT coalesce(max(id), 0) FROM search_changes), "
                      "(SELECT coalesce(max(id), 0) FROM contacts), "
                      "(SELECT coalesce(max(id), 0) FROM contact_changes)");
/* Of each message the oldest of its changes: that body is in the index. */
DB_QUERY(search_handed_over,
         "SELECT s.message_id, s.session_id, s.body, m.session_id, m.body, "
         "CASE WHEN m.id IS NULL OR m.deleted_at IS NOT NULL THEN 1 ELSE 0 "
         "END, m.chat_id "
         "FROM search_changes s LEFT JOIN messages m ON m.id = s.message_id "
         "WHERE s.id > $1 AND NOT EXISTS (SELECT 1 FROM search_changes e "
         "WHERE e.message_id = s.message_id AND e.id > $1 AND e.id < s.id) "
         "ORDER BY s.id");
DB_QUERY(search_drop, "DELETE FROM search_changes WHERE id < $1");
DB_QUERY(search_blank, "UPDATE search_changes SET body = NULL "
                       "WHERE id = $1 AND body IS NOT NULL");
DB_QUERY(search_drop_people, "DELETE FROM contact_changes WHERE id < $1");

typedef struct {
    search_t *s;
    db_t *db; /* reads the messages */
    words_t *words;
    index_t index;
    index_state_t state;
    struct stat file;
    int64_t generations;
    int64_t since_merge;
    bool merging;
} follower_t;

/* ---- the file ---- */

/* How far the index could be. */
static int read_last(db_t *db, index_state_t *out)
{
    db_stmt_t *s = db_stmt(db, &search_last);
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    *out = (index_state_t){.position = db_i64(s, 0),
                           .changes = db_i64(s, 1),
                           .people = db_i64(s, 2),
                           .people_changes = db_i64(s, 3)};
    db_done(s);
    return WERR_OK;
}

static int read_born(db_t *db, int64_t *out)
{
    db_stmt_t *s = db_stmt(db, &search_born);
    int rc = db_first(s);

    if (rc != DB_ROW) {
        return rc;
    }
    *out = db_i64(s, 0);
    db_done(s);
    return WERR_OK;
}

static bool is_beyond(const index_state_t *st, const index_state_t *last)
{
    return st->position > last->position || st->changes > last->changes ||
           st->people > last->people ||
           st->people_changes > last->people_changes;
}

/* The index of another database, or of a later state of this one (a backup
 * was restored): WERR_CONFLICT. */
static int check_origin(follower_t *f)
{
    index_state_t last = {0};
    int64_t born = 0;
    int rc = read_born(f->db, &born);

    if (rc == WERR_OK) {
        rc = read_last(f->db, &last);
    }
    if (rc == WERR_OK && f->state.born != 0 &&
        (f->state.born != born || is_beyond(&f->state, &last))) {
        rc = WERR_CONFLICT;
    }
    f->state.born = born;
    return rc;
}

static void publish(follower_t *f, int64_t generation)
{
    search_t *s = f->s;

    s->position = f->state.position;
    s->changes = f->state.changes;
    s->people = f->state.people;
    s->people_changes = f->state.people_changes;
    s->generation = generation;
}

static int open_index(follower_t *f)
{
    int rc = index_open(&f->index, f->s->path, &f->state);

    if (rc == WERR_OK) {
        rc = check_origin(f);
    }
    if (rc == WERR_OK && stat(f->s->path, &f->file) != 0) {
        rc = WERR_IO;
    }
    if (rc != WERR_OK) {
        index_close(&f->index);
        return rc;
    }
    publish(f, ++f->generations);
    return WERR_OK;
}

static void close_index(follower_t *f)
{
    f->state = (index_state_t){0};
    publish(f, 0);
    index_close(&f->index);
}

/* Somebody took the file away, or put another in its place. */
static bool is_lost(const follower_t *f)
{
    struct stat st;

    return stat(f->s->path, &st) != 0 || st.st_ino != f->file.st_ino ||
           st.st_dev != f->file.st_dev;
}

static int start_anew(follower_t *f, const char *why)
{
    int rc;

    close_index(f);
    log_warn("search", "msg=\"the index is made anew\" why=%s", log_str(why));
    f->s->rebuilds++;
    rc = search_remove(f->s->path);
    return rc == WERR_OK ? open_index(f) : rc;
}

static bool take_order(search_t *s)
{
    bool rebuild;

    (void)pthread_mutex_lock(&s->mutex);
    rebuild = s->rebuild;
    s->rebuild = false;
    (void)pthread_mutex_unlock(&s->mutex);
    return rebuild;
}

static int ensure_index(follower_t *f)
{
    int rc;

    if (take_order(f->s)) {
        return start_anew(f, "asked for, or damaged");
    }
    if (f->index.db != NULL && is_lost(f)) {
        return start_anew(f, "the file is gone");
    }
    if (f->index.db != NULL) {
        return WERR_OK;
    }
    rc = open_index(f);
    if (rc == WERR_CORRUPT || rc == WERR_FUTURE || rc == WERR_SYSTEM) {
        rc = start_anew(f, werr_text(rc));
    } else if (rc == WERR_CONFLICT) {
        rc = start_anew(f, "it is of another database");
    }
    return rc;
}

/* ---- a round ---- */

/* Its words stay as they are. */
static bool is_moved_only(db_stmt_t *s)
{
    const char *was = db_text(s, 2), *is = db_text(s, 4);
    size_t len = db_text_len(s, 4);

    return db_row_whole(s) && db_i64(s, 5) == 0 && was != NULL && is != NULL &&
           db_i64(s, 1) == db_i64(s, 3) && db_text_len(s, 2) == len &&
           memcmp(was, is, len) == 0;
}

static int take_change(follower_t *f, db_stmt_t *s)
{
    int64_t id = db_i64(s, 0);
    int rc = WERR_OK;

    if (!db_is_null(s, 2)) {
        rc = index_forget(&f->index, id, db_i64(s, 1), db_text(s, 2),
                          db_text_len(s, 2));
    }
    return rc == WERR_OK && db_i64(s, 5) == 0
               ? index_add(&f->index, id, db_i64(s, 3), db_text(s, 4),
                           db_text_len(s, 4))
               : rc;
}

static int take_changes(follower_t *f)
{
    db_stmt_t *s = db_stmt(f->db, &search_handed_over);
    int rc;

    db_bind_i64(s, 1, f->state.changes);
    while ((rc = db_step(s)) == DB_ROW) {
        int64_t id = db_i64(s, 0);

        if (id > f->state.position) {
            continue; /* is read as it now is */
        }
        rc = is_moved_only(s) ? WERR_OK : take_change(f, s);
        if (rc == WERR_OK) {
            rc = chat_map_put(&f->index.chats, id, db_i64(s, 6));
        }
        if (rc != WERR_OK) {
            db_done(s);
            return rc;
        }
    }
    return rc;
}

static int take_messages(follower_t *f, int64_t *n)
{
    db_stmt_t *s = db_stmt(f->db, &search_above);
    int rc;

    *n = 0;
    db_bind_i64(s, 1, f->state.position);
    db_bind_i64(s, 2, BATCH);
    while ((rc = db_step(s)) == DB_ROW) {
        rc = WERR_OK;
        if (db_i64(s, 3) == 0) {
            rc = index_add(&f->index, db_i64(s, 0), db_i64(s, 1), db_text(s, 2),
                           db_text_len(s, 2));
        }
        if (rc == WERR_OK) {
            rc = chat_map_put(&f->index.chats, db_i64(s, 0), db_i64(s, 4));
        }
        if (rc != WERR_OK) {
            db_done(s);
            return rc;
        }
        f->state.position = db_i64(s, 0);
        (*n)++;
    }
    return rc;
}

/* ---- people ---- */

static int take_person(follower_t *f, const person_t *person, bool known)
{
    int rc = known ? index_forget_person(&f->index, person->id) : WERR_OK;

    if (person->erased) {
        f->state.purge = INDEX_PURGE_TABLES;
    }
    return rc == WERR_OK && !person->gone ? index_add_person(&f->index, person)
                                          : rc;
}

/* The people of a result; known: the index has them already. */
static int take_people(follower_t *f, people_t *p, bool known, int64_t *last,
                       int64_t *n)
{
    person_t person;
    int rc;

    person_init(&person);
    while ((rc = people_next(p, &person)) == DB_ROW) {
        rc = take_person(f, &person, known);
        if (rc != WERR_OK) {
            break;
        }
        *last = person.id;
        (*n)++;
    }
    people_end(p);
    person_free(&person);
    return rc;
}

static int fill_people(follower_t *f, const index_state_t *last, int64_t *n)
{
    int64_t id = 0, changed = 0;
    people_t p;
    int rc = WERR_OK;

    *n = 0;
    if (last->people_changes > f->state.people_changes) {
        people_changed(&p, f->db, f->words, f->state.people_changes,
                       f->state.people, INT64_MAX);
        rc = take_people(f, &p, true, &id, &changed);
    }
    f->state.people_changes = last->people_changes;
    if (rc == WERR_OK) {
        people_above(&p, f->db, f->words, f->state.people, BATCH);
        rc = take_people(f, &p, false, &f->state.people, n);
    }
    if (f->state.people > last->people) {
        f->state.people = last->people;
    }
    return rc;
}

/* In the index's transaction and one state of the messages. */
static int fill(follower_t *f, int64_t *n, int64_t *people)
{
    index_state_t last = {0};
    int rc = read_last(f->db, &last);

    if (rc == WERR_OK && last.changes > f->state.changes) {
        rc = take_changes(f);
    }
    f->state.changes = last.changes;
    if (rc == WERR_OK) {
        rc = take_messages(f, n);
    }
    /* the id of a deleted last message is given out again */
    if (rc == WERR_OK && f->state.position > last.position) {
        f->state.position = last.position;
    }
    if (rc == WERR_OK) {
        rc = fill_people(f, &last, people);
    }
    return rc == WERR_OK ? index_commit(&f->index, &f->state) : rc;
}

/* What the index has taken is not kept; the last row stays for its id. */
static int drop_tx(db_t *db, void *arg)
{
    const index_state_t *st = arg;
    db_stmt_t *s = db_stmt(db, &search_drop);
    int rc;

    db_bind_i64(s, 1, st->changes);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        s = db_stmt(db, &search_blank);
        db_bind_i64(s, 1, st->changes);
        rc = db_exec(s);
    }
    if (rc == WERR_OK) {
        s = db_stmt(db, &search_drop_people);
        db_bind_i64(s, 1, st->people_changes);
        rc = db_exec(s);
    }
    return rc;
}

static int is_idle(follower_t *f, bool *out)
{
    index_state_t last = {0};
    int rc = read_last(f->db, &last);

    *out = last.position == f->state.position &&
           last.changes == f->state.changes && last.people == f->state.people &&
           last.people_changes == f->state.people_changes;
    return rc;
}

/* *more: there is more to do at once. */
static int run_round(follower_t *f, bool *more)
{
    index_state_t before = f->state;
    bool idle = false;
    int64_t n = 0, people = 0;
    int rc = is_idle(f, &idle);

    if (rc != WERR_OK || idle) {
        return rc;
    }
    rc = index_begin(&f->index);
    if (rc == WERR_OK) {
        rc = db_read_begin(f->db);
    }
    if (rc == WERR_OK) {
        rc = fill(f, &n, &people);
        db_read_end(f->db);
    }
    if (rc != WERR_OK) {
        index_rollback(&f->index);
        f->state = before;
        return rc;
    }
    publish(f, f->generations);
    *more = n == BATCH || people == BATCH;
    f->s->indexed += n;
    f->since_merge += n + people;
    return f->state.changes != before.changes ||
                   f->state.people_changes != before.people_changes
               ? store_write(f->s->store, drop_tx, &f->state)
               : WERR_OK;
}

/* While there is nothing else to do. */
static int merge_some(follower_t *f, bool *more)
{
    if (f->since_merge >= MERGE_AFTER) {
        f->since_merge = 0;
        f->merging = true;
    }
    *more = false;
    if (!f->merging) {
        return WERR_OK;
    }
    int rc = index_merge(&f->index, more);
    f->merging = *more;
    return rc;
}

static int purge(follower_t *f)
{
    int64_t started = clock_mono_ms();
    int rc;

    if (f->state.purge == INDEX_PURGE_NOT) {
        return WERR_OK;
    }
    rc = index_purge(&f->index, &f->state);
    if (rc == WERR_OK && f->state.purge == INDEX_PURGE_NOT) {
        log_info("search", "msg=\"written anew after an erasure\" ms=%lld",
                 (long long)(clock_mono_ms() - started));
        f->s->purges++;
    }
    return rc;
}

static int follow(follower_t *f, bool *more)
{
    int rc = WERR_OK;

    *more = false;
    if (f->db == NULL) {
        rc = store_reader(f->s->store, &f->db);
    }
    if (rc == WERR_OK && f->words == NULL) {
        rc = words_open(&f->words);
    }
    if (rc == WERR_OK) {
        rc = ensure_index(f);
    }
    if (rc == WERR_OK) {
        rc = run_round(f, more);
    }
    if (rc == WERR_OK && !*more) {
        rc = purge(f);
    }
    if (rc == WERR_OK && !*more) {
        rc = merge_some(f, more);
    }
    if (rc != WERR_OK) {
        f->s->faults++;
        log_error("search", "msg=\"the index stays behind\" error=%s",
                  log_str(werr_text(rc)));
    }
    if (rc == WERR_CORRUPT) {
        search_rebuild(f->s);
    }
    return rc;
}

/* ---- the thread ---- */

/* After a fault nobody cuts it short. false: the end. */
static bool pause_for(search_t *s, int64_t ms, bool orders)
{
    struct timespec until;
    bool go_on;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&s->mutex);
    while (!s->stopping && !(orders && (s->woken || s->rebuild)) &&
           pthread_cond_timedwait(&s->cond, &s->mutex, &until) == 0) {
    }
    s->woken = false;
    go_on = !s->stopping;
    (void)pthread_mutex_unlock(&s->mutex);
    return go_on;
}

static void *run(void *arg)
{
    follower_t f = {.s = arg};
    bool more;
    int rc;

    do {
        rc = follow(&f, &more);
    } while (pause_for(f.s,
                       rc != WERR_OK ? PAUSE_MS
                       : more        ? 0
                                     : LOOK_MS,
                       rc == WERR_OK));
    close_index(&f);
    words_close(&f.words);
    store_reader_close(&f.db);
    return NULL;
}

static void wake(search_t *s, bool *flag)
{
    (void)pthread_mutex_lock(&s->mutex);
    *flag = true;
    (void)pthread_cond_signal(&s->cond);
    (void)pthread_mutex_unlock(&s->mutex);
}

void search_wake(search_t *s)
{
    wake(s, &s->woken);
}

void search_rebuild(search_t *s)
{
    s->generation = 0; /* no look-up begins with it any more */
    wake(s, &s->rebuild);
}

/* ---- start and stop ---- */

static bool init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    bool ok;

    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(cond, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return ok;
}

int search_start(search_t **out, store_t *store, const char *path)
{
    search_t *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return WERR_NOMEM;
    }
    s->store = store;
    s->path = strdup(path);
    if (s->path == NULL || pthread_mutex_init(&s->mutex, NULL) != 0) {
        free(s->path);
        free(s);
        return WERR_NOMEM;
    }
    if (!init_cond(&s->cond)) {
        (void)pthread_mutex_destroy(&s->mutex);
        free(s->path);
        free(s);
        return WERR_SYSTEM;
    }
    s->runs = pthread_create(&s->thread, NULL, run, s) == 0;
    if (!s->runs) {
        search_stop(&s);
        return WERR_SYSTEM;
    }
    *out = s;
    return WERR_OK;
}

void search_stop(search_t **search)
{
    search_t *s = *search;

    if (s == NULL) {
        return;
    }
    if (s->runs) {
        wake(s, &s->stopping);
        (void)pthread_join(s->thread, NULL);
    }
    while (s->readers != NULL) {
        search_reader_t *next = s->readers->next;

        reader_free(s->readers);
        s->readers = next;
    }
    (void)pthread_cond_destroy(&s->cond);
    (void)pthread_mutex_destroy(&s->mutex);
    free(s->path);
    free(s);
    *search = NULL;
}

void search_stat(search_t *s, search_stat_t *st)
{
    *st = (search_stat_t){
        .position = s->position,
        .people = s->people,
        .purges = s->purges,
        .indexed = s->indexed,
        .rebuilds = s->rebuilds,
        .faults = s->faults,
    };
}
