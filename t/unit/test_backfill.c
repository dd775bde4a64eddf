#include "domain/backfill.h"

#include "domain/delivery.h"
#include "domain_fixture.h"
#include "gateway/gateway.h"

#define HOUR INT64_C(3600000)

/* ---- requests ---- */

static const gateway_account_t account = {
    .name = "seed", .driver = "waapi", .base_url = "http://gw/api/v1"};

static void requests(void **state)
{
    gw_request_t r;

    (void)state;
    gw_request_init(&r);
    assert_int_equal(gw_waapi.list_chats(&account, "cs/1", 1, 100, &r),
                     WERR_OK);
    assert_string_equal(r.url.data,
                        "http://gw/api/v1/sessions/cs%2F1/chats?limit=100");
    assert_string_equal(r.method, "GET");
    assert_true(r.authorised);
    gw_request_free(&r);
    gw_request_init(&r);
    assert_int_equal(gw_waapi.list_messages(&account, "cs-1",
                                            "62812@s.whatsapp.net", 3, 50, &r),
                     WERR_OK);
    assert_string_equal(r.url.data,
                        "http://gw/api/v1/sessions/cs-1/messages?chatId="
                        "62812%40s.whatsapp.net&limit=50&page=3");
    gw_request_free(&r);
}

/* ---- lists of chats ---- */

typedef struct {
    gw_chat_t chats[8];
    size_t n;
} listed_t;

static void keep_chat(void *arg, const gw_chat_t *c)
{
    listed_t *l = arg;

    assert_true(l->n < 8);
    l->chats[l->n++] = *c;
}

static bool read_chats(const char *body, listed_t *l, size_t *n)
{
    l->n = 0;
    return gw_waapi.chats_reply(200, body, strlen(body), keep_chat, l, n);
}

static void chats_of_the_document(void **state)
{
    static const char body[] =
        "{\"success\":true,\"data\":[{\"id\":\"6281234567890@s.whatsapp.net\","
        "\"name\":\"Siti\",\"phone\":\"6281234567890\",\"last_message\":\"Ya\","
        "\"timestamp\":1700000000,\"unread_count\":3,\"is_starred\":false},"
        "{\"id\":\"103899771998284@lid\",\"phone\":\"103899771998284\"},"
        "{\"id\":\"12036304@g.us\",\"name\":\"Grup\"},{\"id\":17},\"x\"]}";
    listed_t l;
    size_t n;

    (void)state;
    assert_true(read_chats(body, &l, &n));
    assert_int_equal(n, 5);
    assert_int_equal(l.n, 5);
    assert_string_equal(l.chats[0].id, "6281234567890@s.whatsapp.net");
    assert_string_equal(l.chats[0].phone, "6281234567890");
    assert_string_equal(l.chats[0].name, "Siti");
    assert_int_equal(l.chats[0].ts, INT64_C(1700000000000));
    assert_false(l.chats[0].group);
    /* the digits of a LID are no number */
    assert_string_equal(l.chats[1].phone, "");
    assert_string_equal(l.chats[1].alias, "103899771998284@lid");
    assert_true(l.chats[2].group);
    assert_string_equal(l.chats[3].id, "");
    assert_string_equal(l.chats[4].id, "");
}

static void chats_of_the_code(void **state)
{
    static const char body[] =
        "{\"success\":true,\"data\":{\"chats\":[{\"id\":"
        "\"6281234567890:7@s.whatsapp.net\",\"name\":null,\"lastMessage\":"
        "{\"body\":\"Ya\",\"timestamp\":1700000000123,\"fromMe\":false},"
        "\"unreadCount\":0,\"isGroup\":false},"
        "{\"id\":\"x1\",\"isGroup\":true}],\"total\":2}}";
    listed_t l;
    size_t n;

    (void)state;
    assert_true(read_chats(body, &l, &n));
    assert_int_equal(n, 2);
    assert_string_equal(l.chats[0].phone, "6281234567890");
    assert_string_equal(l.chats[0].name, "");
    assert_int_equal(l.chats[0].ts, INT64_C(1700000000123));
    assert_true(l.chats[1].group);
}

static void no_lists(void **state)
{
    static const char *const bodies[] = {"",
                                         "<html>",
                                         "{}",
                                         "{\"data\":{}}",
                                         "{\"success\":false,\"data\":[]}",
                                         "\"data\"",
                                         "{\"data\":\"x\"}"};
    gw_events_t events;
    listed_t l;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_false(read_chats(bodies[i], &l, &n));
        assert_int_equal(n, 0);
        assert_int_equal(
            gw_waapi.messages_reply(200, bodies[i], strlen(bodies[i]), &events),
            WERR_INVALID);
    }
    assert_false(gw_waapi.chats_reply(500, "[]", 2, keep_chat, &l, &n));
    assert_int_equal(gw_waapi.messages_reply(404, "[]", 2, &events),
                     WERR_INVALID);
    assert_true(read_chats("[]", &l, &n));
    assert_int_equal(gw_waapi.messages_reply(200, "[]", 2, &events), WERR_OK);
    assert_int_equal(events.n, 0);
    gw_events_free(&events);
}

/* ---- lists of messages ---- */

static void messages_of_the_document(void **state)
{
    static const char body[] =
        "{\"success\":true,\"data\":[{\"id\":\"3EB0AAAA0001\",\"message_id\":"
        "\"3EB0AAAA0001\",\"chat_id\":\"6281234567890@s.whatsapp.net\","
        "\"from_me\":false,\"type\":\"text\",\"content\":\"Halo\","
        "\"timestamp\":1700000000,\"status\":\"delivered\"},"
        "{\"id\":\"3EB0AAAA0002\",\"from_me\":true,\"type\":\"image\","
        "\"content\":\"Ini\",\"media_url\":\"https://gw/m/1\",\"timestamp\":"
        "\"2023-11-14T22:13:21Z\",\"status\":\"read\"},"
        "{\"id\":\"17\",\"content\":\"no id of WhatsApp's\",\"timestamp\":1},"
        "{\"id\":\"3EB0AAAA0003\",\"content\":\"no time\"},"
        "{\"id\":\"3EB0AAAA0004\",\"chat_id\":\"1203@g.us\",\"timestamp\":1}]}";
    gw_events_t e;

    (void)state;
    assert_int_equal(gw_waapi.messages_reply(200, body, sizeof(body) - 1, &e),
                     WERR_OK);
    assert_int_equal(e.n, 5);
    assert_int_equal(e.items[0].kind, GW_MESSAGE);
    assert_string_equal(e.items[0].wa_id, "3EB0AAAA0001");
    assert_string_equal(e.items[0].phone, "6281234567890");
    assert_string_equal(e.items[0].text, "Halo");
    assert_int_equal(e.items[0].ts, INT64_C(1700000000000));
    assert_false(e.items[0].from_me);
    assert_true(e.items[1].from_me);
    assert_string_equal(e.items[1].type, "image");
    assert_string_equal(e.items[1].media_url, "https://gw/m/1");
    assert_string_equal(e.items[1].status, "read");
    assert_int_equal(e.items[1].ts, INT64_C(1700000001000));
    assert_null(e.items[1].phone);
    for (size_t i = 2; i < 5; i++) {
        assert_int_equal(e.items[i].kind, GW_OTHER);
    }
    gw_events_free(&e);
}

static void messages_of_the_code(void **state)
{
    static const char body[] =
        "{\"success\":true,\"data\":{\"messages\":[{\"id\":12,\"messageId\":"
        "\"3EB0BBBB0001\",\"remoteJid\":\"103899771998284@lid\","
        "\"remoteJidAlt\":\"6281234567890@s.whatsapp.net\",\"fromMe\":false,"
        "\"messageType\":\"conversation\",\"content\":\"Halo\",\"pushName\":"
        "\"Siti\",\"timestamp\":1700000000123},"
        "{\"key\":{\"id\":\"3EB0BBBB0002\",\"fromMe\":true,\"remoteJid\":"
        "\"6281234567890@s.whatsapp.net\"},\"messageTimestamp\":\"1700000000\","
        "\"message\":{\"ephemeralMessage\":{\"message\":{\"imageMessage\":"
        "{\"caption\":\"Foto\",\"mimetype\":\"image/jpeg\"}}}}},"
        "{\"key\":{\"id\":\"3EB0BBBB0003\"},\"messageTimestamp\":1700000000,"
        "\"message\":{\"reactionMessage\":{\"key\":{\"id\":\"3EB0BBBB0002\"},"
        "\"text\":\"x\"}}}]}}";
    gw_events_t e;

    (void)state;
    assert_int_equal(gw_waapi.messages_reply(200, body, sizeof(body) - 1, &e),
                     WERR_OK);
    assert_int_equal(e.n, 3);
    assert_string_equal(e.items[0].wa_id, "3EB0BBBB0001");
    assert_string_equal(e.items[0].phone, "6281234567890");
    assert_string_equal(e.items[0].alias, "103899771998284@lid");
    assert_string_equal(e.items[0].push_name, "Siti");
    assert_string_equal(e.items[0].type, "text");
    assert_int_equal(e.items[0].ts, INT64_C(1700000000123));
    assert_string_equal(e.items[1].wa_id, "3EB0BBBB0002");
    assert_true(e.items[1].from_me);
    assert_string_equal(e.items[1].type, "image");
    assert_string_equal(e.items[1].text, "Foto");
    assert_string_equal(e.items[1].media_mime, "image/jpeg");
    assert_int_equal(e.items[2].kind, GW_OTHER);
    gw_events_free(&e);
}

/* ---- runs ---- */

typedef struct {
    int64_t session;
    bool deep;
    int64_t down_since;
    backfill_task_t task;
    backfill_chat_t chats[4];
    backfill_message_t messages[128];
    size_t n, lines;
    backfill_failure_t how;
    int64_t wait;
} call_t;

static int request_tx(tx_t *tx, void *arg)
{
    const call_t *c = arg;

    return backfill_request(tx, c->session, c->deep);
}

static int connected_tx(tx_t *tx, void *arg)
{
    const call_t *c = arg;

    return backfill_connected(tx, c->session, c->down_since);
}

static int chats_tx(tx_t *tx, void *arg)
{
    const call_t *c = arg;

    return backfill_apply_chats(tx, &c->task, c->chats, c->n, c->lines);
}

static int messages_tx(tx_t *tx, void *arg)
{
    call_t *c = arg;

    return backfill_apply_messages(tx, &c->task, c->messages, c->n, c->lines);
}

static int failed_tx(tx_t *tx, void *arg)
{
    const call_t *c = arg;

    return backfill_failed(tx, &c->task, c->how, "why", c->wait);
}

static void request(fixture_t *f, bool deep)
{
    call_t c = {.session = f->session, .deep = deep};

    assert_int_equal(domain_write(&f->d, request_tx, &c), WERR_OK);
}

static int next(fixture_t *f, const int64_t *busy, size_t n, call_t *c)
{
    int64_t due;

    return backfill_next(f->db, clock_now_ms(), busy, n, &c->task, &due);
}

static void add_chat(call_t *c, const char *jid, const char *phone, int64_t ts)
{
    backfill_chat_t *chat = &c->chats[c->n++];

    memset(chat, 0, sizeof(*chat));
    snprintf(chat->jid, sizeof(chat->jid), "%s", jid);
    snprintf(chat->phone, sizeof(chat->phone), "%s", phone);
    chat->ts = ts;
}

static void add_message(call_t *c, const char *wa_id, int64_t ts, bool from_me)
{
    c->messages[c->n++] = (backfill_message_t){.phone = "6281234567890",
                                               .name = "Siti",
                                               .status = "read",
                                               .in = {.from_me = from_me,
                                                      .wa_id = wa_id,
                                                      .ts = ts,
                                                      .type = "text",
                                                      .text = wa_id}};
}

/* Two chats are listed: what is to be fetched is the messages of the first. */
static void list_two(fixture_t *f, call_t *c)
{
    int64_t old = clock_now_ms() - 2 * HOUR;

    assert_int_equal(next(f, NULL, 0, c), WERR_OK);
    assert_int_equal(c->task.chat, 0);
    assert_int_equal(c->task.page, 1);
    assert_string_equal(c->task.account, "seed");
    assert_string_equal(c->task.remote, "cs-1");
    c->n = 0;
    add_chat(c, "6281234567890@s.whatsapp.net", "6281234567890", old);
    add_chat(c, "6281234567891@s.whatsapp.net", "6281234567891", old);
    c->lines = 2;
    assert_int_equal(domain_write(&f->d, chats_tx, c), WERR_OK);
}

static void fetches_and_ends(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms(), due, first;
    call_t c = {0};

    assert_int_equal(backfill_next(f->db, now, NULL, 0, &c.task, &due),
                     WERR_NOTFOUND);
    assert_true(due == INT64_MAX);
    request(f, false);
    list_two(f, &c);
    assert_int_equal(ASK(f, "SELECT count(*) FROM chats"), 2);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    assert_string_equal(c.task.jid, "6281234567890@s.whatsapp.net");
    first = c.task.chat;
    /* while it is on its way the other one is next, then nothing is */
    assert_int_equal(next(f, &first, 1, &c), WERR_OK);
    assert_string_equal(c.task.jid, "6281234567891@s.whatsapp.net");
    assert_int_equal(next(f, (int64_t[]){first, c.task.chat}, 2, &c),
                     WERR_NOTFOUND);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    c.n = 0;
    add_message(&c, "WA2", now - HOUR, true);
    add_message(&c, "WA1", now - HOUR - 1000, false);
    add_message(&c, "WA3", now - 1000, false); /* the webhook's */
    add_message(&c, "WA1", now - HOUR - 1000, false);
    c.lines = 5;
    assert_int_equal(domain_write(&f->d, messages_tx, &c), WERR_OK);
    assert_int_equal(ASK(f, "SELECT count(*) FROM messages"), 2);
    assert_int_equal(ASK(f, "SELECT sum(unread) FROM chats"), 0);
    assert_int_equal(ASK(f, "SELECT count(*) FROM events WHERE kind = 1"), 0);
    assert_int_equal(ASK(f, "SELECT status FROM messages WHERE wa_id = 'WA2'"),
                     STATUS_READ);
    assert_int_equal(ASK(f, "SELECT m.wa_id = 'WA2' FROM chats c JOIN messages "
                            "m ON m.id = c.last_message_id"),
                     1);
    assert_int_equal(ASK(f, "SELECT messages FROM backfills"), 2);
    assert_int_equal(ASK(f, "SELECT left_out FROM backfills"), 1);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    c.n = c.lines = 0;
    assert_int_equal(domain_write(&f->d, messages_tx, &c), WERR_OK);
    assert_int_equal(next(f, NULL, 0, &c), WERR_NOTFOUND);
    assert_int_equal(ASK(f, "SELECT count(*) FROM backfills WHERE "
                            "state = 'done' AND finished_at > 0"),
                     1);
}

/* The page is asked for again until its effects are there, and no more. */
static void resumes(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    static char ids[BACKFILL_PAGE][16];
    call_t c = {0}, late;

    request(f, true);
    list_two(f, &c);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    c.n = 0;
    for (int i = 0; i < BACKFILL_PAGE; i++) {
        snprintf(ids[i], sizeof(ids[i]), "WA%d", i);
        add_message(&c, ids[i], now - HOUR - i, false);
    }
    c.lines = c.n;
    late = c;
    assert_int_equal(domain_write(&f->d, messages_tx, &c), WERR_OK);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    assert_string_equal(c.task.jid, "6281234567890@s.whatsapp.net");
    assert_int_equal(c.task.page, 2);
    assert_int_equal(c.task.oldest, now - HOUR - (BACKFILL_PAGE - 1));
    /* an answer to what was asked before is of no use */
    assert_int_equal(domain_write(&f->d, messages_tx, &late), WERR_NOTFOUND);
    /* the same page again: there are no others */
    memcpy(c.messages, late.messages, sizeof(c.messages));
    c.n = c.lines = BACKFILL_PAGE;
    assert_int_equal(domain_write(&f->d, messages_tx, &c), WERR_OK);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    assert_string_equal(c.task.jid, "6281234567891@s.whatsapp.net");
    assert_int_equal(ASK(f, "SELECT messages FROM backfills"), BACKFILL_PAGE);
}

static void fails(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms(), due;
    call_t c = {0};

    request(f, true);
    list_two(f, &c);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    c.how = BACKFILL_WAIT;
    c.wait = 60000;
    assert_int_equal(domain_write(&f->d, failed_tx, &c), WERR_OK);
    assert_int_equal(backfill_next(f->db, now, NULL, 0, &c.task, &due),
                     WERR_NOTFOUND);
    assert_in_range(due, now + 60000, now + 65000);
    assert_int_equal(ASK(f, "SELECT failures FROM backfills"), 0);
    request(f, true); /* hurries it */
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    c.how = BACKFILL_REFUSED;
    c.wait = 0;
    assert_int_equal(domain_write(&f->d, failed_tx, &c), WERR_OK);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    assert_string_equal(c.task.jid, "6281234567891@s.whatsapp.net");
    c.how = BACKFILL_AGAIN;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(domain_write(&f->d, failed_tx, &c), WERR_OK);
    }
    assert_int_equal(
        ASK(f, "SELECT count(*) FROM backfills WHERE state = 'failed'"), 1);
    assert_int_equal(domain_write(&f->d, failed_tx, &c), WERR_NOTFOUND);
    request(f, true);
    assert_int_equal(ASK(f, "SELECT count(*) FROM backfill_chats"), 0);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    assert_int_equal(c.task.chat, 0);
}

static void on_connect(void **state)
{
    fixture_t *f = *state;
    int64_t now = clock_now_ms();
    call_t c = {.session = f->session};

    assert_int_equal(domain_write(&f->d, connected_tx, &c), WERR_OK);
    assert_int_equal(ASK(f, "SELECT deep FROM backfills"), 1);
    assert_true(ASK(f, "SELECT not_before FROM backfills") >= now + 60000);
    RUN(f, "UPDATE backfills SET state = 'done', finished_at = 1");
    c.down_since = now - 200000;
    assert_int_equal(domain_write(&f->d, connected_tx, &c), WERR_OK);
    assert_int_equal(
        ASK(f, "SELECT count(*) FROM backfills WHERE state = 'done'"), 1);
    c.down_since = now - 400000;
    assert_int_equal(domain_write(&f->d, connected_tx, &c), WERR_OK);
    assert_int_equal(
        ASK(f, "SELECT count(*) FROM backfills WHERE state = 'chats'"), 1);
    assert_int_equal(ASK(f, "SELECT deep FROM backfills"), 0);
    RUN(f, "UPDATE backfills SET state = 'failed'");
    c.down_since = now - 1000;
    assert_int_equal(domain_write(&f->d, connected_tx, &c), WERR_OK);
    assert_int_equal(
        ASK(f, "SELECT count(*) FROM backfills WHERE state = 'chats'"), 1);
}

/* Where we have all, nothing is asked for: times are told in seconds. */
static void leaves_what_is_known(void **state)
{
    fixture_t *f = *state;
    int64_t old = clock_now_ms() - 2 * HOUR;
    call_t c = {0};

    (void)say(f, "6281234567890", "WA1", "Halo", old, false);
    request(f, false);
    list_two(f, &c);
    assert_int_equal(next(f, NULL, 0, &c), WERR_OK);
    assert_string_equal(c.task.jid, "6281234567891@s.whatsapp.net");
    assert_int_equal(ASK(f, "SELECT sum(done) FROM backfill_chats"), 1);
}

/* The phone has talked there, whatever waits here to be sent. */
static void listed_chats_are_live(void **state)
{
    fixture_t *f = *state;
    call_t c = {0};

    (void)say(f, "6281234567890", "WA1", "Halo", clock_now_ms() - 3 * HOUR,
              true);
    RUN(f, "UPDATE messages SET status = 1");
    RUN(f, "UPDATE chats SET live = 0");
    RUN(f, "DELETE FROM events");
    request(f, true);
    list_two(f, &c);
    assert_int_equal(ASK(f, "SELECT sum(live) FROM chats"), 2);
    assert_int_equal(ASK(f, "SELECT count(DISTINCT chat_id) FROM events"), 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(chats_of_the_document),
        cmocka_unit_test(chats_of_the_code),
        cmocka_unit_test(no_lists),
        cmocka_unit_test(messages_of_the_document),
        cmocka_unit_test(messages_of_the_code),
        T(fetches_and_ends),
        T(resumes),
        T(fails),
        T(on_connect),
        T(leaves_what_is_known),
        T(listed_chats_are_live),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
