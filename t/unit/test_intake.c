#include "domain_fixture.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/log.h"
#include "intake/intake.h"

/* EVENT_ACCESS: a session was made. */
#define TOLD "SELECT count(*) FROM events WHERE kind <> 9"

#define WAIT_MS 10000

static const gateway_account_t account = {
    .name = "seed", .driver = "waapi", .base_url = "http://127.0.0.1"};

typedef struct {
    fixture_t *f;
    char path[200];   /* of the spool */
    char notify[200]; /* its socket */
    spool_t *spool;
    intake_t *in;
} rig_t;

static void spool_up(rig_t *r)
{
    spool_options_t o = {.size = 16 << 20, .create = true};

    if (spool_open(&r->spool, r->path, &o) != SPOOL_OK) {
        fail_msg("%s", o.error);
    }
}

static void intake_up(rig_t *r)
{
    intake_options_t o = {.notify_path = r->notify,
                          .accounts = &account,
                          .naccounts = 1,
                          .batch_max = 128}; /* a backlog is several */

    assert_int_equal(intake_start(&r->in, &r->f->d, r->spool, &o), WERR_OK);
}

static int rig_setup(void **state)
{
    rig_t *r = calloc(1, sizeof(*r));
    void *f = NULL;

    assert_non_null(r);
    fixture_setup(&f);
    r->f = f;
    r->f->d.settings.welcome = false;
    snprintf(r->path, sizeof(r->path), "%s/spool", r->f->dir);
    snprintf(r->notify, sizeof(r->notify), "%s/notify", r->f->dir);
    spool_up(r);
    *state = r;
    return 0;
}

static int rig_teardown(void **state)
{
    rig_t *r = *state;
    void *f = r->f;

    intake_stop(&r->in);
    if (r->spool != NULL) {
        spool_close(&r->spool);
    }
    fixture_teardown(&f);
    free(r);
    return 0;
}

static uint64_t put_from(rig_t *r, const char *source, const char *body)
{
    static char data[8192];
    spool_record_t rec = {
        .source = {source, strlen(source)},
        .received_us = (uint64_t)clock_now_ms() * 1000,
        .remote = {"127.0.0.1", 9},
        .signature = {"waapi", 5},
        .method = {"POST", 4},
        .path = {"/api/webhook/whatsapp", 21},
        .body = {body, strlen(body)},
    };
    spool_str_t str = {data, spool_record_encode(&rec, data, sizeof(data))};
    uint64_t seq = 0;

    assert_true(str.len > 0);
    assert_int_equal(spool_append(r->spool, &str, 1, &seq), SPOOL_OK);
    return seq;
}

static uint64_t put(rig_t *r, const char *phone, const char *id,
                    const char *text)
{
    char body[1024];

    snprintf(body, sizeof(body),
             "{\"event\":\"message.received\",\"data\":{\"from\":\"%s\","
             "\"pushName\":\"Budi\",\"message\":\"%s\",\"id\":\"%s\","
             "\"timestamp\":%lld}}",
             phone, text, id, (long long)(clock_now_ms() / 1000));
    return put_from(r, "seed", body);
}

static void wait_for(rig_t *r, uint64_t seq)
{
    const intake_counters_t *c = intake_counters(r->in);

    for (int i = 0; i < WAIT_MS; i++) {
        if (atomic_load(&c->position) >= (int64_t)seq) {
            return;
        }
        usleep(1000);
    }
    fail_msg("position %lld, wanted %llu", (long long)atomic_load(&c->position),
             (unsigned long long)seq);
}

/* The spool is emptied a moment after the commit. */
static void wait_empty(rig_t *r)
{
    spool_stat_t st = {.records = 1};

    for (int i = 0; i < WAIT_MS && st.records > 0; i++) {
        assert_int_equal(spool_stat(r->spool, &st), SPOOL_OK);
        usleep(1000);
    }
    assert_int_equal(st.records, 0);
}

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

static void bad_events_stop_nobody(void **state)
{
    rig_t *r = *state;
    spool_str_t junk = {"no record", 9};
    spool_stat_t st;
    uint64_t seq;

    put(r, "6281234567", "B1", "halo");
    put_from(r, "seed", "{\"event\":\"message.received\",\"data\":{}}");
    put_from(r, "nobody", "{}");
    assert_int_equal(spool_append(r->spool, &junk, 1, &seq), SPOOL_OK);
    put_from(r, "seed", "{\"event\":\"no.such\",\"data\":{}}");
    put_from(r, "seed", "{\"a\":\"\\u0000\"}");
    intake_up(r);
    wait_for(r, put(r, "6281234567", "B2", "halo"));
    wait_empty(r);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters"), 3);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters "
                               "WHERE code = 'source' "
                               "AND source = 'nobody'"),
                     1);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters "
                               "WHERE code = 'parse' AND reason <> ''"),
                     2);
    assert_int_equal(spool_stat(r->spool, &st), SPOOL_OK);
    assert_int_equal(st.quarantine, 1);
    assert_int_equal(atomic_load(&intake_counters(r->in)->dead), 4);
}

/* A trigger stands for a constraint that nobody has thought of. */
static void what_does_not_fit_is_buried_alone(void **state)
{
    rig_t *r = *state;
    uint64_t last = 0;

    RUN(r->f, "CREATE TRIGGER t BEFORE INSERT ON messages "
              "WHEN new.body = 'bad' BEGIN "
              "SELECT raise(ABORT, 'constraint'); END");
    for (int i = 0; i < 20; i++) {
        char phone[24], id[24];

        snprintf(id, sizeof(id), "C%d", i);
        snprintf(phone, sizeof(phone), "62810%02d", i);
        last = put(r, phone, id, i % 7 == 3 ? "bad" : "good");
    }
    intake_up(r);
    wait_for(r, last);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 17);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM contacts"), 17);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM chats"), 17);
    assert_int_equal(ASK(r->f, "SELECT sum(unread) FROM chats"), 17);
    assert_int_equal(ASK(r->f, TOLD), 17);
    assert_int_equal(ASK(r->f, "SELECT max(seq) FROM events"),
                     ASK(r->f, "SELECT count(*) FROM events"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters "
                               "WHERE code = 'constraint'"),
                     3);
}

typedef struct {
    const gateway_account_t *account;
    void *record;
    size_t len;
    int rc;
    char reason[200];
    int64_t id;
} replay_t;

static int replay_tx(tx_t *tx, void *arg)
{
    replay_t *p = arg;

    p->rc = intake_replay(tx, p->account, 1, p->record, p->len, p->reason,
                          sizeof(p->reason));
    if (p->rc == WERR_OK) {
        return dead_set_state(tx, p->id, "replayed");
    }
    return p->rc == WERR_INVALID ? WERR_OK : p->rc;
}

static int first_dead(void *ctx, int64_t id, const char *source,
                      int64_t received, const char *code, const char *reason,
                      const char *state)
{
    (void)received;
    (void)reason;
    assert_string_equal(source, "old");
    assert_string_equal(code, "source");
    assert_string_equal(state, "open");
    *(int64_t *)ctx = id;
    return 1;
}

/* The record of an account that was not configured yet, once it is. */
static void dead_letter_is_replayed(void **state)
{
    static const gateway_account_t later = {
        .name = "old", .driver = "waapi", .base_url = "http://127.0.0.1"};
    rig_t *r = *state;
    replay_t p = {.account = &account};

    intake_up(r);
    wait_for(r,
             put_from(r, "old",
                      "{\"event\":\"message.received\",\"data\":{"
                      "\"from\":\"6281234567\",\"message\":\"x\",\"id\":\"R\","
                      "\"timestamp\":1772338206}}"));
    assert_int_equal(dead_list(r->f->db, 10, first_dead, &p.id), WERR_OK);
    assert_int_equal(
        dead_get(r->f->db, p.id, &p.record, &p.len, p.reason, sizeof(p.reason)),
        WERR_OK);
    assert_int_equal(domain_write(&r->f->d, replay_tx, &p), WERR_OK);
    assert_int_equal(p.rc, WERR_INVALID); /* still unknown */
    assert_non_null(strstr(p.reason, "source"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 0);
    r->f->d.settings.welcome = true; /* and yet nobody is greeted */
    p.account = &later;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(domain_write(&r->f->d, replay_tx, &p), WERR_OK);
        assert_int_equal(p.rc, WERR_OK);
    }
    free(p.record);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters "
                               "WHERE state = 'replayed'"),
                     1);
    assert_int_equal(ASK(r->f, "SELECT kind FROM events WHERE kind <> 9"),
                     5); /* the chat's line moved, no new message */
}

static void replaced_spool_starts_anew(void **state)
{
    rig_t *r = *state;

    intake_up(r);
    put(r, "6281234567", "A1", "satu");
    wait_for(r, put(r, "6281234567", "A2", "dua"));
    intake_stop(&r->in);
    spool_close(&r->spool);
    remove_dir(r->path);
    spool_up(r);
    put(r, "6281234567", "A3", "tiga"); /* sequence 1 again */
    intake_up(r);
    wait_for(r, 1);
    wait_empty(r);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 3);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM spool_positions"), 2);
}

static void restored_database_goes_on(void **state)
{
    rig_t *r = *state;
    char backup[200];
    uint64_t seq;

    snprintf(backup, sizeof(backup), "%s/backup.db", r->f->dir);
    intake_up(r);
    wait_for(r, put(r, "6281234567", "A1", "satu"));
    assert_int_equal(store_backup(r->f->store, backup), WERR_OK);
    wait_for(r, put(r, "6281234567", "A2", "dua"));
    intake_stop(&r->in);
    seq = put(r, "6281234567", "A3", "tiga");
    fixture_close(r->f);
    assert_int_equal(rename(backup, r->f->path), 0);
    fixture_open(r->f);
    intake_up(r);
    wait_for(r, seq);
    wait_empty(r);
    /* A2 is in neither: what the spool still had is there, once */
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages "
                               "WHERE wa_id = 'A3'"),
                     1);
}

static int limit_pages(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, arg);
    int rc = db_first(s);

    db_done(s);
    return rc == DB_ROW ? WERR_OK : rc;
}

static void full_database_loses_nothing(void **state)
{
    static const db_query_t small = {"PRAGMA max_page_count = 1", "small", "",
                                     "test"};
    static const db_query_t large = {"PRAGMA max_page_count = 1000000", "large",
                                     "", "test"};
    rig_t *r = *state;
    uint64_t last = 0;
    spool_stat_t st;

    /* no less than it has: the file can grow no more */
    assert_int_equal(
        domain_write(&r->f->d, limit_pages, (void *)(uintptr_t)&small),
        WERR_OK);
    for (int i = 0; i < 500; i++) {
        char id[24];

        snprintf(id, sizeof(id), "F%d", i);
        last = put(r, "6281234567", id, "halo");
    }
    intake_up(r);
    for (int i = 0;
         i < WAIT_MS && atomic_load(&intake_counters(r->in)->faults) < 2; i++) {
        usleep(1000);
    }
    assert_true(atomic_load(&intake_counters(r->in)->faults) >= 2);
    assert_int_equal(atomic_load(&intake_counters(r->in)->dead), 0);
    assert_int_equal(spool_stat(r->spool, &st), SPOOL_OK);
    assert_int_equal(st.records, 500);
    assert_int_equal(
        domain_write(&r->f->d, limit_pages, (void *)(uintptr_t)&large),
        WERR_OK);
    wait_for(r, last);
    wait_empty(r);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 500);
    assert_int_equal(ASK(r->f, "SELECT unread FROM chats"), 500);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters"), 0);
}

/* ---- kill -9 ---- */

static void child(rig_t *r)
{
    log_setup(LOG_ERROR, 2);
    fixture_open(r->f);
    r->f->d.settings.welcome = false;
    spool_up(r);
    intake_up(r);
    for (;;) {
        pause();
    }
}

static void exactly_once_over_kill(void **state)
{
    rig_t *r = *state;
    unsigned seed = 12345;
    int sent = 0;
    uint64_t last = 0;

    spool_close(&r->spool);
    fixture_close(r->f);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0) {
            child(r);
        }
        spool_up(r);
        for (int i = 0; i < 40; i++, sent++) {
            char phone[24], id[24];

            snprintf(phone, sizeof(phone), "62810%02d", sent % 30);
            snprintf(id, sizeof(id), "K%d", sent);
            last = put(r, phone, id, "halo");
            if (i % 5 == 0) {
                last = put(r, phone, id, "halo");
            }
        }
        seed = seed * 1103515245u + 12345u;
        usleep(5000 + (seed >> 8) % 40000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        spool_close(&r->spool);
    }
    fixture_open(r->f);
    r->f->d.settings.welcome = false;
    spool_up(r);
    intake_up(r);
    wait_for(r, last);
    wait_empty(r);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), sent);
    assert_int_equal(ASK(r->f, "SELECT count(DISTINCT wa_id) FROM messages"),
                     sent);
    assert_int_equal(ASK(r->f, "SELECT sum(unread) FROM chats"), sent);
    assert_int_equal(ASK(r->f, TOLD), sent);
    assert_int_equal(ASK(r->f, "SELECT max(seq) FROM events"),
                     ASK(r->f, "SELECT count(*) FROM events"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM contacts"), 30);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM raw_events"),
                     sent + 20 * 8);
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

#define TEST(t) cmocka_unit_test_setup_teardown(t, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exactly_once_over_kill),
        TEST(typing_is_told_not_stored),
        TEST(backlog_is_applied),
        TEST(notice_wakes_it),
        TEST(it_looks_by_itself),
        TEST(repeated_deliveries_count_once),
        TEST(future_time_is_clamped),
        TEST(bad_events_stop_nobody),
        TEST(what_does_not_fit_is_buried_alone),
        TEST(dead_letter_is_replayed),
        TEST(replaced_spool_starts_anew),
        TEST(restored_database_goes_on),
        TEST(full_database_loses_nothing),
        TEST(newcomers_are_greeted_once),
        TEST(old_or_own_messages_greet_nobody),
        TEST(greetings_are_capped),
    };

    log_setup(LOG_ERROR, 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
