#include "spool/internal.h"

#include <string.h>

/*
 * Key: 'j' or 's' and the id. An id too long for a key of LMDB is cut, and its
 * length and hash follow: 'J' or 'S', KEPT bytes, 8, 8. Ids are in tokens that
 * we signed, so nobody can choose one to collide.
 * Value: not_before, expires; 8 bytes each.
 */
#define KEY_MAX 511
#define KEPT    480
#define VAL_LEN 16

typedef struct {
    unsigned char bytes[KEY_MAX];
    size_t len;
} revoked_key_t;

static uint64_t fnv1a(const char *p, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    }
    return h;
}

static void make_key(revoked_key_t *key, bool subject, spool_str_t id)
{
    if (id.len < KEY_MAX) {
        key->bytes[0] = subject ? 's' : 'j';
        memcpy(key->bytes + 1, id.data, id.len);
        key->len = 1 + id.len;
        return;
    }
    key->bytes[0] = subject ? 'S' : 'J';
    memcpy(key->bytes + 1, id.data, KEPT);
    spool_put64(key->bytes + 1 + KEPT, id.len);
    spool_put64(key->bytes + 1 + KEPT + 8, fnv1a(id.data, id.len));
    key->len = 1 + KEPT + 16;
}

static int check_entries(const spool_revoked_t *entries, size_t n)
{
    if (n > 0 && entries == NULL) {
        return SPOOL_INVAL;
    }
    for (size_t i = 0; i < n; i++) {
        if (entries[i].id == NULL || entries[i].id[0] == '\0') {
            return SPOOL_INVAL;
        }
    }
    return SPOOL_OK;
}

/* An entry never becomes weaker: the later of both times is kept, but for a
 * time that is yet to come. */
static int put_entry(spool_t *s, MDB_txn *txn, const spool_revoked_t *entry)
{
    int64_t not_before = entry->subject ? entry->not_before : 0;
    int64_t expires = entry->expires;
    unsigned char buf[VAL_LEN];
    revoked_key_t rk;
    MDB_val key;
    MDB_val val;
    int rc;

    make_key(&rk, entry->subject, (spool_str_t){entry->id, strlen(entry->id)});
    key = (MDB_val){rk.len, rk.bytes};
    rc = mdb_get(txn, s->revoked, &key, &val);
    if (rc == MDB_SUCCESS && val.mv_size == VAL_LEN) {
        int64_t old_before = (int64_t)spool_get64(val.mv_data);
        int64_t old_expires = (int64_t)spool_get64((char *)val.mv_data + 8);

        if (old_before > not_before &&
            (entry->as_of == 0 || old_before <= entry->as_of)) {
            not_before = old_before;
        }
        expires = old_expires > expires ? old_expires : expires;
    } else if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
        return spool_rc(s, rc);
    }
    spool_put64(buf, (uint64_t)not_before);
    spool_put64(buf + 8, (uint64_t)expires);
    val = (MDB_val){sizeof(buf), buf};
    return spool_rc(s, mdb_put(txn, s->revoked, &key, &val, 0));
}

static int write_entries(spool_t *s, const spool_revoked_t *entries, size_t n)
{
    MDB_txn *txn;
    int rc;

    rc = check_entries(entries, n);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_txn_begin(s, 0, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    for (size_t i = 0; i < n && rc == SPOOL_OK; i++) {
        rc = put_entry(s, txn, &entries[i]);
    }
    if (rc == SPOOL_OK) {
        rc = spool_state_settle(s, txn);
    }
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    if (rc == SPOOL_OK) {
        atomic_store(&s->unsettled, false);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

int spool_revoke(spool_t *s, const spool_revoked_t *entries, size_t n)
{
    return n == 0 && !atomic_load(&s->unsettled) ? SPOOL_OK
                                                 : write_entries(s, entries, n);
}

static bool ended(const MDB_val *val, int64_t now)
{
    return val->mv_size != VAL_LEN ||
           (int64_t)spool_get64((const char *)val->mv_data + 8) < now;
}

/* Goes over the table; in a write transaction it deletes what has ended. */
static int sweep(spool_t *s, MDB_txn *txn, int64_t now, bool write, size_t *n)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val val;
    int rc;

    *n = 0;
    rc = mdb_cursor_open(txn, s->revoked, &cursor);
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    while ((rc = mdb_cursor_get(cursor, &key, &val, MDB_NEXT)) == MDB_SUCCESS) {
        if (!ended(&val, now)) {
            continue;
        }
        ++*n;
        if (!write) {
            break;
        }
        rc = mdb_cursor_del(cursor, 0);
        if (rc != MDB_SUCCESS) {
            break;
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? SPOOL_OK : spool_rc(s, rc);
}

int spool_revoke_expire(spool_t *s, int64_t now)
{
    MDB_txn *txn;
    size_t n;
    int rc;

    /* Most of the time nothing has ended: then no commit. */
    rc = spool_txn_begin(s, MDB_RDONLY, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = sweep(s, txn, now, false, &n);
    spool_txn_abort(s, &txn);
    if (rc != SPOOL_OK || n == 0) {
        return rc;
    }
    rc = spool_txn_begin(s, 0, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = sweep(s, txn, now, true, &n);
    if (rc == SPOOL_OK) {
        rc = spool_txn_commit(s, &txn);
    }
    spool_txn_abort(s, &txn);
    return rc;
}

/* 1 with the entry's not_before, 0 if there is none, or an error. */
static int look_up(spool_t *s, MDB_txn *txn, bool subject, spool_str_t id,
                   int64_t *not_before)
{
    revoked_key_t rk;
    MDB_val key;
    MDB_val val;
    int rc;

    if (id.len == 0) {
        return 0;
    }
    make_key(&rk, subject, id);
    key = (MDB_val){rk.len, rk.bytes};
    rc = mdb_get(txn, s->revoked, &key, &val);
    if (rc == MDB_NOTFOUND) {
        return 0;
    }
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    if (val.mv_size != VAL_LEN) {
        return SPOOL_CORRUPT;
    }
    *not_before = (int64_t)spool_get64(val.mv_data);
    return 1;
}

/*
 * Makes the kept transaction current, under revoked_lock. On success the gate
 * is held, else it is not.
 */
static int renew(spool_t *s)
{
    int rc;

    rc = spool_gate_enter(s);
    if (rc != SPOOL_OK) {
        return rc;
    }
    if (s->revoked_txn != NULL) {
        if (mdb_txn_renew(s->revoked_txn) == MDB_SUCCESS) {
            return SPOOL_OK;
        }
        mdb_txn_abort(s->revoked_txn);
        s->revoked_txn = NULL;
    }
    spool_gate_leave(s);
    /* The first time, or after another process has grown the map. */
    return spool_txn_begin(s, MDB_RDONLY, &s->revoked_txn);
}

int spool_revoked(spool_t *s, spool_str_t jti, spool_str_t sub, int64_t iat)
{
    int64_t not_before = 0;
    int rc;

    if (atomic_load_explicit(&s->forked, memory_order_relaxed)) {
        return SPOOL_INVAL;
    }
    pthread_mutex_lock(&s->revoked_lock);
    rc = renew(s);
    if (rc == SPOOL_OK) {
        rc = spool_state_settled(s, s->revoked_txn);
        if (rc == SPOOL_OK) {
            rc = look_up(s, s->revoked_txn, false, jti, &not_before);
        }
        if (rc == 0) {
            rc = look_up(s, s->revoked_txn, true, sub, &not_before);
            if (rc == 1) {
                rc = iat < not_before;
            }
        }
        mdb_txn_reset(s->revoked_txn);
        spool_gate_leave(s);
    }
    pthread_mutex_unlock(&s->revoked_lock);
    return rc;
}
