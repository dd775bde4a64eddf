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

/* A port whose listener takes no connection. */
static struct {
    char base[64];
    struct sockaddr_in address;
    int fd, fillers[FILLERS];
    pthread_t thread; /* of close_each() */
    bool closes;
} deaf;

static void open_deaf(const char *scheme)
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
    assert_int_equal(listen(deaf.fd, 0), 0);
    (void)snprintf(deaf.base, sizeof(deaf.base), "%s://127.0.0.1:%d", scheme,
                   ntohs(deaf.address.sin_port));
    desk.account.base_url = deaf.base;
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

static int teardown_deaf(void **state)
{
    int rc = teardown(state);

    if (deaf.closes) {
        (void)shutdown(deaf.fd, SHUT_RDWR);
        (void)pthread_join(deaf.thread, NULL);
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

#define DEAF(f) cmocka_unit_test_setup_teardown(f, setup, teardown_deaf)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEAF(packets_are_swallowed),  DEAF(sign_in_is_swallowed),
        DEAF(handshake_is_swallowed), DEAF(handshake_is_cut),
        DEAF(stopped_before_a_byte),  DEAF(old_ones_have_their_tries),
    };

    return cmocka_run_group_tests(tests, group_start, group_stop);
}
