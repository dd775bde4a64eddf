/* outbox: where nothing of a message has left here it has not been tried. */
#include "outbox_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "domain/delivery.h"

#define FILLERS 8

DB_QUERY(tried_twice, "UPDATE outbox SET attempts = 2");
DB_QUERY(queued_at, "UPDATE outbox SET created_at = $1");

DB_QUERY(in_flight, "SELECT count(*) FROM outbox WHERE state = 1");
DB_QUERY(all_sent, "UPDATE outbox SET state = 4");

#define HELD_MAX 32

/* A port whose listener takes no connection. */
static struct {
    char base[64];
    struct sockaddr_in address;
    int fd, fillers[FILLERS];
    pthread_t thread; /* of close_each(), hold_sends() or take_sends() */
    bool closes;
    int held[HELD_MAX];
    _Atomic int nheld;
} deaf;

/* Whoever comes is refused. */
static void bind_deaf(const char *scheme)
{
    socklen_t len = sizeof(deaf.address);

    memset(&deaf, 0, sizeof(deaf));
    memset(deaf.fillers, -1, sizeof(deaf.fillers));
    deaf.address.sin_family = AF_INET;
    deaf.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    deaf.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(
        bind(deaf.fd, (struct sockaddr *)&deaf.address, sizeof(deaf.address)),
        0);
    assert_int_equal(
        getsockname(deaf.fd, (struct sockaddr *)&deaf.address, &len), 0);
    (void)snprintf(deaf.base, sizeof(deaf.base), "%s://127.0.0.1:%d", scheme,
                   ntohs(deaf.address.sin_port));
    desk.account.base_url = deaf.base;
}

static void open_deaf(const char *scheme)
{
    bind_deaf(scheme);
    assert_int_equal(listen(deaf.fd, 0), 0);
}

/* Takes its last places: whoever comes next is not even answered. */
static void fill_deaf(void)
{
    for (size_t i = 0; i < FILLERS; i++) {
        struct pollfd p = {.events = POLLOUT};

        deaf.fillers[i] = p.fd =
            socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(p.fd, (struct sockaddr *)&deaf.address,
                      sizeof(deaf.address));
        if (poll(&p, 1, 200) == 0) {
            return;
        }
    }
    fail_msg("all of %d have been connected", FILLERS);
}

/* A proxy with nobody behind it. */
static void *close_each(void *arg)
{
    int fd;

    while ((fd = accept(deaf.fd, NULL, NULL)) >= 0) {
        (void)close(fd);
    }
    return arg;
}

/* Its body, too: what is closed unread would take the answer with it. */
static void read_request(int fd, char *out, size_t size)
{
    struct timeval limit = {.tv_sec = 5};
    size_t len = 0, whole = size;
    ssize_t n = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    out[0] = '\0';
    while (n > 0 && len < whole && len < size - 1) {
        const char *length, *end;

        n = recv(fd, out + len, size - 1 - len, 0);
        len += n > 0 ? (size_t)n : 0;
        out[len] = '\0';
        end = strstr(out, "\r\n\r\n");
        length = strstr(out, "Content-Length: ");
        if (end) {
            whole = (size_t)(end + 4 - out) +
                    (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
}

static void answer(int fd, const char *status, const char *body)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     status, strlen(body), body);

    (void)send(fd, text, (size_t)n, MSG_NOSIGNAL);
    (void)close(fd);
}

/* A gateway that is back, and answers all but what it is to send. */
static void *hold_sends(void *arg)
{
    char request[2048];
    int fd;

    while ((fd = accept(deaf.fd, NULL, NULL)) >= 0) {
        read_request(fd, request, sizeof(request));
        if (strncmp(request, "POST ", 5) == 0 && deaf.nheld < HELD_MAX) {
            deaf.held[deaf.nheld++] = fd;
            continue;
        }
        answer(fd, "503 Busy", "");
    }
    return arg;
}

/* One that is back, and sends for those who have signed in. */
static void *take_sends(void *arg)
{
    char request[2048];
    int fd;

    while ((fd = accept(deaf.fd, NULL, NULL)) >= 0) {
        read_request(fd, request, sizeof(request));
        if (strncmp(request, "POST /auth/login ", 17) == 0) {
            answer(fd, "200 OK", "{\"data\":{\"token\":\"fresh\"}}");
        } else if (strstr(request, "Authorization: Bearer fresh\r\n")) {
            answer(fd, "200 OK",
                   "{\"success\":true,"
                   "\"data\":{\"message_id\":\"3EB0FRESH\"}}");
        } else {
            answer(fd, "401 Unauthorized", "{\"success\":false}");
        }
    }
    return arg;
}

static void come_back(void *(*as)(void *))
{
    assert_int_equal(listen(deaf.fd, 2 * HELD_MAX), 0);
    assert_int_equal(pthread_create(&deaf.thread, NULL, as, NULL), 0);
    deaf.closes = true;
}

static void wait_held(int n)
{
    int64_t until = clock_mono_ms() + 40000;

    while (deaf.nheld < n && clock_mono_ms() < until) {
        (void)usleep(5000);
    }
    assert_true(deaf.nheld >= n);
}

static int teardown_deaf(void **state)
{
    int rc = teardown(state);

    if (deaf.closes) {
        (void)shutdown(deaf.fd, SHUT_RDWR);
        (void)pthread_join(deaf.thread, NULL);
    }
    for (int i = 0; i < deaf.nheld; i++) {
        (void)close(deaf.held[i]);
    }
    for (size_t i = 0; i < FILLERS; i++) {
        if (deaf.fillers[i] >= 0) {
            (void)close(deaf.fillers[i]);
        }
    }
    (void)close(deaf.fd);
    return rc;
}

/* Without one more try: it would have failed. */
static void waits_for_the_gateway(void)
{
    const outbox_counters_t *n;
    int64_t id, until = clock_mono_ms() + 12000;

    desk.options.tries = 1;
    desk.account.timeout_s = 1;
    id = queue("6281333000300", "sabar");
    start_outbox();
    n = outbox_counters(desk.outbox);
    while (n->retried + n->failed < 2 && clock_mono_ms() < until) {
        (void)usleep(20000);
    }
    assert_int_equal(n->failed, 0);
    assert_true(n->retried >= 2);
    stop_outbox(0);
    assert_int_equal(row(id).state, DELIVERY_QUEUED);
    assert_int_equal(row(id).attempts, 0);
    assert_int_equal(row(id).status, STATUS_QUEUED);
}

static void packets_are_swallowed(void **state)
{
    (void)state;
    open_deaf("http");
    fill_deaf();
    desk.account.token = "t";
    waits_for_the_gateway();
}

static void sign_in_is_swallowed(void **state)
{
    (void)state;
    open_deaf("http");
    fill_deaf();
    waits_for_the_gateway();
}

static void handshake_is_swallowed(void **state)
{
    (void)state;
    open_deaf("https");
    desk.account.token = "t";
    waits_for_the_gateway();
}

static void handshake_is_cut(void **state)
{
    (void)state;
    open_deaf("https");
    assert_int_equal(pthread_create(&deaf.thread, NULL, close_each, NULL), 0);
    deaf.closes = true;
    desk.account.token = "t";
    waits_for_the_gateway();
}

static int queued_at_tx(tx_t *tx, void *arg)
{
    db_stmt_t *s = db_stmt(tx->db, &queued_at);

    db_bind_i64(s, 1, *(int64_t *)arg);
    return db_exec(s);
}

/* Off for a weekend: one packet that is lost then is no reason to fail. */
static void old_ones_have_their_tries(void **state)
{
    int64_t id, then = clock_now_ms() - 25 * DAY_MS / 24;
    row_t r;

    (void)state;
    open_deaf("http");
    fill_deaf();
    desk.account.token = "t";
    desk.account.timeout_s = 1;
    desk.options.tries = 2;
    id = queue("6281333000302", "Sabtu");
    assert_int_equal(domain_write(&desk.domain, queued_at_tx, &then), WERR_OK);
    start_outbox();
    r = wait_for(id, DELIVERY_FAILED);
    assert_int_equal(outbox_counters(desk.outbox)->retried, 1);
    assert_int_equal(r.attempts, 2);
    assert_int_equal(r.status, STATUS_FAILED);
}

static int tried_twice_tx(tx_t *tx, void *arg)
{
    (void)arg;
    return db_exec(db_stmt(tx->db, &tried_twice));
}

/* The end of wacrmd is no fault of the message. */
static void stopped_before_a_byte(void **state)
{
    int64_t id;

    (void)state;
    open_deaf("http");
    fill_deaf();
    desk.account.token = "t";
    desk.account.timeout_s = 30;
    id = queue("6281333000301", "besok");
    assert_int_equal(domain_write(&desk.domain, tried_twice_tx, NULL), WERR_OK);
    start_outbox();
    (void)wait_for(id, DELIVERY_INFLIGHT);
    stop_outbox(0);
    assert_int_equal(row(id).state, DELIVERY_QUEUED);
    assert_int_equal(row(id).attempts, 2);
    assert_int_equal(row(id).status, STATUS_QUEUED);
}

/* ---- two gateways, one of them deaf ---- */

#define PLACES 4
#define CHATS  8

DB_QUERY(pause_of, "SELECT not_before - updated_at FROM outbox "
                   "WHERE message_id = $1 AND state = 0");

typedef struct {
    const char *account, *session;
    int64_t id;
} numbered_t;

static int number_tx(tx_t *tx, void *arg)
{
    numbered_t *n = arg;
    int64_t account;
    int rc = account_ensure(tx, n->account, &account);

    return rc == WERR_OK ? session_ensure(tx, account, n->session, &n->id) : rc;
}

static int64_t queue_from(const numbered_t *n, const char *phone)
{
    int64_t live = desk.session, id;

    desk.session = n->id;
    id = queue(phone, "halo");
    desk.session = live;
    return id;
}

/* The simulator, and the one that is deaf; until the outbox has stopped. */
static gateway_account_t accounts[2];

static void start_two(void)
{
    accounts[0] = desk.account;
    accounts[0].base_url = sim.base;
    accounts[1] = desk.account;
    accounts[1].name = "deaf";
    accounts[1].token = "t";
    assert_int_equal(
        outbox_start(&desk.outbox, &desk.domain, &desk.options, accounts, 2),
        WERR_OK);
}

static void wait_retried(int64_t n)
{
    const outbox_counters_t *c = outbox_counters(desk.outbox);
    int64_t until = clock_mono_ms() + 30000;

    while (c->retried < n && clock_mono_ms() < until) {
        (void)usleep(5000);
    }
    assert_true(c->retried >= n);
}

/* A second round of all its chats would take all places once more. */
static void another_one_does_not_wait(void **state)
{
    numbered_t numbers[2] = {{"deaf", "d1", 0}, {"deaf", "d2", 0}};
    char phone[24];
    int64_t id;

    (void)state;
    open_deaf("http");
    fill_deaf();
    desk.options.max_inflight = PLACES;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(domain_write(&desk.domain, number_tx, &numbers[i]),
                         WERR_OK);
    }
    for (int i = 0; i < CHATS; i++) {
        (void)snprintf(phone, sizeof(phone), "62813330004%02d", i);
        (void)queue_from(&numbers[i % 2], phone);
    }
    start_two();
    wait_retried(PLACES);
    id = queue("6281333000303", "hidup");
    (void)wait_for(id, DELIVERY_SENT);
    assert_true(outbox_counters(desk.outbox)->retried < 2L * PLACES);
    assert_int_equal(outbox_counters(desk.outbox)->failed, 0);
}

static int all_sent_tx(tx_t *tx, void *arg)
{
    (void)arg;
    return db_exec(db_stmt(tx->db, &all_sent));
}

/* Nothing depends on a receipt: all of them leave places for what is said. */
static void receipts_do_not_take_all_places(void **state)
{
    numbered_t number = {"deaf", "d1", 0};
    int64_t ids[CHATS], n = 0, until = clock_mono_ms() + 12000;
    char phone[24];

    (void)state;
    open_deaf("http");
    fill_deaf();
    desk.account.timeout_s = 30;
    desk.options.max_inflight = PLACES;
    assert_int_equal(domain_write(&desk.domain, number_tx, &number), WERR_OK);
    for (int i = 0; i < CHATS; i++) {
        (void)snprintf(phone, sizeof(phone), "62813330009%02d", i);
        ids[i] = queue_from(&number, phone);
    }
    assert_int_equal(domain_write(&desk.domain, all_sent_tx, NULL), WERR_OK);
    for (int i = 0; i < CHATS; i++) {
        assert_int_equal(domain_write(&desk.domain, read_tx, &ids[i]), WERR_OK);
    }
    start_two();
    while (n == 0 && clock_mono_ms() < until) {
        (void)usleep(5000);
        assert_int_equal(db_first_i64(db_stmt(desk.db, &in_flight), &n),
                         WERR_OK);
    }
    assert_in_range(n, 1, PLACES - 1);
    (void)wait_for(queue("6281333000303", "hidup"), DELIVERY_SENT);
    assert_int_equal(outbox_counters(desk.outbox)->failed, 0);
}

/* Where it has been asked again meanwhile: after that, which is no shorter. */
static int64_t pause_of_next(int64_t id)
{
    int64_t until = clock_mono_ms() + 30000, ms = 0;
    int rc = WERR_NOTFOUND;

    while (rc == WERR_NOTFOUND && clock_mono_ms() < until) {
        db_stmt_t *s = db_stmt(desk.db, &pause_of);

        db_bind_i64(s, 1, id);
        rc = db_first_i64(s, &ms);
        (void)usleep(5000);
    }
    assert_int_equal(rc, WERR_OK);
    return ms;
}

/* What another gateway answers says nothing of this one. */
static void its_pauses_are_its_own(void **state)
{
    numbered_t number = {"deaf", "d1", 0};
    int64_t id;

    (void)state;
    open_deaf("http");
    fill_deaf();
    desk.account.timeout_s = 1;
    desk.options.backoff_s[0] = 1;
    desk.options.backoff_s[1] = 60;
    desk.options.nbackoff = 2;
    assert_int_equal(domain_write(&desk.domain, number_tx, &number), WERR_OK);
    id = queue_from(&number, "6281333000400");
    start_two();
    wait_retried(1);
    (void)wait_for(queue("6281333000303", "hidup"), DELIVERY_SENT);
    wait_retried(2);
    assert_in_range(pause_of_next(id), 1500, 60000);
}

/* ---- it is back ---- */

/* Nobody was asked for a token: the next one that leaves asks for it first. */
static void signs_in_when_it_is_back(void **state)
{
    int64_t id;
    row_t r;

    (void)state;
    bind_deaf("http");
    desk.options.tries = 1;
    id = queue("6281333000700", "halo");
    start_outbox();
    wait_retried(1);
    come_back(take_sends);
    r = wait_for(id, DELIVERY_SENT);
    assert_int_equal(r.attempts, 1);
    assert_string_equal(r.wa_id, "3EB0FRESH");
}

/* ---- it is back, and slow ---- */

/* What takes its bytes is there: nobody waits for the end of one that it
 * leaves without an answer. */
static void slow_is_not_away(void **state)
{
    char phone[24];

    (void)state;
    bind_deaf("http");
    desk.account.token = "t";
    (void)queue("6281333000500", "halo");
    start_outbox();
    wait_retried(1);
    come_back(hold_sends);
    for (int i = 1; i < 4; i++) {
        (void)snprintf(phone, sizeof(phone), "62813330005%02d", i);
        (void)queue(phone, "halo");
    }
    wait_held(4);
    assert_true(outbox_counters(desk.outbox)->unknown < 3);
}

/* None waits here for a connection that others have, nor for its time-out. */
static void slow_takes_as_many_as_leave(void **state)
{
    char phone[24];

    (void)state;
    bind_deaf("http");
    come_back(hold_sends);
    desk.account.token = "t";
    desk.account.timeout_s = 30;
    for (int i = 0; i < desk.options.max_inflight; i++) {
        (void)snprintf(phone, sizeof(phone), "62813330008%02d", i);
        (void)queue(phone, "halo");
    }
    start_outbox();
    wait_held(desk.options.max_inflight);
    assert_int_equal(outbox_counters(desk.outbox)->unknown, 0);
    assert_int_equal(outbox_counters(desk.outbox)->retried, 0);
    assert_int_equal(outbox_counters(desk.outbox)->deferred, 0);
}

/* Nobody tries it again: what it has found may be long ago. */
static void receipt_says_nothing_of_later(void **state)
{
    int64_t id, until = clock_mono_ms() + 12000;
    const outbox_counters_t *n;

    (void)state;
    bind_deaf("http");
    desk.account.token = "t";
    id = queue("6281333000600", "halo");
    assert_int_equal(domain_write(&desk.domain, all_sent_tx, NULL), WERR_OK);
    assert_int_equal(domain_write(&desk.domain, read_tx, &id), WERR_OK);
    start_outbox();
    n = outbox_counters(desk.outbox);
    while (n->failed == 0 && clock_mono_ms() < until) {
        (void)usleep(5000);
    }
    assert_int_equal(n->failed, 1);
    come_back(hold_sends);
    (void)queue("6281333000601", "halo");
    (void)queue("6281333000602", "halo");
    wait_held(2);
    assert_int_equal(n->deferred, 0);
}

#define DEAF(f) cmocka_unit_test_setup_teardown(f, setup, teardown_deaf)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEAF(packets_are_swallowed),
        DEAF(sign_in_is_swallowed),
        DEAF(handshake_is_swallowed),
        DEAF(handshake_is_cut),
        DEAF(stopped_before_a_byte),
        DEAF(old_ones_have_their_tries),
        DEAF(another_one_does_not_wait),
        DEAF(receipts_do_not_take_all_places),
        DEAF(its_pauses_are_its_own),
        DEAF(signs_in_when_it_is_back),
        DEAF(slow_is_not_away),
        DEAF(slow_takes_as_many_as_leave),
        DEAF(receipt_says_nothing_of_later),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
