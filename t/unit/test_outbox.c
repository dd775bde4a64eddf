/* outbox: lanes, outcomes of a call, waits, echoes, read receipts. */
#include "outbox_fixture.h"

#include "domain/contact.h"
#include "domain/delivery.h"

DB_QUERY(row_of_read,
         "SELECT state FROM outbox WHERE kind = 'read' AND state < 9");

/* ---- helpers ---- */

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

static const struct {
    const char *phone, *rule;
    bool known; /* the chat, at the gateway */
    delivery_state_t state;
    int calls;
    bool id;
} cases[] = {
    {"6281333000100", "\"do\":\"status\",\"status\":503", false, DELIVERY_SENT,
     2, true},
    {"6281333000101", "\"do\":\"status\",\"status\":503,\"times\":-1", false,
     DELIVERY_FAILED, 3, false},
    {"6281333000102", "\"do\":\"status\",\"status\":400", false,
     DELIVERY_FAILED, 1, false},
    {"6281333000103", "\"do\":\"status\",\"status\":422", false,
     DELIVERY_FAILED, 1, false},
    /* the look-up shows that it was not sent */
    {"6281333000104", "\"do\":\"status\",\"status\":500", true, DELIVERY_SENT,
     2, true},
    {"6281333000105", "\"do\":\"status\",\"status\":504", true, DELIVERY_SENT,
     2, true},
    /* it shows that it was */
    {"6281333000106", "\"do\":\"status\",\"status\":502,\"accept\":true", false,
     DELIVERY_SENT, 1, true},
    {"6281333000107", "\"do\":\"garbage\"", false, DELIVERY_SENT, 1, true},
    {"6281333000108", "\"do\":\"close\",\"when\":\"after\"", false,
     DELIVERY_SENT, 1, true},
    {"6281333000109", "\"do\":\"hang\",\"accept\":true", false, DELIVERY_SENT,
     1, true},
    {"6281333000110", "\"do\":\"huge\"", false, DELIVERY_SENT, 1, true},
    /* it shows nothing */
    {"6281333000111", "\"do\":\"status\",\"status\":500", false,
     DELIVERY_UNKNOWN, 1, false},
    {"6281333000112", "\"do\":\"close\",\"when\":\"after\",\"accept\":false",
     true, DELIVERY_UNKNOWN, 1, false},
    {"6281333000113", "\"do\":\"hang\"", true, DELIVERY_UNKNOWN, 1, false},
    /* accepted without an id */
    {"6281333000114", "\"do\":\"no_id\"", false, DELIVERY_SENT, 1, false},
    {"6281333000115", "\"do\":\"redirect\"", false, DELIVERY_SENT, 2, true},
};

static void outcomes(void **state)
{
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

/* ---- read receipts ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fifo_in_each_lane), TEST(lanes_side_by_side),
        TEST(outcomes),          TEST(same_text_twice),
        TEST(waits_as_told),     TEST(unknown_holds_its_lane),
        TEST(echo_settles),      TEST(read_receipts),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
