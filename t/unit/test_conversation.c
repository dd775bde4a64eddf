#include "inbox_fixture.h"

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
        TEST(conversation_oldest_first),
        TEST(conversation_at_a_place),
        TEST(one_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
