/*
 * realtime_fixture.h - a realtime thread on a domain of its own with two agents
 * and a session each, and raw WebSockets to it.
 */
#ifndef WACRM_T_REALTIME_FIXTURE_H
#define WACRM_T_REALTIME_FIXTURE_H

#include "domain_fixture.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "base/log.h"
#include "domain/event.h"
#include "domain/user.h"
#include "realtime/internal.h"
#include "realtime/sign.h"

#define SECRET "7ad3773142a6692b25b8"
#define KEY    "278d425bdf160c739803"
#define FRAME  (256u << 10)

enum { AGENT = 1, OTHER = 2 };

static fixture_t f;
static realtime_t *rt;
static int64_t mine, theirs; /* sessions */

/* ---- the desk behind it ---- */

DB_QUERY(fixture_user,
         "INSERT INTO users (id, name, email, password_hash, role, active,"
         " created_at, updated_at) VALUES ($1, 'X', $2, 'x', 'cs', 1, 0, 0)");
DB_QUERY(fixture_owner,
         "UPDATE sessions SET user_id = $2, everyone = 0 WHERE id = $1");
DB_QUERY(fixture_off, "UPDATE users SET active = 0 WHERE id = $1");

static inline int add_agent(tx_t *tx, int64_t id, const char *email,
                            const char *remote, int64_t *session)
{
    db_stmt_t *s = db_stmt(tx->db, &fixture_user);
    int rc;
    db_bind_i64(s, 1, id);
    db_bind_text(s, 2, email);
    rc = db_exec(s);
    if (rc == WERR_OK) {
        rc = ensure_session(tx, "main", remote, session);
    }
    s = db_stmt(tx->db, &fixture_owner);
    db_bind_i64(s, 1, *session);
    db_bind_i64(s, 2, id);
    return rc == WERR_OK ? db_exec(s) : rc;
}

static inline int add_agents(tx_t *tx, void *arg)
{
    int rc = add_agent(tx, AGENT, "a@x", "satu", &mine);
    (void)arg;
    return rc == WERR_OK ? add_agent(tx, OTHER, "b@x", "dua", &theirs) : rc;
}

typedef struct {
    int64_t session;
    const char *text;
    const char *id;
    message_ref_t ref;
} heard_t;

static inline int receive(tx_t *tx, void *arg)
{
    heard_t *s = arg;
    contact_hint_t hint = {
        .phone = "6281230000001", .name = "Budi", .wrote = true};
    contact_ref_t contact;
    message_in_t in = {.session = s->session,
                       .wa_id = s->id,
                       .ts = tx->now,
                       .type = "text",
                       .text = s->text,
                       .live = true,
                       .received = tx->now};
    int rc = contact_ensure(tx, &hint, &contact);
    return rc == WERR_OK ? message_receive(tx, contact.id, &in, &s->ref) : rc;
}

/* The chat. */
static inline int64_t hear(int64_t session, const char *text)
{
    static int n;
    char id[16];
    heard_t s = {.session = session, .text = text, .id = id};
    snprintf(id, sizeof(id), "w%d", n++);
    assert_int_equal(domain_write(&f.d, receive, &s), WERR_OK);
    return s.ref.chat;
}

/* ---- raw clients ---- */

typedef struct {
    int fd;
    char id[REALTIME_SOCKET_MAX];
    char text[FRAME]; /* of the last frame */
    size_t len;
    unsigned op;
} ws_t;

static inline void write_all(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* A masked frame, as a client's; its length. */
static inline size_t pack(unsigned first, const char *text, size_t len,
                          unsigned char *out)
{
    static const unsigned char mask[4] = {1, 2, 3, 4};
    size_t n = 0;
    out[n++] = (unsigned char)first;
    if (len < 126) {
        out[n++] = (unsigned char)(0x80 | len);
    } else {
        out[n++] = 0x80 | 126;
        out[n++] = (unsigned char)(len >> 8);
        out[n++] = (unsigned char)len;
    }
    memcpy(out + n, mask, 4);
    n += 4;
    for (size_t i = 0; i < len; i++) {
        out[n++] = (unsigned char)text[i] ^ mask[i % 4];
    }
    return n;
}

static inline void tell_op(const ws_t *w, unsigned first, const char *text,
                           size_t len)
{
    static unsigned char out[FRAME];
    write_all(w->fd, out, pack(first, text, len, out));
}

static inline void tell(const ws_t *w, const char *text)
{
    tell_op(w, 0x81, text, strlen(text));
}

static inline bool read_all(int fd, void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* The next frame; false: the end, or nothing within 5 s. */
static inline bool next(ws_t *w)
{
    unsigned char h[10];
    w->text[0] = '\0';
    if (!read_all(w->fd, h, 2)) {
        return false;
    }
    assert_int_equal(h[0] & 0xf0, 0x80);
    assert_int_equal(h[1] & 0x80, 0);
    w->op = h[0] & 15;
    w->len = h[1];
    if (w->len >= 126) {
        size_t more = w->len == 126 ? 2 : 8;
        assert_true(read_all(w->fd, h + 2, more));
        w->len = 0;
        for (size_t i = 0; i < more; i++) {
            w->len = w->len << 8 | h[2 + i];
        }
    }
    assert_true(w->len < sizeof(w->text));
    assert_true(read_all(w->fd, w->text, w->len));
    w->text[w->len] = '\0';
    return true;
}

static inline void expect(ws_t *w, const char *text)
{
    assert_true(next(w));
    assert_int_equal(w->op, 1);
    assert_string_equal(w->text, text);
}

static inline void expect_has(ws_t *w, const char *part)
{
    assert_true(next(w));
    if (strstr(w->text, part) == NULL) {
        fail_msg("no %s in %s", part, w->text);
    }
}

/* pusher:error where it is one of the protocol, the close frame, the end. */
static inline void expect_close(ws_t *w, unsigned code)
{
    if (code >= 4000) {
        char part[32];
        snprintf(part, sizeof(part), "{\\\"code\\\":%u,", code);
        expect_has(w, part);
        assert_non_null(strstr(w->text, "\"pusher:error\""));
    }
    assert_true(next(w));
    assert_int_equal(w->op, 8);
    assert_int_equal((unsigned char)w->text[0] << 8 | (unsigned char)w->text[1],
                     code);
    assert_false(next(w));
    close(w->fd);
}

static inline ws_t *arrive(const char *early, size_t len, int refuse)
{
    const struct timeval patience = {5, 0};
    ws_t *w = calloc(1, sizeof(*w));
    int pair[2];
    assert_non_null(w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
                                sizeof(patience)),
                     0);
    w->fd = pair[0];
    realtime_take(rt, pair[1], early, len, refuse);
    return w;
}

static inline ws_t *meet(void)
{
    ws_t *w = arrive(NULL, 0, 0);
    static const char before[] = "{\"event\":\"pusher:connection_established\","
                                 "\"data\":\"{\\\"socket_id\\\":\\\"";
    char want[256];
    assert_true(next(w));
    assert_memory_equal(w->text, before, sizeof(before) - 1);
    snprintf(w->id, sizeof(w->id), "%.*s",
             (int)strspn(w->text + sizeof(before) - 1, "0123456789."),
             w->text + sizeof(before) - 1);
    snprintf(want, sizeof(want), "%s%s\\\",\\\"activity_timeout\\\":30}\"}",
             before, w->id);
    assert_string_equal(w->text, want);
    return w;
}

/* Who sends this frame is closed with that code. */
static inline void expect_refusal(unsigned first, const char *text, size_t len,
                                  unsigned code)
{
    ws_t *w = meet();
    tell_op(w, first, text, len);
    expect_close(w, code);
    free(w);
}

static inline void leave(ws_t *w)
{
    close(w->fd);
    free(w);
}

static inline void wait_connections(int64_t n)
{
    const struct timespec pause = {0, 2000000};
    for (int i = 0; i < 2500; i++) {
        if (atomic_load(&realtime_counters(rt)->connections) == n) {
            return;
        }
        nanosleep(&pause, NULL);
    }
    fail_msg("%lld connections",
             (long long)atomic_load(&realtime_counters(rt)->connections));
}

/* data: channel_data, or NULL. */
static inline void ask(ws_t *w, const char *channel, const char *data)
{
    char hex[SIGN_HEX];
    buf_t b;
    buf_init(&b, 0);
    assert_true(sign_channel(SECRET, w->id, channel, data, hex));
    buf_addf(
        &b, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"" KEY ":%s\"",
        hex);
    b.comma = true;
    jw_str(&b, "channel", channel);
    if (data != NULL) {
        jw_str(&b, "channel_data", data);
    }
    buf_adds(&b, "}}");
    tell(w, b.data);
    buf_free(&b);
}

static inline void subscribe(ws_t *w, const char *channel)
{
    char want[256];
    ask(w, channel, NULL);
    snprintf(want, sizeof(want),
             "{\"event\":\"pusher_internal:subscription_succeeded\","
             "\"channel\":\"%s\",\"data\":\"{}\"}",
             channel);
    expect(w, want);
}

static inline void authorise(const ws_t *w, int64_t user, int64_t exp)
{
    char jti[16];
    snprintf(jti, sizeof(jti), "jti-%lld", (long long)user);
    assert_int_equal(realtime_authorise(rt, w->id, user, jti, exp), WERR_OK);
}

static const int64_t later = INT64_C(4000000000);

static inline ws_t *meet_agent(int64_t user)
{
    ws_t *w = meet();
    authorise(w, user, later);
    subscribe(w, "private-inbox");
    return w;
}

static const realtime_options_t usual = {
    .app_id = "3",
    .key = KEY,
    .secret = SECRET,
    .event_prefix = "App\\Events\\",
    .max_connections = 100,
    .max_channels = 5,
    .max_members = 3,
    .client_events = 10,
    .max_message = 4096,
    .max_queue = 256 << 10,
    .activity_timeout_s = 30,
};

static inline void begin(const realtime_options_t *o)
{
    const char *tmp = getenv("TMPDIR");
    memset(&f, 0, sizeof(f));
    log_setup(LOG_ERROR, 2);
    snprintf(f.dir, sizeof(f.dir), "%.80s/wacrm-rt-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof(f.path), "%s/crm.db", f.dir);
    fixture_open(&f);
    assert_int_equal(domain_write(&f.d, add_agents, NULL), WERR_OK);
    assert_int_equal(realtime_start(&rt, &f.d, o), WERR_OK);
}

static inline int setup(void **state)
{
    (void)state;
    begin(&usual);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    realtime_stop(&rt);
    store_reader_close(&f.db);
    store_close(&f.store);
    remove_dir(f.dir);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
