/* intake: records applied once, in time, typing, greetings. */
#include "intake_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"

typedef struct {
    _Atomic int n;
    int64_t session;
    char phone[64];
    bool on;
} typed_t;

static void hear_typing(void *arg, int64_t session, const char *phone, bool on)
{
    typed_t *t = arg;

    t->session = session;
    t->on = on;
    snprintf(t->phone, sizeof(t->phone), "%s", phone);
    atomic_fetch_add(&t->n, 1);
}

static uint64_t put_typing(rig_t *r, const char *from, const char *on,
                           int64_t age_ms)
{
    static char data[1024];
    char body[256];
    spool_record_t rec = {
        .source = {"seed", 4},
        .received_us = (uint64_t)(clock_now_ms() - age_ms) * 1000,
        .remote = {"127.0.0.1", 9},
        .signature = {"waapi", 5},
        .method = {"POST", 4},
        .path = {"/api/webhook/whatsapp", 21},
    };
    spool_str_t str;
    uint64_t seq = 0;

    snprintf(body, sizeof(body),
             "{\"event\":\"typing\",\"data\":{\"from\":\"%s\","
             "\"isTyping\":%s}}",
             from, on);
    rec.body = (spool_str_t){body, strlen(body)};
    str = (spool_str_t){data, spool_record_encode(&rec, data, sizeof(data))};
    assert_int_equal(spool_append(r->spool, &str, 1, &seq), SPOOL_OK);
    return seq;
}

/* Told under the phone that the inbox shows, once, and never late. */
static void typing_is_told_not_stored(void **state)
{
    rig_t *r = *state;
    typed_t t = {0};
    int64_t before;

    RUN(r->f, "INSERT INTO contacts (id, phone, name, created_at, updated_at) "
              "VALUES (77, '6281234567890', 'Budi', 0, 0)");
    RUN(r->f, "INSERT INTO contact_aliases (alias, contact_id) "
              "VALUES ('1234567890123@lid', 77)");
    before = ASK(r->f, "SELECT value FROM counters WHERE name = 'event_seq'");
    r->f->d.typing_ready = hear_typing;
    r->f->d.typing_arg = &t;
    intake_up(r);
    wait_for(r, put_typing(r, "6281234567890", "true", 0));
    wait_empty(r);
    assert_int_equal(atomic_load(&t.n), 1);
    assert_true(t.on);
    assert_int_equal(t.session, ASK(r->f, "SELECT id FROM sessions WHERE "
                                          "remote_id = 'default'"));
    assert_string_equal(t.phone, "6281234567890");
    wait_for(r, put_typing(r, "1234567890123@lid", "false", 0));
    wait_empty(r);
    assert_int_equal(atomic_load(&t.n), 2);
    assert_false(t.on);
    assert_string_equal(t.phone, "6281234567890");
    /* of nobody we know; too late */
    wait_for(r, put_typing(r, "6280000000009", "true", 0));
    wait_for(r, put_typing(r, "6281234567890", "true", 31000));
    wait_empty(r);
    assert_int_equal(atomic_load(&t.n), 2);
    assert_int_equal(ASK(r->f, "SELECT value FROM counters WHERE "
                               "name = 'event_seq'"),
                     before + 1); /* the session */
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM contacts"), 1);
}

static void backlog_is_applied(void **state)
{
    rig_t *r = *state;
    uint64_t last = 0;

    for (int i = 0; i < 300; i++) {
        char phone[24], id[24];

        snprintf(phone, sizeof(phone), "6281%05d", i % 40);
        snprintf(id, sizeof(id), "ID%d", i);
        last = put(r, phone, id, "halo");
    }
    intake_up(r);
    wait_for(r, last);
    wait_empty(r);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 300);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM contacts"), 40);
    assert_int_equal(ASK(r->f, "SELECT sum(unread) FROM chats"), 300);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM raw_events"), 300);
    assert_int_equal(ASK(r->f, TOLD), 300);
    assert_int_equal(ASK(r->f, "SELECT max(seq) FROM events"),
                     atomic_load(&r->f->d.last_seq));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM chats c WHERE EXISTS "
                               "(SELECT 1 FROM messages m WHERE "
                               "m.id = c.last_message_id "
                               "AND m.ts = c.last_ts AND m.chat_id = c.id)"),
                     40);
    assert_int_equal(atomic_load(&intake_counters(r->in)->events), 300);
}

static void notice_wakes_it(void **state)
{
    rig_t *r = *state;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int64_t best = 10000;

    intake_up(r);
    snprintf(to.sun_path, sizeof(to.sun_path), "%.100s", r->notify);
    for (int i = 0; i < 3; i++) {
        char id[24];
        int64_t started;
        uint64_t seq;

        usleep(50000); /* it has nothing to do, and waits */
        snprintf(id, sizeof(id), "N%d", i);
        seq = put(r, "6281234567", id, "halo");
        started = clock_mono_ms();
        assert_int_equal(
            sendto(fd, "1", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
        wait_for(r, seq);
        if (clock_mono_ms() - started < best) {
            best = clock_mono_ms() - started;
        }
    }
    close(fd);
    assert_in_range(best, 0, 400); /* by itself it looks every second */
}

static void it_looks_by_itself(void **state)
{
    rig_t *r = *state;

    intake_up(r);
    usleep(50000);
    wait_for(r, put(r, "6281234567", "L1", "halo"));
}

static void repeated_deliveries_count_once(void **state)
{
    rig_t *r = *state;

    put(r, "6281234567", "D1", "halo");
    put(r, "6281234567", "D1", "halo");
    put(r, "6281234567", "D2", "halo");
    intake_up(r);
    wait_for(r, put(r, "6281234567", "D1", "halo"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(ASK(r->f, "SELECT unread FROM chats"), 2);
    assert_int_equal(ASK(r->f, TOLD), 2);
    assert_int_equal(atomic_load(&intake_counters(r->in)->duplicates), 2);
}

/* Known by its id, whoever the copy says it is from: nobody is made or named
 * by it, and no empty chat. */
static void a_copy_changes_nobody(void **state)
{
    rig_t *r = *state;

    put(r, "6281111111", "K1", "halo");
    put_from(r, "seed",
             "{\"event\":\"message.received\",\"sessionId\":\"s2\",\"data\":{"
             "\"from\":\"6282222222\",\"message\":\"x\",\"id\":\"K2\"}}");
    put(r, "6282222222", "K1", "halo"); /* has a chat, but not here */
    put(r, "6283333333", "K1", "halo"); /* is nobody */
    intake_up(r);
    wait_for(r, put(r, "6281111111", "K1", "halo"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM chats"), 2);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM contacts"), 2);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM contacts "
                               "WHERE name = 'Budi'"),
                     1);
    assert_int_equal(atomic_load(&intake_counters(r->in)->duplicates), 3);
}

static int64_t alias_phone(const rig_t *r)
{
    return ASK(r->f, "SELECT k.phone FROM contacts k "
                     "JOIN contact_aliases a ON a.contact_id = k.id");
}

static int64_t connected(const rig_t *r)
{
    return ASK(r->f, "SELECT count(*) FROM sessions "
                     "WHERE status = 'connected'");
}

/* What comes out of a quarantine or a spool put aside is older than what has
 * been applied: it is stored, and takes no alias and no session back. */
static void what_is_late_moves_nothing(void **state)
{
    static const char old[] = "{\"event\":\"lid.mapping.resolved\",\"data\":{"
                              "\"lid\":\"77@lid\",\"phone\":\"6281111111\"}}";
    static const char down[] = "{\"event\":\"session.disconnected\","
                               "\"sessionId\":\"s1\",\"data\":{}}";
    rig_t *r = *state;

    put_from(r, "seed",
             "{\"event\":\"session.connected\",\"sessionId\":\"s1\","
             "\"data\":{}}");
    put_from(r, "seed",
             "{\"event\":\"lid.mapping.resolved\",\"data\":{"
             "\"lid\":\"77@lid\",\"phone\":\"6282222222\"}}");
    put_late(r, "seed", old, 3600000);
    put_late(r, "seed", down, 3600000);
    put_late(r, "seed",
             "{\"event\":\"message.received\",\"data\":{"
             "\"from\":\"6281111111\",\"message\":\"x\",\"id\":\"L\"}}",
             3600000);
    intake_up(r);
    wait_for(r, put(r, "6283333333", "N", "halo"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages "
                               "WHERE wa_id = 'L'"),
                     1);
    assert_int_equal(alias_phone(r), 6282222222);
    assert_int_equal(connected(r), 1);
    wait_for(r, put_from(r, "seed", old));
    wait_for(r, put_from(r, "seed", down));
    assert_int_equal(alias_phone(r), 6281111111);
    assert_int_equal(connected(r), 0);
}

/* What is undone with a record that does not fit has not been applied. */
static void a_misfit_makes_nothing_late(void **state)
{
    char body[512];
    rig_t *r = *state;

    for (int i = 0; i < 2; i++) {
        snprintf(body, sizeof(body),
                 "{\"event\":\"lid.mapping.resolved\",\"data\":{"
                 "\"lid\":\"77@lid\",\"phone\":\"628%d\"}}",
                 111111111 * (i + 1));
        put_late(r, "seed", body, 3600000 - i);
    }
    snprintf(body, sizeof(body),
             "{\"event\":\"message.received\",\"sessionId\":\"%0220d\","
             "\"data\":{\"from\":\"6284444444\",\"message\":\"x\","
             "\"id\":\"M\"}}",
             7); /* too long for a session's */
    put_from(r, "seed", body);
    intake_up(r);
    wait_for(r, put(r, "6283333333", "N", "halo"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters"), 1);
    assert_int_equal(alias_phone(r), 628222222222);
}

static void future_time_is_clamped(void **state)
{
    rig_t *r = *state;

    intake_up(r);
    wait_for(r,
             put_from(r, "seed",
                      "{\"event\":\"message.received\",\"data\":{"
                      "\"from\":\"6281234567\",\"message\":\"x\",\"id\":\"F\","
                      "\"timestamp\":4102444800}}"));
    assert_in_range(ASK(r->f, "SELECT ts FROM messages"),
                    clock_now_ms() - WAIT_MS, clock_now_ms());
}

/* ---- welcome ---- */

static void newcomers_are_greeted_once(void **state)
{
    rig_t *r = *state;

    r->f->d.settings.welcome = true;
    intake_up(r);
    put(r, "6281234567", "W1", "halo");
    put(r, "6281234567", "W2", "halo");
    wait_for(r, put(r, "6281234567", "W1", "halo"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages "
                               "WHERE source = 'auto' AND body LIKE "
                               "'Halo Budi! \xf0\x9f\x91\x8b%Tim kami%'"),
                     1);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM outbox"), 1);
    assert_int_equal(ASK(r->f, "SELECT first FROM outbox"), 0);
}

static void old_or_own_messages_greet_nobody(void **state)
{
    rig_t *r = *state;

    r->f->d.settings.welcome = true;
    queue(r->f, "6289234567", "kami dulu");
    intake_up(r);
    put_from(
        r, "seed",
        "{\"event\":\"message.received\",\"data\":{\"from\":\"6281234567\","
        "\"message\":\"x\",\"id\":\"O1\",\"timestamp\":1772338206}}");
    put(r, "6289234567", "O2", "halo"); /* we wrote first */
    wait_for(r,
             put_from(r, "seed",
                      "{\"event\":\"message.received\",\"data\":{"
                      "\"from\":\"6282234567\",\"message\":\"x\",\"id\":\"O3\","
                      "\"from_me\":true}}"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages "
                               "WHERE source = 'auto'"),
                     0);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 4);
}

static void greetings_are_capped(void **state)
{
    rig_t *r = *state;
    uint64_t last = 0;
    int64_t sent;

    r->f->d.settings.welcome = true;
    r->f->d.settings.welcome_per_minute = 5;
    intake_up(r);
    for (int i = 0; i < 20; i++) {
        char phone[24], id[24];

        snprintf(phone, sizeof(phone), "62810%02d", i);
        snprintf(id, sizeof(id), "G%d", i);
        last = put(r, phone, id, "halo");
    }
    wait_for(r, last);
    sent = ASK(r->f, "SELECT count(*) FROM messages WHERE source = 'auto'");
    assert_in_range(sent, 5, 10); /* a minute may have ended meanwhile */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(typing_is_told_not_stored),
        TEST(backlog_is_applied),
        TEST(notice_wakes_it),
        TEST(it_looks_by_itself),
        TEST(repeated_deliveries_count_once),
        TEST(a_copy_changes_nobody),
        TEST(what_is_late_moves_nothing),
        TEST(a_misfit_makes_nothing_late),
        TEST(future_time_is_clamped),
        TEST(newcomers_are_greeted_once),
        TEST(old_or_own_messages_greet_nobody),
        TEST(greetings_are_capped),
    };

    log_setup(LOG_ERROR, 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
