/*
 * outbox_fixture.h - an outbox on a database of its own and a simulated
 * gateway; messages queued in it, and what became of them.
 */
#ifndef WACRM_T_OUTBOX_FIXTURE_H
#define WACRM_T_OUTBOX_FIXTURE_H

#include "outbox/outbox.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "domain/message.h"
#include "session_of.h"
#include "simulator.h"

DB_QUERY(row_of_message,
         "SELECT o.state, o.attempts, coalesce(m.wa_id, ''), m.status, "
         "coalesce(o.reason, '') FROM outbox o JOIN messages m "
         "ON m.id = o.message_id WHERE o.message_id = $1");
DB_QUERY(insert_read,
         "INSERT INTO outbox (kind, session_id, chat_id, state, not_before, "
         "created_at, updated_at) SELECT 'read', session_id, chat_id, 0, $2, "
         "$2, $2 FROM messages WHERE id = $1");

typedef struct {
    char dir[64], path[96];
    store_t *store;
    db_t *db;
    domain_t domain;
    outbox_t *outbox;
    outbox_options_t options;
    gateway_account_t account;
    int64_t session;
} desk_t;

static desk_t desk;

/* ---- the desk: a database, a domain, an outbox ---- */

static inline void open_desk(void)
{
    store_options_t o = {.path = desk.path};
    domain_settings_t settings;

    domain_settings_default(&settings);
    assert_int_equal(store_open(&desk.store, &o), WERR_OK);
    assert_int_equal(domain_init(&desk.domain, desk.store, &settings), WERR_OK);
    assert_int_equal(store_reader(desk.store, &desk.db), WERR_OK);
    desk.session = session_of(&desk.domain, "main", "s1");
}

static inline void close_desk(void)
{
    store_reader_close(&desk.db);
    store_close(&desk.store);
}

static inline void start_outbox(void)
{
    assert_int_equal(outbox_start(&desk.outbox, &desk.domain, &desk.options,
                                  &desk.account, 1),
                     WERR_OK);
    assert_non_null(desk.domain.outbox_ready);
}

static inline void stop_outbox(int64_t timeout)
{
    outbox_stop(&desk.outbox, timeout);
    assert_null(desk.domain.outbox_ready);
}

static inline int setup(void **state)
{
    (void)state;
    log_setup(LOG_WARN, STDERR_FILENO);
    memset(&desk, 0, sizeof(desk));
    (void)snprintf(desk.dir, sizeof(desk.dir), "/tmp/wacrm-outbox-XXXXXX");
    assert_non_null(mkdtemp(desk.dir));
    (void)snprintf(desk.path, sizeof(desk.path), "%s/crm.db", desk.dir);
    outbox_options_default(&desk.options);
    desk.options.backoff_s[0] = 1;
    desk.options.nbackoff = 1;
    desk.options.jitter = false;
    desk.options.per_minute = 0;
    desk.options.first_per_minute = 0;
    desk.options.gap_ms = 0;
    desk.options.unknown_hold_s = 2;
    desk.account = (gateway_account_t){.name = "main",
                                       .driver = "waapi",
                                       .base_url = sim.base,
                                       .email = "cs@example.org",
                                       .password = "secret",
                                       .timeout_s = 2,
                                       .read_receipts = true};
    sim_do(&sim, "reset", "{\"tokens\":true}");
    open_desk();
    return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type,
                             struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int teardown(void **state)
{
    (void)state;
    if (desk.outbox) {
        stop_outbox(500);
    }
    if (desk.store) {
        close_desk();
    }
    return nftw(desk.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- helpers ---- */

typedef struct {
    message_out_t out;
    int64_t id;
} queueing_t;

static inline int queue_tx(tx_t *tx, void *arg)
{
    queueing_t *q = arg;

    return message_queue(tx, &q->out, &q->id);
}

static inline int64_t queue(const char *phone, const char *text)
{
    queueing_t q = {.out = {.session = desk.session,
                            .phone = phone,
                            .type = "text",
                            .text = text,
                            .source = "agent"}};

    assert_int_equal(domain_write(&desk.domain, queue_tx, &q), WERR_OK);
    return q.id;
}

/* A read receipt in that message's chat. */
static inline int read_tx(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &insert_read);

    db_bind_i64(s, 1, *(int64_t *)arg);
    db_bind_i64(s, 2, tx->now);
    tx->queued = true;
    return db_exec(s);
}

typedef struct {
    int64_t state, attempts, status;
    char wa_id[64], reason[128];
} row_t;

static inline row_t row(int64_t message)
{
    db_stmt_t *s = db_stmt(desk.db, &row_of_message);
    row_t r;

    db_bind_i64(s, 1, message);
    assert_int_equal(db_first(s), DB_ROW);
    r.state = db_i64(s, 0);
    r.attempts = db_i64(s, 1);
    (void)snprintf(r.wa_id, sizeof(r.wa_id), "%s", db_text(s, 2));
    r.status = db_i64(s, 3);
    (void)snprintf(r.reason, sizeof(r.reason), "%s", db_text(s, 4));
    db_done(s);
    return r;
}

static inline row_t wait_for(int64_t message, int64_t state)
{
    int64_t until = clock_mono_ms() + 12000;
    row_t r = row(message);

    while (r.state != state && clock_mono_ms() < until) {
        (void)usleep(20000);
        r = row(message);
    }
    if (r.state != state) {
        fail_msg("message %d stays in state %d (%s)", (int)message,
                 (int)r.state, r.reason);
    }
    return r;
}

static inline void behave(const char *json)
{
    sim_do(&sim, "behaviour", json);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
