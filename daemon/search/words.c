#include "search/words.h"

#include <limits.h>
#include <stdlib.h>

#include "db/sqlite.h"

struct words_s {
    db_t *db; /* in memory: the tokenizer comes with a connection */
    fts5_tokenizer methods;
    Fts5Tokenizer *tokenizer;
};

typedef struct {
    word_fn fn;
    void *arg;
    int rc;
} visit_t;

/* The interface of FTS5 comes through a pointer that SQL hands over. */
static fts5_api *find_api(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *st = NULL;

    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_bind_pointer(st, 1, (void *)&api, "fts5_api_ptr", NULL) ==
            SQLITE_OK) {
        (void)sqlite3_step(st);
    }
    (void)sqlite3_finalize(st);
    return api;
}

static int make_tokenizer(words_t *w)
{
    const char *options[] = {WORDS_OPTION, WORDS_VALUE};
    fts5_api *api = find_api(w->db->handle);
    void *arg = NULL;

    if (api == NULL ||
        api->xFindTokenizer(api, WORDS_TOKENIZER, &arg, &w->methods) !=
            SQLITE_OK ||
        w->methods.xCreate(arg, options, 2, &w->tokenizer) != SQLITE_OK) {
        return WERR_SYSTEM;
    }
    return WERR_OK;
}

int words_open(words_t **out)
{
    words_t *w = calloc(1, sizeof(*w));
    char error[256];
    int rc;

    if (w == NULL) {
        return WERR_NOMEM;
    }
    rc = sqlite_open(&w->db, ":memory:", SQLITE_ROLE_READER, error,
                     sizeof(error));
    if (rc == WERR_OK) {
        rc = make_tokenizer(w);
    }
    if (rc != WERR_OK) {
        words_close(&w);
        return rc;
    }
    *out = w;
    return WERR_OK;
}

void words_close(words_t **words)
{
    words_t *w = *words;

    if (w == NULL) {
        return;
    }
    if (w->tokenizer != NULL) {
        w->methods.xDelete(w->tokenizer);
    }
    sqlite_shut(&w->db);
    free(w);
    *words = NULL;
}

static int visit(void *arg, int flags, const char *word, int len, int start,
                 int end)
{
    visit_t *v = arg;

    (void)flags;
    v->rc = v->fn(v->arg, word, (size_t)len, (size_t)start, (size_t)end);
    return v->rc == 0 ? SQLITE_OK : SQLITE_DONE;
}

int words_each(words_t *w, const char *text, size_t len, word_fn fn, void *arg)
{
    visit_t v = {.fn = fn, .arg = arg};
    int code;

    if (len > INT_MAX) {
        return WERR_TOOBIG;
    }
    code = w->methods.xTokenize(w->tokenizer, &v, FTS5_TOKENIZE_AUX, text,
                                (int)len, visit);
    if (code == SQLITE_OK || v.rc != 0) {
        return WERR_OK;
    }
    return code == SQLITE_NOMEM ? WERR_NOMEM : WERR_SYSTEM;
}
