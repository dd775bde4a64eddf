/*
 * The thread that keeps the index up to date: first what has changed below
 * its position, then the messages above it, then the same for people, all of
 * one state of the database; how far it has come is in the same transaction
 * as the words.
 */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "search/follower.h"
#include "search/seal.h"

#define LOOK_MS  500
#define PAUSE_MS 5000
/* After so many new messages the parts of the index are put together. */
#define MERGE_AFTER 50000
/* More messages than these are not left without sets, */
#define FEW 1024
/* but to seal again takes a tenth of the time at most. */
#define REST 9
/* So many messages at once are a flood: until CALM_MS after it all time is its
 * own, if the look-ups can do without so many sets (OPEN_MAX of look_sets.c).
 */
#define FLOOD     256
#define CALM_MS   250
#define WAIT_MOST 16384

DB_QUERY(search_drop, "DELETE FROM search_changes WHERE id < $1");
DB_QUERY(search_blank, "UPDATE search_changes SET body = NULL "
                       "WHERE id = $1 AND body IS NOT NULL");
DB_QUERY(search_drop_people, "DELETE FROM contact_changes WHERE id < $1");

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
    int rc = follower_last(f->db, &last);

    *out = last.position == f->state.position &&
           last.changes == f->state.changes && last.people == f->state.people &&
           last.people_changes == f->state.people_changes;
    return rc;
}

/* Also what an earlier round or run has left: it holds what was deleted. The
 * index first, as nothing tells it again. */
static int drop_taken(follower_t *f)
{
    int rc;

    if (f->dropped == f->state.changes &&
        f->dropped_people == f->state.people_changes) {
        return WERR_OK;
    }
    rc = index_sync(&f->index);
    if (rc == WERR_OK) {
        rc = store_write(f->s->store, drop_tx, &f->state);
    }
    if (rc == WERR_OK) {
        f->dropped = f->state.changes;
        f->dropped_people = f->state.people_changes;
    }
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
        rc = follower_fill(f, &n, &people);
        db_read_end(f->db);
    }
    if (rc != WERR_OK) {
        index_rollback(&f->index);
        f->state = before;
        return rc;
    }
    follower_publish(f, f->generations);
    *more = n == FOLLOWER_BATCH || people == FOLLOWER_BATCH;
    if (n >= FLOOD) {
        f->calm_at = clock_mono_ms() + CALM_MS;
    }
    f->s->indexed += n;
    f->since_merge += n + people;
    return WERR_OK;
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

/* ---- sealing ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t end_of(int64_t block, int64_t end)
{
    return least(end, (block + 1) * WORD_BLOCK);
}

/* It has got some more, or is full now. */
static bool is_due(const word_block_t *b, int64_t end)
{
    int64_t upto = end_of(b->number, end);

    return upto - b->upto >= FEW || (upto > b->upto && upto % WORD_BLOCK == 0);
}

/*
 * The next block that is to be sealed; -1: none. First those that are full and
 * never were sealed. Others have to wait a little: one that was opened again,
 * as a message of it changed, and one that has got some more.
 */
static int64_t choose_block(const follower_t *f, const word_block_t *blocks,
                            size_t n)
{
    int64_t end = f->state.position + 1, next = 0, again = -1;

    for (size_t i = 0; i < n; i++) {
        if (again < 0 && blocks[i].number > next) {
            again = next;
        } else if (again < 0 && is_due(&blocks[i], end)) {
            again = blocks[i].number;
        }
        next = blocks[i].number + 1;
    }
    if ((next + 1) * WORD_BLOCK <= end) {
        return next;
    }
    if (again < 0 && end - next * WORD_BLOCK >= FEW) {
        again = next;
    }
    return clock_mono_ms() >= f->seal_again_at ? again : -1;
}

/* In one state of the messages, if the index has come that far. */
static int seal_tx(follower_t *f, const word_block_t *block)
{
    index_state_t last = {0};
    int rc = follower_last(f->db, &last);

    if (rc == WERR_OK && last.changes == f->state.changes) {
        rc = word_sets_unseal(&f->index.sets, block->number * WORD_BLOCK);
        if (rc == WERR_OK) {
            rc = seal_block(&f->index.sets, f->db, f->words, block);
        }
    }
    return rc == WERR_OK ? index_commit(&f->index, &f->state) : rc;
}

static int seal(follower_t *f, const word_block_t *block)
{
    int64_t started = clock_mono_ms();
    int rc = index_begin(&f->index);

    if (rc == WERR_OK) {
        rc = db_read_begin(f->db);
    }
    if (rc == WERR_OK) {
        rc = seal_tx(f, block);
        db_read_end(f->db);
    }
    if (rc != WERR_OK) {
        index_rollback(&f->index);
    }
    f->seal_again_at = clock_mono_ms() + (clock_mono_ms() - started) * REST;
    return rc;
}

static int64_t count_sealed(const word_block_t *blocks, size_t n)
{
    int64_t count = 0;

    for (size_t i = 0; i < n; i++) {
        count += blocks[i].upto - blocks[i].number * WORD_BLOCK;
    }
    return count;
}

static bool may_wait(const follower_t *f)
{
    return clock_mono_ms() < f->calm_at &&
           f->state.position - f->s->sealed < WAIT_MOST;
}

static int seal_some(follower_t *f, bool *more)
{
    word_block_t *blocks = NULL, block = {.number = -1};
    size_t n;
    int rc = word_sets_sealed(&f->index.sets, &blocks, &n);

    if (rc == WERR_OK) {
        f->s->sealed = count_sealed(blocks, n);
        block.number = may_wait(f) ? -1 : choose_block(f, blocks, n);
        block.upto = end_of(block.number, f->state.position + 1);
    }
    free(blocks);
    if (rc == WERR_OK && block.number >= 0) {
        rc = seal(f, &block);
        *more = rc == WERR_OK;
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
        rc = follower_ensure(f);
    }
    if (rc == WERR_OK) {
        rc = run_round(f, more);
    }
    if (rc == WERR_OK) {
        rc = drop_taken(f);
    }
    if (rc == WERR_OK && !*more) {
        rc = purge(f);
    }
    if (rc == WERR_OK && !*more) {
        rc = seal_some(f, more);
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

void *follower_run(void *arg)
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
    follower_close(&f);
    words_close(&f.words);
    store_reader_close(&f.db);
    return NULL;
}
