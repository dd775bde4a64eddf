/*
 * Whose file it is: opened, found to be this database's, made anew where it
 * is not, is lost or is damaged.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "search/follower.h"

DB_QUERY(search_born, "SELECT applied_at FROM schema_version "
                      "WHERE version = 1");
DB_QUERY(search_last, "SELECT (SELECT coalesce(max(id), 0) FROM messages), "
                      "(SELECT coalesce(max(id), 0) FROM search_changes), "
                      "(SELECT coalesce(max(id), 0) FROM contacts), "
                      "(SELECT coalesce(max(id), 0) FROM contact_changes)");

/* The oldest rows that are left, and whether the body of the first one ever
 * is gone, which stays for its id. */
DB_QUERY(search_first,
         "SELECT (SELECT coalesce(min(id), 0) FROM search_changes), "
         "(SELECT count(*) FROM search_changes WHERE id = 1 AND body IS NULL), "
         "(SELECT coalesce(min(id), 0) FROM contact_changes)");

int follower_last(db_t *db, index_state_t *out)
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

/*
 * The last row that was taken in stays until a later one is, so if it is gone,
 * the index has taken in more than it knows of: a power cut has put it back.
 * Where it had taken none, the first one is to be as it was written.
 */
static int check_gap(follower_t *f)
{
    const index_state_t *st = &f->state;
    db_stmt_t *s = db_stmt(f->db, &search_first);
    int rc = db_first(s);
    bool messages, people;

    if (rc != DB_ROW) {
        return rc;
    }
    messages = st->changes > 0 ? db_i64(s, 0) > st->changes
                               : db_i64(s, 0) > 1 || db_i64(s, 1) > 0;
    people = db_i64(s, 2) > (st->people_changes > 0 ? st->people_changes : 1);
    db_done(s);
    return (messages && st->position > 0) || (people && st->people > 0)
               ? WERR_NOTFOUND
               : WERR_OK;
}

/* The index of another database, or of a later state of this one (a backup
 * was restored): WERR_CONFLICT; of an earlier one, with no way from there to
 * here: WERR_NOTFOUND. */
static int check_origin(follower_t *f)
{
    index_state_t last = {0};
    int64_t born = 0;
    int rc = read_born(f->db, &born);

    if (rc == WERR_OK) {
        rc = follower_last(f->db, &last);
    }
    if (rc == WERR_OK && f->state.born != 0 &&
        (f->state.born != born || is_beyond(&f->state, &last))) {
        rc = WERR_CONFLICT;
    }
    if (rc == WERR_OK) {
        rc = check_gap(f);
    }
    f->state.born = born;
    return rc;
}

void follower_publish(follower_t *f, int64_t generation)
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
    f->dropped = f->dropped_people = 0;
    follower_publish(f, ++f->generations);
    return WERR_OK;
}

void follower_close(follower_t *f)
{
    f->state = (index_state_t){0};
    follower_publish(f, 0);
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

    follower_close(f);
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

int follower_ensure(follower_t *f)
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
    } else if (rc == WERR_NOTFOUND) {
        rc = start_anew(f, "it is older than the changes that are kept");
    }
    return rc;
}
