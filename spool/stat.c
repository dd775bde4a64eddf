#include "spool/internal.h"

#include <string.h>

/* mdb_reader_list() prints a line of titles, then one for each slot. */
static int count_line(const char *line, void *ctx)
{
    unsigned *n = ctx;

    for (; *line != '\0'; line++) {
        if (*line == '\n') {
            ++*n;
        }
    }
    return 0;
}

static int read_stat(spool_t *s, MDB_txn *txn, spool_stat_t *st)
{
    spool_state_t state;
    MDB_cursor *cursor;
    MDB_stat quarantine;
    MDB_val key;
    MDB_val val;
    int rc;

    rc = spool_state_get(s, txn, &state);
    if (rc == SPOOL_OK) {
        rc = spool_fill(s, txn, &state, &st->bytes, &st->limit);
    }
    if (rc == SPOOL_OK) {
        rc = spool_rc(s, mdb_stat(txn, s->quarantine, &quarantine));
    }
    if (rc == SPOOL_OK) {
        rc = spool_rc(s, mdb_cursor_open(txn, s->events, &cursor));
    }
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = mdb_cursor_get(cursor, &key, &val, MDB_FIRST);
    if (rc == MDB_SUCCESS && key.mv_size == SPOOL_SEQ_LEN) {
        st->first_seq = spool_get64(key.mv_data);
    }
    mdb_cursor_close(cursor);
    st->next_seq = state.next_seq;
    st->records = state.records;
    st->size = s->size;
    st->quarantine = quarantine.ms_entries;
    return rc == MDB_NOTFOUND ? SPOOL_OK : spool_rc(s, rc);
}

int spool_stat(spool_t *s, spool_stat_t *st)
{
    unsigned lines = 0;
    MDB_txn *txn;
    int rc;

    memset(st, 0, sizeof(*st));
    rc = spool_gate_enter(s);
    if (rc != SPOOL_OK) {
        return rc;
    }
    /* Before a transaction of our own takes a slot, too. */
    rc = mdb_reader_list(s->env, count_line, &lines);
    spool_gate_leave(s);
    if (rc < 0) {
        return spool_rc(s, rc);
    }
    st->readers = lines > 0 ? lines - 1 : 0;
    rc = spool_txn_begin(s, MDB_RDONLY, &txn);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = read_stat(s, txn, st);
    spool_txn_abort(s, &txn);
    return rc;
}

int spool_reader_check(spool_t *s)
{
    int dead = 0;
    int rc;

    rc = spool_gate_enter(s);
    if (rc != SPOOL_OK) {
        return rc;
    }
    rc = spool_rc(s, mdb_reader_check(s->env, &dead));
    spool_gate_leave(s);
    return rc == SPOOL_OK ? dead : rc;
}

bool spool_moved(spool_t *s)
{
    bool moved;

    pthread_rwlock_rdlock(&s->gate);
    moved = s->data_ino != 0 && spool_same_data(s) == 0;
    pthread_rwlock_unlock(&s->gate);
    return moved;
}
