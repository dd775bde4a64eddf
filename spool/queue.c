#include "spool/internal.h"

#include <stdlib.h>
#include <string.h>

/* One transaction of a deletion: short, so that no producer waits for long. */
#define DELETE_CHUNK 1024

static int check_records(const spool_str_t *recs, size_t n)
{
    if (recs == NULL || n == 0) {
        return SPOOL_INVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (recs[i].data == NULL || recs[i].len == 0 ||
            recs[i].len > UINT32_MAX) {
            return SPOOL_INVAL;
        }
    }
    return SPOOL_OK;
}

/* Counts the records in, and refuses them if they do not fit. */
static int make_room(spool_t *s, MDB_txn *txn, const spool_str_t *recs,
                     size_t n, spool_state_t *state)
{
    uint64_t add = 0;
    uint64_t fill;
    uint64_t limit;
    MDB_stat st;
    int rc;

    rc = mdb_stat(txn, s->events, &st);
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    for (size_t i = 0; i < n; i++) {
        add += spool_layout(st.ms_psize, recs[i].len);
    }
    rc = spool_fill(s, txn, state, &fill, &limit);
    if (rc != SPOOL_OK) {
        return rc;
    }
    state->bytes += add;
    state->records += n;
    state->next_seq += n;
    return fill + add > limit ? SPOOL_FULL : SPOOL_OK;
}

/* Once they are in, the tree tells what they took in truth. */
static int check_fill(spool_t *s, MDB_txn *txn, const spool_state_t *state)
{
    uint64_t fill;
    uint64_t limit;
    int rc = spool_fill(s, txn, state, &fill, &limit);

    return rc == SPOOL_OK && fill > limit ? SPOOL_FULL : rc;
}

static int put_records(spool_t *s, MDB_txn *txn, const spool_str_t *recs,
                       size_t n, uint64_t seq)
{
    unsigned char buf[SPOOL_SEQ_LEN];
    MDB_cursor *cursor;
    int rc;

    rc = mdb_cursor_open(txn, s->events, &cursor);
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    for (size_t i = 0; i < n && rc == MDB_SUCCESS; i++) {
        MDB_val key = {sizeof(buf), buf};
        MDB_val val = {recs[i].len, (void *)(uintptr_t)recs[i].data};

        spool_put64(buf, seq + i);
        rc = mdb_cursor_put(cursor, &key, &val, MDB_APPEND);
    }
    mdb_cursor_close(cursor);
    return spool_rc(s, rc);
}

int spool_append_within(spool_t *s, MDB_txn *txn, const spool_str_t *recs,
                        size_t n, uint64_t *first)
{
    spool_state_t state;
    int rc;

    rc = spool_state_get(s, txn, &state);
    if (rc == SPOOL_OK) {
        *first = state.next_seq;
        rc = make_room(s, txn, recs, n, &state);
    }
    if (rc == SPOOL_OK) {
        rc = put_records(s, txn, recs, n, *first);
    }
    if (rc == SPOOL_OK) {
        rc = check_fill(s, txn, &state);
    }
    return rc == SPOOL_OK ? spool_state_put(s, txn, &state) : rc;
}

int spool_append(spool_t *s, const spool_str_t *recs, size_t n, uint64_t *first)
{
    uint64_t seq = 0;
    MDB_txn *txn;
    int rc;

    rc = check_records(recs, n);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_txn_begin(s, 0, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_append_within(s, txn, recs, n, &seq);
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    spool_txn_abort(s, &txn);
    if (rc == SPOOL_OK && first != NULL) {
        *first = seq;
    }
    return rc;
}

typedef struct {
    uint64_t after;
    size_t max;
    size_t max_bytes;
    spool_batch_t *batch; /* NULL: only count */
    size_t n;
    size_t bytes;
} take_t;

/* Goes over what a batch may hold, and copies it where there is one. */
static int take(MDB_cursor *cursor, take_t *t)
{
    unsigned char buf[SPOOL_SEQ_LEN];
    MDB_val key = {sizeof(buf), buf};
    char *copy = NULL;
    MDB_val val;
    int rc;

    if (t->batch != NULL) {
        copy = (char *)(t->batch->items + t->batch->n);
    }
    t->n = 0;
    t->bytes = 0;
    spool_put64(buf, t->after + 1);
    for (rc = mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE);
         rc == MDB_SUCCESS && t->n < t->max;
         rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) {
        if (key.mv_size != SPOOL_SEQ_LEN) {
            return MDB_CORRUPTED;
        }
        if (t->n > 0 && (val.mv_size > t->max_bytes ||
                         t->bytes > t->max_bytes - val.mv_size)) {
            break;
        }
        if (copy != NULL) {
            spool_item_t *item = &t->batch->items[t->n];

            memcpy(copy + t->bytes, val.mv_data, val.mv_size);
            item->seq = spool_get64(key.mv_data);
            item->data = (spool_str_t){copy + t->bytes, val.mv_size};
        }
        t->n++;
        t->bytes += val.mv_size;
    }
    return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static int take_all(spool_t *s, MDB_cursor *cursor, take_t *t,
                    spool_batch_t *batch)
{
    int rc;

    rc = take(cursor, t);
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    if (t->n == 0) {
        return SPOOL_EMPTY;
    }
    batch->memory = malloc(t->n * sizeof(spool_item_t) + t->bytes);
    if (batch->memory == NULL) {
        return SPOOL_NOMEM;
    }
    batch->items = batch->memory;
    batch->n = t->n;
    batch->bytes = t->bytes;
    t->batch = batch;
    return spool_rc(s, take(cursor, t));
}

int spool_read(spool_t *s, uint64_t after, size_t max, size_t max_bytes,
               spool_batch_t *batch)
{
    take_t t = {.after = after, .max = max, .max_bytes = max_bytes};
    MDB_cursor *cursor;
    MDB_txn *txn;
    int rc;

    memset(batch, 0, sizeof(*batch));
    if (max == 0) {
        return SPOOL_INVAL;
    }
    if (after == UINT64_MAX) {
        return SPOOL_EMPTY;
    }
    rc = spool_txn_begin(s, MDB_RDONLY, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_rc(s, mdb_cursor_open(txn, s->events, &cursor));
    if (rc == SPOOL_OK) {
        rc = take_all(s, cursor, &t, batch);
        mdb_cursor_close(cursor);
    }
    spool_txn_abort(s, &txn);
    if (rc != SPOOL_OK) {
        spool_batch_free(batch);
    }
    return rc;
}

void spool_batch_free(spool_batch_t *batch)
{
    free(batch->memory);
    memset(batch, 0, sizeof(*batch));
}

/* The oldest record, SPOOL_EMPTY if there is none. */
static int first_record(spool_t *s, MDB_cursor *cursor, uint64_t *seq,
                        size_t *len)
{
    MDB_val key;
    MDB_val val;
    int rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST);

    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    if (key.mv_size != SPOOL_SEQ_LEN) {
        return SPOOL_CORRUPT;
    }
    *seq = spool_get64(key.mv_data);
    *len = val.mv_size;
    return SPOOL_OK;
}

/* Deletes from the front within txn; *n tells how many. */
static int delete_some(spool_t *s, MDB_txn *txn, uint64_t upto,
                       spool_state_t *state, size_t *n)
{
    MDB_cursor *cursor;
    MDB_stat st;
    uint64_t seq;
    size_t len;
    int rc;

    *n = 0;
    rc = mdb_stat(txn, s->events, &st);
    if (rc == MDB_SUCCESS) {
        rc = mdb_cursor_open(txn, s->events, &cursor);
    }
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    rc = SPOOL_OK;
    while (rc == SPOOL_OK && *n < DELETE_CHUNK) {
        rc = first_record(s, cursor, &seq, &len);
        if (rc != SPOOL_OK || seq > upto) {
            break;
        }
        rc = spool_rc(s, mdb_cursor_del(cursor, 0));
        if (rc == SPOOL_OK) {
            spool_state_less(state, spool_layout(st.ms_psize, len));
            ++*n;
        }
    }
    mdb_cursor_close(cursor);
    return rc == SPOOL_EMPTY ? SPOOL_OK : rc;
}

static int delete_chunk(spool_t *s, uint64_t upto, size_t *n)
{
    spool_state_t state;
    MDB_txn *txn;
    int rc;

    rc = spool_txn_begin(s, 0, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_state_get(s, txn, &state);
    if (rc == SPOOL_OK) {
        rc = delete_some(s, txn, upto, &state, n);
    }
    if (rc == SPOOL_OK && *n > 0) {
        rc = spool_state_put(s, txn, &state);
    }
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

/* Looks first: a call that has nothing to do costs no writer's lock. */
static int anything_upto(spool_t *s, uint64_t upto)
{
    MDB_cursor *cursor;
    MDB_txn *txn;
    uint64_t seq;
    size_t len;
    int rc;

    rc = spool_txn_begin(s, MDB_RDONLY, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_rc(s, mdb_cursor_open(txn, s->events, &cursor));
    if (rc == SPOOL_OK) {
        rc = first_record(s, cursor, &seq, &len);
        if (rc == SPOOL_OK && seq > upto) {
            rc = SPOOL_EMPTY;
        }
        mdb_cursor_close(cursor);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

int spool_delete(spool_t *s, uint64_t upto)
{
    size_t n = DELETE_CHUNK;
    int rc;

    rc = anything_upto(s, upto);
    while (rc == SPOOL_OK && n == DELETE_CHUNK) {
        rc = delete_chunk(s, upto, &n);
    }
    return rc == SPOOL_EMPTY ? SPOOL_OK : rc;
}
