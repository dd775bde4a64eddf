/*
 * alarm.c - when an alarm is told, and how.
 */
#include "alarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "alarm_state.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"

#define TRIES      5
#define FIRST_MS   5000 /* before the second try; three times as long each */
#define ID_BYTES   12
#define ID_LEN     (2 * ID_BYTES)
#define HOST_BYTES 128

typedef enum { NOTHING, FIRING, ENDED } word_t;
typedef enum { IDLE, CALLING, TOLD, REFUSED } call_t;

/* Times are monotonic but `since`. */
typedef struct {
    alarm_t *alarm;
    word_t said;   /* last */
    word_t saying; /* in the call that is open, or was refused */
    int64_t since; /* ms: it began */
    int64_t at;    /* when FIRING was told */
    int64_t next_try;
    int tries;           /* that were refused */
    int64_t mark;        /* that the open call tells */
    char id[ID_LEN + 1]; /* the same at each try */
    _Atomic int call;
} one_t;

struct alarm_s {
    alarm_options_t o;
    domain_t *domain;
    db_t *db;
    spool_t *spool;
    const outbox_t *outbox;
    alarm_counters_t counters;
    alarm_memory_t memory;
    int64_t told[ALARM_END];
    one_t each[ALARM_END];
    char host[HOST_BYTES];
};

const alarm_counters_t *alarm_counters(const alarm_t *a)
{
    return &a->counters;
}

/* ---- the call ---- */

/* On the client's thread. */
static void on_answer(void *arg, const gw_result_t *r)
{
    one_t *one = arg;
    bool ok = r->http_status >= 200 && r->http_status < 300;

    if (!ok) {
        log_warn("alarm", "msg=\"alarm not taken\" status=%d error=%s",
                 r->http_status, log_str(r->error));
    }
    atomic_fetch_add(
        ok ? &one->alarm->counters.sent : &one->alarm->counters.failed, 1);
    atomic_store(&one->call, ok ? TOLD : REFUSED);
}

static void write_body(const one_t *one, alarm_kind_t kind,
                       const alarm_state_t *s, buf_t *b)
{
    jw_open_object(b, NULL);
    jw_str(b, "alarm", alarm_name(kind));
    jw_str(b, "state", one->saying == FIRING ? "firing" : "ended");
    jw_str(b, "text", s->text);
    jw_i64(b, "value", s->value);
    jw_time(b, "since", one->since);
    jw_str(b, "host", one->alarm->host);
    jw_close_object(b);
}

/* https://www.standardwebhooks.com: HMAC-SHA256 over "id.timestamp.body". */
static bool sign(const one_t *one, const char *secret, gw_request_t *r)
{
    char signature[BASE64_LEN(EVP_MAX_MD_SIZE) + 1];
    long long now = (long long)(clock_now_ms() / 1000);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool ok;
    buf_t text;

    buf_addf(&r->headers, "webhook-id: %s\nwebhook-timestamp: %lld\n", one->id,
             now);
    if (secret == NULL) {
        return true;
    }
    buf_init(&text, 0);
    buf_addf(&text, "%s.%lld.", one->id, now);
    buf_add(&text, r->body.data, r->body.len);
    ok = !text.failed &&
         HMAC(EVP_sha256(), secret, (int)strlen(secret),
              (const unsigned char *)text.data, text.len, mac, &len) != NULL;
    buf_free(&text);
    if (ok) {
        signature[base64_encode(signature, mac, len)] = '\0';
        buf_addf(&r->headers, "webhook-signature: v1,%s\n", signature);
    }
    return ok;
}

static bool name_call(one_t *one)
{
    unsigned char bytes[ID_BYTES];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(one->id + 2 * i, 3, "%02x", bytes[i]);
    }
    return true;
}

static void call(one_t *one, alarm_kind_t kind, const alarm_state_t *s)
{
    alarm_t *a = one->alarm;
    gw_request_t r;
    int rc;

    gw_request_init(&r);
    r.method = "POST";
    buf_adds(&r.url, a->o.url);
    write_body(one, kind, s, &r.body);
    one->mark = s->mark;
    if (r.body.failed || !sign(one, a->o.secret, &r)) {
        gw_request_free(&r);
        rc = WERR_NOMEM;
    } else {
        atomic_store(&one->call, CALLING);
        rc = gw_submit(outbox_client(a->outbox), NULL, &r, 0, on_answer, one);
    }
    if (rc < 0) {
        atomic_store(&one->call, REFUSED);
        log_warn("alarm", "msg=\"alarm not sent\" error=%s",
                 log_str(werr_text(rc)));
    }
}

/* ---- when ---- */

static void settle(one_t *one, alarm_kind_t kind, int64_t now)
{
    int was = atomic_load(&one->call);
    bool given_up;

    if (was != TOLD && was != REFUSED) {
        return;
    }
    atomic_store(&one->call, IDLE);
    given_up = was == REFUSED && ++one->tries >= TRIES;
    if (was == REFUSED && !given_up) {
        int64_t wait = FIRST_MS;

        for (int i = 1; i < one->tries; i++) {
            wait *= 3;
        }
        one->next_try = now + wait;
        return;
    }
    if (given_up) {
        log_error("alarm", "msg=\"an alarm reached nobody\" alarm=%s",
                  alarm_name(kind));
    }
    one->said = one->saying;
    one->tries = 0;
    one->next_try = 0;
    one->alarm->told[kind] = one->mark;
    if (one->said == FIRING) {
        one->at = now;
    }
}

static word_t word(const one_t *one, const alarm_state_t *s, int64_t now)
{
    int64_t repeat = (int64_t)one->alarm->o.repeat_s * 1000;

    if (!s->firing) {
        return one->said == FIRING ? ENDED : NOTHING;
    }
    return s->new && (one->at == 0 || now - one->at >= repeat) ? FIRING
                                                               : NOTHING;
}

static void step(one_t *one, alarm_kind_t kind, const alarm_state_t *s,
                 int64_t now)
{
    word_t w;

    settle(one, kind, now);
    if (s->firing && one->since == 0) {
        one->since = clock_now_ms();
        log_warn("alarm", "msg=\"alarm\" alarm=%s value=%lld", alarm_name(kind),
                 (long long)s->value);
    }
    w = word(one, s, now);
    if (w != one->saying) {
        one->tries = 0;
        one->next_try = 0;
    }
    if (one->alarm->o.url != NULL && w != NOTHING && now >= one->next_try &&
        atomic_load(&one->call) == IDLE && (one->tries > 0 || name_call(one))) {
        one->saying = w;
        call(one, kind, s);
    }
    if (!s->firing && one->since != 0 && w != ENDED) {
        one->since = 0;
        log_info("alarm", "msg=\"alarm ended\" alarm=%s", alarm_name(kind));
    }
}

void alarm_look(alarm_t *a)
{
    alarm_state_t now[ALARM_END];
    int64_t firing = 0, mono = clock_mono_ms();
    int rc = alarm_read(&a->o, a->domain, a->db, a->spool, a->outbox,
                        &a->memory, a->told, now);

    if (rc < 0) {
        log_error("alarm", "msg=\"cannot look\" error=%s",
                  log_str(werr_text(rc)));
        return;
    }
    for (int i = 0; i < ALARM_END; i++) {
        step(&a->each[i], (alarm_kind_t)i, &now[i], mono);
        firing += now[i].firing;
    }
    atomic_store(&a->counters.firing, firing);
    log_debug("alarm", "msg=\"looked for alarms\" firing=%lld",
              (long long)firing);
}

int alarm_new(alarm_t **out, const alarm_options_t *o, domain_t *d,
              spool_t *spool, const outbox_t *outbox)
{
    alarm_t *a = calloc(1, sizeof(*a));
    int rc;

    *out = a;
    if (a == NULL) {
        return WERR_NOMEM;
    }
    a->o = *o;
    a->domain = d;
    a->spool = spool;
    a->outbox = outbox;
    if (gethostname(a->host, sizeof(a->host) - 1) != 0) {
        a->host[0] = '\0';
    }
    for (int i = 0; i < ALARM_END; i++) {
        a->each[i].alarm = a;
    }
    rc = store_reader(d->store, &a->db);
    if (rc < 0) {
        alarm_free(out);
    }
    return rc;
}

void alarm_free(alarm_t **a)
{
    if (*a != NULL) {
        store_reader_close(&(*a)->db);
    }
    free(*a);
    *a = NULL;
}
