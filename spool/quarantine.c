#include "spool/internal.h"

#include <stdlib.h>
#include <string.h>

/* A value is one byte, the length of the reason; the reason; the record. */

/* At most SPOOL_REASON_MAX bytes, not cut within a character of UTF-8. */
static size_t reason_len(const char *reason)
{
    size_t len = strnlen(reason, SPOOL_REASON_MAX + 1);

    if (len <= SPOOL_REASON_MAX) {
        return len;
    }
    len = SPOOL_REASON_MAX;
    while (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

/* Copies first: a pointer into the map dies with the next write. */
static int move(spool_t *s, MDB_txn *txn, MDB_val *key, const MDB_val *record,
                const char *reason)
{
    size_t rlen = reason_len(reason);
    MDB_val val = {1 + rlen + record->mv_size, NULL};
    unsigned char *copy;
    int rc;

    copy = malloc(val.mv_size);
    if (copy == NULL) {
        return SPOOL_NOMEM;
    }
    copy[0] = (unsigned char)rlen;
    memcpy(copy + 1, reason, rlen);
    memcpy(copy + 1 + rlen, record->mv_data, record->mv_size);
    val.mv_data = copy;
    /* Appended pages are full, split ones half empty; but what was left over
     * from before may come out of order. */
    rc = mdb_put(txn, s->quarantine, key, &val, MDB_APPEND);
    if (rc == MDB_KEYEXIST) {
        rc = mdb_put(txn, s->quarantine, key, &val, 0);
    }
    if (rc == MDB_SUCCESS) {
        rc = mdb_del(txn, s->events, key, NULL);
    }
    free(copy);
    return spool_rc(s, rc);
}

static int quarantine_one(spool_t *s, MDB_txn *txn, uint64_t seq,
                          const char *reason)
{
    unsigned char buf[SPOOL_SEQ_LEN];
    MDB_val key = {sizeof(buf), buf};
    spool_state_t state;
    MDB_val val;
    MDB_stat st;
    size_t len;
    int rc;

    spool_put64(buf, seq);
    rc = spool_state_get(s, txn, &state);
    if (rc == SPOOL_OK) {
        rc = spool_rc(s, mdb_stat(txn, s->events, &st));
    }
    if (rc == SPOOL_OK) {
        rc = spool_rc(s, mdb_get(txn, s->events, &key, &val));
    }
    if (rc != SPOOL_OK) {
        return rc;
    }
    len = val.mv_size;
    rc = move(s, txn, &key, &val, reason);
    if (rc != SPOOL_OK) {
        return rc;
    }
    spool_state_less(&state, spool_layout(st.ms_psize, len));
    return spool_state_put(s, txn, &state);
}

int spool_quarantine(spool_t *s, uint64_t seq, const char *reason)
{
    MDB_txn *txn;
    int rc;

    if (reason == NULL) {
        return SPOOL_INVAL;
    }
    rc = spool_txn_begin(s, 0, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = quarantine_one(s, txn, seq, reason);
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

int spool_quarantine_drop(spool_t *s, uint64_t seq)
{
    unsigned char buf[SPOOL_SEQ_LEN];
    MDB_val key = {sizeof(buf), buf};
    MDB_txn *txn;
    int rc;

    rc = spool_txn_begin(s, 0, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    spool_put64(buf, seq);
    rc = spool_rc(s, mdb_del(txn, s->quarantine, &key, NULL));
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

typedef struct {
    uint64_t seq;
    char reason[SPOOL_REASON_MAX + 1];
    char *data;
    size_t len;
} entry_t;

static int copy_entry(const MDB_val *key, const MDB_val *val, entry_t *e)
{
    const unsigned char *p = val->mv_data;
    size_t rlen;

    if (key->mv_size != SPOOL_SEQ_LEN || val->mv_size == 0) {
        return SPOOL_CORRUPT;
    }
    rlen = p[0];
    if (rlen > SPOOL_REASON_MAX || rlen > val->mv_size - 1) {
        return SPOOL_CORRUPT;
    }
    e->len = val->mv_size - 1 - rlen;
    e->data = malloc(e->len + 1);
    if (e->data == NULL) {
        return SPOOL_NOMEM;
    }
    e->seq = spool_get64(key->mv_data);
    memcpy(e->reason, p + 1, rlen);
    e->reason[rlen] = '\0';
    memcpy(e->data, p + 1 + rlen, e->len);
    return SPOOL_OK;
}

/* The first entry with a sequence >= from, copied. */
static int next_entry(spool_t *s, uint64_t from, entry_t *e)
{
    unsigned char buf[SPOOL_SEQ_LEN];
    MDB_val key = {sizeof(buf), buf};
    MDB_cursor *cursor;
    MDB_txn *txn;
    MDB_val val;
    int rc;

    rc = spool_txn_begin(s, MDB_RDONLY, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    spool_put64(buf, from);
    rc = spool_rc(s, mdb_cursor_open(txn, s->quarantine, &cursor));
    if (rc == SPOOL_OK) {
        rc = spool_rc(s, mdb_cursor_get(cursor, &key, &val, MDB_SET_RANGE));
        if (rc == SPOOL_OK) {
            rc = copy_entry(&key, &val, e);
        }
        mdb_cursor_close(cursor);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

int spool_quarantine_walk(spool_t *s, spool_quarantine_cb cb, void *ctx)
{
    uint64_t from = 0;
    bool stop = false;
    entry_t e;
    int rc;

    /* Entry by entry: no transaction is open while cb runs. */
    while (!stop && (rc = next_entry(s, from, &e)) == SPOOL_OK) {
        stop = cb(ctx, e.seq, e.reason, (spool_str_t){e.data, e.len}) != 0 ||
               e.seq == UINT64_MAX;
        free(e.data);
        from = e.seq + 1;
    }
    return stop || rc == SPOOL_EMPTY ? SPOOL_OK : rc;
}

/* Copied first, and gone from here before it comes there: it frees its room. */
static int requeue_one(spool_t *s, MDB_txn *txn, uint64_t seq)
{
    unsigned char buf[SPOOL_SEQ_LEN];
    MDB_val key = {sizeof(buf), buf};
    spool_str_t rec;
    uint64_t first;
    MDB_val val;
    entry_t e;
    int rc;

    spool_put64(buf, seq);
    rc = spool_rc(s, mdb_get(txn, s->quarantine, &key, &val));
    if (rc == SPOOL_OK) {
        rc = copy_entry(&key, &val, &e);
    }
    if (rc != SPOOL_OK) {
        return rc;
    }
    rec = (spool_str_t){e.data, e.len};
    rc = e.len > 0 ? spool_rc(s, mdb_del(txn, s->quarantine, &key, NULL))
                   : SPOOL_CORRUPT;
    if (rc == SPOOL_OK) {
        rc = spool_append_within(s, txn, &rec, 1, &first);
    }
    free(e.data);
    return rc;
}

int spool_requeue(spool_t *s, uint64_t seq)
{
    MDB_txn *txn;
    int rc = spool_txn_begin(s, 0, &txn);

    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = requeue_one(s, txn, seq);
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    spool_txn_abort(s, &txn);
    return rc;
}
