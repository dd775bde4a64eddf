/* outbox: a database that cannot be read says neither yes nor no, and what
 * there was no memory for has not been tried. */
#include "domain_fixture.h"

#include <limits.h>
#include <stdatomic.h>

#include "domain/media.h"
#include "outbox/internal.h"
#include "short_memory.h"

/* What a reader then gets is an error. */
#define BREAK(f, table) RUN(f, "ALTER TABLE " table " RENAME TO broken")
#define MEND(f, table)  RUN(f, "ALTER TABLE broken RENAME TO " table)

static int asked;

static int no_lookup(const gateway_account_t *account, const gw_send_t *s,
                     gw_request_t *request)
{
    (void)account;
    (void)s;
    (void)request;
    asked++;
    return WERR_INVALID;
}

static const gw_driver_t driver = {.lookup = no_lookup};

static void known_or_not(void **state)
{
    fixture_t *f = *state;
    outbox_t o = {.db = f->db};
    attempt_t a = {.o = &o, .d = {.session = f->session, .message = 999}};
    said_t echo = say(f, "6281", "ID1", "halo", clock_now_ms(), true);
    bool known = false;

    assert_int_equal(lanes_known(&a, "ID1", &known), WERR_OK);
    assert_true(known);
    assert_int_equal(lanes_known(&a, "ID2", &known), WERR_OK);
    assert_false(known);
    a.d.message = echo.ref.id; /* its own */
    assert_int_equal(lanes_known(&a, "ID1", &known), WERR_OK);
    assert_false(known);
    RUN(f, "UPDATE messages SET status = 0"); /* retried */
    assert_int_equal(lanes_known(&a, "ID1", &known), WERR_OK);
    assert_true(known);
    RUN(f, "INSERT INTO former_ids SELECT session_id, wa_id, id "
           "FROM messages");
    RUN(f, "UPDATE messages SET status = 2, wa_id = NULL");
    assert_int_equal(lanes_known(&a, "ID1", &known), WERR_OK);
    assert_true(known);
    BREAK(f, "messages");
    assert_true(lanes_known(&a, "ID1", &known) < 0);
}

/* An unknown message is watched on; one that is settled is not. */
static void watched_on(void **state)
{
    fixture_t *f = *state;
    outbox_t o = {.db = f->db, .options = {.unknown_hold_s = 60}};
    attempt_t *a = calloc(1, sizeof(*a));
    int64_t next;

    assert_non_null(a);
    asked = 0;
    a->o = &o;
    a->driver = &driver;
    a->until = clock_now_ms() + 60000;
    attempt_watch(a);
    assert_ptr_equal(o.lookups, a);
    a->lookup_at = 0;
    BREAK(f, "outbox");
    attempt_lookups(&o, &next);
    assert_int_equal(asked, 1);
    assert_ptr_equal(o.lookups, a);
    a->lookup_at = 0;
    MEND(f, "outbox");
    attempt_lookups(&o, &next); /* there is no such row: frees it */
    assert_int_equal(asked, 1);
    assert_null(o.lookups);
}

/* ---- files ---- */

DB_QUERY(fetch_now, "UPDATE message_media SET fetch_at = 0 WHERE "
                    "fetch_state = 1");
DB_QUERY(fetch_tried, "SELECT sum(fetch_tries) FROM message_media");

/* On the client's thread: fetches with all allocations failing after the
 * first `skip`, until one fetch has been a try. */
typedef struct {
    fixture_t *f;
    outbox_t o;
    long skip, hits; /* of the fetch that began last */
    int failed;      /* the step, for want of memory to see what is due */
    int without;     /* memory; nothing of them counted */
    atomic_bool done;
} fetching_t;

static int fetch_now_tx(tx_t *tx, void *arg)
{
    (void)arg;
    return db_exec(db_stmt(tx->db, &fetch_now));
}

static void tick(void *arg, gw_client_t *client, int64_t *timeout_ms)
{
    fetching_t *t = arg;
    bool was = t->o.fetches[0] != NULL;
    int64_t next, n = 0;

    *timeout_ms = 1;
    t->o.loop = client;
    if (t->done || (was && fetch_step(&t->o, &next) != WERR_OK) ||
        t->o.fetches[0] != NULL) {
        return;
    }
    t->without += was;
    if (db_first_i64(db_stmt(t->o.db, &fetch_tried), &n) != WERR_OK || n > 0 ||
        domain_write(&t->f->d, fetch_now_tx, NULL) != WERR_OK) {
        t->without -= was;
        t->done = true;
        return;
    }
    short_memory_begin(t->skip++, LONG_MAX);
    t->failed = fetch_step(&t->o, &next);
    t->hits = short_memory_end();
}

static void no_token(void *arg, const char *account, char *token, size_t size)
{
    (void)arg;
    (void)account;
    (void)size;
    token[0] = '\0';
}

/* There is nobody at its address, so each try fails. */
static void fetches_with_little_memory(void **state)
{
    static const gateway_account_t account = {.name = "seed",
                                              .driver = "waapi",
                                              .base_url = "http://127.0.0.1:1",
                                              .token = "t",
                                              .timeout_s = 2};
    fixture_t *f = *state;
    media_t media = {.remote_url = "http://127.0.0.1:1/a.jpg", .size = -1};
    said_t s = {.hint = {.phone = "6281", .wrote = true},
                .in = {.session = f->session,
                       .wa_id = "ID1",
                       .ts = clock_now_ms(),
                       .type = "image",
                       .text = "",
                       .media = &media,
                       .live = true}};
    fetching_t t = {.f = f, .o = {.domain = &f->d, .db = f->db}};
    gw_client_options_t o = {.accounts = &account,
                             .naccounts = 1,
                             .token_load = no_token,
                             .tick = tick,
                             .arg = &t};
    gw_client_t *client;
    int64_t next;
    char dir[160];
    size_t n;

    if (!short_memory()) {
        skip();
    }
    snprintf(dir, sizeof(dir), "%s/media", f->dir);
    f->d.settings.media_dir = dir;
    outbox_options_default(&t.o.options);
    t.o.accounts = &account;
    t.o.naccounts = 1;
    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    /* prepares the statement, which needs much more than all the rest */
    assert_int_equal(media_due(f->db, 0, NULL, 0, &n, &next), WERR_OK);
    assert_int_equal(gw_client_start(&client, &o), WERR_OK);
    for (int64_t end = clock_mono_ms() + 60000; !t.done;) {
        assert_true(clock_mono_ms() < end);
        (void)usleep(10000);
    }
    gw_client_stop(&client, 1000);
    print_message("%d without memory, %ld allocations\n", t.without, t.skip);
    assert_true(t.without > 3);
    assert_int_equal(t.hits, 0);
    assert_int_equal(t.failed, WERR_OK);
    assert_int_equal(ASK(f, "SELECT fetch_tries FROM message_media"), 1);
    fetch_free(&t.o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_or_not, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(watched_on, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(fetches_with_little_memory,
                                        fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
