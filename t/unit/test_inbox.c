#include "domain_fixture.h"

#include <jansson.h>

#include "domain/donor.h"

typedef struct {
    json_t *root; /* {"conversations": [...]} or {"messages": [...]} */
    json_t *rows;
    bool more;
    int64_t ts, id;
} page_t;

static json_t *parse(buf_t *b)
{
    json_error_t e;
    json_t *root;

    assert_false(b->failed);
    root = json_loadb(b->data, b->len, 0, &e);
    if (root == NULL) {
        fail_msg("%s in %s", e.text, b->data);
    }
    buf_free(b);
    return root;
}

static page_t inbox(fixture_t *f, inbox_query_t q)
{
    session_set_t own = {.ids = &f->session, .n = 1};
    page_t p = {0};
    buf_t b;

    if (q.sessions == NULL) {
        q.sessions = &own;
    }
    q.limit = q.limit == 0 ? 50 : q.limit;
    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    assert_int_equal(chat_inbox(f->db, &f->d, &q, &b, &p.more, &p.ts, &p.id),
                     WERR_OK);
    jw_close_object(&b);
    p.root = parse(&b);
    p.rows = json_object_get(p.root, "conversations");
    return p;
}

static size_t count(fixture_t *f, inbox_query_t q)
{
    page_t p = inbox(f, q);
    size_t n = json_array_size(p.rows);

    json_decref(p.root);
    return n;
}

static const char *text(json_t *rows, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static json_int_t number(json_t *rows, size_t i, const char *key)
{
    json_t *v = json_object_get(json_array_get(rows, i), key);

    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

typedef struct {
    int64_t contact;
} giver_t;

static int gift_tx(tx_t *tx, void *arg)
{
    const giver_t *g = arg;
    gift_t gift = {.amount = 250000, .day = tx->today - 3};
    int64_t id;

    return donor_add_gift(tx, g->contact, &gift, &id);
}

static void line_has_its_shape(void **state)
{
    fixture_t *f = *state;
    int64_t ts = INT64_C(1772338206000); /* 2026-03-01T04:10:06Z */
    said_t s =
        say(f, "6281234567890", "a", "Assalamu'alaikum \"kak\"", ts, false);
    giver_t g = {s.contact.id};
    json_t *d;
    page_t p;
    char id[24];

    assert_int_equal(domain_write(&f->d, gift_tx, &g), WERR_OK);
    p = inbox(f, (inbox_query_t){0});
    assert_int_equal(json_array_size(p.rows), 1);
    snprintf(id, sizeof(id), "%lld", (long long)s.ref.chat);
    assert_string_equal(text(p.rows, 0, "id"), id);
    assert_string_equal(text(p.rows, 0, "session_id"), "cs-1");
    assert_string_equal(text(p.rows, 0, "name"), "+62 812-3456-7890");
    assert_string_equal(text(p.rows, 0, "phone"), "6281234567890");
    assert_string_equal(text(p.rows, 0, "last_message"),
                        "Assalamu'alaikum \"kak\"");
    assert_string_equal(text(p.rows, 0, "timestamp"), "2026-03-01T04:10:06Z");
    assert_int_equal(number(p.rows, 0, "unread_count"), 1);
    assert_true(json_is_false(
        json_object_get(json_array_get(p.rows, 0), "is_starred")));
    d = json_object_get(json_array_get(p.rows, 0), "donatur");
    assert_int_equal(json_integer_value(json_object_get(d, "lifetime_value")),
                     250000);
    assert_int_equal(json_integer_value(json_object_get(d, "donation_count")),
                     1);
    assert_int_equal(json_integer_value(json_object_get(d, "avg_donation")),
                     250000);
    assert_int_equal(
        strlen(json_string_value(json_object_get(d, "last_donation"))), 10);
    assert_string_equal(json_string_value(json_object_get(d, "segment")),
                        "New");
    assert_in_range(json_integer_value(json_object_get(d, "engagement_score")),
                    1, 100);
    assert_int_equal(json_object_size(d), 6);
    assert_int_equal(json_object_size(json_array_get(p.rows, 0)), 9);
    assert_false(p.more);
    json_decref(p.root);
}

static void donatur_only_for_those_who_wrote_or_gave(void **state)
{
    fixture_t *f = *state;
    json_t *d;
    page_t p;

    queue(f, "6281", "salam");
    p = inbox(f, (inbox_query_t){0});
    assert_true(
        json_is_null(json_object_get(json_array_get(p.rows, 0), "donatur")));
    json_decref(p.root);
    say(f, "6281", "a", "waalaikumsalam", clock_now_ms() + 1, false);
    p = inbox(f, (inbox_query_t){0});
    d = json_object_get(json_array_get(p.rows, 0), "donatur");
    assert_string_equal(json_string_value(json_object_get(d, "segment")),
                        "New");
    assert_true(json_is_null(json_object_get(d, "avg_donation")));
    assert_true(json_is_null(json_object_get(d, "last_donation")));
    json_decref(p.root);
}

static void last_message_is_always_a_string(void **state)
{
    static const struct {
        const char *type, *body, *want;
    } table[] = {
        {"image", "bukti transfer", "[Foto] bukti transfer"},
        {"image", "", "[Foto]"},
        {"document", "kuitansi", "[Dokumen] kuitansi"},
        {"audio", "", "[Audio]"},
        {"text", "halo", "halo"},
        {"text", "", ""},
        {"unsupported", "", "[Pesan tidak didukung]"},
    };
    fixture_t *f = *state;
    media_t media = {.mime = "image/jpeg", .size = -1};
    page_t p;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char id[24];
        said_t s = {.hint = {.phone = "6281", .wrote = true},
                    .in = {.session = f->session,
                           .wa_id = id,
                           .ts = (int64_t)(i + 1) * 1000,
                           .type = table[i].type,
                           .text = table[i].body,
                           .media = &media,
                           .live = true}};

        snprintf(id, sizeof(id), "m%zu", i);
        assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
        p = inbox(f, (inbox_query_t){0});
        assert_string_equal(text(p.rows, 0, "last_message"), table[i].want);
        json_decref(p.root);
    }
    RUN(f, "UPDATE messages SET deleted_at = 1");
    p = inbox(f, (inbox_query_t){0});
    assert_string_equal(text(p.rows, 0, "last_message"),
                        "[Dihapus] [Pesan tidak didukung]");
    json_decref(p.root);
    RUN(f, "UPDATE chats SET last_message_id = NULL");
    p = inbox(f, (inbox_query_t){0});
    assert_string_equal(text(p.rows, 0, "last_message"), "");
    json_decref(p.root);
}

/* n chats; every second of them at the same time as the one before. */
static void many(fixture_t *f, int n)
{
    for (int i = 0; i < n; i++) {
        char phone[24], id[24], body[40];

        snprintf(phone, sizeof(phone), "62810000%04d", i);
        snprintf(id, sizeof(id), "many%d-%lld", i, (long long)f->session);
        snprintf(body, sizeof(body), "pesan nomor %d", i);
        say(f, phone, id, body, 1000000 + 1000 * (i / 2), false);
    }
}

static void pages_cover_all_once(void **state)
{
    static const int limits[] = {1, 7, 50, 99, 100, 130, 200};
    fixture_t *f = *state;

    many(f, 130);
    for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
        bool seen[130] = {0};
        inbox_query_t q = {.limit = limits[k]};
        const char *before = NULL;
        char last[40] = "9999";
        size_t total = 0;
        page_t p;

        do {
            p = inbox(f, q);
            assert_in_range(json_array_size(p.rows), 1, limits[k]);
            for (size_t i = 0; i < json_array_size(p.rows); i++) {
                int nr = (int)strtol(text(p.rows, i, "phone") + 8, NULL, 10);

                assert_false(seen[nr]);
                seen[nr] = true;
                before = text(p.rows, i, "timestamp");
                assert_true(strcmp(before, last) <= 0);
                snprintf(last, sizeof(last), "%s", before);
                total++;
            }
            q.before_ts = p.ts;
            q.before_id = p.id;
            json_decref(p.root);
        } while (p.more);
        assert_int_equal(total, 130);
    }
}

static int second_session(tx_t *tx, void *arg)
{
    fixture_t *f = arg;

    return session_ensure(tx, f->account, "cs-2", &f->session);
}

static void sessions_are_merged(void **state)
{
    fixture_t *f = *state;
    int64_t ids[2] = {f->session};
    session_set_t both = {.ids = ids, .n = 2};
    inbox_query_t q = {.sessions = &both, .limit = 33};
    size_t total = 0;
    page_t p;

    many(f, 60);
    assert_int_equal(domain_write(&f->d, second_session, f), WERR_OK);
    ids[1] = f->session;
    many(f, 40);
    do {
        p = inbox(f, q);
        total += json_array_size(p.rows);
        q.before_ts = p.ts;
        q.before_id = p.id;
        json_decref(p.root);
    } while (p.more);
    assert_int_equal(total, 100);
    both.n = 0;
    assert_int_equal(count(f, (inbox_query_t){.sessions = &both}), 0);
}

static int mark_tx(tx_t *tx, void *arg)
{
    return chat_mark_read(tx, *(int64_t *)arg, false);
}

static int star_tx(tx_t *tx, void *arg)
{
    bool starred;
    int rc = chat_toggle_star(tx, *(int64_t *)arg, &starred);

    return rc == WERR_OK ? starred : rc;
}

static void filters(void **state)
{
    fixture_t *f = *state;
    said_t a = say(f, "6281", "a", "x", 1000, false);
    said_t b = say(f, "6282", "b", "x", 2000, false);
    int64_t none = 999, session;

    say(f, "6283", "c", "x", 3000, true);
    assert_int_equal(domain_write(&f->d, mark_tx, &a.ref.chat), WERR_OK);
    assert_int_equal(domain_write(&f->d, star_tx, &b.ref.chat), 1);
    move(f, "c", STATUS_FAILED);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_ALL}), 3);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_UNREAD}), 1);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_STARRED}), 1);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_FAILED}), 1);
    assert_int_equal(domain_write(&f->d, star_tx, &b.ref.chat), 0);
    assert_int_equal(count(f, (inbox_query_t){.filter = INBOX_STARRED}), 0);
    assert_int_equal(domain_write(&f->d, star_tx, &none), WERR_NOTFOUND);
    assert_int_equal(domain_write(&f->d, mark_tx, &none), WERR_NOTFOUND);
    assert_int_equal(chat_session(f->db, a.ref.chat, &session), WERR_OK);
    assert_int_equal(session, f->session);
    assert_int_equal(chat_session(f->db, none, &session), WERR_NOTFOUND);
}

/* By what was found: each chat once, in the order of the inbox, with the
 * filter and the sessions. */
static void found(void **state)
{
    fixture_t *f = *state;
    int64_t ids[300], none = 0, two[3] = {3, 5, 3};
    inbox_search_t all = {.chats = ids, .nchats = 300};
    inbox_search_t some = {
        .chats = ids, .nchats = 2, .contacts = two, .ncontacts = 3};
    inbox_search_t nothing = {0};
    inbox_query_t q = {.search = &all, .limit = 7};
    size_t total = 0;
    page_t p;

    many(f, 60);
    for (int64_t i = 0; i < 300; i++) {
        ids[i] = 300 - i; /* most of them are no chats */
    }
    do {
        p = inbox(f, q);
        for (size_t i = 0; i < json_array_size(p.rows); i++, total++) {
            char phone[24];

            snprintf(phone, sizeof(phone), "62810000%04zu", 59 - total);
            assert_string_equal(text(p.rows, i, "phone"), phone);
        }
        q.before_ts = p.ts;
        q.before_id = p.id;
        json_decref(p.root);
    } while (p.more);
    assert_int_equal(total, 60);
    ids[0] = 4;
    ids[1] = 5;
    assert_int_equal(count(f, (inbox_query_t){.search = &some}), 3);
    assert_int_equal(count(f, (inbox_query_t){.search = &nothing}), 0);
    assert_int_equal(
        count(f, (inbox_query_t){.search = &all, .filter = INBOX_STARRED}), 0);
    RUN(f, "UPDATE chats SET starred = 1 WHERE id = 5");
    assert_int_equal(
        count(f, (inbox_query_t){.search = &some, .filter = INBOX_STARRED}), 1);
    session_set_t other = {.ids = &none, .n = 1};
    assert_int_equal(
        count(f, (inbox_query_t){.search = &all, .sessions = &other}), 0);
}

typedef struct {
    size_t asked;
    int64_t every;
} judge_t;

static int has(void *arg, int64_t chat, int64_t contact, bool *hit)
{
    judge_t *j = arg;

    (void)contact;
    j->asked++;
    *hit = chat % j->every == 0;
    return WERR_OK;
}

/* Chat by chat: no more of them than the page needs, none left out. */
static void asked_one_by_one(void **state)
{
    fixture_t *f = *state;
    judge_t j = {.every = 2};
    inbox_search_t search = {.partial = true, .has = has, .arg = &j};
    inbox_query_t q = {.search = &search, .limit = 10};
    size_t total = 0;
    page_t p;

    many(f, 300);
    p = inbox(f, q);
    assert_int_equal(json_array_size(p.rows), 10);
    assert_true(p.more);
    assert_in_range(j.asked, 21, 23);
    json_decref(p.root);
    do {
        p = inbox(f, q);
        total += json_array_size(p.rows);
        q.before_ts = p.ts;
        q.before_id = p.id;
        json_decref(p.root);
    } while (p.more);
    assert_int_equal(total, 150);
    j.every = 299; /* far down */
    assert_int_equal(count(f, (inbox_query_t){.search = &search}), 1);
    q = (inbox_query_t){.search = &search, .filter = INBOX_STARRED};
    assert_int_equal(count(f, q), 0);
    RUN(f, "UPDATE chats SET starred = 1 WHERE id = 299");
    j.asked = 0;
    assert_int_equal(count(f, q), 1);
    assert_int_equal(j.asked, 1);
}

static page_t messages(fixture_t *f, int64_t chat, int limit, int64_t before)
{
    page_t p = {0};
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    assert_int_equal(chat_messages(f->db, chat, NULL, limit, before, &b,
                                   "messages", &p.more, &p.id),
                     WERR_OK);
    jw_close_object(&b);
    p.root = parse(&b);
    p.rows = json_object_get(p.root, "messages");
    return p;
}

static int react_tx(tx_t *tx, void *arg)
{
    fixture_t *f = arg;
    int rc = message_react(tx, f->session, "h1", "6281", "\xe2\x9d\xa4", 9000);

    if (rc == WERR_OK) {
        rc = message_react(tx, f->session, "h1", "6282", "", 9000);
    }
    return rc == WERR_OK
               ? message_react(tx, f->session, "h3", "6281", "x", 9000)
               : rc;
}

static void conversation_oldest_first(void **state)
{
    fixture_t *f = *state;
    int64_t chat = 0, ids[5];
    json_t *r;
    page_t p;

    for (int i = 0; i < 5; i++) {
        char id[24];
        said_t s;

        snprintf(id, sizeof(id), "h%d", i);
        s = say(f, "6281", id, id, 1000000 + 1000 * (i / 2), i % 2 == 1);
        ids[i] = s.ref.id;
        chat = s.ref.chat;
    }
    assert_int_equal(domain_write(&f->d, react_tx, f), WERR_OK);
    p = messages(f, chat, 3, 0);
    assert_int_equal(json_array_size(p.rows), 3);
    assert_true(p.more);
    assert_int_equal(p.id, ids[2]);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(number(p.rows, i, "id"), ids[i + 2]);
        assert_int_equal(json_object_size(json_array_get(p.rows, i)), 18);
    }
    r = json_object_get(json_array_get(p.rows, 1), "reactions");
    assert_int_equal(json_array_size(r), 1);
    json_decref(p.root);
    p = messages(f, chat, 3, ids[2]);
    assert_int_equal(json_array_size(p.rows), 2);
    assert_false(p.more);
    assert_string_equal(text(p.rows, 0, "message"), "h0");
    assert_string_equal(text(p.rows, 0, "direction"), "incoming");
    assert_string_equal(text(p.rows, 0, "status"), "delivered");
    assert_null(text(p.rows, 0, "source"));
    assert_string_equal(text(p.rows, 1, "direction"), "outgoing");
    assert_string_equal(text(p.rows, 1, "source"), "agent");
    assert_string_equal(text(p.rows, 1, "wa_message_id"), "h1");
    r = json_object_get(json_array_get(p.rows, 1), "reactions");
    assert_int_equal(json_array_size(r), 1);
    assert_string_equal(text(r, 0, "by"), "6281");
    json_decref(p.root);
    p = messages(f, 999, 3, 0);
    assert_int_equal(json_array_size(p.rows), 0);
    json_decref(p.root);
}

/* The ids of a page, and its ends, as "3 4 5 <>": < older ones exist. */
static const char *span(fixture_t *f, int64_t chat, chat_page_t page)
{
    static char out[64];
    chat_span_t span = {.oldest = -1};
    json_t *root, *rows;
    size_t len = 0;
    buf_t b;

    buf_init(&b, 0);
    jw_open_object(&b, NULL);
    assert_int_equal(chat_page(f->db, chat, NULL, &page, &b, "messages", &span),
                     WERR_OK);
    jw_close_object(&b);
    root = parse(&b);
    rows = json_object_get(root, "messages");
    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(rows); i++) {
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s ",
                                text(rows, i, "message"));
    }
    if (json_array_size(rows) > 0) {
        assert_int_equal(number(rows, 0, "id"), span.oldest);
        assert_int_equal(number(rows, json_array_size(rows) - 1, "id"),
                         span.newest);
    }
    snprintf(out + len, sizeof(out) - len, "%s%s", span.older ? "<" : "",
             span.newer ? ">" : "");
    json_decref(root);
    return out;
}

static void conversation_at_a_place(void **state)
{
    fixture_t *f = *state;
    int64_t chat = 0, ids[7];

    for (int i = 0; i < 7; i++) {
        char id[24];
        said_t s;

        /* two of the same time each */
        snprintf(id, sizeof(id), "%d", i);
        s = say(f, "6281", id, id, 1000000 + 1000 * (i / 2), false);
        ids[i] = s.ref.id;
        chat = s.ref.chat;
    }
#define AT(member, n, most) \
    span(f, chat, (chat_page_t){.limit = (most), .member = ids[n]})
    assert_string_equal(span(f, chat, (chat_page_t){.limit = 2}), "5 6 <");
    assert_string_equal(AT(before, 5, 2), "3 4 <>");
    assert_string_equal(AT(before, 1, 2), "0 >");
    assert_string_equal(AT(after, 2, 2), "3 4 <>");
    assert_string_equal(AT(after, 4, 2), "5 6 <");
    assert_string_equal(AT(after, 6, 2), "<");
    assert_string_equal(AT(around, 3, 1), "3 <>");
    assert_string_equal(AT(around, 3, 2), "3 4 <>");
    assert_string_equal(AT(around, 3, 5), "1 2 3 4 5 <>");
    assert_string_equal(AT(around, 3, 200), "0 1 2 3 4 5 6 ");
    assert_string_equal(AT(around, 0, 3), "0 1 >");
    assert_string_equal(AT(around, 6, 3), "5 6 <");
#undef AT
}

static void one_message(void **state)
{
    fixture_t *f = *state;
    media_t media = {.remote_url = "http://g/secret",
                     .mime = "image/jpeg",
                     .filename = "a.jpg",
                     .size = 12};
    said_t a = say(f, "6281", "q", "tanya", 1000, false);
    said_t s = {.hint = {.phone = "6281", .wrote = true},
                .in = {.session = f->session,
                       .wa_id = "w",
                       .ts = 2000,
                       .type = "image",
                       .text = "foto",
                       .media = &media,
                       .reply_to = "q",
                       .live = true}};
    json_t *root, *m;
    buf_t b;

    assert_int_equal(domain_write(&f->d, say_tx, &s), WERR_OK);
    buf_init(&b, 0);
    assert_int_equal(message_write_json(f->db, s.ref.id, &b, NULL), WERR_OK);
    assert_null(strstr(b.data, "secret"));
    root = parse(&b);
    assert_int_equal(json_integer_value(json_object_get(root, "reply_to")),
                     a.ref.id);
    assert_int_equal(json_integer_value(json_object_get(root, "donatur_id")),
                     s.contact.id);
    m = json_object_get(root, "media");
    assert_string_equal(json_string_value(json_object_get(m, "mime")),
                        "image/jpeg");
    assert_int_equal(json_integer_value(json_object_get(m, "size")), 12);
    json_decref(root);
    buf_init(&b, 0);
    assert_int_equal(message_write_json(f->db, 999, &b, NULL), WERR_NOTFOUND);
    buf_free(&b);
}

#define TEST(t) \
    cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(line_has_its_shape),
        TEST(donatur_only_for_those_who_wrote_or_gave),
        TEST(last_message_is_always_a_string),
        TEST(pages_cover_all_once),
        TEST(sessions_are_merged),
        TEST(filters),
        TEST(found),
        TEST(asked_one_by_one),
        TEST(conversation_oldest_first),
        TEST(conversation_at_a_place),
        TEST(one_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
