/*
 * feed_fixture.h - what the feed tells: heard, kept and compared.
 */
#ifndef WACRM_T_FEED_FIXTURE_H
#define WACRM_T_FEED_FIXTURE_H

#include "domain_fixture.h"

#include <jansson.h>

#include "domain/event_feed.h"
#include "domain/reminder.h"

#define MAX_EVENTS 2000

typedef struct {
    struct {
        int64_t seq, session;
        event_kind_t kind;
        char name[32];
        char socket[SOCKET_ID_MAX];
        int64_t socket_user;
        json_t *data;
    } e[MAX_EVENTS];
    size_t n, stop; /* stop: after so many, 0: never */
    size_t longest;
} heard_t;

static inline bool hear(void *arg, const feed_event_t *e)
{
    heard_t *h = arg;
    json_error_t err;

    assert_true(h->n < MAX_EVENTS);
    assert_int_equal(strlen(e->data), e->data_len);
    h->e[h->n].seq = e->seq;
    h->e[h->n].kind = e->kind;
    h->e[h->n].session = e->session;
    snprintf(h->e[h->n].name, sizeof(h->e[0].name), "%s", e->name);
    snprintf(h->e[h->n].socket, sizeof(h->e[0].socket), "%s",
             e->socket != NULL ? e->socket : "");
    h->e[h->n].socket_user = e->socket_user;
    h->e[h->n].data = json_loadb(e->data, e->data_len, 0, &err);
    if (h->e[h->n].data == NULL) {
        fail_msg("%s in %s", err.text, e->data);
    }
    assert_int_equal(
        json_integer_value(json_object_get(h->e[h->n].data, "seq")), e->seq);
    assert_non_null(json_object_get(h->e[h->n].data, "timestamp"));
    h->longest = e->data_len > h->longest ? e->data_len : h->longest;
    h->n++;
    return h->n != h->stop;
}

static inline void forget(heard_t *h)
{
    for (size_t i = 0; i < h->n; i++) {
        json_decref(h->e[i].data);
    }
    free(h);
}

/* All after since, in pages. */
static inline heard_t *listen_to(fixture_t *f, int64_t since, size_t page,
                                 const visibility_t *who)
{
    heard_t *h = calloc(1, sizeof(*h));
    int64_t next;
    int n;

    assert_non_null(h);
    while ((n = feed_read(f->db, &f->d, since, page, who, hear, h, &next)) >
           0) {
        assert_true(next > since);
        since = next;
    }
    assert_int_equal(n, 0);
    assert_int_equal(next, since);
    return h;
}

static inline int64_t now_at(fixture_t *f)
{
    return atomic_load(&f->d.last_seq);
}

static inline json_t *member(json_t *o, const char *path)
{
    char key[64];

    while (o != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        snprintf(key, sizeof(key), "%.*s", (int)len, path);
        o = json_object_get(o, key);
        path += len + (path[len] == '.');
    }
    return o;
}

static inline const char *text(json_t *o, const char *path)
{
    const char *v = json_string_value(member(o, path));

    return v != NULL ? v : "(none)";
}

/* What is told of one change: exactly these names, blanks between them. */
static inline json_t *told(fixture_t *f, int64_t since, const char *names)
{
    heard_t *h = listen_to(f, since, FEED_ROWS, NULL);
    char all[256] = "";
    json_t *last = NULL;

    for (size_t i = 0; i < h->n; i++) {
        size_t len = strlen(all);

        snprintf(all + len, sizeof(all) - len, "%s%s", i > 0 ? " " : "",
                 h->e[i].name);
        last = h->e[i].data;
    }
    assert_string_equal(all, names);
    json_incref(last);
    forget(h);
    return last;
}

/* ---- changes ---- */

static inline int star_tx(tx_t *tx, void *arg)
{
    bool starred;

    return chat_toggle_star(tx, *(int64_t *)arg, &starred);
}

typedef struct {
    int64_t contact, id;
    const char *text;
} about_t;

static inline int remind_tx(tx_t *tx, void *arg)
{
    about_t *a = arg;
    reminder_t r = {.contact = a->contact, .at = tx->now - 1, .note = a->text};

    return reminder_add(tx, &r, &a->id);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

#endif
