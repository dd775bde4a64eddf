/* intake: bad events, dead letters, replaced stores, a full disk, kills. */
#include "intake_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"

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

/* What is undone, and done again, does not count twice. */
static void newcomers_beside_a_bad_event_are_greeted(void **state)
{
    rig_t *r = *state;
    uint64_t last;

    RUN(r->f, "CREATE TRIGGER t BEFORE INSERT ON messages "
              "WHEN new.body = 'bad' BEGIN "
              "SELECT raise(ABORT, 'constraint'); END");
    r->f->d.settings.welcome = true;
    r->f->d.settings.welcome_per_minute = 4;
    put(r, "6281001", "N1", "halo");
    put(r, "6281002", "N2", "halo");
    put(r, "6281003", "N3", "halo");
    last = put(r, "6281004", "N4", "bad");
    intake_up(r);
    wait_for(r, last);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters"), 1);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages "
                               "WHERE source = 'auto'"),
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

/* What a session was then says nothing of today: the gateway is asked. */
static void replay_sets_no_session(void **state)
{
    static const gateway_account_t later = {
        .name = "old", .driver = "waapi", .base_url = "http://127.0.0.1"};
    rig_t *r = *state;
    replay_t p = {.account = &later};

    intake_up(r);
    wait_for(r, put_from(r, "old",
                         "{\"event\":\"session.connected\","
                         "\"sessionId\":\"s1\",\"data\":{}}"));
    assert_int_equal(dead_list(r->f->db, 10, first_dead, &p.id), WERR_OK);
    assert_int_equal(
        dead_get(r->f->db, p.id, &p.record, &p.len, p.reason, sizeof(p.reason)),
        WERR_OK);
    assert_int_equal(domain_write(&r->f->d, replay_tx, &p), WERR_OK);
    free(p.record);
    assert_int_equal(p.rc, WERR_OK);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM dead_letters "
                               "WHERE state = 'replayed'"),
                     1);
    assert_int_equal(ASK(r->f, "SELECT count(raw_status) FROM sessions"), 0);
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

/* ---- the spool does not take a deletion ---- */

/* Before libc's: how many times write.lock cannot be taken. */
static atomic_int refused;

int flock(int fd, int how)
{
    int left = atomic_load(&refused);

    while ((how & LOCK_EX) != 0 && left > 0) {
        if (atomic_compare_exchange_weak(&refused, &left, left - 1)) {
            errno = ENOLCK;
            return -1;
        }
    }
    return (int)syscall(SYS_flock, fd, how);
}

static int lines_with(int fd, const char *words)
{
    char text[4096];
    ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
    int n = 0;

    assert_in_range(len, 0, sizeof(text) - 1);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++) {
        n++;
    }
    return n;
}

/* No event need come for what is left to go; and once is enough to tell. */
static void deletion_is_tried_again(void **state)
{
    rig_t *r = *state;
    uint64_t last = 0;
    char path[200];
    int fd;

    for (int i = 0; i < 200; i++) { /* batches, one ahead of the other */
        char id[24];

        snprintf(id, sizeof(id), "D%d", i);
        last = put(r, "6281234567", id, "halo");
    }
    snprintf(path, sizeof(path), "%s/log", r->f->dir);
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    log_setup(LOG_ERROR, fd);
    atomic_store(&refused, 3);
    intake_up(r);
    wait_for(r, last);
    wait_empty(r);
    intake_stop(&r->in);
    log_setup(LOG_ERROR, 2);
    assert_int_equal(atomic_load(&refused), 0);
    assert_int_equal(lines_with(fd, "cannot delete"), 1);
    close(fd);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 200);
}

/* What a later version can read leaves the quarantine, and is applied. */
static void requeued_is_applied(void **state)
{
    rig_t *r = *state;
    uint64_t seq = put(r, "6281234567", "Q1", "halo");
    spool_stat_t st;

    assert_int_equal(spool_quarantine(r->spool, seq, "of a later version"),
                     SPOOL_OK);
    intake_up(r);
    wait_for(r, put(r, "6281234567", "Q2", "halo"));
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages"), 1);
    assert_int_equal(spool_requeue(r->spool, seq), SPOOL_OK);
    wait_for(r, seq + 2);
    wait_empty(r);
    assert_int_equal(ASK(r->f, "SELECT count(*) FROM messages "
                               "WHERE wa_id = 'Q1'"),
                     1);
    assert_int_equal(spool_stat(r->spool, &st), SPOOL_OK);
    assert_int_equal(st.quarantine, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exactly_once_over_kill),
        TEST(bad_events_stop_nobody),
        TEST(what_does_not_fit_is_buried_alone),
        TEST(newcomers_beside_a_bad_event_are_greeted),
        TEST(dead_letter_is_replayed),
        TEST(replay_sets_no_session),
        TEST(replaced_spool_starts_anew),
        TEST(restored_database_goes_on),
        TEST(full_database_loses_nothing),
        TEST(deletion_is_tried_again),
        TEST(requeued_is_applied),
    };

    log_setup(LOG_ERROR, 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
