/*
 * people_fixture.h - people who write, and who of them is found: by the index
 * and by the contacts alone.
 */
#ifndef WACRM_T_PEOPLE_FIXTURE_H
#define WACRM_T_PEOPLE_FIXTURE_H

#include "search_fixture.h"

#define PEOPLE 2000

static inline void wait_people(desk_t *d)
{
    search_stat_t st;

    for (int i = 0; i < 10000; i++) {
        search_wake(d->search);
        search_stat(d->search, &st);
        if (st.position ==
                ASK(d->f, "SELECT coalesce(max(id), 0) FROM messages") &&
            st.people ==
                ASK(d->f, "SELECT coalesce(max(id), 0) FROM contacts") &&
            ASK(d->f, "SELECT count(*) FROM contact_changes") <= 1) {
            return;
        }
        usleep(1000);
    }
    fail_msg("the index has not caught up");
}

static inline int64_t meet(desk_t *d, const char *phone, const char *alias,
                           const char *name, const char *text)
{
    char id[32];
    said_t s = {
        .hint = {.phone = phone, .alias = alias, .name = name, .wrote = true},
        .in = {.session = d->f->session,
               .wa_id = id,
               .ts = 1000000 + d->said * 1000,
               .type = "text",
               .text = text,
               .live = true},
    };

    snprintf(id, sizeof(id), "P%d", ++d->said);
    assert_int_equal(domain_write(&d->f->d, say_tx, &s), WERR_OK);
    return s.contact.id;
}

static inline size_t find_people(search_t *s, db_t *db, const char *text,
                                 const session_set_t *sessions, bool alone,
                                 int64_t before, int64_t *ids, size_t n)
{
    search_look_t *look;

    assert_int_equal(search_begin(s, db, text, &look), WERR_OK);
    assert_int_equal(search_people(look, sessions, alone, before, ids, &n),
                     WERR_OK);
    search_end(&look);
    return n;
}

/* Both ways to answer give the same; how many. */
static inline size_t people_in(desk_t *d, const char *text,
                               const session_set_t *set, bool alone)
{
    int64_t a[PEOPLE], b[PEOPLE];
    size_t n = find_people(d->search, d->f->db, text, set, alone, 0, a, PEOPLE);
    size_t m = find_people(d->bare, d->f->db, text, set, alone, 0, b, PEOPLE);

    check_same(text, a, n, b, m);
    return n;
}

static inline size_t people(desk_t *d, const char *text)
{
    return people_in(d, text, NULL, true);
}

#endif
