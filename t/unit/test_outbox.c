#include "outbox/outbox.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "domain/contact.h"
#include "domain/delivery.h"
#include "domain/message.h"
#include "domain/session.h"
#include "outbox/pacing.h"
#include "simulator.h"

DB_QUERY(row_of_message,
         "SELECT o.state, o.attempts, coalesce(m.wa_id, ''), m.status, "
         "coalesce(o.reason, '') FROM outbox o JOIN messages m "
         "ON m.id = o.message_id WHERE o.message_id = $1");
DB_QUERY(row_of_read,
         "SELECT state FROM outbox WHERE kind = 'read' AND state < 9");
DB_QUERY(insert_read,
         "INSERT INTO outbox (kind, session_id, chat_id, state, not_before, "
         "created_at, updated_at) SELECT 'read', session_id, chat_id, 0, $2, "
         "$2, $2 FROM messages WHERE id = $1");

static sim_t sim;

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

static int make_session(tx_t *tx, void *arg)
{
    int64_t account;
    int rc = account_ensure(tx, "main", &account);

    (void)arg;
    return rc == WERR_OK ? session_ensure(tx, account, "s1", &desk.session)
                         : rc;
}

static void open_desk(void)
{
    store_options_t o = {.path = desk.path};
    domain_settings_t settings;

    domain_settings_default(&settings);
    assert_int_equal(store_open(&desk.store, &o), WERR_OK);
    assert_int_equal(domain_init(&desk.domain, desk.store, &settings), WERR_OK);
    assert_int_equal(store_reader(desk.store, &desk.db), WERR_OK);
    assert_int_equal(domain_write(&desk.domain, make_session, NULL), WERR_OK);
}

static void close_desk(void)
{
    store_reader_close(&desk.db);
    store_close(&desk.store);
}

static void start_outbox(void)
{
    assert_int_equal(outbox_start(&desk.outbox, &desk.domain, &desk.options,
                                  &desk.account, 1),
                     WERR_OK);
    assert_non_null(desk.domain.outbox_ready);
}

static void stop_outbox(int64_t timeout)
{
    outbox_stop(&desk.outbox, timeout);
    assert_null(desk.domain.outbox_ready);
}

static int setup(void **state)
{
    (void)state;
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

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
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

static int queue_tx(tx_t *tx, void *arg)
{
    queueing_t *q = arg;

    return message_queue(tx, &q->out, &q->id);
}

static int64_t queue(const char *phone, const char *text)
{
    queueing_t q = {.out = {.session = desk.session,
                            .phone = phone,
                            .type = "text",
                            .text = text,
                            .source = "agent"}};

    assert_int_equal(domain_write(&desk.domain, queue_tx, &q), WERR_OK);
    return q.id;
}

typedef struct {
    int64_t state, attempts, status;
    char wa_id[64], reason[128];
} row_t;

static row_t row(int64_t message)
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

static row_t wait_for(int64_t message, int64_t state)
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

static void behave(const char *json)
{
    sim_do(&sim, "behaviour", json);
}

static int calls_for(const char *phone)
{
    char filter[80];

    (void)snprintf(filter, sizeof(filter), "route=send.text&phone=%s", phone);
    return sim_count(&sim, filter);
}

/* The donor wrote before: the gateway knows the chat. */
static void wrote_before(const char *phone)
{
    char body[160];

    (void)snprintf(body, sizeof(body),
                   "{\"kind\":\"message\",\"from\":\"%s\",\"text\":\"Halo\"}",
                   phone);
    sim_do(&sim, "webhook", body);
}

/* ---- lanes ---- */

static void fifo_in_each_lane(void **state)
{
    static const char *const phones[] = {"6281333000001", "6281333000002",
                                         "6281333000003"};
    int64_t last[3] = {0};
    json_t *root, *calls, *c;
    size_t i;
    int at[3] = {0};

    (void)state;
    behave("{\"do\":\"slow\",\"ms\":100,\"times\":-1}");
    for (int n = 0; n < 4; n++) {
        for (int p = 0; p < 3; p++) {
            char text[32];

            (void)snprintf(text, sizeof(text), "pesan %d", n);
            (void)queue(phones[p], text);
        }
    }
    i = (size_t)queue(phones[0], "akhir");
    start_outbox();
    (void)wait_for((int64_t)i, DELIVERY_SENT);
    root = sim_call(&sim, "calls?route=send.text", NULL);
    calls = json_object_get(root, "calls");
    assert_int_equal(json_array_size(calls), 13);
    json_array_foreach(calls, i, c)
    {
        json_t *body = json_object_get(c, "body");
        const char *phone = json_string_value(json_object_get(body, "phone"));
        const char *text = json_string_value(json_object_get(body, "message"));
        int64_t when = json_integer_value(json_object_get(c, "at"));
        int p = phone[12] - '1';
        char want[32];

        (void)snprintf(want, sizeof(want), "pesan %d", at[p]);
        assert_string_equal(text, at[p] == 4 ? "akhir" : want);
        /* the next one only after the answer to the one before */
        assert_true(last[p] == 0 || when - last[p] >= 95);
        last[p] = when;
        at[p]++;
    }
    json_decref(root);
}

static void lanes_side_by_side(void **state)
{
    int64_t ids[6], first = INT64_MAX, last = 0;
    json_t *root, *c;
    size_t n;
    row_t r;

    (void)state;
    behave("{\"do\":\"slow\",\"ms\":1500,\"times\":-1}");
    for (int i = 0; i < 6; i++) {
        char phone[32];

        (void)snprintf(phone, sizeof(phone), "628133300001%d", i);
        ids[i] = queue(phone, "halo");
    }
    start_outbox();
    for (int i = 0; i < 6; i++) {
        r = wait_for(ids[i], DELIVERY_SENT);
        assert_int_equal(r.status, STATUS_SENT);
        assert_int_equal(r.attempts, 1);
        assert_memory_equal(r.wa_id, "3EB0", 4);
    }
    /* the last one began before the first one was answered */
    root = sim_call(&sim, "calls?route=send.text", NULL);
    json_array_foreach(json_object_get(root, "calls"), n, c)
    {
        int64_t at = json_integer_value(json_object_get(c, "at"));

        first = at < first ? at : first;
        last = at > last ? at : last;
    }
    assert_int_equal(n, 6);
    assert_true(last - first < 1400);
    json_decref(root);
    assert_int_equal(outbox_counters(desk.outbox)->sent, 6);
}

/* ---- how attempts end ---- */

static void outcomes(void **state)
{
    static const struct {
        const char *phone, *rule;
        bool known; /* the chat, at the gateway */
        delivery_state_t state;
        int calls;
        bool id;
    } cases[] = {
        {"6281333000100", "\"do\":\"status\",\"status\":503", false,
         DELIVERY_SENT, 2, true},
        {"6281333000101", "\"do\":\"status\",\"status\":503,\"times\":-1",
         false, DELIVERY_FAILED, 3, false},
        {"6281333000102", "\"do\":\"status\",\"status\":400", false,
         DELIVERY_FAILED, 1, false},
        {"6281333000103", "\"do\":\"status\",\"status\":422", false,
         DELIVERY_FAILED, 1, false},
        /* the look-up shows that it was not sent */
        {"6281333000104", "\"do\":\"status\",\"status\":500", true,
         DELIVERY_SENT, 2, true},
        {"6281333000105", "\"do\":\"status\",\"status\":504", true,
         DELIVERY_SENT, 2, true},
        /* it shows that it was */
        {"6281333000106", "\"do\":\"status\",\"status\":502,\"accept\":true",
         false, DELIVERY_SENT, 1, true},
        {"6281333000107", "\"do\":\"garbage\"", false, DELIVERY_SENT, 1, true},
        {"6281333000108", "\"do\":\"close\",\"when\":\"after\"", false,
         DELIVERY_SENT, 1, true},
        {"6281333000109", "\"do\":\"hang\",\"accept\":true", false,
         DELIVERY_SENT, 1, true},
        {"6281333000110", "\"do\":\"huge\"", false, DELIVERY_SENT, 1, true},
        /* it shows nothing */
        {"6281333000111", "\"do\":\"status\",\"status\":500", false,
         DELIVERY_UNKNOWN, 1, false},
        {"6281333000112",
         "\"do\":\"close\",\"when\":\"after\",\"accept\":false", true,
         DELIVERY_UNKNOWN, 1, false},
        {"6281333000113", "\"do\":\"hang\"", true, DELIVERY_UNKNOWN, 1, false},
        /* accepted without an id */
        {"6281333000114", "\"do\":\"no_id\"", false, DELIVERY_SENT, 1, false},
        {"6281333000115", "\"do\":\"redirect\"", false, DELIVERY_SENT, 2, true},
    };
    enum { N = sizeof(cases) / sizeof(cases[0]) };
    int64_t ids[N];

    (void)state;
    desk.options.unknown_hold_s = 60;
    for (size_t i = 0; i < N; i++) {
        char body[160];

        if (cases[i].known) {
            wrote_before(cases[i].phone);
        }
        (void)snprintf(body, sizeof(body), "{\"phone\":\"%s\",%s}",
                       cases[i].phone, cases[i].rule);
        behave(body);
        ids[i] = queue(cases[i].phone, "Terima kasih");
    }
    start_outbox();
    for (size_t i = 0; i < N; i++) {
        row_t r = wait_for(ids[i], cases[i].state);

        if (calls_for(cases[i].phone) != cases[i].calls) {
            fail_msg("%s: %d calls", cases[i].rule, calls_for(cases[i].phone));
        }
        assert_int_equal(r.wa_id[0] != '\0', cases[i].id);
        if (cases[i].state == DELIVERY_SENT) {
            assert_int_equal(r.status, STATUS_SENT);
        } else {
            assert_true(r.reason[0] != '\0');
        }
    }
    assert_int_equal(outbox_counters(desk.outbox)->unknown, 3);
    assert_int_equal(outbox_counters(desk.outbox)->failed, 3);
}

/* The same words twice: the second was not sent because the first was. */
static void same_text_twice(void **state)
{
    int64_t a, b;

    (void)state;
    start_outbox();
    a = queue("6281333000150", "Baik");
    (void)wait_for(a, DELIVERY_SENT);
    behave("{\"do\":\"status\",\"status\":500}");
    b = queue("6281333000150", "Baik");
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(calls_for("6281333000150"), 3);
    assert_string_not_equal(row(a).wa_id, row(b).wa_id);
}

static void waits_as_told(void **state)
{
    int64_t begun, a, b;

    (void)state;
    behave("{\"do\":\"limited\",\"retry_after\":2}");
    a = queue("6281333000160", "satu");
    start_outbox();
    begun = clock_mono_ms();
    while (sim_count(&sim, "route=send.text") == 0) {
        (void)usleep(10000);
    }
    (void)usleep(200000);
    b = queue("6281333000161", "dua");
    /* the session as a whole was asked to wait; the other burnt no try */
    assert_int_equal(wait_for(b, DELIVERY_SENT).attempts, 1);
    assert_true(clock_mono_ms() - begun >= 1950);
    (void)wait_for(a, DELIVERY_SENT);
    assert_int_equal(calls_for("6281333000160"), 2);
    assert_int_equal(calls_for("6281333000161"), 1);
}

static void unknown_holds_its_lane(void **state)
{
    int64_t a, b, c, begun;

    (void)state;
    desk.options.unknown_hold_s = 3;
    behave("{\"do\":\"status\",\"status\":500,\"phone\":\"6281333000170\"}");
    a = queue("6281333000170", "satu");
    b = queue("6281333000170", "dua");
    start_outbox();
    assert_int_equal(wait_for(a, DELIVERY_UNKNOWN).status, STATUS_UNKNOWN);
    begun = clock_mono_ms();
    c = queue("6281333000171", "tiga");
    (void)wait_for(c, DELIVERY_SENT);
    /* the other lane did not wait for this one */
    assert_int_equal(row(b).state, DELIVERY_QUEUED);
    assert_int_equal(calls_for("6281333000170"), 1);
    (void)wait_for(b, DELIVERY_SENT);
    assert_true(clock_mono_ms() - begun >= 2500);
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN_LEFT);
    assert_int_equal(row(a).status, STATUS_UNKNOWN);
    assert_int_equal(calls_for("6281333000170"), 2);
}

static int echo_tx(tx_t *tx, void *arg)
{
    contact_hint_t hint = {.phone = arg};
    message_in_t in = {.session = desk.session,
                       .from_me = true,
                       .wa_id = "3EB0ECHO0001",
                       .ts = tx->now,
                       .type = "text",
                       .text = "satu",
                       .live = true,
                       .received = tx->now};
    contact_ref_t contact;
    message_ref_t message;
    int rc = contact_ensure(tx, &hint, &contact);

    return rc == WERR_OK ? message_receive(tx, contact.id, &in, &message) : rc;
}

/* The gateway's echo proves that an unknown one went out. */
static void echo_settles(void **state)
{
    char phone[] = "6281333000175";
    int64_t a, b;

    (void)state;
    desk.options.unknown_hold_s = 60;
    behave("{\"do\":\"status\",\"status\":500}");
    a = queue(phone, "satu");
    b = queue(phone, "dua");
    start_outbox();
    (void)wait_for(a, DELIVERY_UNKNOWN);
    assert_int_equal(domain_write(&desk.domain, echo_tx, phone), WERR_OK);
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(row(a).state, DELIVERY_SENT);
    assert_int_equal(row(a).status, STATUS_SENT);
    assert_string_equal(row(a).wa_id, "3EB0ECHO0001");
    assert_int_equal(calls_for(phone), 2);
}

/* ---- crashes ---- */

/* Another process sends, and is killed while the gateway holds its call. */
static void kill_in_flight(void)
{
    pid_t pid;

    close_desk();
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        open_desk();
        desk.account.timeout_s = 30;
        start_outbox();
        for (;;) {
            (void)pause();
        }
    }
    while (sim_count(&sim, "route=send.text&phone=6281333000180") == 0) {
        (void)usleep(10000);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    open_desk();
}

static void killed_in_flight(void **state)
{
    int64_t a, b, c;

    (void)state;
    desk.options.unknown_hold_s = 3;
    behave("{\"do\":\"hang\",\"phone\":\"6281333000180\"}");
    a = queue("6281333000180", "satu");
    b = queue("6281333000180", "dua");
    kill_in_flight();
    assert_int_equal(row(a).state, DELIVERY_INFLIGHT);
    start_outbox();
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN);
    c = queue("6281333000181", "tiga");
    (void)wait_for(c, DELIVERY_SENT);
    assert_int_equal(row(b).state, DELIVERY_QUEUED);
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN_LEFT);
    assert_int_equal(sim_count(&sim, "text=satu"), 1);
    assert_int_equal(sim_count(&sim, "text=dua"), 1);
}

/* What the gateway took and could tell nobody is in its history. */
static void killed_and_found(void **state)
{
    int64_t a, b;

    (void)state;
    desk.options.unknown_hold_s = 60;
    behave("{\"do\":\"hang\",\"accept\":true,\"phone\":\"6281333000180\"}");
    a = queue("6281333000180", "satu");
    b = queue("6281333000180", "dua");
    kill_in_flight();
    start_outbox();
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN);
    assert_memory_equal(wait_for(a, DELIVERY_SENT).wa_id, "3EB0", 4);
    assert_int_equal(row(a).attempts, 1);
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(sim_count(&sim, "text=satu"), 1);
    assert_int_equal(sim_count(&sim, "text=dua"), 1);
}

/* What it did late is, too. */
static void found_later(void **state)
{
    int64_t a;

    (void)state;
    desk.options.unknown_hold_s = 4;
    behave("{\"do\":\"hang\"}");
    a = queue("6281333000185", "nanti");
    start_outbox();
    (void)wait_for(a, DELIVERY_UNKNOWN);
    sim_do(&sim, "webhook",
           "{\"from\":\"6281333000185\",\"text\":\"nanti\","
           "\"from_me\":true,\"id\":\"3EB0NANTI001\"}");
    assert_string_equal(wait_for(a, DELIVERY_SENT).wa_id, "3EB0NANTI001");
    assert_int_equal(sim_count(&sim, "route=send.text"), 1);
    assert_int_equal(outbox_counters(desk.outbox)->unknown, 1);
    assert_int_equal(outbox_counters(desk.outbox)->sent, 1);
}

static void stop_keeps_what_hangs(void **state)
{
    int64_t a, begun;

    (void)state;
    behave("{\"do\":\"hang\"}");
    a = queue("6281333000190", "satu");
    desk.account.timeout_s = 30;
    start_outbox();
    while (sim_count(&sim, "route=send.text") == 0) {
        (void)usleep(10000);
    }
    begun = clock_mono_ms();
    stop_outbox(200);
    assert_true(clock_mono_ms() - begun < 2000);
    assert_int_equal(row(a).state, DELIVERY_INFLIGHT);
    start_outbox();
    assert_int_equal(row(a).state, DELIVERY_UNKNOWN);
    assert_int_equal(sim_count(&sim, "route=send.text"), 1);
}

static void token_outlives_the_process(void **state)
{
    (void)state;
    start_outbox();
    (void)wait_for(queue("6281333000200", "satu"), DELIVERY_SENT);
    stop_outbox(1000);
    start_outbox();
    (void)wait_for(queue("6281333000200", "dua"), DELIVERY_SENT);
    assert_int_equal(sim_count(&sim, "route=login"), 1);
    /* a new login burns no try */
    sim_do(&sim, "expire", "{}");
    assert_int_equal(
        wait_for(queue("6281333000200", "tiga"), DELIVERY_SENT).attempts, 1);
    assert_int_equal(sim_count(&sim, "route=login"), 2);
}

/* ---- read receipts ---- */

static int read_tx(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &insert_read);

    db_bind_i64(s, 1, *(int64_t *)arg);
    db_bind_i64(s, 2, tx->now);
    tx->queued = true;
    return db_exec(s);
}

static void read_receipts(void **state)
{
    int64_t a, b;
    db_stmt_t *s;

    (void)state;
    start_outbox();
    a = queue("6281333000210", "satu");
    (void)wait_for(a, DELIVERY_SENT);
    behave("{\"do\":\"hang\",\"route\":\"chat.read\"}");
    assert_int_equal(domain_write(&desk.domain, read_tx, &a), WERR_OK);
    b = queue("6281333000210", "dua");
    /* a receipt that hangs is given up, and holds up nobody after that */
    (void)wait_for(b, DELIVERY_SENT);
    assert_int_equal(sim_count(&sim, "route=chat.read"), 1);
    s = db_stmt(desk.db, &row_of_read);
    assert_int_equal(db_first(s), DB_ROW);
    assert_int_equal(db_i64(s, 0), DELIVERY_FAILED);
    db_done(s);
}

/* ---- pacing ---- */

/* How often threads of this process have gone to sleep so far. */
static long sleeps(void)
{
    static const char key[] = "voluntary_ctxt_switches:";
    DIR *d = opendir("/proc/self/task");
    struct dirent *entry;
    char path[300], line[128];
    long n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        FILE *f;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status",
                       entry->d_name);
        f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (f && fgets(line, sizeof(line), f)) {
            if (strncmp(line, key, sizeof(key) - 1) == 0) {
                n += strtol(line + sizeof(key) - 1, NULL, 10);
            }
        }
        if (f) {
            (void)fclose(f);
        }
    }
    closedir(d);
    return n;
}

static void paced(void **state)
{
    int64_t ids[5], sent = 0;
    long before;

    (void)state;
    desk.options.per_minute = 3;
    for (int i = 0; i < 5; i++) {
        char phone[32];

        (void)snprintf(phone, sizeof(phone), "628133300022%d", i);
        ids[i] = queue(phone, "halo");
    }
    start_outbox();
    for (int i = 0; i < 3; i++) {
        (void)wait_for(ids[i], DELIVERY_SENT);
    }
    (void)usleep(300000);
    /* those put off are slept for, not polled for */
    before = sleeps();
    (void)usleep(400000);
    assert_true(sleeps() - before < 20);
    for (int i = 0; i < 5; i++) {
        row_t r = row(ids[i]);

        sent += r.state == DELIVERY_SENT;
        assert_int_equal(r.attempts, r.state == DELIVERY_SENT);
    }
    assert_int_equal(sent, 3);
    assert_int_equal(outbox_counters(desk.outbox)->deferred, 2);
}

static void gap_per_recipient(void **state)
{
    int64_t begun, a, b;

    (void)state;
    desk.options.gap_ms = 600;
    start_outbox();
    begun = clock_mono_ms();
    a = queue("6281333000230", "satu");
    b = queue("6281333000230", "dua");
    (void)wait_for(a, DELIVERY_SENT);
    assert_int_equal(wait_for(b, DELIVERY_SENT).attempts, 1);
    assert_true(clock_mono_ms() - begun >= 595);
}

static void pacing_arithmetic(void **state)
{
    pacing_t *p;

    (void)state;
    assert_int_equal(pacing_new(&p, 3, 1, 100), WERR_OK);
    pacing_round(p);
    assert_int_equal(pacing_take(p, 1, 10, false, 1000), 0);
    assert_int_equal(pacing_take(p, 1, 10, false, 1040), 60);
    assert_int_equal(pacing_take(p, 1, 11, true, 2000), 0);
    /* one first message a minute, the other kind goes on */
    assert_int_equal(pacing_take(p, 1, 12, true, 3000), 59000);
    assert_int_equal(pacing_take(p, 1, 13, false, 3000), 0);
    /* full: each one put off gets a later time */
    pacing_round(p);
    assert_int_equal(pacing_take(p, 1, 14, false, 4000), 57000);
    assert_int_equal(pacing_take(p, 1, 15, false, 4000), 58000);
    assert_int_equal(pacing_take(p, 1, 16, false, 4000), 59000);
    assert_int_equal(pacing_take(p, 1, 17, false, 4000), 117000);
    /* another session has its own */
    assert_int_equal(pacing_take(p, 2, 14, false, 4000), 0);
    pacing_round(p);
    assert_int_equal(pacing_take(p, 1, 14, false, 61000), 0);
    pacing_pause(p, 2, 70000);
    assert_int_equal(pacing_take(p, 2, 18, false, 65000), 5000);
    pacing_free(&p);
    assert_null(p);
}

static int group_start(void **state)
{
    (void)state;
    sim_start(&sim);
    return 0;
}

static int group_stop(void **state)
{
    (void)state;
    sim_stop(&sim);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pacing_arithmetic),
        TEST(fifo_in_each_lane),
        TEST(lanes_side_by_side),
        TEST(outcomes),
        TEST(same_text_twice),
        TEST(waits_as_told),
        TEST(unknown_holds_its_lane),
        TEST(echo_settles),
        TEST(killed_in_flight),
        TEST(killed_and_found),
        TEST(found_later),
        TEST(stop_keeps_what_hangs),
        TEST(token_outlives_the_process),
        TEST(read_receipts),
        TEST(paced),
        TEST(gap_per_recipient),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
