/*
 * domain_fixture.h - a domain on a database of its own, and changes as one
 * call each.
 */
#ifndef WACRM_T_DOMAIN_FIXTURE_H
#define WACRM_T_DOMAIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/chat.h"
#include "domain/contact.h"
#include "domain/message.h"
#include "domain/donor.h"
#include "session_of.h"

typedef struct {
    char dir[128];
    char path[160];
    store_t *store;
    domain_t d;
    db_t *db; /* reader */
    int64_t session;
} fixture_t;

static inline int remove_entry(const char *path, const struct stat *st,
                               int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void remove_dir(const char *dir)
{
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_open(fixture_t *f)
{
    domain_settings_t set;
    store_options_t o = {.path = f->path};

    domain_settings_default(&set);
    assert_int_equal(store_open(&f->store, &o), WERR_OK);
    assert_int_equal(domain_init(&f->d, f->store, &set), WERR_OK);
    assert_int_equal(store_reader(f->store, &f->db), WERR_OK);
}

static inline void fixture_close(fixture_t *f)
{
    store_reader_close(&f->db);
    store_close(&f->store);
}

static inline int fixture_setup(void **state)
{
    fixture_t *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");

    assert_non_null(f);
    log_setup(LOG_WARN, STDERR_FILENO);
    snprintf(f->dir, sizeof(f->dir), "%.90s/wacrm-domain-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/wacrm.db", f->dir);
    fixture_open(f);
    f->session = session_of(&f->d, "seed", "cs-1");
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_t *f = *state;

    fixture_close(f);
    remove_dir(f->dir);
    free(f);
    return 0;
}

/* ---- queries of the tests ---- */

/* The first column of the first row; -999 for none. */
static inline int64_t ask_query(db_t *db, const db_query_t *q)
{
    db_stmt_t *s = db_stmt(db, q);
    int64_t v = -999;

    if (db_first(s) == DB_ROW) {
        v = db_is_null(s, 0) ? -998 : db_i64(s, 0);
    }
    db_done(s);
    return v;
}

#define ASK(f, text)                                                     \
    __extension__({                                                      \
        static const db_query_t ask_q = {text, "ask", __FILE__, "test"}; \
        ask_query((f)->db, &ask_q);                                      \
    })

static inline int run_query(tx_t *tx, void *arg)
{
    return db_exec(db_stmt(tx->db, arg));
}

#define RUN(f, text)                                                         \
    do {                                                                     \
        static const db_query_t run_q = {text, "run", __FILE__, "test"};     \
        assert_int_equal(                                                    \
            domain_write(&(f)->d, run_query, (void *)(uintptr_t)&run_q), 0); \
    } while (0)

/* ---- changes as one call each ---- */

typedef struct {
    contact_hint_t hint;
    message_in_t in;
    message_ref_t ref;
    contact_ref_t contact;
} said_t;

static inline int say_tx(tx_t *tx, void *arg)
{
    said_t *s = arg;
    int rc = contact_ensure(tx, &s->hint, &s->contact);

    return rc == WERR_OK ? message_receive(tx, s->contact.id, &s->in, &s->ref)
                         : rc;
}

static inline said_t say(fixture_t *f, const char *phone, const char *wa_id,
                         const char *text, int64_t ts, bool from_me)
{
    said_t s = {
        .hint = {.phone = phone, .wrote = !from_me},
        .in = {.session = f->session,
               .from_me = from_me,
               .wa_id = wa_id,
               .ts = ts,
               .type = "text",
               .text = text,
               .live = true},
    };

    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    return s;
}

/* Of a message. */
static inline int64_t status_of(fixture_t *f, int64_t id)
{
    static const db_query_t q = {"SELECT status FROM messages WHERE id = $1",
                                 "status_of", __FILE__, "test"};
    db_stmt_t *s = db_stmt(f->db, &q);
    int64_t v;

    db_bind_i64(s, 1, id);
    assert_int_equal(db_first_i64(s, &v), WERR_OK);
    return v;
}

typedef struct {
    int64_t contact, amount;
} giver_t;

static inline int gift_tx(tx_t *tx, void *arg)
{
    const giver_t *g = arg;
    gift_t gift = {.amount = g->amount, .day = tx->today};
    int64_t id;

    return donor_add_gift(tx, g->contact, &gift, &id);
}

/* Today. */
static inline void give(fixture_t *f, int64_t contact, int64_t amount)
{
    giver_t g = {contact, amount};

    assert_int_equal(domain_write(&f->d, gift_tx, &g), WERR_OK);
}

typedef struct {
    message_out_t out;
    int64_t id;
} queued_t;

static inline int queue_tx(tx_t *tx, void *arg)
{
    queued_t *q = arg;

    return message_queue(tx, &q->out, &q->id);
}

static inline int64_t queue(fixture_t *f, const char *phone, const char *text)
{
    queued_t q = {.out = {.session = f->session,
                          .phone = phone,
                          .type = "text",
                          .text = text,
                          .source = "agent"}};

    assert_int_equal(domain_write(&f->d, queue_tx, &q), WERR_OK);
    return q.id;
}

typedef struct {
    int64_t session;
    const char *wa_id;
    status_t to;
    const char *code;
} moved_t;

static inline int status_tx(tx_t *tx, void *arg)
{
    const moved_t *m = arg;

    return message_status(tx, m->session, m->wa_id, m->to, m->code, m->code);
}

static inline void move(fixture_t *f, const char *wa_id, status_t to)
{
    moved_t m = {f->session, wa_id, to, to == STATUS_FAILED ? "131" : NULL};

    assert_int_equal(domain_write(&f->d, status_tx, &m), WERR_OK);
}

#endif
