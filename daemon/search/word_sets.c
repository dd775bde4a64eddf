#include "search/word_sets.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static int prepare(word_sets_t *w, const char *sql, sqlite3_stmt **out)
{
    int code = sqlite3_prepare_v3(w->db->handle, sql, -1,
                                  SQLITE_PREPARE_PERSISTENT, out, NULL);

    return code == SQLITE_OK ? WERR_OK : sqlite_fail(w->db, code);
}

int word_sets_open(word_sets_t *w, db_t *db, bool writes)
{
    const struct {
        const char *sql;
        sqlite3_stmt **out;
    } all[] = {
        {"SELECT block, upto FROM sealed_blocks ORDER BY block", &w->sealed},
        {"SELECT word, messages FROM word_sets WHERE block = ?1 "
         "AND word >= ?2 ORDER BY word LIMIT 1",
         &w->read},
        {"INSERT INTO sealed_blocks (block, upto) VALUES (?1, ?2)", &w->seal},
        {"INSERT INTO word_sets (block, word, messages) VALUES (?1, ?2, ?3)",
         &w->write},
        {"DELETE FROM sealed_blocks WHERE block = ?1 AND upto > ?2", &w->open},
        {"DELETE FROM word_sets WHERE block = ?1", &w->clear},
    };
    size_t n = writes ? sizeof(all) / sizeof(all[0]) : 2;
    int rc = WERR_OK;

    *w = (word_sets_t){.db = db};
    for (size_t i = 0; rc == WERR_OK && i < n; i++) {
        rc = prepare(w, all[i].sql, all[i].out);
    }
    return rc;
}

void word_sets_close(word_sets_t *w)
{
    (void)sqlite3_finalize(w->sealed);
    (void)sqlite3_finalize(w->read);
    (void)sqlite3_finalize(w->seal);
    (void)sqlite3_finalize(w->write);
    (void)sqlite3_finalize(w->open);
    (void)sqlite3_finalize(w->clear);
    *w = (word_sets_t){0};
}

/* ---- a set as it is kept ---- */

#define PLAIN (WORD_BLOCK / 8)
#define LONG  0x80u

static bool is_in(const uint64_t set[WORD_SET], int i)
{
    return (set[i / 64] >> (i % 64) & 1) != 0;
}

static size_t pack_plain(const uint64_t set[WORD_SET], uint8_t out[PLAIN])
{
    for (size_t i = 0; i < WORD_SET; i++) {
        uint64_t word = htole64(set[i]);

        memcpy(out + i * 8, &word, 8);
    }
    return PLAIN;
}

static size_t pack(const uint64_t set[WORD_SET], uint8_t out[PLAIN])
{
    size_t n = 0;
    int last = -1;

    for (int i = 0; i < WORD_BLOCK; i++) {
        unsigned gap = (unsigned)(i - last);

        if (!is_in(set, i)) {
            continue;
        }
        if (n + 2 >= PLAIN) {
            return pack_plain(set, out);
        }
        if (gap >= LONG) {
            out[n++] = (uint8_t)(LONG | gap >> 8);
        }
        out[n++] = (uint8_t)gap;
        last = i;
    }
    return n;
}

static size_t unpack_plain(const uint8_t *in, uint64_t set[WORD_SET])
{
    size_t n = 0;

    for (size_t i = 0; i < WORD_SET; i++) {
        uint64_t word;

        memcpy(&word, in + i * 8, 8);
        set[i] = le64toh(word);
        n += (size_t)__builtin_popcountll(set[i]);
    }
    return n;
}

/* 0: it is damaged. */
static size_t unpack(const uint8_t *in, size_t len, uint64_t set[WORD_SET])
{
    size_t n = 0, at = 0;
    unsigned place = 0; /* of the next message */

    memset(set, 0, WORD_SET * sizeof(set[0]));
    while (at < len) {
        unsigned gap = in[at++];

        if (gap >= LONG) {
            gap = at < len ? (gap & ~LONG) << 8 | in[at++] : 0;
        }
        if (gap == 0 || gap > WORD_BLOCK - place) {
            return 0;
        }
        place += gap;
        set[(place - 1) / 64] |= UINT64_C(1) << ((place - 1) % 64);
        n++;
    }
    return n;
}

/* ---- reading ---- */

int word_sets_sealed(word_sets_t *w, word_block_t **blocks, size_t *n)
{
    word_block_t *list = NULL;
    size_t cap = 0;
    int code, rc = WERR_OK;

    *n = 0;
    while ((code = sqlite3_step(w->sealed)) == SQLITE_ROW) {
        if (*n == cap) {
            word_block_t *more;

            cap = cap == 0 ? 128 : cap * 2;
            more = realloc(list, cap * sizeof(*list));
            if (more == NULL) {
                rc = WERR_NOMEM;
                break;
            }
            list = more;
        }
        list[(*n)++] = (word_block_t){sqlite3_column_int64(w->sealed, 0),
                                      sqlite3_column_int64(w->sealed, 1)};
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        rc = sqlite_fail(w->db, code);
    }
    (void)sqlite3_reset(w->sealed);
    *blocks = list;
    return rc;
}

/* The row that the statement is at. */
static int take_row(word_sets_t *w, const char *key, size_t len, bool prefix,
                    uint64_t set[WORD_SET], size_t *n)
{
    const void *word = sqlite3_column_blob(w->read, 0);
    size_t size = (size_t)sqlite3_column_bytes(w->read, 0), bytes;
    const uint8_t *messages = sqlite3_column_blob(w->read, 1);

    if (word == NULL || messages == NULL) {
        return sqlite_fail(w->db, sqlite3_errcode(w->db->handle) == SQLITE_NOMEM
                                      ? SQLITE_NOMEM
                                      : SQLITE_CORRUPT);
    }
    if (size < len || (!prefix && size != len) || memcmp(word, key, len) != 0) {
        return WERR_OK;
    }
    bytes = (size_t)sqlite3_column_bytes(w->read, 1);
    *n = bytes == PLAIN ? unpack_plain(messages, set)
                        : unpack(messages, bytes, set);
    return *n > 0 ? WERR_OK : sqlite_fail(w->db, SQLITE_CORRUPT);
}

int word_sets_get(word_sets_t *w, int64_t block, const char *word, size_t len,
                  bool prefix, uint64_t set[WORD_SET], size_t *n)
{
    char key[WORD_KEY_MAX];
    int code, rc;

    *n = 0;
    if (len + 1 > sizeof(key)) {
        return WERR_OK;
    }
    memcpy(key, word, len);
    if (!prefix) {
        key[len++] = WORD_END;
    }
    code = sqlite3_bind_int64(w->read, 1, block);
    if (code == SQLITE_OK) {
        code = sqlite3_bind_blob(w->read, 2, key, (int)len, SQLITE_STATIC);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(w->read);
    }
    if (code == SQLITE_ROW) {
        rc = take_row(w, key, len, prefix, set, n);
    } else {
        rc = code == SQLITE_DONE ? WERR_OK : sqlite_fail(w->db, code);
    }
    (void)sqlite3_reset(w->read);
    (void)sqlite3_clear_bindings(w->read);
    return rc;
}

/* ---- writing ---- */

static int run(word_sets_t *w, sqlite3_stmt *s, int64_t block)
{
    int code = sqlite3_bind_int64(s, 1, block);

    if (code == SQLITE_OK) {
        code = sqlite3_step(s);
    }
    int rc = code == SQLITE_DONE ? WERR_OK : sqlite_fail(w->db, code);
    (void)sqlite3_reset(s);
    return rc;
}

static int run_two(word_sets_t *w, sqlite3_stmt *s, int64_t block,
                   int64_t message)
{
    int code = sqlite3_bind_int64(s, 2, message);

    return code == SQLITE_OK ? run(w, s, block) : sqlite_fail(w->db, code);
}

int word_sets_seal(word_sets_t *w, const word_block_t *block)
{
    return run_two(w, w->seal, block->number, block->upto);
}

int word_sets_put(word_sets_t *w, int64_t block, const char *key, size_t len,
                  const uint64_t set[WORD_SET])
{
    uint8_t packed[PLAIN];
    size_t n = pack(set, packed);
    int code = sqlite3_bind_blob(w->write, 2, key, (int)len, SQLITE_STATIC);

    if (code == SQLITE_OK) {
        code = sqlite3_bind_blob(w->write, 3, packed, (int)n, SQLITE_STATIC);
    }
    int rc =
        code == SQLITE_OK ? run(w, w->write, block) : sqlite_fail(w->db, code);
    (void)sqlite3_clear_bindings(w->write);
    return rc;
}

int word_sets_unseal(word_sets_t *w, int64_t message)
{
    int64_t block = message / WORD_BLOCK;
    int rc = run_two(w, w->open, block, message);

    if (rc == WERR_OK && sqlite3_changes(w->db->handle) > 0) {
        rc = run(w, w->clear, block);
    }
    return rc;
}
