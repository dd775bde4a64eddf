/*
 * search_fixture.h - a desk with an index and one without, which have to find
 * the same.
 */
#ifndef WACRM_T_SEARCH_FIXTURE_H
#define WACRM_T_SEARCH_FIXTURE_H

#include "search/search.h"

#include "domain_fixture.h"
#include "quiet_log.h"

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define MINUTE INT64_C(60000)
#define IDS    1000

typedef struct {
    fixture_t *f;
    search_t *search; /* with an index */
    search_t *bare;   /* cannot have one: reads the rows */
    char path[200];
    int64_t now;
    int said;
} desk_t;

/* The index and the plain way found the same, newest first. */
static inline void check_same(const char *text, const int64_t *a, size_t n,
                              const int64_t *b, size_t m)
{
    if (n != m || memcmp(a, b, n * sizeof(a[0])) != 0) {
        fail_msg("\"%s\": %zu by the index, %zu without", text, n, m);
    }
    for (size_t i = 1; i < n; i++) {
        assert_true(a[i] < a[i - 1]);
    }
}

/* Any signs of these in any order are searched both ways. */
static inline void try_nonsense(desk_t *d, const char *signs,
                                size_t (*both_ways)(desk_t *d,
                                                    const char *text))
{
    char text[900];

    srand(7);
    for (int i = 0; i < 2000; i++) {
        size_t n = (size_t)rand() % 40;

        for (size_t k = 0; k < n; k++) {
            text[k] = signs[(size_t)rand() % strlen(signs)];
        }
        text[n] = '\0';
        (void)both_ways(d, text);
    }
}

static inline int64_t newest(desk_t *d)
{
    return ASK(d->f, "SELECT coalesce(max(id), 0) FROM messages");
}

/* All is indexed, and all changes are taken. */
static inline void wait_caught_up(desk_t *d)
{
    search_stat_t st;

    for (int i = 0; i < 10000; i++) {
        search_wake(d->search);
        search_stat(d->search, &st);
        if (st.position == newest(d) &&
            ASK(d->f, "SELECT count(*) FROM search_changes "
                      "WHERE body IS NOT NULL") == 0) {
            return;
        }
        usleep(1000);
    }
    fail_msg("the index has not caught up");
}

static inline void start(desk_t *d)
{
    assert_int_equal(search_start(&d->search, d->f->store, d->path), WERR_OK);
}

static inline int setup(void **state)
{
    desk_t *d = calloc(1, sizeof(*d));
    void *f;

    assert_non_null(d);
    assert_int_equal(fixture_setup(&f), 0);
    d->f = f;
    d->now = clock_now_ms() - 600 * MINUTE;
    snprintf(d->path, sizeof(d->path), "%s/search.db", d->f->dir);
    start(d);
    assert_int_equal(
        search_start(&d->bare, d->f->store, "/nowhere/at/all/search.db"),
        WERR_OK);
    *state = d;
    return 0;
}

static inline int teardown(void **state)
{
    desk_t *d = *state;
    void *f = d->f;

    search_stop(&d->search);
    search_stop(&d->bare);
    free(d);
    return fixture_teardown(&f);
}

static inline int64_t tell(desk_t *d, const char *text)
{
    char id[32];

    snprintf(id, sizeof(id), "S%d", ++d->said);
    return say(d->f, "628120000001", id, text, d->now + d->said * 1000, false)
        .ref.id;
}

typedef struct {
    int64_t session;
    char wa_id[32];
    const char *text;
} change_t;

static inline int change_tx(tx_t *tx, void *arg)
{
    const change_t *c = arg;

    return c->text != NULL
               ? message_edit(tx, c->session, c->wa_id, c->text, tx->now)
               : message_delete(tx, c->session, c->wa_id, tx->now);
}

/* The text of message `said` becomes text; NULL: it is deleted. */
static inline void change(desk_t *d, int said, const char *text)
{
    change_t c = {.session = d->f->session, .text = text};

    snprintf(c.wa_id, sizeof(c.wa_id), "S%d", said);
    assert_int_equal(domain_write(&d->f->d, change_tx, &c), WERR_OK);
}

static inline size_t find(search_t *s, db_t *db, const char *text,
                          const session_set_t *sessions, int64_t before,
                          int64_t *ids, size_t n)
{
    search_look_t *look;

    assert_int_equal(search_begin(s, db, text, &look), WERR_OK);
    assert_int_equal(search_find(look, sessions, before, ids, &n), WERR_OK);
    search_end(&look);
    return n;
}

/* Both ways to answer give the same; how many. */
static inline size_t both(desk_t *d, const char *text)
{
    int64_t a[IDS], b[IDS];
    size_t n = find(d->search, d->f->db, text, NULL, 0, a, IDS);
    size_t m = find(d->bare, d->f->db, text, NULL, 0, b, IDS);

    check_same(text, a, n, b, m);
    return n;
}

#endif
