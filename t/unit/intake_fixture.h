/*
 * intake_fixture.h - an intake between a spool and a domain of its own, and
 * records put before it.
 */
#ifndef WACRM_T_INTAKE_FIXTURE_H
#define WACRM_T_INTAKE_FIXTURE_H

#include "domain_fixture.h"

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

static inline void spool_up(rig_t *r)
{
    spool_options_t o = {.size = 16 << 20, .create = true};

    if (spool_open(&r->spool, r->path, &o) != SPOOL_OK) {
        fail_msg("%s", o.error);
    }
}

static inline void intake_up(rig_t *r)
{
    intake_options_t o = {.notify_path = r->notify,
                          .accounts = &account,
                          .naccounts = 1,
                          .batch_max = 128}; /* a backlog is several */

    assert_int_equal(intake_start(&r->in, &r->f->d, r->spool, &o), WERR_OK);
}

static inline int rig_setup(void **state)
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

static inline int rig_teardown(void **state)
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

static inline uint64_t put_late(rig_t *r, const char *source, const char *body,
                                int64_t late_ms)
{
    static char data[8192];
    spool_record_t rec = {
        .source = {source, strlen(source)},
        .received_us = (uint64_t)(clock_now_ms() - late_ms) * 1000,
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

static inline uint64_t put_from(rig_t *r, const char *source, const char *body)
{
    return put_late(r, source, body, 0);
}

static inline uint64_t put(rig_t *r, const char *phone, const char *id,
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

static inline void wait_for(rig_t *r, uint64_t seq)
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
static inline void wait_empty(rig_t *r)
{
    spool_stat_t st = {.records = 1};

    for (int i = 0; i < WAIT_MS && st.records > 0; i++) {
        assert_int_equal(spool_stat(r->spool, &st), SPOOL_OK);
        usleep(1000);
    }
    assert_int_equal(st.records, 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, rig_setup, rig_teardown)

#endif
