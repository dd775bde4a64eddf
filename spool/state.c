#include "spool/internal.h"

#include <string.h>
#include <sys/random.h>

/* As mdb.c has them: page header, node header, index slot of a node. */
#define PAGE_HEAD 16u
#define NODE_HEAD 8u
#define NODE_SLOT 2u

#define STATE_LEN 24

/* In meta, from the making of a spool until its revoked table is filled. */
#define UNSETTLED "unsettled"

void spool_put64(void *p, uint64_t v)
{
    unsigned char *b = p;

    for (int i = 7; i >= 0; i--) {
        b[i] = (unsigned char)v;
        v >>= 8;
    }
}

uint64_t spool_get64(const void *p)
{
    const unsigned char *b = p;
    uint64_t v = 0;

    for (int i = 0; i < 8; i++) {
        v = v << 8 | b[i];
    }
    return v;
}

static MDB_val key_val(const char *name)
{
    return (MDB_val){strlen(name), (void *)(uintptr_t)name};
}

int spool_state_get(spool_t *s, MDB_txn *txn, spool_state_t *state)
{
    MDB_val key = key_val("state");
    MDB_val val;
    int rc = mdb_get(txn, s->meta, &key, &val);

    if (rc == MDB_NOTFOUND || (rc == MDB_SUCCESS && val.mv_size < STATE_LEN)) {
        return SPOOL_CORRUPT;
    }
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    state->next_seq = spool_get64(val.mv_data);
    state->records = spool_get64((char *)val.mv_data + 8);
    state->bytes = spool_get64((char *)val.mv_data + 16);
    /* a database's position has 63 bits */
    return state->next_seq == 0 || state->next_seq > INT64_MAX ? SPOOL_CORRUPT
                                                               : SPOOL_OK;
}

int spool_state_put(spool_t *s, MDB_txn *txn, const spool_state_t *state)
{
    unsigned char buf[STATE_LEN];
    MDB_val key = key_val("state");
    MDB_val val = {sizeof(buf), buf};

    spool_put64(buf, state->next_seq);
    spool_put64(buf + 8, state->records);
    spool_put64(buf + 16, state->bytes);
    return spool_rc(s, mdb_put(txn, s->meta, &key, &val, 0));
}

void spool_state_less(spool_state_t *state, uint64_t bytes)
{
    state->records -= state->records > 0;
    /* Empty is empty, whatever an older layout() had counted. */
    state->bytes =
        state->records == 0 || state->bytes < bytes ? 0 : state->bytes - bytes;
}

/*
 * It is unsettled, whatever lies aside: another one may have been here, that
 * somebody moved. What lies aside says whether it replaces a damaged one, not
 * who has put it there: he may have been killed before he came here.
 */
static int make_state(spool_t *s, MDB_txn *txn)
{
    static const char hex[] = "0123456789abcdef";
    char aside[SPOOL_ASIDE_LEN + 1];
    spool_state_t state = {.next_seq = 1};
    unsigned char layout[8];
    unsigned char seed[SPOOL_ID_LEN / 2];
    MDB_val key = key_val("layout");
    MDB_val val = {sizeof(layout), layout};
    int rc;

    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        return SPOOL_IO;
    }
    for (size_t i = 0; i < sizeof(seed); i++) {
        s->id[2 * i] = hex[seed[i] >> 4];
        s->id[2 * i + 1] = hex[seed[i] & 15];
    }
    s->id[SPOOL_ID_LEN] = '\0';
    spool_put64(layout, SPOOL_LAYOUT);
    rc = mdb_put(txn, s->meta, &key, &val, 0);
    if (rc == MDB_SUCCESS) {
        key = key_val("id");
        val = (MDB_val){SPOOL_ID_LEN, s->id};
        rc = mdb_put(txn, s->meta, &key, &val, 0);
    }
    s->replaces = spool_aside_last(s, aside);
    atomic_store(&s->unsettled, true);
    if (rc == MDB_SUCCESS) {
        key = key_val(UNSETTLED);
        val = (MDB_val){0, layout};
        rc = mdb_put(txn, s->meta, &key, &val, 0);
    }
    return rc == MDB_SUCCESS ? spool_state_put(s, txn, &state)
                             : spool_rc(s, rc);
}

int spool_state_settle(spool_t *s, MDB_txn *txn)
{
    MDB_val key = key_val(UNSETTLED);
    int rc;

    if (!atomic_load(&s->unsettled)) {
        return SPOOL_OK;
    }
    rc = mdb_del(txn, s->meta, &key, NULL);
    return rc == MDB_NOTFOUND ? SPOOL_OK : spool_rc(s, rc);
}

int spool_state_settled(spool_t *s, MDB_txn *txn)
{
    MDB_val key = key_val(UNSETTLED);
    MDB_val val;
    int rc;

    if (!atomic_load_explicit(&s->unsettled, memory_order_relaxed)) {
        return SPOOL_OK;
    }
    rc = mdb_get(txn, s->meta, &key, &val);
    if (rc == MDB_NOTFOUND) {
        atomic_store(&s->unsettled, false);
        return SPOOL_OK;
    }
    return rc == MDB_SUCCESS ? SPOOL_BUSY : spool_rc(s, rc);
}

/* LMDB would refuse each record that comes, were its number not the last. */
static int is_behind(spool_t *s, MDB_txn *txn, uint64_t next_seq)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val val;
    int rc = mdb_cursor_open(txn, s->events, &cursor);

    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    rc = mdb_cursor_get(cursor, &key, &val, MDB_LAST);
    mdb_cursor_close(cursor);
    if (rc == MDB_NOTFOUND) {
        return SPOOL_OK;
    }
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    return key.mv_size == SPOOL_SEQ_LEN && spool_get64(key.mv_data) < next_seq
               ? SPOOL_OK
               : SPOOL_CORRUPT;
}

int spool_state_init(spool_t *s, MDB_txn *txn, bool create)
{
    MDB_val key = key_val("layout");
    spool_state_t state;
    MDB_stat st;
    MDB_val val;
    int rc;

    rc = mdb_get(txn, s->meta, &key, &val);
    if (rc == MDB_NOTFOUND) {
        /* Only a spool without events may be without a state. */
        if (!create || mdb_stat(txn, s->events, &st) != MDB_SUCCESS ||
            st.ms_entries != 0) {
            return SPOOL_INVAL;
        }
        return make_state(s, txn);
    }
    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    if (val.mv_size != 8) {
        return SPOOL_CORRUPT;
    }
    if (spool_get64(val.mv_data) > SPOOL_LAYOUT) {
        return SPOOL_FUTURE;
    }
    key = key_val("id");
    rc = mdb_get(txn, s->meta, &key, &val);
    if (rc != MDB_SUCCESS || val.mv_size != SPOOL_ID_LEN) {
        return SPOOL_CORRUPT;
    }
    memcpy(s->id, val.mv_data, SPOOL_ID_LEN);
    s->id[SPOOL_ID_LEN] = '\0';
    key = key_val(UNSETTLED);
    atomic_store(&s->unsettled,
                 mdb_get(txn, s->meta, &key, &val) != MDB_NOTFOUND);
    rc = spool_state_get(s, txn, &state);
    return rc == SPOOL_OK ? is_behind(s, txn, state.next_seq) : rc;
}

uint64_t spool_layout(unsigned page_size, size_t len)
{
    unsigned room = page_size - PAGE_HEAD;
    unsigned node_max = ((room / 2) & ~1u) - NODE_SLOT;
    uint64_t node = NODE_HEAD + SPOOL_SEQ_LEN;
    uint64_t overflow = 0;
    uint64_t per_page;

    if (node + len > node_max) {
        /* Pages of its own; the node keeps their number. */
        overflow = (PAGE_HEAD - 1 + (uint64_t)len) / page_size + 1;
        node += 8;
    } else {
        node += len;
    }
    per_page = room / (((node + 1) & ~(uint64_t)1) + NODE_SLOT);
    return overflow * page_size + (page_size + per_page - 1) / per_page;
}

int spool_tree_bytes(spool_t *s, MDB_txn *txn, MDB_dbi dbi, uint64_t *bytes)
{
    MDB_stat st;
    int rc = mdb_stat(txn, dbi, &st);

    if (rc != MDB_SUCCESS) {
        return spool_rc(s, rc);
    }
    *bytes = ((uint64_t)st.ms_branch_pages + st.ms_leaf_pages +
              st.ms_overflow_pages) *
             st.ms_psize;
    return SPOOL_OK;
}

/*
 * The counter knows each record, the tree knows its pages: records of uneven
 * lengths leave gaps that the counter cannot see, so the larger one counts.
 * Quarantine and revoked take their share of the map from the limit.
 */
int spool_fill(spool_t *s, MDB_txn *txn, const spool_state_t *state,
               uint64_t *fill, uint64_t *limit)
{
    uint64_t events = 0;
    uint64_t quarantine = 0;
    uint64_t revoked = 0;
    uint64_t soft = s->size / 5 * 4;
    int rc;

    rc = spool_tree_bytes(s, txn, s->events, &events);
    if (rc == SPOOL_OK) {
        rc = spool_tree_bytes(s, txn, s->quarantine, &quarantine);
    }
    if (rc == SPOOL_OK) {
        rc = spool_tree_bytes(s, txn, s->revoked, &revoked);
    }
    if (rc != SPOOL_OK) {
        return rc;
    }
    *fill = events > state->bytes ? events : state->bytes;
    *limit = quarantine + revoked < soft ? soft - quarantine - revoked : 0;
    return SPOOL_OK;
}
